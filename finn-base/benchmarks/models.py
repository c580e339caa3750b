# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quantized networks of the usual sizes with random weights, as an exporter of QONNX writes them.

Made with onnx alone, so that every package under test can read the same files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

DOMAIN = "qonnx.custom_op.general"
OPSET = 13
IR_VERSION = 8


class Net:
    """A graph that grows at its end: every method takes the tensor that it continues and returns the new one.

    bits: of activations, and of weights unless weight_bits says otherwise; 1 bit is -1 or +1. input_bits: of a
    quantizer behind the graph input, 0 for none.
    """

    def __init__(self, shape: list[int], bits: int, weight_bits: int = 0, input_bits: int = 0, seed: int = 0) -> None:
        self.shape, self.bits, self.weight_bits = shape, bits, weight_bits or bits
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.random = np.random.default_rng(seed)
        self.input = self.quant("x", 2.0**-input_bits, signed=False, bits=input_bits) if input_bits else "x"

    def constant(self, value: object, dtype: type[np.generic] = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, op: str, inputs: list[str], domain: str = "", **attributes: object) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def quant(self, x: str, scale: object, signed: bool, bits: int = 0) -> str:
        if bits == 1:
            return self.add("BipolarQuant", [x, self.constant(scale)], DOMAIN)
        parameters = [self.constant(scale), self.constant(0.0), self.constant(float(bits or self.bits))]
        return self.add(
            "Quant", [x, *parameters], DOMAIN, signed=int(signed), narrow=int(signed), rounding_mode="ROUND"
        )

    def weight(self, *shape: int, bits: int = 0) -> str:
        """Weights behind a quantizer with a scale per output channel, powers of two: results are exact then."""
        value = self.random.standard_normal(shape)
        scale = 2.0 ** self.random.integers(-3, 0, (shape[0], *[1] * (len(shape) - 1)))
        return self.quant(self.constant(value), scale, signed=True, bits=bits or self.weight_bits)

    def activation(self, x: str) -> str:
        return self.quant(self.add("Relu", [x]), 0.25, signed=False)

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1, bits: int = 0
    ) -> str:
        """Followed by BatchNormalization. bits: of the weights of this layer."""
        weight = self.weight(outputs, inputs // group, kernel, kernel, bits=bits)
        pads = [kernel // 2] * 4
        x = self.add(
            "Conv", [x, weight], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads,
            group=group, dilations=[1, 1],
        )  # fmt: skip
        return self.batchnorm(x, outputs, inputs // group * kernel**2)

    def dense(self, x: str, inputs: int, outputs: int, bits: int = 0) -> str:
        return self.add("MatMul", [x, self.add("Transpose", [self.weight(outputs, inputs, bits=bits)], perm=[1, 0])])

    def batchnorm(self, x: str, channels: int, fan_in: int) -> str:
        """Brings sums of `fan_in` products back to the order of 1."""
        ones = np.ones(channels)
        parameters = (ones, self.random.integers(-4, 5, channels) / 4, ones * 0, ones * fan_in)
        return self.add("BatchNormalization", [x, *map(self.constant, parameters)], epsilon=1e-5)

    def flatten(self, x: str) -> str:
        """x.view(x.shape[0], -1), in the five nodes that exporters make of it."""
        batch = self.add("Gather", [self.add("Shape", [x]), self.constant(0, np.int64)], axis=0)
        axes = self.constant([0], np.int64)
        dims = [self.add("Unsqueeze", [batch, axes]), self.constant([-1], np.int64)]
        return self.add("Reshape", [x, self.add("Concat", dims, axis=0)])

    def model(self, output: str, classes: int) -> ModelProto:
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [self.shape[0], classes])],
            self.constants,
        )  # fmt: skip
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def tfc(input_bits: int = 0) -> ModelProto:
    """784-64-64-64-10, 2 bits, after https://arxiv.org/abs/1612.07119."""
    net = Net([1, 1, 28, 28], bits=2, input_bits=input_bits)
    x = net.flatten(net.input)
    for inputs, outputs in ((784, 64), (64, 64), (64, 64)):
        x = net.activation(net.batchnorm(net.dense(x, inputs, outputs), outputs, inputs))
    return net.model(net.dense(x, 64, 10), 10)


def cnv(input_bits: int = 0) -> ModelProto:
    """Six convolutions and three dense layers on 32 x 32 pixels, 2 bits, after https://arxiv.org/abs/1612.07119."""
    net, channels = Net([1, 3, 32, 32], bits=2, input_bits=input_bits), 3
    x = net.input
    for outputs in (64, 128, 256):
        for _ in range(2):
            x = net.activation(net.conv(x, channels, outputs, 3))
            channels = outputs
        x = net.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
    x = net.flatten(x)
    for inputs, outputs in ((4096, 512), (512, 512)):
        x = net.activation(net.batchnorm(net.dense(x, inputs, outputs), outputs, inputs))
    return net.model(net.dense(x, 512, 10), 10)


