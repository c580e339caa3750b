"""SystemVerilog: stitched designs, testbenches, simulation and lint."""

from __future__ import annotations

from finn.rtl.errors import DeadlockError, RtlError, ToolMissing
from finn.rtl.sim import LinkStats, SimResult, Simulator
from finn.rtl.stitch import Design, stitch
from finn.rtl.testbench import write_testbench
from finn.rtl.verilator import verilator

__all__ = [
    "DeadlockError",
    "Design",
    "LinkStats",
    "RtlError",
    "SimResult",
    "Simulator",
    "ToolMissing",
    "stitch",
    "verilator",
    "write_testbench",
]
