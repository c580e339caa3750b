"""ChannelwiseOp: a function of a stream and constants."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow import pipeline
from finn.dataflow.arithmetic import FUNCTIONS, Function, ends, kind
from finn.dataflow.cost import fabric
from finn.dataflow.layer import (
    CppObject,
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
    memory_option,
)
from finn.dataflow.packing import hex_words, to_bits
from finn.dataflow.pixels import counters
from finn.dataflow.sequences import Sequence, check_broadcast, sequence

OPERANDS = 1
"""Cycles from the acceptance of a beat to its operands."""


@dataclass(frozen=True, eq=False)
class ChannelwiseOp(Layer):
    """y = function(x, parameters), or function(parameters, x) if `left` is 1; see `finn.dataflow.arithmetic`.

    shape : (1, …, C). parameters : of `parameter_dtype`, broadcast to the frame by NumPy's rule: (1,), (C,), or with
    spatial axes, (H, W, C), (H, 1, C), (1, W, 1), … The output has the narrowest type of all results.
    PE : channels per cycle. ram_style : of the memory of parameters; a word that never changes needs none.
    """

    former_names = ("ChannelwiseOp_Batch",)

    shape: tuple[int, ...]
    function: str = field(metadata={"choices": tuple(FUNCTIONS)})
    input_dtype: BaseDataType
    parameters: IntArray
    parameter_dtype: BaseDataType
    left: int = 0
    PE: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.left not in (0, 1):
            raise LayerError(f"ChannelwiseOp: left={self.left!r}", why="it is a mark", remedy="use 0 or 1")
        _ = self._checked, self.sequence

    @fixed
    def _checked(self) -> BaseDataType:
        """The type of the results. Raises LayerError for parameters that do not fit."""
        check_broadcast("ChannelwiseOp", self.parameters.shape, self.shape[1:])
        if not self.parameter_dtype.allowed(self.parameters).all():
            raise LayerError(
                f"ChannelwiseOp: parameters outside {self.parameter_dtype.name}", remedy="annotate their true type"
            )
        return self._function.result(*self._ordered(ends(self.input_dtype), np.unique(self.parameters)))

    def _ordered(self, x: IntArray, parameters: IntArray) -> tuple[IntArray, IntArray]:
        return (parameters, x) if self.left else (x, parameters)

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def _function(self) -> Function:
        return FUNCTIONS[self.function]

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self._checked, self.PE),)

    @cached_property
    def sequence(self) -> Sequence:
        """In which order the words of the parameters are used."""
        return sequence(self.parameters.shape, self.shape[1:], self.PE)

    @property
    def lanes(self) -> int:
        """Parameters per word."""
        return self.PE if self.parameters.shape[-1] > 1 else 1

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        out = Writes(step, self._latency + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(1, (Reads(step),), (out,), periods=self.inputs[0].beats)

    @property
    def _latency(self) -> int:
        return OPERANDS + self._function.latency

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency, 1)

    def execute(self, *inputs: IntArray) -> IntArray:
        return self._function(*self._ordered(inputs[0], self.parameters))

    def resources(self, part: str | None = None) -> Resources:
        """The memory of parameters and its address, input that waits for it, the lanes, and the output buffer."""
        fab, order = fabric(part), self.sequence
        lane = self._function.resources(fab, self.input_dtype, self.parameter_dtype, self._checked)
        memory = fab.rom(self.lanes * self.parameter_dtype.bitwidth(), order.words, self.ram_style)
        delays = fab.delay * self.inputs[0].width
        used = memory + Resources(LUT=self.PE * lane.LUT + delays, DSP=self.PE * lane.DSP)
        return used + counters([order.words, order.hold]) + fab.credit_fifo(self.outputs[0].width, self._output_depth)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memory in each style, as far as that makes a difference."""
        styles = [self.with_config(ram_style=s).resources(part) for s in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def op_and_param_counts(self) -> dict[str, int]:
        stored = self.parameter_dtype.bitwidth()
        counts = {f"param_{self.function.lower()}_{stored}b": prod(self.parameters.shape)}
        if self.function == "Mul":
            narrow, wide = sorted((stored, self.input_dtype.bitwidth()))
            counts[f"op_mul_{narrow}bx{wide}b"] = prod(self.shape)
        return counts

    def hls(self) -> Hls:
        words = self.parameters.reshape(-1, self.lanes)
        table = CppObject("Table", (self.parameter_dtype, *words.shape), words, self.parameter_dtype)
        config = {"PE": self.PE, **self.sequence.parameters()}
        objects = (self._function.hls(bool(self.left)), table)
        return Hls("channelwise_op", "ChannelwiseOp", config, {"Output": self._checked}, objects)

    def rtl(self) -> Rtl:
        words = to_bits(self.parameters.reshape(-1, self.lanes), self.parameter_dtype)
        return Rtl(
            "channelwise_op",
            {
                "PE": self.PE,
                "Function": self._function.code,
                "Left": self.left,
                "InBits": self.input_dtype.bitwidth(),
                "InKind": kind(self.input_dtype),
                "CLanes": self.lanes,
                "CBits": self.parameter_dtype.bitwidth(),
                "CKind": kind(self.parameter_dtype),
                **self.sequence.parameters(),
                "OutBits": self._checked.bitwidth(),
                "OutKind": kind(self._checked),
                "OutDepth": self._output_depth,
                "RamStyle": self.ram_style,
            },
            {"_constants.dat": hex_words(words.reshape(len(words), -1))},
        )
