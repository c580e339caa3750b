"""One small network for each feature of a topology, and what becomes of it: the table of docs/topologies.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from .generator_net import Builder, Choices, Tensor  # noqa: TID252 - test helpers are no installed package

Array = Any


class Outcome(Enum):
    INTEGER = "integer"
    TABLE = "look-up table"
    HOST = "host"


@dataclass(frozen=True)
class Feature:
    """build : adds the feature to a network. host : the operator that stays there, and words of the reason.

    finn : what the streamlining of FINN does with it; "-" if that was not looked at.
    """

    group: str
    name: str
    build: Callable[[Builder], object]
    finn: str
    outcome: Outcome = Outcome.INTEGER
    host: tuple[str, str] = ("", "")

    def network(self) -> Builder:
        b = Builder(Choices(seed=1), opset=21 if "Gelu" in self.name else 17)
        self.build(b)
        if self.outcome is Outcome.HOST:
            b.must.clear()  # what stays on the host may take its readers along
        return b


# --- parts ---


def q(b: Builder, t: Tensor, scale: Array = 0.5, bits: int = 4, zero_point: float = 0.0, **attributes: Any) -> Tensor:
    merged = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
    return b.add("Quant", t, scale, zero_point, float(bits), kind="q", **merged)


def features(b: Builder, size: int = 6, **attributes: Any) -> Tensor:
    return q(b, b.new_input((3, size)), **attributes)


def image(b: Builder, channels: int = 4, size: int = 5, **attributes: Any) -> Tensor:
    return q(b, b.new_input((2, channels, size, size)), **attributes)


def signal(b: Builder, channels: int = 3, length: int = 8) -> Tensor:
    return q(b, b.new_input((2, channels, length)))


def constant(b: Builder, *shape: int, bits: int = 4, scale: Array = 0.25, **attributes: Any) -> Tensor:
    """Quantized weights."""
    limit = 2 ** (bits - 1)
    merged = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND", **attributes}
    values = b.c.rng.integers(1 - limit, limit, shape) * np.asarray(scale)
    return b.add("Quant", b.constant(values), scale, 0.0, float(bits), **merged)


def dense(b: Builder, t: Tensor, outputs: int = 4, **attributes: Any) -> Tensor:
    return b.add("MatMul", t, constant(b, t.shape[-1], outputs, **attributes), kind="sum")


def conv(b: Builder, t: Tensor, outputs: int = 4, kernel: int = 3, bias: bool = False, **attributes: Any) -> Tensor:
    sizes = [kernel] * (t.rank - 2)
    w = constant(b, outputs, t.channels // attributes.get("group", 1), *sizes)
    more = [b.dyadic(outputs)] if bias else []
    return b.add("Conv", t, w, *more, kernel_shape=sizes, kind="sum", **attributes)


def end(b: Builder, t: Tensor, **attributes: Any) -> Tensor:
    return q(b, t, **{"scale": 1.0, "bits": 4, **attributes})


# --- networks ---


def linear(make: Callable[[Builder], Tensor]) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, make(b))


def after_dense(*ops: tuple[str, dict[str, Any]], bits: int = 4) -> Callable[[Builder], Tensor]:
    """Elementwise operators without constants between a layer and a quantizer."""

    def build(b: Builder) -> Tensor:
        y = dense(b, features(b, bits=bits))
        for op_type, attributes in ops:
            y = b.add(op_type, y, **attributes)
        return end(b, y, scale=0.25)

    return build


def elementwise(op_type: str, **attributes: Any) -> Callable[[Builder], Tensor]:
    return after_dense((op_type, attributes))


def with_constants(op_type: str, *constants: Array) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, b.add(op_type, dense(b, features(b)), *constants), scale=0.25)


def batch_norm(b: Builder) -> Tensor:
    n = 4
    y = conv(b, image(b))
    y = b.add("BatchNormalization", y, [1.5, -2, 0, 1], b.dyadic(n), b.dyadic(n), [1, 4, 1, 16], epsilon=0.0)
    return end(b, y)


def gemm(b: Builder) -> Tensor:
    t = features(b)
    return end(b, b.add("Gemm", t, constant(b, 4, 6), b.dyadic(4), transB=1, alpha=0.5, beta=2.0, kind="sum"))


def groups_of_scales(b: Builder) -> Tensor:
    return end(b, conv(b, image(b, scale=SCALES), 4, group=2))


def clipped_sum(b: Builder) -> Tensor:
    """No quantizer between two layers, only functions that keep the grid."""
    y = b.add("Add", dense(b, features(b)), np.float32([0.5, -1, 0.25, 0]))
    return end(b, dense(b, b.add("Relu", y)), scale=4.0)


def other_axis(b: Builder) -> Tensor:
    y = b.add("Softmax", conv(b, signal(b)), axis=-1)
    return b.add("ArgMax", y, axis=1)


def zero_point_and_padding(b: Builder) -> Tensor:
    return end(b, conv(b, image(b, signed=0, zero_point=3.0), pads=[1, 0, 1, 2]))


def conv_transpose(b: Builder) -> Tensor:
    t, w = image(b), constant(b, 4, 2, 3, 3)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    return end(b, b.add("ConvTranspose", t, w, b.dyadic(2), kind="sum", **attributes))


def attention(b: Builder) -> Tensor:
    """q @ k^T, softmax, @ v"""
    x = q(b, b.new_input((2, 5, 6)))
    queries, keys, values = (q(b, dense(b, x, 6), 1.0) for _ in range(3))
    scores = b.add("MatMul", queries, b.add("Transpose", keys, perm=[0, 2, 1]), kind="sum")
    weights = b.add("Softmax", b.add("Mul", scores, 0.125), axis=-1)
    return end(b, b.add("MatMul", q(b, weights, 1 / 16, 4, signed=0), values, kind="sum"))


def scores(b: Builder) -> Tensor:
    x = q(b, b.new_input((2, 5, 6)))
    keys = q(b, dense(b, x, 6), 1.0)
    return end(b, b.add("MatMul", x, b.add("Transpose", keys, perm=[0, 2, 1]), kind="sum"))


def embedding(b: Builder) -> Tensor:
    index = b.new_input((2, 4), indices=7)
    y = b.add("Gather", constant(b, 7, 6), index, kind="q")
    return end(b, dense(b, y))


def residual(first: float, second: float, op_type: str = "Add") -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        t = image(b, scale=first)
        y = q(b, conv(b, t, pads=[1, 1, 1, 1]), second)
        return end(b, b.add("Relu", b.add(op_type, y, t, kind="sum")))

    return build


def incommensurable(b: Builder) -> Tensor:
    t = features(b, scale=0.5)
    return end(b, b.add("Add", t, q(b, dense(b, t, 6), np.float32(1.4140625 + 1 / 1024)), kind="sum"))


def unquantized_sum(b: Builder) -> Tensor:
    t = features(b, scale=0.5)
    y = b.add("Add", t, q(b, dense(b, t, 6), np.float32(1.4140625 + 1 / 1024)), kind="sum")
    return end(b, dense(b, y))


def gate(b: Builder) -> Tensor:
    """Squeeze and excite: one factor per channel."""
    t = q(b, conv(b, image(b)))
    g = q(b, b.add("GlobalAveragePool", t, kind="sum"), 0.25)
    g = q(b, b.add("HardSigmoid", conv(b, g, kernel=1), alpha=0.125), 1 / 8, 3, signed=0)
    return end(b, b.add("Mul", t, g, kind="sum"))


def concat(axis: int, first: float, second: float) -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        t = image(b)
        left, right = q(b, conv(b, t), first), q(b, conv(b, t), second)
        return end(b, conv(b, b.add("Concat", left, right, axis=axis), kernel=1))

    return build


def unet(b: Builder) -> Tensor:
    """Down, up by Resize, joined with what was before."""
    t = image(b, size=6)
    skip = q(b, conv(b, t, pads=[1, 1, 1, 1]))
    down = q(b, conv(b, b.add("MaxPool", skip, kernel_shape=[2, 2], strides=[2, 2]), kernel=1))
    up = b.add(
        "Resize", down, None, np.array([1, 1, 2, 2], np.float32),
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    return end(b, conv(b, b.add("Concat", up, skip, axis=1), pads=[1, 1, 1, 1]))


def split(b: Builder) -> Tensor:
    left, right = b.add_all("Split", q(b, conv(b, image(b))), b.ints([1, 3]), outputs=2, axis=1)
    return end(b, b.add("Concat", conv(b, left, 2, 1), conv(b, right, 2, 1), axis=1))


def slice_(b: Builder) -> Tensor:
    t = image(b)
    return end(b, conv(b, b.add("Slice", t, *map(b.ints, ([0, 1], [2**31 - 1, 5], [1, 2], [2, 1]))), kernel=2))


def two_ends(b: Builder) -> Tensor:
    x, y = features(b), q(b, b.new_input((3, 6)))
    t = q(b, b.add("Add", dense(b, x), dense(b, y), kind="sum"))
    end(b, dense(b, t))
    return end(b, dense(b, t))


def shared_weights(b: Builder) -> Tensor:
    w = constant(b, 6, 6)
    first = q(b, b.add("MatMul", features(b), w, kind="sum"))
    return end(b, b.add("MatMul", first, w, kind="sum"))


def max_pool(b: Builder) -> Tensor:
    """Between activation function and quantizer, as trained networks often have it."""
    y = b.add("Relu", conv(b, image(b)))
    return end(b, b.add("MaxPool", y, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1]))


def average_pool(b: Builder) -> Tensor:
    y = b.add("AveragePool", image(b), kernel_shape=[2, 2], strides=[2, 2], kind="sum")
    return end(b, conv(b, y, kernel=1))


def border_pool(b: Builder) -> Tensor:
    y = b.add("AveragePool", image(b), kernel_shape=[2, 2], pads=[1, 1, 0, 0], kind="sum")
    return end(b, conv(b, y, kernel=1))


def pool_and_trunc(version: int) -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        b.trunc_version = version
        y = b.add("AveragePool", image(b, size=4), kernel_shape=[2, 2], strides=[2, 2], kind="sum")
        if version == 1:
            y = b.add("Mul", y, 4.0)
            y = b.add("Trunc", y, 0.5, 0.0, 6.0, 4.0, kind="q", rounding_mode="FLOOR")
        else:
            y = b.add("Trunc", y, 0.125, 0.0, 6.0, 0.5, 4.0, kind="q", rounding_mode="FLOOR", signed=1, narrow=0)
        return end(b, conv(b, y, kernel=1))

    return build


def mean(op_type: str, **attributes: Any) -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        y = b.add(op_type, q(b, conv(b, image(b, size=4))), kind="sum", **attributes)
        return end(b, dense(b, b.add("Flatten", y)))

    return build


def reduce_sum(b: Builder) -> Tensor:
    y = b.add("ReduceSum", conv(b, image(b), bias=True), b.ints([2, 3]), keepdims=0, kind="sum")
    return end(b, dense(b, y), scale=16.0)


def flatten(b: Builder) -> Tensor:
    return end(b, dense(b, b.add("Flatten", q(b, conv(b, image(b))))))


def shapes(*ops: tuple[str, Any, dict[str, Any]]) -> Callable[[Builder], Tensor]:
    """Shape operators between two layers; what they read beside the data are integers."""

    def build(b: Builder) -> Tensor:
        t = q(b, conv(b, image(b, size=4)))
        for op_type, constants, attributes in ops:
            t = b.add(op_type, t, *map(b.ints, constants), **attributes)
        return end(b, dense(b, t))

    return build


MOVED = (
    ("Reshape", [[0, 4, -1]], {}),
    ("Transpose", [], {"perm": [0, 2, 1]}),
    ("Unsqueeze", [[1]], {}),
    ("Squeeze", [[1]], {}),
)


def on_image(op_type: str, *constants: Array, **attributes: Any) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, conv(b, b.add(op_type, image(b), *constants, **attributes), kernel=1))


def pad(mode: str) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, conv(b, b.add("Pad", image(b), b.ints([0, 0, 1, 0, 0, 0, 2, 1]), mode=mode)))


def resize(b: Builder) -> Tensor:
    y = b.add(
        "Resize", image(b, size=3), None, np.array([1, 1, 2, 3], np.float32),
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    return end(b, conv(b, y))


def silu(b: Builder) -> Tensor:
    y = dense(b, features(b))
    return end(b, b.add("Mul", y, b.add("Sigmoid", y)), scale=0.25)


def erf_gelu(b: Builder) -> Tensor:
    y = dense(b, features(b))
    erf = b.add("Add", b.add("Erf", b.add("Div", y, np.sqrt(2.0))), 1.0)
    return end(b, b.add("Mul", b.add("Mul", y, erf), 0.5), scale=0.25)


def table(b: Builder) -> Tensor:
    return end(b, dense(b, q(b, b.add("Abs", features(b)), 0.5, 3)))


def wide_table(b: Builder) -> Tensor:
    y = dense(b, features(b, size=40, bits=8, scale=1 / 16), 3, bits=8, scale=1 / 64)
    return end(b, b.add("HardSwish", y), scale=0.25)


def select(op_type: str) -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        y = dense(b, features(b))
        if op_type == "Softmax":
            y = b.add("Softmax", y, axis=-1)
        if op_type == "TopK":
            scaled = b.add("Add", b.add("Mul", y, 0.25), 1.5)
            values, index = b.add_all("TopK", scaled, b.ints([3]), axis=-1, outputs=2)
            b.tensors.remove(values)  # no output
            return index
        return b.add("ArgMax", y, axis=1, keepdims=1)

    return build


def preprocessing(b: Builder) -> Tensor:
    x = b.new_input((2, 3, 5, 5), "UINT8")
    x = b.add("Div", b.add("Sub", b.add("Mul", x, 1 / 256), b.dyadic(3, 1, 1)), np.array([[[0.25]], [[0.5]], [[0.25]]]))
    return end(b, conv(b, x), scale=32.0)


def float_input(b: Builder) -> Tensor:
    x = b.add("Clip", b.add("Sub", b.new_input((3, 6)), b.dyadic(6)), np.float32(-2), np.float32(2))
    return end(b, dense(b, q(b, x)))


def quantizer(op_type: str, *parameters: Array, **attributes: Any) -> Callable[[Builder], Tensor]:
    def build(b: Builder) -> Tensor:
        y = b.add(op_type, dense(b, features(b), 4), *parameters, kind="q", **attributes)
        return end(b, dense(b, y))

    return build


def quants(**attributes: Any) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, conv(b, q(b, conv(b, image(b)), **attributes), kernel=1))


def all_modes(b: Builder) -> Tensor:
    y = conv(b, image(b))
    for mode in ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"):
        y = conv(b, q(b, y, 1.0, rounding_mode=mode), kernel=1)
    return end(b, y)


def weight_scales(b: Builder) -> Tensor:
    w = constant(b, 4, 4, 3, 3, scale=np.array([0.25, 0.5, 1.0, 0.375]).reshape(4, 1, 1, 1))
    return end(b, b.add("Conv", image(b), w, kind="sum", kernel_shape=[3, 3]))


def quantized_bias(b: Builder) -> Tensor:
    bias = b.add("Quant", b.constant(b.dyadic(4)), 0.125, 0.0, 8.0, signed=1, narrow=0, rounding_mode="ROUND")
    return end(b, b.add("Conv", image(b), constant(b, 4, 4, 3, 3), bias, kind="sum", kernel_shape=[3, 3]))


def float_weights(b: Builder) -> Tensor:
    return end(b, dense(b, q(b, b.add("MatMul", features(b), b.dyadic(6, 4), kind="sum"))))


def island(op_type: str, **attributes: Any) -> Callable[[Builder], Tensor]:
    return lambda b: end(b, dense(b, q(b, b.add(op_type, dense(b, features(b)), **attributes), 1 / 8)))


SCALES = np.array([1.0, 0.5, 0.25, 2.0]).reshape(4, 1, 1)
FLOAT = "no; 1.0.0-alpha: a float layer (Versal)"
OWN_STEP = "by steps of the user"
SLOPES = np.array([0.25, 0.5, 1.0, 0.125])
CLIP = (np.float32(-1), np.float32(1))
THRESHOLDS = [[-1.0, 0.5, 2.0]]

QUANTIZERS = "Quantizers"
LAYERS = "Layers"
JOINS = "Forks and joins"
SHAPES = "Pools and shapes"
ACTIVATIONS = "Activation functions"
ENDS = "Ends"

INTEGER, TABLE, HOST = Outcome.INTEGER, Outcome.TABLE, Outcome.HOST

FEATURES: tuple[Feature, ...] = (
    Feature(QUANTIZERS, "`Quant`, signed, 4 bits", quants(), "yes"),
    Feature(QUANTIZERS, "`Quant`, unsigned", quants(signed=0), "behind ReLU; elsewhere since 1.0.0-alpha"),
    Feature(QUANTIZERS, "`Quant`, narrow", quants(narrow=1, bits=3), "not behind ReLU"),
    Feature(QUANTIZERS, "`Quant`, 1 bit", quants(bits=1), "yes"),
    Feature(QUANTIZERS, "`Quant`, 8 bits", quants(bits=8, scale=0.125), "yes"),
    Feature(QUANTIZERS, "every rounding mode, ties included", all_modes, "ignored; ties go up"),
    Feature(QUANTIZERS, "zero point of activations", quants(signed=0, zero_point=5.0), "no"),
    Feature(QUANTIZERS, "one scale per channel", quants(scale=SCALES), "yes"),
    Feature(QUANTIZERS, "one scale per output channel of weights", weight_scales, "yes"),
    Feature(QUANTIZERS, "quantized bias", quantized_bias, "no"),
    Feature(QUANTIZERS, "`BipolarQuant`, any scale", quantizer("BipolarQuant", 0.5), "scale 1"),
    Feature(QUANTIZERS, "`Sign`", quantizer("Sign"), "yes, but 0 becomes +1"),
    Feature(
        QUANTIZERS,
        "`MultiThreshold`, any scale and bias",
        quantizer("MultiThreshold", THRESHOLDS, out_dtype="INT4", out_scale=0.5, out_bias=-1.0),
        "yes",
    ),
    Feature(QUANTIZERS, "`Trunc`, version 1, behind an average pool", pool_and_trunc(1), "FLOOR, square windows"),
    Feature(QUANTIZERS, "`Trunc`, version 2, behind an average pool", pool_and_trunc(2), "FLOOR, square windows"),
    Feature(
        QUANTIZERS,
        "more than 8 bits",
        quants(bits=9, scale=1 / 16),
        "stays a `Quant` node, with a warning",
        HOST,
        ("Quant", "output bits"),
    ),
    Feature(
        QUANTIZERS,
        "weights without a quantizer",
        float_weights,
        "stays float",
        HOST,
        ("MatMul", "its weights are not quantized"),
    ),
    Feature(LAYERS, "`MatMul`", linear(lambda b: dense(b, features(b))), "yes"),
    Feature(LAYERS, "`Gemm` with transB, alpha, beta, bias", gemm, "yes"),
    Feature(LAYERS, "`Conv`, stride, bias", linear(lambda b: conv(b, image(b), bias=True, strides=[2, 1])), "yes"),
    Feature(LAYERS, "`Conv`, 1-D", linear(lambda b: conv(b, signal(b), pads=[1, 1])), "as 2-D"),
    Feature(LAYERS, "`Conv`, depthwise", linear(lambda b: conv(b, image(b), group=4)), "yes"),
    Feature(LAYERS, "`Conv`, grouped", linear(lambda b: conv(b, image(b), 6, group=2)), "depthwise only"),
    Feature(LAYERS, "`Conv`, grouped, one scale per channel of its input", groups_of_scales, "no"),
    Feature(LAYERS, "`Relu` and bias between two layers, without a quantizer", clipped_sum, "no"),
    Feature(LAYERS, "`Conv`, dilated", linear(lambda b: conv(b, image(b), dilations=[2, 1])), "partly (issue 860)"),
    Feature(LAYERS, "`Conv`, unequal padding", linear(lambda b: conv(b, image(b), pads=[2, 0, 1, 1])), "yes"),
    Feature(LAYERS, "`Conv` with auto_pad", linear(lambda b: conv(b, image(b), auto_pad="SAME_UPPER")), "-"),
    Feature(LAYERS, "`Conv` that pads integers with a zero point", zero_point_and_padding, "no"),
    Feature(LAYERS, "`ConvTranspose`", conv_transpose, "square windows"),
    Feature(LAYERS, "`MatMul` of two activations", scores, "one scale per tensor"),
    Feature(LAYERS, "embedding (`Gather` from a table)", embedding, "yes"),
    Feature(
        LAYERS,
        "attention: softmax between two products",
        attention,
        "a float layer",
        HOST,
        ("Softmax", "no integer form"),
    ),
    Feature(JOINS, "residual, equal scales", residual(0.5, 0.5), OWN_STEP),
    Feature(JOINS, "residual, one scale a multiple of the other", residual(0.5, 0.125), "no"),
    Feature(JOINS, "residual, scales in a ratio of small numbers", residual(0.5, 0.75), "no"),
    Feature(JOINS, "difference of two branches", residual(0.5, 0.5, "Sub"), OWN_STEP),
    Feature(JOINS, "residual, scales without a common measure, and a quantizer", incommensurable, "stays float"),
    Feature(
        JOINS,
        "residual, scales without a common measure, and a layer",
        unquantized_sum,
        "stays float",
        HOST,
        ("Add", "scale"),
    ),
    Feature(JOINS, "product of two branches (squeeze and excite)", gate, OWN_STEP),
    Feature(JOINS, "`Concat` of channels, equal scales", concat(1, 0.5, 0.5), OWN_STEP),
    Feature(JOINS, "`Concat` of channels, different scales", concat(1, 0.5, 0.125), "no"),
    Feature(JOINS, "`Concat` of rows", concat(2, 0.5, 0.5), "no"),
    Feature(JOINS, "U-Net: `Resize` and `Concat` with a skip", unet, "no (issue 1094)"),
    Feature(JOINS, "`Split` of channels", split, OWN_STEP),
    Feature(JOINS, "`Slice`", slice_, "one scale per tensor"),
    Feature(JOINS, "several inputs and outputs", two_ends, "-"),
    Feature(JOINS, "one weight tensor in two layers", shared_weights, "-"),
    Feature(SHAPES, "`MaxPool` with padding, before the quantizer", max_pool, "2-D; with padding if unsigned"),
    Feature(SHAPES, "`AveragePool`", average_pool, "only with `Trunc`"),
    Feature(
        SHAPES,
        "`AveragePool` that counts fewer values at the border",
        border_pool,
        "no",
        HOST,
        ("AveragePool", "windows at the border"),
    ),
    Feature(SHAPES, "`GlobalAveragePool`", mean("GlobalAveragePool"), "yes"),
    Feature(SHAPES, "`ReduceMean` over the image", mean("ReduceMean", axes=[2, 3], keepdims=0), "no"),
    Feature(SHAPES, "`ReduceSum` over the image", reduce_sum, "no"),
    Feature(SHAPES, "`Flatten` between image and features", flatten, "yes"),
    Feature(SHAPES, "`Reshape`, `Transpose`, `Squeeze`, `Unsqueeze`", shapes(*MOVED), "one scale per tensor"),
    Feature(SHAPES, "`Pad` with 0", pad("constant"), "as attribute of `Conv` only"),
    Feature(SHAPES, "`Pad`, edge and reflect", pad("reflect"), "no"),
    Feature(SHAPES, "`Resize` to the nearest, whole factors", resize, OWN_STEP),
    Feature(SHAPES, "`DepthToSpace`", on_image("DepthToSpace", blocksize=2), "no"),
    Feature(ACTIVATIONS, "BatchNorm, with negative and zero factors", batch_norm, "not with zeros"),
    Feature(ACTIVATIONS, "`Relu`", elementwise("Relu"), "yes"),
    Feature(ACTIVATIONS, "`LeakyRelu`", elementwise("LeakyRelu", alpha=0.25), "no"),
    Feature(ACTIVATIONS, "`PRelu`", with_constants("PRelu", SLOPES), "no"),
    Feature(ACTIVATIONS, "`Clip`, HardTanh, ReLU6", with_constants("Clip", *CLIP), "yes"),
    Feature(ACTIVATIONS, "`Sigmoid`", elementwise("Sigmoid"), FLOAT),
    Feature(ACTIVATIONS, "`Tanh`", elementwise("Tanh"), FLOAT),
    Feature(ACTIVATIONS, "`HardSigmoid`", elementwise("HardSigmoid", alpha=0.125), "no"),
    Feature(ACTIVATIONS, "`Selu`, `Elu`, `Celu`", after_dense(("Selu", {}), ("Elu", {}), ("Celu", {})), "SELU"),
    Feature(ACTIVATIONS, "`Softplus`, `Softsign`", after_dense(("Softplus", {}), ("Softsign", {})), "no"),
    Feature(ACTIVATIONS, "`Sqrt`, `Exp`", after_dense(("Relu", {}), ("Sqrt", {}), ("Exp", {})), "no"),
    Feature(ACTIVATIONS, "`HardSwish`", elementwise("HardSwish"), "no", TABLE),
    Feature(ACTIVATIONS, "`Gelu`", elementwise("Gelu"), FLOAT, TABLE),
    Feature(ACTIVATIONS, "GELU as exporters write it, with `Erf`", erf_gelu, FLOAT, TABLE),
    Feature(ACTIVATIONS, "SiLU: x * sigmoid(x)", silu, FLOAT, TABLE),
    Feature(ACTIVATIONS, "`Abs` and others that rise and fall, few values", table, "no", TABLE),
    Feature(ACTIVATIONS, "the same over many values: two `MultiThreshold`", wide_table, "no"),
    Feature(ENDS, "pixels, normalised per channel", preprocessing, OWN_STEP),
    Feature(ENDS, "float inputs", float_input, "yes"),
    Feature(ENDS, "`TopK` behind scale and bias", select("TopK"), "yes"),
    Feature(ENDS, "`ArgMax`", select("ArgMax"), "as `TopK`"),
    Feature(ENDS, "Softmax and `ArgMax`", select("Softmax"), "no"),
    Feature(ENDS, "Softmax and `ArgMax` along another axis", other_axis, "no", HOST, ("Softmax", "no integer form")),
    Feature(
        ENDS,
        "an operator without integer form in the middle",
        island("Softmax", axis=-1),
        "stays float",
        HOST,
        ("Softmax", "no integer form"),
    ),
)
