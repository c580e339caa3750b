"""Bounds of sums of products: matrix products, and convolutions with every window that the padding cuts.

At the edge of an image a window sees some of its taps in the padding. Along one axis there are few different cases;
each is a pattern, a row of booleans that says which taps see an element. The bounds of a convolution are those of its
worst pattern, so they are reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn.analysis.intervals import Array, Interval, Shape, Unknown, expanded


def matmul_interval(x: Interval, y: Interval, x_shape: Shape, y_shape: Shape) -> Interval:
    """Of x @ y. The bounds are reached if one operand is constant and the elements of the other are independent."""
    inner = x_shape[-1] or y_shape[-2 if len(y_shape) > 1 else -1]
    if not inner:
        raise Unknown("the length of its dot products is not known")
    x = x.map(lambda b: expanded(b, [-1], (inner,)))
    y = y.map(lambda b: expanded(b, [-2 if b.ndim > 1 else -1], (inner, 1)[: b.ndim]))
    if y.constant:
        return _times_constant(x, y.low)
    if x.constant:
        flipped = _times_constant(y.map(_transposed), _transposed(x.low))
        return flipped.map(lambda b: _transposed(b) if x.low.ndim > 1 and y.low.ndim > 1 else b)
    a, b = (
        i.over([axis for axis in range(i.low.ndim) if axis != kept % i.low.ndim])
        for i, kept in ((x, -1), (y, -2 if y.low.ndim > 1 else -1))
    )
    ends = [_no_nan(p.reshape(-1) * q.reshape(-1)) for p in (a.low, a.high) for q in (b.low, b.high)]
    rank = max(len(x_shape), len(y_shape)) - (len(x_shape) == 1) - (len(y_shape) == 1)
    return Interval.uniform(np.minimum.reduce(ends).sum(), np.maximum.reduce(ends).sum(), max(rank, 0))


def _transposed(array: Array) -> Array:
    return np.swapaxes(array, -1, -2) if array.ndim > 1 else array


def _no_nan(products: Array) -> Array:
    """0 * infinity is 0: infinite bounds stand for numbers."""
    return np.where(np.isnan(products), 0.0, products)


def _times_constant(x: Interval, weights: Array) -> Interval:
    """Of x @ weights: each weight picks the end of the interval that pulls the sum furthest."""
    w = np.asarray(weights, np.float64)
    if not np.isfinite(w).all():
        raise Unknown("its weights are not finite")
    part = np.maximum(w, 0)
    low, high = _dot(x.low, part, -np.inf), _dot(x.high, part, np.inf)
    np.minimum(w, 0, out=part)  # large layers: no third copy
    return Interval.between(low + _dot(x.high, part, -np.inf), high + _dot(x.low, part, np.inf))


def _dot(bounds: Array, weights: Array, limit: float) -> Array:
    """bounds @ weights; `limit` where an infinite bound has a weight other than 0."""
    bounds = np.ascontiguousarray(bounds)  # BLAS takes no array that only looks expanded
    finite = np.isfinite(bounds)
    if finite.all():
        return np.asarray(bounds @ weights)
    spoilt = (~finite).astype(np.float64) @ (weights != 0).astype(np.float64) > 0
    return np.where(spoilt, limit, np.where(finite, bounds, 0.0) @ weights)


# ------------------------------------------------------------------------------------------------------- convolutions


@dataclass(frozen=True, eq=False)
class Axis:
    """One spatial axis of a convolution. patterns : (cases, kernel) booleans; None if the sizes are not known."""

    patterns: Array | None

    @property
    def padded(self) -> bool:
        """Whether a tap can see the padding."""
        return self.patterns is None or not bool(self.patterns.all())


def conv_axes(attributes: Mapping[str, Any], kernel: Shape, size: Shape | None, out: Shape | None) -> list[Axis]:
    """The spatial axes of a Conv. kernel, size, out : of the weights, the input and the output."""
    axes = []
    for i, k in enumerate(kernel):
        stride, dilation = _at(attributes, "strides", i), _at(attributes, "dilations", i)
        n, count = (0, 0) if size is None or out is None else (size[i], out[i])
        before, after = _pads(attributes, i, len(kernel))
        if _auto_pad(attributes) in ("SAME_UPPER", "SAME_LOWER"):
            count = -(-n // stride)
            total = max((count - 1) * stride + (k - 1) * dilation + 1 - n, 0)
            before = total // 2 if _auto_pad(attributes) == "SAME_UPPER" else total - total // 2
            after = total - before
        if before == after == 0 and (n or _auto_pad(attributes) in ("NOTSET", "VALID")):
            axes.append(Axis(np.ones((1, k), bool)))
            continue
        seen = np.arange(count)[:, None] * stride + np.arange(k) * dilation - before
        axes.append(Axis(_cases((seen >= 0) & (seen < n)) if n and count else None))
    return axes


def conv_transpose_axes(
    attributes: Mapping[str, Any], kernel: Shape, size: Shape | None, out: Shape | None
) -> list[Axis]:
    """The spatial axes of a ConvTranspose: output p sees element e at tap t if p + pad == stride e + dilation t."""
    axes = []
    for i, k in enumerate(kernel):
        n, count = (0, 0) if size is None or out is None else (size[i], out[i])
        if not (n and count):
            axes.append(Axis(None))
            continue
        stride, dilation = _at(attributes, "strides", i), _at(attributes, "dilations", i)
        before = _pads(attributes, i, len(kernel))[0]
        if _auto_pad(attributes) in ("SAME_UPPER", "SAME_LOWER") or "output_shape" in attributes:
            extra = _at(attributes, "output_padding", i, 0)
            total = max(stride * (n - 1) + extra + (k - 1) * dilation + 1 - count, 0)
            before = total // 2 if _auto_pad(attributes) == "SAME_UPPER" else total - total // 2
        seen = np.arange(count)[:, None] + before - np.arange(k) * dilation
        axes.append(Axis(_cases((seen % stride == 0) & (seen >= 0) & (seen < n * stride))))
    return axes


def _at(attributes: Mapping[str, Any], name: str, i: int, default: int = 1) -> int:
    return int(attributes[name][i]) if attributes.get(name) else default


def _auto_pad(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get("auto_pad", "NOTSET"))


def _pads(attributes: Mapping[str, Any], i: int, axes: int) -> tuple[int, int]:
    if _auto_pad(attributes) == "VALID":
        return 0, 0
    return _at(attributes, "pads", i, 0), _at(attributes, "pads", i + axes, 0)


def _cases(seen: Array) -> Array:
    return np.unique(seen, axis=0)


def conv_interval(x: Interval, weights: Interval, group: int, axes: Sequence[Axis], fill: Any = 0.0) -> Interval:
    """Of each output channel, (O,).

    x : bounds (C,) or one; weights : (O, C / group, *kernel); fill : (C,) or one, what the padding holds.

    The bounds are reached if the weights are constant and the elements of x are independent.
    """
    out, inner, *kernel = weights.low.shape

    def by_group(channels: Any) -> Array:
        return np.broadcast_to(np.asarray(channels, np.float64), inner * group).reshape(group, 1, inner)

    def matrices(w: Array) -> Array:
        """(group, C / group, O / group and taps), in memory as channels-last weights are: they need no shuffling."""
        apart = np.asarray(w.reshape(group, out // group, inner, -1).swapaxes(2, 3), np.float64, order="C")
        return np.swapaxes(apart.reshape(group, -1, inner), 1, 2)

    constant = matrices(weights.low) if weights.constant else None
    filters = Interval(constant, constant, True) if constant is not None else weights.map(matrices)
    taps = _times(x.map(by_group), filters).map(lambda b: b.reshape(out, *kernel))
    if not any(axis.padded for axis in axes):
        return Interval.between(taps.low.reshape(out, -1).sum(1), taps.high.reshape(out, -1).sum(1))
    filled = by_group(fill)
    pads = _times(Interval(filled, filled), filters) if filled.any() else taps.map(np.zeros_like)
    pads = pads.map(lambda b: b.reshape(out, *kernel))
    return Interval.between(_worst(taps.low, pads.low, axes), -_worst(-taps.high, -pads.high, axes))


def _times(x: Interval, weights: Interval) -> Interval:
    """Of x @ weights for stacks of rows x and of matrices: (S, 1, N) and (S, N, M)."""
    if weights.constant:
        return _times_constant(x, weights.low)
    ends = [_no_nan(bound.swapaxes(1, 2) * w) for w in (weights.low, weights.high) for bound in (x.low, x.high)]
    low, high = (f(ends).sum(axis=1, keepdims=True) for f in (np.minimum.reduce, np.maximum.reduce))
    return Interval.between(low, high)


def _worst(taps: Array, pads: Array, axes: Sequence[Axis]) -> Array:
    """The least sum over taps in any pattern, per output channel; a tap in the padding gives what `pads` has."""
    if any(axis.patterns is None for axis in axes):
        return np.asarray(np.minimum(taps, pads).reshape(len(taps), -1).sum(1))
    infinite = ~np.isfinite(taps - pads)
    sums = np.where(infinite, 0.0, taps - pads)
    for axis in axes:
        sums = np.tensordot(sums, np.asarray(axis.patterns, np.float64), axes=([1], [1]))
    least = sums.reshape(len(taps), -1).min(1) + pads.reshape(len(taps), -1).sum(1)
    return np.where(infinite.reshape(len(taps), -1).any(1), -np.inf, least)
