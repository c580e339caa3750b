"""Data type inference: one table per rule, and soundness on random small graphs."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import ExecutionError, UnknownOpError
from finn.core.execute_custom_node import execute_custom_node
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_datatypes import InferDataTypes, infer_mac_result_dtype, is_scaled_int
from finn.util.basic import gen_finn_dt_tensor


@pytest.mark.parametrize(
    ("inputs", "before", "negation", "expected"),
    [
        (["UINT4", "UINT4"], "FLOAT32", False, "UINT32"),
        (["UINT4", "UINT4"], "FLOAT32", True, "INT32"),
        (["UINT4", "INT4"], "FLOAT32", False, "INT32"),
        (["UINT4", "INT4"], "INT9", False, "INT9"),
        (["BIPOLAR", "BINARY"], "FLOAT32", False, "INT32"),
        (["FIXED<4,2>", "INT4"], "FLOAT32", False, "SCALEDINT<32>"),
        (["FIXED<4,2>", "INT4"], "FIXED<9,6>", False, "FIXED<9,6>"),
        (["FIXED<4,2>", "SCALEDINT<4>"], "FIXED<9,6>", False, "SCALEDINT<32>"),
        (["SCALEDINT<8>", "FLOAT32"], "INT8", False, "FLOAT32"),
        (["FLOAT<4,3>", "INT4"], "INT8", False, "FLOAT32"),
        (["FLOAT16", "FLOAT16"], "FLOAT32", False, "FLOAT32"),
    ],
)
def test_sums_of_products(inputs: list[str], before: str, negation: bool, expected: str) -> None:
    assert infer_mac_result_dtype([DataType[name] for name in inputs], DataType[before], negation) == expected


def test_scaled_integers() -> None:
    names = ["INT4", "BIPOLAR", "FIXED<4,2>", "SCALEDINT<4>", "FLOAT32", "FLOAT16", "FLOAT<4,3>"]
    assert [is_scaled_int(DataType[name]) for name in names] == [True] * 4 + [False] * 3


def tensors(*names: str) -> dict[str, list[int]]:
    return {name: [2, 3, 4, 4] for name in names}


@pytest.mark.parametrize(
    ("op_type", "attributes", "types", "expected"),
    [
        ("Add", {}, ["UINT2", "UINT4"], "UINT32"),
        ("Sub", {}, ["UINT2", "UINT4"], "INT32"),
        ("Mul", {}, ["FIXED<4,2>", "INT4"], "FLOAT32"),
        ("Identity", {}, ["FIXED<4,2>"], "FIXED<4,2>"),
        ("Identity", {}, ["FLOAT<4,3>"], "FLOAT<4,3,7>"),
        ("Relu", {}, ["FIXED<4,2>"], "FIXED<4,2>"),
        ("Relu", {}, ["INT4"], "UINT3"),
        ("Sign", {}, ["FLOAT32"], "TERNARY"),
        ("Concat", {"axis": 0}, ["INT4", "UINT4"], "INT5"),
        ("Concat", {"axis": 0}, ["FIXED<4,2>", "FIXED<4,2>"], "FIXED<4,2>"),
        ("Concat", {"axis": 0}, ["FIXED<4,2>", "INT4"], "FLOAT32"),
        ("GlobalMaxPool", {}, ["INT4"], "INT4"),
        ("ArgMax", {}, ["INT4"], "UINT32"),
        ("Sigmoid", {}, ["INT4"], "FLOAT32"),
    ],
)
def test_operators(build, op_type: str, attributes: dict[str, int], types: list[str], expected: str) -> None:  # type: ignore[no-untyped-def]
    names = ["a", "b"][: len(types)]
    node = helper.make_node(op_type, names, ["y"], **attributes)
    model = build([node], tensors(*names), ["y"], datatypes=dict(zip(names, types, strict=True)))
    assert model.transform(InferDataTypes()).get_tensor_datatype("y") == expected


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("INT4", -100.0, 100.0, "INT4"),
        ("INT4", -2.0, 1.0, "INT4"),
        ("INT4", -np.inf, np.inf, "INT4"),
        ("INT4", 0.5, 3.0, "FLOAT32"),
        ("INT4", 9.0, 20.0, "INT5"),
        ("UINT4", -3.0, 20.0, "UINT4"),
        ("UINT4", 20.0, 30.0, "UINT5"),
        ("UINT4", -5.0, -3.0, "INT5"),
        ("BIPOLAR", 0.0, 5.0, "TERNARY"),
        ("BIPOLAR", -1.0, 1.0, "BIPOLAR"),
        ("FIXED<4,2>", -1.25, 1.0, "FIXED<4,2>"),
        ("FIXED<4,2>", -1.3, 1.0, "FLOAT32"),
        ("FLOAT32", 0.0, 1.0, "FLOAT32"),
    ],
)
@pytest.mark.parametrize("opset", [9, 13])
def test_bounds(build, kind: str, low: float, high: float, expected: str, opset: int) -> None:  # type: ignore[no-untyped-def]
    """As attributes before opset 11, as inputs since."""
    new = opset >= 11
    node = helper.make_node(
        "Clip", ["x", "l", "h"] if new else ["x"], ["y"], **({} if new else {"min": low, "max": high})
    )
    constants = {"l": np.float32(low), "h": np.float32(high)} if new else {}
    model = build([node], tensors("x"), ["y"], constants, {"x": kind}, opset).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == expected
    x = gen_finn_dt_tensor(DataType[kind], [2, 3, 4, 4], seed=1)
    assert DataType[expected].allowed(execute_onnx(model, {"x": x})["y"]).all()


def test_bounds_of_constant_nodes(build) -> None:  # type: ignore[no-untyped-def]
    bound = helper.make_node("Constant", [], ["h"], value=numpy_helper.from_array(np.float32(2.5)))
    nodes = [bound, helper.make_node("Clip", ["x", "", "h"], ["y"])]
    model = build(nodes, tensors("x"), ["y"], datatypes={"x": "INT4"}).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == "FLOAT32"


@pytest.mark.parametrize(
    ("kind", "value", "mode", "expected"),
    [
        ("BIPOLAR", None, "constant", "TERNARY"),
        ("BIPOLAR", 1.0, "constant", "BIPOLAR"),
        ("BIPOLAR", None, "edge", "BIPOLAR"),
        ("UINT4", None, "constant", "UINT4"),
        ("UINT4", -3.0, "constant", "INT5"),
        ("UINT4", 0.5, "constant", "FLOAT32"),
        ("FIXED<4,2>", 0.5, "constant", "FIXED<4,2>"),
        ("FIXED<4,2>", 0.1, "constant", "FLOAT32"),
        ("FLOAT16", 0.1, "constant", "FLOAT16"),
    ],
)
@pytest.mark.parametrize("opset", [9, 13])
def test_padding(build, kind: str, value: float | None, mode: str, expected: str, opset: int) -> None:  # type: ignore[no-untyped-def]
    pads = [0, 0, 1, 1, 0, 0, 1, 1]
    constants, inputs, attributes = {}, ["x"], {"mode": mode}
    if opset < 11:
        attributes |= {"pads": pads} | ({} if value is None else {"value": value})
    else:
        constants["p"] = np.array(pads)
        inputs.append("p")
        if value is not None:
            constants["v"] = np.float32(value)
            inputs.append("v")
    node = helper.make_node("Pad", inputs, ["y"], **attributes)
    model = build([node], tensors("x"), ["y"], constants, {"x": kind}, opset).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == expected


def test_max_pool_with_indices(build) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])
    model = build([node], tensors("x"), ["y", "i"], datatypes={"x": "INT4"}).transform(InferDataTypes())
    assert [model.get_tensor_datatype(name) for name in "yi"] == ["INT4", "FLOAT32"]


@pytest.mark.parametrize(("mode", "expected"), [("nearest", "INT4"), ("linear", "FLOAT32"), (None, "INT4")])
@pytest.mark.parametrize("op_type", ["Upsample", "Resize"])
def test_resizing(build, op_type: str, mode: str | None, expected: str) -> None:  # type: ignore[no-untyped-def]
    inputs = ["x", "s"] if op_type == "Upsample" else ["x", "", "s"]
    node = helper.make_node(op_type, inputs, ["y"], **({} if mode is None else {"mode": mode}))
    constants = {"s": np.array([1, 1, 2, 2], np.float32)}
    opset = 9 if op_type == "Upsample" else 13
    model = build([node], tensors("x"), ["y"], constants, {"x": "INT4"}, opset).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == expected


@pytest.mark.parametrize(("op_type", "attributes"), [("Conv", {}), ("ConvTranspose", {}), ("Conv", {"pads": [1] * 4})])
def test_convolutions(build, op_type: str, attributes: dict[str, list[int]]) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node(op_type, ["x", "w", "b"], ["y"], **attributes)
    constants = {"w": np.ones((3, 3, 2, 2), np.float32), "b": np.ones(3, np.float32)}
    for bias, expected in (("UINT4", "UINT32"), ("INT4", "INT32"), ("FLOAT32", "FLOAT32")):
        types = {"x": "UINT4", "w": "BINARY", "b": bias}
        model = build([node], tensors("x"), ["y"], constants, types).transform(InferDataTypes())
        assert model.get_tensor_datatype("y") == expected


@pytest.mark.parametrize(
    ("factors", "expected"),
    [({}, "UINT32"), ({"alpha": 2.0}, "UINT32"), ({"beta": -1.0}, "INT32"), ({"alpha": 0.5}, "FLOAT32")],
)
def test_factors_of_gemm(build, factors: dict[str, float], expected: str) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], **factors)
    types = dict.fromkeys("xwc", "UINT2")
    model = build([node], {name: [3, 3] for name in "xwc"}, ["y"], datatypes=types).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == expected


@pytest.mark.parametrize("zero", [np.int8(0), np.uint8(3), np.int16(0), None])
@pytest.mark.parametrize("scaled", [False, True])
def test_quantize_and_dequantize(build, zero: np.generic | None, scaled: bool) -> None:  # type: ignore[no-untyped-def]
    extra = [] if zero is None else ["z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", *extra], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", *extra], ["d"]),
        helper.make_node("Add", ["d", "d"], ["y"]),
    ]
    constants = {"s": np.float32(0.1)} | ({} if zero is None else {"z": np.asarray(zero)})
    model = build(nodes, tensors("x"), ["y"], constants, opset=21)
    types = [model.transform(InferDataTypes(allow_scaledint_dtypes=scaled)).get_tensor_datatype(n).name for n in "qdy"]
    integer = "UINT8" if zero is None else zero.dtype.name.upper()
    bits = DataType[integer].bitwidth()
    assert types == [integer, *([f"SCALEDINT<{bits}>", "SCALEDINT<32>"] if scaled else ["FLOAT32"] * 2)]


def test_output_dtype_of_quantize(build) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], output_dtype=TensorProto.INT4)
    model = build([node], tensors("x"), ["y"], {"s": np.float32(0.1)}, opset=21).transform(InferDataTypes())
    assert model.get_tensor_datatype("y") == "INT4"


def test_half_precision(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("MatMul", ["x", "x"], ["m"]), helper.make_node("Sigmoid", ["m"], ["y"])]
    model = build(nodes, tensors("x"), ["y"], datatypes={"x": "FLOAT16"})
    for name in ("x", "m"):
        model.set_tensor_shape(name, [2, 3, 4, 4], TensorProto.FLOAT16)
    model = model.transform(InferDataTypes())
    assert [model.get_tensor_datatype(name) for name in "xmy"] == ["FLOAT16", "FLOAT16", "FLOAT32"]


def test_scatter(build) -> None:  # type: ignore[no-untyped-def]
    for reduction, expected in ((None, "INT5"), ("add", "FLOAT32"), ("max", "INT5")):
        more = {} if reduction is None else {"reduction": reduction}
        node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], **more)
        types = {"x": "UINT4", "u": "INT4"}
        model = build([node], tensors("x", "u"), ["y"], {"i": np.zeros((2, 3, 4, 4), np.int64)}, types, 18)
        assert model.transform(InferDataTypes()).get_tensor_datatype("y") == expected


def test_finer_annotations_stay(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("MatMul", ["x", "x"], ["m"]), helper.make_node("Exp", ["m"], ["y"])]
    model = build(nodes, tensors("x"), ["y"], datatypes={"x": "INT2", "m": "INT7", "y": "UINT9"})
    model = model.transform(InferDataTypes())
    assert [model.get_tensor_datatype(name) for name in "my"] == ["INT7", "UINT9"]


_UNARY = ["Relu", "Sign", "Identity", "Flatten", "GlobalMaxPool", "Clip", "Pad"]
_BINARY = ["Add", "Sub", "Mul", "MatMul", "Concat"]
_TYPES = st.sampled_from(["BIPOLAR", "TERNARY", "BINARY", "UINT3", "INT4", "FIXED<4,2>", "FLOAT<2,2>"])


def node_of(op_type: str, inputs: list[str], output: str) -> NodeProto:
    extra = {"Clip": ["", "high"], "Pad": ["pads"]}.get(op_type, [])
    attributes = {"axis": 1} if op_type == "Concat" else {}
    return helper.make_node(op_type, [*inputs, *extra], [output], **attributes)


def unary_then_binary(first: str, second: str, build) -> tuple[ModelWrapper, list[str]]:  # type: ignore[no-untyped-def]
    nodes = [node_of(first, ["a"], "p"), node_of(first, ["b"], "q"), node_of(second, ["p", "q"], "y")]
    constants = {"high": np.float32(2), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    return build(nodes, tensors("a", "b"), ["p", "q", "y"], constants), ["p", "q", "y"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # `build` has no state
@given(st.sampled_from(_UNARY), st.sampled_from(_BINARY), _TYPES, _TYPES, st.integers(0, 2**32 - 1))
def test_inferred_types_hold_the_results(build, first: str, second: str, a: str, b: str, seed: int) -> None:  # type: ignore[no-untyped-def]
    if first in ("Flatten", "GlobalMaxPool") and second == "MatMul":
        second = "Add"
    model, outputs = unary_then_binary(first, second, build)
    rng = np.random.default_rng(seed)
    values = {}
    for name, kind in (("a", a), ("b", b)):
        model.set_tensor_datatype(name, DataType[kind])
        values[name] = gen_finn_dt_tensor(DataType[kind], [2, 3, 4, 4], rng)
    model = model.transform(InferDataTypes())
    results = execute_onnx(model, values)
    for name in outputs:
        datatype = model.get_tensor_datatype(name)
        assert datatype.allowed(results[name]).all(), (name, datatype)
        if all(DataType[kind].is_integer() for kind in (a, b)):
            assert datatype.is_integer()


def test_inference_is_linear(build) -> None:  # type: ignore[no-untyped-def]
    def seconds(length: int) -> float:
        names = ["x", *(f"t{i}" for i in range(length - 1)), "y"]
        nodes = [helper.make_node("Relu", [a], [b]) for a, b in itertools.pairwise(names)]
        model = build(nodes, {"x": [2, 3]}, ["y"], datatypes={"x": "UINT4"})
        start = time.process_time()
        InferDataTypes().apply(model)
        assert model.get_tensor_datatype("y") == "UINT4"
        return time.process_time() - start

    assert min(seconds(8000) for _ in range(3)) < 16 * max(min(seconds(1000) for _ in range(3)), 1e-3)


def test_one_custom_node() -> None:
    node = helper.make_node("BipolarQuant", ["x", "s"], ["y"], name="q", domain="finn.custom_op.general")
    context = {"x": np.array([-1, 0, 2], np.float32), "s": np.float32(0.5)}
    execute_custom_node(node, context, helper.make_graph([], "g", [], []))
    np.testing.assert_array_equal(context["y"], np.array([-0.5, 0.5, 0.5], np.float32))
    execute_custom_node(node, context, helper.make_graph([], "g", [], []), 1)
    with pytest.raises(ExecutionError, match="BipolarQuant 'q': cannot be computed"):
        execute_custom_node(node, {}, helper.make_graph([], "g", [], []))
    node.op_type = "BipolarQuanta"
    with pytest.raises(UnknownOpError, match="did you mean 'BipolarQuant'"):
        execute_custom_node(node, context, helper.make_graph([], "g", [], []))
