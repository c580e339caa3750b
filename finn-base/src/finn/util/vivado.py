"""Synthesis of Verilog on its own, to learn its resources and its clock."""

from __future__ import annotations

from typing import Any

from finn.core import hooks


def out_of_context_synth(
    verilog_dir: str,
    top_name: str,
    fpga_part: str = "xczu3eg-sbva484-1-e",
    clk_name: str = "ap_clk_0",
    clk_period_ns: float = 5.0,
) -> dict[str, Any]:
    """Synthesize module `top_name` of the folder verilog_dir for a device, out of any context.

    clk_name: its clock input; clk_period_ns: the period to aim at. Returns resources, WNS (ns) and fmax_mhz.
    HookError if no synthesis flow is installed (`pip install finn`).
    """
    result: dict[str, Any] = hooks.call(
        "out_of_context_synth",
        verilog_dir,
        top_name,
        fpga_part=fpga_part,
        clk_name=clk_name,
        clk_period_ns=clk_period_ns,
    )
    return result
