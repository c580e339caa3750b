"""Constants in the right sides of rules: with their data type, and moved with the quantizer that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import is_custom_domain
from finn.core.errors import FinnError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_node
from finn.custom_op.general import QDQ, QONNX_QUANTIZERS
from finn.transformation.fold_constants import RANDOM, compute
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, apply, constant, require
from finn.transformation.standard_ops import opset_of

_QUANTIZERS = QONNX_QUANTIZERS | {"FloatQuant"}


class Fixed(Const):
    """Binds a tensor that depends on constants only, such as quantized weights; the rule gets its `TensorRef`."""

    def bind(self, tensor: TensorRef) -> Any:
        if not is_fixed(tensor):
            raise NoMatch(f"{self.name} = '{tensor.name}' is computed from inputs of the model")
        return tensor


def is_fixed(t: TensorRef) -> bool:
    """Whether the tensor depends on constants only."""
    return _makers(t.model, t.name) is not None


def value_of(t: TensorRef) -> np.ndarray:
    """The value of a tensor that depends on constants only. NoMatch for others."""
    value = t.model.get_initializer(t.name)
    if value is not None:
        return value
    nodes = _makers(t.model, t.name)
    if nodes is None:
        raise NoMatch(f"'{t.name}' is no constant")
    if len(nodes) == 1 and nodes[0].op_type == "Constant" and nodes[0].attribute[0].name == "value":
        return numpy_helper.to_array(nodes[0].attribute[0].t)
    return compute(t.model, nodes, {})[t.name]


def shape_of(t: TensorRef) -> tuple[int, ...]:
    """The shape of a tensor that depends on constants only, inferred or not."""
    return t.shape if t.shape is not None and all(t.shape) else value_of(t).shape


def _makers(model: ModelWrapper, name: str) -> list[NodeProto] | None:
    """The nodes that compute a tensor from constants; None if something else is read."""
    nodes: dict[int, NodeProto] = {}
    wanted = [name]
    while wanted:
        tensor = wanted.pop()
        if model.has_initializer(tensor):
            continue
        node = model.find_producer(tensor)
        if node is None or node.op_type in RANDOM:
            return None
        if id(node) not in nodes:
            nodes[id(node)] = node
            wanted += reads(node)
    return list(nodes.values())


def annotated(value: Any, datatype: BaseDataType) -> Any:
    """A call or an array as an operand with this annotation, if the data type says anything."""
    if datatype == "FLOAT32":
        return value
    return value.typed(datatype) if isinstance(value, Call) else constant(value, datatype)


def with_zero(datatype: BaseDataType) -> BaseDataType:
    """The type of values of this type and of 0: BIPOLAR becomes TERNARY, all others have a 0."""
    return DataType["TERNARY"] if datatype == "BIPOLAR" else datatype


def rearranged(t: TensorRef, index: np.ndarray, fold: bool = True) -> Any:
    """The elements of a constant in other places, as an operand with the same data type.

    index: for each element of the result its place in the flattened tensor, or -1 for a zero. A quantizer that makes
    the constant is applied to the rearranged values, with its parameters rearranged; where it would not map zeros to
    zeros, and where the constant is computed in another way, the result is the plain array; NoMatch without `fold`.
    """
    node = t.model.find_producer(t.name)
    if node is not None and not t.model.has_initializer(t.name):
        try:
            return _quantizer(t, node, index)
        except NoMatch:
            if not fold:
                raise
    value = value_of(t)
    result = value.reshape(-1)[index]
    if np.any(index < 0):
        result[index < 0] = 0
        return annotated(result, with_zero(t.datatype))
    return annotated(result, t.datatype)


def transposed(t: TensorRef, perm: Sequence[int]) -> Any:
    """The transpose of a constant as an operand: `rearranged` without its cost.

    NoMatch if that would fold a quantizer.
    """
    node = t.model.find_producer(t.name)
    if node is None or t.model.has_initializer(t.name):
        return annotated(value_of(t).transpose(perm), t.datatype)
    require(is_quantizer(node), "no quantizer")
    data, *params = (TensorRef.of(t.model, name) if name else None for name in node.input)
    if data is None or shape_of(data) != shape_of(t):
        raise NoMatch("the parameters enlarge the shape")
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    require(not attributes.get("block_size"), "quantized by blocks")
    if node.op_type in QDQ:
        axis = attributes.get("axis", 1)
        attributes["axis"] = list(perm).index(axis % len(perm)) if -len(perm) <= axis < len(perm) else axis
        operands: list[Any] = list(params)
    else:
        operands = [None if p is None else _transposed_parameter(p, perm) for p in params]
    return annotated(Call(node.op_type, (transposed(data, perm), *operands), attributes, node.domain), t.datatype)


def _transposed_parameter(param: TensorRef, perm: Sequence[int]) -> Any:
    """A parameter that broadcasts to the transpose as `param` does to the tensor."""
    value = value_of(param)
    if value.size == 1:
        return param
    full = value.reshape((1,) * (len(perm) - value.ndim) + value.shape)
    return annotated(full.transpose(perm), param.datatype)


# ---------------------------------------------------------------------------------------------------------- quantizers


def is_quantizer(node: NodeProto) -> bool:
    """Whether the node quantizes its input 0, or dequantizes it, by the parameters in its other inputs."""
    if is_custom_domain(node.domain):
        return node.op_type in _QUANTIZERS
    return node.op_type in QDQ


def _quantizer(t: TensorRef, node: NodeProto, index: np.ndarray) -> Any:
    """The quantizer `node` on rearranged inputs. NoMatch if it cannot be rearranged, or makes something of zeros."""
    require(is_quantizer(node), "no quantizer")
    data, *params = (TensorRef.of(t.model, name) if name else None for name in node.input)
    shape = shape_of(t)
    if data is None or shape_of(data) != shape:
        raise NoMatch("the parameters enlarge the shape")
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    require(not attributes.pop("block_size", 0), "quantized by blocks")
    values = [None if p is None else value_of(p) for p in params]
    if np.any(index < 0):
        _require_zeros(t.model, node, value_of(data), values)
    operands: list[Any] = []
    axis = attributes.pop("axis", 1) % len(shape) if shape else 0
    by_axis = node.op_type in QDQ
    for param, value in zip(params, values, strict=True):
        if param is None or value is None or value.ndim == 0:
            operands.append(param)
            continue
        moved = moved_parameter(value.reshape([-1] + [1] * (len(shape) - axis - 1)) if by_axis else value, shape, index)
        if by_axis:
            moved, attributes["axis"] = _as_vector(moved)
        operands.append(annotated(moved, param.datatype))
    inner = rearranged(data, index)
    return annotated(Call(node.op_type, (inner, *operands), attributes, node.domain), t.datatype)


def moved_parameter(value: np.ndarray, shape: tuple[int, ...], index: np.ndarray) -> np.ndarray:
    """A parameter that broadcasts over the result of `rearranged` as `value` does over `shape`.

    The places of zeros take the parameters of others in their column.
    """
    places = np.broadcast_to(np.arange(value.size).reshape(value.shape), shape).reshape(-1)
    taken = places[np.where(index < 0, index.max(axis=0, keepdims=True), index)]
    for axis in range(taken.ndim):
        first = taken.take([0], axis)
        if np.array_equal(np.broadcast_to(first, taken.shape), taken):
            taken = first
    return value.reshape(-1)[taken]


def _as_vector(value: np.ndarray) -> tuple[np.ndarray, int | None]:
    """A vector and its axis, or a scalar and None. NoMatch if it varies along several axes."""
    long = [axis for axis, dim in enumerate(value.shape) if dim > 1]
    require(len(long) <= 1, "the parameters are no vector any more")
    return (value.reshape(-1), long[0]) if long else (value.reshape(()), None)


def _require_zeros(model: ModelWrapper, node: NodeProto, data: np.ndarray, params: Sequence[Any]) -> None:
    context = {name: value for name, value in zip(node.input[1:], params, strict=True) if name}
    context[node.input[0]] = np.zeros_like(data)
    try:
        execute_node(node, context, model.graph, opset_of(model))
    except FinnError as error:
        raise NoMatch(f"it cannot be run on zeros: {error}") from error
    require(not np.any(context[node.output[0]]), "it does not map 0 to 0")


# ----------------------------------------------------------------------------------------------------------- rewriting


def rewrite_with_constants(model: ModelWrapper, rules: Sequence[Rule]) -> bool:
    """Apply rules that use this module, and remove the quantizers and constants that served before.

    Returns whether a rule fired.
    """
    with model.trusted_index():
        idle = idle_nodes(model)
        if not apply(model, rules):
            return False
        remove_idle(model, idle)
    return True


def idle_nodes(model: ModelWrapper) -> set[str]:
    """The first outputs of the nodes whose outputs nothing reads and the graph does not return."""
    return {node.output[0] for node in model.graph.node if len(node.output) and _is_unread(model, node)}


def _is_unread(model: ModelWrapper, node: NodeProto) -> bool:
    return not any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output if name)


def remove_idle(model: ModelWrapper, before: set[str]) -> None:
    """Remove the nodes that nothing reads any more, and the constants that only they have read.

    before: `idle_nodes` that stay.
    """
    gone: list[str] = []
    for node in reversed(list(model.graph.node)):
        if len(node.output) and node.output[0] not in before and _is_unread(model, node):
            model.remove_node(node)
            gone += [*node.input, *node.output]
    unused = [name for name in dict.fromkeys(gone) if name and not model.find_consumers(name)]
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    model.remove_tensors([name for name in unused if name not in kept or model.has_initializer(name)])
