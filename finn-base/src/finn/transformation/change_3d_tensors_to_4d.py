"""Networks on sequences as networks on images of width 1."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation._axes import Axes, Operand, Site, call_of, moved_call
from finn.transformation.base import Transformation
from finn.transformation.rewrite import Call, NoMatch, TensorRef, require

_LONGER = Axes((0, 1, 2), 4)


class Change3DTo4DTensors(Transformation):
    """(N, C, H) becomes (N, C, H, 1) in the whole graph: inputs, outputs, weights and attributes.

    Tensors of other ranks stay. If a node cannot compute on the longer tensors, that is said in a warning, and nothing
    is changed.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            try:
                plans = [_plan(model, node) for node in model.graph.node if _is_concerned(model, node)]
            except NoMatch as reason:
                warnings.warn(f"3-D tensors stay as they are: {reason}", stacklevel=2)
                return model, False
            names = [name for name in model.get_all_tensor_names() if _is_long(model, name)]
            for plan in plans:
                _carry_out(model, plan)
            for name in names:
                _lengthen(model, name)
        return model, False


@dataclass(frozen=True)
class _Plan:
    node: NodeProto
    longer: Call


def _is_long(model: ModelWrapper, name: str) -> bool:
    """Whether the tensor is computed and has 3 axes."""
    return bool(name) and not model.has_initializer(name) and len(model.get_tensor_shape(name) or ()) == 3


def _is_concerned(model: ModelWrapper, node: NodeProto) -> bool:
    for name in filter(None, (*node.input, *node.output)):
        if model.get_tensor_shape(name) is None:
            raise NoMatch(f"the shape of '{name}' is not known; apply InferShapes first")
    return any(_is_long(model, name) for name in (*node.input, *node.output))


def _plan(model: ModelWrapper, node: NodeProto) -> _Plan:
    """NoMatch names the node."""
    call = call_of(node)
    try:
        handler = None if node.domain else _HANDLERS.get(node.op_type)
        if handler is not None:
            return _Plan(node, handler(Site(call, model, _LONGER)))
        require(all(_is_long(model, name) for name in node.output if name), f"{node.op_type} changes the rank")
        longer = moved_call(model, call, _LONGER)
        for item in longer.inputs:
            is_short = isinstance(item, Operand) and item.array is None and item.tensor.rank < 3
            require(not is_short, "it computes on tensors of different ranks")
        return _Plan(node, longer)
    except NoMatch as reason:
        raise NoMatch(f"node {describe(node)}: {reason}") from reason


# ------------------------------------------------------------------------------------ operators bound to their axes


def _same(s: Site) -> Call:
    """Operators that take axes of length 1 at the end as they come."""
    return s.make(*(s.kept(i) for i in range(s.count())))


def _window(s: Site) -> Call:
    """The window has length 1 along the new axis."""
    longer: dict[str, Any] = {}
    for name in ("kernel_shape", "strides", "dilations"):
        if name in s.call.attributes:
            longer[name] = [*s.get(name), 1]
    for name, fill in (("output_padding", 0), ("output_shape", 1)):
        if name in s.call.attributes:
            longer[name] = [*s.get(name), fill]
    if "pads" in s.call.attributes:
        begin, end = s.get("pads")
        longer["pads"] = [begin, 0, end, 0]
    weights = [s.operand(1)] if s.count() > 1 else []
    return s.make(s.operand(0), *weights, *(s.kept(i) for i in range(2, s.count())), **longer)


def _transpose(s: Site) -> Call:
    return s.make(s.operand(0), perm=[*s.get("perm", [2, 1, 0]), 3])


def _flatten(s: Site) -> Call:
    axis = s.get("axis", 1)
    return s.make(s.kept(0), axis=axis + 3 if axis < 0 else axis)


def _reshape(s: Site) -> Call:
    """Only the shape of the result may become longer."""
    if not _is_long(s.model, _result(s)):
        return s.make(s.kept(0), s.kept(1))
    return s.make(s.kept(0), np.append(s.given(1), 1).astype(np.int64))


def _result(s: Site) -> str:
    readers = s.model.find_consumers(s.call.inputs[0])
    return next(n.output[0] for n in readers if n.op_type == s.call.op and list(n.input) == list(s.call.inputs))


_HANDLERS: dict[str, Callable[[Site], Call]] = {
    **dict.fromkeys(("BatchNormalization", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization"), _same),
    **dict.fromkeys(("AveragePool", "Conv", "ConvTranspose", "LpPool", "MaxPool"), _window),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
}

# --------------------------------------------------------------------------------------------------------------- edits


def _carry_out(model: ModelWrapper, plan: _Plan) -> None:
    node, longer = plan.node, plan.longer
    inputs = [_input(model, item, node) for item in longer.inputs]
    new = helper.make_node(longer.op, inputs, list(node.output), node.name, domain=node.domain, **longer.attributes)
    index = model.get_node_index(node) or 0
    old = [name for name in node.input if name and model.has_initializer(name)]
    model.remove_node(node)
    model.insert_node(index, new)
    unread = [name for name in old if not model.find_consumers(name) and not model.is_graph_output(name)]
    model.remove_tensors(list(dict.fromkeys(unread)))


def _input(model: ModelWrapper, item: Any, node: NodeProto) -> str:
    if item is None:
        return ""
    if isinstance(item, TensorRef):
        return item.name
    if not isinstance(item, Operand):
        return _constant(model, f"{node.output[0]}_const", item)
    if item.array is None:
        return item.tensor.name
    name = _constant(model, f"{item.tensor.name}_4d", item.array)
    model.copy_annotations(item.tensor.name, name)
    return name


def _constant(model: ModelWrapper, wish: str, array: np.ndarray) -> str:
    name = model.unique_tensor_name(wish)
    model.set_initializer(name, array)
    return name


def _lengthen(model: ModelWrapper, name: str) -> None:
    """Add an axis to what the graph says of a tensor."""
    info, layout = model.get_tensor_valueinfo(name), model.get_tensor_layout(name)
    if info is not None:
        info.type.tensor_type.shape.dim.add().dim_value = 1
    if layout and len(layout) == 3:
        model.set_tensor_layout(name, [{"W": "H"}.get(letter, letter) for letter in layout] + ["W"])
