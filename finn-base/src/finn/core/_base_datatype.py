"""What all data types have in common, and exact membership in sets of numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

Number = int | float


class BaseDataType(ABC):
    """A set of numbers with a canonical name. Types are equal if their names are; a type equals its name."""

    @abstractmethod
    def get_canonical_name(self) -> str:
        """The name by which `DataType[name]` finds this type."""

    @abstractmethod
    def bitwidth(self) -> int:
        """Bits of one value in hardware."""

    @abstractmethod
    def min(self) -> Number:
        """The smallest value."""

    @abstractmethod
    def max(self) -> Number:
        """The largest value."""

    @abstractmethod
    def is_integer(self) -> bool:
        """Whether all values are integers."""

    @abstractmethod
    def get_num_possible_values(self) -> int:
        """How many values there are. UnsupportedError for floating point."""

    @abstractmethod
    def get_hls_datatype_str(self) -> str:
        """The C++ type of one value in HLS code."""

    @abstractmethod
    def to_numpy_dt(self) -> type[np.generic]:
        """The narrowest NumPy type that holds every value. UnsupportedError beyond 64 bits."""

    @abstractmethod
    def _contains(self, values: np.ndarray) -> np.ndarray:
        """Elementwise membership."""

    @property
    def name(self) -> str:
        return self.get_canonical_name()

    def allowed(self, value: Any) -> Any:
        """Whether `value` belongs to the type, exactly: a bool for a scalar, a bool array for an array.

        TypeError for what is no real number.
        """
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"{self.name} has numbers as values, not {array.dtype} like {value!r:.40}")
        inside = self._contains(array)
        return inside if isinstance(value, np.ndarray) and value.ndim > 0 else bool(inside)

    def signed(self) -> bool:
        return self.min() < 0

    def is_fixed_point(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseDataType):
            return self.name == other.name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


def as_float64(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which values float64 holds, the values as float64)."""
    if values.dtype.kind == "f" and values.dtype.itemsize <= 8:
        return np.ones(values.shape, dtype=bool), values.astype(np.float64)
    if values.dtype.kind in "biu" and (values.dtype.itemsize < 8 or np.all(np.abs(values // 2) < 2**52)):
        return np.ones(values.shape, dtype=bool), values.astype(np.float64)
    # NumPy compares integers with floats after rounding them; Python compares exactly.
    converted = np.array([to_float(value) for value in values.ravel().tolist()], dtype=np.float64)
    exact = [a == b for a, b in zip(converted.tolist(), values.ravel().tolist(), strict=True)]
    return np.array(exact, dtype=bool).reshape(values.shape), converted.reshape(values.shape)


def to_float(value: Any) -> float:
    """The nearest float; infinite beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def whole_within(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Which float64 values are integers of low..high. low and high + 1 are 0, powers of 2 or small: exact floats."""
    inside = np.isfinite(values) & (np.floor(values) == values)
    return np.asarray(inside & (values >= to_float(low)) & (values < to_float(high + 1)))
