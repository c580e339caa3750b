"""Equations that move constant factors and summands past layers, pools, joins and operators that only move elements.

They hold for real numbers. In floating point both sides are exact as long as every number in them is, as it is for
integers and dyadic fractions that the element type holds; else each side rounds in its own way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.transformation.constants import Fixed, annotated, value_of
from finn.transformation.convolution import of_conv
from finn.transformation.rewrite import (
    Call,
    Const,
    Parameter,
    Rule,
    Scalar,
    TensorRef,
    Var,
    maybe,
    op,
    over_channels,
    per_channel,
    require,
    rule,
)


class ScalarParameter(Parameter, Scalar):
    """Binds a constant with one element as a `TensorRef`, so that its data type is at hand."""


x, y, bias = Var("x"), Var("y"), Var("bias")
a, b = Const("a"), Const("b")
s, w = ScalarParameter("s"), Fixed("w")


def as_scalar(s: TensorRef, x: TensorRef) -> Any:
    """The constant `s` as an operand without axes. NoMatch if it has more axes than `x`, which would gain them."""
    value = value_of(s)
    require(value.ndim == 0 or value.ndim <= x.rank, "the scalar has more axes than the tensor")
    return annotated(value.reshape(()), s.datatype)


def _wide(array: np.ndarray) -> np.ndarray:
    """For sums: floats as float64, integers as they are."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array


# ----------------------------------------------------------------------------------------------- factors and summands


@rule(op.Mul(op.Add(x, b), a), shapes="x:n,k b:k a:k | x:n,c,h b:c,1 a: | x:n,k b: a:n,1")
def move_add_past_mul(x: TensorRef, b: np.ndarray, a: np.ndarray) -> Call:
    """(x + b) * a == x*a + b*a"""
    return op.Add(op.Mul(x, a), b * a)


@rule(op.Add(op.Mul(x, a), b), shapes="x:n,k a:k b:k | x:n,c,h a: b:c,1")
def move_mul_past_add(x: TensorRef, a: np.ndarray, b: np.ndarray) -> Call:
    """x*a + b == (x + b/a) * a, a not 0; b/a is rounded once"""
    require(np.all(a != 0), "a factor is 0")
    return op.Mul(op.Add(x, b / a), a)


# ------------------------------------------------------------------------------------------------------ matrix products

_PRODUCTS = "x:n,k s: y:k,m | x:k s:1 y:k | x:n,k s:1,1,1 y:k,m | x:n,c,k s:1,1 y:k,m"


@rule(op.MatMul(op.Mul(x, s), y), shapes=_PRODUCTS, datatypes=[{"s": "INT4"}, {}, {}, {}])
def move_scalar_mul_past_matmul(x: TensorRef, s: TensorRef, y: TensorRef) -> Call:
    """(x*s) @ y == (x @ y) * s"""
    return op.Mul(op.MatMul(x, y), as_scalar(s, x))


@rule(op.MatMul(y, op.Mul(x, s)), shapes="x:k,n s: y:m,k | x:k s:1 y:k | x:k,n s:1,1,1 y:m,k")
def move_scalar_mul_past_matmul_right(y: TensorRef, x: TensorRef, s: TensorRef) -> Call:
    """y @ (x*s) == (y @ x) * s"""
    return op.Mul(op.MatMul(y, x), as_scalar(s, x))


def _add_past_matmul(x: TensorRef, b: np.ndarray, w: TensorRef) -> Call:
    """(x + b) @ w == x @ w + (b @ w)"""
    weights = value_of(w)
    rows = weights.shape[max(weights.ndim - 2, 0)]
    require(
        b.ndim <= x.rank and (x.shape or ())[-1:] == (rows,), "the sum has other axes than x, or they are not known"
    )
    summands = _wide(np.broadcast_to(b, (*b.shape[:-1], rows)))
    if summands.ndim == 1 < x.rank and weights.ndim > 2:
        summands = summands[np.newaxis]  # a row for each matrix of the stack
    return op.Add(op.MatMul(x, w), np.asarray(summands @ _wide(weights), b.dtype))


