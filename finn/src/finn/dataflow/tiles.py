"""What the pooling layers have in common: an image is cut into tiles, and each is reduced to one value per channel."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
from finn.dataflow.arithmetic import MOST_BITS, kind
from finn.dataflow.cost import Fabric, fabric
from finn.dataflow.layer import CppObject, Hls, IntArray, Layer, LayerError, Reads, Resources, Rtl, Schedule, Writes
from finn.dataflow.pixels import counters

LATENCY = 2
"""Cycles from the acceptance of a beat that completes a tile to the push of its result."""


@dataclass(frozen=True)
class Reduction:
    """The sum, the maximum or the minimum of up to `count` values of `dtype`; a sum leaves as floor(sum / 2^shift)."""

    function: str
    dtype: BaseDataType
    count: int
    shift: int = 0

    def __post_init__(self) -> None:
        most = self.count * max(-int(self.dtype.min()), int(self.dtype.max()))
        if self.sums and most >= 1 << MOST_BITS:
            raise LayerError(
                f"sums of {self.count} values of {self.dtype.name}",
                why=f"they have more than {MOST_BITS} bits",
                remedy="use narrower values",
            )

    @property
    def sums(self) -> bool:
        return self.function == "sum"

    @property
    def partial(self) -> BaseDataType:
        """Of what has been reduced so far."""
        if not self.sums:
            return self.dtype
        return DataType.spanning(self.count * int(self.dtype.min()), self.count * int(self.dtype.max()))

    @property
    def result(self) -> BaseDataType:
        """Of what leaves."""
        if not self.sums:
            return self.dtype
        ends = (self.count * int(end()) >> self.shift for end in (self.dtype.min, self.dtype.max))
        return DataType.spanning(*ends)

    def __call__(self, x: IntArray, axes: tuple[int, ...]) -> IntArray:
        """x reduced along `axes`."""
        if self.sums:
            return np.asarray(x.sum(axis=axes) >> self.shift)
        return np.asarray(x.max(axis=axes) if self.function == "max" else x.min(axis=axes))

    def parameters(self) -> dict[str, int | str]:
        """Of the module `pool_lane`."""
        return {
            "Function": ("sum", "max", "min").index(self.function),
            "InBits": self.dtype.bitwidth(),
            "Kind": kind(self.dtype),
            "AccBits": self.partial.bitwidth(),
            "Shift": self.shift,
            "OutBits": self.result.bitwidth(),
        }

    def hls(self) -> CppObject:
        """The reduction in C++."""
        if self.sums:
            return CppObject("SumOf", (self.shift,))
        return CppObject("ExtremeOf", (int(self.function == "max"),))

    def resources(self, fab: Fabric) -> Resources:
        """Of a lane: an adder with a start at 0, or a comparison and a choice."""
        bits = self.dtype.bitwidth()
        if self.sums:
            return Resources(LUT=round(fab.accumulate * (self.partial.bitwidth() + bits)))
        return Resources(LUT=round(fab.larger * (bits - 1)))


@dataclass(frozen=True)
class Tiles:
    """`size` positions of an axis in tiles of `tile`; what is left at the end is dropped, or a tile of its own."""

    size: int
    tile: int
    partial: bool = False

    @property
    def count(self) -> int:
        return -(-self.size // self.tile) if self.partial else self.size // self.tile

    @property
    def even(self) -> bool:
        """Whether all tiles are whole and nothing is dropped."""
        return self.size % self.tile == 0

    @property
    def finals(self) -> IntArray:
        """The last position of each tile."""
        return np.minimum((np.arange(self.count) + 1) * self.tile, self.size) - 1


@dataclass(frozen=True, eq=False)
class TilePool(Layer):
    """A layer that reduces the tiles of a raster; PE channels per cycle, and a frame takes as long as its input.

    Subclasses give streams and meaning; `tiles` of rows and columns, `folds` beats per pixel, and `reduction`.
    """

    header: ClassVar[str]
    """Of the C++ kernel."""

    @property
    @abstractmethod
    def tiles(self) -> tuple[Tiles, Tiles]:
        """Rows and columns of the raster, as the beats come."""

    @property
    @abstractmethod
    def folds(self) -> int:
        """Beats per pixel of the raster."""

    @property
    @abstractmethod
    def reduction(self) -> Reduction: ...

    @property
    def lanes(self) -> int:
        return self.inputs[0].lanes

    @cached_property
    def _period(self) -> tuple[int, IntArray]:
        """How often the same happens in a frame, and which beats of a period complete a tile."""
        rows, columns = self.tiles
        if rows.tile == 1 and columns.even:
            periods, rows, columns = rows.size * columns.count, Tiles(1, 1), Tiles(columns.tile, columns.tile)
        elif rows.even:
            periods, rows = rows.count, Tiles(rows.tile, rows.tile)
        else:
            periods = 1
        pixels = np.add.outer(rows.finals * columns.size, columns.finals).reshape(-1, 1)
        return periods, (pixels * self.folds + np.arange(self.folds)).reshape(-1)

    def schedule(self) -> Schedule:
        periods, completing = self._period
        steps = self.inputs[0].beats // periods
        out = Writes(completing, LATENCY + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(steps, (Reads(np.arange(steps)),), (out,), periods)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    @property
    def _output_depth(self) -> int:
        """A tile's results come in a row, one per fold; a lone one comes once per tile at the most."""
        columns = self.tiles[1]
        apart = 1 if self.folds > 1 or (columns.partial and not columns.even) else columns.tile
        return pipeline.credit_depth(LATENCY, apart)

    @property
    def _words(self) -> int:
        """Of the memory that holds what is not complete."""
        rows, columns = self.tiles
        return self.folds * (columns.count if rows.tile > 1 else 1)

    def resources(self, part: str | None = None) -> Resources:
        """A memory or a register for what is not complete, the lanes, counters, and the output buffer."""
        fab, width, words = fabric(part), self.lanes * self.reduction.partial.bitwidth(), self._words
        lane = self.reduction.resources(fab)
        rows, columns = self.tiles
        used = Resources(LUT=self.lanes * lane.LUT)
        used += counters([self.folds, rows.size, rows.tile, columns.size, columns.tile])
        used += fab.credit_fifo(self.outputs[0].width, self._output_depth)
        if words == 1:
            return used
        memory = fab.ram(width, words, self._style)
        once, per_bit = fab.collision if memory.BRAM_18K else (0, 0)
        forward = per_bit + fab.choose * (1 if self.reduction.sums else 2)
        if not (self.reduction.sums or memory.BRAM_18K) and self.reduction.partial.bitwidth() > 2:
            forward += fab.both
        return memory + used + Resources(LUT=round(forward * width) + once + 4 * (words - 1).bit_length())

    @property
    def _style(self) -> str:
        """Of the memory."""
        return "auto"

    def hls(self) -> Hls:
        reduction = self.reduction
        types = {"Stored": reduction.partial, "Output": reduction.result}
        return Hls(self.header, type(self).__name__, self._raster, types, (reduction.hls(),))

    @property
    def _raster(self) -> dict[str, int]:
        """Parameters of the raster, in both languages."""
        rows, columns = self.tiles
        return {
            "PE": self.lanes,
            "Folds": self.folds,
            "Rows": rows.size,
            "TileRows": rows.tile,
            "Columns": columns.size,
            "TileColumns": columns.tile,
            "Partial": int(columns.partial),
        }

    def rtl(self) -> Rtl:
        return Rtl(
            "tile_pool",
            {
                **self._raster,
                **self.reduction.parameters(),
                "OutDepth": self._output_depth,
                "RamStyle": self._style,
            },
        )


def check_shape(layer: Layer, shape: tuple[int, ...]) -> None:
    """Raise LayerError unless there are spatial axes: (1, H, W, C) or (1, T, C)."""
    if len(shape) not in (3, 4):
        raise LayerError(
            f"{type(layer).__name__}: an input of shape {shape}",
            why="images have one or two spatial axes",
            remedy="use (1, H, W, C) or (1, T, C)",
        )
