"""Data type inference."""

from __future__ import annotations

from onnx import NodeProto, TensorProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import node_levels
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import Transformation

_ACCUMULATING = frozenset({"MatMul", "Gemm", "Conv", "Add", "Sub", "Mul"})
_KEEPING = frozenset(
    {"Reshape", "Transpose", "Flatten", "Slice", "Gather", "GatherElements", "GatherND", "Identity", "Expand"}
    | {"MaxPool", "GlobalMaxPool", "Scatter", "ScatterElements", "ScatterND", "Squeeze", "Unsqueeze", "Tile"}
    | {"Pad", "Concat", "Clip", "Split", "Relu"}
)
_INDEX_OUTPUT = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}


class InferDataTypes(Transformation):
    """Annotate every tensor with its data type, in one pass from the inputs to the outputs.

    Integer arithmetic gives INT32 (UINT32 if nothing is signed), or what an earlier, finer analysis has annotated;
    shape operators keep the type of their input; quantizers and thresholds know theirs; Sign gives TERNARY, since ONNX
    has sign(0) == 0; everything else keeps an integer annotation, or is FLOAT32.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        levels = node_levels(model.graph)
        nodes = [node for _, node in sorted(zip(levels, model.graph.node, strict=True), key=lambda pair: pair[0])]
        with model.trusted_index():
            for node in nodes:
                if is_custom_domain(node.domain):
                    getCustomOp(node).infer_node_datatype(model)
                else:
                    _infer_standard(model, node)
        return model, False


def _infer_standard(model: ModelWrapper, node: NodeProto) -> None:
    if node.op_type in _ACCUMULATING:
        _annotate(model, node.output[0], infer_mac_result_dtype(model, node))
    elif node.op_type in _KEEPING and _float_or_annotated(model, node):
        for name in node.output:
            _annotate(model, name, _kept(model, node))
    elif node.op_type == "Sign":
        _annotate(model, node.output[0], DataType["TERNARY"])
    elif node.op_type in _INDEX_OUTPUT and len(node.output) > _INDEX_OUTPUT[node.op_type]:
        _annotate(model, node.output[_INDEX_OUTPUT[node.op_type]], DataType["UINT32"])
        if node.op_type == "TopK":
            _annotate(model, node.output[0], model.get_tensor_datatype(node.input[0]))


def _annotate(model: ModelWrapper, name: str, datatype: BaseDataType) -> None:
    if name and model.get_tensor_datatype(name) != datatype:
        model.set_tensor_datatype(name, datatype)


def _float_or_annotated(model: ModelWrapper, node: NodeProto) -> bool:
    """Whether the node moves data rather than shapes and indices."""
    return model.get_tensor_elem_type(node.input[0]) != TensorProto.INT64


def _kept(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    types = {model.get_tensor_datatype(name) for name in node.input if name}
    first = model.get_tensor_datatype(node.input[0])
    if node.op_type == "Concat" and len(types) > 1:
        if all(kind.is_integer() for kind in types):
            return DataType.spanning(min(kind.min() for kind in types), max(kind.max() for kind in types))
        return DataType["FLOAT32"]
    if node.op_type == "Relu" and first.is_integer() and first.signed():
        return DataType.spanning(0, max(first.max(), 0))
    if node.op_type in ("Clip", "Pad") and first == "BIPOLAR":
        return DataType["TERNARY"]  # the bounds and the padding may be 0
    return first


def infer_mac_result_dtype(model: ModelWrapper, node: NodeProto) -> BaseDataType:
    """The type of a sum of products of the inputs of `node`."""
    types = [model.get_tensor_datatype(name) for name in node.input if name]
    old = model.get_tensor_datatype(node.output[0])
    if not all(kind.is_integer() for kind in types):
        return DataType["FLOAT32"]
    if old.is_integer():
        return old
    signed = node.op_type == "Sub" or any(kind.signed() for kind in types)
    return DataType["INT32" if signed else "UINT32"]
