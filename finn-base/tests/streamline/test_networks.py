"""The integer graph computes exactly what the original computes in float64, over generated MLPs.

Dyadic parameters (k / 2**n) are exact in float64, so that values lie on rounding ties and compare exactly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from finn.analysis.ranges import integer_ranges
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline, streamline

from .reference import ROUND, Net, execute  # noqa: TID252 - test helpers are no installed package

SETTINGS = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
INTEGER_OPS = {"MatMul", "MultiThreshold", "Reshape", "Mul", "Add", "Identity"}


def dyadic(rng: np.random.Generator, *shape: int, low: int = -16, high: int = 17, bits: int = 3) -> np.ndarray:
    return rng.integers(low, high, shape) / 2.0**bits


def scales(draw: Any, rng: np.random.Generator, shape: tuple[int, ...], exact: bool) -> np.ndarray:
    return 2.0 ** rng.integers(-3, 2, shape) if exact else rng.uniform(0.05, 1.5, shape).astype(np.float32)


def add_activation(net: Net, draw: Any, rng: np.random.Generator, width: int, exact: bool) -> None:
    kind = draw(st.sampled_from(["none", "Relu", "Clip", "LeakyRelu", "Sub", "rsub", "Div", "Neg"]))
    if kind == "LeakyRelu":
        net.add(kind, alpha=0.25)
    elif kind == "Clip":
        net.add(kind, -1.5, 2.5)
    elif kind == "Sub":
        net.add(kind, dyadic(rng, width))
    elif kind == "rsub":
        net.add("Sub", inputs=[net.constant(dyadic(rng, 1, width)), net.last])
    elif kind == "Div":
        net.add(kind, 2.0 ** rng.integers(-1, 3, width) * rng.choice([-1, 1], width))
    elif kind != "none":
        net.add(kind)


def add_quantizer(net: Net, draw: Any, rng: np.random.Generator, width: int, exact: bool, *, per_channel: bool) -> None:
    kind = draw(st.sampled_from(["Quant", "Quant", "Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Sign"]))
    bits = draw(st.integers(1, 8 if width <= 4 else 4))
    shape = (width,) if per_channel and draw(st.booleans()) else ()
    if kind == "Sign":
        net.add(kind)
    elif kind == "BipolarQuant":
        net.add(kind, scales(draw, rng, (), exact))
    elif kind == "MultiThreshold":
        rows = draw(st.sampled_from([1, width]))
        thresholds = np.sort(dyadic(rng, rows, 2 ** min(bits, 3) - 1), axis=1)
        out_scale, out_bias = draw(st.sampled_from([(1.0, 0.0), (2.0, -1.0), (0.5, -1.0), (-1.0, 3.0), (0.5, 0.25)]))
        net.add(kind, thresholds, out_scale=out_scale, out_bias=out_bias, out_dtype="INT8")
    else:
        zero_point = draw(st.sampled_from([0.0, 0.0, 1.0, -2.0]))
        signed, narrow, mode = draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from(sorted(ROUND)))
        net.quant(
            scales(draw, rng, shape, exact), bits, zero_point,
            op=kind, signed=int(signed), narrow=int(narrow), rounding_mode=mode,
        )  # fmt: skip


def add_linear(net: Net, draw: Any, rng: np.random.Generator, mw: int, mh: int, exact: bool) -> None:
    bits = draw(st.integers(1, 8))
    gemm, transposed, bias = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    shape = (mh, mw) if transposed else (mw, mh)
    per_output = (mh, 1) if transposed else (1, mh)
    scale = scales(draw, rng, per_output if bits > 1 and draw(st.booleans()) else (), exact)
    limit = 2 ** (bits - 1)
    w = net.weights(rng.integers(-limit, limit + 1, shape) * scale, scale, bits, narrow=draw(st.sampled_from([0, 1])))
    if gemm:
        constants = [w, dyadic(rng, mh)] if bias else [w]
        net.add("Gemm", *constants, transB=int(transposed), alpha=0.5, beta=2.0)
        return
    if transposed:
        last, net.last = net.last, w
        w, net.last = net.add("Transpose", perm=[1, 0]).last, last
    net.add("MatMul", w)
    if bias:
        net.add("Add", dyadic(rng, mh))


def network(draw: Any, exact: bool, *, integer_input: bool) -> tuple[ModelWrapper, list[np.ndarray]]:
    """A random MLP and inputs for it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    widths = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    datatype = draw(st.sampled_from(["INT4", "UINT8", "BIPOLAR", "UINT2"])) if integer_input else ""
    image = draw(st.booleans())
    net = Net(*((1, 1, widths[0], 1) if image else (1, widths[0])), datatype=datatype)
    if image:
        net.add("Flatten")
    if draw(st.booleans()):
        net.add("Mul", 2.0).add("Sub", dyadic(rng, widths[0]) if draw(st.booleans()) else 1.0)
    if not integer_input or draw(st.booleans()):
        add_quantizer(net, draw, rng, widths[0], exact, per_channel=False)
    for i, (mw, mh) in enumerate(pairwise(widths)):
        add_linear(net, draw, rng, mw, mh, exact)
        if draw(st.booleans()):
            gamma = dyadic(rng, mh) * rng.choice([0, 1, 1, 1], mh)
            net.add(
                "BatchNormalization",
                gamma,
                dyadic(rng, mh),
                dyadic(rng, mh),
                4.0 ** rng.integers(-1, 3, mh),
                epsilon=0.0,
            )
        last = i == len(widths) - 2
        if not last or not exact or draw(st.booleans()):
            add_activation(net, draw, rng, mh, exact)
            add_quantizer(net, draw, rng, mh, exact, per_channel=exact and last)
    xs = [input_values(rng, datatype, net.shape) for _ in range(6)]
    return net.model(), xs


