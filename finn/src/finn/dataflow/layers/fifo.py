"""StreamingFIFO: a buffer between two layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.cost import fabric, has_ultra_ram
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
    memory_option,
    option,
)


@dataclass(frozen=True, eq=False)
class StreamingFIFO(Layer):
    """Hold up to `depth` beats of a stream. A place is free again after 3 cycles: 3 or more pass one beat per cycle.

    ram_style : "auto" is what costs less of LUTs and block RAM; "ultra" is UltraRAM.
    """

    joins = True

    shape: tuple[int, ...]
    dtype: BaseDataType
    lanes: int
    depth: int = option(4)
    ram_style: str = memory_option(("auto", "block", "distributed", "ultra"))
    impl_style: str = option("rtl", ("rtl",))
    window: int = 1
    taps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.depth) is not int or self.depth < 2:
            raise LayerError(f"StreamingFIFO: depth={self.depth!r}", remedy="use 2 or more, 3 for one beat per cycle")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.window, self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        out = Writes(step, pipeline.CREDIT_FIFO, self.depth)
        return Schedule(1, (Reads(step),), (out,), periods=self.inputs[0].beats)

    def execute(self, *inputs: IntArray) -> IntArray:
        return inputs[0]

    @property
    def _style(self) -> str:
        """Of all parts the same, since a design is made for none."""
        if self.ram_style != "auto":
            return self.ram_style
        return min(("distributed", "block"), key=lambda style: self._memory(None, style).area)

    def _memory(self, part: str | None, style: str) -> Resources:
        possible = "block" if style == "ultra" and not has_ultra_ram(part) else style
        return fabric(part).fifo(self.inputs[0].width, self.depth, possible)

    def resources(self, part: str | None = None) -> Resources:
        """The memory, two pointers and two counters."""
        return self._memory(part, self._style)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memory in each style, as far as that makes a difference."""
        styles = [self._memory(part, style) for style in ("block", "distributed", "ultra")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def hls(self) -> Hls:
        return Hls("fifo", "StreamingFIFO", {})

    def rtl(self) -> Rtl:
        parameters: dict[str, int | str] = {"Width": self.inputs[0].width, "Depth": self.depth, "RamStyle": self._style}
        return Rtl(module="streaming_fifo", parameters=parameters)
