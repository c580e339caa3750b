"""StreamingFIFO: a buffer between two layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.cost import fabric
from finn.dataflow.layer import (
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

DEEPEST_LUTRAM = 256


@dataclass(frozen=True, eq=False)
class StreamingFIFO(Layer):
    """Hold up to `depth` beats of a stream. depth >= 4 passes one beat per cycle (a place is free again after 3)."""

    joins = True

    shape: tuple[int, ...]
    dtype: BaseDataType
    lanes: int
    depth: int = option(4)
    ram_style: str = memory_option()
    impl_style: str = option("rtl", ("rtl",))
    window: int = 1
    taps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.depth) is not int or self.depth < 2:
            raise LayerError(f"StreamingFIFO: depth={self.depth!r}", remedy="use 2 or more, 4 for one beat per cycle")

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
        if self.ram_style != "auto":
            return self.ram_style
        return "distributed" if self.depth <= DEEPEST_LUTRAM else "block"

    def resources(self, part: str | None = None) -> Resources:
        """The memory, two pointers and two counters."""
        return fabric(part).fifo(self.inputs[0].width, self.depth, self._style)

    def rtl(self) -> Rtl:
        parameters: dict[str, int | str] = {"Width": self.inputs[0].width, "Depth": self.depth, "RamStyle": self._style}
        return Rtl(module="streaming_fifo", parameters=parameters)
