"""DuplicateStreams: one stream for several readers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
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


@dataclass(frozen=True, eq=False)
class DuplicateStreams(Layer):
    """`copies` (FINN's NumOutputStreams) outputs that are all the input.

    PE : channels per beat; in a depthwise stream of `window` positions, of each of `taps` positions.
    A copy whose reader is slow holds up the others when its two beats of buffer are full.
    """

    former_names = ("DuplicateStreams_Batch",)

    shape: tuple[int, ...]
    dtype: BaseDataType
    copies: int = 2
    PE: int = folding("channels")
    window: int = 1
    taps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copies < 1:
            raise LayerError(f"DuplicateStreams: {self.copies} copies", remedy="use 1 or more")
        _ = self.inputs  # checks window and taps

    @property
    def channels(self) -> int:
        return self.shape[-1] // self.window

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.PE * self.taps, self.window, self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs * self.copies

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        copy = Writes(step, pipeline.STREAM_REGISTER, pipeline.STREAM_REGISTER_DEPTH)
        return Schedule(1, (Reads(step),), (copy,) * self.copies, periods=self.inputs[0].beats)

    def execute(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return inputs * self.copies

    def resources(self, part: str | None = None) -> Resources:
        """A stream_register per copy: a LUT per bit chooses what comes to its front; some for its flags."""
        return Resources(LUT=self.copies * (self.inputs[0].width + 3))

    def hls(self) -> Hls:
        return Hls("duplicate_streams", "DuplicateStreams", {})

    def rtl(self) -> Rtl:
        return Rtl("duplicate_streams", {"Width": self.inputs[0].width, "Copies": self.copies})
