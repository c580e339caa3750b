"""Execution of a whole design by simulation of its hardware."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np

from finn.core import hooks
from finn.core.modelwrapper import ModelWrapper


def rtlsim_exec(
    model: ModelWrapper,
    execution_context: MutableMapping[str, np.ndarray],
    pre_hook: Callable[[Any], None] | None = None,
    post_hook: Callable[[Any], None] | None = None,
) -> None:
    """Simulate the stitched hardware of `model`: graph inputs are read from execution_context, outputs written to it.

    pre_hook, post_hook: called with the simulator before and after. The number of clock cycles goes to the metadata
    property cycles_rtlsim. HookError if no simulator is installed (`pip install finn`).
    """
    hooks.call("rtlsim_exec", model, execution_context, pre_hook=pre_hook, post_hook=post_hook)
