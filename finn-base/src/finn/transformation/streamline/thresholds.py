"""A tail and the quantizer behind it, as integer thresholds.

    code(q) == low + count(q >= T)        for every q in the range of the integer tensor

The thresholds are not derived from the operators: they are found by evaluating them. So every activation function,
rounding mode, tie and zero point is handled by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import column
from finn.transformation.streamline.values import Scaled

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

ENUMERABLE = 1 << 24
"""So many values of q are evaluated at once to see whether a tail rises."""


def level(value: Scaled, quantizer: Quantizer, q: Array) -> IntArray:
    """The code that the original operators give to each q: (channels or 1, n). Refused if they give NaN."""
    x = value.evaluate(q)
    unknown = np.isnan(x)
    if unknown.any() and value.source.range is None:  # numbers so large that the tail overflows
        x = np.where(unknown, value.evaluate(np.zeros_like(q[:, :1])), x)
    elif unknown.any():
        raise Refused(f"{value.operators} gives NaN for values that its input may have", "check the range of its input")
    return quantizer.code_of(x, *(column(c, x.dtype) for c in quantizer.constants))


def levels(value: Scaled, quantizer: Quantizer, low: IntArray, high: IntArray) -> IntArray:
    """The code of every q from low[c] on, as many as the widest channel has: (channels, n); behind high[c] its own."""
    span = int((high - low).max()) + 1
    return level(value, quantizer, np.minimum(column(low) + np.arange(span), column(high)))


def search(level: Callable[[IntArray], IntArray], low: IntArray, high: IntArray, codes: IntArray) -> IntArray:
    """T[c, i] = the least q in low[c] .. high[c] with level(q)[c] >= codes[i]; high[c] + 1 if there is none.

    level : non-decreasing in q, vectorised over (channels, n); low, high : (channels,).
    """
    low, high = column(low), column(high)
    below = np.broadcast_to(low - 1, (len(low), len(codes))).copy()  # the greatest q known not to reach its code
    for bit in reversed(range(int((high - low).max() + 1).bit_length())):
        q = below + (1 << bit)
        below = np.where((q <= high) & (level(np.minimum(q, high)) < codes), q, below)
    found: IntArray = below + 1
    return found


def ordinal(x: Array) -> IntArray:
    """float32 numbers to integers of the same order; neighbours are consecutive, both zeros are 0."""
    bits = np.asarray(x, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))


def from_ordinal(n: IntArray) -> npt.NDArray[np.float32]:
    """The inverse of `ordinal`."""
    magnitude = np.abs(n).astype(np.int32).view(np.float32)
    return np.where(n < 0, -magnitude, magnitude)


def float_thresholds(level: Callable[[Array], IntArray], channels: int, codes: IntArray) -> npt.NDArray[np.float32]:
    """As `search`, over all finite float32 numbers: (channels, len(codes)), +inf where a code is never reached."""
    most = np.broadcast_to(ordinal(np.finfo(np.float32).max), channels)
    with np.errstate(over="ignore", invalid="ignore"):  # extreme inputs overflow as they do in the original graph
        return from_ordinal(search(lambda n: level(from_ordinal(n)), -most, most, codes))
