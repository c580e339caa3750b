"""One small network around each operator of the range analysis, with random attributes, constants and input ranges.

All numbers are multiples of 1/4 and small, so that float32 computes without rounding wherever it can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.domains import CHANNELS_LAST, GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import qonnx_make_model


class Net:
    """Collects nodes; `draw` of Hypothesis decides."""

    def __init__(self, draw: Any, opset: int) -> None:
        self.draw, self.opset, self.general = draw, opset, 1
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.nodes: list[NodeProto] = []
        self.shapes: dict[str, list[int]] = {}
        self.ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.outputs: list[str] = []

    def int(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def x(self, shape: Sequence[int] | None = None, low: int = -12, high: int = 12, step: float = 0.25) -> str:
        """A graph input (2, C, H, W), of random bounds per channel or for all, which may be equal."""
        shape = list(shape or (2, self.int(1, 3), self.int(1, 4), self.int(1, 4)))
        size = [1] * len(shape)
        if len(shape) > 1 and self.pick(False, True):
            axis = self.pick(*range(1, len(shape)))
            size[axis] = shape[axis]
        ends = np.sort(self.rng.integers(low, high + 1, (2, *size)), axis=0) * step
        name = f"x{len(self.shapes)}"
        self.shapes[name], self.ranges[name] = shape, (ends[0], ends[1])
        return name

    def image(self, channels: int | None = None, least: int = 3, last: bool = False, **bounds: Any) -> str:
        """A graph input (2, C, H, W), H and W at least `least`; (2, H, W, C) if the channels are last."""
        c, h, w = channels or self.int(1, 3), self.int(least, 6), self.int(least, 6)
        return self.x((2, h, w, c) if last else (2, c, h, w), **bounds)

    def shape(self, name: str) -> list[int]:
        return self.shapes[name]

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def weights(self, *shape: int, low: int = -6, high: int = 6, step: float = 0.25) -> str:
        return self.const(self.rng.integers(low, high + 1, shape) * step)

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(op_type, list(inputs), names, domain=domain, **attributes))
        self.outputs = names
        return names[0]

    def model(self) -> ModelWrapper:
        floats = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.shapes.items()]
        outputs = [helper.make_empty_tensor_value_info(name) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "sample", floats, outputs)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, self.general)]
        model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
        for name, value in self.constants.items():
            model.set_initializer(name, value)
        return model.transform(InferShapes(), make_deepcopy=False, cleanup=False)

    def values(self) -> dict[str, np.ndarray]:
        """Random inputs within the ranges, often at their ends."""
        feeds = {}
        for name, (low, high) in self.ranges.items():
            place = self.rng.choice(np.array([0, 0, 0, 1, 2, 3, 4, 4, 4]) / 4, self.shapes[name])
            feeds[name] = np.asarray(low + (high - low) * place, np.float32)
        return feeds


def conv_attributes(n: Net, size: Sequence[int], rank: int, kernel: Sequence[int], transposed: bool = False) -> Any:
    """Random strides, dilations and padding that leave at least one window."""
    dilations = [n.int(1, 2) for _ in range(rank)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    attributes: dict[str, Any] = {"dilations": dilations, "strides": [n.int(1, 3) for _ in range(rank)]}
    if not transposed and n.pick(False, False, True):
        return attributes | {"auto_pad": n.pick("SAME_UPPER", "SAME_LOWER"), "dilations": [1] * rank}
    least = [0] * rank if transposed else [max(r - s, 0) for r, s in zip(reach, size, strict=True)]
    pads = [n.int(a, a + (0 if transposed else 1)) for a in least] + [n.int(0, 1) for _ in range(rank)]
    if transposed:
        pads = [n.int(0, min(1, (r - 1) // 2)) for r in reach * 2]
        attributes["output_padding"] = [n.int(0, s - 1) for s in attributes["strides"]]
    return attributes | {"pads": pads}


def conv(n: Net) -> str:
    group, inner, rank = n.int(1, 2), n.int(1, 2), n.int(1, 2)
    kernel = [n.int(1, 3) for _ in range(rank)]
    size = [n.int(3, 6) for _ in range(rank)]
    out = group * n.int(1, 2)
    inputs = [n.x((2, group * inner, *size)), n.weights(out, inner, *kernel)]
    if n.pick(False, True):
        inputs.append(n.weights(out))
    return n.node("Conv", inputs, group=group, **conv_attributes(n, size, rank, kernel))


def conv_transpose(n: Net) -> str:
    group, inner, out = n.int(1, 2), n.int(1, 2), n.int(1, 2)
    kernel, size = [n.int(1, 3) for _ in range(2)], [n.int(2, 4) for _ in range(2)]
    inputs = [n.x((2, group * inner, *size)), n.weights(group * inner, out, *kernel)]
    if n.pick(False, True):
        inputs.append(n.weights(group * out))
    attributes = conv_attributes(n, size, 2, kernel, transposed=True)
    return n.node("ConvTranspose", inputs, group=group, **attributes)


def matmul(n: Net) -> str:
    m, k, c = n.int(1, 3), n.int(1, 4), n.int(1, 3)
    kind = n.pick("right", "left", "dynamic", "batched")
    if kind == "left":
        return n.node("MatMul", [n.weights(m, k), n.x((2, k, c))])
    right = n.x((2, k, c)) if kind == "dynamic" else n.weights(*((2,) if kind == "batched" else ()), k, c)
    return n.node("MatMul", [n.x((2, m, k)), right])


def gemm(n: Net) -> str:
    m, k, c = 2, n.int(1, 4), n.int(1, 3)
    trans_a, trans_b = n.int(0, 1), n.int(0, 1)
    inputs = [n.x((k, m) if trans_a else (m, k)), n.weights(*((c, k) if trans_b else (k, c))), n.weights(c)]
    factors = {"alpha": n.pick(None, 0.5, -2.0), "beta": n.pick(None, -0.5, 0.0)}
    return n.node("Gemm", inputs, transA=trans_a, transB=trans_b, **factors)


def batch_norm(n: Net) -> str:
    x = n.x()
    c = n.shape(x)[1]
    return n.node("BatchNormalization", [x, n.weights(c), n.weights(c), n.weights(c), n.weights(c, low=1, high=8)])


def quant(op_type: str, domain: str = GENERAL) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.x()
        per_channel = (1, n.shape(x)[1], 1, 1)
        scale = n.const(n.rng.choice([0.25, 0.5, 1.0, 2.0], per_channel if n.pick(False, True) else ()))
        signed = n.int(0, 1)
        parameters = [scale, n.const(n.int(-2, 2)), n.const(n.int(1, 4))]
        mode = n.pick("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
        return n.node(op_type, [x, *parameters], domain=domain, signed=signed, narrow=n.int(0, 1), rounding_mode=mode)

    return build


def trunc(n: Net) -> str:
    """The second version, with an output scale."""
    x, scale, n.general = n.x(), n.pick(0.25, 0.5), 2
    values = (scale, n.int(-1, 1), 6.0, scale * n.pick(1.0, 2.0, 4.0), n.int(3, 6))
    attributes = {"rounding_mode": n.pick("FLOOR", "ROUND", "CEIL"), "signed": n.int(0, 1), "narrow": n.int(0, 1)}
    return n.node("Trunc", [x, *map(n.const, values)], domain=GENERAL, **attributes)


def float_quant(n: Net) -> str:
    parameters = [n.const(v) for v in (n.pick(0.5, 1.0), 3.0, 2.0, n.int(1, 3), 100.0)]
    flags = {"has_inf": 0, "has_nan": 0, "has_subnormal": n.int(0, 1), "saturation": 1}
    return n.node("FloatQuant", [n.x(), *parameters], domain=GENERAL, rounding_mode="ROUND", **flags)


def multithreshold(n: Net) -> str:
    x = n.x()
    rows = n.pick(1, n.shape(x)[1])
    thresholds = n.const(np.sort(n.rng.integers(-12, 13, (rows, n.int(1, 4))) / 4, axis=1))
    scale, bias = n.pick(1.0, 0.5, 2.0), n.pick(0.0, -1.0, 0.25)
    return n.node("MultiThreshold", [x, thresholds], domain=GENERAL, out_dtype="INT8", out_scale=scale, out_bias=bias)


def linear_quant(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.x()
        c = n.shape(x)[1]
        size = c if n.pick(False, True) else ()
        scale = n.const(n.rng.choice([0.25, 0.5, 1.0], size))
        zero = n.const(np.full(size, n.int(-2, 2)), np.int8)
        axis = 1 if size else None
        q = n.node("QuantizeLinear", [x, scale, zero], axis=axis)
        return q if op_type == "QuantizeLinear" else n.node(op_type, [q, scale, zero], axis=axis)

    return build


def pool(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        kernel = [n.int(1, 3), n.int(1, 3)]
        pads = [n.int(0, (k - 1) // 2) for k in kernel * 2]
        attributes: dict[str, Any] = {"kernel_shape": kernel, "pads": pads, "strides": [n.int(1, 2), n.int(1, 2)]}
        if op_type == "AveragePool":
            attributes["count_include_pad"] = n.int(0, 1)
        elif n.opset >= 10:
            attributes["ceil_mode"] = n.int(0, 1)
        return n.node(op_type, [n.image()], **attributes)

    return build


def reduce(op_type: str, **bounds: Any) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.x(**bounds)
        axes = n.pick([1], [2, 3], [-1], [0, 2], None)
        keep = n.int(0, 1)
        as_input = n.opset >= 18 or (op_type == "ReduceSum" and n.opset >= 13)
        if as_input and axes is not None:
            return n.node(op_type, [x, n.const(axes, np.int64)], keepdims=keep)
        return n.node(op_type, [x], axes=axes, keepdims=keep)

    return build


def clip(n: Net) -> str:
    low, high = sorted(n.rng.integers(-12, 13, 2) / 4)
    if n.opset < 11:
        return n.node("Clip", [n.x()], min=float(low), max=float(high))
    return n.node("Clip", [n.x(), n.pick("", n.const(low)), n.pick("", n.const(high))])


def pad(n: Net) -> str:
    pads = [0, 0, n.int(0, 2), n.int(0, 2), 0, n.int(0, 1), n.int(0, 2), 0]
    value = n.pick(0.0, 1.25, -5.0)
    if n.opset < 11:
        return n.node("Pad", [n.image()], pads=pads, value=value)
    mode = n.pick("constant", "edge")
    return n.node("Pad", [n.image(), n.const(pads, np.int64), n.const(value)], mode=mode)


def binary(op_type: str, **bounds: Any) -> Callable[[Net], str]:
    """Two inputs, of which one may be constant or broadcast."""

    def build(n: Net) -> str:
        x = n.x()
        other = n.pick("dynamic", "constant", "vector")
        if other == "dynamic":
            y = n.x(n.shape(x), **bounds)
        else:
            y = n.weights(*(n.shape(x) if other == "constant" else [n.shape(x)[1], 1, 1]), **bounds)
        swap = op_type not in ("Div", "Pow", "PRelu") and n.pick(False, True)
        return n.node(op_type, [y, x] if swap else [x, y])

    return build


def comparison(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.x()
        return n.node(op_type, [x, n.x(n.shape(x))])

    return build


def logical(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        bits = [n.node("Cast", [n.x((2, 3))], to=TensorProto.BOOL) for _ in range(1 if op_type == "Not" else 2)]
        return n.node(op_type, bits)

    return build


def several(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.x()
        return n.node(op_type, [x, *[n.x(n.shape(x)) for _ in range(n.int(0, 2))], n.weights(*n.shape(x))])

    return build


def unary(op_type: str, domain: str = "", low: int = -12, **attributes: Any) -> Callable[[Net], str]:
    """attributes : values of which one is drawn."""

    def build(n: Net) -> str:
        drawn = {k: n.pick(*v) for k, v in attributes.items()}
        return n.node(op_type, [n.x(low=low)], domain=domain, **drawn)

    return build


def axes_node(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        axes = [1, 3] if op_type == "Squeeze" else [0, 2]
        x = n.x((2, 1, 3, 1)) if op_type == "Squeeze" else n.x((2, 3))
        return n.node(op_type, [x], axes=axes) if n.opset < 13 else n.node(op_type, [x, n.const(axes, np.int64)])

    return build


def split(n: Net) -> str:
    x, axis = n.x((2, 3, 2, 4)), n.pick(1, 3)
    parts = [1, 2] if axis == 1 else [3, 1]
    if n.opset < 13:
        return n.node("Split", [x], 2, split=parts, axis=axis)
    return n.node("Split", [x, n.const(parts, np.int64)], 2, axis=axis)


def slices(n: Net) -> str:
    ends = {"starts": [0, 1], "ends": [2, 3], "axes": [1, 2]}
    x = n.x((2, 3, 4))
    return (
        n.node("Slice", [x], **ends)
        if n.opset < 10
        else n.node("Slice", [x, *[n.const(v, np.int64) for v in ends.values()]])
    )


def concat(n: Net) -> str:
    parts = [n.x((2, n.int(1, 2), 3)) for _ in range(n.int(1, 2))] + [n.weights(2, 2, 3)]
    return n.node("Concat", parts, axis=n.pick(1, -2))


def gather(n: Net) -> str:
    if n.pick(False, True):
        return n.node("Gather", [n.x((2, 3, 4)), n.const([[0, 2], [1, 1]], np.int64)], axis=n.pick(1, 2))
    index = n.node("ArgMax", [n.x((2, 3))], axis=1, keepdims=0)
    return n.node("Gather", [n.x((4, 3, 4)), index], axis=n.pick(0, 1))


def resize(n: Net) -> str:
    x, mode = n.image(), n.pick("nearest", "linear")
    scales = n.const([1, 1, n.pick(1, 2, 3), n.pick(1, 2)])
    return n.node("Resize", [x, "", scales], mode=mode)


def upsample(n: Net) -> str:
    return n.node("Upsample", [n.image(), n.const([1, 1, 2, n.pick(1, 2)])], mode=n.pick("nearest", "linear"))


def index_of(op_type: str) -> Callable[[Net], str]:
    return lambda n: n.node(op_type, [n.x()], axis=n.pick(1, -1), keepdims=n.int(0, 1))


def top_k(n: Net) -> str:
    x = n.x((2, 3, 4))
    if n.opset < 10:
        return n.node("TopK", [x], 2, k=n.int(1, 3), axis=n.pick(1, -1))
    largest = n.int(0, 1) if n.opset >= 11 else None
    return n.node("TopK", [x, n.const([n.int(1, 3)], np.int64)], 2, axis=n.pick(1, -1), largest=largest)


def where(n: Net) -> str:
    x = n.x((2, 3))
    return n.node("Where", [n.node("Cast", [n.x((2, 3))], to=TensorProto.BOOL), x, n.weights(2, 3)])


def xnor(n: Net) -> str:
    k, bits = n.int(1, 5), {"low": 0, "high": 1, "step": 1.0}
    kind = n.pick("right", "left", "dynamic")
    a = n.weights(3, k, **bits) if kind == "left" else n.node("Round", [n.x((2, 3, k), **bits)])
    b = n.weights(k, 2, **bits) if kind == "right" else n.node("Round", [n.x((2, k, 2), **bits)])
    return n.node("XnorPopcountMatMul", [a, b], domain=GENERAL)


def im2col(n: Net) -> str:
    x = n.image(last=True)
    kernel, pads = [n.int(1, 3), n.int(1, 3)], [n.int(0, 1) for _ in range(4)]
    return n.node(
        "Im2Col", [x], domain=GENERAL, stride=[1, n.int(1, 2)], kernel_size=kernel, pad_amount=pads,
        pad_value=n.int(-1, 1), input_shape=str(tuple(n.shape(x))),
    )  # fmt: skip


def quant_avg_pool(n: Net) -> str:
    x = n.node("Round", [n.image(low=0, high=7, step=1.0)])
    window = {"kernel": n.int(1, 3), "stride": n.int(1, 2)}
    return n.node(
        "QuantAvgPool2d", [x], domain=GENERAL, ibits=3, obits=n.int(2, 4), signed=0, data_layout="NCHW", **window
    )


def channels_last(op_type: str) -> Callable[[Net], str]:
    def build(n: Net) -> str:
        x = n.image(last=True)
        c = n.shape(x)[-1]
        if op_type == "BatchNormalization":
            inputs = [x, *[n.weights(c, low=low, high=8) for low in (-8, -8, -8, 1)]]
            return n.node(op_type, inputs, domain=CHANNELS_LAST, epsilon=1e-5, momentum=0.9)
        kernel, pads = [2, 3], [n.int(0, 1)] * 4
        common = {"domain": CHANNELS_LAST, "kernel_shape": kernel, "pads": pads, "strides": [n.int(1, 2)] * 2}
        if op_type == "MaxPool":
            return n.node(op_type, [x], **common)
        return n.node(op_type, [x, n.weights(2, *kernel, c)], group=1, dilations=[1, 1], **common)

    return build


SAMPLES: dict[str, Callable[[Net], str]] = {
    **{
        op: unary(op)
        for op in (
            "Abs",
            "Atan",
            "Ceil",
            "Cos",
            "Erf",
            "Exp",
            "Floor",
            "Gelu",
            "HardSwish",
            "Identity",
            "Mish",
            "Neg",
            "Reciprocal",
            "Relu",
            "Round",
            "Sigmoid",
            "Sign",
            "Sin",
            "Softplus",
            "Softsign",
            "Tanh",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "IsNaN",
            "Shape",
            "Size",
            "IsInf",
        )
    },
    "Log": unary("Log", low=1),
    "Sqrt": unary("Sqrt", low=0),
    "Celu": unary("Celu", alpha=(0.5, 2.0)),
    "Elu": unary("Elu", alpha=(0.5, -1.5)),
    "Selu": unary("Selu", alpha=(0.5, -1.5)),
    "LeakyRelu": unary("LeakyRelu", alpha=(0.25, -0.5)),
    "HardSigmoid": unary("HardSigmoid", alpha=(0.25, -0.5), beta=(0.5,)),
    "Softmax": unary("Softmax", axis=(1, -1)),
    "Hardmax": unary("Hardmax", axis=(1, -1)),
    "LogSoftmax": unary("LogSoftmax", axis=(1, -1)),
    "Cast": unary("Cast", to=(TensorProto.INT8, TensorProto.FLOAT16, TensorProto.BOOL, TensorProto.DOUBLE)),
    "DebugMarker": unary("DebugMarker", domain=GENERAL, export_debug_name=("d",)),
    "Flatten": unary("Flatten", axis=(1, 2)),
    "Transpose": unary("Transpose", perm=([0, 2, 3, 1], [0, 3, 2, 1])),
    "Dropout": unary("Dropout"),
    **{op: binary(op) for op in ("Add", "Mul", "PRelu", "Sub")},
    "Div": binary("Div", low=1),
    "Pow": lambda n: n.node("Pow", [n.x(low=n.pick(-8, 1)), n.const(n.pick(0.0, 1.0, 2.0, 3.0, 4.0))]),
    **{op: several(op) for op in ("Max", "Mean", "Min", "Sum")},
    **{op: comparison(op) for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    **{op: logical(op) for op in ("And", "Not", "Or", "Xor")},
    "Where": where,
    "Clip": clip,
    "BatchNormalization": batch_norm,
    "Quant": quant("Quant"),
    "IntQuant": quant("IntQuant"),
    "BipolarQuant": lambda n: n.node("BipolarQuant", [n.x(), n.const(n.pick(0.5, 1.0))], domain=GENERAL),
    "Trunc": trunc,
    "FloatQuant": float_quant,
    "MultiThreshold": multithreshold,
    "QuantizeLinear": linear_quant("QuantizeLinear"),
    "DequantizeLinear": linear_quant("DequantizeLinear"),
    "DepthToSpace": lambda n: n.node("DepthToSpace", [n.image(4)], blocksize=2),
    "SpaceToDepth": lambda n: n.node("SpaceToDepth", [n.x((2, 2, 4, 2))], blocksize=2),
    "Expand": lambda n: n.node("Expand", [n.x((2, 3, 1)), n.const([2, 3, 4], np.int64)]),
    "Reshape": lambda n: n.node("Reshape", [n.x((2, 3, 4)), n.const(n.pick([2, 12], [2, -1, 3]), np.int64)]),
    "Tile": lambda n: n.node("Tile", [n.x((2, 3)), n.const([1, 2], np.int64)]),
    "GatherElements": lambda n: n.node("GatherElements", [n.x((2, 3)), n.const([[0, 2], [1, 1]], np.int64)], axis=1),
    "GatherND": lambda n: n.node("GatherND", [n.x((2, 3, 2)), n.const([[0, 2], [1, 1]], np.int64)]),
    "Gather": gather,
    "Slice": slices,
    "Split": split,
    "Squeeze": axes_node("Squeeze"),
    "Unsqueeze": axes_node("Unsqueeze"),
    "Concat": concat,
    "Pad": pad,
    "Im2Col": im2col,
    "Resize": resize,
    "Upsample": upsample,
    **{op: reduce(op) for op in ("ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin")},
    **{op: reduce(op) for op in ("ReduceSum", "ReduceSumSquare")},
    "ReduceLogSum": reduce("ReduceLogSum", low=1),
    "MaxPool": pool("MaxPool"),
    "AveragePool": pool("AveragePool"),
    "MaxPoolNHWC": lambda n: n.node(
        "MaxPoolNHWC",
        [n.image(last=True)],
        domain=GENERAL,
        kernel_shape=[2, 2],
        pads=[0] * 4,
        strides=[n.int(1, 2)] * 2,
    ),
    "QuantAvgPool2d": quant_avg_pool,
    "ArgMax": index_of("ArgMax"),
    "ArgMin": index_of("ArgMin"),
    "TopK": top_k,
    "MatMul": matmul,
    "Gemm": gemm,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "XnorPopcountMatMul": xnor,
}
"""By op type, the same as the table of rules."""

EXTRA: dict[str, Callable[[Net], str]] = {
    f"channels_last {op}": channels_last(op) for op in ("BatchNormalization", "Conv", "MaxPool")
}

SINCE = {"Gelu": 20, "Mish": 18, "HardSwish": 14, "Celu": 12, "GreaterOrEqual": 12, "LessOrEqual": 12, "GatherND": 11}
SINCE |= {
    "GatherElements": 11,
    "Round": 11,
    "Resize": 13,
    "Equal": 11,
    "QuantizeLinear": 13,
    "DequantizeLinear": 13,
    "Where": 9,
}
SINCE |= {"XnorPopcountMatMul": 11, "QuantAvgPool2d": 11, "IsInf": 10}
UNTIL = {"Upsample": 9}
OPSETS = (9, 10, 11, 13, 18, 20)


def opsets_of(name: str) -> list[int]:
    """The versions of ONNX in which a sample exists."""
    return [o for o in OPSETS if SINCE.get(name, 9) <= o <= UNTIL.get(name, OPSETS[-1])]
