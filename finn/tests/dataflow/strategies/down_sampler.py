"""Random layers of DownSampler."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.down_sampler import DownSampler
from strategies.common import draws, images, types, wide_types


@draws(DownSampler)
def down_sampler(draw: DrawFn) -> DownSampler:
    shape, x = draw(images), draw(types | wide_types)
    strides = tuple(draw(st.sampled_from([1, 2, 3, 9])) for _ in shape[1:-1])
    return DownSampler(shape, x, strides, SIMD=draw(st.sampled_from(divisors(shape[-1]))))