_SUMS = "x:n,k {0} w:k,m | x:n,c,k {0} w:k | x:n,c,k {0} w:n,k,m | x:k {0} w:n,k,m | x:n,k {1} w:k,m"


@rule(
    op.MatMul(op.Add(x, Scalar("s")), w),
    shapes=_SUMS.format("s:", "s:1,1,1"),
    equivalent={"s is only Const": "other constants may move, too: that is another rule"},
)
def move_scalar_add_past_matmul(x: TensorRef, s: np.ndarray, w: TensorRef) -> Call:
    """(x + s) @ w == x @ w + s * (the sums of the columns of w)"""
    return _add_past_matmul(x, s, w)


@rule(op.MatMul(op.Add(x, b), w), shapes=_SUMS.format("b:k", "b:1,n,k") + " | x:n,c,k b:c,1 w:k,m | x:n,1 b:k w:k,m")
def move_add_past_matmul(x: TensorRef, b: np.ndarray, w: TensorRef) -> Call:
    """(x + b) @ w == x @ w + (b @ w)"""
    return _add_past_matmul(x, b, w)


# --------------------------------------------------------------------------------------------------------- convolutions


@rule(
    op.Conv(op.Add(x, b), w, maybe(bias)).named("conv"),
    shapes="x:n,c,t,t b:c,1,1 w:m,c,2,3 | x:n,4,t b: w:m,2,2 bias:m | x:n,c,t,t b:c,1,1 w:m,c,3,3"
    " | x:n,c,t b:t w:m,c,2 | x:n,1,t b:c,1 w:m,c,2",
    attributes=[
        {"conv": {"strides": [2, 1], "auto_pad": "VALID"}},
        {"conv": {"group": 2, "dilations": [2]}},
        {"conv": {"pads": [0, 1, 0, 0]}},
        {},
        {},
    ],
)
def move_add_past_conv(x: TensorRef, b: np.ndarray, w: TensorRef, bias: TensorRef | None, conv: Call) -> Call:
    """conv(x + b, w) == conv(x, w) + (b over the input channels times the sums of w over the kernel), without padding

    A padded window adds less than its neighbours: b would become a map as large as the image.
    """
    geometry, weights = of_conv(conv, x, w), value_of(w)
    require(not any(geometry.pads), "the padding has no summand")
    summands, channels = per_channel(b, x), geometry.group * weights.shape[1]
    require((x.shape or ())[1:2] == (channels,), "the sum has more channels than x, or they are not known")
    columns = _wide(np.broadcast_to(summands, channels)).reshape(geometry.group, -1, 1)
    kernels = _wide(weights).reshape(geometry.group, -1, *weights.shape[1:2], int(np.prod(weights.shape[2:])))
    sums = np.asarray(kernels.sum(axis=-1) @ columns, b.dtype).reshape(-1)
    product = conv.on(x, w) if bias is None else conv.on(x, w, bias)
    return op.Add(product, over_channels(sums, x)[np.newaxis])


def _scalar_mul_past_layer(x: TensorRef, s: TensorRef, y: TensorRef, layer: Call) -> Call:
    return op.Mul(layer.on(x, y), as_scalar(s, x))


@rule(
    op.Conv(op.Mul(x, s), y).named("layer"),
    shapes="x:n,c,t,t s: y:m,c,2,3 | x:n,4,t s:1 y:m,2,2 | x:3,t,t s:1,1,1,1 y:m,3,2,2",
    attributes=[{"layer": {"pads": [1, 0, 1, 2], "strides": [2, 1]}}, {"layer": {"group": 2, "dilations": [2]}}, {}],
)
def move_scalar_mul_past_conv(x: TensorRef, s: TensorRef, y: TensorRef, layer: Call) -> Call:
    """conv(x*s, y) == conv(x, y) * s, without bias"""
    return _scalar_mul_past_layer(x, s, y, layer)


