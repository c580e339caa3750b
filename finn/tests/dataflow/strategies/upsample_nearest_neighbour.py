"""Random layers of UpsampleNearestNeighbour."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.upsample_nearest_neighbour import UpsampleNearestNeighbour
from strategies.common import draws, images, types


@draws(UpsampleNearestNeighbour)
def upsample_nearest_neighbour(draw: DrawFn) -> UpsampleNearestNeighbour:
    """Whole ratios, one, a little more, and any."""
    shape, x = draw(images), draw(types)
    sizes = tuple(draw(st.sampled_from([n, 2 * n, 3 * n, n + 1]) | st.integers(n, 3 * n)) for n in shape[1:-1])
    return UpsampleNearestNeighbour(shape, x, sizes, SIMD=draw(st.sampled_from(divisors(shape[-1]))))
