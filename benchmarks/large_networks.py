# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure what large networks take from the ONNX file to sized FIFOs, and CNV as RTL; `make bench` prints the figures.

ResNet-50 and MobileNet-v1 have 224 x 224 pixels; weights and thresholds are random, which changes neither shapes nor
schedules. All steps of a build up to the FIFOs are measured, each in seconds by the wall; CPU seconds are those of the
whole build. Of CNV, frames run through the stitched RTL, too, and their outputs are compared with NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import models
import numpy as np
import onnx
from speed import cpu

from finn.builder.build_dataflow import build_dataflow_cfg
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.builder.simulation import random_frames
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import evaluate
from finn.rtl.sim import Simulator
from finn.rtl.stitch import stitch

FPS = {"CNV": 3000, "MobileNet-v1": 100, "ResNet-50": 30}
"""What the networks are folded for, at 200 MHz."""
GOALS = {"CNV": (10.0, None), "MobileNet-v1": (60.0, 120.0), "ResNet-50": (60.0, 120.0)}
"""Seconds of sizing the FIFOs, and CPU seconds of everything."""
LAST = "step_set_fifo_depths"


def build(name: str, work: Path) -> ModelWrapper:
    """Build up to the FIFOs, with estimate reports; print the seconds of each step."""
    source = work / f"{name}.onnx"
    onnx.save(models.STREAMLINED.get(name, models.NETWORKS[name])(), source)
    config = DataflowBuildConfig(
        output_dir=str(work / name),
        synth_clk_period_ns=5.0,
        target_fps=FPS[name],
        fpga_part="xcu250-figd2104-2L-e",
        generate_outputs=[DataflowOutputType.ESTIMATE_REPORTS, DataflowOutputType.STITCHED_IP],
        stop_step=LAST,
        save_intermediate_models=True,
    )
    before = cpu()
    if build_dataflow_cfg(str(source), config):
        raise SystemExit(f"{name}: the build failed; its log is above")
    spent = cpu() - before
    seconds = json.loads((work / name / "time_per_step.json").read_text())
    report = json.loads((work / name / "report" / "fifo_sizing.json").read_text())
    fifo_goal, goal = GOALS[name]
    print(
        f"{name}: {spent:.1f} s CPU{f' (goal {goal:g})' if goal else ''}; FIFOs {seconds[LAST]:.1f} s ({fifo_goal:g})"
    )
    print(*(f"    {step:36s} {value:6.1f} s" for step, value in seconds.items() if value >= 0.05), sep="\n")
    print(f"    { ({k: v for k, v in report.items() if isinstance(v, int | float)}) }")
    if seconds[LAST] > fifo_goal or spent > (goal or spent):
        raise SystemExit(f"{name}: slower than the goal")
    return ModelWrapper(str(work / name / "intermediate_models" / f"{LAST}.onnx"))


def simulate(model: ModelWrapper, frames: int) -> None:
    """Print how fast the stitched RTL of a network runs, and what a frame costs."""
    design = stitch(model)
    start, before = time.perf_counter(), cpu()
    with Simulator(design) as simulator:
        print(f"    simulator compiled in {time.perf_counter() - start:.1f} s, {cpu() - before:.1f} s CPU")
        inputs = random_frames(design, frames)
        before = cpu()
        result = simulator.run(*inputs)
        spent = cpu() - before
    expected = evaluate(model, *inputs)
    if not all(np.array_equal(y, expected[t.name]) for y, t in zip(result.outputs, model.graph.output, strict=True)):
        raise SystemExit("the RTL gives something else than NumPy")
    print(
        f"    RTL: {result.cycles / spent:,.0f} cycles/s, {spent / frames:.2f} s CPU per frame; "
        f"interval {result.interval_cycles:g}, latency {result.latency_cycles} cycles; equal to NumPy"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(FPS), help=f"of {', '.join(FPS)}; all by default")
    parser.add_argument("--frames", type=int, default=4, help="frames that run through the RTL of CNV")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        os.environ["FINN_CACHE_DIR"] = f"{work}/cache"
        for name in arguments.networks:
            model = build(name, Path(work))
            if name == "CNV":
                simulate(model, arguments.frames)


if __name__ == "__main__":
    main()
