"""Random layers of StreamingConcat."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.streaming_concat import Parts, StreamingConcat
from strategies.common import draws, types, wide_types


def parts(draw: DrawFn) -> Parts:
    """Of vectors, sequences or images, along any axis; sizes with and without a common divisor."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 6]), min_size=1, max_size=3))
    axis, unit = draw(st.integers(1, len(shape))), draw(st.sampled_from([1, 1, 4]))
    sizes = draw(st.lists(st.integers(1, 4).map(lambda n: n * unit), min_size=1, max_size=4))
    shape[axis - 1] = sum(sizes)
    if draw(st.booleans()):
        axis -= len(shape) + 1
    return Parts((1, *shape), tuple(sizes), axis)


@draws(StreamingConcat)
def streaming_concat(draw: DrawFn) -> StreamingConcat:
    p = parts(draw)
    some = draw(st.lists(types | wide_types, min_size=1, max_size=2))  # often all inputs of one type
    dtypes = tuple(draw(st.sampled_from(some)) for _ in p.sizes)
    return StreamingConcat(p.shape, dtypes, p.sizes, p.axis, SIMD=draw(st.sampled_from(divisors(p.common))))
