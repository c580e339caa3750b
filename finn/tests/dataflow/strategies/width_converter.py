"""Random layers of StreamingDataWidthConverter."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from strategies.common import draws, types, vectors


@draws(StreamingDataWidthConverter)
def width_converter(draw: DrawFn) -> StreamingDataWidthConverter:
    channels, x = draw(st.sampled_from([1, 6, 12, 30, 32, 60])), draw(types)
    lanes = st.sampled_from(divisors(channels))
    return StreamingDataWidthConverter(vectors(draw, channels), x, draw(lanes), draw(lanes))
