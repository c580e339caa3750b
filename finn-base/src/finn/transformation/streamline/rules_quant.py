"""Quantizers: of constants, which become integers, and of activations, which wait for their reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import Range, narrowest_weight_type
from finn.core.data_layout import channel_axis
from finn.core.datatype import DataType
from finn.custom_op.general.intquant import resolve_rounding_mode
from finn.custom_op.general.trunc import trunc_v1, trunc_v2
from finn.transformation.streamline.layers import per_channel
from finn.transformation.streamline.propagation import Propagation, Silent, attributes_of
from finn.transformation.streamline.quantizers import Quantizer, bipolar_quant, multithreshold, quant, sign
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import Requantized, column
from finn.transformation.streamline.values import (
    Constant,
    Pending,
    QuantizedConstant,
    Scaled,
    Source,
    Value,
)

Array = npt.NDArray[Any]


def _positive(p: Propagation, name: str) -> Array:
    scale = p.constant(name, "scale")
    if not (scale > 0).all():
        raise Refused(
            "its scale is not positive", "export the quantizer with a positive scale", tensor=name, fatal=True
        )
    return scale


def _whole(p: Propagation, name: str, role: str) -> int:
    array = p.constant(name, role)
    value = float(array.reshape(-1)[0]) if array.size and (array == array.reshape(-1)[0]).all() else 0.0
    if value < 1 or value != round(value):
        raise Refused(f"its {role} is not one positive integer", f"export a whole {role}", tensor=name, fatal=True)
    return int(value)


def read_quant(p: Propagation, node: NodeProto) -> Quantizer:
    attributes = attributes_of(node)
    return quant(
        _positive(p, node.input[1]),
        p.constant(node.input[2], "zero point"),
        _whole(p, node.input[3], "bit width"),
        signed=bool(attributes.get("signed", 1)),
        narrow=bool(attributes.get("narrow", 0)),
        rounding_mode=attributes.get("rounding_mode", "ROUND"),
    )


def read_multithreshold(p: Propagation, node: NodeProto) -> Quantizer:
    attributes = attributes_of(node)
    thresholds = p.value(node.input[1])
    if not isinstance(thresholds, Constant) or np.isnan(thresholds.array).any():
        p.constant(node.input[1], "threshold matrix")  # says what is wrong
    table = np.asarray(thresholds.array)  # type: ignore[union-attr]
    scale = attributes.get("out_scale", 1.0)
    if scale == 0 or not np.isfinite(scale):
        raise Refused(f"its out_scale is {scale}", "use a finite out_scale other than 0", fatal=True)
    return multithreshold(table, scale, attributes.get("out_bias", 0.0))


QUANTIZERS: dict[str, Callable[[Propagation, NodeProto], Quantizer]] = {
    "Quant": read_quant,
    "IntQuant": read_quant,
    "BipolarQuant": lambda p, node: bipolar_quant(_positive(p, node.input[1])),
    "MultiThreshold": read_multithreshold,
    "Sign": lambda p, node: sign(),
}
"""Of activations and constants. They need to know nothing of what they quantize."""


def quantizer(p: Propagation, node: NodeProto) -> Value:
    """A constant becomes integers and a scale; an activation waits for its reader."""
    q = QUANTIZERS[node.op_type](p, node)
    if isinstance(p.value(node.input[0]), Constant | QuantizedConstant):
        p.became(node, "folded", "integer weights")
        return quantized_constant(p.constant(node.input[0], "weight tensor"), q)
    first = p.value(node.input[0])
    if isinstance(first, Pending) and q.channels == 1 and _only_read_here(p, first, node):
        return Pending(_requantized(p, first), q, node)
    try:
        before = p.activation(node.input[0])
    except Silent:
        before = None
    if before is not None and q.channels > 1:  # the axis of the channels is said by the node
        return p.quantize_channels(before, q, node, _channel_axis(node, len(before.source.dims)))
    return Pending(before, q, node)


def _only_read_here(p: Propagation, first: Pending, node: NodeProto) -> bool:
    """Whether the first of two quantizers of integers serves the second one only, through elementwise operators."""
    if first.before is None or first.quantizer.channels > 1:
        return False
    if first.before.source.range is None and first.before.source.pair is None:
        return False
    outer = {o.name for o in p.model.graph.output}
    names = [n.output[0] for n in (first.node, *(step.node for step in first.tail.steps))]
    readers = {id(step.node) for step in first.tail.steps} | {id(node)}
    return all(n not in outer and all(id(r) in readers for r in p.readers.get(n, ())) for n in names)


def _requantized(p: Propagation, first: Pending) -> Scaled | None:
    """What enters the first quantizer, with it and its tail as steps of the tail."""
    if first.before is None:
        return None
    operands = (len(first.before.tail.steps), *[None] * (len(first.node.input) - 1))
    middle = Requantized(first.node, operands, p.opset, quantizer=first.quantizer)
    return replace(first.before, tail=first.tail.behind(first.before.tail, middle))


def _channel_axis(node: NodeProto, rank: int) -> int:
    return channel_axis(attributes_of(node).get("data_layout", "NCHW"), rank)


def quantized_constant(array: Array, q: Quantizer) -> QuantizedConstant:
    """Weights in the precision they have. Refused if their zero point is not an integer."""
    zero_point = -q.bias / q.scale
    offset = np.rint(zero_point).astype(np.int64)
    if not np.allclose(offset, zero_point, rtol=0, atol=1e-6):
        raise Refused("the zero point of its weights is not an integer", "use an integer zero point", fatal=True)
    integers = q.code_of(array, *q.constants).astype(np.int64) - offset
    scale = q.scale.astype(np.float64)
    return QuantizedConstant(narrow(integers), scale.reshape((1,) * (integers.ndim - scale.ndim) + scale.shape))


def scaled_weights(p: Propagation, node: NodeProto) -> QuantizedConstant | None:
    """Quantized weights times a constant, or divided by one; None for other operators."""
    if node.op_type not in {"Mul", "Div"}:
        return None
    first, second = (p.value(name) for name in node.input)
    if node.op_type == "Mul" and not isinstance(first, QuantizedConstant):
        first, second = second, first
    if not isinstance(first, QuantizedConstant) or not isinstance(second, Constant):
        return None
    factor = second.array.astype(np.float64)
    if np.broadcast_shapes(first.integers.shape, factor.shape) != first.integers.shape or not factor.all():
        return None
    p.became(node, "folded", "integer weights")
    return QuantizedConstant(first.integers, first.scale * (factor if node.op_type == "Mul" else 1.0 / factor))


def narrow(integers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The same numbers in the smallest NumPy type: networks have many."""
    if not integers.size:
        return integers
    return integers.astype(
        np.result_type(np.int8, *(np.min_scalar_type(int(f())) for f in (integers.min, integers.max)))
    )


