"""All quantizer formats to QONNX: the result computes what onnxruntime makes of the original, bit by bit."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qonnx.ingest import ConvertToQONNX
from finn.transformation.qonnx_to_qcdq import QuantToQCDQ
from finn.transformation.streamline.report import StreamlineError

from .helpers import DOMAIN, assert_linear, f32, hard_values, make, qcdq, quant  # noqa: TID252 - helpers are no package

MICROSOFT = "com.microsoft"
KINDS = {
    "int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16, "uint16": TensorProto.UINT16,
    "int4": TensorProto.INT4, "uint4": TensorProto.UINT4,
}  # fmt: skip
RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1), "uint16": (0, 2**16 - 1),
          "int4": (-8, 7), "uint4": (0, 15)}  # fmt: skip
FOREIGN = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def graph(
    nodes: list[NodeProto],
    inputs: Mapping[str, tuple[int, list[Any]]],
    outputs: Mapping[str, int],
    constants: Mapping[str, Any],
    opset: int = 21,
) -> ModelProto:
    """constants : arrays, or TensorProto for types that NumPy lacks."""
    tensors = []
    for name, value in constants.items():
        tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        tensor.name = name
        tensors.append(tensor)
    g = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        tensors,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(g, opset_imports=imports, ir_version=10)


def integers(kind: str, value: Any) -> TensorProto:
    """A constant of any integer type of ONNX."""
    array = np.asarray(value)
    return helper.make_tensor("", KINDS[kind], array.shape, array.reshape(-1).tolist())


def reference(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime computes, node by node as the model says."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def converted(model: ModelProto) -> ModelWrapper:
    result = ModelWrapper(model, make_deepcopy=True).transform(ConvertToQONNX())
    left = {n.op_type for n in result.graph.node if n.op_type in FOREIGN or n.domain == MICROSOFT}
    assert not left
    assert MICROSOFT not in result.get_opset_imports()
    onnx.checker.check_model(result.transform(InferShapes()).model)
    return result


def assert_equal(model: ModelProto, feeds: Mapping[str, np.ndarray], steps: float = 0.0) -> ModelWrapper:
    """Integer inputs and outputs are float32 now, of the same values and annotated with their type."""
    result = converted(model)
    values = execute_onnx(result, {name: x.astype(np.float32) for name, x in feeds.items()})
    for wanted, info in zip(reference(model, feeds), model.graph.output, strict=True):
        given, kind = values[info.name], info.type.tensor_type.elem_type
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, wanted.astype(np.float32), rtol=0, atol=steps)
        if kind != TensorProto.FLOAT:
            assert result.get_tensor_datatype(info.name).name == TensorProto.DataType.Name(kind)
    return result


# ------------------------------------------------------------------------------------------------------ QDQ and QCDQ


def moved(draw: Any, name: str, shape: list[int]) -> tuple[list[NodeProto], str, dict[str, Any]]:
    """Operators that only move integers, one behind the other."""
    nodes: list[NodeProto] = []
    constants: dict[str, Any] = {}
    for i in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["Reshape", "Transpose", "Flatten", "Slice", "Gather", "Concat", "Split"]))
        y, rank = f"{name}{i}", len(shape)
        inputs, outputs, attributes = [name], [y], {}
        if kind == "Reshape":
            inputs.append(f"{y}_shape")
            constants[inputs[1]] = np.array([-1, shape[-1]])
            shape = [int(np.prod(shape[:-1])), shape[-1]]
        elif kind == "Transpose":
            perm = draw(st.permutations(range(rank)))
            attributes, shape = {"perm": perm}, [shape[p] for p in perm]
        elif kind == "Flatten":
            shape = [int(np.prod(shape[:1])), int(np.prod(shape[1:]))]
        elif kind == "Slice":
            inputs += [f"{y}_{role}" for role in ("starts", "ends", "axes")]
            constants |= dict(zip(inputs[1:], (np.array([0]), np.array([1]), np.array([rank - 1])), strict=True))
            shape = [*shape[:-1], 1]
        elif kind == "Gather":
            inputs.append(f"{y}_places")
            constants[inputs[1]] = np.array([0, shape[0] - 1, 0])
            shape = [3, *shape[1:]]
        elif kind == "Concat":
            inputs, attributes, shape = [name, name], {"axis": 0}, [2 * shape[0], *shape[1:]]
        else:
            inputs.append(f"{y}_parts")
            constants[inputs[1]] = np.array([1, shape[0] - 1]) if shape[0] > 1 else np.array([1])
            outputs += [f"{y}_rest"] if shape[0] > 1 else []
            shape = [1, *shape[1:]]
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        name = y
    return nodes, name, constants


@st.composite
def pairs(draw: Any) -> tuple[ModelProto, np.ndarray]:
    """QuantizeLinear, moved integers, Clip or not, DequantizeLinear nodes: equal, equal again, and of other meaning."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    low, high = RANGES[kind]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.booleans())
    shape, size = [2, 3, 4], (3,) if channels else ()
    scale = f32(rng.choice([0.5, 0.25, 0.3, 1, 3, 0.1], size))
    zero = draw(st.sampled_from([0, 0, 1, 2, (low + high + 1) // 2, low, high, 3]))
    zeros = np.full(size, zero)
    nodes, last, constants = moved(draw, "q", shape) if not kind.endswith("4") and not channels else ([], "q", {})
    if draw(st.booleans()) and kind in ("int8", "uint8"):
        bounds = sorted(draw(st.lists(st.integers(low, high), min_size=2, max_size=2)))
        nodes.append(helper.make_node("Clip", [last, "lo", "hi"], ["c"]))
        constants |= {"lo": integers(kind, bounds[0]), "hi": integers(kind, bounds[1])}
        last = "c"
    axis = {"axis": 1} if channels else {}
    nodes.insert(0, helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **axis))
    nodes += [helper.make_node("DequantizeLinear", [last, "s", "z"], [y], **axis) for y in ("y", "again")]
    nodes.append(helper.make_node("DequantizeLinear", [last, "s2", "z2"], ["other"], **axis))
    constants |= {"s": scale, "z": integers(kind, zeros), "s2": scale * f32(0.7), "z2": integers(kind, zeros * 0)}
    outputs = {"y": TensorProto.FLOAT, "again": TensorProto.FLOAT, "other": TensorProto.FLOAT}
    if draw(st.booleans()) and not kind.endswith("4"):
        outputs[last] = KINDS[kind]
    x = hard_values(shape, scale.reshape(-1, 1) if channels else scale, int(rng.integers(2**31)))
    return graph(nodes, {"x": (TensorProto.FLOAT, shape)}, outputs, constants), np.where(np.isinf(x), 7, x)


@given(pairs())
@SETTINGS
def test_quantize_dequantize(case: tuple[ModelProto, np.ndarray]) -> None:
    """Any type, zero point, scale, Clip, with moves in between: exact for ties and their neighbours, too."""
    model, x = case
    assert_equal(model, {"x": x.astype(np.float32)})


def test_pair_becomes_one_quant() -> None:
    for zero, wanted in ((0, (8.0, 0.0)), (128, (8.0, 0.0))):
        model = make(qcdq(), {"x": [2, 3]}, {"s": f32(0.3), "z": np.uint8(zero)}).transform(ConvertToQONNX())
        (node,) = model.graph.node
        assert node.op_type == "Quant"
        assert tuple(float(model.get_initializer(node.input[i])) for i in (3, 2)) == wanted


def test_zero_points_that_matter_for_ties() -> None:
    """Quant with zero point 3 would make 1 of 0.5 + 3; thresholds round first, as QuantizeLinear does."""
    model = make(qcdq(), {"x": [2, 2]}, {"s": f32(1), "z": np.uint8(3)}).transform(ConvertToQONNX())
    assert [n.op_type for n in model.graph.node] == ["MultiThreshold", "Add"]
    assert model.get_tensor_datatype(model.graph.node[0].output[0]).name == "UINT8"
    x = f32([[0.5, 1.5], [2.5, -2.5]])
    assert execute_onnx(model, {"x": x})["y"].tolist() == [[0, 2], [2, -2]]


def test_integers_keep_the_zero_point() -> None:
    model = make(qcdq(), {"x": [2, 2]}, {"s": f32(0.5), "z": np.uint8(3)}, datatypes={"x": "INT6"})
    (node,) = model.transform(ConvertToQONNX()).graph.node
    assert (node.op_type, float(model.get_initializer("z"))) == ("Quant", 3.0)


def test_clip_of_floats_narrows_the_quantizer() -> None:
    nodes = [helper.make_node("Clip", ["x", "lo", "hi"], ["c"]), *qcdq(x="c")]
    constants = {"s": f32(0.25), "z": np.int8(0), "lo": f32(-2), "hi": f32(1.75)}
    model = make(nodes, {"x": [2, 30]}, constants)
    result = model.transform(ConvertToQONNX())
    (node,) = result.graph.node
    assert float(result.get_initializer(node.input[3])) == 4.0
    x = hard_values([2, 30], f32(0.25), 1)
    np.testing.assert_array_equal(reference(model.model, {"x": x})[0], execute_onnx(result, {"x": x})["y"])


@pytest.mark.parametrize("kind", ["int8", "uint8", "int4", "uint4", "int16", "uint16"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_weights(kind: str, axis: int | None) -> None:
    """Stored as integers behind a lone DequantizeLinear: the Quant of a float constant."""
    rng, (low, high) = np.random.default_rng(1), RANGES[kind]
    size = () if axis is None else ((6,), (5,))[axis]
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], **attributes),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    constants = {
        "w": integers(kind, rng.integers(low, high + 1, (6, 5))),
        "s": f32(2.0 ** rng.integers(-4, 2, size)),
        "z": integers(kind, rng.integers(0, 3, size)),
    }
    x = f32(rng.integers(-8, 9, (2, 6)))
    result = assert_equal(graph(nodes, {"x": (1, [2, 6])}, {"y": 1}, constants), {"x": x})
    assert [n.op_type for n in result.graph.node] == ["Quant", "MatMul"]


def test_int32_bias_beyond_float32() -> None:
    """A bias whose integers no float32 quantizer gives back is a float constant of the same values."""
    nodes = [helper.make_node("DequantizeLinear", ["b", "s"], ["f"]), helper.make_node("Add", ["x", "f"], ["y"])]
    constants = {"b": np.array([2**31 - 1, -(2**24) - 1, 5], np.int32), "s": f32(0.1)}
    assert_equal(graph(nodes, {"x": (1, [2, 3])}, {"y": 1}, constants), {"x": f32(np.ones((2, 3)))})


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
def test_integer_inputs_and_outputs(kind: str) -> None:
    """The input is annotated, Add and Mul stay in front of the network; moves on integers in both places."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], "turn", perm=[1, 0]),
        helper.make_node("DequantizeLinear", ["t", "s", "z"], ["f"]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s2", "z"], ["q"]),
        helper.make_node("Reshape", ["q", "shape"], ["y"]),
    ]
    constants = {"s": f32(0.3), "z": np.array(5, kind), "s2": f32(0.7), "shape": np.array([-1])}
    x = np.random.default_rng(0).integers(*RANGES[kind], (3, 4), endpoint=True).astype(kind)
    model = graph(nodes, {"x": (KINDS[kind], [3, 4])}, {"y": KINDS[kind]}, constants)
    result = assert_equal(model, {"x": x})
    assert result.get_tensor_datatype("x").name == kind.upper()
    assert result.get_node_from_name("turn").op_type == "Transpose"
    assert result.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT


def test_cast_of_an_integer_input() -> None:
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=1), *qcdq(x="f")]
    model = graph(nodes, {"x": (TensorProto.UINT8, [2, 3])}, {"y": 1}, {"s": f32(3), "z": np.uint8(0)})
    result = assert_equal(model, {"x": np.arange(6, dtype=np.uint8).reshape(2, 3)})
    assert result.get_tensor_datatype("x").name == "UINT8"


def test_padding_with_the_zero_point() -> None:
    nodes = qcdq()
    nodes.insert(1, helper.make_node("Pad", ["q", "pads", "z"], ["p"]))
    nodes[2].input[0] = "p"
    constants = {"s": f32(0.5), "z": np.uint8(7), "pads": np.array([0, 1, 0, 2])}
    assert_equal(graph(nodes, {"x": (1, [2, 3])}, {"y": 1}, constants), {"x": f32([[1, 2, 0.25], [3, -9, 200]])})
    constants["z"] = np.uint8(3)
    nodes[1].input[2] = ""
    assert_equal(graph(nodes, {"x": (1, [2, 3])}, {"y": 1}, constants), {"x": f32([[1, 2, 0.25], [3, -9, 200]])})


# ---------------------------------------------------------------------------------------------------------- QOperator


class Integers:
    """Integer inputs, parameters and nodes of one QOperator model."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng, self.kind = np.random.default_rng(seed), kind
        self.constants: dict[str, Any] = {}
        self.feeds: dict[str, np.ndarray] = {}

    def parameters(self, name: str, size: tuple[int, ...] = (), zero: int | None = None) -> list[str]:
        zeros = self.rng.integers(0, 4, size) if zero is None else np.full(size, zero)
        self.constants[f"{name}s"] = f32(2.0 ** self.rng.integers(-3, 1, size))
        self.constants[f"{name}z"] = zeros.astype(self.kind)
        return [f"{name}s", f"{name}z"]

    def tensor(
        self, name: str, shape: tuple[int, ...], *, constant: bool = False, size: tuple[int, ...] = ()
    ) -> list[str]:
        values = self.rng.integers(-7 if self.kind == "int8" else 0, 8, shape).astype(self.kind)
        (self.constants if constant else self.feeds)[name] = values
        return [name, *self.parameters(name, size)]

    def model(self, op_type: str, inputs: list[str], output: int = 0, **attributes: Any) -> ModelProto:
        domain = "" if op_type in ("QLinearConv", "QLinearMatMul") else MICROSOFT
        node = helper.make_node(op_type, inputs, ["y"], domain=domain, **attributes)
        shapes = {name: (KINDS[self.kind], list(x.shape)) for name, x in self.feeds.items()}
        return graph([node], shapes, {"y": output or KINDS[self.kind]}, self.constants, opset=17)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["int8", "uint8"]), st.booleans(), st.booleans(), st.booleans())
