"""Random layers of StreamingFIFO."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.fifo import StreamingFIFO
from strategies.common import draws, types, vectors


@draws(StreamingFIFO)
def fifo(draw: DrawFn) -> StreamingFIFO:
    channels, x = draw(st.sampled_from([1, 6, 40])), draw(types)
    lanes = draw(st.sampled_from(divisors(channels)))
    return StreamingFIFO(vectors(draw, channels), x, lanes, draw(st.sampled_from([4, 5, 16, 33, 300])))
