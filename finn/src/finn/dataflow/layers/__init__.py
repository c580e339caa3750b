"""The hardware layers, one file each. A new layer is a new file here; nothing else has to know it."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isabstract, isclass
from pkgutil import iter_modules

from finn.dataflow.layer import Layer


def _found() -> tuple[type[Layer], ...]:
    modules = [import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__)]
    return tuple(
        cls
        for module in modules
        for _, cls in getmembers(module, isclass)
        if issubclass(cls, Layer) and not isabstract(cls) and cls.__module__ == module.__name__
    )


LAYERS: tuple[type[Layer], ...] = _found()
"""All layers, in the order of their modules."""