@SETTINGS
def test_convolutions(seed: int, kind: str, per_channel: bool, bias: bool, grouped: bool) -> None:
    i = Integers(seed, kind)
    size = (4,) if per_channel else ()
    x = i.tensor("x", (2, 2, 5, 5))
    w = i.tensor("w", (4, 1 if grouped else 2, 3, 2), constant=True, size=size)
    if kind == "int8" or per_channel:  # onnxruntime has no zero points per channel that differ
        i.constants["wz"] = np.zeros(size, kind)
    inputs = [*x, *w, *i.parameters("y")]
    if bias:
        i.constants["b"] = i.rng.integers(-50, 50, 4).astype(np.int32)
        inputs.append("b")
    attributes = {"pads": [1, 0, 0, 1], "strides": [2, 1], "group": 2 if grouped else 1}
    assert_equal(i.model("QLinearConv", inputs, **attributes), i.feeds)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["int8", "uint8"]), st.booleans(), st.booleans())
@SETTINGS
def test_matrix_products(seed: int, kind: str, constant: bool, columns: bool) -> None:
    i = Integers(seed, kind)
    a = i.tensor("a", (2, 3, 6))
    b = i.tensor("b", (6, 5), constant=constant, size=(5,) if columns and constant else ())
    if columns and constant:
        i.constants["bz"] = np.full((5,), 2, kind)
    assert_equal(i.model("QLinearMatMul", [*a, *b, *i.parameters("y")]), i.feeds)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.booleans(), st.sampled_from([1.0, 0.5]))
