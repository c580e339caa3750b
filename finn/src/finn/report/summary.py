"""What a build shows at its end: a table of the layers and one line about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finn.dataflow.layer import Layer, Resources

if TYPE_CHECKING:
    from rich.table import Table


COLUMNS = ("layer", "folding", "cycles", "LUT", "BRAM_18K", "DSP")


def layer_rows(layers: Mapping[str, Layer], part: str | None) -> list[tuple[str, ...]]:
    """One row per layer in the order of `COLUMNS`; those of a kind that only joins others share one, at the end."""
    rows = [
        _row(name, _folding(layer), layer.cycles, [layer], part) for name, layer in layers.items() if not layer.joins
    ]
    for kind in dict.fromkeys(type(layer).__name__ for layer in layers.values() if layer.joins):
        group = [layer for layer in layers.values() if type(layer).__name__ == kind]
        rows.append(_row(f"{len(group)} x {kind}", "", max(layer.cycles for layer in group), group, part))
    return rows


def layer_table(layers: Mapping[str, Layer], part: str | None) -> Table:
    """`layer_rows` to be printed by rich. Resources are estimates."""
    from rich.table import Table

    table = Table(title=f"Layers (resources estimated{f' for {part}' if part else ''})", title_justify="left")
    for column in COLUMNS:
        table.add_column(
            column, no_wrap=column == "layer", justify="left" if column in ("layer", "folding") else "right"
        )
    for row in layer_rows(layers, part):
        table.add_row(*row)
    return table


def headline(
    layers: Mapping[str, Layer],
    estimate: Mapping[str, Any],
    clk_ns: float,
    part: str | None,
    reports: Mapping[str, Any],
) -> str:
    """Frames/s, latency, limiting layer, resources, fmax; measured where `reports` have it.

    estimate: content of estimate_network_performance.json. reports: name of a report file without .json -> its content,
    of those that this build made.
    """
    parts = [*_speed(estimate, clk_ns, reports.get("rtlsim_performance")), _resources(layers, part, reports)]
    whole = reports.get("post_synth_resources", {}).get("(top)", {})
    parts.append(_fmax(reports.get("ooc_synth_and_timing", whole if whole.get("fmax_mhz") else None)))
    if "accuracy" in reports:
        accuracy = reports["accuracy"]
        parts.append(f"accuracy {accuracy['accuracy']:.2%} on {accuracy['samples']} samples")
    return "; ".join(parts)


def _row(name: str, folding: str, cycles: int, layers: list[Layer], part: str | None) -> tuple[str, ...]:
    used = [layer.resources(part) for layer in layers]
    figures = (sum(r.LUT for r in used), sum(r.BRAM_18K for r in used), sum(r.DSP for r in used))
    return (name, folding, str(cycles), *(f"{figure:.0f}" for figure in figures))


def _folding(layer: Layer) -> str:
    config = layer.config()
    return " ".join(f"{key}={config[key]}" for key in ("PE", "SIMD") if key in config)


def _speed(estimate: Mapping[str, Any], clk_ns: float, measured: Mapping[str, Any] | None) -> list[str]:
    limit = f"limited by {estimate['max_cycles_node_name']} ({estimate['max_cycles']} cycles/frame)"
    if measured is None:
        fps, latency_ns, how = estimate["estimated_throughput_fps"], estimate["estimated_latency_ns"], "estimated"
    else:
        fps, how = measured["stable_throughput[images/s]"], "measured by RTL simulation"
        latency_ns = measured["latency_cycles"] * clk_ns
    clock = f"at {1e3 / clk_ns:.4g} MHz"
    return [f"{fps:,.0f} frames/s {clock}, latency {latency_ns / 1e3:.4g} us ({how})", limit]


def _resources(layers: Mapping[str, Layer], part: str | None, reports: Mapping[str, Any]) -> str:
    for name in ("post_synth_resources", "ooc_synth_and_timing"):
        if name in reports:
            used = reports[name].get("(top)", reports[name])
            figures = (used["LUT"], used["BRAM_18K"] + 2 * used["BRAM_36K"], used["DSP"], used["URAM"])
            how = "synthesized"
            break
    else:
        total = sum((layer.resources(part) for layer in layers.values()), Resources())
        figures = (total.LUT, total.BRAM_18K, total.DSP, total.URAM)
        how = "estimated"
    lut, bram, dsp, uram = figures
    ultra = f", {uram:.0f} URAM" if uram else ""
    return f"{lut:.0f} LUT, {bram:.0f} BRAM_18K, {dsp:.0f} DSP{ultra} ({how})"


def _fmax(timing: Mapping[str, Any] | None) -> str:
    if timing is None:
        return "fmax not determined"
    if timing["fmax_mhz"] is None:
        return f"fmax unknown: {timing['fmax_reason']}"
    return f"fmax {timing['fmax_mhz']:.1f} MHz"
