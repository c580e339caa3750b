"""Random layers of ConvolutionInputGenerator."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from strategies.common import draws, types


@draws(ConvolutionInputGenerator)
def convolution_input_generator(draw: DrawFn) -> ConvolutionInputGenerator:
    """Kernels from one pixel to the whole image, strides beyond the kernel, dilations, one axis or two."""
    axes = [_axis(draw) for _ in range(draw(st.sampled_from([1, 2, 2, 2])))]
    size, kernel, strides, dilations = (tuple(axis[n] for axis in axes) for n in range(4))
    channels, depthwise = draw(st.sampled_from([1, 2, 3, 4, 6])), draw(st.integers(0, 1))
    simd, parallel = draw(st.sampled_from(divisors(channels))), draw(st.integers(0, 1))
    if parallel and not depthwise:
        simd = channels
    shape = (1, *size, channels)
    return ConvolutionInputGenerator(
        shape, draw(types), kernel, strides, dilations, depthwise, SIMD=simd, parallel_window=parallel
    )


def _axis(draw: DrawFn) -> tuple[int, int, int, int]:
    """Size, kernel, stride, dilation."""
    kernel, dilation = draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 1, 2, 3]))
    reach = (kernel - 1) * dilation + 1
    size = reach + draw(st.sampled_from([0, 0, 1, 2, 3, 5, 8]))
    return size, kernel, draw(st.integers(1, 5)), dilation
