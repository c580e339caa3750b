"""Random layers: one line in LAYERS makes a layer climb the whole ladder of test_ladder.py.

Sizes stay small because each example compiles a simulator; types, signs, foldings and odd ratios are what can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import IntArray, Layer, Stream, divisors
from finn.dataflow.layers import MVAU, LabelSelect, StreamingDataWidthConverter, StreamingFIFO, Thresholding

BIPOLAR = DataType["BIPOLAR"]
NARROW = ("BIPOLAR", "BINARY", "TERNARY", *(f"{s}INT{n}" for n in range(2, 9) for s in ("", "U")))

types = st.sampled_from(NARROW).map(lambda name: DataType[name])
wide_types = st.sampled_from(("BIPOLAR", "INT3", "UINT5", "INT8", "UINT8", "INT12", "UINT17", "INT20")).map(
    lambda name: DataType[name]
)
seeds = st.integers(0, 2**32 - 1)


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


def _shape(draw: DrawFn, channels: int) -> tuple[int, ...]:
    return draw(st.sampled_from([(1, channels), (1, 3, channels)]))


def _steps(
    draw: DrawFn, low: int, high: int, rows: int, rng: np.random.Generator
) -> tuple[IntArray, int, BaseDataType]:
    """Thresholds around low..high, a bias and the output type; the edges low and high + 1 are drawn, too."""
    steps = draw(st.sampled_from([1, 1, 2, 3, 7, 12, 255]))
    values = np.sort(rng.integers(low - 1, high + 3, (rows, steps)), axis=1)
    if steps == 1 and draw(st.booleans()):
        return values, 0, BIPOLAR
    bias = draw(st.sampled_from([0, -1, -(steps // 2 + 1), 5]))
    return values, bias, DataType.spanning(bias, bias + steps)


@st.composite
def mvau(draw: DrawFn) -> MVAU:
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    x, w, rng = draw(types), draw(types), np.random.default_rng(draw(seeds))
    shape, weights = _shape(draw, mw), integers(w, (mw, mh), rng)
    plain = MVAU(shape, x, weights, w, DataType["INT64"])
    thresholds, bias, out = None, 0, plain.accumulator
    if draw(st.booleans()):
        acc, rows = plain.accumulator, draw(st.sampled_from([1, mh]))
        thresholds, bias, out = _steps(draw, int(acc.min()), int(acc.max()), rows, rng)
    unfolded = draw(st.booleans())
    simd = mw if unfolded else draw(st.sampled_from(divisors(mw)))
    pe = mh if unfolded else draw(st.sampled_from(divisors(mh)))
    return MVAU(shape, x, weights, w, out, thresholds, bias, SIMD=simd, PE=pe)


@st.composite
def thresholding(draw: DrawFn) -> Thresholding:
    channels, x, rng = draw(st.integers(1, 16)), draw(types | wide_types), np.random.default_rng(draw(seeds))
    rows = draw(st.sampled_from([1, channels]))
    values, bias, out = _steps(draw, int(x.min()), int(x.max()), rows, rng)
    return Thresholding(_shape(draw, channels), x, values, out, bias, PE=draw(st.sampled_from(divisors(channels))))


@st.composite
def label_select(draw: DrawFn) -> LabelSelect:
    labels, x = draw(st.integers(1, 12)), draw(types | wide_types)
    k = draw(st.integers(1, min(labels, 5)))
    return LabelSelect(_shape(draw, labels), x, k, PE=draw(st.sampled_from(divisors(labels))))


@st.composite
def width_converter(draw: DrawFn) -> StreamingDataWidthConverter:
    channels, x = draw(st.sampled_from([1, 6, 12, 30, 32, 60])), draw(types)
    lanes = st.sampled_from(divisors(channels))
    return StreamingDataWidthConverter(_shape(draw, channels), x, draw(lanes), draw(lanes))


@st.composite
def fifo(draw: DrawFn) -> StreamingFIFO:
    channels, x = draw(st.sampled_from([1, 6, 40])), draw(types)
    lanes = draw(st.sampled_from(divisors(channels)))
    return StreamingFIFO(_shape(draw, channels), x, lanes, draw(st.sampled_from([4, 5, 16, 33, 300])))


LAYERS: dict[str, Callable[[], SearchStrategy[Layer]]] = {
    "MVAU": mvau,
    "Thresholding": thresholding,
    "LabelSelect": label_select,
    "StreamingDataWidthConverter": width_converter,
    "StreamingFIFO": fifo,
}
