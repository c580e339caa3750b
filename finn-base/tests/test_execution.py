"""The engine against onnxruntime on the whole model, against float64, and on integers that float32 cannot hold."""

import math

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from finn.core import _plan, numpy_ops, onnx_exec
from finn.core.errors import ExecutionError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compare_execution, execute_node, execute_onnx, execute_onnx_float64

GENERAL = "finn.custom_op.general"
rng = np.random.default_rng(0)


@pytest.fixture
def mlp(build):  # type: ignore[no-untyped-def]
    """Flatten, MatMul, BatchNormalization, Relu, Gemm, Clip, TopK: standard operators only."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("BatchNormalization", ["m", "g", "b", "mu", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["e"], transB=1, alpha=0.5),
        helper.make_node("Clip", ["e", "lo", "hi"], ["c"]),
        helper.make_node("TopK", ["c", "k"], ["values", "indices"]),
    ]
    constants = {name: rng.standard_normal(6).astype(np.float32) for name in ("g", "b", "mu")}
    constants |= {"v": np.abs(rng.standard_normal(6)).astype(np.float32)}
    constants |= {"w": rng.standard_normal((8, 6)).astype(np.float32), "b2": rng.standard_normal(5).astype(np.float32)}
    constants |= {"w2": rng.standard_normal((5, 6)).astype(np.float32), "k": np.array([3])}
    constants |= {"lo": np.float32(-2), "hi": np.float32(2)}
    model = build(nodes, {"x": [2, 2, 4]}, ["values", "indices"], constants)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    return model


def whole_session(model: ModelWrapper, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = ort.InferenceSession(model.model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)  # type: ignore[no-any-return]


def test_equals_one_onnxruntime_session(mlp: ModelWrapper) -> None:
    x = rng.standard_normal((2, 2, 4)).astype(np.float32)
    for result, expected in zip(execute_onnx(mlp, {"x": x}).values(), whole_session(mlp, {"x": x}), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
    full = execute_onnx(mlp, {"x": x}, return_full_exec_context=True)
    assert set(full) == set(mlp.get_all_tensor_names())
    np.testing.assert_array_equal(full["values"], execute_onnx(mlp, {"x": x})["values"])


def test_float64_is_close_and_finer(mlp: ModelWrapper) -> None:
    x = rng.standard_normal((2, 2, 4)).astype(np.float32)
    exact, native = execute_onnx_float64(mlp, {"x": x}), execute_onnx(mlp, {"x": x})
    assert exact["values"].dtype == np.float64
    np.testing.assert_allclose(exact["values"], native["values"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(exact["indices"], native["indices"])


def test_one_session_per_run_of_standard_nodes(mlp: ModelWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx_exec._plans.clear()
    made = []
    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **kwargs: made.append(1) or real(*args, **kwargs))
    x = np.zeros((2, 2, 4), np.float32)
    for _ in range(3):
        execute_onnx(mlp, {"x": x})
    assert len(made) == 1
    mlp.set_initializer("b2", np.zeros(5, np.float32))  # other content, other plan
    execute_onnx(mlp, {"x": x})
    assert len(made) == 2


def test_a_part_of_the_graph(mlp: ModelWrapper) -> None:
    x = rng.standard_normal((2, 2, 4)).astype(np.float32)
    full = execute_onnx(mlp, {"x": x}, True)
    nodes = mlp.graph.node
    part = execute_onnx(mlp, {"m": full["m"]}, True, start_node=nodes[2], end_node=nodes[3])
    np.testing.assert_array_equal(part["r"], full["r"])
    assert "e" not in part
    tail = execute_onnx(mlp, {"r": full["r"]}, start_node=nodes[4])
    np.testing.assert_array_equal(tail["values"], full["values"])


def test_unsorted_graphs_run(mlp: ModelWrapper) -> None:
    x = rng.standard_normal((2, 2, 4)).astype(np.float32)
    expected = execute_onnx(mlp, {"x": x})["values"]
    mlp.graph.node.reverse()
    np.testing.assert_array_equal(execute_onnx(mlp, {"x": x})["values"], expected)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"X": (2, 2, 4)}, "the model has no input 'X'. Remedy: use one of: x"),
        ({}, "input 'x' is missing. Remedy: give an array for each of: x"),
        ({"x": (2, 4)}, "input 'x' has shape [2, 4], the model wants [2, 2, 4]"),
        ({"x": (1, 2, 4)}, "input 'x' has shape [1, 2, 4], the model wants [2, 2, 4]"),
    ],
)
def test_wrong_inputs(mlp: ModelWrapper, inputs: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ExecutionError) as error:
        execute_onnx(mlp, {name: np.zeros(shape, np.float32) for name, shape in inputs.items()})
    assert str(error.value) == message


@pytest.mark.parametrize("dtype", ["U1", "complex64", "V4", "datetime64[s]"])
def test_inputs_that_are_no_numbers(build, dtype: str) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2, 3]}, ["y"])
    with pytest.raises(ExecutionError, match=r"input 'x' is of type .*, the model wants float32"):
        execute_onnx(model, {"x": np.zeros((2, 3), dtype)})


def test_values_outside_the_annotated_type(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"], datatypes={"x": "UINT4"})
    with pytest.raises(ExecutionError) as error:
        execute_onnx(model, {"x": np.array([3, 16.0])})
    assert str(error.value) == "input 'x' has the value 16.0, which is no UINT4"


def test_symbolic_dimensions_accept_any_size(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": ["batch", 2]}, ["y"])
    for batch in (1, 5):
        assert execute_onnx(model, {"x": np.zeros((batch, 2), np.float32)})["y"].shape == (batch, 2)


def test_node_errors_name_the_node(build) -> None:  # type: ignore[no-untyped-def]
    bad = helper.make_node("MultiThreshold", ["x", "t"], ["y"], name="mt", domain=GENERAL, out_dtype="UINT2")
    model = build([bad], {"x": [1, 3]}, ["y"], {"t": np.zeros((2, 3), np.float32)})
    with pytest.raises(ExecutionError, match=r"^node MultiThreshold 'mt': thresholds of shape \(2, 3\) do not fit"):
        execute_onnx(model, {"x": np.zeros((1, 3), np.float32)})
    wrong = build(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")],
        {"x": [1, 3]},
        ["y"],
        {"w": np.ones((2, 2), np.float32)},
    )
    for precision in ("native", "float64"):
        with pytest.raises(ExecutionError, match="MatMul 'mm'"):
            execute_onnx(wrong, {"x": np.zeros((1, 3), np.float32)}, precision=precision)


def test_execute_node_with_three_arguments(build) -> None:  # type: ignore[no-untyped-def]
    model = build(
        [
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node("MultiThreshold", ["r", "t"], ["y"], domain=GENERAL, out_dtype="UINT2"),
        ],
        {"x": [1, 3]},
        ["y"],
        {"t": np.array([[1, 2, 3]], np.float32)},
    )
    context = model.make_empty_exec_context()
    context["x"] = np.array([[-1, 2, 9]], np.float32)
    for node in model.graph.node:
        execute_node(node, context, model.graph)
    assert context["y"].tolist() == [[0, 2, 3]]


def test_compare_execution(build) -> None:  # type: ignore[no-untyped-def]
    def scaled(name: str, factor: float, outputs: list[str]) -> ModelWrapper:
        nodes = [helper.make_node("Mul", [name, "c"], ["y"]), helper.make_node("Identity", [name], ["z"])]
        return build(nodes, {name: [1, 3]}, outputs, {"c": np.full((1, 3), factor, np.float32)})  # type: ignore[no-any-return]

    x = {"x": np.ones((1, 3), np.float32)}
    assert compare_execution(scaled("x", 2, ["y"]), scaled("other", 2.0001, ["y"]), x)
    assert not compare_execution(scaled("x", 2, ["y"]), scaled("x", 2.1, ["y"]), x)
    assert not compare_execution(scaled("x", 2, ["z", "y"]), scaled("x", 2.1, ["z", "y"]), x)  # all outputs count
    assert not compare_execution(scaled("x", 2, ["y"]), scaled("x", 2, ["y", "z"]), x)


# --------------------------------------------------------------------------------------------------- wide integers


@pytest.mark.parametrize(("bits", "dtype"), [(14, np.float64), (28, np.int64)])
def test_products_beyond_float32_stay_exact(build, bits: int, dtype: type) -> None:  # type: ignore[no-untyped-def]
    limit = 2 ** (bits - 1) - 1
    w = np.array([[limit, 1], [limit - 2, 1], [3, -1]], np.float64)
    x = np.array([[limit, limit - 1, -limit]], np.float64)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["s"]),
        helper.make_node("Sub", ["s", "m"], ["d"]),
        helper.make_node("Reshape", ["s", "shape"], ["y"]),
        helper.make_node("Mul", ["y", "scale"], ["float"]),
    ]
    constants = {"w": w.astype(np.float32 if bits < 24 else np.float64), "b": np.array([1, 7], np.float32)}
    constants |= {"shape": np.array([2, 1]), "scale": np.float32(0.5)}
    datatypes = {"x": f"INT{bits}", "w": f"INT{bits}", "b": "UINT3"}
    model = build(nodes, {"x": [1, 3]}, ["y", "d", "float"], constants, datatypes)
    expected = [int(sum(int(a) * int(b) for a, b in zip(x[0], column, strict=True))) for column in w.T]
    result = execute_onnx(model, {"x": x if bits < 24 else x.astype(np.int64)})
    assert result["y"].dtype == dtype
    assert [int(v) for v in result["y"].ravel()] == [expected[0] + 1, expected[1] + 7]
    assert result["d"].ravel().tolist() == [1, 7]
    assert result["float"].dtype == np.float32
    np.testing.assert_allclose(result["float"].ravel(), [(expected[0] + 1) / 2, (expected[1] + 7) / 2], rtol=1e-6)
    oracle = execute_onnx_float64(model, {"x": x if bits < 24 else x.astype(np.int64)})
    assert [int(v) for v in oracle["y"].ravel()] == [expected[0] + 1, expected[1] + 7]


def test_thresholds_see_wide_integers(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("MultiThreshold", ["m", "t"], ["y"], domain=GENERAL, out_dtype="BINARY"),
        helper.make_node("MatMul", ["y", "w2"], ["z"]),
    ]
    constants = {"w": np.array([[4097], [4096]], np.float32), "t": np.array([[4096 * 8193.0 + 1]])}
    constants |= {"w2": np.ones((1, 1), np.float32)}
    model = build(nodes, {"x": [1, 2]}, ["z"], constants, {"x": "INT14", "w": "INT14"})
    for values, expected in (([4096, 4096], 0), ([4097, 4095], 1)):  # 4096*8193 and one more
        result = execute_onnx(model, {"x": np.array([values], np.float32)})["z"]
        assert result.dtype == np.float32
        assert result.tolist() == [[expected]]


def test_top_k_of_wide_integers(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("TopK", ["m", "k"], ["v", "i"]),
        helper.make_node("ArgMax", ["m"], ["a"], axis=1),
    ]
    constants = {"w": np.array([[2**24, 2**24 + 2]], np.float64), "k": np.array([1])}
    constants["w"][0, 0] += 1
    model = build(nodes, {"x": [1, 1]}, ["v", "i", "a"], constants, {"x": "INT2", "w": "INT26"})
    result = execute_onnx(model, {"x": np.ones((1, 1), np.float32)})
    assert (result["v"].item(), result["i"].item(), result["a"].item()) == (2**24 + 2, 1, 1)
    assert result["i"].dtype == result["a"].dtype == np.int64


def test_more_than_64_bits_are_refused(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Mul", ["x", "y"], ["z"], name="mul")]
    model = build(nodes, {"x": [1], "y": [1]}, ["z"], datatypes={"x": "INT40", "y": "INT40"})
    with pytest.raises(UnsupportedError, match=r"node Mul 'mul': integers reach .* beyond 64 bits"):
        execute_onnx(model, {"x": np.ones(1), "y": np.ones(1)})


def test_small_integers_run_in_onnxruntime(build) -> None:  # type: ignore[no-untyped-def]
    """An INT32 annotation alone is no reason to leave float32: the weights bound the result."""
    model = build(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [1, 2]}, ["y"], {"w": np.ones((2, 2), np.float32)},
        {"x": "INT8", "w": "INT2", "y": "INT32"},
    )  # fmt: skip
    assert execute_onnx(model, {"x": np.ones((1, 2), np.float32)})["y"].dtype == np.float32


# ------------------------------------------------------------------------------------------------ NumPy operators

X = rng.integers(-3, 4, (2, 3, 4)).astype(np.float32)
CASES = [
    ("Add", [X, X[:1]], {}), ("Sub", [X, X[:, :1]], {}), ("Mul", [X, X], {}), ("Div", [X, np.abs(X) + 1], {}),
    ("Div", [np.array([-7, 7, -7, 7]), np.array([2, 2, -2, -2])], {}), ("Pow", [np.abs(X), np.float32(2)], {}),
    ("Relu", [X], {}), ("Neg", [X], {}), ("Abs", [X], {}), ("Sign", [X], {}), ("Sqrt", [np.abs(X)], {}),
    ("Identity", [X], {}), ("Sigmoid", [X * 50], {}), ("Tanh", [X], {}),
    ("Clip", [X, np.float32(-1), np.float32(2)], {}),
    ("Clip", [X, None, np.float32(2)], {}), ("MatMul", [X, X.transpose(0, 2, 1).copy()], {}),
    ("Gemm", [X[0], X[1], X[0, :1, :3]], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", [X[0], X[1]], {"transA": 1}), ("Transpose", [X], {}), ("Transpose", [X], {"perm": [0, 2, 1]}),
    ("BatchNormalization", [X, *[np.arange(1, 4, dtype=np.float32)] * 4], {"epsilon": 0.5}),
    ("Reshape", [X, np.array([0, -1])], {}), ("Flatten", [X], {"axis": 2}), ("Flatten", [X], {"axis": -1}),
    ("Flatten", [X], {"axis": 0}), ("Squeeze", [X[:1], np.array([0])], {}), ("Unsqueeze", [X, np.array([0, 4])], {}),
    ("Concat", [X, X], {"axis": 1}), ("Shape", [X], {}), ("Gather", [X, np.array([[1, -1]])], {"axis": 2}),
    ("TopK", [X, np.array([2])], {"axis": 1}), ("TopK", [X, np.array([3])], {"largest": 0}),
    ("ArgMax", [X], {"axis": 2}), ("ArgMax", [X], {"axis": -1, "keepdims": 0, "select_last_index": 1}),
    ("Cast", [X], {"to": TensorProto.INT64}), ("LeakyRelu", [X], {"alpha": 0.5}), ("Softmax", [X], {}),
    ("Erf", [X / 2], {}), ("ReduceSum", [X], {}), ("ReduceSum", [X, np.array([0, -1])], {"keepdims": 0}),
    ("ReduceSum", [X, np.array([], np.int64)], {"noop_with_empty_axes": 1}), ("ReduceMean", [X], {"axes": [1, 2]}),
    ("ReduceSum", [X.astype(np.int32), None], {}), ("ReduceMax", [X], {"axes": [-1], "keepdims": 0}),
    ("ReduceMin", [X], {"axes": [0]}),
]  # fmt: skip


@pytest.mark.parametrize(("op_type", "inputs", "attributes"), CASES)
def test_numpy_operators_equal_onnxruntime(op_type: str, inputs: list, attributes: dict) -> None:  # type: ignore[type-arg]
    names = [f"i{k}" if x is not None else "" for k, x in enumerate(inputs)]
    node = helper.make_node(op_type, names, ["o0", "o1"] if op_type == "TopK" else ["o0"], **attributes)
    context = dict(zip(names, inputs, strict=True))
    execute_node(node, context, None, 13)
    for result, name in zip(numpy_ops.run_node(node, inputs, 13), node.output, strict=True):
        np.testing.assert_allclose(result, context[name], rtol=1e-6, atol=1e-6)
        assert result.dtype == context[name].dtype


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "opset"),
    [
        ("Squeeze", [X[:1]], {"axes": [0]}, 11), ("Unsqueeze", [X], {"axes": [1]}, 11),
        ("Clip", [X], {"min": -1.0, "max": 1.0}, 10), ("TopK", [X], {"k": 2}, 9),
        ("BatchNormalization", [X, *[np.arange(1, 4, dtype=np.float32)] * 4], {}, 9),
        ("ReduceSum", [X], {"axes": [1]}, 11), ("ReduceMean", [X, np.array([1])], {}, 18),
    ],
)  # fmt: skip
def test_old_forms_of_operators(op_type: str, inputs: list, attributes: dict, opset: int) -> None:  # type: ignore[type-arg]
    names = [f"i{k}" for k in range(len(inputs))]
    node = helper.make_node(op_type, names, ["o0", "o1"] if op_type == "TopK" else ["o0"], **attributes)
    context = dict(zip(names, inputs, strict=True))
    execute_node(node, context, None, opset)
    for result, name in zip(numpy_ops.run_node(node, inputs, opset), node.output, strict=True):
        np.testing.assert_allclose(result, context[name], rtol=1e-6, atol=1e-6)


def test_float64_operators_equal_the_reference_evaluator(mlp: ModelWrapper) -> None:
    x = rng.standard_normal((2, 2, 4))
    wide = ModelWrapper(mlp.model, make_deepcopy=True)
    wide.set_opset_import("", 15)  # before, the evaluator trains in BatchNormalization
    for tensor in list(wide.graph.initializer):
        value = wide.get_initializer(tensor.name)
        if value is not None and value.dtype == np.float32:
            wide.set_initializer(tensor.name, value.astype(np.float64))
    expected = ReferenceEvaluator(wide.model).run(["values"], {"x": x})[0]
    found = execute_onnx_float64(mlp, {"x": x})["values"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_default_epsilon_is_a_float32() -> None:
    """Of a small variance the difference to the double 1e-5 shows."""
    node = helper.make_node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"])
    one, zero = np.ones(1), np.zeros(1)
    (y,) = numpy_ops.run_node(node, [np.ones((1, 1)), one, zero, zero, np.array([1e-3])], 15)
    assert y.item() == 1 / np.sqrt(1e-3 + float(np.float32(1e-5)))


def test_erf_is_float64() -> None:
    (y,) = numpy_ops.run_node(helper.make_node("Erf", ["x"], ["y"]), [np.array([[0.5, -3.0]])], 13)
    assert y.tolist() == [[math.erf(0.5), math.erf(-3.0)]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.integers(1, 9), st.integers(0, 1))
def test_top_k_breaks_ties_as_onnx_says(values: list[int], k: int, largest: int) -> None:
    k = min(k, len(values))
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], largest=largest)
    _, indices = numpy_ops.run_node(node, [np.array(values, np.float32), np.array([k])], 13)
    order = sorted(range(len(values)), key=lambda i: (-values[i] if largest else values[i], i))
    assert indices.tolist() == order[:k]


def test_doubles_that_nobody_declares(build) -> None:  # type: ignore[no-untyped-def]
    """A computed constant of type double, without ValueInfo, between standard nodes."""
    nodes = [
        helper.make_node("Cast", ["c"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["d", "e"], ["f"]),
        helper.make_node("Cast", ["x"], ["xd"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["xd", "f"], ["g"]),
        helper.make_node("Cast", ["g"], ["y"], to=TensorProto.FLOAT),
    ]
    model = build(nodes, {"x": [1]}, ["y"], {"c": np.float32(0.5), "e": np.float64(3)})
    assert execute_onnx(model, {"x": np.ones(1, np.float32)})["y"].tolist() == [2.5]


def test_constants_that_are_too_large_for_a_session_are_fed(mlp: ModelWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    x = {"x": np.random.default_rng(0).standard_normal(mlp.get_tensor_shape("x")).astype(np.float32)}
    expected = execute_onnx(mlp, x)
    monkeypatch.setattr(_plan, "_SESSION_BYTES", 100)
    other = ModelWrapper(mlp.model, make_deepcopy=True)
    other.graph.node[0].doc_string = "another model, so another plan"
    for name, value in execute_onnx(other, x).items():
        np.testing.assert_array_equal(value, expected[name])
