"""The ends of the integer graph: pixels that enter as they are, and what is done with the integers that come out.

The oracle is the float graph in float64. Where numbers are no dyadic fractions, none is nearer than 1e-9 to a tie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import ExecutionError, FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.streamline import InputFormat, StreamlineOptions, streamline

SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
PIXELS = InputFormat("UINT8", scale=1 / 255)
IMAGENET = InputFormat("UINT8", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Net:
    """Builds a graph; `last` is the newest tensor. inputs : {name: (shape, element type)}."""

    def __init__(self, inputs: dict[str, tuple[tuple[int, ...], int]] | None = None, **shapes: tuple[int, ...]) -> None:
        self.inputs = inputs or {name: (shape, TensorProto.FLOAT) for name, shape in shapes.items()}
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.last = next(iter(self.inputs))

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def add(self, op_type: str, *operands: Any, x: str = "", outputs: int = 1, **attributes: Any) -> Net:
        """op_type(x, *operands), x being `last` if it is not given; operands are names or arrays."""
        names = [x or self.last, *(o if isinstance(o, str) else self.constant(o) for o in operands)]
        outs = [f"t{len(self.nodes)}"] + [f"t{len(self.nodes)}_{i}" for i in range(1, outputs)]
        domain = "qonnx.custom_op.general" if op_type == "Quant" else ""
        self.nodes.append(helper.make_node(op_type, names, outs, f"{op_type}_{outs[0]}", domain=domain, **attributes))
        self.last = outs[-1]
        return self

    def quant(self, scale: Any, bits: int, *, x: str = "", signed: bool = True) -> Net:
        return self.add("Quant", scale, 0.0, float(bits), x=x, signed=int(signed), narrow=0, rounding_mode="ROUND")

    def linear(self, weights: Any, scale: float = 0.25, **attributes: Any) -> Net:
        """Conv or MatMul with weights of 4 bits."""
        x, weights = self.last, np.asarray(weights)
        w = self.quant(scale, 4, x=self.constant(weights * scale)).last
        return self.add("Conv" if weights.ndim > 2 else "MatMul", w, x=x, **attributes)

    def model(self, *outputs: str) -> ModelWrapper:
        integers = {o for n in self.nodes if n.op_type in {"TopK", "ArgMax"} for o in n.output[-1:]}
        infos = [helper.make_tensor_value_info(name, kind, shape) for name, (shape, kind) in self.inputs.items()]
        results = [
            helper.make_tensor_value_info(o, TensorProto.INT64 if o in integers else TensorProto.FLOAT, None)
            for o in outputs or [self.last]
        ]
        graph = helper.make_graph(self.nodes, "net", infos, results, self.initializers)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
        return ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8)).transform(InferShapes())


def floats(model: ModelWrapper) -> list[str]:
    """The operators that give floats."""
    return [n.op_type for n in model.graph.node if not model.get_tensor_datatype(n.output[0]).is_integer()]


def pixels(rng: np.random.Generator, shape: tuple[int, ...], datatype: str = "UINT8") -> np.ndarray:
    kind = DataType[datatype]
    return rng.integers(int(kind.min()), int(kind.max()) + 1, shape)


def normalised(k: np.ndarray, given_as: InputFormat) -> np.ndarray:
    """float64; parameters per channel belong to axis 1."""
    scale, mean, std = (
        np.reshape(c, (-1, *[1] * (k.ndim - 2)) if np.size(c) > 1 else ())
        for c in (given_as.scale, given_as.mean, given_as.std)
    )
    return (k * scale - mean) / std


def equal(net: Net, given_as: InputFormat, *outputs: str, runs: int = 4) -> ModelWrapper:
    """The integer graph gives for k what the float graph gives for the normalised k. Returns it."""
    original, model, rng = net.model(*outputs), net.model(*outputs), np.random.default_rng(5)
    streamline(model, StreamlineOptions(inputs={"x": given_as}))
    assert model.get_tensor_datatype("x").name == given_as.datatype
    assert model.get_tensor_shape("x") == original.get_tensor_shape("x")
    for _ in range(runs):
        k = pixels(rng, net.inputs["x"][0], given_as.datatype)
        expected = execute_onnx(original, {"x": normalised(k, given_as)}, precision="float64")
        for name, got in execute_onnx(model, {"x": k.astype(np.float32)}).items():
            np.testing.assert_array_equal(got, expected[name].astype(got.dtype))
    return model


# ------------------------------------------------------------------------------------------------------- input formats


@st.composite
def cases(draw: Any) -> tuple[Net, InputFormat]:
    """A network on (N, C), (N, C, L) or (N, C, H, W), and how its input is given, all in dyadic fractions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rank, channels = draw(st.sampled_from([2, 3, 4])), draw(st.integers(1, 4))
    net = Net(x=(draw(st.integers(2, 3)), channels, *(5, 4)[: rank - 2]))
    datatype = draw(st.sampled_from(["UINT8", "UINT8", "INT8", "UINT4", "INT4", "UINT2"]))
    scale = 2.0 ** draw(st.integers(-8, 0))
    per_channel = [draw(st.booleans()) for _ in range(2)]
    # Without a quantizer in front, 0 that is padded has to be a pixel.
    quantized = draw(st.booleans())
    unit = scale / 4 if quantized else scale
    mean, std = (
        tuple(c.tolist()) if many else float(c[0])
        for c, many in zip(
            (rng.integers(-3, 9, channels) * unit, 2.0 ** rng.integers(-2, 2, channels)), per_channel, strict=True
        )
    )
    if quantized:
        bits, signed = draw(st.integers(2, 8)), draw(st.booleans())
        net.quant(scale * 2.0 ** draw(st.integers(-1, 3)), bits, signed=signed)
    shape = (channels, 3) if rank == 2 else (3, channels, *[3] * (rank - 2))
    pads = {} if rank == 2 else {"pads": [draw(st.integers(0, 1))] * (2 * rank - 4)}
    net.linear(rng.integers(-8, 8, shape), **pads).add("Relu").quant(scale * 8, 4, signed=False)
    return net, InputFormat(datatype, scale, mean, std)


