"""Equations that move Transpose, Flatten, Squeeze and MaxPool past their readers, or make those channels-last.

A Transpose to channels last is [0, 2, 3, 1], one to channels first [0, 3, 1, 2].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from finn.core.data_layout import channel_axis
from finn.transformation._axes import Axes, Operand, layout_name, moved_call
from finn.transformation._channels_last_forms import max_pool_channels_last
from finn.transformation._layout_rules import inverse, perm_of, to_first, to_last, transposed
from finn.transformation.constants import annotated, value_of
from finn.transformation.rewrite import Call, Const, Parameter, Rule, TensorRef, Var, maybe, op, require, rule
from finn.transformation.streamline._reorder_linear import ScalarParameter, as_scalar

x, y = Var("x"), Var("y")
a, s, k = Parameter("a"), ScalarParameter("s"), Var("k")
levels, axes, shape = Var("levels"), Const("axes"), Const("shape")
roi, scales, sizes = Parameter("roi"), Parameter("scales"), Parameter("sizes")
_FIRST, _LAST = to_first(4), to_last(4)


def _like(call: Call, matched: Call) -> Call:
    """`call` with the data type of what the matched call writes."""
    result: Call = call if matched.result is None else annotated(call, matched.result.datatype)
    return result


def _moved(x: TensorRef, f: Call, perm: Sequence[int], source: Any) -> Call:
    """f' of the equation f(transpose(x, perm)) == transpose(f'(x), perm), on `source` in place of x.

    The other inputs of f are constants, which move as well, or parameters.
    """
    moved = moved_call(x.model, f, Axes.of_transpose(perm))
    return _like(replace(moved, inputs=tuple(_operand(item, source) for item in moved.inputs)), f)


def _operand(item: Any, source: Any) -> Any:
    if not isinstance(item, Operand):
        return item
    return source if item.array is None else annotated(item.array, item.tensor.datatype)


# ----------------------------------------------------------------------------------------------------------- Transpose

_T = op.Transpose(x).named("t")
_ARITHMETIC = ("Add", "Div", "Max", "Min", "Mul", "Sub")
_FUNCTIONS = ("Abs", "Ceil", "Exp", "Floor", "LeakyRelu", "Neg", "Relu", "Round", "Sigmoid", "Sign", "Tanh")
_PERMS = [{"t": {"perm": _FIRST}}, {"t": {"perm": _LAST}}, {}, {"t": {"perm": [1, 0, 2]}}]


@rule(
    op.Mul(_T, s),
    shapes="x:n,c,h,k s: | x:n,c,h s:1,1,1 | x:c,h s:1,1,1",
    attributes=[{"t": {"perm": _FIRST}}, {}, {}],
    datatypes=[{"s": "INT3"}, {}, {}],
)
def move_transpose_past_scalar_mul(x: TensorRef, s: TensorRef, t: Call) -> Call:
    """transpose(x) * s == transpose(x * s)"""
    return t.on(op.Mul(x, as_scalar(s, x)))


def _past_elementwise(x: TensorRef, t: Call, f: Call) -> Call:
    perm = perm_of(t, x)
    return op.Transpose(_moved(x, f, perm, x), perm=perm)


@rule(
    op.any_of(*_ARITHMETIC)(_T, a).named("f"),
    shapes="x:n,h,k,c a:c,1,1 | x:n,c,h,k a:n,1,1,1 | x:n,c,h a:h,c,1 | x:n,c,h a: | x:n,c a:1,1,1",
    attributes=[*_PERMS, {}],
    datatypes=[{"a": "INT4"}, {}, {}, {}, {}],
)
def move_transpose_past_arithmetic(x: TensorRef, a: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x), a) == transpose(f(x, a transposed back)), a constant"""
    return _past_elementwise(x, t, f)


@rule(
    op.any_of("Div", "Max", "Min", "Sub")(a, _T).named("f"),
    shapes="a:c,1,1 x:n,h,k,c | a:n,1,1,1 x:n,c,h,k | a: x:n,c,h | a:c,n,1 x:n,c,h",
    attributes=_PERMS,
)
def move_transpose_past_arithmetic_right(a: TensorRef, x: TensorRef, t: Call, f: Call) -> Call:
    """f(a, transpose(x)) == transpose(f(a transposed back, x)), a constant"""
    return _past_elementwise(x, t, f)


