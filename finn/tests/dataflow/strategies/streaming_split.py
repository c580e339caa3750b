"""Random layers of StreamingSplit."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.streaming_split import StreamingSplit
from strategies.common import draws, types, wide_types
from strategies.streaming_concat import parts


@draws(StreamingSplit)
def streaming_split(draw: DrawFn) -> StreamingSplit:
    p, x = parts(draw), draw(types | wide_types)
    return StreamingSplit(p.shape, x, p.sizes, p.axis, SIMD=draw(st.sampled_from(divisors(p.common))))
