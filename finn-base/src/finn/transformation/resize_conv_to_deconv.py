"""Nearest-neighbour upsampling and a convolution become one transposed convolution.

Upsampling by r repeats each element r times, so each tap of the kernel meets it at r places: the kernel of the
ConvTranspose, of stride r, is the flipped kernel, convolved with r ones along each axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.datatype import DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_node
from finn.custom_op.general.quant import max_int, min_int
from finn.transformation.base import Transformation
from finn.transformation.constants import (
    Fixed,
    annotated,
    moved_parameter,
    rewrite_with_constants,
    shape_of,
    value_of,
)
from finn.transformation.convolution import Convolution, of_conv
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, maybe, op, require, rule
from finn.transformation.standard_ops import opset_of

x, b = Var("x"), Var("b")
w = Fixed("w")
second, third, fourth = map(Const, ("second", "third", "fourth"))


@rule(
    op.Conv(op.Resize(x, maybe(second), maybe(third), maybe(fourth)).named("resize"), w, maybe(b)).named("conv"),
    shapes="x:n,c,h,k w:m,c,3,2 b:m | x:n,c,h,k w:m,c,1,3",
    values={"third": np.array([1, 1, 2, 3], np.float32)},
    attributes=[
        {"conv": {"pads": [1, 0, 2, 1]}, "resize": {"coordinate_transformation_mode": "asymmetric"}},
        {"conv": {}, "resize": {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}},
    ],
)
def resize_conv_to_conv_transpose(
    x: TensorRef,
    w: TensorRef,
    b: TensorRef | None,
    second: np.ndarray | None,
    third: np.ndarray | None,
    fourth: np.ndarray | None,
    resize: Call,
    conv: Call,
) -> Call:
    """conv(resize(x), w, b) == conv_transpose(x, w', b), if resize repeats elements"""
    return _conv_transpose(x, w, b, resize, conv, maintain_bit_width=False)


@rule(
    op.Conv(op.Upsample(x, second).named("resize"), w, maybe(b)).named("conv"),
    shapes="x:n,c,h,k w:m,c,3,3",
    values={"second": np.array([1, 1, 3, 1], np.float32)},
    attributes={"conv": {"auto_pad": "SAME_UPPER"}},
)
def upsample_conv_to_conv_transpose(
    x: TensorRef, w: TensorRef, b: TensorRef | None, second: np.ndarray, resize: Call, conv: Call
) -> Call:
    """conv(upsample(x), w, b) == conv_transpose(x, w', b), if upsample repeats elements"""
    return _conv_transpose(x, w, b, resize, conv, maintain_bit_width=False)


@dataclass(frozen=True)
class _KeepingBits:
    """The same with weights of as many bits as before, which is no equation."""

    def __call__(
        self, x: TensorRef, w: TensorRef, b: TensorRef | None, resize: Call, conv: Call, **inputs: Any
    ) -> Call:
        return _conv_transpose(x, w, b, resize, conv, maintain_bit_width=True)


RESIZE: tuple[Rule, ...] = (resize_conv_to_conv_transpose, upsample_conv_to_conv_transpose)


def _conv_transpose(
    x: TensorRef, w: TensorRef, b: TensorRef | None, resize: Call, conv: Call, maintain_bit_width: bool
) -> Call:
    require(len(shape_of(w)) == 4, "the kernel has not two axes")
    if resize.result is None:
        raise NoMatch("the result of Resize is not known")
    c = of_conv(conv, resize.result, w)
    require(c.is_dense, "the convolution has strides or dilations")
    pads = [k - 1 - p for k, p in zip(c.kernel * 2, c.pads, strict=True)]
    require(min(pads) >= 0, "the padding is wider than the kernel reaches")
    factors = _repetitions(x, resize)
    weights = _weights(w, c, factors, maintain_bit_width)
    kernel = [k + r - 1 for k, r in zip(c.kernel, factors, strict=True)]
    return op.ConvTranspose(
        x, weights, b, kernel_shape=kernel, strides=list(factors), pads=pads, dilations=[1, 1], group=c.group
    )


def _repetitions(x: TensorRef, resize: Call) -> tuple[int, int]:
    """How often `resize` repeats rows and columns, by running it on numbered elements. NoMatch if that is not all."""
    shape = x.sizes
    ramp = np.broadcast_to(np.arange(shape[2] * shape[3], dtype=np.float32).reshape(shape[2:]), shape)
    context = {name: value_of(TensorRef.of(x.model, name)) for name in resize.inputs[1:] if name}
    context[x.name] = np.ascontiguousarray(ramp)
    node = helper.make_node(resize.op, list(resize.inputs), ["resized"], **resize.attributes)
    try:
        execute_node(node, context, x.model.graph, opset_of(x.model))
    except FinnError as error:
        raise NoMatch(f"Resize cannot be run: {error}") from error
    rows, columns = (size // given for size, given in zip(context["resized"].shape[2:], shape[2:], strict=True))
    repeated = ramp.repeat(rows, axis=2).repeat(columns, axis=3)
    require(np.array_equal(context["resized"], repeated), "Resize does not repeat each element equally often")
    return rows, columns


def _weights(w: TensorRef, c: Convolution, factors: tuple[int, int], maintain: bool) -> Any:
    """The kernel of the ConvTranspose (IFM, OFM/group, *kernel), with the quantizer of w if it is an IntQuant."""
    node = w.model.find_producer(w.name)
    if node is not None and node.op_type in ("Quant", "IntQuant") and not w.model.has_initializer(w.name):
        try:
            return _quantized(w, node, c, factors, maintain)
        except NoMatch:
            pass
    value = value_of(w)
    summed = _summed(value.astype(np.float64), c, factors)
    datatype = DataType["FLOAT32"]
    if w.datatype.is_integer():
        low, high = (int(bound) for bound in (w.datatype.min(), w.datatype.max()))
        datatype = DataType.spanning(min(int(summed.min()), low), max(int(summed.max()), high))
    return annotated(summed.astype(value.dtype), datatype)


def _summed(value: np.ndarray, c: Convolution, factors: tuple[int, int]) -> np.ndarray:
    """The weights (OFM, IFM/group, KH, KW) as (IFM, OFM/group, KH+r-1, KW+s-1): flipped, added r * s times, shifted."""
    flipped = _channels_swapped(value, c.group)[..., ::-1, ::-1]
    (kh, kw), (rows, columns) = c.kernel, factors
    summed = np.zeros((*flipped.shape[:2], kh + rows - 1, kw + columns - 1))
    for i, j in np.ndindex(rows, columns):
        summed[..., i : i + kh, j : j + kw] += flipped
    return summed


def _channels_swapped(value: np.ndarray, group: int) -> np.ndarray:
    """(OFM, IFM/group, ...) as (IFM, OFM/group, ...)."""
    ofm, ifm, *rest = value.shape
    grouped = value.reshape(group, ofm // group, ifm, *rest)
    return np.asarray(grouped.swapaxes(1, 2).reshape(group * ifm, ofm // group, *rest))


def _quantized(w: TensorRef, node: NodeProto, c: Convolution, factors: tuple[int, int], maintain: bool) -> Any:
    """The summed integers of the quantizer `node`, times its scale, behind the quantizer that they need."""
    scale, zero_point, bits = (value_of(TensorRef.of(w.model, name)) for name in node.input[1:4])
    require(not np.any(zero_point) and bits.size == 1, "the quantizer has a zero point or several bit widths")
    require(scale.size == 1 or _is_per_channel(scale), "the scale varies within a kernel")
    signs = {a.name: a.i for a in node.attribute if a.name in ("signed", "narrow")}
    width = int(bits.reshape(-1)[0])
    require(not (maintain and signs["signed"] and width == 1), "one bit with a sign has no 0")
    integers = _summed(np.round(value_of(w) / scale), c, factors)
    needed = _bits_for(integers, width, **signs)
    shape = shape_of(w)
    index = _channels_swapped(np.arange(int(np.prod(shape))).reshape(shape), c.group)
    scale = scale.reshape(()) if scale.size == 1 else moved_parameter(scale, shape, index[..., :1, :1])
    values = (integers * scale).astype(scale.dtype)
    datatype = DataType[f"{'' if signs['signed'] else 'U'}INT{width if maintain else needed}"]
    if maintain:
        scale, needed = scale * scale.dtype.type(2 ** (needed - width)), width
    inputs = (values, scale, np.zeros((), zero_point.dtype), np.asarray(needed, bits.dtype))
    quantizer = Call(node.op_type, inputs, {**signs, "rounding_mode": "ROUND"}, node.domain)
    return annotated(quantizer, datatype if w.datatype.is_integer() and np.all(scale == 1) else DataType["FLOAT32"])


def _is_per_channel(scale: np.ndarray) -> bool:
    """Whether it varies along the output channels at most."""
    return scale.ndim == 4 and scale.size == scale.shape[0]


def _bits_for(integers: np.ndarray, bits: int, signed: int = 1, narrow: int = 0) -> int:
    """The least bit width, from `bits` on, that holds the integers; a single bit with a sign has no 0."""
    bits = max(bits, 2) if signed else bits
    while integers.min() < min_int(bool(signed), bool(narrow), bits) or integers.max() > max_int(
        bool(signed), bool(narrow), bits
    ):
        bits += 1
    return bits


class ResizeConvolutionToDeconvolution(Transformation):
    """Resize or Upsample that repeats elements, and a Conv without strides and dilations, as one ConvTranspose.

    Quantized weights (IntQuant without zero point) keep their quantizer, with as many bits as the sums need.
    maintain_bit_width: with as many bits as before, and a scale that is larger by a power of two: the weights are
    rounded, and the result is not the same any more.
    """

    def __init__(self, maintain_bit_width: bool = False) -> None:
        super().__init__()
        self.maintain_bit_width = maintain_bit_width

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        rules = [replace(r, body=_KeepingBits()) for r in RESIZE] if self.maintain_bit_width else RESIZE
        return model, rewrite_with_constants(model, rules)