@rule(
    op.any_of(*_FUNCTIONS)(_T).named("f"),
    shapes="x:n,h,k,c | x:n,c,h,k | x:n,c,h | x:n,c,h",
    attributes=_PERMS,
)
def move_transpose_past_function(x: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x)) == transpose(f(x))"""
    return _past_elementwise(x, t, f)


TRANSPOSE_PAST_ELTWISE: tuple[Rule, ...] = (
    move_transpose_past_arithmetic,
    move_transpose_past_arithmetic_right,
    move_transpose_past_function,
)

# ------------------------------------------------------------------------------------------- channels-last operators


def _nhwc_pool(x: TensorRef, last: Any, pool: Call) -> Call:
    """MaxPoolNHWC of `last`, the window being that of a MaxPool of `x` (N, C, H, W)."""
    window = max_pool_channels_last.body(x=x, f=pool).inputs[0].attributes
    return _like(op.MaxPoolNHWC(last, **window), pool)


_WINDOWS: list[dict[str, Any]] = [
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 0]},
    {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
]


@rule(
    op.Transpose(op.MaxPool(x).named("pool"), perm=_LAST),
    shapes="x:n,c,t,m | x:n,c,t,t",
    attributes=[{"pool": window} for window in _WINDOWS],
    datatypes=[{}, {"x": "INT4"}],
)
def make_max_pool_before_transpose_nhwc(x: TensorRef, pool: Call) -> Call:
    """last(max_pool(x)) == max_pool_nhwc(last(x))"""
    return _nhwc_pool(x, transposed(x, _LAST), pool)


@rule(
    op.MaxPool(op.Transpose(x, perm=_FIRST).named("t")).named("pool"),
    shapes="x:n,t,m,c | x:n,t,t,c",
    attributes=[{"pool": window} for window in _WINDOWS],
)
def make_max_pool_after_transpose_nhwc(x: TensorRef, t: Call, pool: Call) -> Call:
    """max_pool(first(x)) == first(max_pool_nhwc(x))"""
    require(x.rank == 4, "this is no batch of images")
    image = replace(x, shape=tuple((x.shape or ())[i] for i in _FIRST))
    return t.on(_nhwc_pool(image, x, pool))


MAX_POOL_NHWC: tuple[Rule, ...] = (make_max_pool_before_transpose_nhwc, make_max_pool_after_transpose_nhwc)

_MODES: list[dict[str, Any]] = [{"f": {"mode": "nearest"}}, {"f": {"mode": "linear"}}]
_SCALES: list[dict[str, Any]] = [{"scales": np.array([1, 2, 3, 4], np.float32)}, {"sizes": [2, 5, 7, 6]}]


def _up(x: TensorRef, f: Call) -> Call:
    return _moved(x, f, inverse(_LAST), transposed(x, _LAST))


def _down(x: TensorRef, t: Call, f: Call) -> Call:
    return t.on(_moved(x, f, _FIRST, x))


_RESIZE = (maybe(roi), maybe(scales), maybe(sizes))


@rule(
    op.Transpose(op.Resize(x, *_RESIZE).named("f"), perm=_LAST),
    shapes="x:n,c,h,k | x:2,5,h,k | x:n,c,h,k",
    values=[*_SCALES, _SCALES[0]],
    attributes=[*_MODES, {"f": {"mode": "cubic"}}],
    equivalent={"without require(s.get('mode', 'nearest') in ('nearest', 'linear'))": "onnxruntime declines it"},
)
def make_resize_before_transpose_nhwc(
    x: TensorRef, roi: TensorRef | None, scales: TensorRef | None, sizes: TensorRef | None, f: Call
) -> Call:
    """last(resize(x)) == resize'(last(x)), the scales or sizes in that order"""
    return _up(x, f)


@rule(
    op.Resize(op.Transpose(x, perm=_FIRST).named("t"), *_RESIZE).named("f"),
    shapes="x:n,h,k,c | x:2,h,k,5",
    values=_SCALES,
    attributes=_MODES,
)
def make_resize_after_transpose_nhwc(
    x: TensorRef, roi: TensorRef | None, scales: TensorRef | None, sizes: TensorRef | None, t: Call, f: Call
) -> Call:
    """resize(first(x)) == first(resize'(x)), the scales or sizes in that order"""
    return _down(x, t, f)


@rule(op.Transpose(op.Upsample(x, scales).named("f"), perm=_LAST), shapes="x:n,c,h,k", values=_SCALES[0])
def make_upsample_before_transpose_nhwc(x: TensorRef, scales: TensorRef, f: Call) -> Call:
    """last(upsample(x, scales)) == upsample(last(x), last(scales))"""
    return _up(x, f)


