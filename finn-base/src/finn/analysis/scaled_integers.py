"""Scaled-integer range analysis: which tensors of a quantized network are scale * integer + bias, and of what range.

It reads networks as they are exported: quantizers and floating-point operators. Nothing is changed, and nothing has to
be streamlined before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from finn.analysis.interval_rules import Call
from finn.analysis.intervals import Array, Interval, Unknown, reason_of
from finn.analysis.ranges import Range
from finn.analysis.scaled_rules import SCALED, Scaled, ScaledCall
from finn.analysis.value_ranges import Inputs, Note, Propagation, ValueRanges, is_foreign
from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe


@dataclass(frozen=True, eq=False)
class TensorRange:
    """interval : of x. If x consists of scaled integers: x == scale * q + bias.

    scale (> 0), bias : float64, broadcast to x and have its rank; integers : the range of q. All three are None for
    other tensors. datatype : the narrowest one of q, FLOAT32 for other tensors.
    """

    interval: Interval
    scale: Array | None = None
    bias: Array | None = None
    integers: Range | None = None
    datatype: BaseDataType = field(default_factory=lambda: DataType["FLOAT32"])

    @classmethod
    def of(cls, interval: Interval, x: Scaled | None) -> TensorRange:
        if x is None:
            return cls(interval)
        integers = Range(x.q.low.astype(np.int64), x.q.high.astype(np.int64))
        return cls(interval, x.scale, x.bias, integers, x.q.datatype)


@dataclass(frozen=True, eq=False)
class Accumulator:
    """The sum of products that `node` computes in integers, bias not included.

    integers : its range, per channel; datatype : the narrowest one of all channels. In two's complement the partial
    sums may overflow it; the sum is right nevertheless.
    """

    node: str
    op_type: str
    integers: Range
    datatype: BaseDataType


@dataclass
class ScaledIntegers:
    """tensors : every tensor but initializers; accumulators : by the output of the node.

    notes : where nothing is known of the values; losses : where scaled integers went in and none came out.
    """

    tensors: dict[str, TensorRange] = field(default_factory=dict)
    accumulators: dict[str, Accumulator] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    losses: list[Note] = field(default_factory=list)


def scaled_integers(model: ModelWrapper, inputs: Inputs | None = None) -> ScaledIntegers:
    """Scale, bias and range of every tensor. inputs : as of `value_ranges`.

    Exact: scale and bias are computed in float64 from the parameters of the network, and an execution in exact
    arithmetic gives a whole q in its range. Parameters that are equal but for the rounding of float32 count as equal.
    """
    return _ScaledPropagation(model, inputs or {}).analysed()


def minimal_accumulators(model: ModelWrapper, inputs: Inputs | None = None) -> dict[str, Accumulator]:
    """{output tensor: accumulator} of every MatMul, Gemm, Conv and ConvTranspose on scaled integers."""
    return scaled_integers(model, inputs).accumulators


class _ScaledPropagation(Propagation):
    def __init__(self, model: ModelWrapper, inputs: Inputs) -> None:
        super().__init__(model, inputs)
        self.scaled: dict[str, Scaled | None] = {}
        self.result = ScaledIntegers()
        self.initializers = {tensor.name for tensor in model.graph.initializer}
        for value in model.graph.input:
            if value.name not in self.initializers:
                self.scaled[value.name] = self._input(value.name)

    def analysed(self) -> ScaledIntegers:
        ranges: ValueRanges = self.run(self._refine)
        for name, interval in ranges.intervals.items():
            if name not in self.initializers:
                self.result.tensors[name] = TensorRange.of(interval, self.scaled.get(name))
        self.result.notes = ranges.notes
        return self.result

    def _input(self, name: str) -> Scaled | None:
        """Integers and fixed-point numbers, by the annotated data type."""
        datatype, x = self.model.get_tensor_datatype(name), self.intervals[name]
        if not (datatype.is_integer() or datatype.is_fixed_point()):
            return None
        step = 1.0 if datatype.is_integer() else float(datatype.scale_factor())  # type: ignore[attr-defined]
        q = Interval.between(np.ceil(x.low / step), np.floor(x.high / step))
        if not (q.low <= q.high).all():
            return None
        ones = np.ones((1,) * x.low.ndim)
        return Scaled(q, ones * step, ones * 0.0)

    def _known(self, name: str) -> Scaled | None:
        """Of a computed tensor or an initializer."""
        if name in self.initializers and name not in self.scaled:
            x = self.intervals.get(name)
            try:
                self.scaled[name] = Scaled.integers(x) if x is not None and x.constant else None
            except Unknown:
                self.scaled[name] = None
        return self.scaled.get(name)

    def _refine(self, call: Call) -> None:
        """Scaled integers of the outputs of a node, and the interval that follows from them."""
        node = call.node
        outputs = tuple(self.intervals[name] for name in node.output if name)
        s = ScaledCall(call, tuple(self._known(name) if name else None for name in node.input), outputs)
        for name, x in zip(filter(None, node.output), self._results(s), strict=False):
            if x is None:
                continue
            interval = self.intervals[name]
            if interval.constant:
                codes = np.rint((interval.low.astype(np.float64) - x.bias) / x.scale)
                x = Scaled(Interval.of_constant(codes), x.scale, x.bias)
            else:
                self.intervals[name] = x.interval.within(interval)
            self.scaled[name] = x
        for q in s.products:
            integers = Range(q.low.astype(np.int64), q.high.astype(np.int64))
            found = Accumulator(describe(node), node.op_type, integers, q.datatype)
            self.result.accumulators[node.output[0]] = found

    def _results(self, s: ScaledCall) -> list[Scaled | None]:
        """By the rule of the operator; [] with a note if scaled integers go in and none come out."""
        node = s.call.node
        entering = any(x is not None for x, i in zip(s.inputs, s.call.inputs, strict=True) if i and not i.constant)
        try:
            if node.op_type not in SCALED or is_foreign(node):
                raise Unknown(f"{node.op_type} computes in floats")
            return list(SCALED[node.op_type](s))
        except (Unknown, FinnError) as error:
            if entering:
                self.result.losses.append(Note(describe(node), node.op_type, reason_of(error)))
            return []
