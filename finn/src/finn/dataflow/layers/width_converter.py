"""StreamingDataWidthConverter: the same tensor with another number of elements per beat."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow.cost import fabric
from finn.dataflow.layer import IntArray, Layer, LayerError, Resources, Rtl, Schedule, Stream


@dataclass(frozen=True, eq=False)
class StreamingDataWidthConverter(Layer):
    """Regroup a stream of `in_lanes` elements per beat into one of `out_lanes`; any ratio.

    Both divide the last axis of `shape`.
    """

    joins = True

    shape: tuple[int, ...]
    dtype: BaseDataType
    in_lanes: int
    out_lanes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape[-1] % self.in_lanes or self.shape[-1] % self.out_lanes:
            raise LayerError(
                f"StreamingDataWidthConverter: {self.in_lanes} to {self.out_lanes} elements of {self.shape[-1]}",
                why="a beat would hold parts of two vectors",
            )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.in_lanes),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.out_lanes),)

    def schedule(self) -> Schedule:
        beats_in, beats_out = self.inputs[0].beats, self.outputs[0].beats
        steps = max(beats_in, beats_out)
        # Output beat j needs ceil((j + 1) * out / in) input beats; the wider side goes at one beat per step.
        needed = -(-(np.arange(beats_out) + 1) * self.out_lanes // self.in_lanes) - 1
        if beats_out <= beats_in:
            return Schedule(steps, np.arange(beats_in), needed, read_delay=0, write_delay=1)
        first = np.searchsorted(needed, np.arange(beats_in), side="left")
        return Schedule(steps, first, np.arange(beats_out), read_delay=1, write_delay=0)

    def execute(self, *inputs: IntArray) -> IntArray:
        return inputs[0]

    def resources(self, part: str | None = None) -> Resources:
        """The counter of units held, an enable per slot of the ring, and output bits that choose among its words."""
        unit = gcd(self.in_lanes, self.out_lanes)
        into, out = self.in_lanes // unit, self.out_lanes // unit
        size = into * out * -(-(into + 2 * out - 1) // (into * out))
        choose = fabric(part).choose * self.outputs[0].width * (size // out)
        return Resources(LUT=round(3 * size.bit_length() + size // into / 2 + choose))

    def rtl(self) -> Rtl:
        parameters = {"InWidth": self.inputs[0].width, "OutWidth": self.outputs[0].width}
        return Rtl(module="width_converter", parameters=parameters)