def input_values(rng: np.random.Generator, datatype: str, shape: Any) -> np.ndarray:
    if datatype == "BIPOLAR":
        return np.asarray(rng.choice([-1.0, 1.0], shape))
    low, high = {"INT4": (-8, 8), "UINT8": (0, 256), "UINT2": (0, 4), "": (-32, 33)}[datatype]
    return np.asarray(rng.integers(low, high, shape) / (1 if datatype else 8))


def is_integer_graph(model: ModelWrapper) -> None:
    onnx.checker.check_model(model.model)
    ranges = model.analysis(integer_ranges)
    for node in model.graph.node:
        assert node.op_type in INTEGER_OPS | {"Sub", "Div", "BatchNormalization"}, node.op_type
        if node.op_type not in {"MatMul", "MultiThreshold"}:
            continue
        datatype = model.get_tensor_datatype(node.output[0])
        assert datatype.is_integer()
        weights = model.get_initializer(node.input[1])
        if model.get_tensor_datatype(node.input[0]).is_integer():
            assert model.get_tensor_datatype(node.input[1]).allowed(weights).all()
        if node.op_type == "MatMul" and node.output[0] in ranges:
            assert datatype == ranges[node.output[0]].datatype


@SETTINGS
@given(st.data(), st.booleans(), st.booleans())
def test_dyadic_networks_are_equal(data: st.DataObject, integer_input: bool, finn: bool) -> None:
    original, xs = network(data.draw, True, integer_input=integer_input)
    expected = [execute(original.model, {"x": x}) for x in xs]
    name = original.graph.output[0].name
    model = original.transform(ConvertQONNXtoFINN()) if finn else original
    if finn:
        for x, y in zip(xs, expected, strict=True):
            np.testing.assert_array_equal(execute(model.model, {"x": x})[name], y[name])
    report = streamline(model)
    is_integer_graph(model)
    for x, y in zip(xs, expected, strict=True):
        got = execute(model.model, {"x": x})
        np.testing.assert_array_equal(got[name], y[name])
        for tensor, fact in report.tensors.items():
            kept = fact.integers in got and got[fact.integers].shape == np.shape(y.get(tensor))  # all channels
            if kept:
                q = got[fact.integers]
                assert (q >= fact.low).all()
                assert (q <= fact.high).all()
                np.testing.assert_array_equal(fact.scale * q + fact.bias, y[tensor])


@SETTINGS
@given(st.data(), st.booleans())
def test_other_scales_are_equal_away_from_ties(data: st.DataObject, integer_input: bool) -> None:
    model, xs = network(data.draw, False, integer_input=integer_input)
    original = ModelWrapper(model.model.SerializeToString())
    name = model.graph.output[0].name
    streamline(model)
    for x in xs:
        y = execute(original.model, {"x": x.astype(np.float32)})
        assume(not near_a_step(original, y))
        np.testing.assert_allclose(
            execute(model.model, {"x": x.astype(np.float32)})[name], y[name], rtol=1e-6, atol=1e-6
        )


