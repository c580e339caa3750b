"""Choices among elements: ArgMax, TopK, ReduceMax and ReduceMin of increasing functions of integers.

At the end of a classifier often stand scores s * q + b with one b per class. Their order is that of the integers
K * q + B: with b / s == I + f, I whole and 0 <= f < 1, K is the number of different f, and B is K * I plus the place of
f among them. q_i + b_i / s >= q_j + b_j / s says the same as K * q_i + B_i >= K * q_j + B_j then, for all integers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import IntArray
from finn.transformation.streamline import layers
from finn.transformation.streamline.propagation import Propagation, attributes_of
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules_linear import reduced_axes, rising
from finn.transformation.streamline.thresholds import ENUMERABLE
from finn.transformation.streamline.values import (
    Constant,
    QuantizedConstant,
    Scaled,
    Value,
    aligned,
    compact,
    is_uniform,
    with_rank,
)

Array = npt.NDArray[Any]
EXTREMES = ("GlobalMaxPool", "ReduceMax", "ReduceMin")
TOLERANCE = 1e-9
"""Fractions that differ by less, relative to the biases that they are of, are the same."""


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
    _require_selectable(p, node, attributes, p.activation(name))
    x = _in_order(p, node, name)
    outer = {o.name for o in p.model.graph.output}
    if producer is not None and softmax and len(p.readers[node.input[0]]) == 1 and node.input[0] not in outer:
        p.became(producer, "dropped", f"{node.op_type} sees only the order")
    others = [p.tensor(n) for n in node.input[1:]]
    outputs = p.graph.copy(node, [x.source.name, *others])
    p.graph.integer_nodes.update(outputs)
    for step in x.tail.steps:
        p.became(step.node, "dropped", f"{node.op_type} sees only the order")
    p.became(node, "integer", f"{node.op_type} of {x.source.name}", *outputs)
    for original, new in zip(node.output, outputs, strict=True):
        shape = p.model.get_tensor_shape(original)
        known = None if shape is None else tuple(shape)
        p.values[original] = Scaled(
            replace(
                x.source, name=new, range=None, rescaled=None, shape=known, culprit="it reads indices",
                cure="leave it to the host, behind the last layer",
            )
        )  # fmt: skip
    return p.values[node.output[0]]


def _same_order(p: Propagation, producer: NodeProto, node: NodeProto) -> bool:
    """Whether the producer is a Softmax along the axis of which `node` selects."""
    if producer.op_type not in {"Softmax", "LogSoftmax"}:
        return False
    rank = len(p.model.get_tensor_shape(node.input[0]) or ())
    axis = attributes_of(producer).get("axis", -1 if p.opset >= 13 else 1)
    selected = attributes_of(node).get("axis", -1 if node.op_type == "TopK" else 0)
    return rank > 0 and axis % rank == selected % rank and (p.opset >= 13 or axis % rank == rank - 1)


def _require_selectable(p: Propagation, node: NodeProto, attributes: dict[str, Any], x: Scaled) -> None:
    if x.source.range is None or x.source.shape is None:
        raise Refused(
            "its input is not an integer", "put it behind a layer, with nothing but monotonic functions between"
        )
    if not attributes.get("largest", 1):
        raise Refused("it selects the smallest", "negate its input (Neg), and select the greatest")
    axis = attributes.get("axis", -1 if node.op_type == "TopK" else 0)
    if axis not in (-1, len(x.source.shape) - 1):
        raise Refused(
            "it does not select the greatest along the last axis", "transpose its input, or set axis to the channels"
        )
    values = node.output[0] if node.op_type == "TopK" else ""
    if values in p.readers or values in {o.name for o in p.model.graph.output}:
        raise Refused("its values are used, not only the indices", "use the indices only, or leave it to the host")


def _in_order(p: Propagation, node: NodeProto, name: str) -> Scaled:
    """The activation with integers that have its order along the last axis."""
    x = rising(p, name)
    low, high = x.source.bounds.span
    if all(is_uniform(c) for c in x.arrays[1:]) and high - low <= ENUMERABLE:
        first = x.moved(x.source, lambda c: c.reshape(-1)[:1])
        if (np.diff(first.evaluate(np.arange(low, high + 1).reshape(1, -1))) > 0).all():
            return x
    if x.tail and x.collapsed() is None:
        x = _without_tail(p, node, name, x)
    plain = x.collapsed() or x
    scale, bias = compact(plain.scale), compact(plain.bias)
    if any(c.size > 1 and c.shape[-1] != c.size for c in (scale, bias)):
        raise Refused(
            "the scale or the bias in front of it varies along other axes than that of the classes",
            "use one scale, and one bias per class",
        )
    factor, offset = _ranks(scale.reshape(-1), bias.reshape(-1))
    source = x.source
    for op_type, c, neutral in (("Mul", factor, 1), ("Add", offset, 0)):
        if (c != neutral).any():
            source = layers.with_constant(p.graph, op_type, source, c, f"{node.output[0]}_{op_type.lower()}")
    return replace(x, source=source)


def _without_tail(p: Propagation, node: NodeProto, name: str, x: Scaled) -> Scaled:
    try:
        return p.scaled_integer(name)
    except Refused as refusal:
        raise Refused(
            f"{x.operators} in front of it does not rise strictly, so that other classes may share the greatest value",
            f"put {node.op_type} in front of the activation function, or a quantizer behind it",
        ) from refusal


def _ranks(scale: Array, bias: Array) -> tuple[IntArray, IntArray]:
    """(m, b) such that m * q + b have the order of scale * q + bias, ties included, for all integers q of the classes.

    Both have one element, or one per class. Refused unless the scales are multiples of one.
    """
    if not scale.any():
        raise Refused("all scales in front of it are 0", "check the training: the result does not depend on the input")
    try:
        base, m = aligned(scale)
    except Refused as refusal:
        remedy = "use one scale for all classes: weights of the last layer with one scale per tensor"
        raise Refused("its classes have scales whose ratios are not those of small integers", remedy) from refusal
    base, m = (base, m) if base > 0 else (-base, -m)
    beta = (bias - bias.min()) / base
    tolerance = TOLERANCE * max(1.0, float(beta.max()))
    if beta.max() > 2.0**40:
        raise Refused("the biases of its classes are too large for integers", "check the training and the export")
    wholes = np.floor(beta + tolerance)
    fractions = np.maximum(beta - wholes, 0.0)
    order = np.argsort(fractions, kind="stable")
    place = np.zeros(len(beta), np.int64)
    place[order] = np.cumsum(np.diff(fractions[order], prepend=fractions[order[0]]) > tolerance)
    count = int(place.max()) + 1
    offset = count * wholes.astype(np.int64) + place
    return m * count, offset if offset.any() else np.zeros((), np.int64)


def extreme(p: Propagation, node: NodeProto) -> Value:
    """The extreme of an increasing function of integers is that of the extreme integer."""
    value = p.value(node.input[0])
    if isinstance(value, QuantizedConstant):
        p.became(node, "constant", "all its inputs are")
        return Constant(p.run_on(node, {node.input[0]: value.array})[0], node.output[0])
    x = rising(p, node.input[0])
    rank = len(x.source.dims)
    axes, keep = reduced_axes(p, node, rank)
    if not axes:
        p.became(node, "dropped", "it changes nothing")
        return x
    if any(with_rank(compact(c), rank).shape[a] > 1 for c in (x.scale, x.bias, *x.tail.constants) for a in axes):
        raise Refused(
            f"what stands between the integers and it varies along an axis of its choice ({axes})",
            "use one scale per tensor, or a quantizer in front of it",
        )
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.source.dims) if keep or a not in axes)

    def drop(c: Array) -> Array:
        full = with_rank(compact(np.asarray(c)), rank)
        return compact(full if keep else full.squeeze(tuple(axes)))

    op_type, f = ("ReduceMin", np.min) if node.op_type == "ReduceMin" else ("ReduceMax", np.max)
    ends = (with_rank(compact(np.asarray(b)), rank) for b in (x.source.bounds.low, x.source.bounds.high))
    bounds = layers.simplified(*(drop(f(b, axis=tuple(axes), keepdims=True)) for b in ends))
    inputs: list[str] = [x.source.name]
    attributes: dict[str, Any] = {"keepdims": int(keep)}
    if p.opset < 18:
        attributes |= {"axes": axes}
    else:
        inputs.append(p.graph.constant("axes", np.array(axes, np.int64)))
    datatype = p.datatype(x.source)
    source = p.graph.integers(op_type, inputs, f"{node.output[0]}_int", shape, bounds, datatype=datatype, **attributes)
    p.became(node, "integer", f"{op_type} {source.name}", source.name)
    return x.moved(source, drop)