@rule(op.Upsample(op.Transpose(x, perm=_FIRST).named("t"), scales).named("f"), shapes="x:n,h,k,c", values=_SCALES[0])
def make_upsample_after_transpose_nhwc(x: TensorRef, scales: TensorRef, t: Call, f: Call) -> Call:
    """upsample(first(x), scales) == first(upsample(x, last(scales)))"""
    return _down(x, t, f)


RESIZE_NHWC: tuple[Rule, ...] = (
    make_resize_before_transpose_nhwc,
    make_resize_after_transpose_nhwc,
    make_upsample_before_transpose_nhwc,
    make_upsample_after_transpose_nhwc,
)

# --------------------------------------------------------------------------------------------------------- thresholds


@rule(
    op.MultiThreshold(op.MaxPool(x).named("pool"), levels).named("mt"),
    shapes="x:n,c,t,t levels:c,k | x:n,c,t,t levels:1,k | x:n,c,t levels:c,k | x:n,t,3 levels:2,k | x:n,c,t levels:1,k",
    attributes=[
        {"pool": {"kernel_shape": [3, 2], "pads": [1, 0, 1, 0], "strides": [2, 1]}, "mt": {"data_layout": "NCHW"}},
        {"pool": {"kernel_shape": [2, 2]}, "mt": {"out_bias": -2.0, "out_scale": 2.0, "data_layout": "NHWC"}},
        {"pool": {"kernel_shape": [3], "pads": [1, 1], "strides": [2]}, "mt": {"out_bias": -2.0, "data_layout": "NCW"}},
        {"pool": {"kernel_shape": [2]}, "mt": {"data_layout": "NWC"}},
        {"pool": {"kernel_shape": [2]}, "mt": {"out_scale": -1.0, "data_layout": "NCW"}},
    ],
    equivalent={
        "without require(not padded or mt.attributes.get('out_bias', 0) >= 0)": "ONNX's padding is no number at all"
    },
)
def move_max_pool_past_multithreshold(x: TensorRef, levels: TensorRef, pool: Call, mt: Call) -> Call:
    """thresholds(max_pool(x)) == max_pool(thresholds(x)), as thresholds are monotonic if their scale is not negative

    A padded pool stays if the result can be negative: hardware pads with zeros.
    """
    require(mt.attributes.get("out_scale", 1) >= 0, "the greatest value would become the least")
    padded = any(pool.attributes.get("pads", ())) or pool.attributes.get("auto_pad", "NOTSET") in _SAME
    require(not padded or mt.attributes.get("out_bias", 0) >= 0, "the padding of 0 would be greater than a result")
    channel = channel_axis(mt.attributes.get("data_layout", "NCHW"), x.rank)
    require(levels.sizes[0] == 1 or channel == 1, "the pool mixes elements with different thresholds")
    return pool.on(_like(mt.on(x, levels), mt))


_SAME = ("SAME_UPPER", "SAME_LOWER")

# ------------------------------------------------------------------------------------------------------------- Flatten

_FLAT = op.Flatten(x).named("flat")


def _require_pixels(x: TensorRef) -> None:
    """NoMatch unless x is (N, 1, ..., 1, C)."""
    require(x.rank > 1 and all(dim == 1 for dim in (x.shape or ())[1:-1]), "this is no batch of pixels (N, 1, ..., C)")


def _require_flat(x: TensorRef, flat: Call) -> None:
    """NoMatch unless x is (N, 1, ..., 1, C) and becomes (N, C), so that its last axis stays the last."""
    _require_pixels(x)
    axis = flat.attributes.get("axis", 1)
    require(0 < (axis + x.rank if axis < 0 else axis) < x.rank, "the batch goes, or the channels")


@rule(
    op.any_of("Mul", "Add", "MatMul")(op.Reshape(x, shape), y).named("f"),
    shapes="x:n,1,1,4 y:4,4 | x:4,1,4 y:4,4 | x:n,1,4 y:4,4 | x:2,1,4 y:4 | x:n,2,1,4 y:4 | x:4,1,4 y:8 | x:2,1,4 y:2",
    values=[{"shape": dims} for dims in ([0, -1], [4, -1], [-1, 4], [2, 1, 4], [-1, 4], [2, -1], [4, 2])],
)
def flatten_instead_of_reshape(x: TensorRef, shape: np.ndarray, y: TensorRef, f: Call) -> Call:
    """f(reshape(x, (N, C)), y) == f(flatten(x), y), x (N, 1, ..., 1, C)"""
    _require_pixels(x)
    require(len(shape) == 2, "the result is no matrix")
    samples, channels = (x.shape or ())[0], (x.shape or ())[-1]
    rows, columns = (int(dim) for dim in shape)
    channels_given = rows == -1 and columns == channels > 0
    require(rows in (0, samples or 0) or channels_given, "the rows are no samples")
    return f.on(_like(op.Flatten(x, axis=1), replace(f, result=x)), y)


