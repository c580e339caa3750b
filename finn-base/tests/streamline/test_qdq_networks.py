"""Networks that onnxruntime quantized become integer, with onnxruntime's predictions and the integers of the operators.

onnxruntime computes the floats between quantizers in float32, in an order of its own. So a number that is nearly a tie
may be rounded the other way: integers are compared where the exact number is no nearer than 1e-6 (onnxruntime: 1e-4) to
a tie, which hardly any is nearer to.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import InputFormat, StreamlineOptions, StreamlineReport, streamline

from .qdq_generator import Network  # noqa: TID252 - test helpers are no installed package
from .qdq_reference import Run, execute  # noqa: TID252

MODELS = Path(__file__).resolve().parents[1] / "models"
QDQ = ["digits_u8", "digits_s8_channel", "digits_u8_one_scale", "mnist_u8", "mnist_s8_channel"]
OPERATORS = ["digits_u8_operators", "digits_s8_channel_operators", "mnist_u8_operators", "mnist_s8_channel_operators"]
ROUNDING = {"QuantizeLinear", "QLinearConv", "QGemm", "QLinearAdd", "QLinearGlobalAveragePool"}
LAYERS = {"Conv", "Gemm", "MatMul", "QLinearConv", "QGemm", "QLinearMatMul"}
TIE = 1e-6
every = pytest.mark.parametrize("name", [*QDQ, *OPERATORS], scope="module")  # one network after the other


@lru_cache
def archive(network: str) -> dict[str, Any]:
    with np.load(MODELS / f"qdq_{network}.npz") as arrays:
        return dict(arrays)


@lru_cache
def original(name: str) -> ModelProto:
    return onnx.load(MODELS / f"qdq_{name}.onnx")


def pixels(name: str) -> np.ndarray:
    return archive(name.split("_")[0])["x"]


def normalised(name: str) -> np.ndarray:
    arrays = archive(name.split("_")[0])
    return (arrays["x"].astype(np.float32) * arrays["scale"] - arrays["mean"]) / arrays["std"]


def stored(name: str) -> np.ndarray:
    """The scores that onnxruntime gave when the model was made."""
    network, variant = name.split("_", 1)
    return archive(network)[variant]


def with_batch(name: str, batch: int) -> ModelWrapper:
    """The model for so many pictures at once."""
    proto = ModelProto()
    proto.CopyFrom(original(name))
    del proto.graph.value_info[:]
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    return ModelWrapper(proto)


def onnxruntime(model: ModelProto, inputs: dict[str, np.ndarray], *outputs: str) -> dict[str, np.ndarray]:
    """The outputs of the graph and these tensors, with graph optimizations off."""
    proto = ModelProto()
    proto.CopyFrom(model)
    known = {o.name for o in proto.graph.output}
    proto.graph.output.extend(helper.make_empty_tensor_value_info(o) for o in outputs if o not in known)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    names = [o.name for o in proto.graph.output]
    session = ort.InferenceSession(proto.SerializeToString(), options)
    return dict(zip(names, session.run(names, inputs), strict=True))


@lru_cache(maxsize=2)
def reference(name: str) -> Run:
    return execute(original(name), {"x": normalised(name)})


# ---------------------------------------------------------------------------------------- what onnxruntime computes


@every
def test_execution_is_that_of_onnxruntime(name: str) -> None:
    x = normalised(name)
    got = execute_onnx(ModelWrapper(original(name)), {"x": x})["scores"]
    np.testing.assert_array_equal(got, onnxruntime(original(name), {"x": x})["scores"])


@every
def test_stored_scores_are_those_of_onnxruntime(name: str) -> None:
    """Another processor may round a near tie the other way, here and there."""
    got, expected = onnxruntime(original(name), {"x": normalised(name)})["scores"], stored(name)
    assert np.mean(got != expected) < 1e-2
    np.testing.assert_array_equal(got.argmax(1), expected.argmax(1))
    assert np.mean(got.argmax(1) == archive(name.split("_")[0])["y"]) > 0.96


@every
def test_onnxruntime_and_the_reference_round_alike(name: str) -> None:
    """Each operator for itself: it gets the integers that onnxruntime made before it."""
    names = [n.output[0] for n in original(name).graph.node if n.op_type in ROUNDING]
    x = normalised(name)
    found = onnxruntime(original(name), {"x": x}, *names)
    run = execute(original(name), {"x": x}, {n: found[n].astype(np.int64) for n in names})
    assert list(run.rounded) == names
    for tensor, expected in run.rounded.items():
        differs = found[tensor] != expected.integers
        assert not differs[~expected.is_near_tie(1e-4)].any(), tensor
        assert differs.mean() < 1e-4, tensor
        assert np.abs(found[tensor] - expected.integers).max() <= 1, tensor


@every
def test_the_reference_predicts_as_onnxruntime(name: str) -> None:
    np.testing.assert_array_equal(reference(name).values["scores"].argmax(1), stored(name).argmax(1))


# --------------------------------------------------------------------------------------------------- integer graphs


def assert_integer(model: ModelWrapper, original: ModelProto) -> None:
    """All layers, and whatever else is between two integer tensors, compute on integers."""
    layers, pools = (sum(n.op_type in kinds for n in original.graph.node) for kinds in (LAYERS, {"AveragePool"}))
    integer = {n: model.get_tensor_datatype(n).is_integer() for n in model.get_all_tensor_names()}
    linear = [n for n in model.graph.node if n.op_type in LAYERS]
    assert layers <= len(linear) <= layers + pools  # a sum over windows may be a convolution
    for node in linear:
        assert all(integer[t] for t in (*node.input, *node.output)), node.name
    behind: set[str] = set()  # tensors that depend on integers
    for node in model.graph.node:
        floats = [t for t in node.input if t in behind and not integer[t]]
        assert not floats or not any(integer[t] for t in node.output), f"{node.name} makes integers of {floats}"
        if any(t in behind for t in node.input) or any(integer[t] for t in node.output):
            behind.update(node.output)


@lru_cache(maxsize=2)
def streamlined(name: str, *, takes_pixels: bool = False) -> tuple[ModelWrapper, StreamlineReport]:
    model, arrays = with_batch(name, len(pixels(name))), archive(name.split("_")[0])
    options = StreamlineOptions()
    if takes_pixels:
        parameters = {k: float(arrays[k]) for k in ("scale", "mean", "std")}
        options = StreamlineOptions(inputs={"x": InputFormat("UINT8", **parameters)})
    return model, streamline(model, options)


@lru_cache(maxsize=2)
def context(name: str) -> dict[str, np.ndarray]:
    """All tensors of the integer graph, for all pictures."""
    return execute_onnx(streamlined(name)[0], {"x": normalised(name)}, return_full_exec_context=True)


@every
def test_the_graph_is_integer(name: str) -> None:
    model, report = streamlined(name)
    onnx.checker.check_model(model.model)
    assert_integer(model, original(name))
    assert not {n for n in report.host if any(kind in n for kind in ("Conv", "Gemm", "Add", "Pool", "Relu"))}


@every
def test_predictions_are_those_of_onnxruntime(name: str) -> None:
    np.testing.assert_array_equal(context(name)["scores"].argmax(1), stored(name).argmax(1))


@every
def test_scores_are_exact(name: str) -> None:
    """Those of all pictures for which no number in the network is nearly a tie."""
    run, got = reference(name), context(name)["scores"]
    clean = np.ones(len(got), bool)
    for rounded in run.rounded.values():
        clean &= ~rounded.is_near_tie(TIE).reshape(len(got), -1).any(1)
    assert clean.mean() > 0.9
    np.testing.assert_array_equal(got[clean], run.values["scores"][clean].astype(np.float32))


@pytest.mark.parametrize("name", QDQ, scope="module")
def test_integers_of_every_layer_are_exact(name: str) -> None:
    """The reference gets the integers that the integer graph made, as the report tells them, and rounds alike."""
    found = integers(name)
    layers = sum(n.op_type in {"Conv", "Gemm", "Add", "GlobalAveragePool"} for n in original(name).graph.node)
    assert (
        len(found) > layers
    )  # and the input; some layers have more than one quantizer behind them, of which one is told
    run = execute(original(name), {"x": normalised(name)}, found)
    for tensor, integer in found.items():
        near = run.rounded[tensor].is_near_tie(TIE)
        assert near.mean() < 1e-4, tensor
        np.testing.assert_array_equal(integer[~near], run.rounded[tensor].integers[~near], err_msg=tensor)


def integers(name: str) -> dict[str, np.ndarray]:
    """The integers that quantizers of the original give, from those of the integer graph. {QuantizeLinear's output: ..}

    Flattened pictures are not among them: their elements have another order with the channels last.
    """
    report, values, makers = (
        streamlined(name)[1],
        reference(name).values,
        {o: n for n in original(name).graph.node for o in n.output},
    )
    found = {}
    for node in original(name).graph.node:
        quantize, fact = makers.get(node.input[0]), report.tensors.get(node.output[0])
        if node.op_type != "DequantizeLinear" or quantize is None or fact is None:
            continue
        before = makers.get(quantize.input[0])
        if before is not None and before.op_type == "Flatten" and np.prod(values[before.input[0]].shape[2:]) > 1:
            continue
        scale, zero_point = (values[n].astype(np.float64) for n in node.input[1:])
        exact = (fact.scale * context(name)[fact.integers].astype(np.float64) + fact.bias) / scale + zero_point
        if exact.shape != values[node.output[0]].shape:
            exact = np.moveaxis(exact, -1, 1)
        np.testing.assert_allclose(exact, np.rint(exact), atol=1e-6, err_msg=node.name)
        assert fact.datatype.allowed(context(name)[fact.integers]).all()
        found[node.input[0]] = np.rint(exact).astype(np.int64)
    return found


@every
def test_pixels_may_enter_as_they_are(name: str) -> None:
    model, _ = streamlined(name, takes_pixels=True)
    assert model.get_tensor_datatype("x").name == "UINT8"
    assert_integer(model, original(name))
    got = execute_onnx(model, {"x": pixels(name).astype(np.float32)})["scores"]
    np.testing.assert_array_equal(got.argmax(1), stored(name).argmax(1))


# -------------------------------------------------------------------------------- scales that are powers of two

SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@SETTINGS
@given(st.data())
def test_generated_networks_are_computed_exactly_by_onnxruntime(data: st.DataObject) -> None:
    net = Network(data.draw)
    model, x = net.model(), net.inputs()
    run = execute(model, {"x": x})
    found = onnxruntime(model, {"x": x}, *run.rounded)
    for tensor, rounded in run.rounded.items():
        np.testing.assert_array_equal(found[tensor], rounded.integers, err_msg=tensor)
    np.testing.assert_array_equal(found[net.output], run.values[net.output])
    np.testing.assert_array_equal(execute_onnx(ModelWrapper(model), {"x": x})[net.output], found[net.output])


@SETTINGS
@given(st.data())
def test_generated_networks_are_equal_bit_by_bit(data: st.DataObject) -> None:
    net = Network(data.draw)
    original, x = net.model(), net.inputs()
    expected = onnxruntime(original, {"x": x})[net.output]
    model = ModelWrapper(net.model())
    streamline(model)
    assert_integer(model, original)
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})[net.output], expected)


@SETTINGS
@given(st.data())
def test_quantized_additions_are_equal_bit_by_bit(data: st.DataObject) -> None:
    """QLinearAdd rounds behind the zero point, so that ties are even with it and not without."""
    draw, dtype = data.draw, data.draw(st.sampled_from([np.uint8, np.int8]))
    rng, info = np.random.default_rng(draw(st.integers(0, 2**16))), np.iinfo(dtype)
    constants: dict[str, Any] = {}
    for name in "abc":
        constants[f"{name}_scale"] = np.float32(2.0 ** draw(st.integers(-3, 0)))
        constants[f"{name}_zero"] = dtype(draw(st.integers(info.min, info.max)))
    parameters = {name: [f"{name}_scale", f"{name}_zero"] for name in "abc"}
    nodes = [helper.make_node("QuantizeLinear", [n, *parameters[n]], [f"q{n}"], name=f"quantize_{n}") for n in "ab"]
    operands = ["qa", *parameters["a"], "qb", *parameters["b"], *parameters["c"]]
    nodes.append(helper.make_node("QLinearAdd", operands, ["qc"], name="add", domain="com.microsoft"))
    nodes.append(helper.make_node("DequantizeLinear", ["qc", *parameters["c"]], ["c"], name="dequantize"))
    infos = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2, 64]) for n in "abc"]
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "sum", infos[:2], infos[2:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    original = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    inputs = {n: (rng.integers(-300, 300, (2, 64)) / 16).astype(np.float32) for n in "ab"}
    expected = onnxruntime(original, inputs)["c"]
    np.testing.assert_array_equal(execute(original, inputs).values["c"], expected)
    model = ModelWrapper(original, make_deepcopy=True)
    streamline(model)
    np.testing.assert_array_equal(execute_onnx(model, inputs)["c"], expected)
