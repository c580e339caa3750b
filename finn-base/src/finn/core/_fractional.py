"""Data types with values between the integers: floating point, fixed point, scaled integers."""

from __future__ import annotations

import math

import numpy as np

from finn.core._base_datatype import BaseDataType, Number, as_float64, whole_within
from finn.core.errors import ModelError, UnsupportedError

_FLOAT64_MAX_EXPONENT, _FLOAT64_MIN_EXPONENT = 1023, -1074
_FLOATS: tuple[tuple[type[np.generic], int, int, int], ...] = (
    (np.float32, 24, -149, 127),
    (np.float64, 53, _FLOAT64_MIN_EXPONENT, _FLOAT64_MAX_EXPONENT),
)
"""Type, significant bits, exponents of the least positive and of the greatest number (IEEE 754-2019, table 3.5)."""


def _float_for(name: str, bits: int, least: int, greatest: int) -> type[np.generic]:
    """The narrower of float32 and float64 that has all multiples of 2^least with so many bits up to 2^greatest."""
    for kind, kind_bits, kind_least, kind_greatest in _FLOATS:
        if bits <= kind_bits and least >= kind_least and greatest <= kind_greatest:
            return kind
    raise UnsupportedError(f"{name} does not fit any NumPy type")


class FloatType(BaseDataType):
    """FLOAT32: what a tensor without annotation has."""

    def get_canonical_name(self) -> str:
        return "FLOAT32"

    def bitwidth(self) -> int:
        return 32

    def min(self) -> Number:
        return float(np.finfo(np.float32).min)

    def max(self) -> Number:
        return float(np.finfo(np.float32).max)

    def is_integer(self) -> bool:
        return False

    def get_num_possible_values(self) -> int:
        raise UnsupportedError("FLOAT32 has no useful number of values", remedy="test is_integer() first")

    def get_hls_datatype_str(self) -> str:
        return "float"

    def to_numpy_dt(self) -> type[np.generic]:
        return np.float32

    def _contains(self, values: np.ndarray) -> np.ndarray:
        return np.ones(values.shape, dtype=bool)


class Float16Type(BaseDataType):
    """FLOAT16: the half precision of IEEE 754."""

    def get_canonical_name(self) -> str:
        return "FLOAT16"

    def bitwidth(self) -> int:
        return 16

    def min(self) -> Number:
        return float(np.finfo(np.float16).min)

    def max(self) -> Number:
        return float(np.finfo(np.float16).max)

    def is_integer(self) -> bool:
        return False

    def get_num_possible_values(self) -> int:
        raise UnsupportedError("FLOAT16 has no useful number of values", remedy="test is_integer() first")

    def get_hls_datatype_str(self) -> str:
        return "half"

    def to_numpy_dt(self) -> type[np.generic]:
        return np.float16

    def _contains(self, values: np.ndarray) -> np.ndarray:
        exact, values = as_float64(values)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        return np.asarray(np.isnan(values) | (exact & (halves == values)))


class FixedPointType(BaseDataType):
    """FIXED<w,i>: the integers of INTw times 2^-(w-i). i counts the bits before the point, the sign included.

    ModelError if not i < w, or if the values are no float64 numbers. Beyond 54 bits, min and max are the outermost
    values that float64 holds.
    """

    def __init__(self, bitwidth: int, intwidth: int) -> None:
        if bitwidth < 1 or intwidth >= bitwidth:
            raise ModelError(
                f"a fixed point type of {bitwidth} bits cannot have {intwidth} before the point",
                remedy="use FIXED<w,i> with i < w, or INT<w> if there is no fraction",
            )
        if bitwidth - intwidth > -_FLOAT64_MIN_EXPONENT or intwidth - 1 > _FLOAT64_MAX_EXPONENT:
            raise ModelError(f"the values of FIXED<{bitwidth},{intwidth}> exceed float64")
        self._bitwidth, self._intwidth = bitwidth, intwidth

    def get_canonical_name(self) -> str:
        return f"FIXED<{self._bitwidth},{self._intwidth}>"

    def bitwidth(self) -> int:
        return self._bitwidth

    def int_bits(self) -> int:
        """Bits before the point, the sign included."""
        return self._intwidth

    def frac_bits(self) -> int:
        """Bits after the point."""
        return self._bitwidth - self._intwidth

    def scale_factor(self) -> float:
        """The distance of two neighbours, 2^-frac_bits."""
        return math.ldexp(1.0, -self.frac_bits())

    def min(self) -> Number:
        return -math.ldexp(1.0, self._intwidth - 1)

    def max(self) -> Number:
        bits = min(self._bitwidth - 1, 53)
        return math.ldexp(float((1 << bits) - 1), self._intwidth - 1 - bits)

    def is_integer(self) -> bool:
        return False

    def is_fixed_point(self) -> bool:
        return True

    def get_num_possible_values(self) -> int:
        return 1 << self._bitwidth

    def get_hls_datatype_str(self) -> str:
        return f"ap_fixed<{self._bitwidth}, {self._intwidth}>"

    def to_numpy_dt(self) -> type[np.generic]:
        return _float_for(self.name, self._bitwidth - 1, -self.frac_bits(), self._intwidth - 1)

    def _contains(self, values: np.ndarray) -> np.ndarray:
        exact, values = as_float64(values)
        half = 1 << (self._bitwidth - 1)
        with np.errstate(over="ignore"):
            return np.asarray(exact & whole_within(np.ldexp(values, self.frac_bits()), -half, half - 1))


