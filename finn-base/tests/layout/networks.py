"""Generated networks on images: one to three spatial axes, branches, joins, several inputs and outputs.

All values are small integers, so that float32 is exact whatever the order of a sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import qonnx_make_model

GENERAL = "finn.custom_op.general"
OPSETS = [9, 11, 13, 18, 21]


@dataclass
class Network:
    """Grows node by node. shapes: of the computed tensors, channels first."""

    draw: st.DrawFn
    opset: int
    space: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    datatypes: dict[str, str] = field(default_factory=dict)

    def pick(self, *choices):  # type: ignore[no-untyped-def]
        return self.draw(st.sampled_from(choices))

    def const(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def negative(self, axis: int, rank: int) -> int:
        """The axis, or counted from the end where the opset has that."""
        return axis - self.pick(0, rank) if self.opset >= 11 else axis

    def integers(self, *shape: int) -> str:
        rng = np.random.default_rng(self.draw(st.integers(0, 2**16)))
        return self.const(rng.integers(-2, 3, shape).astype(np.float32))

    def add(self, op: str, inputs: list[str], shape: tuple[int, ...], domain: str = "", **attributes: object) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [output], f"{op}_{len(self.nodes)}", domain=domain, **attributes)
        )
        self.shapes[output] = shape
        return output

    def input(self, shape: tuple[int, ...]) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.shapes[name] = shape
        self.datatypes[name] = "INT3"
        return name

    def model(self, outputs: list[str]) -> ModelWrapper:
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, self.shapes[x]) for x in self.inputs],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, self.shapes[y]) for y in outputs],
        )
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, 1)]
        model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
        for name, value in self.constants.items():
            model.set_initializer(name, value)
        for name, datatype in self.datatypes.items():
            model.set_tensor_datatype(name, DataType[datatype])
        return model.transform(InferShapes())


# ---------------------------------------------------------------------------------------- operators of either layout


def conv(n: Network, x: str) -> str:
    batch, channels, *space = n.shapes[x]
    group = n.pick(1, channels)
    filters = group * n.pick(1, 2)
    kernel = [n.pick(1, 2, 3) for _ in space]
    pads = [n.pick(0, 1) if k > 1 else 0 for k in kernel * 2]
    if any(size + a + b < k for size, k, a, b in zip(space, kernel, pads, pads[len(space) :], strict=False)):
        return x
    strides = [n.pick(1, 2) for _ in space]
    out = [(size + pads[i] + pads[i + len(space)] - kernel[i]) // strides[i] + 1 for i, size in enumerate(space)]
    weights = n.integers(filters, channels // group, *kernel)
    if n.pick(False, True):
        scale = n.const(np.float32(n.pick(1, 2)) * np.ones((filters, *[1] * (len(space) + 1)), np.float32))
        zero, bits = n.const(np.float32(0)), n.const(np.float32(3))
        weights = n.add(
            "Quant", [weights, scale, zero, bits], (filters, channels // group, *kernel), GENERAL, signed=1, narrow=0
        )
    inputs = [x, weights, n.integers(filters)] if n.pick(False, True) else [x, weights]
    given = {"group": group} if group > 1 or n.pick(False, True) else {}
    return n.add("Conv", inputs, (batch, filters, *out), strides=strides, pads=pads, **given)


def max_pool(n: Network, x: str) -> str:
    batch, channels, *space = n.shapes[x]
    kernel = [n.pick(1, min(size, 2)) for size in space]
    out = [size - k + 1 for size, k in zip(space, kernel, strict=True)]
    return n.add("MaxPool", [x], (batch, channels, *out), kernel_shape=kernel)


def batchnorm(n: Network, x: str) -> str:
    channels = n.shapes[x][1]
    parameters = [n.integers(channels) for _ in range(3)] + [n.const(np.full(channels, 0.25, np.float32))]
    return n.add("BatchNormalization", [x, *parameters], n.shapes[x], epsilon=0.0)


def unary(n: Network, x: str) -> str:
    return n.add(n.pick("Relu", "Neg", "Abs", "Identity", "Sign"), [x], n.shapes[x])


def with_constant(n: Network, x: str) -> str:
    _, channels, *space = n.shapes[x]
    ones = [1] * len(space)
    shape = n.pick((), (1,), (channels, *ones), (1, channels, *ones), (space[-1],), (channels, *space))
    operands = [x, n.integers(*shape)]
    return n.add(n.pick("Add", "Mul", "Sub"), operands[:: n.pick(1, -1)], n.shapes[x])


def quant(n: Network, x: str) -> str:
    _, channels, *space = n.shapes[x]
    shape = n.pick((), (channels, *[1] * len(space)))
    scale = n.const(np.exp2(np.arange(int(np.prod(shape))) % 3).reshape(shape).astype(np.float32))
    others = [n.const(np.float32(0)), n.const(np.float32(n.pick(2, 4)))]
    return n.add("Quant", [x, scale, *others], n.shapes[x], GENERAL, signed=1, narrow=n.pick(0, 1))


def thresholds(n: Network, x: str) -> str:
    channels = n.shapes[x][1]
    levels = n.const(np.sort(np.arange(3 * channels).reshape(channels, 3) % 5 - 2.0, axis=1).astype(np.float32))
    return n.add("MultiThreshold", [x, levels], n.shapes[x], GENERAL, out_dtype="UINT2", data_layout="NCHW")


def clip(n: Network, x: str) -> str:
    if n.opset < 11:
        return n.add("Clip", [x], n.shapes[x], min=-2.0, max=3.0)
    return n.add("Clip", [x, n.const(np.float32(-2)), n.const(np.float32(3))], n.shapes[x])


def pad(n: Network, x: str) -> str:
    rank = len(n.shapes[x])
    axis, amount = n.pick(*range(1, rank)), n.pick(1, 2)
    pads = [0] * 2 * rank
    pads[axis + n.pick(0, rank)] = amount
    shape = tuple(size + amount * (i == axis) for i, size in enumerate(n.shapes[x]))
    if n.opset < 11:
        return n.add("Pad", [x], shape, pads=pads)
    return n.add("Pad", [x, n.const(np.array(pads))], shape)


def crop(n: Network, x: str) -> str:
    rank = len(n.shapes[x])
    axis = n.pick(*range(1, rank))
    size = n.shapes[x][axis]
    if size < 2:
        return x
    shape = tuple(s - (i == axis) for i, s in enumerate(n.shapes[x]))
    axis = n.negative(axis, rank)
    if n.opset < 10:
        return n.add("Slice", [x], shape, starts=[1], ends=[size], axes=[axis])
    bounds = [n.const(np.array([value])) for value in (1, size, axis)]
    return n.add("Slice", [x, *bounds], shape)


def reduce(n: Network, x: str) -> str:
    rank = len(n.shapes[x])
    axis = n.pick(*range(1, rank))
    shape = tuple(1 if i == axis else size for i, size in enumerate(n.shapes[x]))
    axis = n.negative(axis, rank)
    if n.opset >= 13 and n.pick(False, True):
        return n.add("ReduceSum", [x, n.const(np.array([axis]))], shape)
    if n.opset >= 18:
        return n.add("ReduceMax", [x, n.const(np.array([axis]))], shape)
    return n.add("ReduceMax", [x], shape, axes=[axis])


def upsample(n: Network, x: str) -> str:
    if n.opset < 11 or len(n.shapes[x]) != 4:
        return x
    batch, channels, h, w = n.shapes[x]
    if h * w > 40:
        return x
    inputs = [x, n.const(np.zeros(0, np.float32)), n.const(np.array([1, 1, 2, 1], np.float32))]
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return n.add("Resize", inputs, (batch, channels, 2 * h, w), **how)


def join(n: Network, x: str) -> str:
    same = [t for t in n.shapes if n.shapes[t] == n.shapes[x]]
    other = n.pick(*same)
    if n.pick(False, True):
        return n.add(n.pick("Add", "Sub", "Max"), [x, other], n.shapes[x])
    batch, channels, *space = n.shapes[x]
    return n.add("Concat", [x, other], (batch, 2 * channels, *space), axis=n.negative(1, len(space) + 2))


def split(n: Network, x: str) -> str:
    batch, channels, *space = n.shapes[x]
    if channels % 2 or n.opset >= 18:
        return x
    shape, halves = (batch, channels // 2, *space), [f"t{len(n.nodes)}", f"t{len(n.nodes)}_b"]
    n.nodes.append(helper.make_node("Split", [x], halves, f"Split_{len(n.nodes)}", axis=1))
    n.shapes |= dict.fromkeys(halves, shape)
    return n.add("Sub", halves, shape)


def global_pool(n: Network, x: str) -> str:
    """The mean of as many elements as a power of two is exact."""
    batch, channels, *space = n.shapes[x]
    op = "GlobalAveragePool" if int(np.prod(space)) in (1, 2, 4, 8, 16) else "GlobalMaxPool"
    return n.add(op, [x], (batch, channels, *[1] * len(space)))


FREE = (
    conv, conv, max_pool, batchnorm, unary, with_constant, quant, thresholds, clip, pad, crop, reduce, upsample, join,
    join, split,
)  # fmt: skip
"""Operators with a form for the channels last."""

# ------------------------------------------------------------------------------------------- operators bound to theirs


def depth_to_space(n: Network, x: str) -> str:
    return n.add("DepthToSpace", [x], n.shapes[x], blocksize=1) if n.space == 2 else x


def reshape(n: Network, x: str) -> str:
    batch, channels, *space = n.shapes[x]
    swapped = (batch, channels * space[0], 1, *space[1:])
    return n.add("Reshape", [x, n.const(np.array([0, *swapped[1:]]))], swapped)


def transpose(n: Network, x: str) -> str:
    perm = n.draw(st.permutations(range(1, len(n.shapes[x]))))
    return n.add("Transpose", [x], tuple(n.shapes[x][i] for i in (0, *perm)), perm=[0, *perm])


def to_either_end(n: Network, x: str) -> str:
    rank = len(n.shapes[x])
    perm = n.pick([0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1])
    return n.add("Transpose", [x], tuple(n.shapes[x][i] for i in perm), perm=perm)


def lower_rank(n: Network, x: str) -> str:
    """A computed operand of fewer axes."""
    if len(n.shapes[x]) != 4 or n.opset >= 13 or 1 in n.shapes[x]:
        return x
    channels = n.shapes[x][1]
    scalar = n.add("ReduceMax", [x], n.shapes[x][1:2], axes=[0, 2, 3], keepdims=0)
    column = n.add("Unsqueeze", [scalar], (channels, 1, 1), axes=[1, 2])
    return n.add("Add", [x, column], n.shapes[x])


BOUND = (depth_to_space, reshape, transpose, lower_rank)


def head(n: Network, x: str) -> str:
    """Fully connected layer on flattened samples."""
    batch, *rest = n.shapes[x]
    size = int(np.prod(rest))
    if n.pick(False, True):
        flat = n.add("Flatten", [x], (batch, size))
    else:
        flat = n.add("Reshape", [x, n.const(np.array(n.pick([0, -1], [batch, size])))], (batch, size))
    weights, filters = n.integers(size, 3), 3
    if n.pick(False, True):
        parameters = [n.const(np.float32([1, 2, 1])), n.const(np.float32(0)), n.const(np.float32(3))]
        weights = n.add("Quant", [weights, *parameters], (size, filters), GENERAL, signed=1, narrow=1)
    if n.pick(False, True):
        return n.add("MatMul", [flat, weights], (batch, filters))
    return n.add("Gemm", [flat, weights, n.integers(filters)], (batch, filters))


@st.composite
def networks(draw: st.DrawFn, operators=FREE, most=8, inputs=2, space=(2, 2, 1, 3)) -> ModelWrapper:  # type: ignore[no-untyped-def]
    """A network that has at least one convolution, with one or `inputs` inputs and one to three outputs.

    most: operators; space: how many spatial axes it may have.
    """
    n = Network(draw, draw(st.sampled_from(OPSETS)), draw(st.sampled_from(space)))
    shape = (
        draw(st.integers(2, 3)),
        draw(st.sampled_from([1, 2, 4])),
        *[draw(st.integers(2, 5)) for _ in range(n.space)],
    )
    for _ in range(draw(st.sampled_from([1, 1, inputs]))):
        n.input(shape)
    conv(n, "x0")
    for _ in range(draw(st.integers(1, most))):
        x = draw(st.sampled_from([t for t in n.shapes if len(n.shapes[t]) == n.space + 2 and t[0] in "xt"]))
        if any(node.op_type == "Quant" and x in node.output and node.input[0] in n.constants for node in n.nodes):
            continue  # weights
        draw(st.sampled_from(operators))(n, x)
    read = {name for node in n.nodes for name in node.input}
    outputs = [t for t in n.shapes if t not in read and t not in n.inputs]
    if draw(st.booleans()):
        outputs = [head(n, t) for t in outputs]
    if draw(st.booleans()):
        outputs += [t for t in list(n.shapes)[-4:] if t in read and len(n.shapes[t]) > 2 and t not in n.inputs][:1]
    return n.model(outputs)


def random_inputs(model: ModelWrapper, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = [value.name for value in model.graph.input]
    return {name: rng.integers(-4, 4, model.get_tensor_shape(name)).astype(np.float32) for name in names}
