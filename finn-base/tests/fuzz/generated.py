"""Generated graphs of standard and custom operators, whose values are exact in float64."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.util.basic import qonnx_make_model

DOMAIN = "qonnx.custom_op.general"
OPSETS = [9, 11, 13, 18, 21]


@dataclass
class Graph:
    """Grows node by node. shapes: of the tensors that can be read; every constant is a multiple of 1/4."""

    draw: st.DrawFn
    opset: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self, *choices):  # type: ignore[no-untyped-def]
        return self.draw(st.sampled_from(choices))

    def const(self, value) -> str:  # type: ignore[no-untyped-def]
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def numbers(self, *shape: int, positive: bool = False) -> str:
        rng = np.random.default_rng(self.number(0, 2**16))
        values = rng.integers(1 if positive else -3, 4, shape) * self.pick(1.0, 0.25, 2.0)
        return self.const(values.astype(np.float32))

    def add(self, op: str, inputs: list[str], shape: tuple[int, ...], domain: str = "", **attributes: object) -> None:
        output = f"t{len(self.nodes)}"
        name = self.pick("", f"{op}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(op, inputs, [output], name, domain=domain, **attributes))
        self.shapes[output] = shape


def elementwise(g: Graph, x: str) -> None:
    shape = g.shapes[x]
    op = g.pick("Relu", "Neg", "Abs", "Identity", "Add", "Mul", "Sub", "Div")
    if op in ("Relu", "Neg", "Abs", "Identity"):
        g.add(op, [x], shape)
    elif op == "Div":
        g.add(op, [x, g.const(np.float32(g.pick(0.5, 2, -4)))], shape)
    else:
        per_channel = (1, shape[1], *[1] * (len(shape) - 2)) if len(shape) > 1 else shape
        other = g.numbers(*g.pick((), (1,), per_channel))
        g.add(op, g.pick([x, other], [other, x]), shape)


def joined(g: Graph, x: str) -> None:
    shape = g.shapes[x]
    peers = [name for name, other in g.shapes.items() if other == shape]
    y = g.pick(*peers)
    if g.pick(True, False) and len(shape) > 1:
        g.add("Concat", [x, y], (shape[0], 2 * shape[1], *shape[2:]), axis=1)
    else:
        g.add(g.pick("Add", "Sub", "Mul"), [x, y], shape)


def quantizer(g: Graph, x: str) -> None:
    shape = g.shapes[x]
    scale = g.const(np.full(g.pick((), (1,)), g.pick(0.25, 0.5, 1.0, 2.0), np.float32))
    if g.pick(True, False, False):
        g.add("BipolarQuant", [x, scale], shape, DOMAIN)
        return
    zero, bits = g.const(np.float32(g.pick(0, 0, 1))), g.const(np.float32(g.number(2, 8)))
    mode = g.pick("ROUND", "ROUND", "FLOOR", "CEIL", "HALF_UP")
    attributes = {"signed": g.number(0, 1), "narrow": g.number(0, 1), "rounding_mode": mode}
    g.add("Quant", [x, scale, zero, bits], shape, DOMAIN, **attributes)


def thresholds(g: Graph, x: str) -> None:
    shape = g.shapes[x]
    channels = g.pick(1, shape[1] if len(shape) > 1 else 1)
    levels = np.sort(np.random.default_rng(g.number(0, 99)).integers(-6, 7, (channels, g.number(1, 3))), 1)
    steps = g.const(levels.astype(np.float32))
    layout = {2: "NC", 3: "NCW", 4: "NCHW"}[len(shape)]
    g.add("MultiThreshold", [x, steps], shape, DOMAIN, out_dtype="UINT2", data_layout=layout)


def normalization(g: Graph, x: str) -> None:
    channels = g.shapes[x][1]
    variance = g.const(np.full(channels, g.pick(0.25, 1.0, 4.0), np.float32))
    parameters = [g.numbers(channels), g.numbers(channels), g.numbers(channels), variance]
    g.add("BatchNormalization", [x, *parameters], g.shapes[x], epsilon=0.0)


def spatial(g: Graph, x: str) -> None:
    n, c, h, w = g.shapes[x]
    op = g.pick("Conv", "Conv", "MaxPool", "GlobalMaxPool")
    if op == "GlobalMaxPool":
        g.add(op, [x], (n, c, 1, 1))
        return
    k, stride, pad = g.pick(1, 2, 3), g.pick(1, 2), g.pick(0, 1)
    if min(h, w) + 2 * pad < k or pad >= k:
        k, pad = 1, 0
    out = tuple((size + 2 * pad - k) // stride + 1 for size in (h, w))
    attributes = {"kernel_shape": [k, k], "strides": [stride, stride], "pads": [pad] * 4}
    if op == "MaxPool":
        g.add(op, [x], (n, c, *out), **attributes)
        return
    group = g.pick(1, c)
    filters = group * g.number(1, 3)
    weights = g.numbers(filters, c // group, k, k)
    inputs = [x, weights, *([g.numbers(filters)] if g.pick(True, False) else [])]
    g.add(op, inputs, (n, filters, *out), group=group, **attributes)


def dense(g: Graph, x: str) -> None:
    n, k = g.shapes[x]
    m = g.number(1, 4)
    if g.pick(True, False):
        g.add("MatMul", [x, g.numbers(k, m)], (n, m))
    else:
        g.add("Gemm", [x, g.numbers(m, k), g.numbers(m)], (n, m), transB=1)


def reshaping(g: Graph, x: str) -> None:
    shape = g.shapes[x]
    op = g.pick("Flatten", "Transpose", "Reshape")
    if op == "Transpose":
        perm = g.draw(st.permutations(range(len(shape))))
        if perm[0] == 0:  # the batch stays in front
            g.add(op, [x], tuple(shape[p] for p in perm), perm=list(perm))
            return
    rest = int(np.prod(shape[1:]))
    if op == "Reshape":
        g.add(op, [x, g.const(np.array([shape[0], -1]))], (shape[0], rest))
    else:
        g.add("Flatten", [x], (shape[0], rest), axis=1)


@st.composite
def graphs(draw: st.DrawFn) -> ModelWrapper:
    """A model with one or two inputs x0, x1, up to ten nodes and up to three outputs."""
    g = Graph(draw, draw(st.sampled_from(OPSETS)))
    shape = draw(st.sampled_from([(1, 4), (2, 3), (1, 2, 4, 4), (2, 3, 3, 5)]))
    inputs = [f"x{i}" for i in range(draw(st.integers(1, 2)))]
    g.shapes.update(dict.fromkeys(inputs, shape))
    for _ in range(draw(st.integers(1, 10))):
        x = draw(st.sampled_from(list(g.shapes)[-3:]))
        kinds = [elementwise, joined, quantizer, thresholds, normalization, reshaping]
        kinds += [spatial] * 3 if len(g.shapes[x]) == 4 else [dense] * 2 if len(g.shapes[x]) == 2 else []
        draw(st.sampled_from(kinds))(g, x)
    made = [node.output[0] for node in g.nodes]
    outputs = {made[-1], *draw(st.lists(st.sampled_from(made), max_size=2))}
    return finished(g, inputs, [name for name in made if name in outputs])


def finished(g: Graph, inputs: list[str], outputs: list[str]) -> ModelWrapper:
    graph = helper.make_graph(
        g.nodes, "generated",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, g.shapes[name]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, g.shapes[name]) for name in outputs],
    )  # fmt: skip
    imports = [helper.make_opsetid("", g.opset), helper.make_opsetid(DOMAIN, 1)]
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
    for name, value in g.constants.items():
        model.set_initializer(name, value)
    return model
