"""Shape inference, custom operators included."""

from __future__ import annotations

from contextlib import suppress

import onnx
import onnx.shape_inference
from onnx import NodeProto, TensorProto, TypeProto, helper

from finn.core.domains import is_custom_domain
from finn.core.errors import ModelError
from finn.core.index import reads, subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import blaming, describe
from finn.custom_op.registry import op_for
from finn.transformation.base import Transformation

_SMALL = 1024  # elements; larger constants cannot be shapes


class InferShapes(Transformation):
    """Set the shape and element type of every tensor from those of the graph inputs.

    ModelError if shapes contradict each other. Dimensions that depend on symbolic ones stay 0:
    `require_static_shapes` reports them.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        try:
            _infer(model, follow_values=True)
        except ModelError:
            # onnx cannot follow values through stand-ins of several nodes; once the types are known, one node does.
            _infer(model, follow_values=False)
            with suppress(ModelError):
                _infer(model, follow_values=True)
        return model, False


def _infer(model: ModelWrapper, follow_values: bool) -> None:
    """One pass over the graph. follow_values: also compute shapes that are computed in the graph."""
    with model.trusted_index():
        stand_in = _without_custom_ops(model)
        try:
            inferred = onnx.shape_inference.infer_shapes(stand_in, strict_mode=True, data_prop=follow_values)
        except (onnx.shape_inference.InferenceError, MemoryError, RuntimeError, ValueError) as error:
            raise ModelError("the shapes of the model do not fit together", why=_plain(str(error))) from error
        for info in (*inferred.graph.value_info, *inferred.graph.output):
            _record(model, info.name, info.type)


def _record(model: ModelWrapper, name: str, inferred: TypeProto) -> None:
    """Keep what is inferred, if it says more than what is known."""
    tensor = inferred.tensor_type
    if model.has_initializer(name) or not tensor.elem_type:
        return
    info = model.get_tensor_valueinfo(name)
    if info is None:
        model.set_tensor_shape(name, [], tensor.elem_type)
        info = model.get_tensor_valueinfo(name)
    if info is not None and info.type != inferred:
        info.type.CopyFrom(inferred)


def _without_custom_ops(model: ModelWrapper) -> onnx.ModelProto:
    """A copy with standard stand-ins for custom nodes and without the data of large constants."""
    proto = onnx.ModelProto(ir_version=max(model.model.ir_version, 4))
    proto.opset_import.extend(model.model.opset_import)
    proto.functions.extend(model.model.functions)
    graph, source = proto.graph, model.graph
    graph.name = "shapes"
    functions = {(f.domain, f.name) for f in proto.functions}
    for node in source.node:
        custom = is_custom_domain(node.domain) and (node.domain, node.op_type) not in functions
        graph.node.append(_stand_in(model, node) if custom else node)
    constants = {tensor.name for tensor in source.initializer}
    graph.input.extend(value for value in source.input if value.name not in constants)
    for tensor in source.initializer:
        if _elements(tensor) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    graph.output.extend(source.output)
    graph.value_info.extend(info for info in source.value_info if info.name not in constants)
    return proto


def _stand_in(model: ModelWrapper, node: NodeProto) -> NodeProto:
    with blaming(node, "understood for its shape"):
        return op_for(model, node).make_shape_compatible_op(model)


def _elements(tensor: TensorProto) -> int:
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count


def _plain(text: str) -> str:
    return " ".join(text.replace("[ShapeInferenceError]", "").split())


def infer_node_types(model: ModelWrapper, node: NodeProto) -> dict[str, TypeProto]:
    """The types of the outputs of one node from those of its inputs; {} if they cannot be told."""
    if is_custom_domain(node.domain):
        node = _stand_in(model, node)
        if len(list(subgraphs(node))):
            return _infer_with_bodies(model, node)
    opset = model.get_opset_imports().get("", 11)
    types = {name: _type_of(model, name) for name in node.input if name}
    known = {name: kind for name, kind in types.items() if kind is not None}
    constants = {name: t for name in known if (t := _small_constant(model, name)) is not None}
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
        return dict(
            onnx.shape_inference.infer_node_outputs(
                schema, node, known, constants, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
            )
        )
    except (onnx.defs.SchemaError, onnx.shape_inference.InferenceError, KeyError, ValueError):
        return {}


def _infer_with_bodies(model: ModelWrapper, node: NodeProto) -> dict[str, TypeProto]:
    """The same for a stand-in of several nodes: they read tensors of the model that are no inputs of theirs."""
    graph = onnx.GraphProto(name="one_node", node=[node])
    for name in reads(node):
        constant, kind = _small_constant(model, name), _type_of(model, name)
        if constant is not None:
            graph.initializer.append(constant)
        elif kind is not None:
            graph.input.append(helper.make_value_info(name, kind))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output)
    proto = onnx.ModelProto(ir_version=10, graph=graph, opset_import=model.model.opset_import)
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError:
        return {}
    return {value.name: value.type for value in inferred.graph.output}


def _type_of(model: ModelWrapper, name: str) -> TypeProto | None:
    shape = model.get_tensor_shape(name)
    kind = model.get_tensor_elem_type(name)
    if shape is None or not kind:
        return None
    return helper.make_tensor_type_proto(kind, [dim or None for dim in shape])


def _small_constant(model: ModelWrapper, name: str) -> TensorProto | None:
    value = model.get_initializer(name)
    return onnx.numpy_helper.from_array(value, name) if value is not None and value.size <= _SMALL else None


def require_static_shapes(model: ModelWrapper) -> None:
    """ModelError that names the first tensor with a symbolic dimension, a dimension of 0, or no shape at all."""
    inputs = [value.name for value in model.graph.input]
    for name in [*inputs, *(name for name in model.get_all_tensor_names() if name not in inputs)]:
        shape = model.get_tensor_shape(name)
        if shape is not None and all(dim > 0 for dim in shape):
            continue
        producer = model.find_producer(name)
        where = f"tensor '{name}'" + (f" of node {describe(producer)}" if producer is not None else "")
        raise ModelError(
            "its shape is not known" if shape is None else f"its shape is not fixed: [{_dims(model, name)}]",
            where=where,
            remedy="export the model with fixed input shapes, or give override_inpsize to cleanup_model",
        )


def _dims(model: ModelWrapper, name: str) -> str:
    info = model.get_tensor_valueinfo(name)
    dims = info.type.tensor_type.shape.dim if info is not None else []
    return ", ".join(dim.dim_param or (str(dim.dim_value) if dim.HasField("dim_value") else "?") for dim in dims)
