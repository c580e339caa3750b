"""Pooling: of windows, of tiles, and of whole images."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import helper

from finn.core.domains import CHANNELS_LAST
from finn.custom_op.general.quantavgpool2d import QuantAvgPool2d
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from finn.dataflow.layers.pool import Pool
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from finn.dataflow.lowering.elementwise import thresholding
from finn.dataflow.lowering.expressions import Activation, Flow, Matrix, T, c, w, x
from finn.dataflow.lowering.matrices import conv, numbers, padded, sliding, surrounded
from finn.transformation.rewrite import Call, TensorRef, op, require, rule

TILES = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 3}


@rule(
    Call("MaxPool", (x,), domain=CHANNELS_LAST).named("f"),
    shapes="x:1,6,4,c | x:1,5,7,c | x:1,7,c",
    attributes=[
        {"f": {"kernel_shape": [3, 2], "strides": [3, 2], "pads": [0, 0, 0, 0]}},
        {"f": {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 1]}},
        {"f": {"kernel_shape": [3], "strides": [1], "dilations": [2], "pads": [0, 0]}},
    ],
    datatypes={"x": "INT4"},
)
def maxpool_to_pool(x: TensorRef, f: Call) -> Call:
    """maxpool(x) == StreamingMaxPool(x), or Pool(ConvolutionInputGenerator(FMPadding(x)))"""
    stream = Flow.of(x)
    axes = len(stream.spatial)
    require(axes in (1, 2), f"{axes} spatial axes; windows have 1 or 2")
    require(f.result is not None and f.result.shape, "the shape of the result is not known")
    kernel, strides = numbers(f, "kernel_shape", axes), numbers(f, "strides", axes)
    dilations, pads = numbers(f, "dilations", axes), numbers(f, "pads", 2 * axes, 0)
    counts = f.result.sizes[1:-1] if f.result is not None else ()
    if kernel == strides and not any(pads) and (prod(dilations) == 1 or prod(kernel) == 1):
        whole = counts == tuple(n // k for n, k in zip(stream.spatial, kernel, strict=True))
        return stream.through(lambda shape, dtype: StreamingMaxPool(shape, dtype, kernel, int(not whole))).call
    # Where the elements of each window lie along each axis; with ceil_mode the last ones may be beyond the padding.
    places = [
        np.arange(count)[:, None] * stride + np.arange(size) * dilation - begin
        for count, stride, size, dilation, begin in zip(counts, strides, kernel, dilations, pads[:axes], strict=True)
    ]
    inside = [((at >= 0) & (at < n)).any(axis=1).all() for at, n in zip(places, stream.spatial, strict=True)]
    require(all(inside), "a window lies in the padding alone")
    around = (*pads[:axes], *(max(0, int(at.max()) + 1 - n) for at, n in zip(places, stream.spatial, strict=True)))
    windows = sliding(surrounded(stream, around, int(x.datatype.min())), kernel, f, depthwise=True)
    return windows.through(lambda shape, dtype: Pool(shape, dtype, prod(kernel), "MaxPool")).call


@rule(
    op.MultiThreshold(conv(x, w).named("f"), T).named("mt"),
    shapes="x:1,6,4,3 T:1,3",
    attributes={
        "f": TILES,
        "mt": {"data_layout": "NHWC"},
    },
    values={"w": np.ones((3, 2, 2, 1))},
    datatypes={"x": "UINT3"},
)
def sums_thresholds_to_pool(x: TensorRef, w: Matrix, T: Matrix, f: Call, mt: Call) -> Call:
    """multithreshold(conv(x, ones), T), depthwise == Thresholding(Pool(…(x), sum), T)"""
    return thresholding(sums(x, w, f), Activation.of(T, mt, x.rank)).call


@rule(
    conv(x, w).named("f"),
    shapes="x:1,6,4,3",
    attributes={"f": TILES},
    values={"w": np.ones((3, 2, 2, 1))},
    datatypes={"x": "UINT3"},
)
def sums_to_pool(x: TensorRef, w: Matrix, f: Call) -> Call:
    """conv(x, ones), depthwise == Pool(ConvolutionInputGenerator(FMPadding(x)), sum): an average pool of integers"""
    return sums(x, w, f).call


def sums(x: TensorRef, w: Matrix, f: Call) -> Flow:
    """The sums of windows. Declines weights other than 1."""
    kernel, group = w.values.shape[1:-1], int(f.attributes.get("group", 1))
    require(len(kernel) in (1, 2), f"{len(kernel)} spatial axes; windows have 1 or 2")
    require(group == x.sizes[-1] == w.values.shape[0], "it is not depthwise")
    require(np.all(w.values == 1), "weights other than 1 need multiplications")
    windows = sliding(padded(Flow.of(x), f), kernel, f, depthwise=True)
    return windows.through(lambda shape, dtype: Pool(shape, dtype, prod(kernel), "AccPool"))


@rule(
    op.QuantAvgPool2d(x).named("f"),
    shapes="x:1,6,4,3 | x:1,5,5,2",
    attributes={"f": {"kernel": 2, "stride": 2, "ibits": 3, "obits": 3, "signed": 0, "data_layout": "NHWC"}},
    datatypes={"x": "UINT3"},
)
def quant_avg_pool_to_pool(x: TensorRef, f: Call) -> Call:
    """quantavgpool2d(x) == Pool(ConvolutionInputGenerator(x), sum, shifted)"""
    require(f.attributes.get("data_layout", "NCHW") == "NHWC", "channels are not last")
    kernel, stride = (int(f.attributes[key]) for key in ("kernel", "stride"))
    node = helper.make_node("QuantAvgPool2d", ["x"], ["y"], domain="finn.custom_op.general", **f.attributes)
    shift, taps = QuantAvgPool2d(node).get_shifts(), kernel * kernel
    windows = Flow.of(x).through(
        lambda s, d: ConvolutionInputGenerator(s, d, (kernel, kernel), (stride, stride), (1, 1), depthwise=1)
    )
    return windows.through(lambda s, d: Pool(s, d, taps, "QuantAvgPool", shift)).call


@rule(
    op.any_of("ReduceSum", "ReduceMax", "ReduceMin")(x, c).named("f"),
    shapes="x:1,3,2,k",
    values={"c": [1, 2]},
    datatypes={"x": "INT4"},
)
def reduction_to_global_pool(x: TensorRef, c: Matrix, f: Call) -> Call:
    """reduce(x, all spatial axes) == GlobalAccPool(x)"""
    return global_pool(x, c.values.reshape(-1).tolist(), f)


@rule(
    op.any_of("ReduceMax", "ReduceMin")(x).named("f"),
    shapes="x:1,3,2,k",
    attributes={"f": {"axes": [1, 2]}},
    datatypes={"x": "INT4"},
)
def reduction_before_opset_18_to_global_pool(x: TensorRef, f: Call) -> Call:
    """reduce(x, axes=all spatial ones) == GlobalAccPool(x)"""
    return global_pool(x, f.attributes.get("axes", []), f)


def global_pool(x: TensorRef, over: Sequence[int], f: Call) -> Call:
    axes = sorted(int(a) % x.rank for a in over)
    require(axes == list(range(1, x.rank - 1)), f"axes {axes} are not all spatial ones")
    require(f.attributes.get("keepdims", 1), "keepdims is 0: the axes would have to be removed")
    function = f.op.removeprefix("Reduce").lower()
    return Flow.of(x).through(lambda shape, dtype: GlobalAccPool(shape, dtype, function)).call


FUSED = (sums_thresholds_to_pool,)
SINGLE = (
    maxpool_to_pool,
    sums_to_pool,
    quant_avg_pool_to_pool,
    reduction_to_global_pool,
    reduction_before_opset_18_to_global_pool,
)
