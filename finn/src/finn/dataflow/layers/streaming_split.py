"""StreamingSplit: one stream parted along an axis."""

from __future__ import annotations

from dataclasses import dataclass

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.layer import Hls, IntArray, Layer, Reads, Resources, Rtl, Schedule, Stream, Writes, folding
from finn.dataflow.layers.streaming_concat import Parts


@dataclass(frozen=True, eq=False)
class StreamingSplit(Layer):
    """A tensor of `shape`, parted into outputs of `sizes` along `axis`: the inverse of StreamingConcat.

    SIMD : elements per beat of every stream; divides the last axis of all of them.
    """

    shape: tuple[int, ...]
    dtype: BaseDataType
    sizes: tuple[int, ...]
    axis: int = -1
    SIMD: int = folding("common")

    @property
    def parts(self) -> Parts:
        return Parts(self.shape, self.sizes, self.axis)

    @property
    def common(self) -> int:
        return self.parts.common

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(shape, self.dtype, self.SIMD) for shape in self.parts.shapes)

    def schedule(self) -> Schedule:
        steps, turns = self.parts.turns(self.SIMD)
        writes = tuple(Writes(turn, pipeline.STREAM_REGISTER, pipeline.STREAM_REGISTER_DEPTH) for turn in turns)
        return Schedule(len(steps), (Reads(steps),), writes, periods=self.parts.rounds)

    def execute(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return self.parts.split(inputs[0])

    def resources(self, part: str | None = None) -> Resources:
        """Stream registers, a LUT per bit, and the counter."""
        registers = len(self.outputs) * (self.inputs[0].width + 3)
        return Resources(LUT=registers + 3 * max(self.parts.beats(self.SIMD)).bit_length())

    def hls(self) -> Hls:
        return Hls("streaming_split", "StreamingSplit", {"Beats": self.parts.beats(self.SIMD)})

    def rtl(self) -> Rtl:
        return Rtl(
            module="streaming_split",
            parameters={
                "Streams": len(self.outputs),
                "Width": self.inputs[0].width,
                "Beats": self.parts.beats(self.SIMD),
            },
        )
