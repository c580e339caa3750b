"""Random layers of Thresholding."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.thresholding import Thresholding
from strategies.common import draws, seeds, steps, types, vectors, wide_types


@draws(Thresholding)
def thresholding(draw: DrawFn) -> Thresholding:
    channels, x, rng = draw(st.integers(1, 16)), draw(types | wide_types), np.random.default_rng(draw(seeds))
    rows = draw(st.sampled_from([1, channels]))
    values, bias, out = steps(draw, int(x.min()), int(x.max()), rows, rng)
    pe, writable = draw(st.sampled_from(divisors(channels))), draw(st.sampled_from([0, 0, 1]))
    return Thresholding(vectors(draw, channels), x, values, out, bias, PE=pe, runtime_writeable_weights=writable)
