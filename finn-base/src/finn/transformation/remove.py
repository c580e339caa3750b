"""Removal of nodes that do nothing."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation

_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}


class RemoveUnusedNodes(Transformation):
    """Remove nodes whose outputs nothing reads and the graph does not return."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            for node in reversed(list(model.graph.node)):
                used = any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output if name)
                if not used:
                    model.remove_node(node)
                    changed = True
        return model, changed


class RemoveIdentityOps(Transformation):
    """Remove Identity, Dropout without effect, Pad by nothing, and adding 0 or multiplying by 1.

    atol: how close to 0 or 1 every element of the constant has to be. Nodes whose constant enlarges the shape stay.
    """

    def __init__(self, atol: float = 1e-5) -> None:
        self.atol = atol

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            for node in list(model.graph.node):
                if self._is_identity(model, node):
                    changed |= remove_node_and_rewire(model, node)
        return model, changed

    def _is_identity(self, model: ModelWrapper, node: NodeProto) -> bool:
        if node.domain:
            return False
        if node.op_type == "Identity":
            return True
        if node.op_type == "Dropout":
            return _dropout_ratio(model, node) == 0 and not any(node.output[1:])
        if node.op_type == "Pad":
            pads = model.get_initializer(node.input[1]) if len(node.input) > 1 else None
            return pads is not None and not np.any(pads)
        return node.op_type in _NEUTRAL and self._adds_nothing(model, node)

    def _adds_nothing(self, model: ModelWrapper, node: NodeProto) -> bool:
        constant = model.get_initializer(node.input[1])
        shape = model.get_tensor_shape(node.input[0])
        if constant is None or shape is None or len(constant.shape) > len(shape):
            return False
        if np.broadcast_shapes(tuple(shape), constant.shape) != tuple(shape):
            return False
        return bool(np.all(np.isclose(constant, _NEUTRAL[node.op_type], rtol=0, atol=self.atol)))


def _dropout_ratio(model: ModelWrapper, node: NodeProto) -> float:
    if len(node.input) > 1 and node.input[1]:
        ratio = model.get_initializer(node.input[1])
        return 1.0 if ratio is None else float(ratio.ravel()[0])
    return next((float(a.f) for a in node.attribute if a.name == "ratio"), 0.5)


def remove_node_and_rewire(model: ModelWrapper, node: NodeProto) -> bool:
    """Remove `node`, whose output 0 equals its input 0, and let its readers read that input.

    Graph outputs keep their name. Returns False, with nothing changed, if the node connects a graph input or a
    constant, or an output that is returned as well, to a graph output: then it has to stay.
    """
    source, result = node.input[0], node.output[0]
    if model.is_graph_output(result):
        producer = model.find_producer(source)
        if producer is None or model.is_graph_output(source):
            return False
        model.remove_node(node)
        position = list(producer.output).index(source)
        model.set_node_output(producer, position, result)
        model.replace_uses(source, result)
        model.copy_annotations(source, result)
        model.remove_tensors([source])
        return True
    model.remove_node(node)
    model.replace_uses(result, source)
    model.remove_tensors([result])
    return True
