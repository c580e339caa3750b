"""Random layers of DuplicateStreams."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from strategies.common import draws, types, vectors, wide_types


@draws(DuplicateStreams)
def duplicate_streams(draw: DrawFn) -> DuplicateStreams:
    channels, window = draw(st.sampled_from([1, 6, 40])), draw(st.sampled_from([1, 1, 4, 9]))
    return DuplicateStreams(
        vectors(draw, channels * window),
        draw(types | wide_types),
        draw(st.integers(1, 5)),
        PE=draw(st.sampled_from(divisors(channels))),
        window=window,
        taps=draw(st.sampled_from(divisors(window))),
    )
