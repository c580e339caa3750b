"""StreamingConcat: several streams joined along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
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

BIPOLAR = DataType["BIPOLAR"]


@dataclass(frozen=True)
class Parts:
    """How a tensor of `shape` is made of parts of `sizes` along `axis`, which may count from the end.

    Raises LayerError if the sizes do not add up, or for axis 0, which counts frames.
    """

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    axis: int

    def __post_init__(self) -> None:
        rank = len(self.shape)
        if not -rank < self.axis < rank or self.axis == 0:
            raise LayerError(
                f"axis {self.axis} of the shape {self.shape}",
                why="the first axis counts frames, and frames are not joined",
                remedy=f"use 1 to {rank - 1}, or -1 for the last",
            )
        if min(self.sizes, default=0) < 1 or sum(self.sizes) != self.shape[self.axis]:
            raise LayerError(
                f"parts of sizes {self.sizes} along axis {self.axis} of the shape {self.shape}",
                why=f"each has to be 1 or more, and together they have to be {self.shape[self.axis]}",
            )

    @property
    def place(self) -> int:
        """The axis, counted from the front."""
        return self.axis % len(self.shape)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of each part."""
        return tuple((*self.shape[: self.place], size, *self.shape[self.place + 1 :]) for size in self.sizes)

    @property
    def rounds(self) -> int:
        """How often per frame all parts take their turn."""
        return prod(self.shape[: self.place])

    @property
    def common(self) -> int:
        """The most lanes that divide the last axis of every part."""
        return gcd(*(shape[-1] for shape in self.shapes))

    def beats(self, lanes: int) -> tuple[int, ...]:
        """Of each part per turn."""
        return tuple(prod(shape[self.place :]) // lanes for shape in self.shapes)

    def turns(self, lanes: int) -> tuple[IntArray, list[IntArray]]:
        """The steps of a round, and which of them carry the beats of each part."""
        beats = self.beats(lanes)
        steps = np.arange(sum(beats))
        return steps, np.split(steps, np.cumsum(beats)[:-1])

    def split(self, x: IntArray) -> tuple[IntArray, ...]:
        """The parts of frames (N, *shape[1:])."""
        return tuple(np.split(x, np.cumsum(self.sizes)[:-1], axis=self.place))


@dataclass(frozen=True, eq=False)
class StreamingConcat(Layer):
    """Inputs of `sizes` along `axis` and of `dtypes`, joined to one tensor of `shape`.

    The output type is theirs if they have one, else the narrowest that holds them all.
    SIMD : elements per beat of every stream; divides the last axis of all of them.
    """

    shape: tuple[int, ...]
    dtypes: tuple[BaseDataType, ...]
    sizes: tuple[int, ...]
    axis: int = -1
    SIMD: int = folding("common")

    def __post_init__(self) -> None:
        _ = self.parts  # the foldings depend on it
        super().__post_init__()
        if len(self.dtypes) != len(self.sizes):
            raise LayerError(f"StreamingConcat: {len(self.dtypes)} types for {len(self.sizes)} inputs")

    @property
    def parts(self) -> Parts:
        return Parts(self.shape, self.sizes, self.axis)

    @property
    def common(self) -> int:
        return self.parts.common

    @property
    def dtype(self) -> BaseDataType:
        """Of the output."""
        if len(set(self.dtypes)) == 1:
            return self.dtypes[0]
        return DataType.spanning(min(int(t.min()) for t in self.dtypes), max(int(t.max()) for t in self.dtypes))

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(s, t, self.SIMD) for s, t in zip(self.parts.shapes, self.dtypes, strict=True))

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.SIMD),)

    def schedule(self) -> Schedule:
        steps, turns = self.parts.turns(self.SIMD)
        reads = tuple(Reads(turn, pipeline.STREAM_REGISTER_DEPTH, pipeline.STREAM_REGISTER) for turn in turns)
        out = Writes(steps, pipeline.STREAM_REGISTER, pipeline.STREAM_REGISTER_DEPTH)
        return Schedule(len(steps), reads, (out,), periods=self.parts.rounds)

    def execute(self, *inputs: IntArray) -> IntArray:
        return np.concatenate(inputs, axis=self.parts.place)

    def resources(self, part: str | None = None) -> Resources:
        """Stream registers, a LUT per bit; the choice among the inputs; the counter."""
        fab, width = fabric(part), self.outputs[0].width
        registers = sum(s.width + 3 for s in (*self.inputs, *self.outputs))
        choice = fab.choose * len(self.inputs) * width
        return Resources(LUT=round(registers + choice + 3 * max(self.parts.beats(self.SIMD)).bit_length()))

    def _kind(self, dtype: BaseDataType) -> int:
        """How streaming_concat.sv extends a value."""
        if dtype == BIPOLAR:
            return 0 if self.dtype == BIPOLAR else 2
        return int(dtype.signed())

    def hls(self) -> Hls:
        config: dict[str, int | tuple[int, ...]] = {"SIMD": self.SIMD, "Beats": self.parts.beats(self.SIMD)}
        return Hls("streaming_concat", "StreamingConcat", config, {"Output": self.dtype})

    def rtl(self) -> Rtl:
        return Rtl(
            module="streaming_concat",
            parameters={
                "Streams": len(self.inputs),
                "SIMD": self.SIMD,
                "OutBits": self.dtype.bitwidth(),
                "InBits": tuple(t.bitwidth() for t in self.dtypes),
                "Kinds": tuple(map(self._kind, self.dtypes)),
                "Beats": self.parts.beats(self.SIMD),
                "InWidth": sum(s.width for s in self.inputs),
            },
        )
