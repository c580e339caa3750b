"""Every operator of streamlining as exporters write it: one small network per form, and what stays on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from .exported import Array, Exported  # noqa: TID252 - test helpers are no installed package

Build = Callable[[Exported], str]


@dataclass(frozen=True)
class Form:
    """build : returns the tensor under test, behind which a quantizer stands, or that is the output if `end`.

    host : the operators that keep their floats, told with reason and remedy; nothing else may. exact : of numbers with
    few binary digits every tensor is exact in float32. moves : the network itself asks for a Transpose of integers.
    """

    name: str
    build: Build
    host: tuple[str, ...] = ()
    opset: int = 13
    exact: bool = True
    moves: bool = False
    end: bool = False


def column(*values: float) -> Array:
    """One number per channel of an image."""
    return np.array(values).reshape(-1, 1, 1)


SCALES, ODD, ROOT = column(0.5, 0.25, 1.0, 0.75), 0.7123, float(np.float32(np.sqrt(2)))
POOL, HALF = {"kernel_shape": [2, 2]}, {"kernel_shape": [2, 2], "strides": [2, 2]}
AROUND = [1, 1, 1, 1]


def inputs(n: Exported, *shape: int, scale: Array = 0.5, **settings: Any) -> str:
    return n.quant(n.input(*shape), scale, **settings)


# ------------------------------------------------------------------------------------------------- MatMul, Gemm


def matmul(*shape: int, **settings: Any) -> Build:
    return lambda n: n.op("MatMul", inputs(n, 2, 3, 6), n.weights(*shape, **settings))


def heads(n: Exported) -> str:
    x = n.tokens()

    def head() -> str:
        y = n.op("Reshape", n.quant(n.dense(x, 4, 8), 1.0), n.ints(0, 5, 2, 4))
        return n.op("Transpose", y, perm=[0, 2, 1, 3])

    queries, keys, values = head(), head(), head()
    scores = n.op("MatMul", n.op("Div", queries, 2.0), n.op("Transpose", keys, perm=[0, 1, 3, 2]))
    y = n.op("MatMul", n.quant(scores, 1.0, 8), values)
    y = n.op("Reshape", n.op("Transpose", y, perm=[0, 2, 1, 3]), n.ints(0, 5, 8))
    return n.dense(n.quant(y, 32.0), 8)


def zero_points(n: Exported) -> str:
    x = inputs(n, 2, 3, 6, zero_point=3.0, signed=0)
    return n.op("MatMul", x, inputs(n, 2, 6, 5, scale=0.25, zero_point=7.0, signed=0))


def products_of_tails(n: Exported) -> str:
    y = n.op("Mul", n.op("Add", inputs(n, 2, 6, 5, scale=0.25), 1.0), 3.0)
    return n.op("MatMul", n.op("Relu", inputs(n, 2, 3, 6)), y)


def transposed_weights(n: Exported) -> str:
    w = n.op("Transpose", n.weights(4, 6, scale=np.array([[0.5], [0.25], [1.0], [2.0]])), perm=[1, 0])
    return n.op("MatMul", inputs(n, 3, 6), w)


def weights_with_zero_point(n: Exported) -> str:
    return n.op("MatMul", inputs(n, 3, 6), n.quant(n.constant(n.dyadic(6, 4)), 0.25, 4, 3.0))


def bipolar(n: Exported) -> str:
    x, w = n.op("BipolarQuant", n.input(3, 6), 1.0), n.op("BipolarQuant", n.constant(n.dyadic(6, 4)), 0.5)
    return n.op("MatMul", x, w)


def packed_weights(n: Exported) -> str:
    """Two layers whose weights are one tensor, as attention has them."""
    first, second = n.ops(2, "Split", n.weights(6, 8), n.ints(4, 4), axis=1)
    y = n.quant(n.op("MatMul", inputs(n, 5, 6), first))
    return n.op("MatMul", y, n.op("Transpose", second, perm=[1, 0]))


def scaled_weights(n: Exported) -> str:
    return n.op("MatMul", inputs(n, 3, 6), n.op("Mul", n.weights(6, 4), n.constant([0.5, 1.0, 2.0, -0.25])))


def gemm(c: Array | None = None, *, quantized: bool = False, **attributes: Any) -> Build:
    def build(n: Exported) -> str:
        w = n.weights(4, 6) if attributes.get("transB") else n.weights(6, 4)
        more = [] if c is None else [n.quant(n.constant(c), 0.125, 8) if quantized else n.constant(c)]
        return n.op("Gemm", inputs(n, 3, 6, zero_point=2.0, signed=0), w, *more, **attributes)

    return build


BIAS = np.array([0.125, -1.5, 2.0, 0.75])
PRODUCTS = (
    Form("MatMul, constant weights", matmul(6, 4)),
    Form("MatMul, weights per output", matmul(6, 4, scale=np.array([0.5, 0.25, 1.0, 2.0]))),
    Form("MatMul, weights per input", matmul(6, 4, scale=np.array([[0.5], [0.25], [1.0], [0.5], [0.5], [2.0]]))),
    Form("MatMul, batched weights", matmul(2, 6, 4)),
    Form("MatMul, batch of one", matmul(1, 6, 4)),
    Form("MatMul, constant on the left", lambda n: n.op("MatMul", n.weights(4, 6), inputs(n, 2, 6, 5))),
    Form("MatMul, vector on the left", lambda n: n.dense(inputs(n, 6))),
    Form("MatMul, two inputs", lambda n: n.op("MatMul", inputs(n, 2, 3, 6), inputs(n, 2, 6, 5, scale=0.25))),
    Form("MatMul, two inputs broadcast", lambda n: n.op("MatMul", inputs(n, 2, 1, 3, 6), inputs(n, 5, 6, 4))),
    Form("MatMul, two inputs with zero points", zero_points),
    Form("MatMul, two inputs behind operators", products_of_tails),
    Form("MatMul, a tensor by itself", lambda n: (lambda x: n.op("MatMul", x, x))(inputs(n, 2, 6, 6))),
    Form("MatMul, heads of attention", heads, moves=True),
    Form("MatMul, transposed weights", transposed_weights),
    Form("MatMul, weights with zero point", weights_with_zero_point),
    Form("MatMul, scaled weights", scaled_weights),
    Form("MatMul, bipolar", bipolar),
    Form("MatMul, zero points that vary", lambda n: n.dense(inputs(n, 3, 6, zero_point=np.arange(6.0), signed=0))),
    Form("Gemm", gemm()),
    Form("Gemm, transB, alpha, beta", gemm(BIAS, transB=1, alpha=0.5, beta=2.0)),
    Form("Gemm, negative alpha", gemm(BIAS, alpha=-1.0)),
    Form("Gemm, beta 0", gemm(BIAS, beta=0.0)),
    Form("Gemm, one bias", gemm(np.array(0.5))),
    Form("Gemm, bias of shape (1, N)", gemm(BIAS.reshape(1, 4))),
    Form("Gemm, quantized bias", gemm(BIAS, quantized=True)),
    Form("Gemm, bias that is computed", lambda n: n.op("Gemm", inputs(n, 3, 6), n.weights(6, 4), inputs(n, 3, 4))),
    Form("Gemm, bias per row", gemm(BIAS[:3].reshape(3, 1)), moves=True),
    Form("Gemm, transA", lambda n: n.op("Gemm", inputs(n, 6, 3), n.weights(6, 4), n.constant(BIAS), transA=1)),
    Form("Gemm, constant on the left", lambda n: n.op("Gemm", n.weights(3, 6), inputs(n, 6, 4))),
    Form(
        "Gemm, two inputs",
        lambda n: n.op("Gemm", inputs(n, 3, 6), inputs(n, 4, 6), n.constant(BIAS), transB=1, alpha=0.5),
    ),
    Form("MatMul, packed weights", packed_weights, moves=True),
)

# -------------------------------------------------------------------------------------------------- convolutions


def conv(shape: Sequence[int], channels: int = 4, kernel: int = 3, *, outputs: int = 4, **settings: Any) -> Build:
    """Conv, activation function and next layer. settings : of the quantizer in front and of the node."""
    quantizer = {k: settings.pop(k) for k in ("signed", "zero_point") if k in settings}
    scale, axes = settings.pop("given", 0.5), len(shape)

    def build(n: Exported) -> str:
        x = n.quant(n.input(2, channels, *shape), scale, **quantizer)
        y = n.conv(x, channels, outputs, (kernel,) * axes, **settings)
        return n.point(n.quant(n.op("Relu", y), 1.0, signed=0), outputs, 3, axes)

    return build


def conv_transpose(shape: Sequence[int], *, outputs: int = 4, biased: bool = False, **settings: Any) -> Build:
    quantizer = {k: settings.pop(k) for k in ("signed", "zero_point") if k in settings}
    scale, group, axes = settings.pop("scale", 0.25), settings.get("group", 1), len(shape)

    def build(n: Exported) -> str:
        x = n.quant(n.input(2, 4, *shape), **quantizer)
        w = n.weights(4, outputs // group, *[3] * axes, scale=scale)
        biases = [n.constant(n.dyadic(outputs))] if biased else []
        y = n.op("ConvTranspose", x, w, *biases, kernel_shape=[3] * axes, **settings)
        return n.point(n.quant(y, 1.0), outputs, 3, axes)

    return build


def float_convolution(n: Exported) -> str:
    y = n.op("Conv", n.image(), n.constant(n.dyadic(4, 4, 3, 3) / 3), kernel_shape=[3, 3])
    return n.point(n.quant(n.op("Relu", y), signed=0))


UNSIGNED = {"signed": 0, "zero_point": 5.0}
VARYING = {"signed": 0, "zero_point": column(1, 2, 3, 4)}
ASYMMETRIC = {"dilations": [2, 1], "strides": [2, 3], "pads": [0, 1, 2, 1]}
CONVOLUTIONS = (
    Form("Conv, 1-D", conv((8,))),
    Form("Conv, 1-D, padded, zero point", conv((8,), pads=[2, 1], **UNSIGNED)),
    Form("Conv, 3-D, padded, zero point", conv((5, 4, 6), group=2, pads=[1, 0, 1, 1, 2, 0], **UNSIGNED)),
    Form("Conv, grouped", conv((6, 6), outputs=8, group=2)),
    Form("Conv, depthwise", conv((6, 6), group=4, pads=AROUND)),
    Form("Conv, depthwise, multiplier, zero point", conv((6, 6), outputs=8, group=4, pads=AROUND, **UNSIGNED)),
    Form("Conv, dilated, strided, asymmetric", conv((9, 8), **ASYMMETRIC)),
    Form("Conv, SAME_UPPER", conv((7, 8), auto_pad="SAME_UPPER", strides=[2, 2])),
    Form("Conv, SAME_LOWER, zero point", conv((7, 8), auto_pad="SAME_LOWER", strides=[2, 3], **UNSIGNED)),
    Form("Conv, VALID", conv((7, 8), auto_pad="VALID")),
    Form("Conv, one channel", conv((7, 8), 1, outputs=1, pads=AROUND, **UNSIGNED)),
    Form("Conv, scales of the input per channel", conv((7, 8), given=SCALES, pads=AROUND)),
    Form("Conv, zero points per channel", conv((7, 8), given=SCALES, pads=AROUND, **VARYING)),
    Form("Conv, depthwise, any scales", conv((7, 8), given=column(0.5, ROOT, 1, 3), group=4), exact=False),
    Form("Conv, scales of the weights per output", conv((7, 8), scale=SCALES.reshape(4, 1, 1, 1))),
    Form("Conv, scales of the weights per input", conv((7, 8), scale=SCALES.reshape(1, 4, 1, 1))),
    Form("Conv, fractional zero point", conv((7, 8), signed=0, zero_point=3.5)),
    Form("Conv, bias", conv((7, 8), bias=BIAS)),
    Form("Conv, opset 11", conv((7, 8), pads=AROUND, **UNSIGNED), opset=11),
    Form("Conv, opset 20", conv((7, 8), pads=AROUND, **UNSIGNED), opset=20),
    Form("Conv, padded at a fraction", conv((7, 8), signed=0, zero_point=3.5, pads=AROUND), host=("Conv",)),
    Form("Conv, float", float_convolution, host=("Conv",), exact=False),
    Form("ConvTranspose", conv_transpose((4, 5))),
    Form(
        "ConvTranspose, output_padding",
        conv_transpose((4, 5), strides=[2, 2], pads=AROUND, output_padding=[1, 1], biased=True),
    ),
    Form("ConvTranspose, zero point", conv_transpose((4, 5), strides=[2, 3], pads=[0, 1, 1, 0], **UNSIGNED)),
    Form("ConvTranspose, zero points per channel", conv_transpose((4, 5), strides=[2, 3], **VARYING)),
    Form("ConvTranspose, grouped", conv_transpose((4, 5), outputs=6, group=2, strides=[2, 2])),
    Form("ConvTranspose, depthwise", conv_transpose((4, 5), group=4, strides=[2, 1])),
    Form("ConvTranspose, 1-D", conv_transpose((6,), strides=[2])),
    Form("ConvTranspose, 3-D", conv_transpose((3, 3, 4), strides=[2, 1, 2])),
    Form("ConvTranspose, scales per output", conv_transpose((4, 5), scale=SCALES.reshape(1, 4, 1, 1))),
    Form(
        "ConvTranspose, scales per output and group",
        conv_transpose((4, 5), group=2, scale=SCALES[:2, None].swapaxes(0, 1)),
    ),
    Form("ConvTranspose, SAME_UPPER", conv_transpose((4, 5), auto_pad="SAME_UPPER", strides=[2, 2])),
    Form("ConvTranspose, output_shape", conv_transpose((4, 5), output_shape=[9, 10], strides=[2, 2])),
    Form("ConvTranspose, dilated", conv_transpose((4, 5), dilations=[2, 1], strides=[1, 2])),
    Form("ConvTranspose, cropped", conv_transpose((4, 5), pads=[2, 2, 2, 2])),
)

# --------------------------------------------------------------------------------------------- sums and products


def join(op_type: str, first: float, second: float) -> Build:
    def build(n: Exported) -> str:
        y = n.op(op_type, n.features(scale=first), n.features(scale=second))
        return n.dense(n.quant(y, 1.0), 4)

    return build


def residual(n: Exported) -> str:
    x = n.image()
    for _ in range(2):
        y = n.quant(n.op("Relu", n.conv(x, pads=AROUND)), signed=0)
        y = n.quant(n.conv(y, pads=AROUND), 1.0)
        x = n.quant(n.op("Relu", n.op("Add", x, y)), signed=0)
    return n.point(x)


def squeeze_and_excite(n: Exported) -> str:
    x = n.image(signed=0)
    y = n.quant(n.op("GlobalAveragePool", x), 0.125, 6, signed=0)
    y = n.point(n.quant(n.op("Relu", n.point(y, 4, 2)), 0.25, signed=0), 2, 4)
    gates = n.quant(n.op("HardSigmoid", y, alpha=0.125), 1 / 8, 3, signed=0)
    return n.point(n.quant(n.op("Mul", x, gates)))


def scaled(op_type: str, factor: Array) -> Build:
    """A join whose second operand has negative scales, or scales of 0."""
    return lambda n: n.dense(n.quant(n.op(op_type, n.features(), n.op("Mul", n.features(scale=1.0), factor)), 1.0), 4)


def without_common_measure(n: Exported) -> str:
    return n.dense(n.op("Add", n.features(), n.features(scale=ROOT)), 4)


def four(n: Exported) -> str:
    return n.op("Sum", *[n.features(scale=s) for s in (0.5, 0.25, 1.0, 0.75)])


JOINS = (
    *(Form(f"{op}, one scale", join(op, 0.5, 0.5)) for op in ("Add", "Sub", "Mul", "Sum", "Max", "Min")),
    *(Form(f"{op}, scales 1 : 2", join(op, 0.5, 1.0)) for op in ("Add", "Sub", "Mul", "Sum", "Max", "Min")),
    *(Form(f"{op}, scales 3 : 4", join(op, 0.75, 1.0)) for op in ("Add", "Sub", "Mul", "Sum", "Max", "Min")),
    *(Form(f"{op}, any scales", join(op, 0.5, ROOT), exact=False) for op in ("Add", "Sub", "Mul")),
    *(Form(f"{op}, any scales", join(op, 0.5, ROOT), host=(op,), exact=False) for op in ("Max", "Min")),
    Form("Add, any scales, no quantizer", without_common_measure, host=("Add", "MatMul"), exact=False),
    Form("Add, negative scales", scaled("Add", np.array([1.0, -1.0, 0.5, -2.0]))),
    Form("Add, scales of 0", scaled("Add", np.array([1.0, 0.0, 0.5, -2.0]))),
    Form("Mul, scales of 0", scaled("Mul", np.array([1.0, 0.0, 0.5, -2.0]))),
    Form("Max, negative scales", scaled("Max", np.array(-1.0))),
    Form("Sum of four", four),
    Form("Add, constant on the left", lambda n: n.op("Add", BIAS, n.scores())),
    Form("Sub, constant on the left", lambda n: n.op("Sub", BIAS, n.scores())),
    Form("Mul, negative constant on the left", lambda n: n.op("Mul", np.array([-1.0, 2.0, 0.0, -0.5]), n.scores())),
    Form("Add, (N, C, 1, 1)", lambda n: n.point(n.quant(n.op("Add", n.image(), inputs(n, 2, 4, 1, 1))))),
    Form("Mul, (N, C, 1, 1), zero points", lambda n: n.point(n.quant(n.op(
        "Mul", inputs(n, 2, 4, 1, 1, zero_point=1.0, signed=0), n.image(zero_point=3.0, signed=0))))),
    Form("Mul, squeeze and excite", squeeze_and_excite),
    Form("Add, of different rank", lambda n: n.dense(n.quant(n.op("Add", n.tokens(), inputs(n, 4, scale=0.25))), 4)),
    Form("Mul, a tensor by itself", lambda n: (lambda x: n.op("Mul", x, x))(n.features())),
    Form("Add, sums of two layers", lambda n: n.op("Add", n.scores(), n.scores())),
    Form("Sub, a tensor and itself", lambda n: (lambda x: n.op("Sub", x, x))(n.features())),
    Form("Add, residuals", residual),
    Form("Add, a quantized constant", lambda n: n.dense(n.quant(n.op("Add", n.tokens(), n.weights(5, 4))), 4)),
    Form("Add, an input that is not quantized", lambda n: n.op("Add", n.features(), n.input(3, 4)), host=("Add",)),
)  # fmt: skip

# ------------------------------------------------------------------------------- Concat, Split, Slice, Gather, Pad


def concat(axis: int, second: float = 0.25, channels: int = 4, **settings: Any) -> Build:
    return lambda n: n.point(n.op("Concat", n.image(**settings), n.image(scale=second), axis=axis), channels)


def concat_of_sums(n: Exported) -> str:
    x = n.image()
    parts = [n.op("Relu", n.conv(x, 4, outputs, scale=scale)) for outputs, scale in ((3, 0.25), (5, ODD))]
    return n.point(n.quant(n.op("Concat", *parts, axis=1), 1.0), 8)


def concat_of_functions(n: Exported) -> str:
    x = n.image()
    parts = [n.op("Sigmoid", n.conv(x, 4, outputs, scale=scale)) for outputs, scale in ((3, 0.25), (5, ODD))]
    return n.point(n.quant(n.op("Concat", *parts, axis=1), 1 / 8), 8)


def concat_with_constant(n: Exported) -> str:
    return n.dense(n.op("Concat", n.quant(n.constant(n.dyadic(2, 1, 4))), n.tokens(), axis=1), 4)


def split(axis: int, sizes: Sequence[int], *, order: int = -1) -> Build:
    """The parts in the opposite order."""

    def build(n: Exported) -> str:
        x = n.image(scale=SCALES)
        if n.opset < 13:
            parts = n.ops(2, "Split", x, axis=axis, split=list(sizes))
        else:
            parts = n.ops(2, "Split", x, n.ints(*sizes), axis=axis)
        return n.point(n.op("Concat", *parts[::order], axis=axis))

    return build


def split_in_two(n: Exported) -> str:
    return n.point(n.op("Add", *n.ops(2, "Split", n.image(), axis=1, num_outputs=2)), 2)


def focus(n: Exported) -> str:
    """Every second pixel, four times, as YOLOv5 begins."""
    x = n.image()
    parts = [n.op("Slice", x, n.ints(a, b), n.ints(99, 99), n.ints(2, 3), n.ints(2, 2)) for a in (0, 1) for b in (0, 1)]
    return n.point(n.op("Concat", *parts, axis=1), 16)


def moved(op_type: str, *constants: Array, channels: int = 4, scale: Array = SCALES, **attributes: Any) -> Build:
    """An operator that moves elements of an image, and the next layer; lists of integers become int64."""

    def build(n: Exported) -> str:
        more = [n.ints(*c) if isinstance(c, list) else c for c in constants]
        return n.point(n.op(op_type, n.image(scale=scale), *more, **attributes), channels)

    return build


def embedding(n: Exported) -> str:
    y = n.op("Gather", n.weights(7, 6), n.input(2, 5, elem=TensorProto.INT64, high=7))
    return n.dense(n.quant(n.op("Add", y, n.weights(5, 6))))


def gated_linear_unit(n: Exported) -> str:
    a, b = n.ops(2, "Split", n.sums(), n.ints(2, 2), axis=1)
    gates = n.quant(n.op("Sigmoid", b), 1 / 8, signed=0)
    return n.point(n.quant(n.op("Mul", n.quant(a), gates)), 2)


def moved_tail(op_type: str, *constants: Array, channels: int = 4, **attributes: Any) -> Build:
    """Between activation function and quantizer: the constants of the function move as well."""

    def build(n: Exported) -> str:
        y = n.op("Sigmoid", n.op("Add", n.sums(), n.constant(column(0.5, -1.0, 2.0, 0.25))))
        more = [n.ints(*c) if isinstance(c, list) else c for c in constants]
        return n.point(n.quant(n.op(op_type, y, *more, **attributes), 1 / 8), channels)

    return build


NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
TWICE, FAR = np.array([1, 1, 2, 2], np.float32), 2**62
PADS = [0, 0, 1, 2, 0, 0, 0, 1]
MOVES = (
    Form("Concat, channels", concat(1, channels=8)),
    Form("Concat, axis -3, one scale", concat(-3, 0.5, 8)),
    Form("Concat, height", concat(2)),
    Form("Concat, width", concat(-1)),
    Form("Concat, batch", concat(0)),
    Form("Concat, zero points", concat(1, channels=8, zero_point=3.0, signed=0)),
    Form("Concat, height, zero points", concat(2, zero_point=3.0, signed=0)),
    Form("Concat, any scales, then Conv", concat(1, ODD, 8), host=("Conv",), exact=False),
    Form("Concat, of sums of any scales", concat_of_sums, exact=False),
    Form("Concat, with a constant", concat_with_constant),
    Form("Concat, behind activation functions", concat_of_functions, exact=False),
    Form("Split, channels", split(1, [1, 3])),
    Form("Split, negative axis", split(-3, [1, 3])),
    Form("Split, height", split(2, [2, 4])),
    Form("Split, opset 11", split(1, [1, 3]), opset=11),
    Form("Split, opset 18, num_outputs", split_in_two, opset=18),
    Form("Split, gated linear unit", gated_linear_unit, exact=False),
    Form("Slice, backwards", moved("Slice", [-1], [-100], [2], [-1])),
    Form("Slice, channels", moved("Slice", [1], [FAR], [1], [2], channels=2)),
    Form("Slice, without axes", moved("Slice", [0, 1, 2], [2, 3, 5], channels=2)),
    Form("Slice, focus", focus),
    Form("Gather, channels", moved("Gather", [3, 0, -1], axis=1, channels=3), moves=True),
    Form("Gather, height", moved("Gather", [0, 2, 4], axis=2), moves=True),
    Form("Gather, first token", lambda n: n.dense(n.op("Gather", n.tokens(), n.constant(0, np.int64), axis=1), 4)),
    Form("Gather, embedding", embedding),
    Form("Resize, scales", moved("Resize", None, TWICE, **NEAREST)),
    Form("Resize, scales, opset 11", moved("Resize", np.zeros(0), TWICE, **NEAREST), opset=11),
    Form("Resize, sizes", moved("Resize", None, None, [2, 4, 9, 7], **NEAREST)),
    Form("Resize, half_pixel", moved("Resize", None, TWICE, mode="nearest")),
    Form("Resize, smaller", moved("Resize", None, 1 / TWICE, **NEAREST)),
    Form("Resize, axes", moved("Resize", None, TWICE[2:], axes=[2, 3], **NEAREST), opset=18),
    Form("Resize, opset 10", moved("Resize", TWICE, mode="nearest", scale=0.5), opset=10),
    Form("Upsample", moved("Upsample", TWICE, mode="nearest"), opset=9),
    Form("Resize, linear", moved("Resize", None, TWICE, mode="linear"), host=("Resize", "Conv"), exact=False),
    Form("Resize, cubic", moved("Resize", None, TWICE, mode="cubic"), host=("Resize", "Conv"), exact=False),
    Form("Tile", moved("Tile", [1, 2, 1, 1], channels=8), moves=True),
    Form("DepthToSpace", moved("DepthToSpace", channels=1, scale=0.5, blocksize=2, mode="CRD"), moves=True),
    Form("SpaceToDepth", moved("SpaceToDepth", channels=16, blocksize=2), moves=True),
    Form("Pad, 0", moved("Pad", PADS)),
    Form("Pad, a multiple", moved("Pad", PADS, np.array(1.5), scale=0.5)),
    Form("Pad, no multiple", moved("Pad", PADS, np.array(1.3), scale=0.5), host=("Pad", "Conv"), exact=False),
    Form("Pad, reflect", moved("Pad", PADS, mode="reflect")),
    Form("Pad, edge", moved("Pad", PADS, mode="edge")),
    Form("Pad, wrap", moved("Pad", PADS, mode="wrap"), opset=19),
    Form("Pad, channels", moved("Pad", [0, 1, 0, 0, 0, 0, 0, 0], channels=5, scale=0.5)),
    Form("Pad, opset 10", moved("Pad", pads=PADS, value=0.5, scale=0.5), opset=10),
    Form("Pad, channels, scales per channel", moved("Pad", [0, 1, 0, 0, 0, 0, 0, 0], channels=5)),
    Form("Pad, negative", moved("Pad", [0, 0, -1, 0, 0, 0, 1, 0])),
    Form("Pad, axes", moved("Pad", [1, 1, 0, 1], None, [2, 3]), opset=18),
    Form("Pad, zero points per channel", lambda n: n.point(n.op("Pad", n.image(
        zero_point=column(1, 2, 3, 4), signed=0), n.ints(*PADS)))),
    Form("Pad, zero point", lambda n: n.point(n.op("Pad", n.image(zero_point=3.0, signed=0), n.ints(*PADS)))),
    Form("Slice, behind an activation function", moved_tail("Slice", [1], [4], [1], channels=3), exact=False),
    Form("Resize, behind an activation function", moved_tail("Resize", None, TWICE, mode="nearest"), exact=False),
    Form("Pad, behind an activation function", moved_tail("Pad", PADS, mode="reflect"), exact=False),
)  # fmt: skip
