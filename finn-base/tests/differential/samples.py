"""Models that both packages transform: {name: function that makes one}, as exporters write them. Integers small enough
for exact sums, batch 2 where qonnx has no defect there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "models.py"
GENERAL = "qonnx.custom_op.general"


def _benchmark_models() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_models", BENCHMARKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = _benchmark_models()


class Net(models.Net):  # type: ignore[misc, name-defined]
    """A benchmark's graph that grows, in any opset and with annotations."""

    def __init__(self, shape: list[int], opset: int = 13) -> None:
        super().__init__(shape, bits=4)
        self.opset = opset
        self.datatypes: dict[str, str] = {}
        self.extra_inputs: list[Any] = []

    def whole(self, *shape: int, low: int = -4, high: int = 5) -> str:
        return str(self.constant(self.random.integers(low, high, shape)))

    def typed(self, name: str, datatype: str) -> str:
        self.datatypes[name] = datatype
        return name

    def made(self, *outputs: str, kind: int = TensorProto.FLOAT, shape: list[int] | None = None) -> ModelProto:
        """The model, the shapes of its outputs left to inference unless one is given."""
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape), *self.extra_inputs],
            [helper.make_tensor_value_info(output, kind, shape) for output in outputs],
            self.constants,
        )  # fmt: skip
        for name, datatype in self.datatypes.items():
            entry = graph.quantization_annotation.add(tensor_name=name)
            entry.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


def affine() -> ModelProto:
    """Sub and Div by constants, BatchNormalization, constants first in commutative nodes, identities."""
    net = Net([2, 3, 4, 4])
    x = net.add("Sub", ["x", net.whole(1, 3, 1, 1)])
    x = net.add("Div", [x, net.constant(np.array([2, 4, 8]).reshape(1, 3, 1, 1))])
    x = net.batchnorm(x, 3, 4)
    x = net.add("Add", [net.constant(0.0), x])
    x = net.add("Mul", [x, net.constant(1.0)])
    x = net.add("Identity", [x])
    x = net.add("Mul", [net.whole(1, 3, 1, 1), x])
    return net.made(net.add("Relu", [x]))


def forks() -> ModelProto:
    """A fork with two branches that join, a shared constant, an output that is also read, and nodes without use."""
    net = Net([2, 3, 4, 4])
    shared = net.whole(1, 3, 1, 1)
    a = net.add("Mul", ["x", net.constant(2.0)])
    b = net.add("Add", [net.add("Relu", [a]), shared])
    c = net.add("Sub", [net.add("Add", [a, shared]), net.whole(1, 3, 1, 1)])
    net.add("Neg", [b])
    return net.made(net.add("Add", [b, c]), b)


def constant_parts() -> ModelProto:
    """Parts that can be computed beforehand, with and without quantizers, and a Shape of a known shape."""
    net = Net([2, 3])
    w = net.add("Transpose", [net.quant(net.whole(4, 3), 0.5, True)], perm=[1, 0])
    bias = net.add("Mul", [net.add("Add", [net.whole(4), net.whole(4)]), net.constant(0.5)])
    x = net.add("Add", [net.add("MatMul", ["x", w]), bias])
    shape = net.add("Shape", [x])
    return net.made(net.add("Reshape", [net.add("Relu", [x]), shape]))


def dense() -> ModelProto:
    """Gemm with every attribute, quantized activations, MatMul."""
    net = Net([2, 6])
    x = net.add("Gemm", [net.quant("x", 1.0, True), net.whole(5, 6), net.whole(5)], alpha=2.0, beta=0.5, transB=1)
    x = net.activation(x)
    x = net.add("Gemm", [x, net.whole(5, 4), net.whole(4)])
    return net.made(net.add("MatMul", [net.quant(x, 1.0, True), net.quant(net.whole(4, 3), 1.0, True)]))


def bipolar() -> ModelProto:
    """Matrix products of signs, behind thresholds."""
    net = Net([2, 8])
    x = net.add("MultiThreshold", ["x", net.constant(np.zeros((1, 1)))], GENERAL,
                out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0)  # fmt: skip
    w = net.typed(net.constant(np.sign(net.random.standard_normal((8, 4)))), "BIPOLAR")
    return net.made(net.add("MatMul", [net.typed(x, "BIPOLAR"), w]))


