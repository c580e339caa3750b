"""Exact ranges of integer tensors, per channel.

An interval is carried for every channel (last axis); a product with constant weights picks, for each weight, the end of
the interval that pulls the sum furthest. The bounds are reached as long as the inputs vary independently of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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


def integer_ranges(model: ModelWrapper) -> dict[str, Range]:
    """Range of every integer tensor of an integer graph (as `streamline` makes it). For use with `model.analysis`.

    Graph inputs contribute their annotated datatype; a tensor is missing where no rule derives its range.
    """
    ranges = {
        i.name: Range.of(model.get_tensor_datatype(i.name))
        for i in model.graph.input
        if model.get_tensor_datatype(i.name).is_integer()
    }
    for node in model.graph.node:
        constants = [model.get_initializer(name) for name in node.input[1:]]
        source, out = ranges.get(node.input[0]), node.output[0]
        if node.op_type == "MultiThreshold" and source is None:
            ranges[out] = Range.of(model.get_tensor_datatype(out))
        elif source is None:
            continue
        elif node.op_type in {"Identity", "Cast"} or (node.op_type in {"Reshape", "Flatten"} and source.low.ndim == 0):
            ranges[out] = source
        elif node.op_type == "MatMul" and constants[0] is not None:
            ranges[out] = matmul_range(source, constants[0].astype(np.int64))
        elif node.op_type == "MultiThreshold" and constants[0] is not None:
            attributes = {a.name: a.f for a in node.attribute}
            scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
            ranges[out] = threshold_range(source, constants[0], scale, bias)
    return ranges
