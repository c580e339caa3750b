"""Equations that take constant factors and summands into thresholds, weights and the choice of the greatest.

They hold for real numbers, and for floats as far as sums and products are exact. Thresholds are rounded up to their
element type, so that they let through the same floats as the thresholds of the equation would.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.core.data_layout import channel_axis
from finn.core.datatype import BaseDataType, DataType
from finn.transformation._layout_rules import perm_of
from finn.transformation.constants import annotated
from finn.transformation.rewrite import (
    Call,
    Const,
    Parameter,
    Positive,
    Rule,
    Scalar,
    TensorRef,
    Var,
    constant,
    maybe,
    op,
    per_channel,
    require,
    rule,
)


class PositiveScalar(Positive, Scalar):
    """Binds a constant with one element, which is above 0."""


x, k, a, s = Var("x"), Var("k"), Const("a"), Scalar("s")
w, bias, factors, levels = Parameter("w"), Parameter("bias"), Parameter("factors"), Parameter("levels")


def at_least(exact: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """For each number the smallest of the floating-point type that is not below it."""
    with np.errstate(over="ignore"):
        near = exact.astype(dtype)
    return np.where(near < exact, np.nextafter(near, dtype.type(np.inf)), near).astype(dtype)


def retyped(array: np.ndarray, *datatypes: BaseDataType) -> Any:
    """What was computed from constants of these types as an operand: with an integer type if they and it are integers.

    The type is the first of them that has all values, else the narrowest.
    """
    whole = np.isfinite(array).all() and np.array_equal(array, np.rint(array))
    if not (whole and array.size and all(datatype.is_integer() for datatype in datatypes)):
        return array
    enough = [datatype for datatype in datatypes if np.all(datatype.allowed(np.atleast_1d(array)))]
    return constant(array, enough[0] if enough else DataType.spanning(int(array.min()), int(array.max())))


# ---------------------------------------------------------------------------------------------------------- thresholds


def _column(c: np.ndarray, x: TensorRef, mt: Call) -> np.ndarray:
    """A constant that is combined with `x` as a column beside the thresholds of `mt`: (channels or 1, 1), float64.

    NoMatch if it varies along another axis than the channels, or would enlarge x.
    """
    require(x.rank > 0, "without axes there are no channels")
    axis = channel_axis(mt.attributes.get("data_layout", "NCHW"), x.rank)
    vector = per_channel(c, x, axis)
    require(vector.size in (1, (x.shape or ())[axis]), "the constant has more channels than x, or they are not known")
    require(np.isfinite(vector).all(), "the constant is not finite")
    return vector.astype(np.float64)[:, np.newaxis]


def _levels(exact: np.ndarray, old: TensorRef, dtype: np.dtype[Any]) -> Any:
    """Thresholds, computed as float64 from `old` ones, in their element type; fractions among integers stay float64."""
    if dtype.kind == "f":
        return retyped(at_least(exact, dtype), old.datatype)
    whole = np.array_equal(exact, np.rint(exact)) and np.all(np.abs(exact) <= np.iinfo(dtype).max)
    return retyped(exact.astype(dtype) if whole else exact, old.datatype)


_RANKS = (
    "x:n,c {0}:c levels:c,t | x:n,c,h {0}:c,1 levels:c,t | x:n,c,h,k {0}:1,c,1,1 levels:1,t"
    " | x:n,c,2,h,k {0}: levels:c,t | x:n,h,k,c {0}:c levels:c,t | x:n,1,h {0}:c,1 levels:1,t"
    " | x:n,c,h {0}:h levels:c,t | x:c {0}:1 levels:c,t | x:n,c {0}:c levels:c,t"
)
_LAYOUTS: list[dict[str, Any]] = [
    {"mt": {"out_scale": 2.0, "out_bias": -1.0}},
    *[{}] * 3,
    {"mt": {"data_layout": "NHWC"}},
    *[{}] * 4,
]
_TYPES: list[dict[str, str]] = [*[{}] * 8, {"x": "INT4", "levels": "INT4"}]


@rule(
    op.MultiThreshold(op.Add(x, a), levels).named("mt"),
    shapes=_RANKS.format("a"),
    attributes=_LAYOUTS,
    datatypes=_TYPES,
)
def absorb_add_into_thresholds(x: TensorRef, a: np.ndarray, levels: TensorRef, mt: Call) -> Call:
    """count(x + a >= T) == count(x >= T - a), a per channel"""
    value = np.asarray(levels.value)
    # The difference of two float32 numbers is exact in float64, unless it is one of them after rounding.
    return mt.on(x, _levels(value.astype(np.float64) - _column(a, x, mt), levels, value.dtype))


@rule(
    op.MultiThreshold(op.Mul(x, a), levels).named("mt"),
    shapes=_RANKS.format("a"),
    attributes=_LAYOUTS,
    datatypes=_TYPES,
)
def absorb_mul_into_thresholds(x: TensorRef, a: np.ndarray, levels: TensorRef, mt: Call) -> Call:
    """count(x*a >= T) == count(x >= T/a), a per channel and not negative

    Where a is 0, every x or none reaches a threshold: it becomes the least x, or one more than the greatest, of
    integers, else an infinity.
    """
    value, column = np.asarray(levels.value).astype(np.float64), _column(a, x, mt)
    require(np.all(column >= 0), "a factor is negative: it turns the comparison round")
    low, high = -np.inf, np.inf
    if x.datatype.is_integer():
        low, high = float(x.datatype.min()), float(x.datatype.max()) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        # The quotient of two float32 numbers is no float32 number after rounding unless it is one before.
        exact = np.where(column == 0, np.where(value <= 0, low, high), value / column)
    return mt.on(x, _levels(exact, levels, np.asarray(levels.value).dtype))


def scalar_bias_rule(max_bitwidth_increase: int) -> Rule:
    """The rule of AbsorbScalarBiasIntoMultiThreshold: the data type may get so many bits wider."""

    @rule(
        op.Add(op.MultiThreshold(x, levels).named("mt"), s),
        shapes="x:n,c s: levels:c,7 | x:n,c,h s:1 levels:1,t | x:n,c s:1,1 levels:c,3 | x:n,c s: levels:c,4"
        " | x:n,c s:1,1,1 levels:1,t | x:n,c s: levels:c,4",
        attributes=[
            {"mt": {"out_dtype": "UINT3"}},
            {"mt": {"out_scale": 0.5, "out_bias": -0.25}},
            {"mt": {"out_dtype": "INT3", "out_scale": -1.0}},
            {"mt": {"out_dtype": "INT4", "out_scale": 2.0, "out_bias": -8.0, "data_layout": "NC"}},
            {},
            {"mt": {"out_dtype": "FIXED<4,3>", "out_scale": 0.5, "out_bias": -1.0}},
        ],
        equivalent={
            "without require(not old.is_integer() or datatype.bitwidth() <= most)": "the width is a choice",
            "without require(datatype.is_integer() or not old.is_integer())": "whether it has a fraction is a choice",
        },
    )
    def absorb_scalar_bias_into_thresholds(x: TensorRef, levels: TensorRef, s: np.ndarray, mt: Call) -> Call:
        """thresholds(x, bias) + s == thresholds(x, bias + s)"""
        require(s.ndim <= x.rank, "the scalar has more axes than the tensor")
        old = DataType[mt.attributes["out_dtype"]]
        out_bias = mt.attributes.get("out_bias", 0.0) + float(s.reshape(()))
        results = out_bias + mt.attributes.get("out_scale", 1.0) * np.arange(np.asarray(levels.value).shape[-1] + 1)
        datatype = _type_of(results) if old.is_integer() else old
        most = old.bitwidth() + max_bitwidth_increase
        require(datatype.is_integer() or not old.is_integer(), "the result would not be an integer any more")
        require(not old.is_integer() or datatype.bitwidth() <= most, f"{datatype.name} has more than {most} bits")
        require(np.all(datatype.allowed(results)), f"{datatype.name} does not have all results")
        call: Call = op.MultiThreshold(x, levels, like=mt, out_bias=out_bias, out_dtype=datatype.name)
        return annotated(call, datatype)  # type: ignore[no-any-return]  # a call stays one

    return absorb_scalar_bias_into_thresholds


def _type_of(results: np.ndarray) -> BaseDataType:
    """The narrowest type of results of a MultiThreshold, FLOAT32 if they have fractions."""
    if not np.array_equal(results, np.rint(results)):
        return DataType["FLOAT32"]
    return DataType.spanning(int(results.min()), int(results.max()))


absorb_scalar_bias = scalar_bias_rule(0)

INTO_THRESHOLDS: tuple[Rule, ...] = (absorb_add_into_thresholds, absorb_mul_into_thresholds, absorb_scalar_bias)

# --------------------------------------------------------------------------------------------------- signs and weights


@rule(
    op.Mul(x, factors),
    shapes="x:n,k factors:k | x:n,c,h factors:c,1 | x:n,k factors:",
    datatypes=[{}, {"factors": "INT4"}, {}],
)
def factor_out_sign(x: TensorRef, factors: TensorRef) -> Call:
    """x*a == (x * sign(a)) * |a|, sign(a) being -1 or 1"""
    value = np.asarray(factors.value)
    require(np.any(value < 0), "no factor is negative")
    magnitude = np.abs(value)
    require(np.any(magnitude != 1), "the factors are signs already")
    require(np.all(magnitude >= 0), "a magnitude exceeds the element type")
    sign = np.where(value < 0, -1, 1).astype(value.dtype)
    return op.Mul(op.Mul(x, constant(sign, "BIPOLAR")), retyped(magnitude, factors.datatype))


def _require_one_bit(a: np.ndarray) -> None:
    require(np.isin(a, (-1, 1)).all() or np.isin(a, (0, 1)).all(), "the factors have more than one bit")


def _scaled(t: TensorRef, a: np.ndarray) -> Any:
    """Weights times factors, in the data type that they have. NoMatch if it lacks a product."""
    value = np.asarray(t.value)
    product = value * a.astype(value.dtype)
    require(np.all(t.datatype.allowed(np.atleast_1d(product))), f"{t.datatype.name} does not have all products")
    return annotated(product, t.datatype)


def _factor_of(layer: Call, a: np.ndarray, axis: int) -> np.ndarray:
    """`a` as a factor of the output channels, which are on this axis of the result: (channels or 1)."""
    _require_one_bit(a)
    result = layer.result
    if result is None or a.size == 1:
        require(result is not None and a.ndim <= result.rank, "the factor has more axes than the result")
        return a.reshape(-1)
    return per_channel(a, result, axis % max(result.rank, 1))


_ONE_BIT = {"without require(np.isin(a, (-1, 1)).all() or np.isin(a, (0, 1)).all())": "other factors do the same"}


@rule(
    op.Mul(op.MatMul(x, w).named("product"), a),
    shapes="x:n,k w:k,m a:m | x:n,c,k w:k,m a: | x:n,k w:k a:1 | x:n,c,k w:n,k,m a:1,1,m | x:n,k w:k,m a:n,1"
    " | x:n,k w:k,1 a:m | x:n,k w:k,m a:1,1,1 | x:n,k w:k,m a:m | x:n,k w:k a:n",
    datatypes=[{"w": "INT3"}, *[{}] * 6, {"w": "BIPOLAR", "a": "BINARY"}, {}],
    equivalent=_ONE_BIT,
)
def absorb_1bit_mul_into_matmul(x: TensorRef, w: TensorRef, a: np.ndarray, product: Call) -> Call:
    """(x @ w) * a == x @ (w*a), a of one bit, per output channel"""
    weights = np.asarray(w.value)
    require(weights.ndim > 1 or a.size == 1, "a vector of weights has no output channels")
    return op.MatMul(x, _scaled(w, _factor_of(product, a, -1)))


@rule(
    op.Mul(op.Conv(x, w, maybe(bias)).named("conv"), a),
    shapes="x:n,c,t,t w:m,c,2,3 a:m,1,1 | x:n,4,t w:6,2,2 a:1,6,1 bias:6 | x:n,c,t w:m,c,2 a:"
    " | x:n,c,t w:m,c,2 a:1,1,1,1 | x:n,c,t w:1,c,2 a:m,1 | x:n,c,7,t w:m,c,2,2 a:6,1 | x:n,c,t w:m,c,2 a:m,1",
    attributes=[
        {"conv": {"strides": [2, 1], "pads": [1, 0, 1, 2]}},
        {"conv": {"group": 2, "dilations": [2]}},
        *[{}] * 5,
    ],
    datatypes=[{"w": "INT3"}, *[{}] * 5, {"w": "BIPOLAR", "a": "BINARY"}],
    equivalent=_ONE_BIT,
)
def absorb_1bit_mul_into_conv(x: TensorRef, w: TensorRef, bias: TensorRef | None, a: np.ndarray, conv: Call) -> Call:
    """conv(x, w, b) * a == conv(x, w*a, b*a), a of one bit, per output channel"""
    weights = np.asarray(w.value)
    column = _factor_of(conv, a, 1)
    scaled = _scaled(w, column.reshape(-1, *[1] * (weights.ndim - 1)))
    return conv.on(x, scaled) if bias is None else conv.on(x, scaled, _scaled(bias, column))


SIGNS: tuple[Rule, ...] = (factor_out_sign,)
INTO_WEIGHTS: tuple[Rule, ...] = (absorb_1bit_mul_into_matmul, absorb_1bit_mul_into_conv)

# ---------------------------------------------------------------------------------------------------------------- TopK

_TOP = "x:n,m s: | x:n,c,h s:1 | x:n,m s:1,1 | x:n,m s:1,1,1"
_K = [{"k": [2]}, {"k": [1]}, {"k": [1]}, {"k": [1]}]
_AXES = [{"top": {"axis": 1}}, {"top": {"axis": -1}}, {"top": {"axis": 0}}, {"top": {"axis": 0}}]
_OLD_AXES = [{"top": {"axis": 1, "k": 2}}, *[{"top": {"axis": -1, "k": 1}}] * 3]
_POSITIVE = PositiveScalar("s")


def _top(x: TensorRef, s: np.ndarray, top: Call, *k: TensorRef) -> Call:
    require(s.ndim <= x.rank, "the scalar has more axes than the tensor")
    return top.on(x, *k).output(1)


@rule(op.TopK(op.Mul(x, _POSITIVE), k).named("top").output(1), shapes=_TOP, values=_K, attributes=_AXES)
def absorb_scalar_mul_into_topk(x: TensorRef, s: np.ndarray, k: TensorRef, top: Call) -> Call:
    """topk(x*s, k).indices == topk(x, k).indices, s > 0"""
    return _top(x, s, top, k)


@rule(op.TopK(op.Add(x, s), k).named("top").output(1), shapes=_TOP, values=_K, attributes=_AXES)
def absorb_scalar_add_into_topk(x: TensorRef, s: np.ndarray, k: TensorRef, top: Call) -> Call:
    """topk(x + s, k).indices == topk(x, k).indices"""
    return _top(x, s, top, k)


@rule(op.TopK(op.Mul(x, _POSITIVE)).named("top").output(1), shapes=_TOP, attributes=_OLD_AXES)
def absorb_scalar_mul_into_topk_before_10(x: TensorRef, s: np.ndarray, top: Call) -> Call:
    """topk(x*s).indices == topk(x).indices, s > 0"""
    return _top(x, s, top)


@rule(op.TopK(op.Add(x, s)).named("top").output(1), shapes=_TOP, attributes=_OLD_AXES)
def absorb_scalar_add_into_topk_before_10(x: TensorRef, s: np.ndarray, top: Call) -> Call:
    """topk(x + s).indices == topk(x).indices"""
    return _top(x, s, top)


INTO_TOPK: tuple[Rule, ...] = (
    absorb_scalar_mul_into_topk,
    absorb_scalar_add_into_topk,
    absorb_scalar_mul_into_topk_before_10,
    absorb_scalar_add_into_topk_before_10,
)

# ---------------------------------------------------------------------------------------------------------- Transposes


@rule(
    op.Transpose(op.Transpose(x).named("first")).named("second"),
    shapes="x:n,c,h,k | x:n,c,h,k | x:c,h",
    attributes=[
        {"first": {"perm": [0, 3, 1, 2]}, "second": {"perm": [0, 2, 3, 1]}},
        {"first": {"perm": [0, 3, 1, 2]}, "second": {"perm": [0, 3, 1, 2]}},
        {},
    ],
)
def cancel_opposite_transposes(x: TensorRef, first: Call, second: Call) -> TensorRef:
    """transpose(transpose(x, p), q) == x, if q undoes p"""
    p, q = perm_of(first, x), perm_of(second, x)
    require([p[i] for i in q] == sorted(p), "the second does not undo the first")
    return x


OPPOSITE: tuple[Rule, ...] = (cancel_opposite_transposes,)
