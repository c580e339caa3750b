"""Data types of quantized tensors, looked up by name: `DataType["INT4"]`.

Tensors live in float containers; the data type annotation says which values can occur.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

import numpy as np

from finn.core._base_datatype import BaseDataType, Number, as_float64, whole_within
from finn.core._fractional import ArbPrecFloatType, FixedPointType, Float16Type, FloatType, ScaledIntType
from finn.core.errors import ModelError, UnsupportedError


class _Integer(BaseDataType):
    """A contiguous range of integers."""

    def is_integer(self) -> bool:
        return True

    def get_num_possible_values(self) -> int:
        return int(self.max()) - int(self.min()) + 1

    def get_hls_datatype_str(self) -> str:
        return f"ap_{'' if self.signed() else 'u'}int<{self.bitwidth()}>"

    def to_numpy_dt(self) -> type[np.generic]:
        kinds: tuple[type[np.generic], ...] = (np.int8, np.int16, np.int32, np.int64)
        if not self.signed():
            kinds = (np.uint8, np.uint16, np.uint32, np.uint64)
        for bits, kind in zip((8, 16, 32, 64), kinds, strict=True):
            if self.bitwidth() <= bits:
                return kind
        raise UnsupportedError(f"{self.name} does not fit any NumPy type", remedy="use at most 64 bits")

    def _contains(self, values: np.ndarray) -> np.ndarray:
        low, high = int(self.min()), int(self.max())
        if values.dtype.kind in "biu":
            return np.asarray((values >= low) & (values <= high))
        if values.dtype.kind == "O":
            inside = [_is_whole(value) and low <= value <= high for value in values.ravel().tolist()]
            return np.array(inside, dtype=bool).reshape(values.shape)
        exact, values = as_float64(values)
        return np.asarray(exact & whole_within(values, low, high))


class IntType(_Integer):
    """INTn (two's complement), UINTn; UINT1 is called BINARY."""

    def __init__(self, bitwidth: int, signed: bool) -> None:
        if bitwidth < 1:
            raise ModelError(f"an integer type of {bitwidth} bits does not exist", remedy="use at least 1 bit")
        self._bitwidth, self._signed = bitwidth, signed

    def get_canonical_name(self) -> str:
        if self._bitwidth == 1 and not self._signed:
            return "BINARY"
        return f"{'' if self._signed else 'U'}INT{self._bitwidth}"

    def bitwidth(self) -> int:
        return self._bitwidth

    def min(self) -> int:
        return -(1 << (self._bitwidth - 1)) if self._signed else 0

    def max(self) -> int:
        return (1 << (self._bitwidth - self._signed)) - 1


class BipolarType(_Integer):
    """BIPOLAR: -1 (bit 0) and +1 (bit 1)."""

    def get_canonical_name(self) -> str:
        return "BIPOLAR"

    def bitwidth(self) -> int:
        return 1

    def min(self) -> int:
        return -1

    def max(self) -> int:
        return 1

    def get_num_possible_values(self) -> int:
        return 2

    def get_hls_datatype_str(self) -> str:
        return "ap_int<1>"

    def _contains(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((values == 1) | (values == -1))


class TernaryType(_Integer):
    """TERNARY: -1, 0 and +1 in two bits."""

    def get_canonical_name(self) -> str:
        return "TERNARY"

    def bitwidth(self) -> int:
        return 2

    def min(self) -> int:
        return -1

    def max(self) -> int:
        return 1


_NAMED: dict[str, Callable[[], BaseDataType]] = {
    "BINARY": lambda: IntType(1, signed=False),
    "BIPOLAR": BipolarType,
    "TERNARY": TernaryType,
    "FLOAT32": FloatType,
    "FLOAT16": Float16Type,
}
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., BaseDataType]], ...] = (
    (re.compile(r"INT([1-9][0-9]{0,3})"), lambda n: IntType(n, signed=True)),
    (re.compile(r"UINT([1-9][0-9]{0,3})"), lambda n: IntType(n, signed=False)),
    (re.compile(r"FIXED<([1-9][0-9]{0,3}), ?(0|-?[1-9][0-9]{0,3})>"), FixedPointType),
    (re.compile(r"SCALEDINT<([1-9][0-9]{0,3})>"), ScaledIntType),
    (re.compile(r"FLOAT<([1-9][0-9]?), ?(0|[1-9][0-9]?)(?:, ?(0|-?[1-9][0-9]{0,3}))?>"), ArbPrecFloatType),
)
_FORMS = "INT<n>, UINT<n> with n >= 1, FIXED<w,i> with i < w, SCALEDINT<n>, FLOAT<e,m[,bias]>"


