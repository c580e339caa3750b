"""What the layers have in common that insert, drop or repeat pixels: rasters of pixels of which some are chosen.

Images have two spatial axes or one; with one, they are a single row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, TypeVar

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
)
from finn.dataflow.packing import hex_words, to_bits

T = TypeVar("T")


@dataclass(frozen=True)
class Axis:
    """Positions 0 to size - 1, of which first, first + stride, … are chosen, `count` of them."""

    size: int
    first: int
    stride: int
    count: int

    @property
    def chosen(self) -> slice:
        return slice(self.first, self.first + (self.count - 1) * self.stride + 1, self.stride)


@dataclass(frozen=True)
class Raster:
    """Pixels of `folds` beats, row by row; a pixel is chosen if its row and its column are."""

    rows: Axis
    columns: Axis
    folds: int

    @property
    def periods(self) -> int:
        """How often the same beats are chosen in a frame: once per chosen row if rows repeat, else once."""
        rows = self.rows
        return rows.count if rows.first == 0 and rows.size == rows.count * rows.stride else 1

    @property
    def steps(self) -> int:
        """Beats in a period."""
        return self.rows.size // self.periods * self.columns.size * self.folds

    def chosen(self, beats: IntArray) -> IntArray:
        """Of all beats of a period, those that are chosen."""
        rows, columns = self.rows, self.columns
        image = beats.reshape(rows.size // self.periods, columns.size, self.folds)
        return image[rows.chosen, columns.chosen].reshape(-1)

    def parameters(self) -> dict[str, int]:
        """Of the module `pixel_raster`, and of Raster in C++."""
        rows, columns = self.rows, self.columns
        return {
            "Folds": self.folds,
            "Rows": rows.size,
            "FirstRow": rows.first,
            "RowStride": rows.stride,
            "ChosenRows": rows.count,
            "Columns": columns.size,
            "FirstColumn": columns.first,
            "ColumnStride": columns.stride,
            "ChosenColumns": columns.count,
        }

    def resources(self) -> Resources:
        """A counter per axis with its comparisons, and one of the stride."""
        axes = (self.rows, self.columns)
        sizes = (self.folds, *(n for axis in axes for n in (axis.size, axis.stride)))
        return counters(sizes)


def counters(sizes: Sequence[int]) -> Resources:
    """Counters of so many turns: per bit a next value and a half of a comparison."""
    return Resources(LUT=round(1.5 * sum((n - 1).bit_length() for n in sizes)))


def two(values: Sequence[T], alone: T) -> tuple[T, T]:
    """A value per spatial axis as (rows, columns); without a second axis there is a row, which gets `alone`."""
    return (alone, values[0]) if len(values) == 1 else (values[0], values[1])


@dataclass(frozen=True, eq=False)
class PixelLayer(Layer):
    """A layer that inserts pixels into images or drops some: the larger image is a raster, the other its chosen pixels.

    shape : of the input, (1, H, W, C) or (1, T, C). One beat of the larger image per cycle; SIMD channels per beat.
    Subclasses give `axes`.
    """

    header: ClassVar[str]
    """Of the C++ kernel."""

    shape: tuple[int, ...]
    dtype: BaseDataType
    _: KW_ONLY
    SIMD: int = folding("channels")

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """The spatial axes of the larger image."""

    @property
    def inserted(self) -> int | None:
        """What the pixels hold that are not chosen; None if they are dropped."""
        return None

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        sizes = [axis.count if self.inserted is None else axis.size for axis in self.axes]
        return (Stream((*self.shape[:1], *sizes, self.channels), self.dtype, self.SIMD),)

    @property
    def raster(self) -> Raster:
        return Raster(*two(self.axes, Axis(1, 0, 1, 1)), self.channels // self.SIMD)

    def schedule(self) -> Schedule:
        raster = self.raster
        every = np.arange(raster.steps)
        chosen = raster.chosen(every)
        read, written = (every, chosen) if self.inserted is None else (chosen, every)
        out = Writes(written, pipeline.STREAM_REGISTER, pipeline.STREAM_REGISTER_DEPTH)
        return Schedule(raster.steps, (Reads(read),), (out,), periods=raster.periods)

    @property
    def cycles(self) -> int:
        return self.raster.steps * self.raster.periods

    def execute(self, *inputs: IntArray) -> IntArray:
        chosen = (slice(None), *(axis.chosen for axis in self.axes))
        if self.inserted is None:
            return inputs[0][chosen]
        larger = np.full((len(inputs[0]), *self.outputs[0].shape[1:]), self.inserted, np.int64)
        larger[chosen] = inputs[0]
        return larger

    def resources(self, part: str | None = None) -> Resources:
        """The raster and the output register: a LUT per bit, and one more where pixels are inserted."""
        width, control = self.outputs[0].width, fabric(part).raster
        return self.raster.resources() + Resources(LUT=width * (1 if self.inserted is None else 2) + control)

    def hls(self) -> Hls:
        kind = type(self).__name__
        if self.inserted is None:
            return Hls(self.header, kind, self.raster.parameters())
        config = {**self.raster.parameters(), "SIMD": self.SIMD, "Value": self.inserted}
        return Hls(self.header, kind, config, {"Element": self.dtype})

    def rtl(self) -> Rtl:
        if self.inserted is None:
            return Rtl("pixel_filter", {"Width": self.inputs[0].width, **self.raster.parameters()})
        bits = self.dtype.bitwidth()
        code = int(hex_words(to_bits(np.array([self.inserted]), self.dtype))[0], 16)
        halves = {"ValueLow": code % 2**32, "ValueHigh": code // 2**32}
        return Rtl("pixel_insert", {"Lanes": self.SIMD, "Bits": bits, **halves, **self.raster.parameters()})


def check_image(layer: Layer, shape: tuple[int, ...], name: str, sides: int, least: int) -> None:
    """Raise LayerError unless the attribute `name` is a tuple of `sides` integers >= least per spatial axis."""
    values, axes, kind = getattr(layer, name), len(shape) - 2, type(layer).__name__
    if axes not in (1, 2):
        raise LayerError(
            f"{kind}: an input of shape {shape}",
            why="images have one or two spatial axes",
            remedy="use (1, H, W, C) or (1, T, C)",
        )
    if len(values) != sides * axes or not all(type(v) is int and v >= least for v in values):
        raise LayerError(
            f"{kind}: {name}={list(values)} for the shape {shape}",
            remedy=f"give {sides * axes} integers of {least} or more",
        )