@SETTINGS
@given(cases())
def test_formats_of_the_input(case: tuple[Net, InputFormat]) -> None:
    model = equal(*case)
    assert set(floats(model)) <= {"Mul", "Add"}
    integer = [model.get_tensor_datatype(n.output[0]).is_integer() for n in model.graph.node]
    assert integer == sorted(integer, reverse=True)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("given_as", [PIXELS, IMAGENET], ids=["pixels", "imagenet"])
def test_photographs(given_as: InputFormat, bits: int) -> None:
    """Every value of every channel is quantized as the float graph does, so x == 0 may be any pixel or none."""
    scale = float(np.float32(2.7 / 2 ** (bits - 1)))
    levels = normalised(np.arange(256).reshape(1, 1, 256).repeat(3, 1), given_as) / scale
    assert np.abs(levels - np.floor(levels) - 0.5).min() > 1e-9
    rng = np.random.default_rng(2)
    net = Net(x=(2, 3, 16, 16)).quant(scale, bits).linear(rng.integers(-8, 8, (4, 3, 3, 3)), pads=[1] * 4)
    net.add("Relu").quant(scale, 4, signed=False)
    model = net.model()
    streamline(model, StreamlineOptions(inputs={"x": given_as}))
    k = np.arange(256).reshape(1, 1, 16, 16).repeat(3, 1).repeat(2, 0)
    k[1] = rng.permuted(k[1], axis=-1)
    expected = execute_onnx(net.model(), {"x": normalised(k, given_as)}, precision="float64")[net.last]
    got = execute_onnx(model, {"x": k.astype(np.float32)})[net.last]
    np.testing.assert_array_equal(got, expected.astype(np.float32))
    assert len(np.unique(got)) > 2
    assert set(floats(model)) == {"Mul"}


