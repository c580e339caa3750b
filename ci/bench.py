# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure what users wait for, on the example tfc_w1a1; `make bench` prints one line per figure.

A fresh cache is used, so that the first simulator is compiled and the second one is found. Figures are of one core; run
it on a quiet machine.
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

import finn_examples
from finn.core.modelwrapper import ModelWrapper
from finn.rtl.sim import Simulator
from finn.rtl.stitch import stitch

SIMULATED_FRAMES = 5000

figures: list[str] = []
"""The lines to print, when the builds have said what they have to say."""


@contextmanager
def measured(what: str, units: int | None = None, unit: str = "") -> Iterator[None]:
    """Note how long the block took, or how many units per second it did."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    figures.append(f"{what:44s} {seconds:8.2f} s" if units is None else f"{what:44s} {units / seconds:8.0f} {unit}/s")


def build(directory: Path, *outputs: str) -> None:
    """Run `finn build` on the example in ``directory``, for these products alone, in a process of its own."""
    config = directory / "dataflow_build_config.json"
    changes = {"generate_outputs": outputs, "verify_steps": [], "validation_dataset": None}
    asked = json.loads(config.read_text()) | changes
    config.write_text(json.dumps(asked))
    code = "from finn.builder.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "build", str(directory)], check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        os.environ["FINN_CACHE_DIR"] = f"{work}/cache"
        directory = finn_examples.example("tfc_w1a1").copy_to(Path(work) / "build")
        with measured("estimate reports"):
            build(directory, "estimate_reports")
        with measured("stitched IP, FIFO depths by simulation"):
            build(directory, "stitched_ip")
        design = stitch(ModelWrapper(str(directory / "output/intermediate_models/step_create_stitched_ip.onnx")))
        os.environ["FINN_CACHE_DIR"] = f"{work}/empty"
        with measured("simulator, compiled"), Simulator(design):
            pass
        with measured("simulator, from the cache"):
            simulator = Simulator(design)
        pixels, _ = finn_examples.example("tfc_w1a1").test_set()
        shape = design.inputs[0].stream.shape
        x = pixels.reshape(-1, *shape[1:])[:1000].repeat(SIMULATED_FRAMES // 1000, axis=0).astype("int64")
        with simulator, measured("RTL simulation", len(x), "frames"):
            simulator.run(x)
    print(*figures, sep="\n")


if __name__ == "__main__":
    main()