def convs(batch: int = 1, group: int = 1, bias: bool = False) -> Callable[[], ModelProto]:
    """Convolutions, 3 x 3 with pads and stride 2, then 1 x 1."""

    def build() -> ModelProto:
        net = Net([batch, 4, 6, 6])
        more = [net.whole(4)] if bias else []
        x = net.add(
            "Conv", ["x", net.whole(4, 4 // group, 3, 3), *more], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
            dilations=[1, 1], group=group,
        )  # fmt: skip
        x = net.add("Relu", [x])
        x = net.add("Conv", [x, net.whole(2, 4, 1, 1)], kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4,
                    dilations=[1, 1], group=1)  # fmt: skip
        return net.made(net.activation(x))

    return build


def scaled_conv() -> ModelProto:
    """A padded convolution of scaled integers."""
    net = Net([1, 2, 5, 5])
    x = net.activation("x")
    return net.made(net.add("Conv", [x, net.whole(3, 2, 3, 3)], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4,
                            dilations=[1, 1], group=1))  # fmt: skip


def classifier() -> ModelProto:
    """Conv, pooling, flatten, dense: what the channels-last flow is for."""
    net = Net([1, 2, 6, 6])
    x = net.activation(net.conv("x", 2, 4, 3))
    x = net.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
    x = net.add("Mul", [x, net.constant(2.0)])
    return net.made(net.dense(net.flatten(x), 36, 3))


def moved_fork() -> ModelProto:
    """A node with a constant operand, then a fork: what is moved past forks."""
    net = Net([2, 4, 5])
    x = net.add("Mul", ["x", net.constant(2.0)])
    x = net.add("Add", [net.add("Relu", [x]), net.add("Neg", [x])])
    x = net.add("Add", [x, net.whole(1, 4, 1)])
    x = net.add("Mul", [net.add("Relu", [x]), net.add("Neg", [x])])
    x = net.add("Transpose", [x], perm=[0, 2, 1])
    return net.made(net.add("Add", [net.add("Relu", [x]), net.add("Neg", [x])]))


def quantized_inputs() -> ModelProto:
    """Quantizers with a scale per channel, a scale per tensor, a zero point; 2 to 8 bits."""
    net = Net([2, 3, 4])
    per_channel = net.constant(np.array([0.5, 0.25, 1]).reshape(1, 3, 1))
    zero, bits = net.constant(0.0), net.constant(8.0)
    x = net.add("Quant", ["x", net.constant(0.25), zero, bits], GENERAL, signed=1, narrow=0, rounding_mode="ROUND")
    x = net.add("Relu", [x])
    x = net.add("Quant", [x, net.constant(0.5), zero, net.constant(4.0)], GENERAL, signed=0, narrow=0,
                rounding_mode="ROUND")  # fmt: skip
    x = net.add("Mul", [x, net.constant(2.0)])
    return net.made(net.add("Quant", [x, per_channel, zero, net.constant(3.0)], GENERAL, signed=1, narrow=1,
                            rounding_mode="ROUND"))  # fmt: skip


def zero_points() -> ModelProto:
    net = Net([2, 3])
    return net.made(net.add("Quant", ["x", net.constant(0.5), net.constant(3.0), net.constant(4.0)], GENERAL,
                            signed=0, narrow=0, rounding_mode="ROUND"))  # fmt: skip


def qcdq() -> ModelProto:
    """QuantizeLinear, Clip, DequantizeLinear; of 8 bits without Clip; a weight as integers."""
    net = Net([2, 4])
    scale, zero = net.constant(0.5), net.constant(0, np.int8)
    x = net.add("QuantizeLinear", ["x", scale, zero])
    x = net.add("Clip", [x, net.constant(-8, np.int8), net.constant(7, np.int8)])
    x = net.add("DequantizeLinear", [x, scale, zero])
    w = net.add("DequantizeLinear", [net.constant(net.random.integers(-9, 9, (4, 3)), np.int8), scale, zero])
    x = net.add("MatMul", [x, w])
    scale, zero = net.constant(0.25), net.constant(0, np.uint8)
    x = net.add("QuantizeLinear", [x, scale, zero])
    return net.made(net.add("DequantizeLinear", [x, scale, zero]))


def pads() -> ModelProto:
    """Pad with attributes, as before opset 11."""
    net = Net([2, 3, 4, 4], opset=9)
    x = net.add("Pad", ["x"], pads=[0, 0, 1, 1, 0, 0, 2, 1], mode="constant", value=1.5)
    x = net.add("Pad", [x], pads=[0] * 8, mode="constant", value=0.0)
    return net.made(net.add("Relu", [x]))


def doubles() -> ModelProto:
    """A constant in float64, cast where it is used."""
    net = Net([2, 3])
    w = net.add("Cast", [net.constant(np.arange(3) / 3, np.float64)], to=TensorProto.FLOAT)
    return net.made(net.add("Add", ["x", w]))


def static_inputs() -> ModelProto:
    """A constant that is also a graph input, as before IR version 4."""
    net = Net([2, 3])
    w = net.whole(3)
    net.extra_inputs.append(helper.make_tensor_value_info(w, TensorProto.FLOAT, [3]))
    return net.made(net.add("Add", ["x", w]))


def lines() -> ModelProto:
    """Tensors of three axes: 1-D convolution and pooling."""
    net = Net([2, 4, 8])
    x = net.add("Conv", ["x", net.whole(3, 4, 3)], kernel_shape=[3], strides=[1], pads=[1, 1], dilations=[1], group=1)
    x = net.add("MaxPool", [net.add("Relu", [x])], kernel_shape=[2], strides=[2], pads=[0, 0])
    return net.made(net.add("Relu", [x]))


def average() -> ModelProto:
    net = Net([2, 3, 4, 4])
    x = net.add("QuantAvgPool2d", [net.typed("x", "UINT4")], GENERAL, stride=2, kernel=2, ibits=4, obits=4, signed=0,
                data_layout="NCHW")  # fmt: skip
    return net.made(net.add("Relu", [x]))


def transposes() -> ModelProto:
    """A graph whose layouts can be inferred: NCHW, NHWC, NC."""
    net = Net([2, 3, 4, 4])
    x = net.add("Transpose", ["x"], perm=[0, 2, 3, 1])
    x = net.add("Relu", [x])
    x = net.add("Transpose", [x], perm=[0, 3, 1, 2])
    x = net.add("GlobalAveragePool", [x])
    return net.made(net.add("Flatten", [x], axis=1))


def upsampled() -> ModelProto:
    """Nearest Resize, then a convolution that keeps the size."""
    net = Net([2, 2, 4, 4])
    x = net.add("Resize", ["x", net.constant([], np.float32), net.constant([1, 1, 2, 2], np.float32)],
                mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    return net.made(net.add("Conv", [x, net.quant(net.whole(3, 2, 3, 3), 1.0, True)], kernel_shape=[3, 3],
                            strides=[1, 1], pads=[1] * 4, dilations=[1, 1], group=1))  # fmt: skip


def subpixels() -> ModelProto:
    net = Net([2, 2, 4, 4])
    x = net.add("Conv", ["x", net.whole(8, 2, 3, 3)], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4,
                dilations=[1, 1], group=1)  # fmt: skip
    return net.made(net.add("DepthToSpace", [x], blocksize=2, mode="DCR"))


def wide_im2col() -> ModelProto:
    """Windows as wide as their stride, over one channel."""
    net = Net([1, 1, 8, 1])
    x = net.typed(net.add("Identity", ["x"]), "INT4")
    x = net.add("Im2Col", [x], GENERAL, stride=[4, 1], kernel_size=[4, 1], pad_amount=[0] * 4, input_shape="(1,8,1,1)")
    net.shape = [1, 8, 1, 1]
    return net.made(net.typed(x, "INT4"))


def scores() -> ModelProto:
    net = Net([2, 6])
    return net.made(net.add("MatMul", ["x", net.whole(6, 5)]))


SAMPLES: dict[str, Callable[[], ModelProto]] = {
    "affine": affine,
    "average": average,
    "bipolar": bipolar,
    "biased conv": convs(2, bias=True),
    "classifier": classifier,
    "constant parts": constant_parts,
    "conv": convs(),
    "conv batch": convs(2),
    "dense": dense,
    "depthwise conv": convs(1, group=4),
    "doubles": doubles,
    "forks": forks,
    "lines": lines,
    "moved fork": moved_fork,
    "pads": pads,
    "qcdq": qcdq,
    "quantized": quantized_inputs,
    "scaled conv": scaled_conv,
    "scores": scores,
    "static inputs": static_inputs,
    "subpixels": subpixels,
    "transposes": transposes,
    "upsampled": upsampled,
    "wide im2col": wide_im2col,
    "zero points": zero_points,
    **models.NETWORKS,
}
LARGE = frozenset({"MobileNet-v1", "ResNet-50"})
