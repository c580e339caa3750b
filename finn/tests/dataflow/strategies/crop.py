"""Random layers of Crop."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.crop import Crop
from strategies.common import draws, images, types, wide_types


@draws(Crop)
def crop(draw: DrawFn) -> Crop:
    shape, x = draw(images), draw(types | wide_types)
    before = tuple(draw(st.integers(0, n - 1)) for n in shape[1:-1])
    after = tuple(draw(st.integers(0, n - 1 - b)) for n, b in zip(shape[1:-1], before, strict=True))
    return Crop(shape, x, before + after, SIMD=draw(st.sampled_from(divisors(shape[-1]))))
