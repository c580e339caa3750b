"""One rule per operator: x == scale * q + bias, with whole numbers q, for the outputs of a node from its inputs.

The table `SCALED` is at the end. An operator that is not there gives floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import TensorProto

from finn.analysis.interval_rules import (
    RULES,
    Call,
    channels_of,
    columns,
    filters,
    is_integer_kind,
    is_padded,
    linear_parameters,
    reduced_axes,
    window_axes,
)
from finn.analysis.intervals import EXACT, Array, Interval, Shape, Unknown, along, expanded, size_along, with_rank
from finn.analysis.window_sums import conv_interval, matmul_interval
from finn.core.domains import CHANNELS_LAST
from finn.transformation.streamline.quantizers import Quantizer, bipolar_quant, multithreshold, quant, sign
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import Step
from finn.transformation.streamline.values import aligned

TOLERANCE = 2.0**-22
"""Relative, four roundings of float32: how far the parameters of a network may be off the grid that they mean."""


def is_whole(numbers: Array) -> Array:
    """Elementwise: a whole number, but for what float32 parameters are off."""
    off = np.abs(numbers - np.rint(numbers))
    return np.asarray(np.isfinite(numbers) & (off <= np.minimum(TOLERANCE * np.maximum(np.abs(numbers), 1), 1e-3)))


@dataclass(frozen=True, eq=False)
class Scaled:
    """x == scale * q + bias. q : whole numbers up to 2^53; scale > 0; all arrays broadcast to x and have its rank."""

    q: Interval
    scale: Array
    bias: Array

    def __post_init__(self) -> None:
        if not (self.q.is_finite and np.isfinite(self.bias).all() and (self.scale > 0).all()):
            raise Unknown("its integers have no bounds, or its scale is not positive and finite")
        if max(map(abs, self.q.span)) > EXACT:
            raise Unknown("its integers need more than 53 bits")

    @classmethod
    def integers(cls, q: Interval) -> Scaled:
        """Integers as they are. Unknown if the bounds are none."""
        if not (is_whole(q.low).all() and is_whole(q.high).all()):
            raise Unknown("its bounds are not whole")
        ones = np.ones((1,) * q.low.ndim)
        return cls(q, ones, np.zeros_like(ones))

    @classmethod
    def only_bias(cls, value: Array) -> Scaled:
        """A constant as bias: q is 0."""
        return cls(Interval.uniform(0, 0, value.ndim), np.ones((1,) * value.ndim), value.astype(np.float64))

    @property
    def interval(self) -> Interval:
        return Interval.between(self.q.low * self.scale + self.bias, self.q.high * self.scale + self.bias)

    def affine(self, a: Any, b: Any = 0.0) -> Scaled:
        """a * x + b. The scale stays positive; where a is 0, so is q."""
        a = with_rank(np.asarray(a, np.float64), self.scale.ndim)
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise Unknown("it multiplies by, or adds, what is not finite")
        b = with_rank(np.asarray(b, np.float64), self.scale.ndim)
        return Scaled(self.q.affine(np.sign(a)), self.scale * np.where(a == 0, 1.0, np.abs(a)), self.bias * a + b)

    def of_values(self, values: Any) -> Array:
        """q of these values of x, whole. Unknown if it is not."""
        q = (values - self.bias) / self.scale
        if not is_whole(q).all():
            raise Unknown("a constant is not a multiple of the scale")
        return np.asarray(np.rint(q))

    def without_bias(self) -> Scaled:
        """The same with the bias as part of q. Unknown if it is not a multiple of the scale."""
        if not self.bias.any():
            return self
        shift = -self.of_values(0.0)
        low = self.q.low + shift
        q = replace(self.q, low=low, high=low if self.q.constant else self.q.high + shift)
        return Scaled(q, self.scale, np.zeros_like(self.bias))

    def require_uniform(self, axes: Sequence[int]) -> None:
        """Unknown if scale or bias vary along one of `axes`."""
        if any(c.shape[axis] > 1 for c in (self.scale, self.bias) for axis in axes):
            raise Unknown("the scale varies between the elements that it combines")


@dataclass(frozen=True, eq=False)
class ScaledCall:
    """A call, what is known of its inputs as scaled integers, and the intervals of its outputs.

    products : q of the sum of products that the node computes, if it does.
    """

    call: Call
    inputs: tuple[Scaled | None, ...]
    outputs: tuple[Interval, ...]
    products: list[Interval] = field(default_factory=list)

    def x(self, i: int = 0) -> Scaled:
        """Unknown unless the input consists of scaled integers."""
        if i >= len(self.inputs) or (found := self.inputs[i]) is None:
            raise Unknown("its input does not consist of scaled integers")
        return found


Rule = Callable[[ScaledCall], Sequence[Scaled | None]]


# --------------------------------------------------------------------------------------------------------- quantizers


def _grid(call: Call) -> tuple[Array, Array]:
    """(scale, bias) of the outputs of a quantizer."""
    if call.node.op_type == "Trunc":  # with six inputs the scale of the output is one of them
        scale, zero_point = (call.constant(i, "parameter").astype(np.float64) for i in (1, 2))
        out = call.constant(4, "output scale").astype(np.float64) if call.has(5) else scale
        return out, -zero_point / np.exp2(np.rint(np.log2(out / scale))) * out
    q = _quantizer(call)
    return np.asarray(q.scale, np.float64), np.asarray(q.bias, np.float64)


def _quantizer(call: Call) -> Quantizer:
    kind, attributes = call.node.op_type, call.attributes
    if kind == "Sign":
        return sign()
    if kind == "MultiThreshold":
        scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
        if scale <= 0:
            raise Unknown("its scale is not positive")
        return multithreshold(call.constant(1, "threshold matrix"), scale, bias)
    scale = call.constant(1, "scale").astype(np.float64)
    if kind == "BipolarQuant":
        return bipolar_quant(scale)
    zero_point, bits = call.constant(2, "zero point").astype(np.float64), call.constant(3, "bit width")
    if np.unique(bits).size != 1:
        raise Unknown("its bit width is not the same for all")
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    mode = attributes.get("rounding_mode", "ROUND")
    return quant(scale, zero_point, int(bits.flat[0]), signed=signed, narrow=narrow, rounding_mode=mode)


def quantizer(s: ScaledCall) -> Sequence[Scaled | None]:
    """The codes of the outermost outputs."""
    y = s.outputs[0]
    try:
        scale, bias = (with_rank(c, y.low.ndim) for c in _grid(s.call))
    except Refused as refusal:
        raise Unknown(refusal.reason) from refusal
    if not (scale > 0).all():
        raise Unknown("its scale is not positive")
    q = [np.rint((bound - bias) / scale) for bound in (y.low, y.high)]
    return [Scaled(Interval.between(*q), scale, bias)]


def natural(s: ScaledCall) -> Sequence[Scaled | None]:
    """The outputs are integers, whatever goes in."""
    return [Scaled.integers(y) for y in s.outputs]


def dequantized(s: ScaledCall) -> Sequence[Scaled | None]:
    """(q - zero point) * scale"""
    scale, zero = (parameter.astype(np.float64) for parameter in linear_parameters(s.call))
    return [s.x().affine(scale, -scale * zero)]


def cast(s: ScaledCall) -> Sequence[Scaled | None]:
    """Of a float to a float it changes nothing, unless that is narrow and rounds."""
    to = s.call.attributes["to"]
    if to in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return same(s)
    if not (is_integer_kind(to) or to == TensorProto.BOOL):
        raise Unknown("it casts to a narrow float")
    return natural(s)


def same(s: ScaledCall) -> Sequence[Scaled | None]:
    return [s.x()]


# -------------------------------------------------------------------------------------------------------- elementwise


_ANY_OPSET = 13  # affine forms do not depend on it


def affine(s: ScaledCall) -> Sequence[Scaled | None]:
    """a * x + b with constants; else two scaled integers meet."""
    call, kind = s.call, s.call.node.op_type
    dynamic = [i for i, x in enumerate(call.inputs) if x is not None and not x.constant]
    if len(dynamic) > 1:
        return _combined(s)
    data = dynamic[0] if dynamic else next((i for i, x in enumerate(s.inputs) if x is not None), 0)
    constants = {i: call.constant(i, "parameter").astype(np.float64) for i in range(len(call.inputs)) if i != data}
    if kind == "BatchNormalization":
        constants = {i: along(c, call.channel, call.rank) for i, c in constants.items()}
    step = Step(call.node, tuple(constants.get(i, 0) for i in range(len(call.inputs))), _ANY_OPSET)
    with np.errstate(all="ignore"):
        form = step.affine([(1.0, 0.0)])
    if form is None:
        raise Unknown("it is not affine in its input")
    a, b = form
    x, rank = s.x(data), s.outputs[0].low.ndim
    return [_ranked(x, rank).affine(a, b)]


def _ranked(x: Scaled, rank: int) -> Scaled:
    return Scaled(x.q.map(lambda b: with_rank(b, rank)), with_rank(x.scale, rank), with_rank(x.bias, rank))


def _combined(s: ScaledCall) -> Sequence[Scaled | None]:
    kind, rank = s.call.node.op_type, s.outputs[0].low.ndim
    x, y = (_ranked(s.x(i), rank) for i in (0, 1))
    if kind == "Mul":
        x, y = x.without_bias(), y.without_bias()
        ends = [a * b for a in (x.q.low, x.q.high) for b in (y.q.low, y.q.high)]
        q = Interval.between(np.minimum.reduce(ends), np.maximum.reduce(ends))
        return [Scaled(q, x.scale * y.scale, np.zeros((1,) * rank))]
    if kind not in ("Add", "Sub"):
        raise Unknown("it combines several activations")
    return [_added(x, y.affine(-1.0) if kind == "Sub" else y)]


def summed(s: ScaledCall) -> Sequence[Scaled | None]:
    """Sum of any number of tensors."""
    rank = s.outputs[0].low.ndim
    terms = []
    for i, x in enumerate(s.call.inputs):
        known = Scaled.only_bias(x.low) if x is not None and x.constant else s.x(i)
        terms.append(_ranked(known, rank))
    total = terms[0]
    for term in terms[1:]:
        total = _added(total, term)
    return [total]


def _added(x: Scaled, y: Scaled) -> Scaled:
    """On the common grid of both. Unknown if the ratio of the scales is not that of small integers."""
    for a, b in ((x, y), (y, x)):
        if a.q.span == (0, 0):
            return Scaled(b.q.affine(np.ones_like(a.scale)), b.scale * np.ones_like(a.scale), a.bias + b.bias)
    base, m_x, m_y = common_scale(x.scale, y.scale)
    return Scaled(x.q.affine(m_x).plus(y.q.affine(m_y)), base, x.bias + y.bias)


def common_scale(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """(base, m, n) with a == base * m, b == base * n, whole m and n, the smaller one at most 16.

    Elementwise. Unknown if there are none.
    """
    least, ratio = np.minimum(a, b), np.maximum(a, b) / np.minimum(a, b)
    found, most = np.zeros(ratio.shape), np.ones(ratio.shape)
    for part in range(1, 17):
        fits = (found == 0) & is_whole(ratio * part)
        found, most = np.where(fits, part, found), np.where(fits, np.rint(ratio * part), most)
    if not found.all():
        raise Unknown(f"it adds integers of scales whose ratio, {ratio[found == 0][0]:.6g}, is not that of integers")
    return least / found, np.where(a >= b, most, found), np.where(a >= b, found, most)


def clamped(s: ScaledCall) -> Sequence[Scaled | None]:
    """Bounds that are reached have to be on the grid."""
    x, call = s.x(), s.call
    given = [call.constant(i, "bound") if call.has(i) else np.array(v) for i, v in ((1, -np.inf), (2, np.inf))]
    kind = call.node.op_type
    if kind == "Relu":
        given = [np.zeros(()), np.array(np.inf)]
    elif kind == "Clip" and call.opset < 11:
        given = [np.array(call.attributes.get(n, v)) for n, v in (("min", -np.inf), ("max", np.inf))]
    low, high = ((with_rank(np.asarray(g, np.float64), x.scale.ndim) - x.bias) / x.scale for g in given)
    reached = ((low > x.q.low) & ~is_whole(low)).any() or ((high < x.q.high) & ~is_whole(high)).any()
    if reached:
        raise Unknown("it cuts between two multiples of the scale")
    low, high = np.rint(low), np.rint(high)
    return [replace(x, q=Interval.between(*(np.minimum(np.maximum(b, low), high) for b in (x.q.low, x.q.high))))]


# ------------------------------------------------------------------------------------------------------ data movement


def moved(s: ScaledCall) -> Sequence[Scaled | None]:
    """Integers, scale and bias move alike."""
    call = s.call
    parts = [s.x(i) for i in range(len(call.inputs) if call.node.op_type == "Concat" else 1)]
    moves = (
        _on(call, [p.q for p in parts]),
        _on(call, [Interval(p.scale, p.scale) for p in parts]),
        _on(call, [Interval(p.bias, p.bias) for p in parts]),
    )
    results = []
    for q, scale, bias in zip(*moves, strict=True):
        if (scale.low != scale.high).any() or (bias.low != bias.high).any():
            raise Unknown("the scale varies between the elements that it selects from")
        results.append(Scaled(q, scale.low, bias.low))
    return results


def _on(call: Call, data: Sequence[Interval]) -> Sequence[Interval]:
    return RULES[call.node.op_type](call.with_data(*data))


def padded(s: ScaledCall) -> Sequence[Scaled | None]:
    """The padding has to be on the grid."""
    call, x = s.call, s.x()
    pads = np.asarray(call.attributes["pads"] if call.opset < 11 else call.constant(1, "padding"))
    axes = [int(a) for a in call.constant(3, "list of axes")] if call.has(3) else list(range(call.rank))
    cut = [axis for axis, before, after in zip(axes, *np.split(pads, 2), strict=True) if before or after]
    x.require_uniform(cut)
    q = x.q.over(cut)
    if call.attributes.get("mode", "constant") == "constant":
        value = (
            call.attributes.get("value", 0.0) if call.opset < 11 else call.constant(2, "value") if call.has(2) else 0
        )
        fill = x.of_values(np.asarray(value, np.float64).reshape(()))
        q = q.hull(fill, fill)
    return [replace(x, q=q)]


def im2col(s: ScaledCall) -> Sequence[Scaled | None]:
    call, x = s.call, s.x()
    x.require_uniform([0, *call.spatial])
    q = x.q.over([0, *call.spatial])
    if any(call.attributes.get("pad_amount", ())):
        fill = x.of_values(float(call.attributes.get("pad_value", 0)))
        q = q.hull(fill, fill)
    return [Scaled(q.map(lambda b: columns(call, b)), columns(call, x.scale), columns(call, x.bias))]


def resized(s: ScaledCall) -> Sequence[Scaled | None]:
    x, call = s.x(), s.call
    if call.attributes.get("mode", "nearest") != "nearest":
        raise Unknown("it computes averages")
    (q,) = _on(call, [x.q])
    x.require_uniform(
        [i for i, (a, b) in enumerate(zip(call.shape(), call.out_shapes[0] or (), strict=True)) if a != b]
    )
    return [replace(x, q=q)]


def top_k(s: ScaledCall) -> Sequence[Scaled | None]:
    x, (values, indices) = s.x(), _on(s.call, [s.x().q])
    x.require_uniform([int(s.call.attributes.get("axis", -1))])
    return [replace(x, q=values), Scaled.integers(indices)]


# -------------------------------------------------------------------------------------------------- pools, reductions


def pooled(s: ScaledCall) -> Sequence[Scaled | None]:
    """The greatest one of a window."""
    s.x().require_uniform(s.call.spatial)
    return [replace(s.x(), q=_on(s.call, [s.x().q])[0])]


def averaged(s: ScaledCall) -> Sequence[Scaled | None]:
    """The sum of a window, in a scale that is finer by its size."""
    call, x = s.call, s.x()
    x.require_uniform(call.spatial)
    q = x.q.over(call.spatial)
    if is_padded(call):
        if not call.attributes.get("count_include_pad") or call.attributes.get("ceil_mode"):
            raise Unknown("the windows at the edge have other sizes")
        zero = x.of_values(0.0)
        q = q.hull(zero, zero)
    size = int(np.prod(call.attributes["kernel_shape"]))
    return [Scaled(q.affine(size), x.scale / size, x.bias)]


def global_average(s: ScaledCall) -> Sequence[Scaled | None]:
    call, x = s.call, s.x()
    x.require_uniform(call.spatial)
    size = size_along(call.shape(), call.spatial)
    (mean,) = _on(call, [x.q])
    return [Scaled(mean.affine(size).map(np.rint), x.scale / size, x.bias)]


def quant_avg_pool(s: ScaledCall) -> Sequence[Scaled | None]:
    """It shifts integers."""
    if (s.x().scale != 1).any() or s.x().bias.any():
        raise Unknown("its input is scaled")
    return natural(s)


def reduced(s: ScaledCall) -> Sequence[Scaled | None]:
    """A sum, a mean (the sum in a finer scale), a least or a greatest."""
    call, x = s.call, s.x()
    axes = reduced_axes(call)
    x.require_uniform(axes)
    size = size_along(call.shape(), axes) if call.node.op_type == "ReduceMean" else 1
    q = _on(call, [x.q])[0].affine(size).map(np.rint)
    bias = _on(call, [Interval(x.bias, x.bias)])[0].low
    scale = x.scale if call.attributes.get("keepdims", 1) else np.squeeze(x.scale, tuple(axes))
    return [Scaled(q, scale / size, bias)]


# ------------------------------------------------------------------------------------------------------ linear layers


def matmul(s: ScaledCall) -> Sequence[Scaled | None]:
    x, w = s.x(), s.x(1)
    return [_matmul(s, x, w, s.call.shape(), s.call.shape(1))]


def gemm(s: ScaledCall) -> Sequence[Scaled | None]:
    """alpha * A' @ B' + beta * C, C constant."""
    call = s.call
    operands, shapes = [s.x(), s.x(1)], [call.shape(), call.shape(1)]
    for i, flag in enumerate(("transA", "transB")):
        if call.attributes.get(flag):
            operands[i], shapes[i] = _flipped(operands[i]), shapes[i][::-1]
    y = _matmul(s, operands[0], operands[1], shapes[0], shapes[1])
    c = call.attributes.get("beta", 1.0) * call.constant(2, "bias").astype(np.float64) if call.has(2) else 0.0
    return [y.affine(call.attributes.get("alpha", 1.0), c)]


def _matmul(s: ScaledCall, x: Scaled, w: Scaled, x_shape: Shape, w_shape: Shape) -> Scaled:
    if len(x_shape) < 2 or len(w_shape) < 2:
        raise Unknown("it multiplies vectors")
    if x.q.constant and not w.q.constant:
        return _flipped(_matmul(s, _flipped(w), _flipped(x), _flipped_shape(w_shape), _flipped_shape(x_shape)))
    w = w.without_bias()
    if not w.q.constant:
        x = x.without_bias()
    scale, multipliers = _common_inner(x.scale, w.scale)
    weights = w.q.map(lambda b: b * multipliers)
    _require_exact(x_shape[-1] or w_shape[-2], x.q, weights)
    q = matmul_interval(x.q, weights, x_shape, w_shape)
    s.products.append(q)
    bias = np.zeros((1,) * q.low.ndim)
    if x.bias.any():
        bias = expanded(x.bias, [-1], (w.q.low.shape[-2],)) @ (w.q.low * w.scale)
    return Scaled(q, with_rank(scale, q.low.ndim), bias)


def _flipped(x: Scaled) -> Scaled:
    q, scale, bias = (np.swapaxes(b, -1, -2) for b in (x.q.low, x.scale, x.bias))
    return Scaled(replace(x.q, low=q, high=q if x.q.constant else np.swapaxes(x.q.high, -1, -2)), scale, bias)


def _flipped_shape(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _require_exact(terms: int, x: Interval, w: Interval) -> None:
    """Unknown if a partial sum of `terms` products may not be exact in float64."""
    reach = [max(map(abs, i.span)) for i in (x, w)]
    if terms * reach[0] * reach[1] > EXACT:
        raise Unknown("its integers need more than 53 bits")


def _common_inner(x: Array, w: Array) -> tuple[Array, Array]:
    """(scale, m): x[.., k] * w[k, n] == scale[.., n] * m[k]; m is (K, 1) or one. x is (.., M, K), w is (.., K, N)."""
    if x.shape[-1] == w.shape[-2] == 1:
        return x * w, np.ones((1, 1))
    if x.size != x.shape[-1] or (w.shape[-2] > 1 and w.size != w.shape[-2]):
        raise Unknown("the scale varies along the dot products and across them")
    row = x.reshape(-1) * (w.reshape(-1) if w.shape[-2] > 1 else 1.0)
    base, multipliers = _aligned(row)
    return base * (np.ones((1, 1)) if w.shape[-2] > 1 else w), multipliers.astype(np.float64).reshape(-1, 1)


def _aligned(scale: Array) -> tuple[float, Array]:
    try:
        return aligned(scale)
    except Refused as refusal:
        raise Unknown(refusal.reason) from refusal


def conv(s: ScaledCall) -> Sequence[Scaled | None]:
    """Conv and ConvTranspose; 0 in the padding has to be on the grid of the input."""
    call, x, w = s.call, s.x(), s.x(1).without_bias()
    if not w.q.constant:
        raise Unknown("its weights are not constant")
    x.require_uniform([0, *call.spatial])
    weights, group = filters(call, w.q.low), int(call.attributes.get("group", 1))
    out, inner = weights.shape[:2]
    base, multipliers = _common_in_groups(x.scale.reshape(-1), group, inner)
    scaled = Interval.of_constant(
        weights * _per_filter(multipliers, out).reshape(out, inner, *[1] * (weights.ndim - 2))
    )
    axes = window_axes(call, weights.shape[2:])
    fill = x.of_values(0.0).reshape(-1) if x.bias.any() and any(axis.padded for axis in axes) else 0.0
    _require_exact(int(np.prod(weights.shape[1:])), x.q.hull(np.min(fill), np.max(fill)), scaled)
    channels = conv_interval(channels_of(call, x.q), scaled, group, axes, fill)
    q = channels.map(lambda b: along(b, call.channel, call.rank))
    s.products.append(q)
    w_scale = _filter_scale(call, w)
    x_bias = np.broadcast_to(x.bias.reshape(-1), group * inner).reshape(group, inner)
    bias = (weights.reshape(out, inner, -1).sum(2) * _per_filter(x_bias, out)).sum(1) * w_scale
    if call.has(2):
        bias = bias + call.constant(2, "bias").astype(np.float64)
    scale = _per_filter(base, out)[:, 0] * w_scale
    return [Scaled(q, along(scale, call.channel, call.rank), along(bias, call.channel, call.rank))]


def _per_filter(groups: Array, out: int) -> Array:
    """(groups, n) as (out, n)."""
    return np.repeat(groups, out // len(groups), axis=0)


def _common_in_groups(scale: Array, group: int, inner: int) -> tuple[Array, Array]:
    """(base, m), (group, 1) and (group, inner), with scale == base * m for the channels of each group."""
    grouped = np.broadcast_to(scale, group * inner).reshape(group, inner)
    if (grouped == grouped[:, :1]).all():
        return grouped[:, :1], np.ones((group, inner))
    found = [_aligned(row) for row in grouped]
    return np.array([[b] for b, _ in found]), np.stack([np.broadcast_to(m, inner) for _, m in found]).astype(np.float64)


def _filter_scale(call: Call, w: Scaled) -> Array:
    """The scale of the weights, (O,). Unknown if it varies within a filter."""
    last = -1 if call.node.domain == CHANNELS_LAST else 1
    full = filters(call, expanded(w.scale, [0, last], w.q.low.shape))
    flat = full.reshape(len(full), -1)
    if (flat != flat[:, :1]).any():
        raise Unknown("the scale of its weights varies within a filter")
    return flat[:, 0]


# --------------------------------------------------------------------------------------------------------- the table

SCALED: dict[str, Rule] = {
    **dict.fromkeys(("BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "Sign", "Trunc"), quantizer),
    **dict.fromkeys(("ArgMax", "ArgMin", "Ceil", "Floor", "QuantizeLinear", "Round", "Shape", "Size"), natural),
    "XnorPopcountMatMul": natural,
    "DequantizeLinear": dequantized,
    "Cast": cast,
    **dict.fromkeys(("DebugMarker", "Dropout", "Identity"), same),
    **dict.fromkeys(("Add", "BatchNormalization", "Div", "Mul", "Neg", "Sub"), affine),
    "Sum": summed,
    **dict.fromkeys(("Clip", "Relu"), clamped),
    **dict.fromkeys(
        ("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Reshape", "Slice", "SpaceToDepth", "Split"), moved
    ),
    **dict.fromkeys(("Squeeze", "Tile", "Transpose", "Unsqueeze"), moved),
    "Pad": padded,
    "Im2Col": im2col,
    **dict.fromkeys(("Resize", "Upsample"), resized),
    "TopK": top_k,
    **dict.fromkeys(("GlobalMaxPool", "MaxPool", "MaxPoolNHWC"), pooled),
    "AveragePool": averaged,
    "GlobalAveragePool": global_average,
    "QuantAvgPool2d": quant_avg_pool,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), reduced),
    "MatMul": matmul,
    "Gemm": gemm,
    **dict.fromkeys(("Conv", "ConvTranspose"), conv),
}
"""The operators that give scaled integers for scaled integers, and those that make them."""
