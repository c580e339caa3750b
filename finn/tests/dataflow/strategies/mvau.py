"""Random layers of MVAU."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.mvau import MVAU
from strategies.common import activations, draws, integers, memory_modes, seeds, types, vectors


@draws(MVAU)
def mvau(draw: DrawFn) -> MVAU:
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    x, w, rng = draw(types), draw(types), np.random.default_rng(draw(seeds))
    weights, modes = integers(w, (mw, mh), rng), draw(memory_modes)
    fields = activations(draw, MVAU, (vectors(draw, mw), x, weights, w), modes, rng)
    unfolded = draw(st.booleans())
    simd = mw if unfolded else draw(st.sampled_from(divisors(mw)))
    pe = mh if unfolded else draw(st.sampled_from(divisors(mh)))
    return MVAU(*fields, SIMD=simd, PE=pe, **modes)
