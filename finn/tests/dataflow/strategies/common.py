"""What the layers' strategies have in common.

Sizes stay small because each example compiles a simulator; types, signs, foldings and odd ratios are what can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import IntArray, Layer, Stream
from finn.dataflow.matrix import MatrixUnit

BIPOLAR = DataType["BIPOLAR"]
NARROW = ("BIPOLAR", "BINARY", "TERNARY", *(f"{s}INT{n}" for n in range(2, 9) for s in ("", "U")))

types = st.sampled_from(NARROW).map(lambda name: DataType[name])
wide_types = st.sampled_from(("BIPOLAR", "INT3", "UINT5", "INT8", "UINT8", "INT12", "UINT17", "INT20")).map(
    lambda name: DataType[name]
)
seeds = st.integers(0, 2**32 - 1)
images = st.builds(
    lambda axes, channels: (1, *axes, channels),
    st.lists(st.sampled_from([1, 2, 3, 4, 7]), min_size=1, max_size=2),
    st.sampled_from([1, 2, 3, 4, 6]),
)
"""Shapes of small images with one or two spatial axes."""


def integers(dtype: BaseDataType, shape: tuple[int, ...], rng: np.random.Generator) -> IntArray:
    """Random values of a type, its ends among them."""
    if dtype == BIPOLAR:
        return 2 * rng.integers(0, 2, shape) - 1
    low, high = int(dtype.min()), int(dtype.max())
    values = rng.integers(low, high + 1, shape)
    ends = rng.random(shape)
    return np.where(ends < 0.1, low, np.where(ends > 0.9, high, values))


def frames(stream: Stream, count: int, rng: np.random.Generator) -> IntArray:
    """`count` random frames of a stream of shape (1, …)."""
    return integers(stream.dtype, (count, *stream.shape[1:]), rng)


def vectors(draw: DrawFn, channels: int) -> tuple[int, ...]:
    return draw(st.sampled_from([(1, channels), (1, 3, channels)]))


def steps(draw: DrawFn, low: int, high: int, rows: int, rng: np.random.Generator) -> tuple[IntArray, int, BaseDataType]:
    """Thresholds around low..high, a bias and the output type; the edges low and high + 1 are drawn, too."""
    steps = draw(st.sampled_from([1, 1, 2, 3, 7, 12, 255]))
    values = np.sort(rng.integers(low - 1, high + 3, (rows, steps)), axis=1)
    if steps == 1 and draw(st.booleans()):
        return values, 0, BIPOLAR
    bias = draw(st.sampled_from([0, -1, -(steps // 2 + 1), 5]))
    return values, bias, DataType.spanning(bias, bias + steps)


memory_modes = st.sampled_from(
    [{}, {}, {"mem_mode": "external"}, {"runtime_writeable_weights": 1}, {"mem_mode": "internal_embedded"}]
)
"""Where a compute unit has its weights."""


def activations(
    draw: DrawFn, cls: type[MatrixUnit], fields: tuple[Any, ...], modes: dict[str, Any], rng: np.random.Generator
) -> tuple[Any, ...]:
    """Fields (shape, type, weights, their type) of a compute unit, then its output type, thresholds, bias."""
    acc = cls(*fields, DataType["INT64"], **modes).accumulator  # type: ignore[arg-type]
    if draw(st.booleans()):
        return (*fields, acc)
    rows = draw(st.sampled_from([1, fields[2].shape[1]]))
    thresholds, bias, out = steps(draw, int(acc.min()), int(acc.max()), rows, rng)
    return (*fields, out, thresholds, bias)


LAYERS: dict[str, Callable[[], SearchStrategy[Layer]]] = {}
"""The strategies by the name of the layer."""


def draws(cls: type[Layer]) -> Callable[[Callable[..., Layer]], Callable[[], SearchStrategy[Layer]]]:
    """Decorator: the function `f(draw)` draws a layer of this class."""

    def register(function: Callable[..., Layer]) -> Callable[[], SearchStrategy[Layer]]:
        LAYERS[cls.__name__] = st.composite(function)
        return LAYERS[cls.__name__]

    return register