class ScaledIntType(BaseDataType):
    """SCALEDINT<n>: integers of n bits times unknown scales. A mark for cost models; it has no set of values."""

    def __init__(self, bitwidth: int) -> None:
        if bitwidth < 1:
            raise ModelError(f"a scaled integer type of {bitwidth} bits does not exist", remedy="use at least 1 bit")
        self._bitwidth = bitwidth

    def get_canonical_name(self) -> str:
        return f"SCALEDINT<{self._bitwidth}>"

    def bitwidth(self) -> int:
        return self._bitwidth

    def _refusal(self, wanted: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.name} has no {wanted}", why="its scale is not known", remedy="annotate INT<n> or FIXED<w,i>"
        )

    def min(self) -> Number:
        raise self._refusal("least value")

    def max(self) -> Number:
        raise self._refusal("greatest value")

    def signed(self) -> bool:
        return True

    def is_integer(self) -> bool:
        return False

    def get_num_possible_values(self) -> int:
        raise self._refusal("number of values")

    def get_hls_datatype_str(self) -> str:
        raise self._refusal("C++ type")

    def to_numpy_dt(self) -> type[np.generic]:
        return np.float32

    def _contains(self, values: np.ndarray) -> np.ndarray:
        raise self._refusal("set of values")


class ArbPrecFloatType(BaseDataType):
    """FLOAT<e,m,b>: sign, e exponent bits, m mantissa bits, exponent bias b (2^(e-1) - 1 if not given).

    As IEEE 754 with subnormal numbers, but without infinities and NaN: the greatest exponent is one like the others.
    ModelError if e < 1 or m < 0, or if the values are no float64 numbers.
    """

    def __init__(self, exponent_bits: int, mantissa_bits: int, exponent_bias: int | None = None) -> None:
        if exponent_bits < 1 or mantissa_bits < 0:
            raise ModelError(f"no float type has {exponent_bits} exponent bits and {mantissa_bits} mantissa bits")
        bias = (1 << (exponent_bits - 1)) - 1 if exponent_bias is None else exponent_bias
        self._exponent_bits, self._mantissa_bits, self._bias = exponent_bits, mantissa_bits, bias
        too_wide = exponent_bits > 11 or mantissa_bits > 52
        if too_wide or self._last_exponent() > _FLOAT64_MAX_EXPONENT or self._unit() < _FLOAT64_MIN_EXPONENT:
            raise ModelError(f"the values of {self.name} exceed float64")

    def _last_exponent(self) -> int:
        return (1 << self._exponent_bits) - 1 - self._bias

    def _unit(self) -> int:
        """log2 of the least positive value."""
        return 1 - self._bias - self._mantissa_bits

    def get_canonical_name(self) -> str:
        return f"FLOAT<{self._exponent_bits},{self._mantissa_bits},{self._bias}>"

    def bitwidth(self) -> int:
        return 1 + self._exponent_bits + self._mantissa_bits

    def exponent_bits(self) -> int:
        """Bits of the exponent."""
        return self._exponent_bits

    def mantissa_bits(self) -> int:
        """Bits of the mantissa, the leading 1 not included."""
        return self._mantissa_bits

    def exponent_bias(self) -> int:
        """What is subtracted from the exponent field."""
        return self._bias

    def min(self) -> Number:
        return -self.max()

    def max(self) -> Number:
        mantissa = (2 << self._mantissa_bits) - 1
        return math.ldexp(float(mantissa), self._last_exponent() - self._mantissa_bits)

    def is_integer(self) -> bool:
        return False

    def get_num_possible_values(self) -> int:
        """The number of codes; 0 has two of them."""
        return 1 << self.bitwidth()

    def get_hls_datatype_str(self) -> str:
        raise UnsupportedError(f"{self.name} has no C++ type", why="HLS floats have infinities and NaN")

    def to_numpy_dt(self) -> type[np.generic]:
        return _float_for(self.name, self._mantissa_bits + 1, self._unit(), self._last_exponent())

    def to_codes(self, values: np.ndarray) -> np.ndarray:
        """The bits sign | exponent | mantissa of float values as uint64. Values between two codes go towards zero."""
        values = np.asarray(values, dtype=np.float64)
        x = np.abs(values)
        exponent = np.where(x == 0, 1 - self._bias, np.maximum(np.frexp(x)[1] - 1, 1 - self._bias))
        mantissa = np.trunc(np.ldexp(x, self._mantissa_bits - exponent)).astype(np.uint64)
        mantissa += (exponent + self._bias - 1).astype(np.uint64) << np.uint64(self._mantissa_bits)  # the leading 1
        sign = np.signbit(values).astype(np.uint64)
        return np.asarray(mantissa | sign << np.uint64(self.bitwidth() - 1))

    def from_codes(self, codes: np.ndarray) -> np.ndarray:
        """The inverse of `to_codes`, as float64."""
        codes = np.asarray(codes, dtype=np.uint64)
        field = (codes >> np.uint64(self._mantissa_bits)).astype(np.int64) & ((1 << self._exponent_bits) - 1)
        mantissa = (codes & np.uint64((1 << self._mantissa_bits) - 1)).astype(np.int64)
        mantissa += (field > 0).astype(np.int64) << self._mantissa_bits
        exponent = np.maximum(field, 1) - self._bias - self._mantissa_bits
        magnitude = np.ldexp(mantissa.astype(np.float64), exponent.astype(np.int32))
        negative = (codes >> np.uint64(self.bitwidth() - 1)).astype(bool)
        return np.asarray(np.where(negative, -magnitude, magnitude))

    def _contains(self, values: np.ndarray) -> np.ndarray:
        exact, values = as_float64(values)
        inside = exact & (np.abs(values) <= self.max())
        values = np.where(inside, values, 0.0)
        return np.asarray(inside & (self.from_codes(self.to_codes(values)) == values))
