"""Standard nodes that stand in for custom ones when shapes are inferred."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from finn.core.windows import Window
from finn.custom_op.base import CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16})


def to_channels_last_args(ndim: int) -> tuple[int, ...]:
    """The permutation of `ndim` axes that moves axis 1 to the end."""
    return (0, *range(2, ndim), 1)


def to_channels_first_args(ndim: int) -> tuple[int, ...]:
    """The permutation of `ndim` axes that moves the last one to axis 1."""
    return (0, ndim - 1, *range(1, ndim - 1))


def same_shape_stand_in(op: CustomOp, model: ModelWrapper) -> NodeProto:
    """A node whose output has the shape of input 0, and its type if that is a float type, else FLOAT."""
    node = op.onnx_node
    if model.get_tensor_elem_type(node.input[0]) in (*_FLOATS, TensorProto.UNDEFINED):
        return helper.make_node("Identity", [node.input[0]], [node.output[0]])
    return helper.make_node("Cast", [node.input[0]], [node.output[0]], to=TensorProto.FLOAT)


def broadcast_stand_in(op: CustomOp, model: ModelWrapper) -> NodeProto:
    """A node whose output has the shape to which all inputs of `op` broadcast, and the type as above.

    Symbolic dimensions stay what they are.
    """
    node = op.onnx_node
    x, *parameters = (model.get_tensor_shape(name) for name in node.input)
    if all(_is_neutral(x, shape) for shape in parameters):
        return same_shape_stand_in(op, model)
    kinds = {model.get_tensor_elem_type(name) for name in node.input}
    if len(kinds) == 1 and kinds <= _FLOATS:
        return helper.make_node("Sum", list(node.input), [node.output[0]])
    kind = model.get_tensor_elem_type(node.input[0])
    to = kind if kind in _FLOATS else TensorProto.FLOAT
    stem = node.output[0]  # bodies share one space of names
    casts = [helper.make_node("Cast", [name], [f"{stem}/cast_{i}"], to=to) for i, name in enumerate(node.input)]
    total = helper.make_node("Sum", [cast.output[0] for cast in casts], [f"{stem}/total"])
    return _whole_body(node, [*casts, total])


def _is_neutral(x: list[int] | None, parameter: list[int] | None) -> bool:
    """Whether a parameter leaves the shape of x as it is when it broadcasts; what is not known is."""
    if parameter is None or parameter in ([], [1]):
        return True
    pairs = itertools.zip_longest(reversed(x or []), reversed(parameter))
    return all(p is None or (d is not None and p in (1, d)) for d, p in pairs)


def shaped_stand_in(op: CustomOp, model: ModelWrapper, shape: Sequence[int]) -> NodeProto:
    """A node whose output has `shape` and the type of input 0.

    A 0 stands for the dimension of input 0 on the same axis, which may be symbolic.
    """
    node = op.onnx_node
    kind = model.get_tensor_elem_type(node.input[0]) or TensorProto.FLOAT
    given = model.get_tensor_shape(node.input[0]) or []
    known = [dim or (given[axis] if axis < len(given) else 0) for axis, dim in enumerate(shape)]
    if all(known) and kind == TensorProto.FLOAT:
        return op.make_const_shape_op(known)
    target = numpy_helper.from_array(np.asarray(shape, dtype=np.int64))
    constant = helper.make_node("Constant", [], ["shape"], value=target)
    return _whole_body(node, [constant, helper.make_node("Reshape", [node.input[0], "shape"], ["shaped"])])


def window_stand_in(
    op: CustomOp, model: ModelWrapper, window: Window, op_type: str = "MaxPool", group: int | None = None
) -> NodeProto:
    """A node whose output has the shape of `window` sliding over input 0, (N, *spatial, C).

    The channels are those of input 0, or if `op_type` is Conv, which has a group, the first axis of input 1.
    """
    node = op.onnx_node
    shape = model.get_tensor_shape(node.input[0])
    channels = (model.get_tensor_shape(node.input[1]) or [0])[0] if group is not None else (shape or [0])[-1]
    if shape is not None and all(shape[1:]) and channels:
        with op.named():
            return shaped_stand_in(op, model, [0, *window.counts(shape[1:-1]), channels])
    rank = len(window.kernel) + 2
    to_first, to_last = to_channels_first_args(rank), to_channels_last_args(rank)
    moved = list(node.input[: 1 if group is None else 2])
    firsts = [helper.make_node("Transpose", [name], [f"first_{i}"], perm=to_first) for i, name in enumerate(moved)]
    attributes = window.onnx_attributes() | ({} if group is None else {"group": group})
    inner = helper.make_node(op_type, [first.output[0] for first in firsts], ["inner"], **attributes)
    return _whole_body(node, [*firsts, inner, helper.make_node("Transpose", ["inner"], ["last"], perm=to_last)])


def _whole_body(node: NodeProto, body: list[NodeProto]) -> NodeProto:
    """One node that stands for several. Shape inference looks into both branches and not at the condition."""
    graph = helper.make_graph(body, "stand_in", [], [ValueInfoProto(name=body[-1].output[0])])
    return helper.make_node("If", [node.input[0]], [node.output[0]], then_branch=graph, else_branch=graph)
