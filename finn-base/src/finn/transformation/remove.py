"""Removal of nodes that do nothing."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import rename_captured
from finn.transformation.base import Transformation

_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
_COMMUTATIVE = frozenset({"Add", "Mul"})


class RemoveUnusedNodes(Transformation):
    """Remove nodes whose outputs nothing reads and the graph does not return, and what only they read."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        gone: list[str] = []
        removed = False
        with model.trusted_index():
            for node in reversed(list(model.graph.node)):
                used = any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output if name)
                if not used:
                    gone += [name for name in (*node.output, *node.input) if name]
                    model.remove_node(node)
                    removed = True
            unused = [name for name in dict.fromkeys(gone) if _is_gone(model, name)]
            model.remove_tensors(unused)
        return model, removed


def _is_gone(model: ModelWrapper, name: str) -> bool:
    used = model.find_producer(name) is not None or model.find_consumers(name) or model.is_graph_output(name)
    return not used and (model.has_initializer(name) or not model.is_graph_input(name))


class RemoveIdentityOps(Transformation):
    """Remove Identity, Dropout without effect, Pad by nothing, and adding 0 or multiplying by 1.

    atol: how close to 0 or 1 every element of the constant has to be. Nodes whose constant enlarges the shape, or may
    do so since a dimension is not known, stay. Dropout has an effect only if it is told to train.
    """

    def __init__(self, atol: float = 1e-5) -> None:
        self.atol = atol

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            for node in list(model.graph.node):
                source = None if node.domain else self._unchanged_input(model, node)
                if source is not None:
                    changed |= _bypass(model, node, source)
        return model, changed

    def _unchanged_input(self, model: ModelWrapper, node: NodeProto) -> str | None:
        """The input that output 0 always equals, or None."""
        does_nothing = node.op_type == "Identity" or (
            (node.op_type == "Dropout" and not _trains(model, node))
            or (node.op_type == "Pad" and _pads_nothing(model, node))
        )
        if does_nothing:
            return str(node.input[0])
        if node.op_type not in _NEUTRAL or len(node.input) != 2:
            return None
        pairs = [(node.input[0], node.input[1])]
        if node.op_type in _COMMUTATIVE:
            pairs.append((node.input[1], node.input[0]))
        return next((x for x, constant in pairs if self._keeps(model, node.op_type, x, constant)), None)

    def _keeps(self, model: ModelWrapper, op_type: str, x: str, constant: str) -> bool:
        value, shape = model.get_initializer(constant), model.get_tensor_shape(x)
        if value is None or shape is None or len(value.shape) > len(shape):
            return False
        if any(c not in (1, d) for c, d in zip(value.shape[::-1], shape[::-1], strict=False)):
            return False
        return bool(np.all(np.isclose(value, _NEUTRAL[op_type], rtol=0, atol=self.atol)))


def _pads_nothing(model: ModelWrapper, node: NodeProto) -> bool:
    if len(node.input) > 1:
        pads = model.get_initializer(node.input[1])
        return pads is not None and not np.any(pads)
    return not any(pad for a in node.attribute if a.name in ("pads", "paddings") for pad in a.ints)


def _trains(model: ModelWrapper, node: NodeProto) -> bool:
    """Whether a Dropout may drop something: its third input, or before opset 7 the attribute is_test = 0, says so."""
    if len(node.input) > 2 and node.input[2]:
        mode = model.get_initializer(node.input[2])
        return (mode is None or bool(np.any(mode))) and _dropout_ratio(model, node) != 0
    return model.get_opset_imports().get("", 11) < 7 and not any(a.name == "is_test" and a.i for a in node.attribute)


def _dropout_ratio(model: ModelWrapper, node: NodeProto) -> float:
    if not node.input[1]:
        return 0.5
    ratio = model.get_initializer(node.input[1])
    return 1.0 if ratio is None else float(ratio.ravel()[0])


def remove_node_and_rewire(model: ModelWrapper, node: NodeProto) -> bool:
    """Remove `node`, whose output 0 equals its input 0, and let its readers read that input.

    Graph outputs keep their name. Returns False, with nothing changed, if the node has to stay: it connects a graph
    input or a constant, or an output that is returned as well, to a graph output; its other outputs are in use; or it
    reads or makes nothing.
    """
    if not len(node.input) or not node.input[0] or not len(node.output):
        return False
    return _bypass(model, node, node.input[0])


def _bypass(model: ModelWrapper, node: NodeProto, source: str) -> bool:
    result = node.output[0]
    if any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output[1:] if name):
        return False
    operands = [name for name in node.input if name and name != source]
    if model.is_graph_output(result):
        producer = model.find_producer(source)
        if producer is None or model.is_graph_output(source):
            return False
        model.remove_node(node)
        position = list(producer.output).index(source)
        model.set_node_output(producer, position, result)
        _let_read(model, source, result)
        model.copy_annotations(source, result)
        gone = [source]
    else:
        model.remove_node(node)
        _let_read(model, result, source)
        gone = [result]
    gone += [name for name in node.output[1:] if name]
    model.remove_tensors(gone + [name for name in operands if _is_gone(model, name)])
    return True


def _let_read(model: ModelWrapper, old: str, new: str) -> None:
    """Replace `old` by `new` in all that read it, the bodies of control flow included."""
    model.replace_uses(old, new)
    capturing = model.find_consumers(old)
    for node in capturing:
        rename_captured(node, {old: new})
    if capturing:
        model.nodes_were_reordered()  # no edit that a trusted index would notice
