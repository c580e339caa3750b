"""Random layers, one file per layer (`@draws(Layer)`): each that is here climbs the ladder of test_ladder.py."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from strategies.common import LAYERS, draws, frames, integers

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["LAYERS", "draws", "frames", "integers"]
