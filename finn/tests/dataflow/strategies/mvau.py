"""Random layers of MVAU."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.core.datatype import DataType
from finn.dataflow.layer import divisors
from finn.dataflow.layers.mvau import MVAU
from strategies.common import draws, integers, seeds, steps, types, vectors


@draws(MVAU)
def mvau(draw: DrawFn) -> MVAU:
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    x, w, rng = draw(types), draw(types), np.random.default_rng(draw(seeds))
    shape, weights = vectors(draw, mw), integers(w, (mw, mh), rng)
    plain = MVAU(shape, x, weights, w, DataType["INT64"])
    thresholds, bias, out = None, 0, plain.accumulator
    if draw(st.booleans()):
        acc, rows = plain.accumulator, draw(st.sampled_from([1, mh]))
        thresholds, bias, out = steps(draw, int(acc.min()), int(acc.max()), rows, rng)
    unfolded = draw(st.booleans())
    simd = mw if unfolded else draw(st.sampled_from(divisors(mw)))
    pe = mh if unfolded else draw(st.sampled_from(divisors(mh)))
    return MVAU(shape, x, weights, w, out, thresholds, bias, SIMD=simd, PE=pe)
