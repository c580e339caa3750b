# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Build examples one after the other, check each accelerator on held-out data, and tell all of it in one table.

``python -m finn_examples build NAMES`` and ``build.py`` of each example are this.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from finn.builder.build_dataflow import build_dataflow_cfg, configuration
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType, VerificationStepType
from finn.builder.console import Screen
from finn.core.errors import FinnError
from finn_examples.accuracy import RTL_SAMPLES, HeldOut, on_platforms
from finn_examples.catalogue import Example
from finn_examples.extent import Extent

TABLE_WIDTH = 150
"""Of summary.txt, in characters."""


OUTPUTS = {
    Extent.ESTIMATES: [DataflowOutputType.ESTIMATE_REPORTS],
    Extent.RTL: [DataflowOutputType.STITCHED_IP, DataflowOutputType.RTLSIM_PERFORMANCE],
    Extent.BITSTREAM: [DataflowOutputType.OOC_SYNTH, DataflowOutputType.BITFILE],
}
"""What each extent adds."""


@dataclass(frozen=True)
class Summary:
    """What became of an example. Figures are None as far as it did not come.

    accuracy : on all `samples` of the held-out data. differ : answers on all platforms that are not PyTorch's.
    cycles : per frame, in the steady state. resources : how they are known. seconds : of building and checking.
    """

    name: str
    error: str = ""
    accuracy: float | None = None
    samples: int | None = None
    differ: int | None = None
    cycles: float | None = None
    fps: float | None = None
    LUT: float | None = None
    BRAM_18K: float | None = None
    DSP: float | None = None
    resources: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.error and self.differ == 0


def rebuild(
    chosen: Iterable[Example],
    place: Callable[[Example], Path],
    extent: Extent | None = None,
    rtl_samples: int = RTL_SAMPLES,
) -> tuple[Summary, ...]:
    """Build each example into the directory that `place` tells, as far as its configuration or `extent` says.

    An error ends the build of that example only; it is shown, and in its summary.
    """
    screen, found = Screen(), []
    for example in chosen:
        screen.out.print(f"{example.name}: {example.title}", markup=False)
        start, figures, error = time.perf_counter(), dict[str, Any](), ""
        try:
            cfg = _configured(example, place(example), extent)
            figures |= _built(example, cfg)
            figures |= _checked(example, cfg, rtl_samples)
        except FinnError as problem:
            screen.error(problem, example.name)
            error = problem.what
        found.append(Summary(example.name, error, seconds=time.perf_counter() - start, **figures))
    return tuple(found)


def _built(example: Example, cfg: DataflowBuildConfig) -> dict[str, Any]:
    """Build the example; figures of the summary. Raises BuildFailed."""
    if build_dataflow_cfg(str(example.model), cfg) != 0:
        raise BuildFailed("the build failed", where=cfg.output_dir, remedy="see build_dataflow.log there")
    return _figures(cfg)


def _checked(example: Example, cfg: DataflowBuildConfig, rtl_samples: int) -> dict[str, Any]:
    """The accuracy for the summary. Raises AccuracyError, and as `finn.builder.accelerator.load`."""
    platforms = ("cppsim", "rtlsim") if cfg.needs_hardware() else ("python",)
    results = list(on_platforms(HeldOut(example), platforms, rtl_samples))
    differ = sum(result.differ for result in results)
    return {"accuracy": results[0].accuracy, "samples": results[0].samples, "differ": differ}


class BuildFailed(FinnError):
    """A build ended with an error, which it has shown."""


