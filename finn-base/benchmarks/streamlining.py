# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""CPU time and memory of streamlining: `python streamlining.py`; the goals stand beside the figures.

Each network runs in a process of its own. The first call is what a user waits for: it loads what is loaded
late. The next one is the least of several. Memory is the peak above what the process holds when the model is
loaded and cleaned up; it is measured on Linux only. The last line is a network with more and more residual blocks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import models
from scaling import exponent

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.streamline import streamline
from finn.util.cleanup import cleanup_model

PROCESS = Path("/proc/self")
RESET_PEAK = PROCESS / "clear_refs"
"""Writing 5 to it resets VmHWM, see proc(5)."""
REPEATS = 2
MIB = 2**20
BLOCKS = (10, 20, 50, 100, 200)
SECONDS = {"TFC": 0.2, "CNV": 1.0, "ResNet-50": 20.0}
MEMORY = {"ResNet-50": 3.0}
"""Goals: CPU seconds of streamlining, and its memory as a multiple of the file. One large layer makes that of CNV."""


@dataclass(frozen=True)
class Figures:
    """CPU seconds; MiB of the file and, above the loaded model, of the peak; nodes before, and those left as floats."""

    nodes: int
    host: int
    first: float
    again: float
    size: float
    peak: float | None


def loaded(data: bytes) -> ModelWrapper:
    return cleanup_model(ModelWrapper(data))


def held(key: str) -> float:
    """MiB of this process; VmHWM is the peak since the last reset."""
    lines = (PROCESS / "status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def seconds(model: ModelWrapper) -> float:
    """CPU seconds to streamline it, in place."""
    start = time.process_time()
    streamline(model)
    return time.process_time() - start


def measured(name: str) -> Figures:
    """Streamline a network, first for time and memory, then again for time alone."""
    data = models.STREAMLINED[name]().SerializeToString()
    model = loaded(data)
    nodes, before = len(model.graph.node), None
    if RESET_PEAK.exists():
        RESET_PEAK.write_text("5")
        before = held("VmRSS")
    start = time.process_time()
    report = streamline(model)
    first = time.process_time() - start
    peak = None if before is None else held("VmHWM") - before
    again = min(seconds(loaded(data)) for _ in range(REPEATS))
    return Figures(nodes, len(report.host), first, again, len(data) / MIB, peak)


def in_own_process(name: str) -> Figures:
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).resolve().parent)}
    command = [sys.executable, str(Path(__file__).resolve()), "--only", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def line(name: str, f: Figures) -> str:
    memory = "-" if f.peak is None else f"{f.peak:.1f} MiB"
    if f.peak is not None and name in MEMORY:
        memory += f" = {f.peak / f.size:.2f} x file (< {MEMORY[name]:g})"
    times = f"{f.first:10.2f} {f.again:10.2f} {f'< {SECONDS[name]:g}':>8s}"
    return f"{name:10s}{f.nodes:7d}{f.host:6d}{times}{f.size:10.1f} MiB  {memory}"


def scaling(blocks: tuple[int, ...]) -> str:
    """CPU seconds against the number of residual blocks."""
    nodes, times = [], []
    for count in blocks:
        data = models.residual(count).SerializeToString()
        nodes.append(len(loaded(data).graph.node))
        times.append(min(seconds(loaded(data)) for _ in range(REPEATS)))
    points = ", ".join(f"{n} nodes {t:.2f} s" for n, t in zip(nodes, times, strict=True))
    return f"{points}: exponent {exponent(nodes, times):.2f} (goal 1)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=models.STREAMLINED, help="measure this network here and print JSON")
    parser.add_argument("--most", type=int, default=BLOCKS[-1], help="the most residual blocks")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(asdict(measured(arguments.only))))
        return
    times = f"{'first s':>10s} {'again s':>10s} {'goal':>8s}"
    print(f"{'streamline':10s}{'nodes':>7s}{'host':>6s}{times}{'file':>14s}  memory")
    for name in models.STREAMLINED:
        print(line(name, in_own_process(name)), flush=True)
    print(scaling(tuple(count for count in BLOCKS if count <= arguments.most)))


if __name__ == "__main__":
    main()
