"""Random networks of integers whose channels can be pruned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes

GENERAL = "finn.custom_op.general"
SIZE = 4


class Net:
    """Builds a network of (2, C, 4, 4) tensors, then of (2, K) ones."""

    def __init__(self, channels: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.channels = {"x": channels}
        self.first = channels

    def const(self, *shape: int, low: int = -1, high: int = 2) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = self.rng.integers(low, high, shape).astype(np.float32)
        return name

    def numbers(self, *values: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values)
        return name

    def add(self, op_type: str, inputs: list[str], channels: int, outputs: int = 1, **attributes: object) -> str:
        number = len(self.nodes)
        names = [f"t{number}_{i}" if i else f"t{number}" for i in range(outputs)]
        domain = GENERAL if op_type in ("MultiThreshold", "Quant") else ""
        self.nodes.append(helper.make_node(op_type, inputs, names, f"n{number}", domain=domain, **attributes))
        self.channels |= dict.fromkeys(names, channels)
        return names[0]

    def conv(self, x: str, out: int, kernel: int = 1, groups: int = 1, bias: bool = False) -> str:
        inputs = [x, self.const(out, self.channels[x] // groups, kernel, kernel)]
        inputs += [self.const(out)] if bias else []
        return self.add("Conv", inputs, out, group=groups, pads=[kernel // 2] * 4)

    def model(self, outputs: list[str], opset: int = 13) -> ModelWrapper:
        shape = [2, self.first, SIZE, SIZE]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        imports = [helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)]
        model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=8))
        return model.transform(InferShapes(), cleanup=False)


Step = Callable[[st.DrawFn, Net, str, list[str]], str]


def conv(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return net.conv(x, draw(st.sampled_from([2, 3, 4])), draw(st.sampled_from([1, 3])), bias=draw(st.booleans()))


def depthwise(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    return net.conv(x, c * draw(st.integers(1, 2)), 3, c, draw(st.booleans()))


def grouped(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return relu(draw, net, x, known) if net.channels[x] % 2 else net.conv(x, 2 * draw(st.integers(1, 2)), 1, 2)


def affine(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    shape = (c, 1, 1) if draw(st.booleans()) else (1, c, 1, 1)
    return net.add("Add", [net.add("Mul", [x, net.const(*shape)], c), net.const(*shape)], c)


def batchnorm(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    parameters = [net.const(c), net.const(c), net.const(c), net.const(c, low=1, high=2)]
    return net.add("BatchNormalization", [x, *parameters], c, epsilon=0.0)


def relu(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return net.add("Relu", [x], net.channels[x])


def thresholds(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    levels = net.const(draw(st.sampled_from([1, c])), 3, low=-9, high=9)
    net.constants[levels].sort(axis=1)
    return net.add("MultiThreshold", [x, levels], c, out_dtype="UINT2")


def quantized(net: Net, x: str, channels: int, *scale: int) -> str:
    zero = net.const(low=0, high=1)
    parameters = [net.const(*scale, low=1, high=2), zero, net.const(low=4, high=5)]
    return net.add("Quant", [x, *parameters], channels, signed=1, narrow=0)


def quant(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return quantized(net, x, net.channels[x], 1, net.channels[x], 1, 1)


def quantized_weights(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return net.add("Conv", [x, quantized(net, net.const(3, net.channels[x], 1, 1), 3, 3, 1, 1, 1)], 3)


def pool(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return net.add("MaxPool", [x], net.channels[x], kernel_shape=[3, 3], pads=[1] * 4)


def join(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    like = [name for name in known if net.channels[name] == net.channels[x]]
    op_type = draw(st.sampled_from(["Add", "Sub", "Max"]))
    return net.add(op_type, [x, draw(st.sampled_from(like))], net.channels[x])


def concat(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    other = draw(st.sampled_from(known))
    return net.add("Concat", [x, other], net.channels[x] + net.channels[other], axis=1)


def split(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    if net.channels[x] % 2:
        return relu(draw, net, x, known)
    first = net.add("Split", [x], net.channels[x] // 2, outputs=2, axis=1)
    return net.add("Add", [first, f"{first}_1"], net.channels[first])


def pad(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    net.constants["amounts"] = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    return net.add("MaxPool", [net.add("Pad", [x, "amounts"], net.channels[x])], net.channels[x], kernel_shape=[3, 3])


def deconv(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    return net.add("ConvTranspose", [x, net.const(net.channels[x], 3, 1, 1)], 3)


def grouped_deconv(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    groups = draw(st.sampled_from([g for g in (1, 2, c) if c % g == 0]))
    return net.add("ConvTranspose", [x, net.const(c, 2, 1, 1)], 2 * groups, group=groups)


def resize(draw: st.DrawFn, net: Net, x: str, known: list[str]) -> str:
    c = net.channels[x]
    net.constants |= {"none": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    inputs = [x, "none", *(["scales"] if draw(st.booleans()) else ["", net.numbers(2, c, 2 * SIZE, 2 * SIZE)])]
    wide = net.add("Resize", inputs, c, mode="nearest")
    return net.add("MaxPool", [wide], c, kernel_shape=[2, 2], strides=[2, 2])


STEPS: list[Step] = [
    conv, conv, depthwise, grouped, affine, batchnorm, relu, thresholds, quant, quantized_weights, pool, join, concat,
    split, pad, deconv, grouped_deconv, resize,
]  # fmt: skip


@st.composite
def nets(draw: st.DrawFn) -> ModelWrapper:
    net = Net(draw(st.sampled_from([2, 4])), draw(st.integers(0, 1000)))
    known = ["x"]
    for _ in range(draw(st.integers(1, 7))):
        x = draw(st.sampled_from(known[-3:]))
        known.append(draw(st.sampled_from(STEPS))(draw, net, x, known))
    x, last = known[-1], []
    if draw(st.booleans()):
        last = [draw(st.sampled_from(known[1:]))]
    return net.model(sorted({tail(draw, net, x), *last}))


def tail(draw: st.DrawFn, net: Net, x: str) -> str:
    """From images to vectors to scores."""
    c = net.channels[x]
    kind = draw(st.sampled_from(["none", "flatten", "reshape", "last", "pool"]))
    if kind == "none":
        return net.add("Relu", [x], c)
    rows = c * SIZE * SIZE
    if kind == "flatten":
        y = net.add("Flatten", [x], rows)
    elif kind == "pool":
        y, rows = net.add("Flatten", [net.add("GlobalMaxPool", [x], c)], c), c
    else:
        if kind == "last":
            x = net.add("Transpose", [x], c, perm=[0, 2, 3, 1])
        net.constants["shape"] = np.array(draw(st.sampled_from([[2, -1], [0, rows], [2, rows]])))
        y = net.add("Reshape", [x, "shape"], rows)
    if draw(st.booleans()):
        y = net.add("MatMul", [y, net.const(rows, 5)], 5)
        y = net.add("Add", [y, net.const(5)], 5)
        return net.add("Gemm", [y, net.const(3, 5), net.const(3)], 3, transB=1)
    return net.add("Relu", [y], rows)
