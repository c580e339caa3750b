"""Models that are executed, edited, shared between threads and sent to other processes, again and again."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from onnx import NodeProto, helper

from finn.core import onnx_exec
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model, execute_node, execute_onnx
from finn.custom_op.base import CustomOp
from finn.custom_op.registry import add_op_to_domain, getCustomOp

DOMAIN = "package_of_somebody.ops"
X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], np.float32)


class Counted(CustomOp):
    """Doubles, and notes in an attribute how often it ran."""

    def get_nodeattr_types(self):  # type: ignore[no-untyped-def]
        return {"runs": ("i", False, 0)}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("Relu", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        pass

    def execute_node(self, context, graph) -> None:  # type: ignore[no-untyped-def]
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]] * 2
        self.set_nodeattr("runs", self.get_nodeattr("runs") + 1)

    def verify_node(self) -> list[str]:
        return []


@pytest.fixture
def counted(build) -> Iterator[ModelWrapper]:  # type: ignore[no-untyped-def]
    module = ModuleType(DOMAIN)
    module.custom_op = {"Counted": Counted}  # type: ignore[attr-defined]
    sys.modules[DOMAIN] = module
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Counted", ["a"], ["y"], domain=DOMAIN),
    ]
    yield build(nodes, {"x": [2, 3]}, ["y"])
    del sys.modules[DOMAIN]


@pytest.fixture
def weights(build) -> ModelWrapper:  # type: ignore[no-untyped-def]
    """y = x * Relu(w), and Relu(w) itself."""
    nodes = [helper.make_node("Relu", ["w"], ["k"]), helper.make_node("Mul", ["x", "k"], ["y"])]
    return build(nodes, {"x": [2, 3]}, ["y", "k"], {"w": np.array([-1, 2, 3], np.float32)})


def test_results_belong_to_the_caller(weights: ModelWrapper) -> None:
    result = execute_onnx(weights, {"x": X})
    result["k"] *= 5
    assert np.array_equal(execute_onnx(weights, {"x": X})["k"], [0, 2, 3])
    context = execute_onnx(weights, {"x": X}, return_full_exec_context=True)
    for name in ("w", "k"):
        with pytest.raises(ValueError, match="read-only"):
            context[name] *= 5
    assert np.array_equal(execute_onnx(weights, {"x": X}, True)["y"], X * np.array([0, 2, 3], np.float32))


def test_what_an_operator_sets_while_it_runs_is_in_the_model(counted: ModelWrapper) -> None:
    other = copy.deepcopy(counted)
    for runs in (1, 2, 3):
        assert np.array_equal(execute_onnx(counted, {"x": X})["y"], np.maximum(X, 0) * 2)
        assert getCustomOp(counted.graph.node[1]).get_nodeattr("runs") == runs
    execute_onnx(other, {"x": X})
    assert getCustomOp(other.graph.node[1]).get_nodeattr("runs") == 1
    execute_node(other.graph.node[1], {"a": X}, other.graph)
    assert getCustomOp(other.graph.node[1]).get_nodeattr("runs") == 2
    compile_model(other).run({"x": X})
    assert getCustomOp(other.graph.node[1]).get_nodeattr("runs") == 2


def test_an_operator_that_is_registered_again_is_used(counted: ModelWrapper) -> None:
    execute_onnx(counted, {"x": X})

    def execute(self: Counted, context, graph) -> None:  # type: ignore[no-untyped-def]
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]] + 7

    counted = copy.deepcopy(counted)
    execute_onnx(counted, {"x": X})
    add_op_to_domain(DOMAIN, type("Counted", (Counted,), {"execute_node": execute}))
    assert np.array_equal(execute_onnx(counted, {"x": X})["y"], np.maximum(X, 0) + 7)
    add_op_to_domain(DOMAIN, Counted)


def test_trust_ends_with_the_last_context(weights: ModelWrapper) -> None:
    """Threads that run the same model enter and leave in any order."""
    first, second = weights.trusted_index(), weights.trusted_index()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    weights.graph.node[0].output[0] = weights.graph.node[1].input[1] = "renamed"
    assert weights.find_producer("k") is None
    assert [node.op_type for node in weights.find_consumers("renamed")] == ["Mul"]


def test_parts_take_any_tensor_of_the_model(weights: ModelWrapper) -> None:
    first, second = weights.graph.node
    context = execute_onnx(weights, {"x": X}, True, end_node=first)
    assert np.array_equal(context["k"], [0, 2, 3])
    assert np.array_equal(context["x"], X)
    assert np.array_equal(execute_onnx(weights, context, start_node=second)["y"], X * np.array([0, 2, 3], np.float32))
    with pytest.raises(onnx_exec.ExecutionError, match="no input 'z'"):
        execute_onnx(weights, {"x": X, "z": X}, start_node=second)


def test_outputs_that_nothing_computes(weights: ModelWrapper) -> None:
    weights.graph.output[1].name = "nowhere"
    with pytest.raises(ModelError, match="nothing computes the graph output 'nowhere'"):
        execute_onnx(weights, {"x": X})


def test_kept_plans_are_bounded_by_the_size_of_their_models(build, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(onnx_exec, "_CACHED_BYTES", 10_000)
    onnx_exec._plans.clear()
    for value in range(8):
        constants = {"w": np.full(1000, value, np.float32)}
        model = build([helper.make_node("Mul", ["x", "w"], ["y"])], {"x": [2, 1]}, ["y"], constants)
        assert np.array_equal(execute_onnx(model, {"x": X[:, :1]})["y"], X[:, :1] * np.full(1000, value, np.float32))
    assert len(onnx_exec._plans) == 2


def test_models_can_be_pickled_and_copied(weights: ModelWrapper) -> None:
    weights.fix_float64 = True
    sent = pickle.loads(pickle.dumps(weights))
    assert sent.model == weights.model
    assert sent.fix_float64
    assert sent.find_producer("y").op_type == "Mul"
    assert copy.copy(weights).model is weights.model


def test_shapes_can_be_forgotten(weights: ModelWrapper) -> None:
    weights.set_tensor_shape("x", None)
    assert weights.get_tensor_shape("x") is None
    assert np.array_equal(execute_onnx(weights, {"x": X})["k"], [0, 2, 3])


def test_positions_are_found_without_a_walk_over_the_graph(build, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    names = ["x", *(f"t{i}" for i in range(50))]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    model = build(nodes, {"x": [2, 3]}, [names[-1]])
    model.find_consumers("x")
    monkeypatch.setattr(model._links, "refresh", lambda trust: pytest.fail("walked over the graph"))
    assert [model.get_node_index(node) for node in model.graph.node] == list(range(50))


def test_a_domain_is_imported_once(weights: ModelWrapper) -> None:
    weights.model.opset_import[0].domain = "ai.onnx"
    weights.set_opset_import("", 14)
    weights.set_opset_import("qonnx.custom_op.general", 2)
    weights.set_opset_import(DOMAIN, 3)
    assert [(entry.domain, entry.version) for entry in weights.model.opset_import] == [
        ("ai.onnx", 14), ("finn.custom_op.general", 2), (DOMAIN, 3),
    ]  # fmt: skip