def mobilenet_v1() -> ModelProto:
    """4 bits, 224 x 224 pixels: https://arxiv.org/abs/1704.04861, table 1."""
    net = Net([1, 3, 224, 224], bits=4)
    x, channels = net.activation(net.conv("x", 3, 32, 3, 2)), 32
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for outputs, stride in blocks:
        x = net.activation(net.conv(x, channels, channels, 3, stride, group=channels))
        x, channels = net.activation(net.conv(x, channels, outputs, 1)), outputs
    x = net.flatten(net.add("GlobalAveragePool", [x]))
    return net.model(net.dense(x, 1024, 1000), 1000)


def resnet50(bits: int = 4, weight_bits: int = 4, end_bits: int = 4, input_bits: int = 0) -> ModelProto:
    """224 x 224 pixels: https://arxiv.org/abs/1512.03385, table 1.

    end_bits: of the weights of the first and the last layer. The summands of each block have 4 bits.
    """
    net = Net([1, 3, 224, 224], bits, weight_bits, input_bits)
    x = net.activation(net.conv(net.input, 3, 64, 7, 2, bits=end_bits))
    x = net.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            y = net.activation(net.conv(x, channels, width, 1))
            y = net.activation(net.conv(y, width, width, 3, stride))
            y = net.quant(net.conv(y, width, 4 * width, 1), 0.25, signed=True, bits=4)
            shortcut = x if block else net.quant(net.conv(x, channels, 4 * width, 1, stride), 0.25, signed=True, bits=4)
            x, channels = net.activation(net.add("Add", [y, shortcut])), 4 * width
    x = net.flatten(net.add("GlobalAveragePool", [x]))
    return net.model(net.dense(x, 2048, 1000, bits=end_bits), 1000)


def residual(blocks: int, width: int = 8) -> ModelProto:
    """Blocks of two convolutions with a skip connection, `width` channels, 8 x 8 pixels, 2 bits."""
    net = Net([1, 3, 8, 8], bits=2, input_bits=8)
    x = net.activation(net.conv(net.input, 3, width, 3))
    for _ in range(blocks):
        y = net.activation(net.conv(x, width, width, 3))
        x = net.activation(net.add("Add", [net.quant(net.conv(y, width, width, 3), 0.25, signed=True), x]))
    return net.model(net.dense(net.flatten(net.add("GlobalAveragePool", [x])), width, 10), 10)


def chain(nodes: int) -> ModelProto:
    """MatMul, Add, Relu, Mul in turn, 32 wide: for measurements against the number of nodes."""
    net, x = Net([1, 32], bits=4), "x"
    for i in range(nodes):
        op = ("MatMul", "Add", "Relu", "Mul")[i % 4]
        value = {"MatMul": np.eye(32), "Add": np.ones(32), "Mul": 0.5}.get(op)
        x = net.add(op, [x] if value is None else [x, net.constant(value)])
    return net.model(x, 32)


def constants(count: int) -> ModelProto:
    """`count` nodes that can be folded: each makes an operand of a chain of additions from two constants."""
    net, x = Net([1, 32], bits=4), "x"
    for _ in range(count):
        operand = net.add("Mul", [net.constant(np.ones(32)), net.constant(2.0)])
        x = net.add("Add", [x, operand])
    return net.model(x, 32)


NETWORKS: dict[str, Callable[[], ModelProto]] = {
    "TFC": tfc,
    "CNV": cnv,
    "MobileNet-v1": mobilenet_v1,
    "ResNet-50": resnet50,
}
STREAMLINED: dict[str, Callable[[], ModelProto]] = {
    "TFC": partial(tfc, input_bits=8),
    "CNV": partial(cnv, input_bits=8),
    "ResNet-50": partial(resnet50, bits=2, weight_bits=1, end_bits=8, input_bits=8),
}
"""With pixels of 8 bits, for streamlining."""


def without_quantizers(model: ModelProto) -> ModelProto:
    """The same network in standard operators alone: every quantizer passes its input on."""
    standard = onnx.ModelProto()
    standard.CopyFrom(model)
    for node in standard.graph.node:
        if node.op_type == "Quant":
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    used = {name for node in standard.graph.node for name in node.input}
    kept = [tensor for tensor in standard.graph.initializer if tensor.name in used]
    del standard.graph.initializer[:], standard.opset_import[1:]
    standard.graph.initializer.extend(kept)
    return standard