def _configured(example: Example, output: Path, extent: Extent | None) -> DataflowBuildConfig:
    """The configuration of the example; its held-out data are checked behind the build, so not within it."""
    cfg = configuration(example.directory).model_copy(update={"output_dir": str(output), "validation_dataset": None})
    if extent is None:
        return cfg
    extents = list(OUTPUTS)
    outputs = [output for each in extents[: extents.index(extent) + 1] for output in OUTPUTS[each]]
    hardware = (VerificationStepType.NODE_BY_NODE_RTLSIM, VerificationStepType.STITCHED_IP_RTLSIM)
    steps = [s for s in cfg.verify_steps or [] if extent is not Extent.ESTIMATES or s not in hardware]
    return cfg.model_copy(update={"generate_outputs": outputs, "verify_steps": steps})


def _figures(cfg: DataflowBuildConfig) -> dict[str, Any]:
    """Cycles, speed and resources, from the best of the reports that this build was asked for."""
    reports = {output: _report(cfg, file) for output, file in REPORTS.items() if cfg.asks_for(output)}
    kinds, figures = DataflowOutputType, {}
    if kinds.ESTIMATE_REPORTS in reports:
        whole = reports[kinds.ESTIMATE_REPORTS]
        figures = {"cycles": whole["max_cycles"], "fps": whole["estimated_throughput_fps"]}
        figures |= _resources(_report(cfg, "estimate_layer_resources")["total"], "estimated, no FIFOs")
    if kinds.RTLSIM_PERFORMANCE in reports:
        whole = reports[kinds.RTLSIM_PERFORMANCE]
        figures |= {"cycles": whole["interval_cycles"], "fps": whole["stable_throughput[images/s]"]}
    if kinds.OOC_SYNTH in reports:
        figures |= _resources(reports[kinds.OOC_SYNTH], "synthesized")
    return figures


REPORTS = {
    DataflowOutputType.ESTIMATE_REPORTS: "estimate_network_performance",
    DataflowOutputType.RTLSIM_PERFORMANCE: "rtlsim_performance",
    DataflowOutputType.OOC_SYNTH: "ooc_synth_and_timing",
}


def _report(cfg: DataflowBuildConfig, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(cfg.path("report", f"{name}.json").read_text(encoding="utf-8"))
    return content


def _resources(used: Mapping[str, Any], how: str) -> dict[str, Any]:
    blocks = used["BRAM_18K"] + 2 * used.get("BRAM_36K", 0)
    return {"LUT": used["LUT"], "BRAM_18K": blocks, "DSP": used["DSP"], "resources": how}


# ------------------------------------------------------------------------------------------------------------ as files


def table(found: Iterable[Summary]) -> Table:
    """The summaries, to be printed by rich."""
    shown = Table(title="Examples", title_justify="left")
    shown.add_column("example", no_wrap=True)
    headings = ("accuracy", "samples", "differ", "cycles/frame", "frames/s", "LUT", "BRAM_18K", "DSP", "seconds")
    for heading in headings:
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for each in found:
        accuracy = "" if each.accuracy is None else f"{each.accuracy:.1%}"
        counts = (each.samples, each.differ, each.cycles, each.fps, each.LUT, each.BRAM_18K, each.DSP, each.seconds)
        figures = ("" if count is None else f"{count:,.0f}" for count in counts)
        shown.add_row(each.name, accuracy, *figures, each.error or each.resources)
    return shown


def write(found: Iterable[Summary], directory: Path) -> None:
    """Write summary.txt and summary.json to `directory`, and show the table."""
    found = tuple(found)
    text = io.StringIO()
    Console(file=text, width=TABLE_WIDTH).print(table(found))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "summary.txt").write_text(text.getvalue(), encoding="utf-8")
    content = json.dumps([asdict(each) for each in found], indent=2)
    (directory / "summary.json").write_text(f"{content}\n", encoding="utf-8")
    Screen().out.print(text.getvalue(), markup=False, end="")


def build_here(script: str) -> int:
    """Build the example beside `script` into output/ there, with summary.txt and summary.json. 0 if all went well."""
    example = Example(Path(script).resolve().parent)
    output = example.directory / "output"
    found = rebuild([example], lambda _: output)
    write(found, output)
    return 0 if all(each.good for each in found) else 1