@SETTINGS
def test_qgemm(seed: int, trans_b: bool, bias: bool, floats: bool, alpha: float) -> None:
    i = Integers(seed, "uint8")
    inputs = [*i.tensor("a", (3, 6)), *i.tensor("b", (5, 6) if trans_b else (6, 5), constant=True)]
    if bias:
        i.constants["c"] = i.rng.integers(-50, 50, 5).astype(np.int32)
    inputs += ["c" if bias else ""]
    inputs += [] if floats else i.parameters("y")
    output = TensorProto.FLOAT if floats else 0
    assert_equal(i.model("QGemm", inputs, output, transB=int(trans_b), alpha=alpha), i.feeds)


ELEMENTWISE = {
    "QLinearAdd": ({}, 2, 0), "QLinearMul": ({}, 2, 0), "QLinearLeakyRelu": ({"alpha": 0.25}, 1, 0),
    "QLinearGlobalAveragePool": ({}, 1, 0),
    "QLinearAveragePool": ({"kernel_shape": [2, 2], "strides": [2, 1]}, 1, 0),
    # onnxruntime's exponentials are its own: one step
    "QLinearSigmoid": ({}, 1, 1), "QLinearSoftmax": ({"opset": 17, "axis": -1}, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("op_type", ELEMENTWISE)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["int8", "uint8"]))