def test_photographs_that_the_graph_normalises() -> None:
    """Bytes in; the float nodes are those that a preprocessing function exports as."""
    net, rng, scale = (
        Net({"x": ((2, 3, 16, 16), TensorProto.UINT8)}),
        np.random.default_rng(2),
        float(np.float32(0.0207)),
    )
    mean, std = (np.reshape(c, (1, 3, 1, 1)) for c in (IMAGENET.mean, IMAGENET.std))
    net.add("Cast", to=TensorProto.FLOAT).add("Div", 255.0).add("Sub", mean).add("Div", std)
    net.quant(scale, 8).linear(rng.integers(-8, 8, (4, 3, 3, 3)), pads=[1] * 4).quant(4 * scale, 6)
    levels = normalised(np.arange(256).reshape(1, 1, 256).repeat(3, 1), IMAGENET) / scale
    assert np.abs(levels - np.floor(levels) - 0.5).min() > 1e-4
    original, model = net.model(), net.model()
    streamline(model)
    k = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(3, 1).repeat(2, 0)
    k[1] = rng.permuted(k[1], axis=-1)
    got = execute_onnx(model, {"x": k})[net.last]
    np.testing.assert_array_equal(
        got, execute_onnx(original, {"x": k}, precision="float64")[net.last].astype(np.float32)
    )
    assert set(floats(model)) == {"Mul"}


def test_one_format_for_all_other_float_inputs() -> None:
    net = Net(x=(2, 3), y=(2, 3), z=(2, 3))
    net.add("Concat", "y", "z", axis=1).quant(0.25, 6).linear(np.arange(-8, 10).reshape(9, 2) % 8)
    model, original = net.model(), net.model()
    formats = {"": InputFormat("UINT4", 0.25), "y": InputFormat("INT4", 0.5, mean=1.0)}
    streamline(model, StreamlineOptions(inputs=formats))
    assert [model.get_tensor_datatype(n).name for n in "xyz"] == ["UINT4", "INT4", "UINT4"]
    k = {n: pixels(np.random.default_rng(i), (2, 3), "INT4" if n == "y" else "UINT4") for i, n in enumerate("xyz")}
    x = {n: normalised(v, formats.get(n, formats[""])).astype(np.float32) for n, v in k.items()}
    got = execute_onnx(model, {n: v.astype(np.float32) for n, v in k.items()})[net.last]
    np.testing.assert_array_equal(got, execute_onnx(original, x)[net.last])


def test_values_outside_the_format_are_refused_when_it_runs() -> None:
    net = Net(x=(2, 3)).quant(0.5, 4).linear(np.eye(3))
    model = equal(net, InputFormat("UINT4", 0.25))
    with pytest.raises(ExecutionError, match="UINT4"):
        execute_onnx(model, {"x": np.full((2, 3), 16.0, np.float32)})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"y": PIXELS}, "the options give a format for the input 'y', which the graph does not have"),
        ({"x": InputFormat("FLOAT32")}, "the format of input 'x' has datatype FLOAT32, which is no integer"),
        ({"x": InputFormat(mean=(0.5, 0.5))}, "the format of input 'x' has 2 numbers for 3 channels"),
        ({"x": InputFormat(std=0.0)}, "the format of input 'x' is not finite"),
        ({"x": InputFormat(scale=float("nan"))}, "the format of input 'x' is not finite"),
    ],
)
def test_wrong_formats(inputs: dict[str, InputFormat], message: str) -> None:
    model = Net(x=(2, 3, 4, 4)).quant(0.5, 4).linear(np.ones((2, 3, 3, 3))).model()
    before = model.model.SerializeToString()
    with pytest.raises(FinnError, match=message):
        streamline(model, StreamlineOptions(inputs=inputs))
    assert model.model.SerializeToString() == before


@pytest.mark.parametrize(
    "given_as",
    [InputFormat(scale=0.25, mean=0.1), InputFormat(scale=0.25, std=(0.229, 0.224, 0.2250001))],
    ids=["no pixel is 0", "scales without a common unit"],
)
def test_convolutions_on_pixels_that_cannot_be_integer_say_so(given_as: InputFormat) -> None:
    net = Net(x=(2, 3, 4, 4)).linear(np.ones((2, 3, 3, 3)), pads=[1] * 4).quant(1.0, 4)
    model = net.model()
    report = streamline(model, StreamlineOptions(inputs={"x": given_as}))
    fate = report.host["Conv_t1 (Conv)"]
    assert fate.reason
    assert fate.remedy
    k = pixels(np.random.default_rng(0), (2, 3, 4, 4))
    expected = execute_onnx(net.model(), {"x": normalised(k, given_as)}, precision="float64")[net.last]
    got = execute_onnx(model, {"x": k.astype(np.float32)})[net.last]
    np.testing.assert_array_equal(got, expected.astype(np.float32))