def near_a_step(model: ModelWrapper, tensors: dict[str, np.ndarray]) -> bool:
    """Whether a quantizer gives something else when its input moves by 1e-6, more than rounding can move it."""
    for node in model.graph.node:
        if node.op_type in {"Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Sign"} and not node.input[
            0
        ].startswith("c"):
            for eps in (-1e-6, 1e-6):
                moved = ModelWrapper(model.model.SerializeToString())
                del moved.graph.node[:]
                moved.graph.node.append(node)
                result = execute(moved.model, tensors | {node.input[0]: tensors[node.input[0]] + eps})
                if (result[node.output[0]] != tensors[node.output[0]]).any():
                    return True
    return False


@pytest.mark.parametrize("order", ["TopK", "ArgMax"])
@pytest.mark.parametrize("softmax", [False, True])
def test_selection_sees_integers(order: str, softmax: bool) -> None:
    rng = np.random.default_rng(0)
    net = Net(1, 5, datatype="UINT4")
    net.add("MatMul", net.weights(rng.integers(-3, 4, (5, 6)) * 0.25, 0.25, 3)).add("Mul", 0.5).add("Add", [1.0])
    if softmax:
        net.add("Softmax", axis=-1)
    if order == "TopK":
        net.add("TopK", net.constant([1], np.int64), outputs=2, axis=-1)
    else:
        net.add("ArgMax", axis=1)
    model = net.model()
    xs = [rng.integers(0, 16, (1, 5)) for _ in range(20)]
    expected = [execute(model.model, {"x": x})[net.last] for x in xs]
    streamline(model)
    assert [n.op_type for n in model.graph.node] == ["MatMul", order]
    for x, y in zip(xs, expected, strict=True):
        np.testing.assert_array_equal(execute(model.model, {"x": x})[net.last], y)


def test_selection_behind_a_bias_per_class_sees_integers() -> None:
    net = Net(1, 3, datatype="INT4")
    net.add("MatMul", np.eye(3)).add("Add", [0.5, 0.0, 1.5]).add("ArgMax", axis=1)
    equal(net, ["MatMul", "Mul", "Add", "ArgMax"])


def test_wide_sums_are_computed_in_double() -> None:
    rng = np.random.default_rng(1)
    net = Net(1, 1500, datatype="INT8")
    net.add("MatMul", rng.integers(-128, 128, (1500, 4)) * 2.0).quant(2.0**12, 8).add("Mul", 0.5)
    model = net.model()
    xs = [np.where(rng.random((1, 1500)) < 0.5, -128, 127) for _ in range(5)]
    expected = [execute(model.model, {"x": x})[net.last] for x in xs]
    streamline(model)
    assert [n.op_type for n in model.graph.node] == ["Cast", "MatMul", "MultiThreshold", "Cast", "Mul", "Mul"]
    for x, y in zip(xs, expected, strict=True):
        np.testing.assert_array_equal(execute(model.model, {"x": x})[net.last], y)


def test_falling_channels_negate_weight_columns() -> None:
    net = Net(1, 2, datatype="INT4")
    net.add("MatMul", [[1, 2], [3, 1]]).add("Mul", [1.0, -1.0]).quant(1.0, 3)
    model = net.model()
    streamline(model)
    matmul, threshold = model.graph.node
    np.testing.assert_array_equal(model.get_initializer(matmul.input[1]), [[1, -2], [3, -1]])
    np.testing.assert_array_equal(model.get_initializer(threshold.input[1]), [[-3, -2, -1, 0, 1, 2, 3]])


def equal(net: Net, ops: list[str]) -> None:
    """The integer graph has these ops and the same results on random inputs."""
    rng = np.random.default_rng(2)
    model = net.model()
    xs = [input_values(rng, net.datatype, net.shape) for _ in range(20)]
    expected = [execute(model.model, {"x": x})[net.last] for x in xs]
    streamline(model)
    assert [n.op_type for n in model.graph.node] == ops
    for x, y in zip(xs, expected, strict=True):
        np.testing.assert_array_equal(execute(model.model, {"x": x})[net.last], y)


