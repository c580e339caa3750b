"""Datatypes of an integer graph, as narrow as the ranges of its tensors allow, and thresholds without idle levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.intervals import Interval
from finn.analysis.ranges import integer_intervals, narrowest_weight_type
from finn.core.datatype import BaseDataType, DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import give_unique_parameter_tensors
from finn.transformation.streamline._levels import reduce_levels

__all__ = [
    "fit_datatypes",
    "minimize_accumulators",
    "minimize_thresholds",
    "minimize_weights",
    "narrow",
    "weight_bits",
]

Array = npt.NDArray[Any]

ACCUMULATING = frozenset({"Add", "Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", "ReduceSum", "Sub", "Sum"})
"""Operators with results wider than their inputs."""

MOVING = frozenset(
    {"Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "MaxPoolNHWC", "Reshape", "Resize"}
    | {"Slice", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze"}
)
"""Operators whose results are elements of their inputs."""

DEFAULT_ACCUMULATOR = DataType["INT32"]


def minimize_accumulators(model: ModelWrapper) -> int:
    """Annotate the sums of an integer graph, and what is made of them, with the narrowest types. Returns how many."""
    return _Types(model).computed(minimal=True)


def minimize_weights(model: ModelWrapper) -> int:
    """Annotate the constants of an integer graph but thresholds with the narrowest types. Returns how many."""
    return _Types(model).constants(minimal=True)


def minimize_thresholds(model: ModelWrapper) -> int:
    """Make the thresholds on integers as few and as narrow as the ranges allow. Returns how many nodes changed.

    Thresholds are rounded up and clipped to low .. high + 1 of what they are compared with; a level that all channels
    always reach becomes part of out_bias, one that none ever reaches goes; equal rows become one. The output gets a
    narrower type if the codes that are left fit one, unless it is an output of the graph.
    """
    types = _Types(model)
    return len(types.levels() | types.thresholds(minimal=True))


def narrow(
    model: ModelWrapper,
    intervals: Mapping[str, Interval] | None = None,
    *,
    accumulators: bool = True,
    weights: bool = True,
    thresholds: bool = True,
) -> Counter[str]:
    """All three, in place: {name of the function: how many changed}. intervals : `integer_intervals`, if known.

    What is switched off: sums are INT32, or wider where they have to be; weights keep their types if these hold them;
    thresholds have the type of what they are compared with, or a wider one.
    """
    types = _Types(model, intervals)
    nodes = types.levels() if thresholds else set()
    sums, constants = types.computed(accumulators), types.constants(weights)
    nodes |= types.thresholds(thresholds)
    return +Counter(
        minimize_accumulators=sums * accumulators,
        minimize_weights=constants * weights,
        minimize_thresholds=len(nodes) * thresholds,
    )


def fit_datatypes(model: ModelWrapper, intervals: Mapping[str, Interval] | None = None) -> None:
    """Change annotations of integers only where they do not hold all values. intervals : as for `narrow`."""
    types = _Types(model, intervals)
    for name, x in types.intervals.items():
        types.annotate(name, _declared_or(types.datatype(name), *x.span))
    types.constants(minimal=False)
    types.thresholds(minimal=False)


def weight_bits(weights: Array) -> int:
    """How many bits a weight has in the narrowest type of all; 0 if there are none."""
    return narrowest_weight_type(weights).bitwidth() if weights.size else 0


class _Types:
    """The annotations of a model, and the ranges that they have to hold."""

    def __init__(self, model: ModelWrapper, intervals: Mapping[str, Interval] | None = None) -> None:
        self.model = model
        with model.trusted_index():
            self.intervals: Mapping[str, Interval] = {
                name: x
                for name, x in (integer_intervals(model) if intervals is None else intervals).items()
                if model.get_tensor_datatype(name).is_integer() and not model.has_initializer(name)
            }

    def datatype(self, name: str) -> BaseDataType:
        return self.model.get_tensor_datatype(name)

    def annotate(self, name: str, datatype: BaseDataType) -> bool:
        """Whether this is new."""
        if self.datatype(name) == datatype:
            return False
        self.model.set_tensor_datatype(name, datatype)
        return True

    # --- computed tensors ---

    def computed(self, minimal: bool) -> int:
        """Annotate all computed tensors but the outputs of MultiThresholds. Returns how many types changed."""
        with self.model.trusted_index():
            outputs = [(node, name) for node in self.model.graph.node for name in node.output if name in self.intervals]
            return sum(
                self.annotate(name, self._of_computed(node, name, minimal))
                for node, name in outputs
                if node.op_type != "MultiThreshold"
            )

    def _of_computed(self, node: NodeProto, name: str, minimal: bool) -> BaseDataType:
        low, high = map(int, self.intervals[name].span)
        narrowest = DataType.spanning(low, high)
        if node.op_type in ACCUMULATING:
            return narrowest if minimal else _declared_or(DEFAULT_ACCUMULATOR, low, high)
        sources = {self.datatype(n) for n in node.input if n and self.datatype(n).is_integer()}
        usual = sources.pop() if node.op_type in MOVING and len(sources) == 1 else self.datatype(name)
        declared = _declared_or(usual, low, high)
        return narrowest if minimal and narrowest.bitwidth() < declared.bitwidth() else declared

    # --- constants ---

    def constants(self, minimal: bool) -> int:
        """Annotate all integer constants but thresholds. Returns how many types changed."""
        with self.model.trusted_index():
            thresholds = {node.input[1] for node in self._multithresholds()}
            names = [tensor.name for tensor in self.model.graph.initializer]
            return sum(self._constant(name, minimal) for name in names if name not in thresholds)

    def _constant(self, name: str, minimal: bool) -> bool:
        declared, value = self.datatype(name), self.model.get_initializer(name)
        if not declared.is_integer() or value is None or not value.size:
            return False
        return self.annotate(name, narrowest_weight_type(value) if minimal or not _holds(declared, value) else declared)

    # --- thresholds ---

    def _multithresholds(self) -> list[NodeProto]:
        """Those that compare integers with constants."""
        return [
            node
            for node in self.model.graph.node
            if node.op_type == "MultiThreshold"
            and self.model.has_initializer(node.input[1])
            and self.datatype(node.input[0]).is_integer()
        ]

    def thresholds(self, minimal: bool) -> set[str]:
        """Annotate the thresholds. Returns the outputs of the nodes whose thresholds have another type now."""
        changed = set()
        with self.model.trusted_index():
            for node in self._multithresholds():
                value, declared = np.asarray(self.model.get_initializer(node.input[1])), self.datatype(node.input[0])
                if not value.size or not (np.trunc(value) == value).all():
                    continue
                low, high = int(value.min()), int(value.max())
                narrowest = DataType.spanning(low, high)
                if self.annotate(node.input[1], narrowest if minimal else _declared_or(declared, low, high)):
                    changed.add(node.output[0])
        return changed

    def levels(self) -> set[str]:
        """Make thresholds as few and as small as they can be. Returns the outputs of the nodes that changed."""
        with self.model.trusted_index():
            give_unique_parameter_tensors(self.model)
            nodes = self._multithresholds()
            return {node.output[0] for node in nodes if reduce_levels(self.model, node, self.intervals)}


def _declared_or(declared: BaseDataType, low: float, high: float) -> BaseDataType:
    """`declared` if it holds low .. high, else the narrowest type that does."""
    return declared if declared.min() <= low and high <= declared.max() else DataType.spanning(int(low), int(high))


def _holds(datatype: BaseDataType, value: Array) -> bool:
    if datatype.name == "BIPOLAR":
        return bool((np.abs(value) == 1).all())
    return bool(datatype.min() <= value.min() and value.max() <= datatype.max())
