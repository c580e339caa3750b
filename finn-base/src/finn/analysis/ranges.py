"""Exact ranges of integer tensors, per channel.

An interval is carried for every channel; a product with constant weights picks, for each weight, the end of the
interval that pulls the sum furthest. The bounds are reached as long as the inputs vary independently of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.interval_rules import Call, is_integer_kind
from finn.analysis.intervals import EXACT, Interval
from finn.analysis.value_ranges import Propagation
from finn.core.datatype import BaseDataType, DataType
from finn.core.modelwrapper import ModelWrapper

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Range:
    """Inclusive bounds of an integer tensor.

    low, high : int64 of one shape that broadcasts to the tensor: () for one range, (C,) for one per channel.
    """

    low: IntArray
    high: IntArray

    def __post_init__(self) -> None:
        if np.shape(self.low) != np.shape(self.high):
            raise ValueError(f"low has shape {np.shape(self.low)}, high {np.shape(self.high)}; they must be the same")

    @classmethod
    def of(cls, datatype: BaseDataType) -> Range:
        """All values of an integer datatype."""
        return cls(np.array(int(datatype.min()), np.int64), np.array(int(datatype.max()), np.int64))

    @property
    def span(self) -> tuple[int, int]:
        """The least and the greatest value in any channel."""
        return int(np.min(self.low)), int(np.max(self.high))

    @property
    def datatype(self) -> BaseDataType:
        """The narrowest integer datatype for all channels."""
        return DataType.spanning(*self.span)

    def map(self, f: Callable[[IntArray], IntArray]) -> Range:
        """The bounds rearranged by `f`, e.g. reshaped."""
        return Range(f(self.low), f(self.high))


def matmul_range(x: Range, weights: IntArray) -> Range:
    """Range of x @ weights, per column.

    weights : (MW, MH) integers; x has one range, or one for each of the MW inputs.
    """
    rises, falls = np.maximum(weights, 0), np.minimum(weights, 0)
    low, high = (np.broadcast_to(bound, weights.shape[:1]) for bound in (x.low, x.high))
    return Range(low @ rises + high @ falls, high @ rises + low @ falls)


def partial_sum_bound(x: Range, weights: IntArray) -> float:
    """No partial sum of x @ weights exceeds this magnitude, in whatever order it is summed."""
    reach = np.broadcast_to(np.maximum(np.abs(x.low), np.abs(x.high)), weights.shape[:1]).astype(np.float64)
    return float((reach @ np.abs(weights).astype(np.float64)).max(initial=0.0))


def threshold_range(x: Range, thresholds: npt.NDArray[Any], scale: float, bias: float) -> Range:
    """Range of scale * count(x >= thresholds) + bias, per channel. thresholds : (C or 1, N); scale > 0."""
    counts = ((bound.reshape(-1, 1) >= thresholds).sum(1) for bound in (x.low, x.high))
    return Range(*((scale * count + bias).astype(np.int64) for count in counts))


def narrowest_weight_type(weights: npt.NDArray[Any]) -> BaseDataType:
    """The narrowest datatype whose values contain `weights`; the 1- and 2-bit special types where they fit."""
    low, high = int(weights.min()), int(weights.max())
    if (low, high) == (-1, 1):
        return DataType["TERNARY" if (weights == 0).any() else "BIPOLAR"]
    return DataType["BINARY"] if low >= 0 and high <= 1 else DataType.spanning(low, high)


WHOLE = frozenset(
    {"Abs", "Add", "Cast", "Clip", "Concat", "Conv", "ConvTranspose", "Expand", "Flatten", "Gather", "Gemm", "Identity"}
    | {"MatMul", "Max", "MaxPool", "MaxPoolNHWC", "Min", "Mul", "Neg", "Pad", "ReduceMax", "ReduceMin", "ReduceSum"}
    | {"Relu", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Sub", "Sum", "Tile", "TopK", "Transpose", "Unsqueeze"}
)
"""Operators that make integers of integers, if their attributes are integers and Resize takes the nearest."""


def integer_ranges(model: ModelWrapper) -> dict[str, Range]:
    """Range of every computed integer tensor, per entry of the last axis. For use with `model.analysis`.

    Integer are the tensors that are annotated as such, and what operators make of integers alone. Graph inputs and
    quantizers of floats contribute their annotated datatype. A tensor is missing where nothing bounds it within 2^53.
    """
    intervals = integer_intervals(model)
    return {name: range_of(x) for name, x in intervals.items() if not model.has_initializer(name)}


def integer_intervals(model: ModelWrapper) -> dict[str, Interval]:
    """As `integer_ranges`, along every axis."""
    whole = _whole_tensors(model)
    propagation = Propagation(model, {}, keep_constants=False)

    def refine(call: Call) -> None:
        node = call.node
        if node.op_type == "MultiThreshold" and node.input[0] not in whole:
            declared = propagation.of_datatype(node.output[0])
            if declared.is_finite:
                propagation.intervals[node.output[0]] = declared

    found = propagation.run(refine).intervals
    return {name: x for name, x in found.items() if name in whole and -EXACT <= x.span[0] <= x.span[1] <= EXACT}


def range_of(x: Interval) -> Range:
    """The bounds along the last axis, () if they are all the same."""
    along = x.over(range(x.low.ndim - 1))
    low, high = (bound.reshape(-1).astype(np.int64) for bound in (along.low, along.high))
    uniform = low.size and (low == low[0]).all() and (high == high[0]).all()
    return Range(low[0].reshape(()), high[0].reshape(())) if uniform else Range(low, high)


def _whole_tensors(model: ModelWrapper) -> set[str]:
    """The tensors that consist of integers."""
    names = [value.name for value in model.graph.input]
    names += [name for node in model.graph.node for name in (*node.input, *node.output)]
    whole = {name for name in dict.fromkeys(names) if name and _is_marked_whole(model, name)}
    for node in model.graph.node:
        if _makes_whole(node, whole):
            whole.update(filter(None, node.output))
    return whole


def _is_marked_whole(model: ModelWrapper, name: str) -> bool:
    """By its annotation, its element type, or as a constant its values."""
    if model.get_tensor_datatype(name).is_integer() or is_integer_kind(model.get_tensor_elem_type(name)):
        return True
    value = model.get_initializer(name)
    return value is not None and value.dtype.kind == "f" and bool((np.trunc(value) == value).all())


def _makes_whole(node: NodeProto, whole: set[str]) -> bool:
    if not all(attribute.f.is_integer() for attribute in node.attribute):
        return False
    if node.op_type == "MultiThreshold":
        return True  # a count, whatever goes in
    if any(a.name == "mode" and a.s not in (b"nearest", b"constant") for a in node.attribute):
        return False
    return node.op_type in WHOLE and all(not name or name in whole for name in node.input)
