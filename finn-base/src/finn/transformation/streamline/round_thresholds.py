"""Thresholds on integers become integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.core.datatype import BaseDataType, DataType, FixedPointType
from finn.transformation.rewrite import (
    Call,
    NoMatch,
    Parameter,
    Rule,
    RuleTransformation,
    TensorRef,
    Var,
    constant,
    op,
    require,
    rule,
)


class Discrete(Var):
    """Binds a tensor annotated with an integer or fixed-point data type."""

    def bind(self, tensor: TensorRef) -> Any:
        if not (tensor.datatype.is_integer() or isinstance(tensor.datatype, FixedPointType)):
            raise NoMatch(f"{self.name} = '{tensor.name}' is {tensor.datatype.name}, neither integer nor fixed-point")
        return super().bind(tensor)


x, levels = Discrete("x"), Parameter("levels")


@rule(
    op.MultiThreshold(x, levels).named("mt"),
    shapes="x:n,c levels:c,t | x:n,c,h levels:1,t | x:n,c levels:c,t | x:n,c levels:c,t",
    datatypes=[{"x": "INT3"}, {"x": "UINT2"}, {"x": "BIPOLAR"}, {"x": "FIXED<4,3>"}],
    values=[{}, {}, {}, {"levels": np.array([[-4.25, -3.3, 0.1, 3.4, 3.6, 9]])}],
)
def round_and_clip_thresholds(x: TensorRef, levels: TensorRef, mt: Call) -> Call:
    """count(x >= T) == count(x >= clip(ceil(T), min, max + 1)), x a multiple of one unit, from min to max"""
    old = np.asarray(levels.value)
    new, datatype = _rounded(old, x.datatype), _threshold_type(x.datatype)
    if np.all(x.datatype.allowed(np.atleast_1d(new))):
        datatype = x.datatype
    same = np.array_equal(old, new) and levels.datatype == datatype
    require(not same, "the thresholds are rounded already")
    return mt.on(x, constant(new, datatype))


def _unit(datatype: BaseDataType) -> float:
    return datatype.scale_factor() if isinstance(datatype, FixedPointType) else 1.0


def _rounded(levels: np.ndarray, datatype: BaseDataType) -> np.ndarray:
    """The least values of the type that reach the thresholds; one more than the greatest if none does."""
    unit, low, high = _unit(datatype), datatype.min(), datatype.max()
    if levels.dtype.kind in "iu" and unit == 1:
        limits = np.iinfo(levels.dtype)
        return np.asarray(np.clip(levels, max(int(low), limits.min), min(int(high) + 1, limits.max)))
    dtype = levels.dtype if levels.dtype.kind == "f" else np.dtype(np.float64)
    whole = np.ceil(levels.astype(np.float64) / unit) * unit
    return np.asarray(np.clip(whole, float(low), float(high) + unit), dtype)


def _threshold_type(datatype: BaseDataType) -> BaseDataType:
    """The type of all values of a type and the next above."""
    if isinstance(datatype, FixedPointType):
        return FixedPointType(datatype.bitwidth() + 1, datatype.int_bits() + 1)
    return DataType.spanning(datatype.min(), datatype.max() + 1)


ROUNDING: tuple[Rule, ...] = (round_and_clip_thresholds,)


class RoundAndClipThresholds(RuleTransformation):
    """Thresholds of a MultiThreshold with an integer or fixed-point input become values that the input can have.

    They are rounded up, which no such input notices, and clipped to the range of its type and one step more, which
    stands for a threshold that is never reached. They are annotated with the type of the input, or, if that step
    occurs, with the narrowest type that has it, too.
    """

    rules = ROUNDING
