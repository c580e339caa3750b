"""Custom operators in standard ONNX: `expand` equals `execute_node` on every float32 value."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_node, execute_onnx
from finn.custom_op.expansion import Expansion
from finn.custom_op.registry import getCustomOp
from finn.util.basic import qonnx_make_model

EDGES = np.array(
    [0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, -0.49999997, 1e30, -1e30, np.inf, -np.inf, np.nan, 1e-45],
    np.float32,
)
MODES = ["ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


def one_node(op: str, shape: list[int], parameters: list[np.ndarray], opset: int, **attributes: object) -> ModelWrapper:
    names = [f"p{i}" for i in range(len(parameters))]
    node = helper.make_node(op, ["x", *names], ["y"], op, domain="finn.custom_op.general", **attributes)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )  # fmt: skip
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    for name, value in zip(names, parameters, strict=True):
        model.set_initializer(name, value)
    return model


def expansion_of(model: ModelWrapper) -> list[str] | None:
    """The op types of the standard form of the only node."""
    node = model.graph.node[0]
    e = Expansion(node, model, model.get_opset_imports()[""], model.get_initializer)
    return None if getCustomOp(node).expand(e) is None else [n.op_type for n in e.nodes]


def both_ways(model: ModelWrapper, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Execution of the plan, and of the operator itself."""
    context = {"x": x} | {t.name: model.get_initializer(t.name) for t in model.graph.initializer}
    execute_node(copy.deepcopy(model.graph.node[0]), context, model.graph)
    return execute_onnx(model, {"x": x})["y"], context["y"]


@st.composite
def inputs(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    """x with the edges among its values, and a shape for parameters: one, or one per channel."""
    shape = draw(st.sampled_from([(16,), (2, 16), (2, 3, 16), (1, 3, 4, 16)]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * draw(st.sampled_from([1, 10, 1000]))).astype(np.float32)
    if draw(st.booleans()):
        x = (np.round(x) / 2).astype(np.float32)  # ties
    x.reshape(-1)[: EDGES.size] = EDGES
    per_channel = (1, shape[1], *[1] * (len(shape) - 2)) if len(shape) > 2 else (1,)
    return x, draw(st.sampled_from([(), (1,), per_channel]))


@settings(max_examples=150, deadline=None)
@given(data=inputs(), bits=st.integers(1, 26), signed=st.booleans(), narrow=st.booleans(),
       mode=st.sampled_from(MODES), opset=st.sampled_from([9, 11, 13, 18]), zeropt=st.sampled_from([0, 0, 3, -2, 0.5]),
       seed=st.integers(0, 99))  # fmt: skip
def test_quantizers(
    data: tuple[np.ndarray, tuple[int, ...]], bits: int, signed: bool, narrow: bool, mode: str, opset: int,
    zeropt: float, seed: int,
) -> None:  # fmt: skip
    x, shape = data
    scale = (np.abs(np.random.default_rng(seed).standard_normal(shape)) + 0.01).astype(np.float32)
    parameters = [scale, np.float32(zeropt), np.float32(bits)]
    attributes = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": mode}
    model = one_node("Quant", list(x.shape), parameters, opset, **attributes)
    assert (expansion_of(model) is None) == (bits > 24)
    plan, operator = both_ways(model, x)
    np.testing.assert_array_equal(plan, operator)
    assert plan.dtype == operator.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(data=inputs(), opset=st.sampled_from([9, 13]))
def test_bipolar_quant(data: tuple[np.ndarray, tuple[int, ...]], opset: int) -> None:
    x, shape = data
    model = one_node("BipolarQuant", list(x.shape), [np.full(shape, 0.3, np.float32)], opset)
    assert expansion_of(model) is not None
    np.testing.assert_array_equal(*both_ways(model, x))


def quantizer(**changes: object) -> ModelWrapper:
    values = {"scale": np.float32(0.5), "zeropt": np.float32(0), "bits": np.float32(4), "opset": 13} | changes
    parameters = [values["scale"], values["zeropt"], values["bits"]]
    return one_node("Quant", [1, 4], parameters, values["opset"], signed=1, narrow=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expanded"),
    [
        ({}, True),
        ({"scale": np.float64(0.5)}, False),
        ({"scale": np.float32(np.inf)}, False),
        ({"bits": np.array([2, 4, 4, 8], np.float32)}, False),
    ],
    ids=str,
)
def test_what_has_no_standard_form_is_executed_as_it_is(changes: dict[str, object], expanded: bool) -> None:
    model = quantizer(**changes)
    assert (expansion_of(model) is not None) == expanded
    np.testing.assert_array_equal(*both_ways(model, np.array([[1, -1, 0.25, 100]], np.float32)))


def test_computed_parameters_are_no_constants() -> None:
    model = quantizer()
    model.del_initializer("p0")
    model.graph.input.append(helper.make_tensor_value_info("p0", TensorProto.FLOAT, []))
    assert expansion_of(model) is None
    assert execute_onnx(model, {"x": np.ones((1, 4), np.float32), "p0": np.float32(2)})["y"].tolist() == [[0, 0, 0, 0]]


def test_wide_integers_are_not_narrowed_by_a_session() -> None:
    model = quantizer(scale=np.float32(1), bits=np.float32(32))
    for name in ("x", "y"):
        model.set_tensor_datatype(name, DataType["INT32"])
    x = np.array([[2**24 + 1, 2**30 + 1, -(2**31), 5]])
    assert execute_onnx(model, {"x": x})["y"].tolist() == x.tolist()