@cache
def _resolve(name: str) -> BaseDataType:
    if name in _NAMED:
        return _NAMED[name]()
    for pattern, make in _PATTERNS:
        if match := pattern.fullmatch(name):
            try:
                return make(*(int(number) for number in match.groups() if number is not None))
            except ModelError as error:
                raise KeyError(f"'{name}' is no data type: {error}; known: {', '.join(_NAMED)}, {_FORMS}") from error
    raise KeyError(f"'{name}' is no data type; known: {', '.join(_NAMED)}, {_FORMS}")


def resolve_datatype(name: str) -> BaseDataType:
    """The type with this name. TypeError if it is no str, KeyError if there is no such type."""
    if not isinstance(name, str):
        raise TypeError(f"a data type is looked up by its name, not by a {type(name).__name__}: {name!r}")
    return _resolve(name)


def _is_whole(value: Number) -> bool:
    """Whether the number is an integer, of whatever Python or NumPy type."""
    return isinstance(value, int) or (math.isfinite(value) and int(value) == value)


class DataTypeMeta:
    """The type of `DataType`: look-ups of data types by name and by range."""

    def __getitem__(self, name: str) -> BaseDataType:
        return resolve_datatype(name)

    @staticmethod
    def get_accumulator_dt_cands() -> list[str]:
        """Names of the integer types up to 64 bits, in the order in which a narrow one is searched."""
        unsigned = [f"UINT{n}" for n in range(1, 65)]
        return ["BINARY", *unsigned, "BIPOLAR", "TERNARY", *(f"INT{n}" for n in range(1, 65))]

    def get_smallest_possible(self, value: Number) -> BaseDataType:
        """The first accumulator candidate whose range holds `value`; FLOAT32 if it is not integral.

        ModelError if it needs more than 64 bits.
        """
        if not _is_whole(value):
            return FloatType()
        for name in self.get_accumulator_dt_cands():
            candidate = self[name]
            if candidate.min() <= value <= candidate.max():
                return candidate
        raise ModelError(f"{value} needs an integer type of more than 64 bits")

    @staticmethod
    def spanning(low: Number, high: Number) -> BaseDataType:
        """The narrowest integer type that has both `low` and `high` (integers, in either order).

        BINARY for 0..1 and TERNARY for -1..1, never BIPOLAR, which lacks the 0 between them.
        """
        if not (_is_whole(low) and _is_whole(high)):
            raise ModelError(f"no integer type spans {low}..{high}: the bounds are no integers")
        low, high = sorted((int(low), int(high)))
        if low >= 0:
            return IntType(max(1, high.bit_length()), signed=False)
        if low == -1 and high == 1:
            return TernaryType()
        return IntType(1 + max((-low - 1).bit_length(), max(high, 0).bit_length()), signed=True)


DataType = DataTypeMeta()
"""`DataType["INT4"]`, `DataType.spanning(-3, 5)`."""

__all__ = [
    "ArbPrecFloatType",
    "BaseDataType",
    "BipolarType",
    "DataType",
    "DataTypeMeta",
    "FixedPointType",
    "Float16Type",
    "FloatType",
    "IntType",
    "ScaledIntType",
    "TernaryType",
    "resolve_datatype",
]