# ----------------------------------------------------------------------------------------- integer element types


def small_input(kind: int, *, last: bool = False) -> Net:
    """Bytes that the graph itself makes floats."""
    shape = (2, 6, 5, 3) if last else (2, 3, 6, 5)
    net = Net({"x": (shape, kind)})
    if last:
        net.add("Transpose", perm=[0, 3, 1, 2])
    return net.add("Cast", to=TensorProto.FLOAT)


KINDS = {"UINT8": TensorProto.UINT8, "INT8": TensorProto.INT8, "UINT16": TensorProto.UINT16, "INT16": TensorProto.INT16}


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("quantized", [False, True], ids=["direct", "quantized"])
@pytest.mark.parametrize("datatype", KINDS)
def test_bytes_that_the_graph_casts(datatype: str, quantized: bool, last: bool) -> None:
    rng = np.random.default_rng(3)
    unit = 4.0 / 2 ** DataType[datatype].bitwidth()
    net = small_input(KINDS[datatype], last=last).add("Mul", unit).add("Sub", np.reshape([0.5, 1, 0.25], (3, 1, 1)))
    if quantized:
        net.add("Div", np.reshape([0.5, 0.25, 1], (3, 1, 1))).quant(0.125, 6)
    net.linear(rng.integers(-8, 8, (4, 3, 3, 3)), pads=[1, 0, 1, 0]).add("Relu").quant(0.5, 4, signed=False)
    original, model = net.model(), net.model()
    streamline(model)
    shape = net.inputs["x"][0]
    k = pixels(rng, shape, datatype).astype(datatype.lower())
    expected = execute_onnx(original, {"x": k})[net.last]
    np.testing.assert_array_equal(execute_onnx(model, {"x": k})[net.last], expected)
    assert len(np.unique(expected)) > 4
    assert set(floats(model)) == {"Mul"}
    assert model.get_tensor_datatype("x").name == datatype
    assert model.get_tensor_shape("x") == list(shape)
    # The output is one, for it has its channels first.
    assert len(model.get_nodes_by_op_type("Transpose")) == (1 if last else 2)


# -------------------------------------------------------------------------------------------------------------- outputs


def classifier() -> Net:
    weights = np.array([[1, 2, -1, 3], [0, -2, 1, 1], [2, 1, 0, -3]])
    return Net(x=(3, 3)).quant(0.5, 4).linear(weights).add("Add", 0.375).add("Mul", 0.5)


SELECTIONS: dict[str, dict[str, Any]] = {
    "TopK": {"axis": -1, "largest": 1, "sorted": 1, "outputs": 2},
    "ArgMax": {"axis": 1, "keepdims": 1},
}


@pytest.mark.parametrize("on_host", [False, True], ids=["integer", "host"])
@pytest.mark.parametrize("op_type", SELECTIONS)
def test_where_the_class_is_selected(op_type: str, on_host: bool) -> None:
    net = classifier()
    net.add(op_type, *([net.constant([1], np.int64)] if op_type == "TopK" else []), **SELECTIONS[op_type])
    original, model, rng = net.model(), net.model(), np.random.default_rng(1)
    report = streamline(model, StreamlineOptions(select_on_host=on_host))
    selection = model.get_nodes_by_op_type(op_type)[0]
    assert model.get_tensor_datatype(selection.input[0]).is_integer() is not on_host
    title = f"{op_type}_t{len(net.nodes) - 1} ({op_type})"
    assert report.nodes[title].kind == ("host" if on_host else "integer")
    assert bool(model.get_nodes_by_op_type("Mul")) is on_host
    for _ in range(10):
        x = (rng.integers(-16, 16, (3, 3)) / 4).astype(np.float32)
        got, expected = execute_onnx(model, {"x": x})[net.last], execute_onnx(original, {"x": x})[net.last]
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype


