"""Measurement of how fast a whole design is, in simulation or on a board."""

from __future__ import annotations

from typing import Any

from finn.core import hooks
from finn.core.modelwrapper import ModelWrapper


def throughput_test_rtlsim(model: ModelWrapper, batchsize: int = 100) -> dict[str, Any]:
    """Simulate `batchsize` frames in a row. Returns cycles, runtime[ms], throughput[images/s] and bandwidths.

    The clock is the metadata property clk_ns. HookError if no simulator is installed (`pip install finn`).
    """
    result: dict[str, Any] = hooks.call("throughput_test_rtlsim", model, batchsize=batchsize)
    return result


def throughput_test_remote(model: ModelWrapper, batchsize: int = 1000, timeout: float | None = None) -> dict[str, Any]:
    """Run `batchsize` frames in a row on a board. Returns what the driver measures: runtime, throughput, bandwidths.

    timeout: seconds to wait for the board, None without limit. HookError if no driver is installed
    (`pip install finn`).
    """
    result: dict[str, Any] = hooks.call("throughput_test_remote", model, batchsize=batchsize, timeout=timeout)
    return result
