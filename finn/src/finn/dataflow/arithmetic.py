"""Functions of two integers, elementwise: name, meaning, type of the result, and the code of `elementwise_lane`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.cost import Fabric
from finn.dataflow.layer import CppObject, IntArray, LayerError, Resources

BIPOLAR, BINARY = DataType["BIPOLAR"], DataType["BINARY"]

MOST_BITS = 62
"""Widest result: NumPy computes in 64 bits."""

MOST_SHIFT = 31
"""Furthest shift."""


@dataclass(frozen=True)
class Function:
    """y = compute(a, b) on int64 arrays, which are broadcast. `code` is that of elementwise_lane.sv."""

    name: str
    code: int
    compute: Callable[[IntArray, IntArray], IntArray]
    latency: int = 2
    tells: bool = False
    """Whether the results are 0 and 1."""
    shifts: bool = False
    """Whether b is a distance, 0 to MOST_SHIFT."""

    def __call__(self, a: IntArray, b: IntArray) -> IntArray:
        return np.asarray(self.compute(a, b), dtype=np.int64)

    def result(self, a: IntArray, b: IntArray) -> BaseDataType:
        """The narrowest type of the results for values between (and with) those of `a` and `b`: see `ends`.

        BIPOLAR only if nothing but -1 and 1 can come and both are. Raises LayerError if it is too wide.
        """
        self._check_shift(b)
        # Floats first: they tell in time that the results have more bits than an integer.
        if self.name == "BitShiftLeft":
            estimate = a[:, None] * 2.0 ** b[None]
        elif self.name in ("Add", "Sub", "Mul", "AbsDiff"):
            estimate = self.compute(a[:, None].astype(float), b[None].astype(float))
        else:
            estimate = np.zeros(1)
        if np.abs(estimate).max() >= 2.0**MOST_BITS:
            raise LayerError(f"{self.name}: results of more than {MOST_BITS} bits", remedy="use narrower operands")
        values = self(a[:, None], b[None])
        if self.tells:
            return BINARY
        if all(set(map(int, ends)) <= {-1, 1} for ends in (a, b)) and set(np.unique(values)) == {-1, 1}:
            return BIPOLAR
        return DataType.spanning(int(values.min()), int(values.max()))

    def hls(self, swapped: bool = False) -> CppObject:
        """The function in C++, of (a, b), or if `swapped` of (b, a)."""
        return CppObject(f"Ordered<finn::{self.name}, {str(swapped).lower()}>")

    def _check_shift(self, distances: IntArray) -> None:
        if self.shifts and not 0 <= int(distances.min()) <= int(distances.max()) <= MOST_SHIFT:
            raise LayerError(
                f"{self.name} by {int(distances.min())} to {int(distances.max())}",
                why=f"distances are 0 to {MOST_SHIFT}",
                remedy="use an unsigned type of 5 bits at the most for the second operand",
            )

    def resources(self, fab: Fabric, a: BaseDataType, b: BaseDataType, out: BaseDataType) -> Resources:
        """Of a lane."""
        bits, width = max(a.bitwidth(), b.bitwidth()) + 1, out.bitwidth()
        if self.name == "Mul" and out != BIPOLAR:
            return multiplier(fab, a.bitwidth(), b.bitwidth())
        if self.name in ("Max", "Min"):
            return Resources(LUT=round(fab.larger * bits))
        if self.shifts:
            return Resources(LUT=ceil(fab.choose * width * b.bitwidth()))
        if self.tells:
            return Resources(LUT=round(fab.rank * bits))
        return Resources(LUT=round((2 if self.name == "AbsDiff" else 1) * max(bits, width)))


def ends(dtype: BaseDataType) -> IntArray:
    """Values of a type among which every function has those that decide about the type of its results.

    The functions are monotone in each operand on either side of 0, or work bit by bit on ranges of whole bits.
    """
    values = {int(dtype.min()), int(dtype.max()), -1, 0}
    return np.array(sorted(v for v in values if dtype.allowed(float(v))), dtype=np.int64)


def kind(dtype: BaseDataType) -> int:
    """How the modules read values: 0 unsigned, 1 two's complement, 2 bipolar."""
    return 2 if dtype == BIPOLAR else int(dtype.signed())


def multiplier(fab: Fabric, a: int, b: int) -> Resources:
    """The product of `a` and `b` bits: multiplier blocks, or LUTs if it is small."""
    small, large = sorted((a, b))
    if a + b < fab.least_product or small < 2:
        return Resources(LUT=ceil(fab.multiply * a * b))
    return Resources(DSP=ceil(small / fab.multiplier[0]) * ceil(large / fab.multiplier[1]))


def _shift_left(a: IntArray, b: IntArray) -> IntArray:
    return np.asarray(a << b)


def _shift_right(a: IntArray, b: IntArray) -> IntArray:
    return np.asarray(a >> b)


_ALL = (
    Function("Add", 0, np.add),
    Function("Sub", 1, np.subtract),
    Function("Mul", 2, np.multiply, latency=3),
    Function("Max", 3, np.maximum),
    Function("Min", 4, np.minimum),
    Function("AbsDiff", 5, lambda a, b: np.abs(a - b)),
    Function("Equal", 6, np.equal, tells=True),
    Function("Greater", 7, np.greater, tells=True),
    Function("GreaterOrEqual", 8, np.greater_equal, tells=True),
    Function("Less", 9, np.less, tells=True),
    Function("LessOrEqual", 10, np.less_equal, tells=True),
    Function("And", 11, np.logical_and, tells=True),
    Function("Or", 12, np.logical_or, tells=True),
    Function("Xor", 13, np.logical_xor, tells=True),
    Function("BitwiseAnd", 14, np.bitwise_and),
    Function("BitwiseOr", 15, np.bitwise_or),
    Function("BitwiseXor", 16, np.bitwise_xor),
    Function("BitShiftLeft", 17, _shift_left, shifts=True),
    Function("BitShiftRight", 18, _shift_right, shifts=True),
)

FUNCTIONS: Mapping[str, Function] = {f.name: f for f in _ALL}
"""By name: the operators of ONNX (BitShift arithmetic, and with its direction), and AbsDiff."""
