"""A quantized sum of two tensors whose scales have no common measure.

y == quantizer(tail(s * p + t * q + b)) for integers p and q of few values is a function of finitely many pairs (p, q).
It equals thresholds on m * p + n * q with whole m and n as soon as n / m is near enough to t / s: near enough is what
gives the right code for every pair, which is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from onnx import NodeProto

from finn.analysis.ranges import IntArray, Range
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.layers import of_two, with_constant
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.tail import column
from finn.transformation.streamline.values import Array, Scaled, Source, compact, is_uniform

PAIRS = 1 << 20
"""So many pairs are tried, over all channels."""

FINEST = 20
"""The greater multiplier is at most 2 ** this."""


@dataclass(frozen=True, eq=False)
class Pair:
    """x + sign * y, computed on the host by `node` unless a quantizer reads it."""

    x: Scaled
    y: Scaled
    sign: int
    node: NodeProto


def quantized_pair(graph: IntegerGraph, pair: Pair, x: Scaled, q: Quantizer, name: str) -> Source | None:
    """The codes of q on x, whose source is the float sum of the pair; None if they cannot be had from integers.

    scale and bias of the codes are those of q. name : of the quantized tensor.
    """
    values = _values(pair)
    channels = max([q.channels, *(compact(c).size for c in (*x.tail.constants, *q.constants))])
    if values is None or values[2].size * channels > PAIRS:
        return None
    first, second, sums = values
    result = x.tail.evaluate(sums.reshape(1, -1))
    if np.isnan(result).any():
        return None
    codes = q.code_of(result, *(column(c, result.dtype) for c in q.constants))
    for m, n in _multipliers(float(pair.x.scale.reshape(-1)[0]), pair.sign * float(pair.y.scale.reshape(-1)[0])):
        thresholds = _thresholds((m * first + n * second).reshape(-1), codes, q.codes)
        if thresholds is not None:
            source = _weighted_sum(graph, pair, m, n, name)
            bounds = Range(np.array(codes.min()), np.array(codes.max()))
            return graph.multithreshold(source, thresholds, f"{name}_int", q.datatype, q.step, q.low, bounds)
    return None


def _values(pair: Pair) -> tuple[IntArray, IntArray, Array] | None:
    """All p as a column, all q as a row, and the float64 sums; None if the scales vary or if there are too many."""
    x, y = pair.x, pair.y
    if not all(is_uniform(c) for c in (x.scale, y.scale, x.bias, y.bias)) or not (x.scale.all() and y.scale.all()):
        return None
    (a, b), (c, d) = x.source.bounds.span, y.source.bounds.span
    if (b - a + 1) * (d - c + 1) > PAIRS:
        return None
    first, second = np.arange(a, b + 1).reshape(-1, 1), np.arange(c, d + 1).reshape(1, -1)
    sums = (x.scale.reshape(-1)[0] * first + x.bias.reshape(-1)[0]) + pair.sign * (
        y.scale.reshape(-1)[0] * second + y.bias.reshape(-1)[0]
    )
    return first, second, sums


def _multipliers(s: float, t: float) -> list[tuple[int, int]]:
    """(m, n) with n / m nearer and nearer to t / s."""
    found = []
    for bits in range(FINEST + 1):
        unit = max(abs(s), abs(t)) / (1 << bits)
        m, n = round(s / unit), round(t / unit)
        common = gcd(m, n) or 1
        found.append((m // common, n // common))
    return list(dict.fromkeys(found))


def _thresholds(sums: IntArray, codes: IntArray, wanted: IntArray) -> IntArray | None:
    """T with codes[c] == wanted[0] - step + step * count(sums >= T[c]): (channels, N); None if there are none."""
    rows = []
    for row in codes:
        order = np.lexsort((row, sums))
        at, code = sums[order], row[order]
        steps, same = np.diff(code), np.diff(at) == 0
        if (steps < 0).any() or (same & (steps != 0)).any():
            return None
        first = np.searchsorted(code, wanted)
        rows.append(np.where(first < len(at), at[np.minimum(first, len(at) - 1)], at[-1] + 1))
    return np.stack(rows)


def _weighted_sum(graph: IntegerGraph, pair: Pair, m: int, n: int, name: str) -> Source:
    parts = []
    for value, factor in ((pair.x, m), (pair.y, abs(n))):
        one = (
            value.source if factor == 1 else with_constant(graph, "Mul", value.source, np.array(factor), f"{name}_part")
        )
        parts.append(one)
    return of_two(graph, "Add" if n > 0 else "Sub", parts[0], parts[1], f"{name}_sum")


def paired(value: Scaled, pair: Pair) -> Scaled:
    """The float sum on the host, with what it is made of."""
    return replace(value, source=replace(value.source, pair=pair))
