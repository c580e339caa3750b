"""Lists of transformations settle together, or say which of them do not."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import NodeProto, helper

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation import composed
from finn.transformation.base import Transformation
from finn.transformation.composed import ComposedTransformation
from finn.transformation.general import ConvertDivToMul, ConvertSubToAdd

ONE = np.full(3, 2, np.float32)


class Replace(Transformation):
    """Turns every node of one op type into another."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        nodes: list[NodeProto] = model.get_nodes_by_op_type(self.old)
        for node in nodes:
            node.op_type = self.new
        return model, bool(nodes)


class There(Replace):
    pass


class Back(Replace):
    pass


class Boast(Transformation):
    """Reports a change once per call of transform, but makes none."""

    def __init__(self) -> None:
        self.asked = 0

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.asked += 1
        return model, self.asked % 2 == 1


class Grow(Transformation):
    """Never ends: a new node in every round."""

    def __init__(self) -> None:
        self.asked = 0

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.asked += 1
        if self.asked % 2 == 1:
            (first,) = model.find_consumers(model.graph.input[0].name)
            name = model.make_new_valueinfo_name()
            model.insert_node(0, helper.make_node("Relu", [first.input[0]], [name]))
            model.set_node_input(first, 0, name)
        return model, self.asked % 2 == 1


@pytest.fixture
def model(build) -> ModelWrapper:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Div", ["x", "b"], ["d"]),
        helper.make_node("Identity", ["d"], ["i"]),
        helper.make_node("Sub", ["i", "b"], ["y"]),
    ]
    return build(nodes, {"x": [1, 3]}, ["y"], {"b": ONE})  # type: ignore[no-any-return]


def test_the_graph_is_tidy_afterwards(model: ModelWrapper) -> None:
    before = model.model.SerializeToString()
    steps = ComposedTransformation([ConvertDivToMul(), ComposedTransformation([ConvertSubToAdd()])])
    result = model.transform(steps)
    assert model.model.SerializeToString() == before
    assert [(n.name, n.op_type, *n.input, *n.output) for n in result.graph.node] == [
        ("Mul_0", "Mul", "global_in", "Mul_0_param0", "Mul_0_out0"),
        ("Add_0", "Add", "Mul_0_out0", "Add_0_param0", "global_out"),
    ]
    assert result.get_tensor_shape("Mul_0_out0") == [1, 3]
    x = np.array([[2, 4, 6]], np.float32)
    np.testing.assert_array_equal(execute_onnx(result, {"global_in": x})["global_out"], x / 2 - 2)


def test_rounds_go_on_until_nothing_changes(model: ModelWrapper) -> None:
    steps = [There("Abs", "Neg"), There("Relu", "Abs"), There("Sigmoid", "Relu")]
    model.graph.node[1].op_type = "Sigmoid"
    result = model.transform(ComposedTransformation(steps))
    assert [n.op_type for n in result.graph.node] == ["Div", "Neg", "Sub"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([There("Sub", "Max"), Back("Max", "Sub"), ConvertDivToMul()], "There, Back (the graph is again what it was"),
        ([Boast(), ConvertDivToMul()], "Boast (the graph is again what it was"),
        ([Grow()], "Grow (changes after 7 rounds)"),
    ],
)
def test_culprits_are_named(
    model: ModelWrapper, steps: list[Transformation], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composed, "_MAX_ROUNDS", 7)
    with pytest.raises(ModelError) as caught:
        model.transform(ComposedTransformation(steps))
    assert str(caught.value).startswith(f"these transformations do not settle together: {message}")
