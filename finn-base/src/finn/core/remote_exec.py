"""Execution of a whole design on a board."""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np

from finn.core import hooks
from finn.core.modelwrapper import ModelWrapper


def remote_exec(model: ModelWrapper, execution_context: MutableMapping[str, np.ndarray]) -> None:
    """Run the bitstream of `model` on a board: graph inputs are read from execution_context, outputs written to it.

    The board and how to reach it are metadata properties of the model. HookError if no driver is installed
    (`pip install finn`).
    """
    hooks.call("remote_exec", model, execution_context)