@rule(
    op.any_of("Mul", "Add")(_FLAT, a).named("f"),
    shapes="x:n,1,1,c a: | x:n,1,1,c a:c | x:n,1,c a:1,c | x:n,1,c a:n,1 | x:n,1,c a:1,1,c | x:n,h,1,c a: | x:n,1,c a:",
    attributes=[{"flat": {"axis": axis}} for axis in (2, 1, -1, 1, 1, 1, 0)],
    datatypes=[{"a": "INT4"}, *[{}] * 6],
)
def move_flatten_past_affine(x: TensorRef, a: TensorRef, flat: Call, f: Call) -> Call:
    """f(flatten(x), a) == flatten(f(x, a)), x (N, 1, ..., 1, C), a per channel"""
    _require_flat(x, flat)
    value = value_of(a)
    require(value.ndim <= 2 and value.size == (1, *value.shape)[-1], "a is not per channel")
    return op.Flatten(f.on(x, annotated(value.reshape(-1), a.datatype)), axis=1)


@rule(
    op.MatMul(_FLAT, y),
    shapes="x:n,1,1,c y:c,m | x:n,1,c y:c,m | x:n,1,4 y:n,4,m | x:n,2,1,4 y:8,m | x:4,1,4 y:16,m",
    attributes=[{"flat": {"axis": axis}} for axis in (2, -1, 1, 1, 0)],
)
def move_flatten_past_matmul(x: TensorRef, y: TensorRef, flat: Call) -> Call:
    """flatten(x) @ y == flatten(x @ y), x (N, 1, ..., 1, C), y (C, M)"""
    _require_flat(x, flat)
    require(y.rank == 2, "this is no matrix")
    return op.Flatten(op.MatMul(x, y), axis=1)


FLATTEN_PAST_AFFINE: tuple[Rule, ...] = (
    flatten_instead_of_reshape,
    move_flatten_past_affine,
    move_flatten_past_matmul,
)


def _top_flattened(x: TensorRef, k: TensorRef, flat: Call, top: Call, index: int) -> Call:
    """Output `index` of TopK of the last axis of x, flattened."""
    _require_flat(x, flat)
    require(top.attributes.get("axis", -1) in (-1, 1), "it is along the batch")
    return op.Flatten(_like(op.TopK(x, k, like=top, axis=-1).output(index), top), axis=1)


_TOPS = "x:n,1,1,5 | x:n,1,5 | x:n,2,1,5 | x:3,1,5 | x:3,1,5"
_TOP_AXES: list[dict[str, Any]] = [
    {"flat": {"axis": flat}, "top": {"axis": top}} for flat, top in ((2, 1), (-1, -1), (1, -1), (0, 1), (1, 0))
]


@rule(
    op.TopK(_FLAT, k).named("top"),
    shapes=_TOPS,
    values={"k": [2]},
    attributes=_TOP_AXES,
    equivalent={"TopK twice": "the greatest of the greatest are those again"},
)
def move_flatten_past_topk_values(x: TensorRef, k: TensorRef, flat: Call, top: Call) -> Call:
    """topk(flatten(x), k).values == flatten(topk(x, k).values), along the channels of x (N, 1, ..., 1, C)"""
    return _top_flattened(x, k, flat, top, 0)


@rule(op.TopK(_FLAT, k).named("top").output(1), shapes=_TOPS, values={"k": [2]}, attributes=_TOP_AXES)
def move_flatten_past_topk_indices(x: TensorRef, k: TensorRef, flat: Call, top: Call) -> Call:
    """topk(flatten(x), k).indices == flatten(topk(x, k).indices), along the channels of x (N, 1, ..., 1, C)"""
    return _top_flattened(x, k, flat, top, 1)


FLATTEN_PAST_TOPK: tuple[Rule, ...] = (move_flatten_past_topk_values, move_flatten_past_topk_indices)

# ------------------------------------------------------------------------------------------------------------- Squeeze


def _kept_axes(x: TensorRef, axes: Sequence[int]) -> list[int]:
    """The axes of x that Squeeze leaves."""
    gone = {axis % x.rank for axis in axes}
    return [axis for axis in range(x.rank) if axis not in gone]


