"""Random layers of FMPadding_Pixel."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.fm_padding_pixel import FMPadding_Pixel
from strategies.common import BIPOLAR, draws, images, types, wide_types


@draws(FMPadding_Pixel)
def fm_padding_pixel(draw: DrawFn) -> FMPadding_Pixel:
    shape, x = draw(images), draw((types | wide_types).filter(lambda x: x != BIPOLAR))
    strides = tuple(draw(st.sampled_from([1, 2, 3, 5])) for _ in shape[1:-1])
    simd = draw(st.sampled_from(divisors(shape[-1])))
    return FMPadding_Pixel(shape, x, strides, draw(st.integers(0, 1)), SIMD=simd)
