"""Random layers of VVAU."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.vvau import VVAU
from strategies.common import activations, draws, integers, memory_modes, seeds, types


@draws(VVAU)
def vvau(draw: DrawFn) -> VVAU:
    """Windows of one position, of one channel, and of both."""
    window, channels = draw(st.sampled_from([1, 2, 3, 4, 9])), draw(st.integers(1, 12))
    pixels = draw(st.sampled_from([(), (1, 1), (2, 3)]))
    x, w, rng = draw(types), draw(types), np.random.default_rng(draw(seeds))
    weights, modes = integers(w, (window, channels), rng), draw(memory_modes)
    fields = activations(draw, VVAU, ((1, *pixels, window * channels), x, weights, w), modes, rng)
    unfolded = draw(st.booleans())
    simd = window if unfolded else draw(st.sampled_from(divisors(window)))
    pe = channels if unfolded else draw(st.sampled_from(divisors(channels)))
    return VVAU(*fields, SIMD=simd, PE=pe, **modes)
