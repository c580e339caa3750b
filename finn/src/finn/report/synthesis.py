"""The reports of synthesis and of place and route, with FINN's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finn.synth import OocResult


def ooc_synth_and_timing(result: OocResult, clk_ns: float, cycles: int) -> dict[str, object]:
    """ooc_synth_and_timing.json. cycles: clock cycles per frame.

    fmax_mhz is that of nextpnr; for parts without open place and route it is null, and fmax_reason says why. WNS and
    Delay, in ns, and estimated_throughput_fps follow from it. There is no Vivado project, so that its key is null.
    """
    used = result.synthesis.resources
    report: dict[str, object] = {"vivado_proj_folder": None, "part": result.synthesis.part.name}
    report |= {kind: used.get(kind, 0) for kind in ("LUT", "FF", "DSP")}
    report["BRAM"] = used.get("BRAM_36K", 0) + used.get("BRAM_18K", 0) / 2
    report |= {kind: used.get(kind, 0) for kind in ("BRAM_18K", "BRAM_36K", "URAM", "Carry")}
    if result.pnr is None:
        unknown = ("WNS", "Delay", "fmax_mhz", "estimated_throughput_fps")
        return report | dict.fromkeys(unknown) | {"fmax_reason": result.no_timing}
    fmax_mhz = result.pnr.fmax_mhz
    return report | {
        "WNS": clk_ns - 1e3 / fmax_mhz,
        "Delay": 1e3 / fmax_mhz,
        "fmax_mhz": fmax_mhz,
        "estimated_throughput_fps": fmax_mhz * 1e6 / cycles,
    }


def post_synth_resources(result: OocResult) -> dict[str, dict[str, object]]:
    """post_synth_resources.json: the whole design as "(top)", with its fmax_mhz, then each layer."""
    used, fmax = result.synthesis, None if result.pnr is None else result.pnr.fmax_mhz
    layers = {name: _by_kind(kinds) for name, kinds in used.per_instance.items() if name != "(top)"}
    return {"(top)": {**_by_kind(used.resources), "fmax_mhz": fmax}, **layers}


def _by_kind(used: Mapping[str, int]) -> dict[str, object]:
    return {kind: used.get(kind, 0) for kind in ("LUT", "SRL", "FF", "BRAM_36K", "BRAM_18K", "URAM", "DSP")}