@settings(deadline=None, max_examples=25)
def test_other_operators(op_type: str, seed: int, kind: str) -> None:
    attributes, count, steps = ELEMENTWISE[op_type]
    i = Integers(seed, kind)
    inputs = [name for k in range(count) for name in i.tensor(f"x{k}", (2, 3, 4, 4))]
    assert_equal(i.model(op_type, [*inputs, *i.parameters("y")], **attributes), i.feeds, steps)


def test_operators_that_add_the_zero_point_first() -> None:
    """QLinearAdd of onnxruntime rounds behind the zero point: that is Quant, zero point and all."""
    i = Integers(0, "uint8")
    inputs = [*i.tensor("a", (2, 8)), *i.tensor("b", (2, 8))]
    i.constants |= {"as": f32(0.5), "bs": f32(0.5), "ys": f32(1), "yz": np.uint8(3)}
    model = i.model("QLinearAdd", [*inputs, "ys", "yz"])
    model.graph.node.append(helper.make_node("DequantizeLinear", ["y", "ys", "yz"], ["f"]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("f", 1, None))
    result = assert_equal(model, i.feeds)
    (last,) = (n for n in result.graph.node if n.op_type == "Quant")
    assert (last.output[0], float(result.get_initializer(last.input[2]))) == ("f", 3.0)


def test_concat_and_where() -> None:
    i = Integers(3, "uint8")
    parts = [name for k in range(3) for name in i.tensor(f"x{k}", (2, k + 1, 4))]
    assert_equal(i.model("QLinearConcat", [*i.parameters("y"), *parts], axis=1), i.feeds)
    i = Integers(4, "uint8")
    i.constants["cond"] = np.array([[True, False, True]] * 2)
    inputs = ["cond", *i.tensor("a", (2, 3)), *i.tensor("b", (2, 3)), *i.parameters("y")]
    assert_equal(i.model("QLinearWhere", inputs), i.feeds)


@pytest.mark.parametrize("end", ["Cast", "DequantizeLinear", "output", "Add"])
@pytest.mark.parametrize("op_type", ["MatMulInteger", "ConvInteger"])
def test_integer_sums(op_type: str, end: str) -> None:
    """Of a float that is quantized before, with integers read in different meanings."""
    rng = np.random.default_rng(0)
    shape, weights = ([2, 6], (6, 3)) if op_type == "MatMulInteger" else ([2, 2, 4, 4], (3, 2, 2, 2))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["skip"]),
        helper.make_node(op_type, ["q", "w", "z", "wz"], ["sum"]),
    ]
    last, outputs = "sum", {"skip": 1, "y": 1}
    if end == "Add":
        nodes.append(helper.make_node("Add", ["sum", "b"], ["added"]))
        last = "added"
    if end in ("Cast", "Add"):
        nodes += [helper.make_node("Cast", [last], ["f"], to=1), helper.make_node("Mul", ["f", "s"], ["y"])]
    elif end == "DequantizeLinear":
        nodes.append(helper.make_node("DequantizeLinear", ["sum", "s"], ["y"]))
    else:
        outputs = {"skip": 1, "sum": TensorProto.INT32}
    constants = {
        "s": f32(0.5), "z": np.uint8(3), "wz": np.uint8(2), "w": rng.integers(0, 9, weights).astype(np.uint8),
        "b": np.int32(-7),
    }  # fmt: skip
    x = f32(rng.integers(-9, 90, shape) / 4)
    result = assert_equal(graph(nodes, {"x": (1, shape)}, outputs, constants), {"x": x})
    assert result.get_tensor_datatype("sum").name == "INT32"


