"""Data type inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from onnx import NodeProto, TensorProto, numpy_helper

from finn.core.datatype import BaseDataType, DataType, ScaledIntType
from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import blaming, node_levels
from finn.custom_op.registry import op_for
from finn.transformation.base import Transformation

_ACCUMULATING = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Add", "Sub", "Mul"})
_MOVING = frozenset(
    {"Reshape", "Transpose", "Flatten", "Slice", "Gather", "GatherElements", "GatherND", "Identity", "Expand"}
    | {"MaxPool", "GlobalMaxPool", "Squeeze", "Unsqueeze", "Tile", "Split", "Resize", "Upsample"}
)
_INDEX_OUTPUT = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}


class InferDataTypes(Transformation):
    """Annotate every tensor with its data type, in one pass from the inputs to the outputs.

    Integer arithmetic gives INT32 (UINT32 if nothing is signed), or what an earlier, finer analysis has annotated;
    arithmetic on scaled integers and fixed point gives SCALEDINT<32>; operators that move values keep the type of
    their input, widened by what they add to it (padding, bounds, other inputs); QuantizeLinear gives the type of its
    zero point, DequantizeLinear SCALEDINT<n>; quantizers and thresholds know theirs; Sign gives TERNARY, since ONNX has
    sign(0) == 0; everything else keeps its annotation. What is nothing of this is FLOAT32, or FLOAT16 in a float16
    tensor.

    allow_scaledint_dtypes: keep SCALEDINT<n>, a mark for cost models; otherwise it becomes FLOAT32.
    """

    def __init__(self, allow_scaledint_dtypes: bool = False) -> None:
        super().__init__()
        self._allow_scaledint = allow_scaledint_dtypes

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        levels = node_levels(model.graph)
        nodes = [node for _, node in sorted(zip(levels, model.graph.node, strict=True), key=lambda pair: pair[0])]
        functions = {(function.domain, function.name) for function in model.model.functions}
        with model.trusted_index():
            for node in nodes:
                if (node.domain, node.op_type) in functions:
                    continue  # what a local function does to data types is not looked into
                if is_custom_domain(node.domain):
                    with blaming(node, "understood for its data type"):
                        op_for(model, node).infer_node_datatype(model)
                else:
                    for name, datatype in _inferred(model, node):
                        _annotate(model, name, datatype)
                if not self._allow_scaledint:
                    _forget_scales(model, node)
        return model, False


def is_scaled_int(x: BaseDataType) -> bool:
    """Whether the values are integers times a scale: integer, fixed point or scaled integer types."""
    return x.is_integer() or x.is_fixed_point() or isinstance(x, ScaledIntType)


def infer_mac_result_dtype(
    idtypes: Sequence[BaseDataType], odtype_orig: BaseDataType, possible_negation: bool
) -> BaseDataType:
    """The type of a sum of products of values of idtypes.

    odtype_orig: the annotation so far, which stays if it is as exact as the inputs are (an integer type for integers,
    an integer or fixed point type for fixed point). possible_negation: whether terms may be subtracted.
    """
    if all(kind.is_integer() for kind in idtypes):
        signed = possible_negation or any(kind.signed() for kind in idtypes)
        return odtype_orig if odtype_orig.is_integer() else DataType["INT32" if signed else "UINT32"]
    if all(is_scaled_int(kind) for kind in idtypes):
        exact = all(kind.is_integer() or kind.is_fixed_point() for kind in (*idtypes, odtype_orig))
        return odtype_orig if exact else DataType["SCALEDINT<32>"]
    return DataType["FLOAT32"]


def _annotate(model: ModelWrapper, name: str, datatype: BaseDataType) -> None:
    if datatype == "FLOAT32" and model.get_tensor_elem_type(name) == TensorProto.FLOAT16:
        datatype = DataType["FLOAT16"]
    if name and model.get_tensor_datatype(name) != datatype:
        model.set_tensor_datatype(name, datatype)


def _forget_scales(model: ModelWrapper, node: NodeProto) -> None:
    for name in filter(None, node.output):
        if isinstance(model.get_tensor_datatype(name), ScaledIntType):
            model.set_tensor_datatype(name, DataType["FLOAT32"])


def _inferred(model: ModelWrapper, node: NodeProto) -> Iterable[tuple[str, BaseDataType]]:
    """(output, data type) of a standard node, for every output that has to be annotated."""
    if node.op_type in _ACCUMULATING:
        return [(node.output[0], _mac_result(model, node))]
    if node.op_type in _INDEX_OUTPUT:
        return _with_indices(model, node)
    rule = _RULES.get(node.op_type)
    if rule is None or not _is_data(model, node):
        return [(name, model.get_tensor_datatype(name)) for name in node.output if name]
    outputs = node.output[:1] if node.op_type == "MaxPool" else node.output  # its second output has indices
    datatype = rule(model, node)
    return [(name, datatype) for name in outputs if name]


def _is_data(model: ModelWrapper, node: NodeProto) -> bool:
    """Whether the node moves data rather than shapes and indices."""
    return model.get_tensor_elem_type(node.input[0]) != TensorProto.INT64


def _first(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    return model.get_tensor_datatype(node.input[0])


def _mac_result(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    types = [model.get_tensor_datatype(name) for name in node.input if name]
    negated = node.op_type == "Sub"
    if node.op_type == "Gemm":
        factors = [item.f for item in node.attribute if item.name in ("alpha", "beta")]
        if not all(factor.is_integer() for factor in factors):
            types.append(DataType["FLOAT32"])
        negated = any(factor < 0 for factor in factors)
    return infer_mac_result_dtype(types, model.get_tensor_datatype(node.output[0]), negated)


def _with_indices(model: ModelWrapper, node: NodeProto) -> Iterable[tuple[str, BaseDataType]]:
    if len(node.output) > _INDEX_OUTPUT[node.op_type] and node.output[_INDEX_OUTPUT[node.op_type]]:
        yield node.output[_INDEX_OUTPUT[node.op_type]], DataType["UINT32"]
    if node.op_type == "TopK" and node.output[0]:
        yield node.output[0], _first(model, node)


def _moved(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    """Of operators that only move values; Resize and Upsample do if they take the nearest neighbour."""
    if node.op_type in ("Resize", "Upsample"):
        mode = next((item.s for item in node.attribute if item.name == "mode"), b"nearest")
        if mode != b"nearest":
            return model.get_tensor_datatype(node.output[0])
    return _first(model, node)


def _clipped(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    """The type of the input, or a wider one if a constant bound that has an effect is none of its values."""
    datatype = _first(model, node)
    if not (datatype.is_integer() or datatype.is_fixed_point()):
        return datatype
    low, high = _parameter(model, node, 1, "min"), _parameter(model, node, 2, "max")
    ends = [datatype.min(), datatype.max()]
    if low is not None:
        ends = [max(end, low) for end in ends]
    if high is not None:
        ends = [min(end, high) for end in ends]
    return _widened(datatype, ends)


def _padded(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    mode = next((item.s for item in node.attribute if item.name == "mode"), b"constant")
    value = _parameter(model, node, 2, "value")
    return _widened(_first(model, node), [0.0 if value is None else value] if mode == b"constant" else [])


def _rectified(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    datatype = _first(model, node)
    if datatype.is_integer() and datatype.signed():
        return DataType.spanning(0, max(datatype.max(), 0))
    return datatype


def _joined(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    return _union([model.get_tensor_datatype(name) for name in node.input if name])


def _scattered(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    reduction = next((item.s for item in node.attribute if item.name == "reduction"), b"none")
    if reduction in (b"add", b"mul"):
        return model.get_tensor_datatype(node.output[0])
    return _union([model.get_tensor_datatype(node.input[position]) for position in (0, 2)])


def _quantized(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    """ONNX: the type of the zero point, or output_dtype, or UINT8."""
    kind = next((item.i for item in node.attribute if item.name == "output_dtype" and item.i), TensorProto.UINT8)
    if len(node.input) > 2 and node.input[2]:
        kind = model.get_tensor_elem_type(node.input[2])
    return _of_elem_type(kind) or DataType["FLOAT32"]


def _dequantized(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    integer = _first(model, node)
    if not integer.is_integer():
        integer = _of_elem_type(model.get_tensor_elem_type(node.input[0])) or integer
    return DataType[f"SCALEDINT<{integer.bitwidth()}>"] if integer.is_integer() else DataType["FLOAT32"]


_RULES: dict[str, Callable[[ModelWrapper, NodeProto], BaseDataType]] = {
    **dict.fromkeys(_MOVING, _moved),
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), _scattered),
    "Clip": _clipped,
    "Concat": _joined,
    "DequantizeLinear": _dequantized,
    "Pad": _padded,
    "QuantizeLinear": _quantized,
    "Relu": _rectified,
    "Sign": lambda model, node: DataType["TERNARY"],
}


def _union(types: list[BaseDataType]) -> BaseDataType:
    """The narrowest type of all values: one of `types` if they agree, an integer type, or FLOAT32."""
    if len(set(types)) == 1:
        return types[0]
    if all(kind.is_integer() for kind in types):
        return DataType.spanning(min(kind.min() for kind in types), max(kind.max() for kind in types))
    return DataType["FLOAT32"]


def _widened(datatype: BaseDataType, values: Sequence[float]) -> BaseDataType:
    """`datatype`, or a type that has `values`, too."""
    if not is_scaled_int(datatype) or isinstance(datatype, ScaledIntType) or all(map(datatype.allowed, values)):
        return datatype
    if not datatype.is_integer() or not all(float(value).is_integer() for value in values):
        return DataType["FLOAT32"]
    return DataType.spanning(min(datatype.min(), *values), max(datatype.max(), *values))


def _parameter(model: ModelWrapper, node: NodeProto, position: int, key: str) -> float | None:
    """A scalar that is an attribute in old opsets and a constant input in new ones; None if it is not known."""
    for item in node.attribute:
        if item.name == key:
            return float(item.f)
    if len(node.input) <= position or not node.input[position]:
        return None
    value = model.get_initializer(node.input[position])
    if value is None:
        producer = model.find_producer(node.input[position])
        tensor = next((a.t for a in producer.attribute if a.name == "value"), None) if producer is not None else None
        value = numpy_helper.to_array(tensor) if tensor is not None else None
    return float(np.asarray(value).ravel()[0]) if value is not None and np.size(value) == 1 else None


def _of_elem_type(kind: int) -> BaseDataType | None:
    """The integer type of an ONNX element type such as TensorProto.INT8, or None."""
    name = TensorProto.DataType.Name(kind)
    return DataType[name] if "INT" in name else None
