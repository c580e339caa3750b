"""Intervals of tensors: what a tensor's elements can be, per channel or along any other axis that matters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

EXACT = 2.0**53
"""All integers up to this magnitude are exact in float64."""


@dataclass(frozen=True, eq=False)
class Interval:
    """low <= x <= high for every element of a tensor x.

    low, high : arrays of one shape that broadcasts to x, with the rank of x: an axis has one element where the bounds
    do not vary along it. float64, infinite where nothing is known; then x may be NaN as well. constant : x is a
    constant, low and high are its value, in its own element type.
    """

    low: Array
    high: Array
    constant: bool = False

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape:
            raise ValueError(f"low has shape {self.low.shape}, high {self.high.shape}; they must be the same")

    @classmethod
    def between(cls, low: Any, high: Any) -> Interval:
        """From bounds that broadcast to each other; a bound that is NaN says that nothing is known."""
        low, high = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
        nan = np.isnan(low) | np.isnan(high)
        if nan.any():
            low, high = np.where(nan, -np.inf, low), np.where(nan, np.inf, high)
        return cls(low, high)

    @classmethod
    def uniform(cls, low: float, high: float, rank: int) -> Interval:
        """The same bounds for all elements of a tensor of this rank."""
        return cls.between(np.full((1,) * rank, low), np.full((1,) * rank, high))

    @classmethod
    def of_constant(cls, array: Array) -> Interval:
        """A constant. Nothing is known of one with NaN."""
        if array.dtype.kind == "f" and np.isnan(array).any():
            return cls.between(array, array)
        return cls(array, array, constant=True)

    @classmethod
    def of_datatype(cls, datatype: BaseDataType, rank: int) -> Interval:
        """All values of a data type; of FLOAT32, FLOAT16 and SCALEDINT<n>: any value."""
        if datatype.name in ("FLOAT32", "FLOAT16") or datatype.name.startswith("SCALEDINT"):
            return cls.uniform(-np.inf, np.inf, rank)
        return cls.uniform(float(datatype.min()), float(datatype.max()), rank)

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest value of any element; (0, 0) of an empty tensor."""
        if not self.low.size:
            return 0.0, 0.0
        return float(np.min(self.low)), float(np.max(self.high))

    @property
    def datatype(self) -> BaseDataType:
        """The narrowest integer type of all elements, whose bounds are whole numbers; BIPOLAR only of a constant."""
        low, high = self.span
        if self.constant and (low, high) == (-1, 1) and (np.abs(self.low) == 1).all():
            return DataType["BIPOLAR"]
        return DataType.spanning(low, high)

    def map(self, f: Callable[[Array], Array]) -> Interval:
        """The bounds rearranged by `f`."""
        return Interval(f(self.low), f(self.high), self.constant)

    def over(self, axes: Sequence[int]) -> Interval:
        """One bound along `axes`, which keep one element: the least low and the greatest high."""
        axes = tuple(a for a in axes if self.low.shape[a] > 1)
        if not axes:
            return Interval(self.low, self.high)
        return Interval.between(self.low.min(axis=axes, keepdims=True), self.high.max(axis=axes, keepdims=True))

    def hull(self, low: Any, high: Any) -> Interval:
        """With the values between `low` and `high` added."""
        return Interval.between(np.minimum(self.low, low), np.maximum(self.high, high))

    def within(self, other: Interval) -> Interval:
        """What both say. `other` alone where they exclude each other (by rounding)."""
        low, high = np.maximum(self.low, other.low), np.minimum(self.high, other.high)
        agree = low <= high
        return Interval.between(np.where(agree, low, other.low), np.where(agree, high, other.high))

    def plus(self, other: Interval) -> Interval:
        """Of x + y."""
        return Interval.between(self.low + other.low, self.high + other.high)

    def affine(self, factor: Any, offset: Any = 0.0) -> Interval:
        """Of factor * x + offset, both known. 0 * infinity is 0: infinite bounds stand for numbers."""
        ends = [np.where(factor == 0, 0.0, bound * factor) + offset for bound in (self.low, self.high)]
        return Interval.between(np.minimum(*ends), np.maximum(*ends))


class Unknown(Exception):
    """Raised by a rule that cannot tell a range. `reason` completes the sentence "nothing is known, since ..."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reason_of(error: Unknown | FinnError) -> str:
    return error.reason if isinstance(error, Unknown) else f"{error.what}{error.why and f' ({error.why})'}"


def hull_of(intervals: Sequence[Interval]) -> Interval:
    """The values of all of them."""
    return reduce(lambda a, b: a.hull(b.low, b.high), intervals)


def with_rank(array: Array, rank: int) -> Array:
    """`array` with leading axes of one element, as broadcasting adds them."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim < rank else array


def along(array: Array, axis: int, rank: int) -> Array:
    """A scalar or vector, laid along `axis` of a tensor of this rank."""
    return array.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def expanded(array: Array, axes: Sequence[int], shape: Shape) -> Array:
    """`array` with all elements of a tensor of this shape along `axes`; symbolic dimensions count one."""
    target = list(array.shape)
    for axis in axes:
        target[axis] = max(shape[axis], 1) if array.shape[axis] == 1 else array.shape[axis]
    return np.broadcast_to(array, target)


def shrunk(array: Array) -> Array:
    """`array` with one element along every axis along which it does not vary."""
    for axis in range(array.ndim):
        if array.shape[axis] > 1:
            first = array.take([0], axis=axis)
            if (array == first).all():
                array = first
    return array


def shrunk_interval(interval: Interval) -> Interval:
    """The same bounds in arrays as small as they can be."""
    low, high = np.broadcast_arrays(shrunk(interval.low), shrunk(interval.high))
    return Interval(low, high)


def size_along(shape: Shape, axes: Sequence[int]) -> int:
    """How many elements there are along `axes`. Unknown if a dimension is symbolic."""
    if any(shape[axis] == 0 for axis in axes):
        raise Unknown("a dimension of its input is symbolic")
    return math.prod(shape[axis] for axis in axes)
