"""Elementwise: a function of two streams, one of which may be broadcast to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.arithmetic import FUNCTIONS, Function, ends, kind
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
    fixed,
    folding,
)
from finn.dataflow.pixels import counters
from finn.dataflow.sequences import Sequence, check_broadcast, sequence

OPERANDS = 1
"""Cycles from a step to its operands."""


@dataclass(frozen=True, eq=False)
class Elementwise(Layer):
    """y = function(a, b), with NumPy's broadcasting: (1, …, C) and shapes that have 1 for some of the axes.

    function : see `finn.dataflow.arithmetic`; a shift is by b. The output has the narrowest type of all results.
    PE : channels per cycle; an operand with one channel comes one value per beat, and is used for all.
    An operand that is repeated is kept; as much of it again is taken ahead.
    """

    former_names = (
        "AddStreams", "AddStreams_Batch", "StreamingEltwise", "Eltwise",
        *(f"Elementwise{name}" for name in FUNCTIONS if not name.startswith("BitShift")), "ElementwiseBitShift",
    )  # fmt: skip

    lhs_shape: tuple[int, ...]
    rhs_shape: tuple[int, ...]
    function: str = field(metadata={"choices": tuple(FUNCTIONS)})
    lhs_dtype: BaseDataType
    rhs_dtype: BaseDataType
    PE: int = folding("channels")

    def __post_init__(self) -> None:
        if len(self.lhs_shape) != len(self.rhs_shape):
            raise LayerError(
                f"Elementwise: shapes {self.lhs_shape} and {self.rhs_shape}",
                why="their first axes, which count frames, would not meet",
                remedy="insert axes of one element behind the first",
            )
        for shape in (self.lhs_shape, self.rhs_shape):
            check_broadcast("Elementwise", shape, self.shape)
        super().__post_init__()
        _ = self.sequences, self.dtype  # checks both

    @fixed
    def shape(self) -> tuple[int, ...]:
        """Of the output."""
        return tuple(map(max, self.lhs_shape, self.rhs_shape))

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def _function(self) -> Function:
        return FUNCTIONS[self.function]

    @fixed
    def dtype(self) -> BaseDataType:
        """Of the output."""
        return self._function.result(ends(self.lhs_dtype), ends(self.rhs_dtype))

    @property
    def inputs(self) -> tuple[Stream, ...]:
        operands = ((self.lhs_shape, self.lhs_dtype), (self.rhs_shape, self.rhs_dtype))
        return tuple(Stream(shape, dtype, min(self.PE, shape[-1])) for shape, dtype in operands)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.PE),)

    @cached_property
    def sequences(self) -> tuple[Sequence, ...]:
        """In which order the beats of each operand are used."""
        return tuple(sequence(shape[1:], self.shape[1:], self.PE) for shape in (self.lhs_shape, self.rhs_shape))

    def schedule(self) -> Schedule:
        steps = max(s.period for s in self.sequences)  # periods are of trailing axes: one is a multiple of the other
        out = Writes(np.arange(steps), self._latency + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(
            steps, tuple(self._reads(s, steps) for s in self.sequences), (out,), self.outputs[0].beats // steps
        )

    def _reads(self, order: Sequence, steps: int) -> Reads:
        first, last = order.uses(steps)
        return Reads(first, _depth(order), pipeline.MEMORY if order.repeats > 1 else pipeline.STREAM_REGISTER, last)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    @property
    def _latency(self) -> int:
        return OPERANDS + self._function.latency

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency, 1)

    def execute(self, *inputs: IntArray) -> IntArray:
        return self._function(*inputs)

    def resources(self, part: str | None = None) -> Resources:
        """The lanes, the buffers and registers of the operands, and the output buffer."""
        fab = fabric(part)
        lane = self._function.resources(fab, self.lhs_dtype, self.rhs_dtype, self.dtype)
        used = fab.credit_fifo(self.outputs[0].width, self._output_depth)
        used += Resources(LUT=self.PE * lane.LUT, DSP=self.PE * lane.DSP)
        for order, stream in zip(self.sequences, self.inputs, strict=True):
            used += counters([order.hold])
            repeats = order.repeats > 1
            buffer = fab.replay_buffer(stream.width, _depth(order)) if repeats else Resources(LUT=stream.width + 3)
            used = buffer + used if buffer.BRAM_18K else used + buffer
        return used

    def op_and_param_counts(self) -> dict[str, int]:
        if self.function != "Mul":
            return {}
        narrow, wide = sorted(t.bitwidth() for t in (self.lhs_dtype, self.rhs_dtype))
        return {f"op_mul_{narrow}bx{wide}b": self.outputs[0].beats * self.PE}

    def hls(self) -> Hls:
        config, types = {"PE": self.PE}, {"Output": self.dtype}
        for name, order, stream in zip("AB", self.sequences, self.inputs, strict=True):
            types[f"{name}Type"], config[f"{name}Lanes"] = stream.dtype, stream.lanes
            config |= {f"{name}{key}": turns for key, turns in order.parameters().items()}
        return Hls("elementwise", "Elementwise", config, types, (self._function.hls(),))

    def rtl(self) -> Rtl:
        parameters: dict[str, int | str] = {"PE": self.PE, "Function": self._function.code}
        for name, order, stream in zip("AB", self.sequences, self.inputs, strict=True):
            parameters |= {
                f"{name}Lanes": stream.lanes,
                f"{name}Bits": stream.dtype.bitwidth(),
                f"{name}Kind": kind(stream.dtype),
                f"{name}Repeats": order.repeats,
                f"{name}Beats": order.beats,
                f"{name}Hold": order.hold,
                f"{name}Depth": _depth(order),
            }
        parameters |= {"OutBits": self.dtype.bitwidth(), "OutKind": kind(self.dtype), "OutDepth": self._output_depth}
        return Rtl("elementwise", parameters)


def _depth(order: Sequence) -> int:
    """Beats of an operand that are held: in a stream_register, or what is repeated, twice."""
    return 2 * order.beats if order.repeats > 1 else pipeline.STREAM_REGISTER_DEPTH
