"""StreamingDataWidthConverter: the same tensor with another number of elements per beat."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow.cost import fabric
from finn.dataflow.layer import Hls, IntArray, Layer, LayerError, Reads, Resources, Rtl, Schedule, Stream, Writes


@dataclass(frozen=True, eq=False)
class StreamingDataWidthConverter(Layer):
    """Regroup a stream of `in_lanes` elements per beat into one of `out_lanes`; any ratio.

    Both divide the last axis of `shape`. channels : of a beat, in a depthwise stream of `window` positions.
    """

    joins = True

    shape: tuple[int, ...]
    dtype: BaseDataType
    in_lanes: int
    out_lanes: int
    window: int = 1
    channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape[-1] % self.in_lanes or self.shape[-1] % self.out_lanes:
            raise LayerError(
                f"StreamingDataWidthConverter: {self.in_lanes} to {self.out_lanes} elements of {self.shape[-1]}",
                why="a beat would hold parts of two vectors",
            )

    def _stream(self, lanes: int) -> Stream:
        taps = lanes // self.channels if self.window > 1 else 1
        return Stream(self.shape, self.dtype, lanes, self.window, taps)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (self._stream(self.in_lanes),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (self._stream(self.out_lanes),)

    def schedule(self) -> Schedule:
        into, out, size = self._units
        beats = np.arange(into)
        # A step takes a beat. Output beat j has elements of the beats j * out / into to ((j + 1) * out - 1) / into.
        writes = Writes(((beats + 1) * out - 1) // into, 1, size // out, claims=beats * out // into)
        return Schedule(out, (Reads(np.arange(out)),), (writes,), periods=self.inputs[0].beats // out)

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    @property
    def _units(self) -> tuple[int, int, int]:
        """Sizes of an input beat, of an output beat and of the ring (see width_converter.sv) in common units."""
        unit = gcd(self.in_lanes, self.out_lanes)
        into, out = self.in_lanes // unit, self.out_lanes // unit
        return into, out, into * out * -(-(into + 2 * out - 1) // (into * out))

    def execute(self, *inputs: IntArray) -> IntArray:
        return inputs[0]

    def resources(self, part: str | None = None) -> Resources:
        """The counter of units held, an enable per slot of the ring, and output bits that choose among its words."""
        into, out, size = self._units
        fab = fabric(part)
        choose = self.outputs[0].width * max(1.0, fab.choose * (size // out - 0.5))
        return Resources(LUT=round(fab.level * size.bit_length() + size // into / 2 + choose))

    def hls(self) -> Hls:
        config = {"In": self.in_lanes, "Out": self.out_lanes}
        return Hls("width_converter", "StreamingDataWidthConverter", config, {"Element": self.dtype})

    def rtl(self) -> Rtl:
        parameters = {"InWidth": self.inputs[0].width, "OutWidth": self.outputs[0].width}
        return Rtl(module="width_converter", parameters=parameters)


def meeting(out: Stream, into: Stream) -> Stream | None:
    """Of two neighbours the one of whose shape a converter between them, if they need one, has to be; else None.

    They have the same elements in the same order. Their shapes may differ, as on the two sides of a StreamReshape: then
    order is C order, and a vector of the one has to hold whole beats of the other.
    """
    if out.shape == into.shape:
        return out if out.converts_to(into) else None
    if (prod(out.shape), out.dtype, out.order, into.order) != (prod(into.shape), into.dtype, None, None):
        return None
    if out.shape[-1] % into.lanes == 0:
        return out
    return into if into.shape[-1] % out.lanes == 0 else None


def between(out: Stream, into: Stream) -> StreamingDataWidthConverter:
    """The converter of two streams that meet."""
    at = meeting(out, into) or out
    window, channels = at.order or (1, 1)
    return StreamingDataWidthConverter(at.shape, at.dtype, out.lanes, into.lanes, window, channels)
