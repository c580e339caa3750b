"""Layers of the integer graph: what they compute, and in what range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.analysis.ranges import IntArray, Range, narrowest_weight_type
from finn.core.domains import CHANNELS_LAST
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.values import Source, is_uniform

Array = npt.NDArray[Any]


def per_channel(bounds: Range, channels: int) -> tuple[IntArray, IntArray]:
    """(low, high) of shape (channels,): the bounds over all but the last axis."""

    def reduced(b: IntArray, extreme: Any) -> IntArray:
        b = np.asarray(b, np.int64)
        b = b.reshape(-1, b.shape[-1]) if b.ndim else b.reshape(1, 1)
        return np.broadcast_to(extreme(b, axis=0), (channels,))

    return reduced(bounds.low, np.min), reduced(bounds.high, np.max)


def simplified(low: IntArray, high: IntArray) -> Range:
    """The range with one element if it is the same everywhere."""
    if is_uniform(low) and is_uniform(high):
        return Range(np.asarray(low).reshape(-1)[0], np.asarray(high).reshape(-1)[0])
    return Range(*(np.ascontiguousarray(b) for b in np.broadcast_arrays(low, high)))


def widened(bounds: Range, value: int) -> Range:
    """The range with one more value."""
    return Range(np.minimum(bounds.low, value), np.maximum(bounds.high, value))


def sum_of_products(bounds: Range, weights: IntArray, group: int) -> tuple[Range, float]:
    """(range of every sum, no partial sum exceeds this) of a layer. weights : (O, kernel, I / group) integers.

    Output channel o belongs to group o // (O / group); every element of its window lies in the bounds of its channel.
    """
    out, _, width = weights.shape
    low, high = (b.reshape(group, 1, width) for b in per_channel(bounds, width * group))
    reach = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    rises = np.maximum(weights, 0).sum(1, dtype=np.int64).reshape(group, -1, width)
    falls = np.minimum(weights, 0).sum(1, dtype=np.int64).reshape(group, -1, width)

    def dot(a: Array, b: Array) -> Array:
        return np.asarray(np.einsum("gow,gow->go", a, np.broadcast_to(b, a.shape)).reshape(out))

    magnitude = dot(rises, reach) - dot(falls, reach)
    result = simplified(dot(rises, low) + dot(falls, high), dot(rises, high) + dot(falls, low))
    return result, float(magnitude.max(initial=0.0))


def matmul(graph: IntegerGraph, x: Source, weights: IntArray, name: str) -> Source:
    """x @ weights. weights : (MW, MH); name : wanted for the output."""
    bounds, magnitude = sum_of_products(x.bounds, weights.T[:, None, :], 1)
    w = graph.constant(f"{name}_weights", weights, narrowest_weight_type(weights))
    y = graph.integers("MatMul", [x.name, w], name, (*x.dims[:-1], weights.shape[1]), bounds)
    graph.magnitude = max(graph.magnitude, magnitude)
    return Source(y.name, y.shape, bounds, lambda m: matmul(graph, x, weights * m, name))


def conv(
    graph: IntegerGraph, x: Source, weights: IntArray, name: str, shape: Sequence[int], attributes: Mapping[str, Any]
) -> Source:
    """The convolution of channels-last x that is padded with 0.

    weights : (O, *kernel, I / group); shape : of the output.
    """
    group = int(attributes.get("group", 1))
    bounds = widened(x.bounds, 0) if any(attributes.get("pads", ())) else x.bounds
    result, magnitude = sum_of_products(bounds, weights.reshape(len(weights), -1, weights.shape[-1]), group)
    w = graph.constant(f"{name}_weights", weights, narrowest_weight_type(weights))
    y = graph.integers("Conv", [x.name, w], name, tuple(shape), result, domain=CHANNELS_LAST, **attributes)
    graph.magnitude = max(graph.magnitude, magnitude)
    tall = (-1,) + (1,) * (weights.ndim - 1)
    return Source(y.name, y.shape, result, lambda m: conv(graph, x, weights * m.reshape(tall), name, shape, attributes))


def product_range(x: Range, y: Range) -> Range:
    """The range of the elementwise product."""
    corners = [a * b for a in (x.low, x.high) for b in (y.low, y.high)]
    return Range(np.minimum.reduce(np.broadcast_arrays(*corners)), np.maximum.reduce(np.broadcast_arrays(*corners)))


def with_constant(graph: IntegerGraph, op_type: str, x: Source, constant: IntArray, name: str) -> Source:
    """Add, Sub, Mul, Max or Min of x and integers that broadcast to it."""
    return of_two(graph, op_type, x, constant, name)


def of_two(graph: IntegerGraph, op_type: str, x: Source, y: Source | IntArray, name: str) -> Source:
    """Add, Sub, Mul, Max or Min of two integer tensors, or of one and integers."""
    if isinstance(y, Source):
        other, bounds, shape = y.name, y.bounds, np.broadcast_shapes(x.dims, y.dims)
    else:
        bounds, shape = Range(y, y), x.dims
        other = graph.constant(f"{name}_operand", y, narrowest_weight_type(y))
    a, b = x.bounds, bounds
    result = {
        "Add": lambda: Range(a.low + b.low, a.high + b.high),
        "Sub": lambda: Range(a.low - b.high, a.high - b.low),
        "Mul": lambda: product_range(a, b),
        "Max": lambda: Range(np.maximum(a.low, b.low), np.maximum(a.high, b.high)),
        "Min": lambda: Range(np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
    }[op_type]()
    return graph.integers(op_type, [x.name, other], name, shape, simplified(result.low, result.high))
