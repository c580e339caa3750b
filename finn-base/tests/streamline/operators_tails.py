"""Pools, shapes, activation functions, quantizers, ends and whole graphs, as exporters write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from .exported import Array, Exported  # noqa: TID252 - test helpers are no installed package
from .operators import AROUND, BIAS, HALF, POOL, ROOT, SCALES, Build, Form, column, inputs  # noqa: TID252

Function = Callable[[Exported, str], str]

# ---------------------------------------------------------------------------------------------------------- pools


def pool(op_type: str, *, axes: int = 2, zero: float = 0.0, scale: Array = 0.5, **attributes: Any) -> Build:
    """Of a quantized image (2, 4, 7, ...), and the next layer."""

    def build(n: Exported) -> str:
        x = inputs(n, 2, 4, *[7, 8, 5][:axes], scale=scale, zero_point=zero, signed=int(not zero))
        return n.point(n.op(op_type, x, **attributes), axes=axes)

    return build


def between(op_type: str, f: Function, **quantizer: Any) -> Build:
    """A pool between activation function and quantizer."""
    return lambda n: n.point(n.quant(n.op(op_type, f(n, n.sums()), **HALF), **quantizer))


def rising_and_falling(n: Exported, x: str) -> str:
    """BatchNormalization with positive and negative factors and 0."""
    return n.op("BatchNormalization", x, [1.0, -2.0, 0.5, 0.0], BIAS, -BIAS, np.ones(4), epsilon=0.0)


def spatial_pyramid(n: Exported) -> str:
    """One pool behind the other, all joined, as YOLO has it."""
    x = n.image()
    window = {"kernel_shape": [3, 3], "pads": AROUND, "strides": [1, 1]}
    first = n.op("MaxPool", x, **window)
    return n.point(n.op("Concat", x, first, n.op("MaxPool", first, **window), axis=1), 12)


def truncated(op_type: str, size: int, mode: str = "FLOOR", *, version: int = 1, **pooling: Any) -> Build:
    """As Brevitas exports TruncAvgPool2d: a mean, in version 1 times the number of elements, and Trunc."""

    def build(n: Exported) -> str:
        y = n.op(op_type, n.quant(n.conv(inputs(n, 2, 3, 8, 8), 3, pads=AROUND)), **pooling)
        bits = float(4 + np.ceil(np.log2(size)))
        if version == 1:
            y = n.op("Trunc", n.op("Mul", y, float(size)), 0.5, 0.0, bits, 4.0, rounding_mode=mode)
        else:
            settings = {"rounding_mode": mode, "signed": 1, "narrow": 0}
            y = n.op("Trunc", y, 0.5 / size, 0.0, bits, 0.5, 4.0, **settings)
        return n.point(y)

    return build


def mean(*, keepdims: int, axes: tuple[int, ...] = (2, 3), next_layer: bool = True) -> Build:
    def build(n: Exported) -> str:
        x = n.image(scale=SCALES)
        if n.opset < 18:
            y = n.op("ReduceMean", x, axes=list(axes), keepdims=keepdims)
        else:
            y = n.op("ReduceMean", x, n.ints(*axes), keepdims=keepdims)
        if not next_layer:
            return y
        return n.point(y) if keepdims else n.dense(y, 4)

    return build


def squeezed(n: Exported) -> str:
    y = n.op("GlobalAveragePool", n.image())
    y = n.op("Squeeze", y, n.ints(2, 3)) if n.opset >= 13 else n.op("Squeeze", y, axes=[2, 3])
    return n.dense(y, 4)


RELU: Function = lambda n, x: n.op("Relu", x)  # noqa: E731 - one of many functions in the tables
SIGMOID: Function = lambda n, x: n.op("Sigmoid", x)  # noqa: E731
PADDED = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": AROUND}
EQUAL_WINDOWS = {"kernel_shape": [2, 2], "pads": AROUND, "count_include_pad": 1}
POOLS = (
    Form("MaxPool", pool("MaxPool", **HALF)),
    Form("MaxPool, padded", pool("MaxPool", **PADDED)),
    Form("MaxPool, padded, zero point", pool("MaxPool", zero=5.0, **PADDED)),
    Form("MaxPool, ceil_mode", pool("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    Form("MaxPool, dilated", pool("MaxPool", kernel_shape=[3, 3], strides=[2, 1], dilations=[2, 2])),
    Form("MaxPool, SAME_UPPER", pool("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")),
    Form("MaxPool, SAME_LOWER", pool("MaxPool", kernel_shape=[3, 2], strides=[3, 2], auto_pad="SAME_LOWER")),
    Form("MaxPool, 1-D", pool("MaxPool", axes=1, kernel_shape=[2], strides=[2])),
    Form("MaxPool, 3-D", pool("MaxPool", axes=3, kernel_shape=[2, 2, 2], strides=[2, 1, 2])),
    Form("MaxPool, scales per channel", pool("MaxPool", scale=SCALES, **HALF)),
    Form("MaxPool, of negative scales", lambda n: n.point(n.op("MaxPool", n.op("Neg", n.image()), **PADDED))),
    Form("MaxPool, signs per channel", lambda n: n.point(n.op(
        "MaxPool", n.op("Mul", n.image(), n.constant(column(1, -1, -0.5, 0))), **PADDED))),
    Form("MaxPool, behind Relu", between("MaxPool", RELU, signed=0)),
    Form("MaxPool, behind Sigmoid", between("MaxPool", SIGMOID, scale=1 / 8, signed=0), exact=False),
    Form("MaxPool, behind BatchNormalization", between("MaxPool", rising_and_falling)),
    Form("MaxPool, behind PRelu", between("MaxPool", lambda n, x: n.op("PRelu", x, n.constant(SCALES)))),
    Form("MaxPool, in front of Relu", lambda n: n.point(n.quant(n.op("Relu", n.op("MaxPool", n.sums(), **HALF))))),
    Form("MaxPool, behind SiLU", between("MaxPool", lambda n, x: n.op("Mul", x, n.op("Sigmoid", x)), scale=1 / 8),
         host=("MaxPool",), exact=False),
    Form("MaxPool, pyramid", spatial_pyramid),
    Form("MaxPool, of floats", lambda n: n.point(n.quant(n.op("MaxPool", n.input(2, 4, 6, 6), **HALF))),
         host=("MaxPool",)),
    Form("AveragePool", pool("AveragePool", **HALF)),
    Form("AveragePool, 3 x 3", pool("AveragePool", kernel_shape=[3, 3]), exact=False),
    Form("AveragePool, padded", pool("AveragePool", **EQUAL_WINDOWS)),
    Form("AveragePool, padded, zero point", pool("AveragePool", zero=5.0, **EQUAL_WINDOWS)),
    Form("AveragePool, 1-D", pool("AveragePool", axes=1, kernel_shape=[2], strides=[2])),
    Form("AveragePool, 3-D", pool("AveragePool", axes=3, kernel_shape=[2, 2, 2], strides=[2, 2, 2])),
    Form("AveragePool, opset 19, dilated", pool("AveragePool", dilations=[2, 2], **POOL), opset=19),
    Form("AveragePool, windows of any size", pool("AveragePool", pads=AROUND, **POOL), host=("AveragePool", "Conv")),
    Form("AveragePool, behind Relu", between("AveragePool", RELU, scale=0.25, signed=0)),
    Form("AveragePool, behind Sigmoid", between("AveragePool", SIGMOID, scale=1 / 8), host=("AveragePool",),
         exact=False),
    Form("AveragePool, of the image", lambda n: n.dense(n.op("Flatten", n.op(
        "AveragePool", n.image(), kernel_shape=[6, 6])), 4), exact=False),
    *(Form(f"AveragePool, Trunc v1, {mode}", truncated("AveragePool", 4, mode, **HALF))
      for mode in ("FLOOR", "CEIL", "ROUND")),
    Form("AveragePool, Trunc v1, 4 x 4", truncated("AveragePool", 16, kernel_shape=[4, 4], strides=[4, 4])),
    Form("AveragePool, Trunc v2", truncated("AveragePool", 4, version=2, **HALF)),
    Form("AveragePool, Trunc v2, ROUND", truncated("AveragePool", 4, "ROUND", version=2, **HALF)),
    Form("GlobalAveragePool, Trunc v2", truncated("GlobalAveragePool", 64, version=2)),
    Form("ReduceMean, Trunc v2", truncated("ReduceMean", 64, version=2, axes=[2, 3])),
    Form("GlobalAveragePool", pool("GlobalAveragePool"), exact=False),
    Form("GlobalAveragePool, zero point", pool("GlobalAveragePool", zero=5.0), exact=False),
    Form("GlobalAveragePool, scales per channel", pool("GlobalAveragePool", scale=SCALES), exact=False),
    Form("GlobalAveragePool, Squeeze", squeezed, exact=False),
    Form("GlobalAveragePool, Squeeze, opset 11", squeezed, opset=11, exact=False),
    Form("ReduceMean", mean(keepdims=1), exact=False),
    Form("ReduceMean, without the axes", mean(keepdims=0, axes=(-1, -2)), exact=False),
    Form("ReduceMean, opset 18", mean(keepdims=0), opset=18, exact=False),
    Form("ReduceMean, of tokens", lambda n: n.dense(n.op("ReduceMean", n.tokens(), axes=[1], keepdims=0), 4),
         exact=False),
    Form("GlobalMaxPool", pool("GlobalMaxPool")),
    Form("ReduceMax", lambda n: n.point(n.op("ReduceMax", n.image(), axes=[2, 3]))),
    Form("AveragePool, ceil_mode without effect", lambda n: n.point(n.op(
        "AveragePool", n.image(), ceil_mode=1, **HALF))),
    Form("ReduceSum", lambda n: n.point(n.op("ReduceSum", n.image(), n.ints(2, 3)))),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- shapes


def shaped(*steps: tuple[Any, ...], inputs: int, scale: Array = SCALES, **attributes: Any) -> Build:
    """Operators between an image (2, 4, 6, 6) and a fully connected layer. A list of integers becomes int64."""

    def build(n: Exported) -> str:
        y = n.image(scale=scale)
        for op_type, *more in steps:
            settings = more.pop() if more and isinstance(more[-1], dict) else {}
            y = n.op(op_type, y, *(n.ints(*c) for c in more), **settings)
        return n.dense(y, inputs)

    return build


def two_readers(n: Exported) -> str:
    y = n.op("Flatten", n.image())
    return n.op("Add", n.dense(y, 144), n.dense(y, 144))


def flatten_by_shape(n: Exported) -> str:
    x = n.image()
    batch = n.op("Gather", n.op("Shape", x), n.constant(0, np.int64))
    return n.dense(n.op("Reshape", x, n.op("Concat", n.op("Unsqueeze", batch, n.ints(0)), n.ints(-1), axis=0)), 144)


def flattened_tail(n: Exported) -> str:
    y = n.op("Flatten", n.op("PRelu", n.sums(), n.constant(column(0.5, 0.25, -1, 0))))
    return n.dense(n.quant(y), 144)


def tail_channels_last(n: Exported) -> str:
    y = n.op("Transpose", n.op("Tanh", n.op("Mul", n.sums(), n.constant(SCALES))), perm=[0, 2, 3, 1])
    return n.dense(n.quant(y, 1 / 8), 4)


FLATTEN = {"Flatten": shaped(("Flatten",), inputs=144), "one scale": shaped(("Flatten",), inputs=144, scale=0.5)}
SHAPES = (
    *(Form(f"Flatten, {name}", build) for name, build in FLATTEN.items()),
    Form("Flatten, Reshape", shaped(("Reshape", [2, 144]), inputs=144)),
    Form("Flatten, Reshape to 0, -1", shaped(("Reshape", [0, -1]), inputs=144)),
    Form("Flatten, by Shape", flatten_by_shape),
    Form("Flatten, Relu behind", shaped(("Flatten",), ("Relu",), inputs=144, scale=0.5)),
    Form("Flatten, two readers", two_readers),
    Form("Flatten, behind an activation function", flattened_tail),
    Form("Reshape, tokens", shaped(("Reshape", [2, 4, 36]), ("Transpose", {"perm": [0, 2, 1]}), inputs=4)),
    Form("Transpose, to channels last", tail_channels_last, exact=False),
    Form("Unsqueeze and Squeeze, of rows", shaped(
        ("Unsqueeze", [1]), ("Squeeze", [1]), ("Flatten",), inputs=144), moves=True),
    Form("Unsqueeze and Squeeze, opset 11", shaped(
        ("Unsqueeze", {"axes": [1]}), ("Squeeze", {"axes": [1]}), ("Flatten",), inputs=144), opset=11, moves=True),
    Form("Reshape, channel shuffle", shaped(
        ("Reshape", [2, 2, 2, 6, 6]), ("Transpose", {"perm": [0, 2, 1, 3, 4]}), ("Reshape", [2, 4, 6, 6]),
        ("GlobalAveragePool",), ("Flatten",), inputs=4), moves=True, exact=False),
    Form("Reshape, to an image", lambda n: n.conv(n.op("Reshape", n.quant(n.dense(
        n.features(), 4, 32)), n.ints(-1, 2, 4, 4)), 2), moves=True),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- tails


def function(f: Function, **quantizer: Any) -> Build:
    """Between a fully connected layer and a quantizer, in front of the next layer."""
    return lambda n: n.dense(n.quant(f(n, n.scores()), **{"scale": 0.25, **quantizer}), 4)


def of_image(f: Function) -> Build:
    return lambda n: n.point(n.quant(f(n, n.sums()), 0.25))


def unary(op_type: str, **attributes: Any) -> Function:
    return lambda n, x: n.op(op_type, x, **attributes)


def with_constant(op_type: str, *constants: Array) -> Function:
    return lambda n, x: n.op(op_type, x, *constants)


def gelu_by_erf(n: Exported, x: str) -> str:
    return n.op("Mul", n.op("Mul", x, n.op("Add", n.op("Erf", n.op("Div", x, ROOT)), 1.0)), 0.5)


def gelu_by_tanh(n: Exported, x: str) -> str:
    cubic = n.op("Add", x, n.op("Mul", n.op("Pow", x, 3.0), 0.044715))
    return n.op("Mul", n.op("Mul", x, 0.5), n.op("Add", n.op("Tanh", n.op("Mul", cubic, 0.79788)), 1.0))


def hard_swish(n: Exported, x: str) -> str:
    return n.op("Mul", x, n.op("Div", n.op("Clip", n.op("Add", x, 3.0), 0.0, 6.0), 6.0))


def chain(n: Exported, x: str) -> str:
    x = n.op("LeakyRelu", rising_and_falling(n, x))
    return n.op("Tanh", n.op("Add", n.op("Mul", x, n.constant(BIAS)), n.constant(-BIAS)))


def wide(f: Function) -> Build:
    """Over many values: thresholds that are counted up and down."""
    return lambda n: n.dense(n.quant(f(n, n.dense(inputs(n, 3, 40, scale=1 / 16, bits=8), 40, bits=8)), 0.25), 4)


def before_layer(f: Function, **settings: Any) -> Build:
    """Between a quantizer and a layer, without a quantizer behind: it has to give multiples of the scale."""
    return lambda n: n.dense(f(n, n.features(**settings)), 4)


EXACT_FUNCTIONS = ("Abs", "Ceil", "Floor", "Identity", "Neg", "Relu", "Round", "Sign")
FUNCTIONS = (
    "Atan", "Celu", "Cosh", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Selu", "Sigmoid", "Sin",
    "Sinh", "Softplus", "Softsign", "Tanh", "ThresholdedRelu",
)  # fmt: skip
SLOPES, SIGNS = np.array([0.25, 0.5, 1.0, 0.0]), np.array([-0.25, 0.5, -1.0, 0.125])
SWISH: Function = lambda n, x: n.op("Mul", x, n.op("Sigmoid", x))  # noqa: E731
TAILS = (
    *(Form(f"{op}", function(unary(op))) for op in EXACT_FUNCTIONS),
    *(Form(f"{op}, image", of_image(unary(op))) for op in ("Abs", "Neg", "Sign")),
    *(Form(f"{op}", function(unary(op)), opset=14, exact=False) for op in FUNCTIONS),
    *(Form(f"{op}, image", of_image(unary(op)), opset=14, exact=False) for op in ("HardSwish", "Selu", "Sigmoid")),
    Form("Mish", function(unary("Mish")), opset=18, exact=False),
    Form("Gelu", function(unary("Gelu")), opset=20, exact=False),
    Form("Gelu, tanh", function(unary("Gelu", approximate="tanh")), opset=20, exact=False),
    Form("Sqrt", function(lambda n, x: n.op("Sqrt", n.op("Relu", x))), exact=False),
    Form("Log, of 0", function(lambda n, x: n.op("Log", n.op("Relu", x))), exact=False),
    Form("Exp, to infinity", function(lambda n, x: n.op("Exp", n.op("Mul", x, 100.0))), exact=False),
    Form("Clip", function(with_constant("Clip", -1.0, 1.0))),
    Form("Clip, from below", function(with_constant("Clip", -1.0))),
    Form("Clip, from above", function(with_constant("Clip", None, 1.0))),
    Form("Clip, opset 9", function(unary("Clip", min=-1.0, max=1.0)), opset=9),
    Form("Clip, between codes", function(with_constant("Clip", -0.3, 0.77)), exact=False),
    Form("Min and Max", function(lambda n, x: n.op("Min", n.op("Max", x, -1.0), 1.0))),
    Form("Max, several constants", function(lambda n, x: n.op("Max", x, -1.0, n.constant(BIAS)))),
    Form("PRelu", function(with_constant("PRelu", SLOPES))),
    Form("PRelu, negative", function(with_constant("PRelu", SIGNS))),
    Form("PRelu, image", of_image(with_constant("PRelu", SIGNS.reshape(-1, 1, 1)))),
    Form("LeakyRelu, negative", function(unary("LeakyRelu", alpha=-0.5))),
    Form("Pow", function(with_constant("Pow", 3.0))),
    Form("Pow, per channel", function(with_constant("Pow", np.array([1.0, 2.0, 3.0, 0.0])))),
    Form("Mul, by itself", function(lambda n, x: n.op("Mul", x, x))),
    Form("Add, its Relu", function(lambda n, x: n.op("Add", x, n.op("Relu", x)))),
    Form("Max, with its multiple", function(lambda n, x: n.op("Max", n.op("Mul", x, 0.25), x))),
    Form("SiLU", function(SWISH), exact=False),
    Form("SiLU, image", of_image(SWISH), exact=False),
    Form("SiLU, wide", wide(SWISH), exact=False),
    Form("GELU by Erf", function(gelu_by_erf), exact=False),
    Form("GELU by Tanh", function(gelu_by_tanh), exact=False),
    Form("HardSwish by Clip", function(hard_swish), exact=False),
    Form("HardSwish by HardSigmoid", function(
        lambda n, x: n.op("Mul", n.op("HardSigmoid", x, alpha=1 / 6), x)), exact=False),
    Form("Mish by Softplus", function(lambda n, x: n.op("Mul", x, n.op("Tanh", n.op("Softplus", x)))), exact=False),
    Form("Sigmoid minus Tanh", function(
        lambda n, x: n.op("Sub", n.op("Sigmoid", x), n.op("Tanh", x))), exact=False),
    Form("Softsign by Div", function(lambda n, x: n.op("Div", x, n.op("Add", n.op("Abs", x), 1.0))), exact=False),
    Form("Where", function(lambda n, x: n.op("Where", n.op("Greater", x, 0.0), x, n.op("Mul", x, 0.125)))),
    Form("Greater", function(lambda n, x: n.op("Cast", n.op("Greater", x, 0.25), to=TensorProto.FLOAT))),
    Form("Mod", function(lambda n, x: n.op("Mod", x, 2.0, fmod=1))),
    Form("Cast to double", function(
        lambda n, x: n.op("Cast", n.op("Cast", x, to=TensorProto.DOUBLE), to=TensorProto.FLOAT))),
    Form("Dropout", function(unary("Dropout"))),
    Form("Mul, by 0", function(with_constant("Mul", 0.0))),
    Form("Mul, by 0 in some channels", function(with_constant("Mul", np.array([1.0, 0.0, 0.0, -1.0])))),
    Form("BatchNormalization", function(rising_and_falling)),
    Form("BatchNormalization, image", of_image(rising_and_falling)),
    Form("chain", function(chain), exact=False),
    Form("chain, image", of_image(lambda n, x: n.op("HardSwish", rising_and_falling(n, x))), opset=14, exact=False),
    Form("Relu, then layer", before_layer(RELU)),
    Form("LeakyRelu, then Add", lambda n: n.op("Add", n.op("LeakyRelu", n.features(), alpha=0.25), n.features())),
    Form("square, then layer", before_layer(lambda n, x: n.op("Mul", x, x))),
    Form("signs and Relu, then layer", before_layer(
        lambda n, x: n.op("Relu", n.op("Mul", x, np.array([1.0, -1.0, 2.0, -0.5]))), zero_point=2.0)),
    Form("Where, of three", lambda n: n.dense(n.quant(n.op(
        "Where", n.op("Greater", n.features(), 0.0), n.features(), n.features())), 4), host=("Where",)),
    Form("Abs, then layer", before_layer(unary("Abs"))),
    Form("Clip, then layer", before_layer(with_constant("Clip", -1.0, 2.0), zero_point=2.0)),
    Form("Round, then layer", before_layer(unary("Round"))),
    Form("Sign, then layer", lambda n: n.dense(n.op("Mul", n.op("Sign", n.scores()), 0.5), 4)),
    Form("Sigmoid, then layer", before_layer(SIGMOID), host=("MatMul",), exact=False),
    Form("Sqrt of negative numbers", lambda n: n.op("Sqrt", n.scores()), host=("Quant",), exact=False, end=False),
    Form("LayerNormalization", function(
        lambda n, x: n.op("LayerNormalization", x, np.ones(4), np.zeros(4))), ("LayerNormalization",), 17, False),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- quantizers, ends, graphs


def quantizer(**settings: Any) -> Build:
    return lambda n: n.dense(n.features(**settings), 4)


def quantized_image(**settings: Any) -> Build:
    return lambda n: n.conv(n.image(**settings), pads=AROUND)


def codes(bits: int, signed: int, narrow: int) -> dict[str, Any]:
    return {"bits": bits, "signed": signed, "narrow": narrow, "scale": 2.0 ** (1 - bits)}


def thresholds(out_dtype: str, steps: Array, **attributes: Any) -> Build:
    return lambda n: n.dense(n.op("MultiThreshold", n.scores(), steps, out_dtype=out_dtype, **attributes), 4)


def fork(n: Exported) -> str:
    """Two quantizers of one tensor, and one of them falls."""
    x = n.scores()
    return n.dense(n.quant(n.op("Add", n.quant(n.op("Relu", x), signed=0), n.quant(n.op("Neg", x)))), 4)


def shared_parameters(n: Exported) -> str:
    parameters = [n.constant(c) for c in (0.5, 0.0, 4.0)]

    def quant(x: str) -> str:
        return n.op("Quant", x, *parameters, signed=1, narrow=0, rounding_mode="ROUND")

    w = quant(n.constant(n.dyadic(6, 6)))
    return n.op("MatMul", quant(n.op("MatMul", quant(n.input(3, 6)), w)), w)


def float_first(n: Exported) -> str:
    y = n.op("Conv", n.input(2, 3, 6, 6), n.constant(n.dyadic(4, 3, 3, 3) / 3), kernel_shape=[3, 3])
    return n.point(n.quant(n.op("Relu", rising_and_falling(n, y)), signed=0))


def float_last(n: Exported) -> str:
    return n.op("Gemm", n.op("Flatten", n.image()), n.constant(n.dyadic(144, 3) / 3))


def softmax_island(n: Exported) -> str:
    return n.dense(n.quant(n.op("Softmax", n.scores(), axis=1), 1 / 8, signed=0), 4)


def select(op_type: str, f: Function = lambda n, x: x, **attributes: Any) -> Build:
    return lambda n: n.op(op_type, f(n, n.scores()), **attributes)


def top(k: int) -> Build:
    return lambda n: n.ops(2, "TopK", n.op("Mul", n.scores(), 0.25), n.ints(k), axis=1)[1]


BITS = [(b, s, t) for b in (1, 2, 3, 8) for s in (0, 1) for t in (0, 1) if b > 1 or not t]
MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "Floor")
STEPS = np.array([[-1.0, 0.0, 0.5, 2.0]])
GRAPHS = (
    *(Form(f"Quant, {bits} bits, signed={signed}, narrow={narrow}", quantizer(**codes(bits, signed, narrow)))
      for bits, signed, narrow in BITS),
    *(Form(f"Quant, image, {bits} bits, signed={signed}, narrow={narrow}",
           quantized_image(**codes(bits, signed, narrow))) for bits, signed, narrow in BITS[::3]),
    *(Form(f"Quant, {mode}", quantizer(rounding_mode=mode)) for mode in MODES),
    Form("Quant, 9 bits", quantizer(bits=9), host=("Quant",)),
    Form("Quant, 32 bits", quantizer(bits=32, scale=2.0**-10), host=("Quant",)),
    Form("Quant, fractional zero point", quantizer(zero_point=0.5)),
    Form("Quant, distant zero point", quantizer(zero_point=100.0)),
    Form("Quant, zero points per channel", quantized_image(zero_point=column(1, -2, 3, 0))),
    Form("Quant, scale of shape (1, 1, 1, 1)", quantized_image(scale=np.full((1, 1, 1, 1), 0.5))),
    Form("Quant, scale of full shape", quantized_image(scale=np.full((2, 4, 6, 6), 0.5))),
    Form("Quant, scale per feature", quantizer(scale=np.array([0.5, 0.25, 1.0, 0.75]))),
    Form("Quant, any scales per feature", quantizer(scale=np.array([0.51, 0.27, 1.13, 2])), ("MatMul",), exact=False),
    Form("Quant, twice", lambda n: n.dense(n.quant(n.features(scale=0.25, bits=6)), 4)),
    Form("Quant, Neg, Quant", lambda n: n.dense(n.quant(n.op("Neg", n.features(scale=0.25, bits=6))), 4)),
    Form("Quant, signs per channel, Quant", lambda n: n.dense(n.quant(n.op(
        "Mul", n.features(bits=6), np.array([1.0, -0.5, 0.0, -2.0]))), 4)),
    Form("Quant, of an input with signs per channel", lambda n: n.dense(n.quant(n.op(
        "Mul", n.input(3, 4), np.array([1.0, -0.5, 0.0, -2.0]))), 4)),
    Form("Quant, the same twice", lambda n: n.dense(n.quant(n.features()), 4)),
    Form("Quant, Relu, Quant", lambda n: n.dense(n.quant(n.op("Relu", n.features(bits=5)), signed=0), 4)),
    Form("Quant, two of one tensor", fork),
    Form("Quant, two of the input", lambda n: (lambda x: n.op(
        "Add", n.dense(n.quant(x)), n.dense(n.quant(x, 0.25, 8))))(n.input(3, 6))),
    Form("Quant, shared parameters and weights", shared_parameters),
    Form("BipolarQuant", lambda n: n.dense(n.op("BipolarQuant", n.scores(), 0.5), 4)),
    Form("BipolarQuant, per channel", lambda n: n.dense(n.op(
        "BipolarQuant", n.scores(), np.array([0.5, 1, 2, 0.25])), 4)),
    Form("BipolarQuant, of 0", lambda n: n.dense(n.op("BipolarQuant", n.op("Relu", n.scores()), 1.0), 4)),
    Form("MultiThreshold", thresholds("INT4", STEPS, out_scale=0.5, out_bias=-1.0)),
    Form("MultiThreshold, bipolar", thresholds("BIPOLAR", np.array([[0.25]]), out_scale=2.0, out_bias=-1.0)),
    Form("MultiThreshold, negative scale", thresholds("INT4", STEPS, out_scale=-0.5, out_bias=1.0)),
    Form("float layer first", float_first, host=("Conv",), exact=False),
    Form("float layer last", float_last, host=("Gemm", "Flatten"), exact=False, end=True),
    Form("Softmax in the middle", softmax_island, host=("Softmax",), exact=False),
    Form("ArgMax", select("ArgMax", axis=1), end=True),
    Form("ArgMax, without the axis", select("ArgMax", axis=-1, keepdims=0), end=True),
    Form("ArgMax, Sigmoid", select("ArgMax", SIGMOID, axis=1), end=True),
    Form("ArgMax, Softmax", select("ArgMax", unary("Softmax", axis=1), axis=1), end=True),
    Form("ArgMax, of pixels", lambda n: n.op("ArgMax", n.sums(), axis=1), end=True),
    Form("ArgMax, biases", select("ArgMax", with_constant("Add", BIAS), axis=1), end=True),
    Form("ArgMax, negative scale", select("ArgMax", with_constant("Mul", -2.0), axis=1), end=True),
    Form("TopK", top(3), end=True),
    Form("Softmax at the end", select("Softmax", axis=1), host=("Softmax",), end=True, exact=False),
    Form("LogSoftmax at the end", select("LogSoftmax", axis=1), host=("LogSoftmax",), end=True, exact=False),
    Form("Softmax of pixels", lambda n: n.op("Softmax", n.sums(), axis=1), host=("Softmax",), end=True, exact=False),
    Form("sums at the end", lambda n: n.op("Add", n.scores(), BIAS), end=True),
    Form("one pixel, one channel", lambda n: n.conv(n.quant(n.conv(
        inputs(n, 1, 1, 1, 1), 1, 1, (1, 1))), 1, 1, (1, 1))),
    Form("one feature", lambda n: n.dense(n.quant(n.dense(inputs(n, 1, 1), 1, 1)), 1, 1)),
    Form("weights of 0", lambda n: n.op("Add", n.op("MatMul", n.features(), n.quant(np.zeros((4, 4)))), BIAS)),
    Form("sums beyond float32", lambda n: n.dense(n.dense(
        inputs(n, 3, 64, scale=2.0**-7, bits=8), 64, 64, bits=8, scale=2.0**-7), 64, bits=8, scale=0.5)),
)  # fmt: skip
