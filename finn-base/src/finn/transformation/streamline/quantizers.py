"""Every quantizer as one form: y == scale * code + bias, where code is a non-decreasing step function of x."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.custom_op.general.quant import max_int, min_int, resolve_rounding_mode
from finn.transformation.streamline.report import Refused

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Quantizer:
    """y == scale * code + bias with code in low, low + step, ..., high.

    code_of(x, *constants) is non-decreasing in x; x is (channels, n), each constant (channels or 1, 1).
    scale, bias, constants : broadcast to the tensor. channels : how many code_of itself distinguishes.
    """

    low: int
    high: int
    step: int
    scale: Array
    bias: Array
    code_of: Callable[..., Array]
    constants: tuple[Array, ...] = ()
    channels: int = 1
    three_way_sign: bool = field(default=False)

    @property
    def codes(self) -> Array:
        """The codes above the lowest, ascending: one threshold belongs to each. At least one."""
        return np.arange(self.low, max(self.high, self.low + 1) + 1, self.step)[1:]

    @property
    def levels(self) -> int:
        """How many codes there are, at least two."""
        return (max(self.high, self.low + 1) - self.low) // self.step + 1

    @property
    def datatype(self) -> BaseDataType:
        return DataType["BIPOLAR"] if self.step == 2 else DataType.spanning(self.low, max(self.high, self.low + 1))

    @property
    def bits(self) -> int:
        return int(self.high - self.low).bit_length() if self.step == 1 else 1

    @property
    def per_tensor(self) -> bool:
        return self.channels == 1 and all(c.size == 1 for c in (self.scale, self.bias, *self.constants))


def _code_of_bipolar(x: Array, scale: Array, zero_point: Array) -> Array:
    return np.where(x / scale + zero_point >= 0, 1, -1)


def quant(scale: Array, zero_point: Array, bits: int, *, signed: bool, narrow: bool, rounding_mode: str) -> Quantizer:
    """Quant of QONNX: code = round(clip(x / scale + zero_point)), y = (code - zero_point) * scale.

    One signed bit means -1 and +1, with 0 -> +1.
    """
    if signed and bits == 1:
        return Quantizer(-1, 1, 2, scale, -zero_point.astype(np.float64) * scale, _code_of_bipolar, (scale, zero_point))
    try:
        rounded = resolve_rounding_mode(rounding_mode)
    except FinnError as error:
        raise Refused(error.what, error.remedy, fatal=True) from error
    low, high = min_int(signed, narrow, bits), max_int(signed, narrow, bits)

    shift = _free_shift(low, high, zero_point)

    def code_of(x: Array, scale: Array, zero_point: Array) -> Array:
        return rounded(np.clip(x / scale + zero_point, low, high)).astype(np.int64) - shift

    bias = (shift - zero_point.astype(np.float64)) * scale
    return Quantizer(low - shift, high - shift, 1, scale, bias, code_of, (scale, zero_point))


def _free_shift(low: int, high: int, zero_point: Array) -> int:
    """The zero point, if codes counted from it need no more bits: they then have no bias. Else 0."""
    shift = int(np.rint(zero_point.reshape(-1)[0]))
    fits = DataType.spanning(low - shift, high - shift).bitwidth() <= DataType.spanning(low, high).bitwidth()
    return shift if fits and (zero_point == shift).all() else 0


def bipolar_quant(scale: Array) -> Quantizer:
    """BipolarQuant of QONNX: scale where x >= 0, else -scale."""
    return Quantizer(-1, 1, 2, scale, np.zeros(()), lambda x: np.where(x >= 0, 1, -1))


def sign() -> Quantizer:
    """Sign of ONNX: -1, 0, +1."""
    return Quantizer(-1, 1, 1, np.ones(()), np.zeros(()), lambda x: np.sign(x).astype(np.int64), three_way_sign=True)


def multithreshold(thresholds: Array, out_scale: float, out_bias: float) -> Quantizer:
    """out_scale * count(x >= thresholds) + out_bias. thresholds : (C or 1, N), in any order within a row."""
    rows, steps = np.sort(thresholds, axis=1), thresholds.shape[1]

    def count(x: Array) -> Array:
        x = np.broadcast_to(x, (max(len(rows), len(x)), x.shape[1]))
        rows_of_x = rows if len(rows) == len(x) else np.broadcast_to(rows, (len(x), steps))
        return np.stack([np.searchsorted(t, row, side="right") for t, row in zip(rows_of_x, x, strict=True)])

    offset = out_bias / out_scale
    scale, zero = np.array(out_scale), np.zeros(())
    if steps == 1 and offset == -0.5:
        return Quantizer(-1, 1, 2, scale / 2, zero, lambda x: 2 * count(x) - 1, channels=len(rows))
    if offset != round(offset):
        return Quantizer(0, steps, 1, scale, np.array(out_bias), count, channels=len(rows))
    low = int(offset)
    return Quantizer(low, low + steps, 1, scale, zero, lambda x: low + count(x), channels=len(rows))
