# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""One function per example, called like it, that returns its accelerator.

>>> from finn_examples import models
>>> accel = models.tfc_w1a1_mnist(target_platform="python")
>>> accel.ishape_normal(), str(accel.idt())
((1, 784), 'UINT8')

Each takes ``target_platform``: ``"rtlsim"`` simulates the hardware cycle by cycle, ``"cppsim"`` computes the same in
C++, ``"python"`` in NumPy. What it returns has the methods of FINN's driver (:class:`finn.deploy.Accelerator`). The
first call builds the accelerator and compiles its simulator, later ones take both from the cache.

The functions come from the directories of the examples: an example that is there has one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from finn_examples.catalogue import Example, UnknownExampleError, example, examples

if TYPE_CHECKING:
    from finn.deploy import Accelerator

__all__ = [found.name for found in examples()]


def accelerator(chosen: Example, target_platform: str = "rtlsim") -> Accelerator:
    """The accelerator of an example on a device.

    Raises :class:`finn.deploy.DeployError` if there is no device of that name.
    """
    from finn.builder.accelerator import load

    return load(chosen.directory, target_platform)


def __getattr__(name: str) -> Callable[..., Accelerator]:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        chosen = example(name)
    except UnknownExampleError as error:
        raise AttributeError(str(error)) from None

    def function(target_platform: str = "rtlsim") -> Accelerator:
        return accelerator(chosen, target_platform)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{chosen.title}. Returns its accelerator on ``target_platform``: rtlsim, cppsim or python."
    return function


def __dir__() -> list[str]:
    return __all__