@pytest.mark.parametrize("quantized", [False, True], ids=["sums", "quantized"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["one scale", "scales"])
def test_integers_come_out(per_channel: bool, quantized: bool) -> None:
    net = classifier()
    if per_channel:
        net.add("Mul", [0.5, 1.0, 2.0, 1.0]).add("Add", [0.0, 1.0, 0.0, 0.5])
    if quantized:
        net.quant(0.25, 4)
    original, model, rng = net.model(), net.model(), np.random.default_rng(1)
    report = streamline(model, StreamlineOptions(dequantize=False))
    fact = report.tensors[net.last]
    datatype = model.get_tensor_datatype(net.last)
    assert datatype.is_integer()
    assert fact.datatype == datatype
    assert floats(model) == []
    assert [o.name for o in model.graph.output] == [net.last]
    for _ in range(10):
        x = (rng.integers(-16, 16, (3, 3)) / 4).astype(np.float32)
        got, expected = execute_onnx(model, {"x": x})[net.last], execute_onnx(original, {"x": x})[net.last]
        assert datatype.allowed(got).all()
        assert ((fact.low <= got) & (got <= fact.high)).all()
        np.testing.assert_array_equal(fact.scale * got + fact.bias, expected)


def test_integers_of_images_come_out() -> None:
    """The output keeps its shape, also where integers have their channels last inside."""
    rng = np.random.default_rng(1)
    net = Net(x=(2, 3, 5, 4)).quant(0.5, 4).linear(rng.integers(-8, 8, (2, 3, 3, 3))).quant(1.0, 4)
    original, model = net.model(), net.model()
    report = streamline(model, StreamlineOptions(dequantize=False))
    x = (rng.integers(-16, 16, (2, 3, 5, 4)) / 4).astype(np.float32)
    got, fact = execute_onnx(model, {"x": x})[net.last], report.tensors[net.last]
    assert floats(model) in ([], ["Transpose"])  # of the float input
    np.testing.assert_array_equal(fact.scale * got + fact.bias, execute_onnx(original, {"x": x})[net.last])


def test_outputs_behind_other_functions_stay_floats() -> None:
    net = classifier()
    scores = net.last
    probabilities = net.add("Softmax", axis=1).last
    original, model = net.model(scores, probabilities), net.model(scores, probabilities)
    report = streamline(model, StreamlineOptions(dequantize=False))
    fact = report.tensors[scores]
    assert [model.get_tensor_datatype(o).is_integer() for o in (scores, probabilities)] == [True, False]
    x = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -4.0], [0.0, 0.0, 0.0]], np.float32)
    got, expected = execute_onnx(model, {"x": x}), execute_onnx(original, {"x": x})
    np.testing.assert_array_equal(fact.scale * got[scores] + fact.bias, expected[scores])
    np.testing.assert_allclose(got[probabilities], expected[probabilities], rtol=1e-6)
    assert report.nodes[f"Softmax_{probabilities} (Softmax)"].kind == "host"


def test_pixels_in_and_integers_out() -> None:
    rng = np.random.default_rng(8)
    net = Net(x=(2, 3, 6, 6)).quant(0.25, 4).linear(rng.integers(-8, 8, (4, 3, 3, 3)), pads=[1] * 4)
    net.add("Relu").quant(0.5, 4, signed=False).add("Flatten").linear(rng.integers(-8, 8, (144, 5)))
    original, model = net.model(), net.model()
    given_as = InputFormat("UINT8", 1 / 64, mean=(0.5, 1.0, 2.0), std=0.5)
    report = streamline(model, StreamlineOptions(inputs={"x": given_as}, dequantize=False))
    assert floats(model) == []
    k, fact = pixels(rng, (2, 3, 6, 6)), report.tensors[net.last]
    expected = execute_onnx(original, {"x": normalised(k, given_as).astype(np.float32)})[net.last]
    got = execute_onnx(model, {"x": k.astype(np.float32)})[net.last]
    np.testing.assert_array_equal(fact.scale * got + fact.bias, expected)
