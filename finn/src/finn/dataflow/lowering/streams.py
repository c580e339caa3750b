"""What has no equation of one output: splits and joins, top-k, other shapes of a stream, groups, and forks."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.datatype import BaseDataType
from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DOMAIN, RESHAPE, add_layer, instance, is_layer, is_reshape
from finn.dataflow.layer import Layer, LayerError
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.streaming_split import StreamingSplit
from finn.transformation.rewrite import NoMatch, require

SHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
SAME = frozenset({"Cast", "Identity"})


def shape_of(model: ModelWrapper, tensor: str) -> tuple[int, ...]:
    """The shape of a stream. Declines what is no stream of integers."""
    require(not model.has_initializer(tensor), f"'{tensor}' is a constant")
    kind, shape = model.get_tensor_datatype(tensor), model.get_tensor_shape(tensor)
    require(kind.is_integer(), f"'{tensor}' is {kind.name}, no integer")
    require(shape and all(d > 0 for d in shape), f"the shape of '{tensor}' is not known")
    require(shape is None or shape[0] == 1, f"'{tensor}' has a batch; frames come one by one")
    return tuple(shape or ())


def options(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def concat(model: ModelWrapper, node: NodeProto) -> Layer:
    """concat(x, y, …) == StreamingConcat(x, y, …)"""
    shapes = [shape_of(model, t) for t in node.input]
    axis = options(node)["axis"] % len(shapes[0])
    require(axis > 0, "frames are joined along the batch")
    sizes = tuple(s[axis] for s in shapes)
    joined = (*shapes[0][:axis], sum(sizes), *shapes[0][axis + 1 :])
    return StreamingConcat(joined, tuple(model.get_tensor_datatype(t) for t in node.input), sizes, axis)


def split(model: ModelWrapper, node: NodeProto) -> Layer:
    """split(x) == StreamingSplit(x)"""
    shape = shape_of(model, node.input[0])
    axis = options(node).get("axis", 0) % len(shape)
    require(axis > 0, "frames are split along the batch")
    unread = [t for t in node.output if not t or not (model.find_consumers(t) or model.is_graph_output(t))]
    require(not unread, "a part of it is not used")
    sizes = tuple(shape_of(model, t)[axis] for t in node.output)
    return StreamingSplit(shape, model.get_tensor_datatype(node.input[0]), sizes, axis)


def top_k(model: ModelWrapper, node: NodeProto) -> Layer:
    """topk(x, k).indices == LabelSelect(x, K=k)"""
    k, shape, at = model.get_initializer(node.input[1]), shape_of(model, node.input[0]), options(node)
    require(k is not None, "k is not known")
    require(at.get("largest", 1) and at.get("sorted", 1), "the smallest are wanted, or in any order")
    require(at.get("axis", -1) in (-1, len(shape) - 1), f"axis {at.get('axis', -1)} is not the last")
    values = node.output[0]
    require(not values or not (model.find_consumers(values) or model.is_graph_output(values)), "its values are used")
    return LabelSelect(shape, model.get_tensor_datatype(node.input[0]), int(np.asarray(k).reshape(-1)[0]))


PROCEDURES: dict[str, Callable[[ModelWrapper, NodeProto], Layer]] = {"Concat": concat, "Split": split, "TopK": top_k}
"""Operators with several inputs or outputs -> the layer of a node; NoMatch or LayerError where it is none."""


def lower_node(model: ModelWrapper, node: NodeProto) -> bool:
    """Put the layer of one of PROCEDURES in the place of its node, if it is one."""
    try:
        layer = PROCEDURES[node.op_type](model, node)
    except (NoMatch, LayerError):
        return False
    streams = len(layer.inputs)
    outputs = list(node.output)[-len(layer.outputs) :]
    index = model.get_node_index(node) or 0
    inputs = list(node.input)[:streams]
    model.remove_node(node)
    add_layer(model, index, node.name, layer, inputs, outputs)
    return True


def split_groups(model: ModelWrapper) -> int:
    """A convolution in groups is one convolution per group between a split and a concatenation, in place.

    Those with a group per channel are left: they are layers of their own. Returns how many there were.
    """
    found = [n for n in model.graph.node if n.op_type == "Conv" and n.domain == CHANNELS_LAST and _groups(model, n) > 1]
    for node in found:
        _split_group(model, node)
    return len(found)


def _groups(model: ModelWrapper, node: NodeProto) -> int:
    """The number of groups that have to be split; 1 if the node is no stream's."""
    weights, group = model.get_initializer(node.input[1]), options(node).get("group", 1)
    try:
        channels = shape_of(model, node.input[0])[-1]
    except NoMatch:
        return 1
    return 1 if weights is None or group == channels == weights.shape[0] else int(group)