@rule(
    op.ConvTranspose(op.Mul(x, s), y).named("layer"),
    shapes="x:n,c,h,k s: y:c,m,2,3 | x:n,c,h s:1 y:c,m,2 | x:3,t,t s:1,1,1,1 y:3,m,2,2",
    attributes=[{"layer": {"pads": [1, 0, 0, 1], "strides": [2, 1]}}, {}, {}],
)
def move_scalar_mul_past_conv_transpose(x: TensorRef, s: TensorRef, y: TensorRef, layer: Call) -> Call:
    """conv_transpose(x*s, y) == conv_transpose(x, y) * s, without bias"""
    return _scalar_mul_past_layer(x, s, y, layer)


@rule(
    op.Conv(op.Mul(x, a), y).named("conv"),
    shapes="x:n,3,t,t a:3,1,1 y:6,1,2,3 | x:n,4,t a: y:4,1,2 | x:n,4,t a:4,1 y:4,2,2 | x:n,1,t a:3,1 y:3,1,2",
    attributes=[
        {"conv": {"group": 3, "pads": [1, 0, 1, 2]}},
        {"conv": {"group": 4}},
        {"conv": {"group": 2}},
        {"conv": {"group": 3}},
    ],
)
def move_mul_past_depthwise_conv(x: TensorRef, a: np.ndarray, y: TensorRef, conv: Call) -> Call:
    """conv(x*a, y) == conv(x, y) * a, a per channel, each output channel made of one input channel, without bias"""
    group, channels = conv.attributes.get("group", 1), y.sizes[0]
    factors = per_channel(a, x)
    require((x.shape or ())[1:2] == (group,), "the convolution mixes channels, or they are not known")
    repeated = np.repeat(np.broadcast_to(factors, group), channels // group)
    return op.Mul(conv.on(x, y), over_channels(repeated, x)[np.newaxis])


@rule(
    op.Im2Col(op.Mul(x, a)).named("columns"),
    shapes="x:n,4,5,3 a:3 | x:n,4,5,3 a:1,1 | x:n,4,5,3 a:3 | x:n,4,5,1 a:3 | x:n,4,5,3 a:5,1",
    attributes=[
        {
            "columns": {
                "kernel_size": [2, 3],
                "stride": [2, 1],
                "input_shape": "(1, 4, 5, 3)",
                "pad_amount": [1, 0, 0, 2],
            }
        },
        {"columns": {"kernel_size": [2, 2], "stride": [1, 1], "input_shape": "(1, 4, 5, 3)", "depthwise": 1}},
        {
            "columns": {
                "kernel_size": [2, 2],
                "stride": [1, 1],
                "input_shape": "(1, 4, 5, 3)",
                "pad_amount": [1, 1, 1, 1],
                "pad_value": 1,
            }
        },
        {"columns": {"kernel_size": [2, 2], "stride": [1, 1], "input_shape": "(1, 4, 5, 3)"}},
        {"columns": {"kernel_size": [2, 2], "stride": [1, 1], "input_shape": "(1, 4, 5, 3)"}},
    ],
    equivalent={"another depthwise of Im2Col": "it is a mark that changes no value"},
)
def move_mul_past_im2col(x: TensorRef, a: np.ndarray, columns: Call) -> Call:
    """im2col(x*a) == im2col(x) * (a for each place of the window), a per channel, padding of 0"""
    attributes = columns.attributes
    require(not any(attributes.get("pad_amount", ())) or not attributes.get("pad_value"), "the padding has no factor")
    factors = per_channel(a, x, axis=x.rank - 1)
    require(factors.size in (1, (x.shape or ())[-1]), "the product has more channels than x, or they are not known")
    places = int(np.prod(attributes["kernel_size"]))
    return op.Mul(columns.on(x), factors if factors.size == 1 else np.tile(factors, places))


# ------------------------------------------------------------------------------------------------------------- pooling


@rule(
    op.MaxPool(op.Mul(x, a)).named("pool"),
    shapes="x:n,c,t,t a:c,1,1 | x:n,c,t a: | x:n,c,t a:t",
    attributes=[
        {"pool": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 0]}},
        *[{"pool": {"kernel_shape": [2]}}] * 2,
    ],
)
def move_mul_past_max_pool(x: TensorRef, a: np.ndarray, pool: Call) -> Call:
    """max_pool(x*a) == max_pool(x) * a, a per channel and not negative"""
    require(np.all(a >= 0), "a factor is negative: the greatest value would become the least")
    return op.Mul(pool.on(x), over_channels(per_channel(a, x), x)[np.newaxis])


