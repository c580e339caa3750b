"""Random layers of FMPadding."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.fm_padding import FMPadding
from strategies.common import draws, images, integers, seeds, types, wide_types


@draws(FMPadding)
def fm_padding(draw: DrawFn) -> FMPadding:
    shape, x = draw(images), draw(types | wide_types)
    sides = 2 * (len(shape) - 2)
    pads = tuple(draw(st.lists(st.integers(0, 3), min_size=sides, max_size=sides)))
    value = int(integers(x, (1,), np.random.default_rng(draw(seeds)))[0])
    return FMPadding(shape, x, pads, value, SIMD=draw(st.sampled_from(divisors(shape[-1]))))
