"""Random layers of Pool."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.pool import FUNCTIONS, Pool
from strategies.common import draws, types, wide_types


@draws(Pool)
def pool(draw: DrawFn) -> Pool:
    """Windows of one position and of many, of images and of vectors; shifts beyond the sum, too."""
    channels, window = draw(st.sampled_from([1, 2, 3, 6])), draw(st.sampled_from([1, 2, 3, 4, 9, 16]))
    pixels = draw(st.sampled_from([(1,), (5,), (2, 3), (1, 1)]))
    function = draw(st.sampled_from(sorted(FUNCTIONS)))
    shift = draw(st.sampled_from([0, 1, 2, 4, 30])) if function == "QuantAvgPool" else 0
    shape = (1, *pixels, window * channels)
    pe = draw(st.sampled_from(divisors(channels)))
    return Pool(shape, draw(types | wide_types), window, function, shift, PE=pe)
