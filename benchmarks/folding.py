# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure the search for foldings on the layers of ResNet-50 and MobileNet-v1 (224 x 224 pixels, 4 bits).

`python benchmarks/folding.py` prints one line per figure. CPU seconds include making the candidates.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from finn.core.datatype import DataType
from finn.dataflow.graph import Instance
from finn.dataflow.layer import Layer, Resources
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.optimizer import FoldingProblem
from finn.dataflow.search import cheapest, fastest_within

X, W = DataType["UINT4"], DataType["INT4"]
PART = "xcu250"
DEVICE = Resources(LUT=1728000, BRAM_18K=5376, URAM=1280, DSP=12288)
"""Alveo U250 (AMD DS962)."""

T = TypeVar("T")


@dataclass
class Network:
    """Layers as they are added; the last tensor has the shape `shape`."""

    shape: tuple[int, ...]
    placed: list[Instance] = field(default_factory=list)
    last: str = "input"
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, layer: Layer, *inputs: str) -> tuple[str, ...]:
        name = f"{type(layer).__name__}_{len(self.placed)}"
        outputs = tuple(f"{name}_out{k}" for k in range(len(layer.outputs)))
        self.placed.append(Instance(name, layer, inputs or (self.last,), outputs))
        self.last, self.shape = outputs[0], layer.outputs[0].shape
        return outputs

    def convolution(self, channels: int, kernel: int, stride: int = 1, depthwise: bool = False) -> None:
        """With padding and 15 thresholds per channel."""
        if kernel > 1:
            self.add(FMPadding(self.shape, X, (kernel // 2,) * 4))
        if kernel > 1 or stride > 1:
            window = ((kernel,) * 2, (stride,) * 2, (1, 1))
            self.add(ConvolutionInputGenerator(self.shape, X, *window, depthwise=int(depthwise)))
        steps = np.sort(self.rng.integers(-1000, 1000, (channels, 15)), axis=1)
        unit, rows = (VVAU, kernel**2) if depthwise else (MVAU, self.shape[-1])
        self.add(unit(self.shape, X, self.rng.integers(-8, 8, (rows, channels)), W, X, steps))

    def bottleneck(self, channels: int, stride: int) -> None:
        """A branch of three convolutions, and the input or a projection of it; their sum gets thresholds."""
        shape = self.shape
        _, right = self.add(DuplicateStreams(shape, X, 2))
        self.convolution(channels // 4, 1)
        self.convolution(channels // 4, 3, stride)
        self.convolution(channels, 1)
        main, self.last, self.shape = self.last, right, shape
        if shape[-1] != channels or stride > 1:
            self.convolution(channels, 1, stride)
        self.add(Elementwise(self.shape, self.shape, "Add", X, X), main, self.last)
        self.add(Thresholding(self.shape, self.placed[-1].layer.outputs[0].dtype, np.arange(2, 32, 2)[None], X))


def residual() -> list[Instance]:
    """ResNet-50: four stages of 3, 4, 6 and 3 bottlenecks (He et al. 2016, arXiv:1512.03385, table 1)."""
    net = Network((1, 224, 224, 3))
    net.convolution(64, 7, 2)
    net.add(StreamingMaxPool(net.shape, X, (2, 2)))
    for stage, (blocks, channels) in enumerate([(3, 256), (4, 512), (6, 1024), (3, 2048)]):
        for block in range(blocks):
            net.bottleneck(channels, 2 if stage and not block else 1)
    return net.placed


def chain() -> list[Instance]:
    """MobileNet-v1: 13 pairs of a depthwise and a 1 x 1 convolution (Howard et al. 2017, arXiv:1704.04861, table 1)."""
    net = Network((1, 224, 224, 3))
    net.convolution(32, 3, 2)
    sizes = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in sizes:
        net.convolution(net.shape[-1], 3, stride, depthwise=True)
        net.convolution(channels, 1)
    return net.placed


def measured(what: str, run: Callable[[], T]) -> T:
    before = time.process_time()
    found = run()
    print(f"{what:60s} {time.process_time() - before:8.2f} s CPU")
    return found


def figures(name: str, placed: list[Instance]) -> None:
    problem = measured(f"{name}, {len(placed)} layers: candidates", partial(FoldingProblem, placed, PART))
    for cycles in (1_000_000, 100_000):
        found = measured(f"{name}: for {cycles} cycles", partial(cheapest, problem, cycles))
        print(f"    {found.cycles} cycles, {found.resources}, {found.converters} converters, exact: {found.exact}")
    found = measured(f"{name}: for a device", partial(fastest_within, problem, DEVICE))
    print(f"    {found.cycles} cycles, {found.resources}")


if __name__ == "__main__":
    figures("ResNet-50", residual())
    figures("MobileNet-v1", chain())
