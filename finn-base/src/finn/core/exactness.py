"""Which integer computations are too wide for float32, by the data type annotations.

float32 holds every integer up to 2^24, float64 up to 2^53. A sum of products is exact if the sum of the magnitudes of
its terms stays below that limit, whatever the order of the summation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, TensorProto

from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import blaming, describe

FLOAT32_LIMIT = 2**24
FLOAT64_LIMIT = 2**53
INT64_LIMIT = 2**63
_ARITHMETIC = frozenset({"Add", "Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", "ReduceSum", "Sub", "Sum"})
_PASS = frozenset(
    {"ArgMax", "Clip", "Concat", "Flatten", "Gather", "Identity", "MaxPool", "Neg", "Relu", "Reshape", "Slice"}
    | {"Squeeze", "TopK", "Transpose", "Unsqueeze"}
)


@dataclass
class Exactness:
    """dtypes: by id of a node that must not run in float32, the type to compute in; wide: tensors beyond 2^24."""

    dtypes: dict[int, type[np.generic]] = field(default_factory=dict)
    wide: set[str] = field(default_factory=set)


def analyse(model: ModelWrapper, order: list[NodeProto]) -> Exactness:
    """Find the nodes of `order` (topologically sorted) whose integers exceed float32.

    UnsupportedError if they exceed 64 bits.
    """
    bounds = _Bounds(model)
    result = Exactness()
    for value in model.graph.input:
        if bounds.annotated(value.name) > FLOAT32_LIMIT and not model.has_initializer(value.name):
            result.wide.add(value.name)
    for node in order:
        if node.domain in ("", "ai.onnx"):
            with blaming(node, "analysed"):
                _analyse_standard(node, bounds, result)
        else:
            result.wide.update(name for name in node.output if bounds.annotated(name) > FLOAT32_LIMIT)
    return result


def _analyse_standard(node: NodeProto, bounds: _Bounds, result: Exactness) -> None:
    widened = any(name in result.wide for name in node.input)
    if node.op_type in _ARITHMETIC and all(bounds.is_integer(name) for name in _summands(node)):
        terms = bounds.of_terms(node)
        bounds.computed[node.output[0]] = terms
        if terms > FLOAT32_LIMIT or widened:
            result.dtypes[id(node)] = _type_for(node, terms)
            if min(terms, bounds.annotated(node.output[0], terms)) > FLOAT32_LIMIT:
                result.wide.add(node.output[0])
    elif node.op_type in _PASS and widened:
        first = max(bounds.of(name) for name in node.input if name in result.wide)
        result.dtypes[id(node)] = _type_for(node, first)
        if node.op_type != "ArgMax":
            bounds.computed[node.output[0]] = first
            result.wide.add(node.output[0])
    elif node.op_type in _PASS and node.input and bounds.is_integer(node.input[0]) and node.op_type != "ArgMax":
        if node.op_type != "Concat":
            bounds.computed[node.output[0]] = bounds.of(node.input[0])
    elif widened or bounds.mixes_float_types(node):
        result.dtypes[id(node)] = np.float64
        result.wide.update(name for name in node.output if bounds.annotated(name) > FLOAT32_LIMIT)


def _summands(node: NodeProto) -> list[str]:
    """The inputs that are numbers, not axes."""
    return [name for name in (node.input[:1] if node.op_type == "ReduceSum" else node.input) if name]


def _type_for(node: NodeProto, bound: int) -> type[np.generic]:
    if bound >= INT64_LIMIT:
        raise UnsupportedError(
            f"integers reach {bound:.3g}, beyond 64 bits",
            where=f"node {describe(node)}",
            remedy="annotate its inputs with narrower data types",
        )
    return np.float64 if bound <= FLOAT64_LIMIT else np.int64


class _Bounds:
    """Largest magnitudes of integer tensors."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.computed: dict[str, int] = {}
        self._constants: dict[str, np.ndarray | None] = {}

    def annotated(self, name: str, otherwise: int = 0) -> int:
        datatype = self.model.get_tensor_datatype(name)
        if not datatype.is_integer():
            return otherwise
        return int(max(abs(datatype.min()), abs(datatype.max())))

    def constant(self, name: str) -> np.ndarray | None:
        """The magnitudes of an integer-valued constant as float64, else None."""
        if name not in self._constants:
            value = self.model.get_initializer(name)
            self._constants[name] = np.abs(value.astype(np.float64)) if value is not None and _whole(value) else None
        return self._constants[name]

    def is_integer(self, name: str) -> bool:
        if self.model.has_initializer(name):
            return self.constant(name) is not None
        return name in self.computed or self.model.get_tensor_datatype(name).is_integer()

    def of(self, name: str) -> int:
        constant = self.constant(name) if self.model.has_initializer(name) else None
        if constant is not None:
            return int(constant.max(initial=0))
        if name in self.computed:
            return min(self.computed[name], self.annotated(name, self.computed[name]))
        return self.annotated(name)

    def of_terms(self, node: NodeProto) -> int:
        """The sum of the magnitudes of everything that is added up in one output element."""
        magnitudes = [self.of(name) for name in _summands(node)]
        if node.op_type in ("Add", "Sub", "Sum"):
            return sum(magnitudes)
        if node.op_type == "Mul":
            return math.prod(magnitudes)
        if node.op_type == "ReduceSum":
            return magnitudes[0] * math.prod(self.model.get_tensor_shape(node.input[0]) or [1])
        if node.op_type in ("Conv", "ConvTranspose"):
            return self._of_convolution(node, *magnitudes)
        total = self._of_product(node, magnitudes[0], magnitudes[1])
        if node.op_type == "Gemm":
            factors = {item.name: abs(item.f) for item in node.attribute if item.name in ("alpha", "beta")}
            total = int(np.ceil(total * factors.get("alpha", 1.0)))
            if len(magnitudes) > 2:
                total += int(np.ceil(magnitudes[2] * factors.get("beta", 1.0)))
        return total

    def _of_convolution(self, node: NodeProto, x: int, weight: int, bias: int = 0) -> int:
        """weights: (M, C/group, *kernel), of ConvTranspose (C, M/group, *kernel): sums run over all but M."""
        values = self.constant(node.input[1]) if self.model.has_initializer(node.input[1]) else None
        output = 0 if node.op_type == "Conv" else 1
        if values is not None:
            summed = tuple(axis for axis in range(values.ndim) if axis != output)
            return x * int(values.sum(axis=summed).max(initial=0)) + bias
        shape = self.model.get_tensor_shape(node.input[1]) or [1, 1]
        return x * weight * math.prod(dim or 1 for axis, dim in enumerate(shape) if axis != output) + bias

    def _of_product(self, node: NodeProto, a: int, b: int) -> int:
        transposed = {item.name: bool(item.i) for item in node.attribute if item.name in ("transA", "transB")}
        right, left = (self._magnitudes(node.input[i]) for i in (1, 0))
        if right is not None and right.ndim >= 1:
            axis = -1 if transposed.get("transB") or right.ndim == 1 else -2
            return a * int(right.sum(axis=axis).max(initial=0))
        if left is not None and left.ndim >= 1:
            return b * int(left.sum(axis=-2 if transposed.get("transA") else -1).max(initial=0))
        shape = self.model.get_tensor_shape(node.input[0])
        depth = shape[-2 if transposed.get("transA") and len(shape) > 1 else -1] if shape else 0
        return a * b * max(depth, 1)

    def _magnitudes(self, name: str) -> np.ndarray | None:
        return self.constant(name) if self.model.has_initializer(name) else None

    def mixes_float_types(self, node: NodeProto) -> bool:
        """Whether float32 and float64 meet in an arithmetic node: no ONNX type, but how wide constants look."""
        if node.op_type not in _ARITHMETIC | {"Div"}:
            return False
        kinds = {self.model.get_tensor_elem_type(name) for name in node.input if name}
        return {TensorProto.FLOAT, TensorProto.DOUBLE} <= kinds


def _whole(value: np.ndarray) -> bool:
    """Whether all elements are integers; a look at the first ones spares most weights the rest."""
    if value.dtype.kind not in "fiu":
        return False
    parts = (value.reshape(-1)[:64], value)
    return all(bool(np.all(np.isfinite(part)) and np.all(np.trunc(part) == part)) for part in parts)
