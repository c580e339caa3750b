"""What moves pixels only: padding, cropping, sampling, and windows that stand in the graph by themselves."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from onnx import helper

from finn.core.numpy_ops import run_node
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.crop import Crop
from finn.dataflow.layers.down_sampler import DownSampler
from finn.dataflow.layers.fm_padding_pixel import FMPadding_Pixel
from finn.dataflow.layers.upsample_nearest_neighbour import UpsampleNearestNeighbour
from finn.dataflow.lowering.expressions import Constants, Flow, Matrix, x
from finn.dataflow.lowering.matrices import holding, surrounded
from finn.transformation.rewrite import Call, Const, TensorRef, maybe, op, require, rule

first, last = Constants("first"), Constants("last")
pads, value = Constants("pads"), Constants("value")
axes, steps = Constants("axes"), Constants("steps")
begins, ends, scales = Const("begins"), Const("ends"), Const("scales")


@rule(
    op.Pad(x, pads, maybe(value)).named("f"),
    shapes="x:1,4,3,k | x:1,5,k",
    values=[{"pads": [0, 1, 0, 0, 0, 2, 1, 0], "value": -3.0}, {"pads": [0, 2, 0, 0, 1, 0]}],
    datatypes={"x": "INT4"},
)
def pad_to_fmpadding(x: TensorRef, pads: Matrix, value: Matrix | None, f: Call) -> Call:
    """pad(x, pads, value) == FMPadding(x)"""
    around = spatial_pads(pads, x.rank)
    require(f.attributes.get("mode", "constant") == "constant", "the padding is not constant")
    number = 0 if value is None else int(value.values.reshape(-1)[0])
    return surrounded(Flow.of(x), around, number).call


def spatial_pads(pads: Matrix, rank: int) -> tuple[int, ...]:
    """(begins, ends) of the spatial axes. Declines others."""
    begins, behind = np.split(pads.values.reshape(-1), 2)
    require(len(begins) == rank, f"{len(begins)} axes of {rank} are padded")
    require(not any((begins[0], begins[-1], behind[0], behind[-1])), "the batch or the channels are padded")
    return (*map(int, begins[1:-1]), *map(int, behind[1:-1]))


@rule(
    op.Reshape(op.Pad(op.Reshape(x, first), pads, maybe(value)), last),
    shapes="x:1,4,3,2 | x:1,4,2",
    values=[
        {"first": [1, 4, 1, 3, 1, 2], "pads": [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0], "value": 0.0, "last": [1, 8, 9, 2]},
        {"first": [1, 4, 1, 2], "pads": [0, 0, 0, 0, 0, 0, 3, 0], "last": [1, 16, 2]},
    ],
    datatypes={"x": "INT4"},
)
def spread_to_fmpadding_pixel(x: TensorRef, first: Matrix, pads: Matrix, value: Matrix | None, last: Matrix) -> Call:
    """reshape(pad(reshape(x))) == FMPadding_Pixel(x): zeros behind each pixel, as transposed convolutions want them"""
    n, *sizes, channels = x.sizes
    apart = [n, *(size for each in sizes for size in (each, 1)), channels]
    require(first.values.reshape(-1).tolist() == apart, "the image is not taken apart into pixels")
    begins, behind = np.split(pads.values.reshape(-1), 2)
    require(not begins.any() and len(behind) == len(apart), "there is padding in front of pixels")
    spread = behind[2:-1:2]
    require(not np.delete(behind, range(2, len(behind) - 1, 2)).any(), "other axes are padded")
    require(value is None or not value.values.any(), "the pixels between are not zero")
    strides = tuple(int(s) + 1 for s in spread)
    result = [n, *(size * stride for size, stride in zip(sizes, strides, strict=True)), channels]
    require(last.values.reshape(-1).tolist() == result, "the image is not put together again")
    stream = holding(Flow.of(x), 0)
    return stream.through(lambda shape, dtype: FMPadding_Pixel(shape, dtype, strides, tail=1)).call


@rule(
    op.Slice(x, begins, ends, axes, maybe(steps)),
    shapes="x:1,6,5,k | x:1,6,5,k",
    values=[
        {"begins": [1, 0], "ends": [5, 4], "axes": [1, 2]},
        {"begins": [-5], "ends": [2**63 - 1], "axes": [1], "steps": [2]},
    ],
    datatypes={"x": "INT4"},
)
def slice_to_crop(x: TensorRef, begins: Any, ends: Any, axes: Matrix, steps: Matrix | None) -> Call:
    """x[a:b:s] == DownSampler(Crop(x)); the ends may be the largest integers there are"""
    strides, crops = [1] * (x.rank - 2), [0] * (2 * (x.rank - 2))
    stride = [1] * axes.values.size if steps is None else steps.values.reshape(-1).tolist()
    sides = (axes.values.reshape(-1), begins.reshape(-1), ends.reshape(-1), stride)
    for axis, begin, end, step in zip(*sides, strict=True):
        k = int(axis) % x.rank - 1
        size = x.sizes[k + 1]
        a, b, s = slice(int(begin), int(end), step).indices(size)
        require(s > 0 and b > a, "it is empty, or goes backwards")
        if (a, b, s) != (0, size, 1):
            require(0 <= k < x.rank - 2, "the batch or the channels are cut")
            strides[k], crops[k], crops[k + x.rank - 2] = s, a, size - b
    stream = Flow.of(x)
    if any(crops):
        stream = stream.through(lambda shape, dtype: Crop(shape, dtype, tuple(crops)))
    if prod(strides) > 1:
        stream = stream.through(lambda shape, dtype: DownSampler(shape, dtype, tuple(strides)))
    return stream.call


@rule(
    op.Resize(x, maybe(Const("first")), maybe(scales), maybe(last)).named("f"),
    shapes="x:1,3,2,k | x:1,3,k | x:1,4,3,2",
    attributes={
        "f": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    },
    values=[
        {"scales": np.array([1, 2, 3, 1], np.float32)},
        {"scales": np.array([1, 1.5, 1], np.float32)},
        {"last": [1, 7, 4, 2]},
    ],
    datatypes={"x": "INT4"},
)
def resize_to_upsample(x: TensorRef, first: Any, scales: Any, last: Any, f: Call) -> Call:
    """resize(x) to nearest neighbours == UpsampleNearestNeighbour(x), output i coming from floor(i * size / result)"""
    require(f.attributes.get("mode", "nearest") == "nearest", "it interpolates")
    require(f.result is not None and f.result.shape, "the shape of the result is not known")
    sizes = f.result.sizes if f.result is not None else ()
    require(sizes[0] == 1 and sizes[-1] == x.sizes[-1], "the batch or the channels are resized")
    require(_floors(x, f, sizes), "it rounds to the nearest in another way")
    return Flow.of(x).through(lambda shape, dtype: UpsampleNearestNeighbour(shape, dtype, sizes[1:-1])).call


def _floors(x: TensorRef, f: Call, sizes: tuple[int, ...]) -> bool:
    """Whether each output pixel is the one at floor(i * size / result): asked of the operator itself."""
    for axis in range(1, x.rank - 1):
        size, result = x.sizes[axis], sizes[axis]
        node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **f.attributes)
        line = np.arange(size, dtype=np.float32).reshape(1, 1, size)
        (found,) = run_node(node, [line, None, None, np.array([1, 1, result])], 13)
        if not np.array_equal(found.reshape(-1), np.arange(result) * size // result):
            return False
    return True


@rule(
    op.Im2Col(x).named("f"),
    shapes="x:1,5,4,3",
    attributes={"f": {"kernel_size": [3, 2], "stride": [1, 2], "pad_amount": [1, 0, 1, 1], "input_shape": "(1,5,4,3)"}},
    datatypes={"x": "INT4"},
)
def im2col_to_windows(x: TensorRef, f: Call) -> Call:
    """im2col(x) == ConvolutionInputGenerator(FMPadding(x))"""
    at = f.attributes
    require(not at.get("depthwise", 0), "its windows are for depthwise convolutions")
    around = tuple(int(n) for n in at.get("pad_amount") or (0, 0, 0, 0))
    stream = surrounded(Flow.of(x), around, int(at.get("pad_value", 0)))
    kernel, strides = (tuple(int(n) for n in at[name]) for name in ("kernel_size", "stride"))
    dilations = tuple(int(n) for n in at.get("dilations") or (1, 1))
    return stream.through(lambda shape, dtype: ConvolutionInputGenerator(shape, dtype, kernel, strides, dilations)).call


FUSED = (spread_to_fmpadding_pixel,)
SINGLE = (pad_to_fmpadding, slice_to_crop, resize_to_upsample, im2col_to_windows)
