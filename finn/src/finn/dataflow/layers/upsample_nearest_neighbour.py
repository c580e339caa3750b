"""UpsampleNearestNeighbour: an image with more pixels, each a copy of the nearest above and to the left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.cost import fabric
from finn.dataflow.layer import (
    Hls,
    IntArray,
    Layer,
    LayerError,
    Reads,
    Resources,
    Rtl,
    Schedule,
    Stream,
    Writes,
    folding,
    memory_option,
)
from finn.dataflow.pixels import check_image, counters, two

LATENCY = 2
"""Cycles from a read to the push of a word: the memory and a register."""


@dataclass(frozen=True)
class Stretched:
    """An axis of `size` positions that becomes `out` >= size: position i stands for floor(i * size / out)."""

    size: int
    out: int

    @property
    def source(self) -> IntArray:
        """Of each position of the output, that of the input."""
        return np.arange(self.out) * self.size // self.out

    @property
    def bounds(self) -> tuple[IntArray, IntArray]:
        """Of each position of the input, the first and the last position that stands for it."""
        first = -(-np.arange(self.size + 1) * self.out // self.size)
        return first[:-1], first[1:] - 1

    @property
    def repeats(self) -> int:
        """The most positions that stand for the same."""
        return -(-self.out // self.size)


@dataclass(frozen=True, eq=False)
class UpsampleNearestNeighbour(Layer):
    """Pixel (i, j) of the output is pixel (floor(i H / OH), floor(j W / OW)) of the input.

    (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C): ONNX Resize, mode nearest, asymmetric, floor.
    sizes : (OH, OW) >= (H, W), or (OT,) >= (T,); any ratio. SIMD channels per cycle.
    ram_style : of the memory that holds a row of the input, or a pixel if no row is repeated.
    """

    former_names = ("UpsampleNearestNeighbour_Batch",)

    shape: tuple[int, ...]
    dtype: BaseDataType
    sizes: tuple[int, ...]
    SIMD: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "sizes", 1, 1)
        if any(out < n for n, out in zip(self.shape[1:-1], self.sizes, strict=True)):
            raise LayerError(
                f"UpsampleNearestNeighbour: sizes={list(self.sizes)} for the shape {self.shape}",
                why="an axis would become shorter",
                remedy="use DownSampler for fewer pixels",
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((*self.shape[:1], *self.sizes, self.channels), self.dtype, self.SIMD),)

    @property
    def axes(self) -> tuple[Stretched, Stretched]:
        """Rows and columns."""
        axes = [Stretched(n, out) for n, out in zip(self.shape[1:-1], self.sizes, strict=True)]
        return two(axes, Stretched(1, 1))

    def execute(self, *inputs: IntArray) -> IntArray:
        rows, columns = self.axes
        image = inputs[0].reshape(-1, rows.size, columns.size, self.channels)
        return image[:, rows.source][:, :, columns.source].reshape(-1, *self.sizes, self.channels)

    # Time

    @property
    def _folds(self) -> int:
        return self.channels // self.SIMD

    def schedule(self) -> Schedule:
        """Rows come in groups alike."""
        rows, columns = self.axes
        periods = gcd(rows.size, rows.out)
        group = Stretched(rows.size // periods, rows.out // periods)
        steps = group.out * columns.out * self._folds
        first, final = (self._steps(r, c) for r, c in zip(group.bounds, columns.bounds, strict=True))
        reads = Reads(first, self._depth, pipeline.MEMORY, final)
        out = Writes(np.arange(steps), LATENCY + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(steps, (reads,), (out,), periods)

    def _steps(self, rows: IntArray, columns: IntArray) -> IntArray:
        """Of each word of these rows and columns of the output, its step."""
        width, folds = self.axes[1].out, self._folds
        pixels = np.add.outer(rows * width, columns).reshape(-1)
        return np.asarray(np.add.outer(pixels * folds, np.arange(folds)).reshape(-1))

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    @cached_property
    def _depth(self) -> int:
        """Words of the ring: those that are read again, and as many more as reads need to find the next ones there.

        A word can be read MEMORY + 1 cycles after the one was freed whose place it takes. The one that many words
        before, as are read again, is freed a row of the output before, less the repetitions of its pixel; or a word.
        """
        rows, columns = self.axes
        again = rows.out > rows.size
        held = (columns.size if again else 1) * self._folds
        apart = (columns.out - columns.repeats + 1 if again else 1) * self._folds
        return max(2, held + max(0, pipeline.MEMORY + 1 - apart))

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(LATENCY, 1)

    # Cost

    def resources(self, part: str | None = None) -> Resources:
        """The ring memory, its addresses and counters, and the output buffer."""
        fab, width = fabric(part), self.inputs[0].width
        rows, columns = self.axes
        control = counters([self._depth] * 6 + [self._folds, *(n for a in (rows, columns) for n in (a.size, a.out))])
        return fab.ram(width, self._depth, self.ram_style) + control + fab.credit_fifo(width, self._output_depth)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memory in each style, as far as that makes a difference."""
        styles = [self.with_config(ram_style=s).resources(part) for s in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def hls(self) -> Hls:
        rows, columns = self.axes
        sizes = {"Rows": rows.size, "OutRows": rows.out, "Columns": columns.size, "OutColumns": columns.out}
        config = {"SIMD": self.SIMD, "Folds": self._folds, **sizes, "Depth": self._depth}
        return Hls("upsample_nearest_neighbour", "UpsampleNearestNeighbour", config, {"Element": self.dtype})

    def rtl(self) -> Rtl:
        rows, columns = self.axes
        return Rtl(
            "upsample_nearest_neighbour",
            {
                "Width": self.inputs[0].width,
                "Folds": self._folds,
                "InRows": rows.size,
                "Rows": rows.out,
                "InColumns": columns.size,
                "Columns": columns.out,
                "Depth": self._depth,
                "OutDepth": self._output_depth,
                "RamStyle": self.ram_style,
            },
        )