# ------------------------------------------------------------------------------------------------ the static quantizer


def network(opset: int) -> ModelProto:
    """Each kind of layer that the static quantizer has a form for."""
    rng, node = np.random.default_rng(7), helper.make_node
    sizes = {
        "w1": (4, 2, 3, 3),
        "b1": (4,),
        "w2": (4, 1, 3, 3),
        "b2": (4,),
        "w3": (8, 8, 1, 1),
        "w4": (8, 5),
        "b4": (5,),
    }
    constants = {name: f32(rng.integers(-8, 9, size) / 16) for name, size in sizes.items()}
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4), node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1] * 4, group=4), node("LeakyRelu", ["c2"], ["l2"], alpha=0.25),
        node("Add", ["r1", "l2"], ["a"]), node("Concat", ["a", "r1"], ["cat"], axis=1),
        node("MaxPool", ["cat"], ["mp"], kernel_shape=[2, 2], strides=[2, 2]), node("Conv", ["mp", "w3"], ["c3"]),
        node("Sigmoid", ["c3"], ["sg"]), node("Mul", ["c3", "sg"], ["sw"]),
        node("AveragePool", ["sw"], ["ap"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["ap"], ["gp"]), node("Reshape", ["gp", "shape"], ["flat"]),
        node("Gemm", ["flat", "w4", "b4"], ["y"]),
    ]  # fmt: skip
    for i, n in enumerate(nodes):
        n.name = f"{n.op_type}_{i}"
    constants["shape"] = np.array([0, -1])
    model = graph(nodes, {"x": (1, ["N", 2, 8, 8])}, {"y": 1}, constants, opset)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, ["N", 5]))
    return model