def _split_group(model: ModelWrapper, node: NodeProto) -> None:
    group, weights = _groups(model, node), model.get_initializer(node.input[1])
    assert weights is not None
    shape, kind = shape_of(model, node.input[0]), model.get_tensor_datatype(node.input[0])
    out, result = tuple(model.get_tensor_shape(node.output[0]) or ()), model.get_tensor_datatype(node.output[0])
    parts = [model.make_new_valueinfo_name(f"{node.name}_part") for _ in range(group)]
    index = model.get_node_index(node) or 0
    cut = StreamingSplit(shape, kind, (shape[-1] // group,) * group, len(shape) - 1)
    add_layer(model, index, f"{node.name}_split", cut, [node.input[0]], parts)
    sums = []
    for k, part in enumerate(parts):
        held = model.unique_tensor_name(f"{node.input[1]}_group{k}")
        model.set_initializer(held, np.split(weights, group)[k])
        model.set_tensor_datatype(held, model.get_tensor_datatype(node.input[1]))
        sums.append(model.make_new_valueinfo_name(f"{node.name}_sum"))
        model.set_tensor_shape(sums[-1], [*out[:-1], out[-1] // group])
        model.set_tensor_datatype(sums[-1], result)
        attributes = {**options(node), "group": 1}
        conv = helper.make_node(
            "Conv", [part, held], [sums[-1]], f"{node.name}_{k}", domain=CHANNELS_LAST, **attributes
        )
        model.insert_node(index + 1 + k, conv)
    model.remove_node(node)
    joined = helper.make_node("Concat", sums, list(node.output), f"{node.name}_concat", axis=len(out) - 1)
    model.insert_node(index + 1 + group, joined)


def same_types(model: ModelWrapper) -> None:
    """What a cast or an identity gives has the type of what it takes, in place; but not the index of a table.

    That may have been narrowed to the rows that there are.
    """
    for node in model.graph.node:
        if not node.domain and node.op_type in SAME and model.get_tensor_datatype(node.output[0]).is_integer():
            kind = model.get_tensor_datatype(node.input[0])
            if kind.is_integer() and not any(r.op_type == "Gather" for r in model.find_consumers(node.output[0])):
                model.set_tensor_datatype(node.output[0], kind)


def settle_types(model: ModelWrapper, lowered: ModelWrapper) -> bool:
    """Annotate tensors of `model` with what layers in `lowered` make, where their readers there expect another type.

    Whether there were any. A tensor has the same name in both.
    """
    given: dict[str, BaseDataType] = {}
    wrong: dict[str, BaseDataType] = {}
    for node in lowered.graph.node:
        if is_reshape(node):
            if node.input[0] in given:
                given[node.output[0]] = given[node.input[0]]
        elif is_layer(node):
            i = instance(lowered, node)
            wanted = zip(i.inputs, i.layer.inputs, strict=True)
            wrong |= {t: given[t] for t, s in wanted if t in given and given[t] != s.dtype}
            given |= {t: s.dtype for t, s in zip(i.outputs, i.layer.outputs, strict=True)}
    for tensor, kind in wrong.items():
        model.set_tensor_datatype(tensor, kind)
    return bool(wrong)


def name_streams(model: ModelWrapper) -> int:
    """Operators between layers that keep the order of elements are no hardware: new shapes, casts. In place.

    Returns how many there were.
    """
    before = -1
    total = 0
    while before != total:
        before = total
        for node in list(model.graph.node):
            if not node.domain and node.op_type in SHAPES | SAME and _between_layers(model, node):
                _name_stream(model, node)
                total += 1
    return total


def _between_layers(model: ModelWrapper, node: NodeProto) -> bool:
    producer, readers = model.find_producer(node.input[0]), model.find_consumers(node.output[0])
    inside = producer is not None and (is_layer(producer) or is_reshape(producer))
    whole = all(is_layer(r) or is_reshape(r) or (not r.domain and r.op_type in SHAPES | SAME) for r in readers)
    if not inside or not readers or not whole or model.is_graph_output(node.output[0]):
        return False
    try:
        before, after = shape_of(model, node.input[0]), shape_of(model, node.output[0])
    except NoMatch:
        return False
    return prod(before) == prod(after)


def _name_stream(model: ModelWrapper, node: NodeProto) -> None:
    index, (tensor, result) = model.get_node_index(node) or 0, (node.input[0], node.output[0])
    model.remove_node(node)
    if node.op_type in SAME:
        model.replace_uses(result, tensor)
        return
    shape = shape_of(model, result)
    model.set_tensor_shape(result, list(shape))
    model.insert_node(index, helper.make_node(RESHAPE, [tensor], [result], node.name, domain=DOMAIN, shape=shape))


def duplicate_forks(model: ModelWrapper) -> int:
    """Give each reader of a stream a copy of its own, in place: a DuplicateStreams at each fork. Returns how many."""
    tensors = dict.fromkeys(t for n in model.graph.node if n.domain == DOMAIN for t in (*n.input, *n.output) if t)
    return sum(_duplicate(model, t) for t in tensors if not model.has_initializer(t))


def _duplicate(model: ModelWrapper, tensor: str) -> bool:
    producer = model.find_producer(tensor)
    made_here = producer is not None and producer.domain == DOMAIN
    readers = [(n, k) for n in _distinct(model.find_consumers(tensor)) for k, t in enumerate(n.input) if t == tensor]
    inside = [(n, k) for n, k in readers if n.domain == DOMAIN]
    outside = made_here and (len(inside) < len(readers) or model.is_graph_output(tensor))
    copies = len(inside) + int(outside)
    if copies < 2:
        return False
    layer = DuplicateStreams(shape_of(model, tensor), model.get_tensor_datatype(tensor), copies)
    source = tensor
    if outside and producer is not None:  # what is outside knows the tensor by its name
        source = model.make_new_valueinfo_name(f"{tensor}_forked")
        model.copy_annotations(tensor, source)
        model.set_tensor_shape(source, list(layer.inputs[0].shape))
        model.set_tensor_datatype(source, layer.inputs[0].dtype)
        model.set_node_output(producer, list(producer.output).index(tensor), source)
    names = []
    for node, k in inside:
        names.append(model.make_new_valueinfo_name(f"{tensor}_copy"))
        model.set_tensor_shape(names[-1], list(layer.inputs[0].shape))
        model.set_node_input(node, k, names[-1])
    index = min(model.get_node_index(n) or 0 for n, _ in readers)
    add_layer(model, index, f"{tensor}_fork", layer, [source], [*names, *([tensor] if outside else [])])
    return True


def _distinct(nodes: list[NodeProto]) -> list[NodeProto]:
    found: list[NodeProto] = []
    for node in nodes:
        if not any(node is other for other in found):
            found.append(node)
    return found
