# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure C++ simulation, untimed and cycle by cycle, beside NumPy and RTL; `make bench` prints the figures.

CNV-W1A1 is one of the published models ($FINN_SHARED/models); without it, it is left out. One convolution is compared
with the same in packed words, as C++ for HLS is often written: against our own ap_int.h, and against that in
$FINN_AP_TYPES if this names a folder with the vendor's headers. Frames per second are of one core: CPU seconds.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from speed import cpu

import finn_examples
from finn.builder.simulation import random_frames
from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import insert_fifos, insert_width_converters, size_fifos
from finn.dataflow.folding import set_folding
from finn.dataflow.graph import Instance, evaluate, make_graph
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.lowering import lower
from finn.dataflow.native import shared_object
from finn.dataflow.partition import create_dataflow_partition
from finn.hls import CppSimulator
from finn.rtl import Simulator, stitch
from finn.transformation.streamline import streamline
from finn.util.cleanup import cleanup_model
from finn_hlslib import sim_dir

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("FINN_SHARED", ROOT.parent / "shared"))
CNV = SHARED / "models" / "bnnpynq_cnv_w1a1_cifar10.onnx"
COMPILED = 60.0
"""CPU seconds in which CNV shall be compiled."""
CYCLES = 5e6
"""Cycles per second that CNV shall make on one core."""
UINT2, INT2 = DataType["UINT2"], DataType["INT2"]


def rate(count: float, run: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """`count` things per second, in the faster of two runs."""
    seconds = []
    for _ in range(2):
        start = clock()
        run()
        seconds.append(clock() - start)
    return count / min(seconds)


def folded(path: Path, cycles: int) -> ModelWrapper:
    """The layers of a network, with FIFOs, folded for so many cycles per frame."""
    model = cleanup_model(ModelWrapper(str(path)))
    streamline(model)
    lower(model)
    layers = create_dataflow_partition(model).dataflow
    set_folding(layers, cycles)
    insert_width_converters(layers)
    insert_fifos(layers, size_fifos(layers).depths)
    return layers


def measure(name: str, path: Path, cycles: int, frames: int) -> tuple[float, float]:
    """CPU seconds that compilation takes, and cycles per second."""
    model = folded(path, cycles)
    design = stitch(model)
    inputs = random_frames(design, frames)
    few = [x[:4] for x in inputs]
    before = cpu()
    simulator = CppSimulator(model)
    compiled = cpu() - before
    expected = evaluate(model, *few)
    stepped = simulator.run_cycles(*inputs)
    if not all(
        np.array_equal(y[:4], expected[t.name]) for y, t in zip(stepped.outputs, model.graph.output, strict=True)
    ):
        raise SystemExit(f"{name}: C++ gives something else than NumPy")
    threads = len(os.sched_getaffinity(0))
    speed = rate(stepped.cycles, lambda: simulator.run_cycles(*inputs))
    print(f"{name}: {len(design.instances)} layers, {stepped.times.interval:g} cycles per frame, equal to NumPy")
    print(f"    C++ compiled in {compiled:.1f} s CPU")
    print(f"    C++: {rate(frames, lambda: simulator.run(*inputs, threads=1)):,.0f} frames/s; ", end="")
    print(f"{rate(frames, lambda: simulator.run(*inputs), time.perf_counter):,.0f} by the wall on {threads} threads")
    print(f"    C++, cycle by cycle: {speed / 1e6:.1f} M cycles/s, {speed / stepped.cycles * frames:,.0f} frames/s")
    print(f"    NumPy: {rate(4, lambda: evaluate(model, *few)):,.1f} frames/s")
    before = cpu()
    with Simulator(design) as rtl:
        built = cpu() - before
        measured = rtl.run(*few)
        speed_rtl = rate(measured.cycles, lambda: rtl.run(*few))
    print(f"    RTL: {speed_rtl / 1e6:.3f} M cycles/s, {speed_rtl / measured.cycles * 4:,.1f} frames/s", end="")
    print(f"; compiled in {built:.1f} s CPU")
    times = simulator.run_cycles(*few).times
    if (times.latency, times.interval) != (measured.latency_cycles, measured.interval_cycles):
        raise SystemExit(f"{name}: C++ takes {times.latency}, {times.interval} cycles, RTL others")
    return compiled, speed


# One convolution, in lanes and in packed words


def convolution(frames: int) -> None:
    """The second of CNV: 30 x 30 x 64 -> 28 x 28 x 64, kernel 3 x 3, with 2 bits, 32 inputs and outputs per cycle."""
    rng = np.random.default_rng(0)
    thresholds = np.sort(rng.integers(-100, 100, (64, 3)), axis=1)
    x = rng.integers(0, 4, (frames, 30, 30, 64))
    window = ConvolutionInputGenerator((1, 30, 30, 64), UINT2, (3, 3), (1, 1), (1, 1), SIMD=32)
    matrix = rng.integers(-2, 2, (576, 64))
    unit = MVAU((1, 28, 28, 576), UINT2, matrix, INT2, UINT2, thresholds, SIMD=32, PE=32)
    simulator = CppSimulator(
        make_graph([Instance("window", window, ("x",), ("w",)), Instance("mvau", unit, ("w",), ("y",))])
    )
    (y,) = simulator.run(x)
    lanes = rate(frames, lambda: simulator.run(x, threads=1))
    print(f"30 x 30 x 64 -> 28 x 28 x 64, 3 x 3, 2 bits, 32 x 32: {lanes:,.0f} frames/s")
    tiles = matrix.reshape(18, 32, 2, 32).transpose(2, 0, 3, 1)  # output folds, input folds, outputs, inputs
    types = {"our ap_int.h": sim_dir()}
    if chosen := os.environ.get("FINN_AP_TYPES"):
        types[f"ap_int.h of {chosen}"] = Path(chosen)
    for name, folder in types.items():
        packed, found = packed_words(folder, x[:2], tiles, thresholds)
        if not np.array_equal(found, y[:2]):
            raise SystemExit(f"packed words with {name} give something else")
        print(f"    in packed words, {name}: {packed:,.2f} frames/s, {lanes / packed:,.0f} times slower")


def packed_words(folder: Path, x: np.ndarray, tiles: np.ndarray, thresholds: np.ndarray) -> tuple[float, np.ndarray]:
    """Frames per second, and the outputs."""
    source = Path(__file__).with_name("packed_words.cpp")
    library = ctypes.CDLL(str(shared_object(source, ("-std=c++14", "-O3", "-w", f"-I{folder}"))))
    library.convolution.restype = ctypes.c_double
    y = np.zeros((len(x), 28, 28, 64), np.int8)
    arrays = [np.ascontiguousarray(a, d) for a, d in ((x, np.int8), (tiles, np.int8), (thresholds, np.int16))]
    places = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays, y)]
    seconds = min(library.convolution(*places, ctypes.c_int64(len(x))) for _ in range(2))
    return len(x) / seconds, y


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        os.environ["FINN_CACHE_DIR"] = work
        if CNV.is_file():
            compiled, speed = measure("CNV-W1A1", CNV, 32768, 64)
            if compiled > COMPILED or speed < CYCLES:
                raise SystemExit(f"slower than the goal of {COMPILED:g} s CPU and {CYCLES / 1e6:g} M cycles/s")
        else:
            print(f"CNV-W1A1: no {CNV}; set FINN_SHARED")
        measure("ResNet-8, 4 bits", finn_examples.example("resnet8_w4a4_digits").model, 4608, 256)
        convolution(64)


if __name__ == "__main__":
    main()
