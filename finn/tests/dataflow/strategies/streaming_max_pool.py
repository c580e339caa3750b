"""Random layers of StreamingMaxPool."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from strategies.common import draws, images, types, wide_types


@draws(StreamingMaxPool)
def streaming_max_pool(draw: DrawFn) -> StreamingMaxPool:
    """Kernels from one pixel to the whole image, and beyond it with ceil_mode; remainders of one pixel and more."""
    shape, ceil = draw(images), draw(st.integers(0, 1))
    kernel = tuple(draw(st.sampled_from([k for k in (1, 2, 3, 4, n, n + 1) if ceil or k <= n])) for n in shape[1:-1])
    return StreamingMaxPool(
        shape, draw(types | wide_types), kernel, ceil, PE=draw(st.sampled_from(divisors(shape[-1])))
    )
