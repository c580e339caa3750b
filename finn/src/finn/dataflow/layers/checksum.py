"""CheckSum: a stream, and a number for each frame of it that tells whether it is the right one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.layer import Hls, IntArray, Layer, Reads, Resources, Rtl, Schedule, Stream, Writes
from finn.dataflow.packing import to_bits

FOLD_BITS = 23
SUM_BITS = 24
FRAME_BITS = 8


def checksum(values: IntArray, stream: Stream) -> IntArray:
    """(N,) words of 32 bits, one for each of N frames (N, *stream.shape[1:]).

    A word is {frame number modulo 2^8, sum modulo 2^24}. The sum takes the values of a frame in the order in which the
    stream sends them, each as its bits (two's complement; -1 as 0 if bipolar), folded by exclusive or of slices of 23
    bits, times a weight that goes 1, 2, 3, 1, 2, .. and begins anew with each frame.
    This is FINN's custom_hls/checksum.hpp.
    """
    sent = stream.to_beats(values).reshape(len(values), -1)
    bits = to_bits(sent, stream.dtype).astype(np.int64)
    folded = np.zeros_like(sent)
    for low in range(0, bits.shape[-1], FOLD_BITS):
        part = bits[..., low : low + FOLD_BITS]
        folded ^= part @ (1 << np.arange(part.shape[-1]))
    weights = 1 + np.arange(sent.shape[-1]) % 3
    sums = (folded * weights % (1 << SUM_BITS)).sum(axis=-1) % (1 << SUM_BITS)
    frames = np.arange(len(values)) % (1 << FRAME_BITS)
    return np.asarray(frames << SUM_BITS | sums)


@dataclass(frozen=True, eq=False)
class CheckSum(Layer):
    """The stream as it is, with a register that holds the checksum of the last frame (see `checksum`).

    A simulator reports it; in a design whose register nobody reads, synthesis leaves of the layer its stream register.
    """

    joins = True

    shape: tuple[int, ...]
    dtype: BaseDataType
    lanes: int
    window: int = 1
    taps: int = 1

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.window, self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        out = Writes(step, pipeline.STREAM_REGISTER, pipeline.STREAM_REGISTER_DEPTH)
        return Schedule(1, (Reads(step),), (out,), periods=self.inputs[0].beats)

    def execute(self, *inputs: IntArray) -> IntArray:
        return inputs[0]

    def resources(self, part: str | None = None) -> Resources:
        """What is left by synthesis: a LUT per bit chooses what comes to the front of the register; some for flags."""
        return Resources(LUT=self.inputs[0].width + 3)

    def hls(self) -> Hls:
        return Hls("checksum", "CheckSum", {"Beats": self.inputs[0].beats})

    def rtl(self) -> Rtl:
        return Rtl(
            module="checksum",
            parameters={
                "Lanes": self.lanes,
                "Bits": self.dtype.bitwidth(),
                "Beats": self.inputs[0].beats,
                "Levels": pipeline.levels(self.lanes),
            },
        )