def samples() -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(8)
    return iter([{"x": f32(rng.integers(-32, 33, (3, 2, 8, 8)) / 8)} for _ in range(3)])


STATIC = [
    (style, activations, weights, per_channel, opset)
    for style, activations, weights, opset in [
        ("QDQ", "QUInt8", "QInt8", 13), ("QDQ", "QUInt8", "QUInt8", 13), ("QDQ", "QInt8", "QInt8", 13),
        ("QDQ", "QUInt8", "QInt4", 21), ("QDQ", "QInt16", "QInt8", 13), ("QDQ", "QUInt16", "QUInt4", 21),
        ("QOperator", "QUInt8", "QUInt8", 13), ("QOperator", "QInt8", "QInt8", 13),
    ]
    for per_channel in (False, True)
]  # fmt: skip


@pytest.mark.parametrize(("style", "activations", "weights", "per_channel", "opset"), STATIC)
def test_static_quantizer(
    style: str, activations: str, weights: str, per_channel: bool, opset: int, tmp_path: Path
) -> None:
    """QDQ equals what onnxruntime computes node by node; QOperator adds in integers: ties may come out otherwise."""
    from onnxruntime import quantization

    onnx.save(network(opset), tmp_path / "float.onnx")
    reader = type("Reader", (quantization.CalibrationDataReader,), {"get_next": lambda self: next(data, None)})
    data, logger = samples(), logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "quantized.onnx",
        reader(),
        quant_format=quantization.QuantFormat[style],
        activation_type=quantization.QuantType[activations],
        weight_type=quantization.QuantType[weights],
        per_channel=per_channel,
        reduce_range=style == "QOperator",  # sums of uint8 * int8 saturate in onnxruntime without VNNI
    )
    logger.setLevel(level)
    model = onnx.load(tmp_path / "quantized.onnx")
    result, feeds = converted(model), {"x": f32(np.random.default_rng(9).integers(-40, 41, (4, 2, 8, 8)) / 8)}
    given, wanted = execute_onnx(result, feeds)["y"], reference(model, feeds)[0]
    if style == "QDQ":
        np.testing.assert_array_equal(given, wanted)
    else:
        (step,) = {float(np.min(np.diff(np.unique(wanted))))}
        assert np.abs(given - wanted).max() <= 2 * step


