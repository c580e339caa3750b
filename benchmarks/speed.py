# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure what users wait for, on the example tfc_w1a1_mnist; `make bench` prints one line per figure.

A fresh cache is used, so that the first simulator is compiled and the second one is found. CPU seconds include child
processes; frames per second are per CPU second of one core. Run it on a quiet machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import finn_examples
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.folding import set_folding
from finn.rtl.sim import Simulator
from finn.rtl.stitch import stitch

figures: list[str] = []
"""The lines to print, when the builds have said what they have to say."""


def cpu() -> float:
    """CPU seconds of this process and its children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Note how long the block took."""
    wall, before = time.perf_counter(), cpu()
    yield
    figures.append(f"{what:46s} {time.perf_counter() - wall:8.2f} s wall {cpu() - before:8.2f} s CPU")


def build(directory: Path, *outputs: str) -> None:
    """Run `finn build` on the example in ``directory``, for these products alone, in a process of its own."""
    config = directory / "dataflow_build_config.json"
    changes = {"generate_outputs": outputs, "verify_steps": [], "validation_dataset": None}
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    code = "from finn.builder.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "build", str(directory)], check=True)


def simulate(model: ModelWrapper, what: str, frames: int) -> None:
    """Note what it takes to compile, to start from the cache and to run the simulator of a dataflow graph."""
    design = stitch(model)
    with measured(f"{what}: simulator, compiled"), Simulator(design):
        pass
    with measured(f"{what}: simulator, from the cache"):
        simulator = Simulator(design)
    stream = design.inputs[0].stream
    low, high = int(stream.dtype.min()), int(stream.dtype.max())
    x = np.random.default_rng(0).integers(low, high + 1, (frames, *stream.shape[1:]))
    with simulator:
        before = cpu()
        result = simulator.run(x)
        speed = frames / (cpu() - before)
    figures.append(f"{what}: RTL simulation {speed:,.0f} frames/s, {result.interval_cycles:g} cycles/frame")


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        os.environ["FINN_CACHE_DIR"] = f"{work}/cache"
        directory = finn_examples.example("tfc_w1a1_mnist").copy_to(Path(work) / "build")
        with measured("estimate reports"):
            build(directory, "estimate_reports")
        with measured("stitched IP, FIFO depths by simulation"):
            build(directory, "stitched_ip")
        steps = directory / "output/intermediate_models"
        os.environ["FINN_CACHE_DIR"] = f"{work}/empty"
        simulate(ModelWrapper(str(steps / "step_create_stitched_ip.onnx")), "medium folding", 20_000)
        unfolded = ModelWrapper(str(steps / "step_create_dataflow_partition.onnx"))
        set_folding(unfolded, 1)
        insert_width_converters(unfolded)
        simulate(unfolded, "fully unfolded", 40_000)
    print(*figures, sep="\n")


if __name__ == "__main__":
    main()