# --------------------------------------------------------------------------------------------------------------- joins


@rule(op.Add(op.Mul(x, a), op.Mul(y, a)), shapes="x:n,k a:k y:n,k | x:n,k a: y:k | x:n,1 a:n,k y:n,k")
def move_mul_past_join_add(x: TensorRef, a: np.ndarray, y: TensorRef) -> Call:
    """x*a + y*a == (x + y) * a"""
    return op.Mul(op.Add(x, y), a)


@rule(op.Add(op.Add(x, a), op.Add(y, b)), shapes="x:n,k a:k y:n,k b: | x:n,1 a:n,k y:k b:n,1")
def move_add_past_join_add(x: TensorRef, a: np.ndarray, y: TensorRef, b: np.ndarray) -> Call:
    """(x + a) + (y + b) == (x + y) + (a + b)"""
    return op.Add(op.Add(x, y), a + b)


@rule(op.Mul(op.Mul(x, a), y), shapes="x:n,k a:k y:n,k | x:n,1 a: y:k")
def move_const_mul_past_join_mul(x: TensorRef, a: np.ndarray, y: TensorRef) -> Call:
    """(x*a) * y == (x*y) * a, y computed"""
    require(y.value is None, "the other factor is a constant, too")
    return op.Mul(op.Mul(x, y), a)


# --------------------------------------------------------------------------- past operators that only move elements

LINEAR = ("Mul", "Add", "Div", "Sub")
_F = op.any_of(*LINEAR)(x, s).named("f")
_k, _axes, _steps = Var("k"), Var("axes"), Var("steps")
_roi, _scales, _sizes = Parameter("roi"), Parameter("scales"), Parameter("sizes")
_starts, _ends = Var("starts"), Var("ends")


def _past(x: TensorRef, s: TensorRef, f: Call, g: Call, *parameters: TensorRef | None) -> Call:
    """g(f(x, s)) == f(g(x), s)"""
    given = list(parameters)
    while given and given[-1] is None:
        given.pop()
    scalar, moved = as_scalar(s, x), g.on(x, *given)
    if g.op == "GlobalAveragePool":
        require(f.op != "Div" or np.all(value_of(s) != 0), "infinities have no average")
        return f.on(moved, scalar)
    return f.on(annotated(moved, x.datatype), scalar)