def _thresholds_of(x: TensorRef, axes: Sequence[int], levels: TensorRef, mt: Call) -> Call:
    """thresholds(x), the channels on the axis on which they are without `axes`."""
    kept = _kept_axes(x, axes)
    require(kept, "nothing is left")
    channel = kept[channel_axis(mt.attributes.get("data_layout", "NCHW"), len(kept))]
    layout = layout_name(x.rank, channel != 1)
    require(levels.sizes[0] == 1 or (layout and channel in (1, x.rank - 1)), f"the channels are on axis {channel}")
    return _like(op.MultiThreshold(x, levels, like=mt, data_layout=layout), mt)


_THRESHOLDED = (
    "x:n,c,1,1 levels:c,k | x:n,1,h,c levels:c,k | x:1,c,h,k levels:h,t | x:n,1,h levels:1,k | x:n,c,1 levels:c,k"
)
_GONE = ([2, 3], [1], [0], [1], [2])
_LAYOUTS: list[dict[str, Any]] = [{"mt": {"data_layout": name}} for name in ("NC", "NWC", "NCW", "NCW", "NC")]


@rule(
    op.MultiThreshold(op.Squeeze(x, axes).named("squeeze"), levels).named("mt"),
    shapes=_THRESHOLDED,
    values=[{"axes": gone} for gone in _GONE],
    attributes=_LAYOUTS,
)
def move_squeeze_past_multithreshold(
    x: TensorRef, axes: np.ndarray, levels: TensorRef, squeeze: Call, mt: Call
) -> Call:
    """thresholds(squeeze(x, axes)) == squeeze(thresholds(x), axes), the channels on axis 1 of x or on its last one"""
    return squeeze.on(_thresholds_of(x, axes.tolist(), levels, mt), axes)


@rule(
    op.MultiThreshold(op.Squeeze(x).named("squeeze"), levels).named("mt"),
    shapes=f"{_THRESHOLDED} | x:n,c,1 levels:c,k",
    attributes=[
        *({**layout, "squeeze": {"axes": gone}} for layout, gone in zip(_LAYOUTS, _GONE, strict=True)),
        _LAYOUTS[4],
    ],
)
def move_squeeze_past_multithreshold_before_13(x: TensorRef, levels: TensorRef, squeeze: Call, mt: Call) -> Call:
    """thresholds(squeeze(x)) == squeeze(thresholds(x)), the axes are an attribute"""
    require("axes" in squeeze.attributes, "it removes every axis of one element")
    return squeeze.on(_thresholds_of(x, squeeze.attributes.get("axes", []), levels, mt))


SQUEEZE_PAST_MULTITHRESHOLD: tuple[Rule, ...] = (
    move_squeeze_past_multithreshold,
    move_squeeze_past_multithreshold_before_13,
)


def _product_of(x: TensorRef, axes: Sequence[int], y: TensorRef) -> Call:
    """x @ y, if it is the same without `axes`."""
    require(_kept_axes(x, axes)[-1:] == [x.rank - 1] and y.rank == 2, "the products are along another axis")
    return op.MatMul(x, y)


_MULTIPLIED = "x:n,c,1,k y:k,m | x:n,1,k y:k,m | x:1,k y:k,m | x:n,k,1 y:k,m | x:1,n,k y:n,k,m"
_LEAVING = ([2], [1], [0], [2], [0])


@rule(
    op.MatMul(op.Squeeze(x, axes).named("squeeze"), y),
    shapes=_MULTIPLIED,
    values=[{"axes": gone} for gone in _LEAVING],
)
def move_squeeze_past_matmul(x: TensorRef, axes: np.ndarray, y: TensorRef, squeeze: Call) -> Call:
    """squeeze(x, axes) @ y == squeeze(x @ y, axes), y (K, M), the last axis of x stays"""
    return squeeze.on(_product_of(x, axes.tolist(), y), axes)


@rule(
    op.MatMul(op.Squeeze(x).named("squeeze"), y),
    shapes=f"{_MULTIPLIED} | x:n,1,k y:k,m",
    attributes=[*({"squeeze": {"axes": gone}} for gone in _LEAVING), {}],
)
def move_squeeze_past_matmul_before_13(x: TensorRef, y: TensorRef, squeeze: Call) -> Call:
    """squeeze(x) @ y == squeeze(x @ y), the axes are an attribute"""
    require("axes" in squeeze.attributes, "it removes every axis of one element")
    return squeeze.on(_product_of(x, squeeze.attributes.get("axes", []), y))


SQUEEZE_PAST_MATMUL: tuple[Rule, ...] = (move_squeeze_past_matmul, move_squeeze_past_matmul_before_13)