# ------------------------------------------------------------------------------------------ what stays, what is refused


def test_qonnx_stays_as_it_is(shared: Path) -> None:
    """Also Trunc, and a network without quantizers."""
    for name in ("brevitas_mobblock_w4a4", "unsw_nb15-mlp-w2a2"):
        model = ModelWrapper(shared / "models" / f"{name}.onnx")
        assert model.transform(ConvertToQONNX(), cleanup=False).model == model.model
    model = ModelWrapper(network(13))
    assert model.transform(ConvertToQONNX(), cleanup=False).model == ModelWrapper(network(13)).model


def test_mixed_dialects_and_float_parts() -> None:
    """QONNX, QDQ, an integer operator and floats in one network."""
    nodes = [
        quant(y="a"),
        helper.make_node("Exp", ["a"], ["e"]),
        *qcdq(x="e", y="d"),
        helper.make_node("QuantizeLinear", ["d", "s", "z8"], ["q2"]),
        helper.make_node("QLinearMatMul", ["q2", "s", "z8", "w", "s", "wz", "s2", "z8"], ["m"]),
        helper.make_node("DequantizeLinear", ["m", "s2", "z8"], ["f"]),
        helper.make_node("MultiThreshold", ["f", "t"], ["y"], domain=DOMAIN, out_dtype="UINT2"),
    ]
    nodes[2].input[2] = nodes[3].input[2] = "z8"
    constants = {
        "s": f32(0.5), "s2": f32(2), "z": f32(0), "z8": np.uint8(0), "b": f32(3), "wz": np.int8(0),
        "w": np.arange(6, dtype=np.int8).reshape(3, 2), "t": f32([[1, 8, 40]]),
    }  # fmt: skip
    result = make(nodes, {"x": [4, 3]}, constants).transform(ConvertToQONNX())
    ops = [n.op_type for n in result.graph.node]
    assert sorted(ops) == ["Exp", "MatMul", "MultiThreshold", *["Quant"] * 5]
    x = f32(np.random.default_rng(0).integers(-4, 5, (4, 3)) / 2)
    a = np.clip(np.round(x / 0.5), -4, 3) * 0.5
    d = np.clip(np.round(np.exp(a) / np.float32(0.5)), 0, 255) * 0.5
    m = np.clip(np.round(d @ (constants["w"] * 0.5) / 2), 0, 255) * 2
    np.testing.assert_array_equal(execute_onnx(result, {"x": x})["y"], (m[..., None] >= constants["t"][0]).sum(-1))


def refused(nodes: list[NodeProto], constants: Mapping[str, Any], kind: int = 1, opset: int = 21) -> list[str]:
    model = ModelWrapper(graph(nodes, {"x": (kind, [2, 4])}, {"y": 1}, constants, opset))
    before = model.model.SerializeToString()
    with pytest.raises(StreamlineError) as error:
        model.transform(ConvertToQONNX(), make_deepcopy=False)
    after = ModelWrapper(model.model, make_deepcopy=True)
    for m in (original := ModelWrapper(before), after):  # shapes may be known better
        del m.graph.value_info[:], m.graph.output[:]
    assert original.model == after.model
    return [str(d) for d in error.value.diagnostics]