@rule(
    op.any_of("GlobalAveragePool", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice")(_F).named("g"),
    shapes="x:n,c,h,k s: | x:n,c,h s:1 | x:c,h s:1,1,1 | x:n,1,k s: | x:n,c,k s: | x:n,c,k s:1,1",
    attributes=[{}, {}, {}, *[{"g": {"axes": [1]}}] * 2, {"g": {"starts": [1], "ends": [2], "axes": [2]}}],
    datatypes=[{}, {"x": "INT4"}, {}, {}, {}, {}],
    equivalent={"GlobalAveragePool twice": "the average of one element is that element"},
)
def move_scalar_linear_past_invariant(x: TensorRef, s: TensorRef, f: Call, g: Call) -> Call:
    """g(f(x, s)) == f(g(x), s), f one of x*s, x+s, x/s, x-s; g averages or moves elements"""
    return _past(x, s, f, g)


@rule(
    op.any_of("Reshape", "Squeeze", "Unsqueeze")(_F, _k).named("g"),
    shapes="x:n,1,c s: | x:n,c,h s:1 | x:n,c s:1,1,1",
    values=[{"k": [1]}, {"k": [0, -1]}, {"k": [0, -1]}],
)
def move_scalar_linear_past_reshape(x: TensorRef, s: TensorRef, k: TensorRef, f: Call, g: Call) -> Call:
    """g(f(x, s), k) == f(g(x, k), s), f one of x*s, x+s, x/s, x-s"""
    return _past(x, s, f, g, k)


@rule(
    op.Slice(_F, _starts, _ends, maybe(_axes), maybe(_steps)).named("g"),
    shapes="x:n,c,h s: | x:n,t s:1",
    values=[{"starts": [0], "ends": [1]}, {"starts": [-1], "ends": [0], "axes": [1], "steps": [-2]}],
)
def move_scalar_linear_past_slice(
    x: TensorRef,
    s: TensorRef,
    starts: TensorRef,
    ends: TensorRef,
    axes: TensorRef | None,
    steps: TensorRef | None,
    f: Call,
    g: Call,
) -> Call:
    """slice(f(x, s)) == f(slice(x), s), f one of x*s, x+s, x/s, x-s"""
    return _past(x, s, f, g, starts, ends, axes, steps)


def _resized(x: TensorRef, s: TensorRef, f: Call, g: Call, *parameters: TensorRef | None) -> Call:
    require(g.attributes.get("mode", "nearest") == "nearest", "it interpolates")
    require(g.attributes.get("coordinate_transformation_mode") != "tf_crop_and_resize", "elements come from outside")
    return _past(x, s, f, g, *parameters)


@rule(
    op.Upsample(_F, _scales).named("g"),
    shapes="x:n,c,h,k s: | x:n,c,h s:1",
    values=[{"scales": np.array([1, 1, 2, 3], np.float32)}, {"scales": np.array([1, 1, 2], np.float32)}],
    attributes=[{"g": {"mode": "nearest"}}, {}],
)
def move_scalar_linear_past_upsample(x: TensorRef, s: TensorRef, scales: TensorRef, f: Call, g: Call) -> Call:
    """upsample(f(x, s)) == f(upsample(x), s), f one of x*s, x+s, x/s, x-s, each element the nearest one"""
    return _resized(x, s, f, g, scales)


@rule(
    op.Resize(_F, maybe(_roi), maybe(_scales), maybe(_sizes)).named("g"),
    shapes="x:n,c,h,k s: | x:n,c,h s:1 | x:n,c,h s: | x:n,c,h s:",
    values=[
        {"scales": np.array([1, 1, 2, 1.5], np.float32)},
        {"sizes": [2, 3, 7]},
        {"scales": np.array([1, 1, 2], np.float32)},
        {"roi": np.array([0, 0, 0, 1, 1, 2], np.float32), "sizes": [2, 3, 7]},
    ],
    attributes=[
        {"g": {"mode": "nearest"}},
        {},
        {"g": {"mode": "linear"}},
        {"g": {"coordinate_transformation_mode": "tf_crop_and_resize"}},
    ],
    equivalent={
        "without require(g.attributes.get('mode', 'nearest') == 'nearest')": "linear interpolation is linear, too",
    },
)
def move_scalar_linear_past_resize(
    x: TensorRef,
    s: TensorRef,
    roi: TensorRef | None,
    scales: TensorRef | None,
    sizes: TensorRef | None,
    f: Call,
    g: Call,
) -> Call:
    """resize(f(x, s)) == f(resize(x), s), f one of x*s, x+s, x/s, x-s, each element the nearest one

    Inputs are (x, scales) up to opset 10 and (x, roi, scales, sizes) since.
    """
    return _resized(x, s, f, g, roi, scales, sizes)


INVARIANTS: tuple[Rule, ...] = (
    move_scalar_linear_past_invariant,
    move_scalar_linear_past_reshape,
    move_scalar_linear_past_slice,
    move_scalar_linear_past_upsample,
    move_scalar_linear_past_resize,
)
