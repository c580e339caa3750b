"""Matrix products and convolutions become MVAUs and VVAUs behind padding and sliding windows."""

from __future__ import annotations

from math import prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import CHANNELS_LAST
from finn.dataflow.layer import Layer
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.down_sampler import DownSampler
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.lowering.expressions import Activation, Flow, Matrix, T, w, x
from finn.transformation.rewrite import Call, TensorRef, op, require, rule

NONE = Activation()


def conv(*inputs: object) -> Call:
    """The pattern of a convolution of channels-last data: weights (O, *kernel, I / group)."""
    return Call("Conv", inputs, domain=CHANNELS_LAST)


@rule(
    op.MultiThreshold(op.MatMul(x, w), T).named("mt"),
    shapes="x:1,k w:k,m T:m,1 | x:1,k w:k,m T:1,3",
    datatypes={"x": "INT4"},
)
def matmul_thresholds_to_mvau(x: TensorRef, w: Matrix, T: Matrix, mt: Call) -> Call:
    """multithreshold(x @ w, T) == MVAU(x, w, T)"""
    require(w.values.ndim == 2, f"the weights have {w.values.ndim} axes, want 2")
    return product(MVAU, Flow.of(x), w, Activation.of(T, mt, x.rank)).call


@rule(op.MatMul(x, w), shapes="x:1,k w:k,m", datatypes={"x": "INT4"})
def matmul_to_mvau(x: TensorRef, w: Matrix) -> Call:
    """x @ w == MVAU(x, w)"""
    require(w.values.ndim == 2, f"the weights have {w.values.ndim} axes, want 2")
    return product(MVAU, Flow.of(x), w, NONE).call


EXAMPLES = [
    {"f": {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 2], "dilations": [1, 1], "group": 1}},
    {"f": {"kernel_shape": [2, 3], "strides": [1, 1], "pads": [0, 1, 0, 1], "dilations": [2, 1], "group": 3}},
    {"f": {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "dilations": [2], "group": 1}},
    {"f": {"kernel_shape": [1, 1], "strides": [2, 2], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1}},
]


@rule(
    op.MultiThreshold(conv(x, w).named("f"), T).named("mt"),
    shapes="x:1,5,4,c w:o,2,3,c T:o,2 | x:1,5,4,3 w:3,2,3,1 T:1,2 | x:1,7,c w:o,3,c T:o,1 | x:1,5,4,c w:o,1,1,c T:o,1",
    attributes=[{**at, "mt": {"data_layout": "NHWC"}} for at in EXAMPLES],
    datatypes={"x": "INT4"},
)
def conv_thresholds_to_mvau(x: TensorRef, w: Matrix, T: Matrix, f: Call, mt: Call) -> Call:
    """multithreshold(conv(x, w), T) == MVAU(ConvolutionInputGenerator(FMPadding(x)), w, T), depthwise VVAU(…, w, T)"""
    return convolution(x, w, f, Activation.of(T, mt, x.rank)).call


@rule(
    conv(x, w).named("f"),
    shapes="x:1,5,4,c w:o,2,3,c | x:1,5,4,3 w:3,2,3,1 | x:1,7,c w:o,3,c | x:1,5,4,c w:o,1,1,c",
    attributes=EXAMPLES,
    datatypes={"x": "INT4"},
)
def conv_to_mvau(x: TensorRef, w: Matrix, f: Call) -> Call:
    """conv(x, w) == MVAU(ConvolutionInputGenerator(FMPadding(x)), w), depthwise VVAU(…, w)"""
    return convolution(x, w, f, NONE).call


def convolution(x: TensorRef, w: Matrix, f: Call, activation: Activation) -> Flow:
    """The layers of a convolution. Declines groups other than one, or one for each channel."""
    shape, axes = w.values.shape, len(x.sizes) - 2
    group = int(f.attributes.get("group", 1))
    depthwise = group > 1 and group == x.sizes[-1] == shape[0]
    require(axes in (1, 2), f"{axes} spatial axes; windows have 1 or 2")
    require(group == 1 or depthwise, f"{group} groups of {x.sizes[-1]} channels should have been split")
    kernel = shape[1:-1]
    windows = sliding(padded(Flow.of(x), f), kernel, f, depthwise)
    weights = Matrix(w.values.reshape(shape[0], -1).T, w.dtype)
    return product(VVAU if depthwise else MVAU, windows, weights, activation)


def numbers(node: Call, name: str, axes: int, default: int = 1) -> tuple[int, ...]:
    """An attribute with a number per axis."""
    return tuple(int(n) for n in node.attributes.get(name) or (default,) * axes)


def padded(stream: Flow, f: Call, value: int = 0) -> Flow:
    """With the padding that the attributes of `f` say, if any."""
    pads = numbers(f, "pads", 2 * len(stream.spatial), 0)
    require(
        f.attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID"), "automatic padding should have been resolved"
    )
    return surrounded(stream, pads, value)


def surrounded(stream: Flow, pads: tuple[int, ...], value: int) -> Flow:
    """Padded by (begins, ends) with `value`, in a type that holds it."""
    if not any(pads):
        return stream
    require(min(pads) >= 0, f"negative padding {pads}")
    return holding(stream, value).through(lambda shape, dtype: FMPadding(shape, dtype, pads, value))


def holding(stream: Flow, value: int) -> Flow:
    """The same values in a type that holds `value`, too: counts of thresholds at all values of the type."""
    if stream.dtype.allowed(float(value)):
        return stream
    low, high = int(stream.dtype.min()), int(stream.dtype.max())
    steps, wide = np.arange(low + 1, high + 1)[None], DataType.spanning(min(low, value), max(high, value))
    return stream.through(lambda shape, dtype: Thresholding(shape, dtype, steps, wide, bias=low))


def sliding(stream: Flow, kernel: tuple[int, ...], f: Call, depthwise: bool) -> Flow:
    """The windows: (1, *positions, kernel * channels)."""
    axes = len(kernel)
    strides, dilations = numbers(f, "strides", axes), numbers(f, "dilations", axes)
    if prod(kernel) == 1 and not depthwise:
        if prod(strides) == 1:
            return stream
        return stream.through(lambda shape, dtype: DownSampler(shape, dtype, strides))
    return stream.through(
        lambda shape, dtype: ConvolutionInputGenerator(shape, dtype, kernel, strides, dilations, int(depthwise))
    )


def product(kind: type[MVAU | VVAU], stream: Flow, weights: Matrix, activation: Activation) -> Flow:
    """MVAU with weights (MW, MH), or VVAU with (positions, channels); without activation in the accumulator's type."""

    def make(shape: tuple[int, ...], dtype: BaseDataType, out: BaseDataType) -> MVAU | VVAU:
        return kind(shape, dtype, weights.values, weights.dtype, out, activation.thresholds, activation.bias)

    def exact(shape: tuple[int, ...], dtype: BaseDataType) -> Layer:
        return make(shape, dtype, activation.dtype or make(shape, dtype, DataType["INT64"]).accumulator)

    return stream.through(exact)


FUSED = (matmul_thresholds_to_mvau, conv_thresholds_to_mvau)
SINGLE = (matmul_to_mvau, conv_to_mvau)
