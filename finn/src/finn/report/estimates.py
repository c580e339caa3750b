"""The reports that need no simulation and no synthesis, with FINN's keys, from what `finn.dataflow.analysis` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finn.dataflow.layer import Layer, Resources

Figures = dict[str, int | float]
SUMMED = ("BRAM_18K", "LUT", "URAM", "DSP")


def layer_resources(found: Mapping[str, Resources]) -> dict[str, Figures]:
    """estimate_layer_resources.json: resources of each layer, and their sum without the efficiencies."""
    report = {name: _figures(resources) for name, resources in found.items()}
    return {**report, "total": {kind: sum(figures[kind] for figures in report.values()) for kind in SUMMED}}


def layer_config_alternatives(layers: Mapping[str, Layer], part: str | None) -> dict[str, list[Figures]]:
    """estimate_layer_config_alternatives.json: resources of each way to build a layer."""
    return {name: [_figures(way) for way in layer.alternatives(part)] for name, layer in layers.items()}


def network_performance(found: Mapping[str, int | float | str], clk_ns: float) -> dict[str, int | float | str]:
    """estimate_network_performance.json.

    found: critical_path_cycles, the latency of a lone frame; max_cycles and max_cycles_node_name, the slowest layer;
    interval_cycles, the frame interval.
    """
    max_cycles, latency_cycles = int(found["max_cycles"]), int(found["critical_path_cycles"])
    return {
        "critical_path_cycles": latency_cycles,
        "max_cycles": max_cycles,
        "max_cycles_node_name": found["max_cycles_node_name"],
        "estimated_throughput_fps": 1e9 / (clk_ns * float(found["interval_cycles"])),
        "estimated_latency_ns": latency_cycles * clk_ns,
    }


def _figures(resources: Resources) -> Figures:
    """In the order in which FINN writes them."""
    order = ("BRAM_18K", "BRAM_efficiency", "LUT", "URAM", "URAM_efficiency", "DSP")
    values = asdict(resources)
    return {kind: values[kind] for kind in order}