INTEGERS = "quantize to integers of 4, 8 or 16 bits, with constant float32 scales, one per tensor or per channel"
STATICALLY = "quantize the network statically: with onnxruntime quantize_static, not quantize_dynamic"


def test_refusals_all_at_once() -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["a"], name="late"),
        helper.make_node("FloatQuant", ["a", "c", "c", "c", "c", "c"], ["b"], name="few", domain=DOMAIN),
        helper.make_node("MatMulNBits", ["b", "c"], ["d"], name="bits", domain=MICROSOFT, K=4, N=4),
        helper.make_node("QuantizeLinear", ["d", "c", "f8"], ["e"], name="eight"),
        helper.make_node("DequantizeLinear", ["e", "c", "f8"], ["y"], name="eight_back"),
    ]
    float8 = helper.make_tensor("f8", TensorProto.FLOAT8E4M3FN, [], [0])
    assert refused(nodes, {"c": f32(1), "f8": float8}) == [
        f"node DynamicQuantizeLinear 'dynamic' at tensor q: it finds its scale at run time, so that integers have no "
        f"fixed meaning; {STATICALLY}",
        f"node DequantizeLinear 'late' at tensor a: its scale 's' is not a constant; {INTEGERS}",
        f"node FloatQuant 'few' at tensor b: it quantizes to floating-point numbers of few bits, which no integers "
        f"stand for; {INTEGERS}",
        f"node MatMulNBits 'bits' at tensor d: com.microsoft.MatMulNBits is not among the operators that can be read; "
        f"{STATICALLY}",
        f"node QuantizeLinear 'eight' at tensor e: its zero point is no integer; {INTEGERS}",
        f"node DequantizeLinear 'eight_back' at tensor y: its zero point is no integer; {INTEGERS}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"s": np.ones((2, 4), np.float32), "z": np.zeros((2, 4), np.int8)}, "its scale has more than one axis"),
        ({"s": f32(0), "z": np.int8(0)}, "its scale is not finite and positive"),
        ({"s": f32(np.nan), "z": np.int8(0)}, "its scale is not finite and positive"),
        ({"s": np.float16(1), "z": np.int8(0)}, "its scale is float16, not float32"),
        ({"s": f32([1, 2, 3]), "z": np.zeros(3, np.int8)}, "its scale has 3 elements, the axis has 4"),
    ],
)
def test_refused_parameters(change: dict[str, Any], reason: str) -> None:
    texts = refused(qcdq(), change)
    assert [t.partition(": ")[2] for t in texts] == [f"{reason}; {INTEGERS}"] * 2


def test_refused_blocks_and_computations_on_integers() -> None:
    nodes = qcdq()
    for node in nodes:
        node.attribute.append(helper.make_attribute("block_size", 2))
    assert all("it quantizes in blocks" in text for text in refused(nodes, {"s": f32(1), "z": np.int8(0)}))
    nodes = qcdq()
    nodes.insert(1, helper.make_node("Mod", ["q", "three"], ["m"], name="mod"))
    nodes[2].input[0] = "m"
    assert sorted(refused(nodes, {"s": f32(1), "z": np.int8(0), "three": np.int8(3)})) == [
        "node Mod 'mod' at tensor m: it makes the quantized integers 'm', and is not known to; dequantize in "
        "front of it, and quantize behind it",
        "node Mod 'mod' at tensor q: it computes on the quantized integers 'q', and is not known to; dequantize in "
        "front of it, and quantize behind it",
    ]


def test_refused_operators() -> None:
    i = Integers(0, "uint8")
    x = i.tensor("x", (2, 3, 4, 4))
    model = ModelWrapper(i.model("QLinearGlobalAveragePool", [*x, *i.parameters("y")], channels_last=1))
    with pytest.raises(StreamlineError, match="its channels are last, though ONNX has them on axis 1"):
        model.transform(ConvertToQONNX())


def test_time_is_linear_in_the_number_of_nodes() -> None:
    assert_linear(lambda model: model.transform(QuantToQCDQ()).transform(ConvertToQONNX()))