def trunc(p: Propagation, node: NodeProto) -> Value:
    """The lowest bits are dropped: as many codes as the range of the integers allows."""
    if p.is_constant(node.input[0]):
        raise Refused("it truncates a constant", "quantize the constant")
    x = p.activation(node.input[0])
    if x.source.range is None:
        raise Refused("it truncates a tensor that is not quantized", "put a quantizer in front")
    f = _truncation(p, node)
    low, high = per_channel(x.source.range, x.source.dims[-1])
    ends = np.stack([low, high], axis=1)
    reached = f.code_of(x.evaluate(ends), *(column(c, np.float64) for c in f.constants))
    bounds = int(reached.min()), int(reached.max())
    DataType.spanning(*bounds)
    q = Quantizer(bounds[0], bounds[1], 1, f.scale, f.bias, f.code_of, f.constants)
    return Pending(x, q, node)


def _truncation(p: Propagation, node: NodeProto) -> Quantizer:
    scale, zero = _positive(p, node.input[1]), p.constant(node.input[2], "zero point")
    mode = attributes_of(node).get("rounding_mode", "FLOOR")
    resolve_rounding_mode(mode)
    bits_in = _whole(p, node.input[3], "input bit width")
    if len(node.input) == 5:
        bits_out = _whole(p, node.input[4], "output bit width")
        bias = -zero.astype(np.float64) * scale

        def first(x: Array, s: Array, z: Array) -> Array:
            y = trunc_v1(x, s, z, bits_in, bits_out, mode)
            return np.asarray(np.rint(y / s + z).astype(np.int64))

        return Quantizer(0, 1, 1, scale, bias, first, (scale, zero))
    out_scale, bits_out = _positive(p, node.input[4]), _whole(p, node.input[5], "output bit width")
    signed, narrowed = (bool(attributes_of(node).get(n, d)) for n, d in (("signed", 1), ("narrow", 0)))
    t = np.exp2(np.round(np.log2(out_scale.astype(np.float64) / scale)))

    def second(x: Array, s: Array, z: Array, o: Array) -> Array:
        y = trunc_v2(x, s, z, bits_in, narrowed, signed, o, bits_out, mode)
        return np.asarray(np.rint(y / o + z / np.exp2(np.round(np.log2(o / s)))).astype(np.int64))

    return Quantizer(0, 1, 1, out_scale, -zero / t * out_scale, second, (scale, zero, out_scale))


def constant_as_scaled(p: Propagation, name: str, scale: Array) -> Scaled | None:
    """A constant operand as integers on the grid of `scale`, or on its own; None if it has no grid."""
    value = p.value(name)
    if isinstance(value, QuantizedConstant):
        return _of_integers(p, name, value.integers, value.scale)
    array = p.constant(name, "operand").astype(np.float64)
    codes = array / scale
    if np.abs(codes - np.rint(codes)).max(initial=0) > 1e-9 or np.abs(codes).max(initial=0) > 2**31:
        return None
    return _of_integers(p, name, np.rint(codes).astype(np.int64), scale)


def _of_integers(p: Propagation, name: str, integers: Array, scale: Array) -> Scaled:
    wide = integers.astype(np.int64)
    tensor = p.graph.constant(f"{name}_int", wide, narrowest_weight_type(wide))
    p.graph.integer_nodes.add(tensor)
    bounds = Range(np.array(wide.min()), np.array(wide.max()))
    return Scaled(Source(tensor, wide.shape, bounds), np.asarray(scale, np.float64))
