from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.analysis.topology import (
    all_tensors_f32,
    get_per_tensor_fanouts,
    is_linear,
    node_inputs_in_expected_order,
    nodes_topologically_sorted,
)

W = np.ones((3, 3), np.float32)


def test_fanout_and_linear(build) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Add", ["h", "x"], ["y"])]
    model = build(nodes, {"x": [2, 3]}, ["y"])
    assert get_per_tensor_fanouts(model) == {"x": 2, "y": 0, "h": 1}
    assert is_linear(model) == {"is_linear": False}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    model = build(nodes, {"x": [2, 3]}, ["y"], {"w": W})
    assert get_per_tensor_fanouts(model) == {"w": 2, "x": 1, "y": 0, "h": 1}
    assert is_linear(model) == {"is_linear": True}


def test_all_tensors_f32_is_about_containers(build) -> None:
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2, 3]}, ["y"], datatypes={"x": "INT4"})
    assert all_tensors_f32(model) == {"all_tensors_f32": True}
    model.set_tensor_shape("y", [2, 3], TensorProto.DOUBLE)
    assert all_tensors_f32(model) == {"all_tensors_f32": False}


@pytest.mark.parametrize(
    ("op_type", "inputs", "expected"),
    [
        ("MatMul", ["x", "w"], True),
        ("MatMul", ["w", "x"], False),
        ("MatMul", ["x", "x"], False),
        ("Mul", ["x", "w"], True),
        ("Mul", ["x", "x"], False),
        ("Add", ["x", "x"], True),
        ("Add", ["w", "x"], False),
        ("Sub", ["w", "x"], True),  # not looked at
    ],
)
def test_order_of_inputs(build, op_type: str, inputs: list[str], expected: bool) -> None:
    model = build([helper.make_node(op_type, inputs, ["y"])], {"x": [3, 3]}, ["y"], {"w": W})
    assert node_inputs_in_expected_order(model) == {"node_inputs_in_expected_order": expected}


def test_a_bias_is_a_third_input(build) -> None:
    arrays = {"w": np.ones((1, 1, 1, 1), np.float32), "b": np.ones(1, np.float32)}
    model = build([helper.make_node("Conv", ["x", "w", "b"], ["y"])], {"x": [2, 1, 3, 3]}, ["y"], arrays)
    assert node_inputs_in_expected_order(model) == {"node_inputs_in_expected_order": False}


@pytest.mark.parametrize("swap", [False, True])
def test_subgraphs_are_sorted_too(build, swap: bool) -> None:
    inner = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    body = helper.make_graph(inner[::-1] if swap else inner, "body", [], [helper.make_empty_tensor_value_info("b")])
    other = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["c"])], "other", [], [helper.make_empty_tensor_value_info("c")]
    )
    node = helper.make_node("If", ["condition"], ["y"], then_branch=body, else_branch=other)
    model = build([node], {"x": [2, 3]}, ["y"], {"condition": np.array(True)})
    assert nodes_topologically_sorted(model) == {"nodes_topologically_sorted": not swap}


def test_unsorted(build) -> None:
    nodes = [helper.make_node("Relu", ["h"], ["y"]), helper.make_node("Relu", ["x"], ["h"])]
    assert nodes_topologically_sorted(build(nodes, {"x": [2, 3]}, ["y"])) == {"nodes_topologically_sorted": False}
    assert nodes_topologically_sorted(build(nodes[::-1], {"x": [2, 3]}, ["y"])) == {"nodes_topologically_sorted": True}


def test_linear_in_the_number_of_nodes(build) -> None:
    names = ["x", *(f"h{i}" for i in range(20_000))]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in itertools.pairwise(names)]
    model = build(nodes, {"x": [2, 3]}, [names[-1]])
    start = time.perf_counter()
    assert nodes_topologically_sorted(model)["nodes_topologically_sorted"]
    assert is_linear(model)["is_linear"]
    assert time.perf_counter() - start < 5
