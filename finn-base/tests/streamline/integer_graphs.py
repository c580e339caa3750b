"""Builds integer graphs as streamlining leaves them: channels last, annotated, with channels that can be removed."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.analysis.ranges import integer_ranges
from finn.core.datatype import DataType
from finn.core.domains import CHANNELS_LAST, GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx

TYPES = {"UINT4": (0, 16), "INT3": (-4, 4), "UINT8": (0, 256), "BIPOLAR": (-1, 2), "BINARY": (0, 2)}


class IntegerGraph:
    """A graph on the input "x". Every method adds one node and returns the name of its output."""

    def __init__(self, shape: tuple[int, ...], datatype: str = "UINT4") -> None:
        self.shapes: dict[str, tuple[int, ...]] = {"x": shape}
        self.types: dict[str, str] = {"x": datatype}
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[NodeProto] = []

    def constant(self, array: Any, datatype: str | None, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        if datatype:
            self.types[name] = datatype
        return name

    def node(
        self, op_type: str, inputs: list[str], shape: Any, datatype: str | None, domain: str = "", **a: Any
    ) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"{op_type}_{name}", domain=domain, **a))
        self.shapes[name] = tuple(shape)
        if datatype:
            self.types[name] = datatype
        return name

    def matmul(self, x: str, weights: np.ndarray) -> str:
        w = self.constant(weights, "INT8")
        return self.node("MatMul", [x, w], (*self.shapes[x][:-1], weights.shape[1]), "INT32")

    def conv(self, x: str, weights: np.ndarray, pad: int = 0, stride: int = 1, group: int = 1) -> str:
        """weights : (O, kh, kw, C / group)"""
        n, h, w, _ = self.shapes[x]
        kernel = weights.shape[1:3]
        size = [(s + 2 * pad - k) // stride + 1 for s, k in zip((h, w), kernel, strict=True)]
        return self.node(
            "Conv", [x, self.constant(weights, "INT8")], (n, *size, len(weights)), "INT32", CHANNELS_LAST,
            kernel_shape=kernel, pads=[pad] * 4, strides=[stride] * 2, dilations=[1, 1], group=group,
        )  # fmt: skip

    def threshold(self, x: str, thresholds: np.ndarray, datatype: str, scale: int = 1, bias: int = 0) -> str:
        rank = len(self.shapes[x])
        return self.node(
            "MultiThreshold", [x, self.constant(thresholds, "INT32")], self.shapes[x], datatype, GENERAL,
            out_dtype=datatype, out_scale=float(scale), out_bias=float(bias), data_layout={2: "NC", 4: "NHWC"}[rank],
        )  # fmt: skip

    def max_pool(self, x: str) -> str:
        n, h, w, c = self.shapes[x]
        return self.node(
            "MaxPool", [x], (n, h // 2, w // 2, c), self.types[x], CHANNELS_LAST,
            kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4,
        )  # fmt: skip

    def average(self, x: str) -> str:
        n, h, w, c = self.shapes[x]
        return self.node(
            "QuantAvgPool2d", [x], (n, h // 2, w // 2, c), "INT8", GENERAL,
            kernel=2, stride=2, ibits=8, obits=8, signed=1, data_layout="NHWC",
        )  # fmt: skip

    def upsample(self, x: str) -> str:
        n, h, w, c = self.shapes[x]
        scales = self.constant([1, 2, 2, 1], None)
        return self.node(
            "Resize", [x, "", scales], (n, 2 * h, 2 * w, c), self.types[x],
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip

    def pad(self, x: str) -> str:
        n, h, w, c = self.shapes[x]
        pads = self.constant([0, 1, 1, 0, 0, 1, 0, 0], None, np.int64)
        return self.node("Pad", [x, pads], (n, h + 2, w + 1, c), "INT32")

    def flatten(self, x: str) -> str:
        n, *rest = self.shapes[x]
        shape = (n, int(np.prod(rest)))
        return self.node("Reshape", [x, self.constant(shape, None, np.int64)], shape, self.types[x])

    def sum_up(self, x: str) -> str:
        n, _, _, c = self.shapes[x]
        return self.node("ReduceSum", [x, self.constant([1, 2], None, np.int64)], (n, c), "INT32", keepdims=0)

    def add(self, x: str, y: str) -> str:
        return self.node("Add", [x, y], self.shapes[x], "INT32")

    def bias(self, x: str, array: Any, op_type: str = "Add") -> str:
        return self.node(op_type, [x, self.constant(array, "INT32")], self.shapes[x], "INT32")

    def concat(self, *parts: str) -> str:
        shape = (*self.shapes[parts[0]][:-1], sum(self.shapes[p][-1] for p in parts))
        return self.node("Concat", list(parts), shape, "INT32", axis=-1)

    def split(self, x: str, sizes: list[int]) -> list[str]:
        first = self.node("Split", [x, self.constant(sizes, None, np.int64)], self.shapes[x], self.types[x], axis=-1)
        names = [first, *(f"{first}_{i}" for i in range(1, len(sizes)))]
        del self.nodes[-1].output[:]
        self.nodes[-1].output.extend(names)
        for name, size in zip(names, sizes, strict=True):
            self.shapes[name], self.types[name] = (*self.shapes[x][:-1], size), self.types[x]
        return names

    def model(self, *outputs: str) -> ModelWrapper:
        values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.shapes.items()}
        for node in self.nodes:
            if node.op_type == "ArgMax":
                values[node.output[0]].type.tensor_type.elem_type = TensorProto.INT64
        inner = [v for n, v in values.items() if n != "x" and n not in outputs]
        graph = helper.make_graph(self.nodes, "net", [values["x"]], [values[o] for o in outputs], value_info=inner)
        opsets = [helper.make_opsetid(*d) for d in (("", 13), (GENERAL, 1), (CHANNELS_LAST, 13))]
        model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
        for name, array in self.constants.items():
            model.set_initializer(name, array)
        for name, datatype in self.types.items():
            model.set_tensor_datatype(name, DataType[datatype])
        return model


def inputs_of(model: ModelWrapper, seed: int, count: int = 3) -> list[np.ndarray]:
    """Inputs for the model; the first ones at the ends of its range."""
    rng = np.random.default_rng(seed)
    name = model.graph.input[0].name
    shape, datatype = model.get_tensor_shape(name), model.get_tensor_datatype(name)
    low, high = TYPES[datatype.name]
    drawn = [rng.integers(low, high, shape) for _ in range(count)]
    if datatype.name == "BIPOLAR":
        drawn = [np.where(x < 0, -1, 1) for x in drawn]
    ends = [np.full(shape, low), np.full(shape, high - 1)]
    return [x.astype(np.float32) for x in (*ends, *drawn)]


def run(model: ModelWrapper, x: np.ndarray) -> dict[str, np.ndarray]:
    return dict(execute_onnx(model, {model.graph.input[0].name: x}))


def assert_equal_results(before: ModelWrapper, after: ModelWrapper, seed: int = 0) -> None:
    for x in inputs_of(before, seed):
        expected, found = run(before, x), run(after, x)
        assert expected.keys() == found.keys()
        for name, y in expected.items():
            np.testing.assert_array_equal(found[name], y)


def assert_annotations_hold(model: ModelWrapper, seed: int = 0) -> None:
    """Every tensor has values of its type and in its range, and its shape; constants are of their types."""
    for tensor in model.graph.initializer:
        value = model.get_initializer(tensor.name)
        assert np.all(model.get_tensor_datatype(tensor.name).allowed(value)), tensor.name
    ranges = model.analysis(integer_ranges)
    for x in inputs_of(model, seed, count=2):
        context = execute_onnx(model, {model.graph.input[0].name: x}, return_full_exec_context=True)
        for name in [name for node in model.graph.node for name in node.output]:
            value, datatype = context[name], model.get_tensor_datatype(name)
            assert list(value.shape) == model.get_tensor_shape(name), name
            assert np.all(datatype.allowed(value)), (name, datatype)
            if datatype.is_integer():
                assert np.all((ranges[name].low <= value) & (value <= ranges[name].high)), name
