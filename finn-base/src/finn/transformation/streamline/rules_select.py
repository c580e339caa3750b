"""The end of a classifier: TopK and ArgMax of increasing functions of integers are those of the integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import NodeProto

from finn.transformation.streamline.propagation import Propagation, attributes_of
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.thresholds import ENUMERABLE
from finn.transformation.streamline.values import Scaled, Value, is_uniform


def select(p: Propagation, node: NodeProto) -> Value:
    """TopK or ArgMax on the integers, if their order is that of the floats."""
    if p.options.select_on_host:
        raise Refused("select_on_host is set", "switch it off to select in hardware")
    attributes, name = attributes_of(node), node.input[0]
    k = p.constant(node.input[1], "k") if len(node.input) > 1 else np.array(attributes.get("k", 1))
    producer = p.producers.get(name)
    softmax = producer is not None and k.max() == 1 and _same_order(p, producer, node)
    if producer is not None and softmax:
        name = producer.input[0]
    x = p.activation(name)
    reason = _not_selectable(p, node, attributes, x)
    if reason:
        raise Refused(reason)
    outer = {o.name for o in p.model.graph.output}
    if producer is not None and softmax and len(p.readers[node.input[0]]) == 1 and node.input[0] not in outer:
        p.became(producer, "dropped", f"{node.op_type} sees only the order")
    others = [p.tensor(n) for n in node.input[1:]]
    outputs = p.graph.copy(node, [x.source.name, *others])
    p.graph.integer_nodes.update(outputs)
    for step in x.tail.steps:
        p.became(step.node, "dropped", f"{node.op_type} sees only the order")
    p.became(node, "integer", f"{node.op_type} of {x.source.name}", *outputs)
    culprit = "it reads indices"
    for original, new in zip(node.output, outputs, strict=True):
        shape = p.model.get_tensor_shape(original)
        known = None if shape is None else tuple(shape)
        p.values[original] = Scaled(
            replace(x.source, name=new, range=None, rescaled=None, shape=known, culprit=culprit)
        )
    return p.values[node.output[0]]


def _same_order(p: Propagation, producer: NodeProto, node: NodeProto) -> bool:
    """Whether the producer is a Softmax along the axis of which `node` selects."""
    if producer.op_type not in {"Softmax", "LogSoftmax"}:
        return False
    rank = len(p.model.get_tensor_shape(node.input[0]) or ())
    axis = attributes_of(producer).get("axis", -1 if p.opset >= 13 else 1)
    selected = attributes_of(node).get("axis", -1 if node.op_type == "TopK" else 0)
    return rank > 0 and axis % rank == selected % rank and (p.opset >= 13 or axis % rank == rank - 1)


def _not_selectable(p: Propagation, node: NodeProto, attributes: dict[str, Any], x: Scaled) -> str:
    """Why the node must see floats; "" if the integers do."""
    if x.source.range is None or x.source.shape is None:
        return "its input is not an integer"
    axis = attributes.get("axis", -1 if node.op_type == "TopK" else 0)
    if axis not in (-1, len(x.source.shape) - 1) or not attributes.get("largest", 1):
        return "it does not select the greatest along the last axis"
    values = node.output[0] if node.op_type == "TopK" else ""
    if values in p.readers or values in {o.name for o in p.model.graph.output}:
        return "its values are used, not only the indices"
    low, high = x.source.range.span
    if any(not is_uniform(c) for c in x.arrays[1:]) or high - low > ENUMERABLE:
        return "the tail in front of it differs between channels"
    first = x.moved(x.source, lambda c: c.reshape(-1)[:1])
    rises = (np.diff(first.evaluate(np.arange(low, high + 1).reshape(1, -1))) > 0).all()
    return "" if rises else "the tail in front of it does not rise strictly"