@pytest.mark.parametrize("datatype", ["", "INT4"])
def test_falling_channels_without_weights_count_from_the_other_end(datatype: str) -> None:
    net = Net(1, 3, datatype=datatype).add("Mul", [0.5, -0.5, 0.0]).quant(1.0, 3, narrow=1, rounding_mode="FLOOR")
    equal(net.add("MatMul", np.eye(3)).quant(1.0, 4), ["MultiThreshold", "MatMul", "MultiThreshold"])


@pytest.mark.parametrize("datatype", ["", "UINT8"])
def test_constants_per_pixel_are_flattened_with_the_pixels(datatype: str) -> None:
    mean = np.arange(6.0).reshape(1, 2, 3) / 4
    net = Net(1, 1, 2, 3, datatype=datatype).add("Sub", mean).quant(0.5, 3).add("Mul", 2.0).add("Flatten")
    net.add("MatMul", np.arange(12).reshape(6, 2) - 6).add("Relu").quant(4.0, 2, signed=0)
    equal(net, ["Reshape", "MultiThreshold", "MatMul", "MultiThreshold", "Mul"])


def test_quantizing_integers_to_themselves_costs_nothing() -> None:
    net = Net(1, 4, datatype="UINT8").add("Mul", 0.25).quant(0.25, 8, signed=0).add("MatMul", np.eye(4)).quant(1.0, 4)
    equal(net, ["MatMul", "MultiThreshold"])


def test_scales_with_integer_ratios_go_into_the_weights() -> None:
    net = Net(1, 2, datatype="INT4").quant([0.5, 0.75], 3).add("MatMul", [[1, 0], [1, -1]]).quant(1.0, 4)
    equal(net, ["MultiThreshold", "MatMul", "MultiThreshold"])


def test_one_quantizer_with_two_readers_is_one_node() -> None:
    net = Net(1, 2).quant(1.0, 3)
    left = net.add("MatMul", [[1, 2], [3, 4]]).add("Neg").quant(1.0, 4).last
    net.last = "t0"
    right = net.add("MatMul", [[1], [2]]).last
    model = net.model(outputs=[left, right])
    x = np.array([[-2.0, 3.0]])
    expected = execute(model.model, {"x": x})
    streamline(model)
    assert sorted(n.op_type for n in model.graph.node) == ["MatMul", "MatMul", "MultiThreshold", "MultiThreshold"]
    got = execute(model.model, {"x": x})
    for name in (left, right):
        np.testing.assert_array_equal(got[name], expected[name])


def test_an_unsupported_tail_stays_on_the_host() -> None:
    net = Net(1, 2, datatype="INT4").add("MatMul", [[1, 2], [3, 4]]).add("Mul", 0.5).add("Softmax")
    equal(net, ["MatMul", "Mul", "Softmax"])


def test_same_input_same_bytes() -> None:
    net = Net(1, 3).quant(1.0, 3).add("MatMul", np.eye(3)).add("Relu").quant(1.0, 2)
    models = [net.model(), net.model()]
    for model in models:
        streamline(model)
    assert models[0].model.SerializeToString() == models[1].model.SerializeToString()


def test_outputs_that_are_read_as_well(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("BipolarQuant", ["f", "s"], ["y"], domain="finn.custom_op.general"),
    ]
    model = build(nodes, {"x": [2, 3, 2]}, ["f", "y"], {"s": np.float32(0.5)})
    x = {"x": np.arange(12, dtype=np.float32).reshape(2, 3, 2) - 5}
    for before, after in zip(
        execute_onnx(model, x).values(), execute_onnx(model.transform(Streamline()), x).values(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_constants_have_no_more_axes_than_what_they_meet_behind_a_reshape(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Add", ["x", "c"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Flatten", ["r"], ["y"]),
        helper.make_node("BipolarQuant", ["x", "s"], ["q"], domain="finn.custom_op.general"),
    ]
    constants = {"c": np.full((1, 1, 1, 1), 0.5, np.float32), "s": np.float32(1)}
    model = build(nodes, {"x": [1, 2, 4, 4]}, ["y", "q"], constants)
    x = {"x": np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4) - 5}
    after = execute_onnx(model.transform(Streamline()), x)["y"]
    np.testing.assert_array_equal(after, execute_onnx(model, x)["y"])
    assert after.shape == (1, 32)
