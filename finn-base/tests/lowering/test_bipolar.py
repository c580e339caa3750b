"""Bipolar products as counts of equal bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, helper

from finn.core.onnx_exec import execute_onnx
from finn.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
from finn.transformation.infer_datatypes import InferDataTypes

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    GENERAL,
    QUICK,
    check_annotations,
    make,
    op_types,
    same,
    whole,
)


def signs(seed: int, shape: list[int]) -> np.ndarray:
    return 2 * whole(seed, shape, 0, 2) - 1


def threshold(source: str, target: str, **attributes: Any) -> NodeProto:
    given_attributes = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0} | attributes
    return helper.make_node("MultiThreshold", [source, "t"], [target], "mt", domain=GENERAL, **given_attributes)


def product(source: str = "b", weights: str = "w", target: str = "y") -> NodeProto:
    return helper.make_node("MatMul", [source, weights], [target], f"product_{target}")


BIPOLAR = {"x": "INT8", "b": "BIPOLAR", "w": "BIPOLAR", "y": "INT32"}


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
@QUICK
def test_behind_a_threshold(rows: list[int], k: int, n: int, seed: int) -> None:
    layout = {} if len(rows) == 1 else {"data_layout": "N" + "HW"[: len(rows) - 1] + "C"}
    constants = {"t": whole(seed, [k, 1]), "w": signs(seed, [k, n])}
    model = make([threshold("x", "b", **layout), product()], {"x": [*rows, k]}, constants, datatypes=BIPOLAR)
    result = same(model, ConvertBipolarMatMulToXnorPopcount(), {"x": whole(seed + 1, [*rows, k])})
    assert op_types(result) == ["MultiThreshold", "XnorPopcountMatMul", "Mul", "Add"]
    assert [str(result.get_tensor_datatype(name)) for name in ("b", "w")] == ["BINARY", "BINARY"]
    factor, shift = (result.get_initializer(node.input[1]) for node in list(result.graph.node)[2:])
    assert (factor.tolist(), shift.tolist()) == ([2], [-k])
    inferred = result.transform(InferDataTypes())
    assert inferred.get_tensor_datatype("y") == "INT32"


@given(st.integers(1, 3), st.lists(st.integers(0, 2), min_size=4, max_size=4), st.integers(0, 1), st.integers(0, 99))
@QUICK
def test_behind_columns(kernel: int, pads: list[int], bit: int, seed: int) -> None:
    """Columns, transposes and maxima of bits are bits; padding by -1 becomes padding by 0."""
    nodes = [
        threshold("x", "a"),
        helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
        helper.make_node("Transpose", ["p"], ["q"], perm=[0, 2, 3, 1]),
        helper.make_node(
            "Im2Col", ["q"], ["b"], domain=GENERAL, kernel_size=[kernel] * 2, stride=[1, 2], pad_amount=pads,
            pad_value=2 * bit - 1, input_shape="(1, 5, 5, 3)",
        ),
        product(),
    ]  # fmt: skip
    constants = {"t": whole(seed, [3, 1]), "w": signs(seed, [kernel * kernel * 3, 4])}
    model = make(nodes, {"x": [2, 3, 5, 5]}, constants, datatypes=BIPOLAR | dict.fromkeys("apq", "BIPOLAR"))
    result = same(model, ConvertBipolarMatMulToXnorPopcount(), {"x": whole(seed + 1, [2, 3, 5, 5])})
    assert "MatMul" not in op_types(result)
    assert {str(result.get_tensor_datatype(name)) for name in "apqbw"} == {"BINARY"}
    (columns,) = result.get_nodes_by_op_type("Im2Col")
    assert not any(pads) or next(a.i for a in columns.attribute if a.name == "pad_value") == bit


def test_graph_input_wants_bits_from_now_on() -> None:
    weights = signs(0, [5, 3])
    model = make([product("x")], {"x": [2, 5]}, {"w": weights}, datatypes=BIPOLAR | {"x": "BIPOLAR"})
    with pytest.warns(UserWarning, match="the graph input 'x' is BINARY now: give it bits, 0 for -1 and 1 for"):
        result = model.transform(ConvertBipolarMatMulToXnorPopcount())
    assert result.get_tensor_datatype("x") == "BINARY"
    x = signs(1, [2, 5])
    context = execute_onnx(result, {"x": (x + 1) / 2}, return_full_exec_context=True)
    np.testing.assert_array_equal(context["y"], x @ weights)
    check_annotations(result, context)


def test_several_products_of_the_same_bits() -> None:
    """They share their weights, too, which another node reads besides."""
    nodes = [
        threshold("x", "b"),
        product(target="y"),
        helper.make_node("Transpose", ["b"], ["bt"]),
        product("bt", "v", "z"),
        product(target="u"),
        helper.make_node("Neg", ["w"], ["minus"]),
    ]
    constants = {"t": whole(0, [3, 1]), "w": signs(0, [3, 2]), "v": signs(1, [4, 2])}
    datatypes = BIPOLAR | {"bt": "BIPOLAR", "v": "BIPOLAR"}
    model = make(nodes, {"x": [4, 3]}, constants, outputs=["y", "z", "u", "minus"], datatypes=datatypes)
    result = same(model, ConvertBipolarMatMulToXnorPopcount(), {"x": whole(2, [4, 3])})
    assert op_types(result).count("XnorPopcountMatMul") == 3


STAYS: dict[str, tuple[list[NodeProto], dict[str, Any], str]] = {
    "another reader": (
        [threshold("x", "b"), product(), helper.make_node("Relu", ["b"], ["z"], "relu")],
        {},
        "Relu 'relu' reads 'b', too",
    ),
    "an output": ([threshold("x", "b"), product()], {"outputs": ["y", "b"]}, "'b' is an output of the model"),
    "another source": ([helper.make_node("Sign", ["x"], ["b"], "sign"), product()], {}, "Sign 'sign' makes its input"),
    "another scale": (
        [threshold("x", "b", out_scale=1.0), product()],
        {},
        "MultiThreshold 'mt' has scale 1.0 and bias -1.0, wanted 2 and -1",
    ),
    "computed weights": (
        [threshold("x", "b"), helper.make_node("Identity", ["w"], ["v"]), product(weights="v")],
        {"datatypes": {"v": "BIPOLAR"}},
        "its weights 'v' are no initializer",
    ),
    "zero weights": (
        [threshold("x", "b"), product()],
        {"constants": {"w": np.zeros((3, 2), np.float32)}},
        "its weights are not all -1 or +1",
    ),
    "stacked weights": (
        [threshold("x", "b"), product()],
        {"constants": {"w": np.ones((1, 3, 2), np.float32)}},
        "its weights have shape [1, 3, 2], wanted (K, N)",
    ),
    "two levels": (
        [threshold("x", "b"), product()],
        {"constants": {"t": np.zeros((3, 2), np.float32)}},
        "MultiThreshold 'mt' has 2 levels",
    ),
    "padding": (
        [
            helper.make_node("Reshape", ["x", "shape"], ["image"]),
            threshold("image", "b", data_layout="NHWC"),
            helper.make_node(
                "Im2Col", ["b"], ["c"], "columns", domain=GENERAL, kernel_size=[1, 2], stride=[1, 1],
                pad_amount=[0, 1, 0, 0], input_shape="(1, 1, 2, 3)",
            ),
            product("c", "v"),
        ],
        {
            "constants": {"shape": np.array([1, 1, 2, 3]), "v": np.ones((6, 2), np.float32)},
            "datatypes": {"c": "BIPOLAR", "v": "BIPOLAR"},
        },
        "Im2Col 'columns' pads by 0, which is no bit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_left_alone_with_a_reason(name: str) -> None:
    nodes, extra, reason = STAYS[name]
    read = {tensor for node in nodes for tensor in node.input}
    constants = {"t": whole(0, [3, 1]), "w": signs(0, [3, 2])} | extra.get("constants", {})
    constants = {tensor: value for tensor, value in constants.items() if tensor in read}
    outputs = extra.get("outputs", ["y", "z"] if any("z" in node.output for node in nodes) else ["y"])
    datatypes = BIPOLAR | extra.get("datatypes", {})
    model = make(nodes, {"x": [2, 3]}, constants, outputs=outputs, datatypes=datatypes)
    before = [node.SerializeToString() for node in model.graph.node]
    with pytest.warns(UserWarning, match="'product_y' does not become XnorPopcountMatMul: ") as caught:
        result = model.transform(ConvertBipolarMatMulToXnorPopcount())
    assert [reason in str(warning.message) for warning in caught] == [True], str(caught[0].message)
    assert [node.SerializeToString() for node in result.graph.node] == before
    assert result.get_tensor_datatype("b") == "BIPOLAR"


def test_other_types_are_not_looked_at() -> None:
    model = make([product("x")], {"x": [2, 3]}, {"w": signs(0, [3, 2])}, datatypes={"x": "INT2", "w": "BIPOLAR"})
    assert op_types(model.transform(ConvertBipolarMatMulToXnorPopcount())) == ["MatMul"]
