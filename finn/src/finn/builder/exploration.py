"""The command `finn pareto`: what speed costs, as a table, as JSON, as a plot and as folding configurations."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from finn.builder import admission, products
from finn.builder.build_dataflow import configuration
from finn.builder.build_dataflow_config import DataflowBuildConfig, default_build_dataflow_steps
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.builder.errors import BuildError, foreseen
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.candidates import KINDS
from finn.dataflow.graph import instances, is_layer, is_reshape
from finn.dataflow.optimizer import Limits
from finn.dataflow.pareto import Point, pareto
from finn.synth.boards import part as part_named

DEFAULT_CLOCK_NS = 10.0

DECADE = 10
"""Where the most is more than this times the least, a logarithmic scale shows both."""

NEAR = 2
"""What the part has is drawn if it is at most this times the most; else the designs would be a line at the edge."""

LAST_STEP = "step_create_dataflow_partition"
TO_LAYERS = default_build_dataflow_steps[: default_build_dataflow_steps.index(LAST_STEP) + 1]
"""The steps of a build that lead to a graph of layers."""


@dataclass(frozen=True)
class Sweep:
    """What was found, for a part (None: AMD's fabric, of any size) and a clock period.

    capacity : of the part, by kind of resource; empty if nobody knows.
    """

    part: str | None
    clock_ns: float
    capacity: Mapping[str, int]
    points: Sequence[Point]

    def fps(self, point: Point) -> float:
        """Frames per second."""
        return 1e9 / (self.clock_ns * point.cycles)

    def fits(self, point: Point) -> bool | None:
        """Whether the layers alone fit into the part; None if nobody knows."""
        if not self.capacity:
            return None
        return all(getattr(point.resources, kind) <= self.capacity[kind] for kind in KINDS)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: part, clock_ns, capacity {kind: number}, and points, the fastest first.

        Of each: cycles per frame, fps, limiting_layer, estimates of LUT, BRAM_18K, URAM, DSP and area without FIFOs,
        converters (their number), fits (null if nobody knows), folding_config (for `folding_config_file`).
        """
        points = [
            {
                "cycles": p.cycles,
                "fps": round(self.fps(p), 3),
                "limiting_layer": p.limiting_layer,
                **{kind: getattr(p.resources, kind) for kind in KINDS},
                "area": p.resources.area,
                "converters": p.converters,
                "fits": self.fits(p),
                "folding_config": p.config(),
            }
            for p in self.points
        ]
        return {"part": self.part, "clock_ns": self.clock_ns, "capacity": dict(self.capacity), "points": points}


def sweep(
    path: Path,
    part: str | None = None,
    clock_ns: float | None = None,
    points: int = 20,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Sweep:
    """Of an ONNX file with a network or with layers, or of a build directory.

    What is not given is as the build directory's configuration has it; of a file, for no part and 10 ns. Nothing is
    written. Raises FinnError if the network cannot become layers.
    """
    with foreseen("this is a mistake in the compiler: report it with the model"):
        if path.is_dir():
            cfg = configuration(path)
            path = path / "model.onnx"
        else:
            clock = DEFAULT_CLOCK_NS
            cfg = DataflowBuildConfig(output_dir=".", synth_clk_period_ns=clock, generate_outputs=[])
        part, clock_ns = part or cfg.part(), clock_ns or cfg.synth_clk_period_ns
        capacity = {} if part is None else {k: v for k, v in part_named(part).capacity.items() if k in KINDS}
        model = _layers(ModelWrapper(str(path)), cfg)
        found = pareto(instances(model), part, points, Limits(cfg.mvau_wwidth_max), told)
    return Sweep(part, clock_ns, capacity, found)


def _layers(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    if all(is_layer(node) or is_reshape(node) for node in model.graph.node):
        return model
    admission.check(model)
    with tempfile.TemporaryDirectory() as place:
        quiet = cfg.model_copy(update={"output_dir": place, "verify_steps": [], "validation_dataset": None})
        for step in TO_LAYERS:
            model = build_dataflow_step_lookup[step](model, quiet)
    return model


def show(found: Sweep) -> None:
    """A table on the terminal, with the kinds of resources that are used."""
    kinds = _used(found)
    table = Table()
    for name in ("cycles/frame", "frames/s", *kinds, "converters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limited by", overflow="fold")  # a name that is cut off cannot be looked up
    for p in found.points:
        numbers = (str(p.cycles), f"{found.fps(p):.0f}", *(_share(found, p, kind) for kind in kinds))
        style = "red" if found.fits(p) is False else ""
        table.add_row(*numbers, str(p.converters), p.limiting_layer, style=style)
    Console(highlight=False).print(table)


def _used(found: Sweep) -> list[str]:
    return [kind for kind in KINDS if any(getattr(p.resources, kind) for p in found.points)]


def _share(found: Sweep, point: Point, kind: str) -> str:
    used, have = getattr(point.resources, kind), found.capacity.get(kind, 0)
    return f"{used} ({100 * used / have:.0f} %)" if have else str(used)


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def save(found: Sweep, place: Path, plot: bool) -> None:
    """Write pareto.json, foldings/<cycles>.json for `folding_config_file`, and pareto.svg if asked for, to `place`.

    BuildError if something cannot be written, or if there is no matplotlib for the plot; then the others are there.
    """
    with foreseen("give another directory"):
        products.write_json(place / "pareto.json", found.to_dict())
        with products.directory(place / "foldings") as inside:
            for point in found.points:
                products.write_json(inside / f"{point.cycles}.json", point.config())
        if plot:
            figure = _drawn(found, _matplotlib())
            with products.file(place / "pareto.svg") as partial:
                figure.savefig(partial, format="svg", metadata={"Date": None})


def _matplotlib() -> ModuleType:
    """Without a display, and with the same bytes for the same plot."""
    if not can_plot():
        raise BuildError(
            "the plot needs matplotlib, which is not installed", remedy="pip install 'finn[plot]', or give --no-plot"
        )
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "finn"
    return importlib.import_module("matplotlib.pyplot")


def _drawn(found: Sweep, pyplot: ModuleType) -> Any:
    """Frames per second over each kind of resource that is used; a dashed line is what the part has."""
    kinds = _used(found)
    figure, rows = pyplot.subplots(1, len(kinds), sharey=True, squeeze=False, figsize=(max(6, 4 * len(kinds)), 4))
    for axes, kind in zip(rows[0], kinds, strict=True):
        used = [getattr(p.resources, kind) for p in found.points]
        axes.plot(used, [found.fps(p) for p in found.points], marker="o")
        have = found.capacity.get(kind, 0)
        if 0 < have <= NEAR * max(used):
            axes.axvline(have, linestyle="--", color="gray")
        axes.set(xlabel=f"{kind} of {have}" if have else kind, yscale="log")
        if min(used) > 0 and max(used) > DECADE * min(used):
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.grid(True, which="both", alpha=0.3)
    ticker = importlib.import_module("matplotlib.ticker")
    rows[0][0].yaxis.set_minor_formatter(ticker.LogFormatterSciNotation(minor_thresholds=(2, 0.5)))
    rows[0][0].set_ylabel(f"frames/s at {found.clock_ns:g} ns")
    figure.suptitle(f"Estimates without FIFOs, {found.part or 'no part'}")
    figure.tight_layout()
    return figure
