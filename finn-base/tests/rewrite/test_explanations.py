"""Why a rule does not fire: the reason of the way of matching that got farthest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.rewrite import (
    Call,
    Const,
    RewriteError,
    Rule,
    Scalar,
    TensorRef,
    Var,
    near_misses,
    op,
    require,
    rule,
    why_not,
)

x, y, s, w = Var("x"), Var("y"), Scalar("s"), Const("w")
F = np.float32


@rule(op.MatMul(op.Mul(x, s), w), shapes="x:n,k s: w:k,m")
def move_mul_past_matmul(x: TensorRef, s: np.ndarray, w: np.ndarray) -> Call:
    """(x*s) @ w == (x @ w) * s"""
    require(s != 3, "s is three")
    return op.Mul(op.MatMul(x, w), s)


def network(build: Any, *more: NodeProto, outputs: tuple[str, ...] = ("y",), **replaced: Any) -> ModelWrapper:
    """y = (x * s) @ w and more nodes. replaced: a node of another name, or another constant."""
    nodes = [
        replaced.pop("mul", helper.make_node("Mul", ["x", "s"], ["scaled"], name="Mul_0")),
        replaced.pop("matmul", helper.make_node("MatMul", ["scaled", "w"], ["y"], name="MatMul_0")),
        *more,
    ]
    constants = {"s": F(2), "w": np.ones((3, 2), F), **replaced}
    return build(nodes, {"x": [2, 3]}, list(outputs), constants)  # type: ignore[no-any-return]


RELU = helper.make_node("Relu", ["scaled"], ["z"], name="Relu_0")
ADD = helper.make_node("Add", ["x", "s"], ["scaled"], name="Add_0")
REORDERED = helper.make_node("MatMul", ["w", "scaled"], ["y"], name="MatMul_0")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"more": [RELU]}, "'scaled' is read 2 times, by MatMul 'MatMul_0', Relu 'Relu_0'"),
        ({"outputs": ("y", "scaled")}, "'scaled' is a graph output"),
        ({"mul": ADD}, "input 0 of MatMul 'MatMul_0' is made by Add 'Add_0', want Mul"),
        ({"matmul": REORDERED}, "input 0 of MatMul 'MatMul_0' is the constant 'w', want Mul"),
        ({"s": np.ones(3, F)}, "s = 's' has shape (3,), want one element"),
        ({"s": F(3)}, "s is three"),
    ],
)
def test_reasons(build: Any, changes: dict[str, Any], reason: str) -> None:
    changes = dict(changes)
    model = network(build, *changes.pop("more", ()), **changes)
    before = model.model.SerializeToString()
    explanation = why_not(model, "MatMul_0", move_mul_past_matmul)
    assert explanation.reason == reason
    assert not explanation.fires
    assert model.model.SerializeToString() == before


def test_a_rule_that_fires(build: Any) -> None:
    model = network(build)
    explanation = why_not(model, "y", move_mul_past_matmul)  # by the tensor that the node makes
    assert explanation.fires
    assert explanation.reason == ""
    assert str(explanation) == "move_mul_past_matmul fires at MatMul 'MatMul_0'"
    assert [node.op_type for node in model.graph.node] == ["Mul", "MatMul"]


def test_graph_inputs_and_other_roots(build: Any) -> None:
    model = network(build, matmul=helper.make_node("MatMul", ["x", "w"], ["y"], name="MatMul_0"))
    at = why_not(model, "MatMul_0", move_mul_past_matmul)
    assert at.reason == "input 0 of MatMul 'MatMul_0' is the graph input 'x', want Mul"
    assert why_not(model, "Mul_0", move_mul_past_matmul).reason == "Mul 'Mul_0' is no MatMul"


def explain(build: Any, pattern: Call, node: NodeProto, **constants: Any) -> str:
    made = Rule(pattern, lambda **_: op.Neg(pattern), ())
    inputs = {name: [2, 2] for name in node.input if name and name not in constants}
    return why_not(build([node], inputs, ["y"], constants), "y", made).reason


def test_what_is_not_as_the_pattern_has_it(build: Any) -> None:
    gemm = helper.make_node("Gemm", ["x", "w"], ["y"], name="G")
    transpose = helper.make_node("Transpose", ["x"], ["y"], name="T", perm=[0, 1])
    custom = helper.make_node("Relu", ["x"], ["y"], name="R", domain="finn.custom_op.general")
    clip = helper.make_node("Clip", ["x", "", "w"], ["y"], name="C")
    values = {"w": np.ones((2, 2), F)}
    assert explain(build, op.Gemm(x, w, Const("b")), gemm, **values) == "Gemm 'G' has 2 inputs, want 3"
    assert explain(build, op.Transpose(x, perm=[1, 0]), transpose) == "perm of Transpose 'T' is [0, 1], want [1, 0]"
    assert explain(build, op.Gemm(x, w, transB=1), gemm, **values) == "transB of Gemm 'G' is not set, want 1"
    assert explain(build, op.Relu(x), custom) == "Relu 'R' is of domain 'finn.custom_op.general', want ''"
    assert explain(build, op.Clip(x, Const("a"), w), clip, w=F(1)) == "input 1 of Clip 'C' is omitted, want a"


def test_variables_that_stand_twice(build: Any) -> None:
    @rule(op.Sub(x, x), shapes="x:n,k")
    def nothing(x: TensorRef) -> Call:
        return op.Mul(x, 0.0)

    model = build([helper.make_node("Sub", ["a", "b"], ["y"], name="Sub_0")], {"a": [2], "b": [2]}, ["y"])
    assert why_not(model, "Sub_0", nothing).reason == "input 1 of Sub 'Sub_0' is 'b', but x is 'a' already"


def test_other_outputs(build: Any) -> None:
    @rule(op.Neg(op.Split(x).output(1)), shapes="x:2,k")
    def negate_half(x: TensorRef) -> Call:
        return op.Split(op.Neg(x)).output(1)

    def split(read: str, outputs: list[str]) -> ModelWrapper:
        nodes = [
            helper.make_node("Split", ["x"], ["a", "b"], name="Split_0"),
            helper.make_node("Neg", [read], ["y"], name="Neg_0"),
        ]
        return build(nodes, {"x": [2, 3]}, outputs)  # type: ignore[no-any-return]

    other = "input 0 of Neg 'Neg_0' is another output of Split 'Split_0', want Split(x)[1]"
    assert why_not(split("a", ["y"]), "Neg_0", negate_half).reason == other
    assert why_not(split("b", ["y", "a"]), "Neg_0", negate_half).reason == "output 'a' of Split 'Split_0' is used, too"
    assert why_not(split("b", ["y"]), "Neg_0", negate_half).fires


def test_replacements_that_are_refused(build: Any) -> None:
    @rule(op.Identity(x), shapes="x:n")
    def drop(x: TensorRef) -> TensorRef:
        return x

    @rule(op.Relu(x), shapes="x:n")
    def gelu(x: TensorRef) -> Call:
        return op.Gelu(x)

    alone = build([helper.make_node("Identity", ["x"], ["y"])], {"x": [2]}, ["y"])
    assert why_not(alone, "y", drop).reason == "the graph output 'y' would be a graph input or a constant"
    old = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"], opset=11)
    before = old.model.SerializeToString()
    assert why_not(old, "y", gelu).reason == "opset 11 has no Gelu"
    assert old.model.SerializeToString() == before


def test_every_way_is_told_the_farthest_first(build: Any) -> None:
    @rule(op.Add(op.Mul(x, s), op.Relu(y)), shapes="x:n s: y:n")
    def sum_of_both(x: TensorRef, s: np.ndarray, y: TensorRef) -> Call:
        return op.Neg(x)

    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="Relu_0"),
        helper.make_node("Mul", ["x", "x"], ["m"], name="Mul_0"),
        helper.make_node("Add", ["r", "m"], ["y"], name="Add_0"),
    ]
    explanation = why_not(build(nodes, {"x": [2]}, ["y"]), "Add_0", sum_of_both)
    assert str(explanation) == (
        "sum_of_both, Add(Mul(x, s), Relu(y)), declines at Add 'Add_0': s = 'x' is not a constant\n"
        "  after Add 'Add_0', Relu 'Relu_0', Mul 'Mul_0': s = 'x' is not a constant\n"
        "  after Add 'Add_0': input 0 of Add 'Add_0' is made by Relu 'Relu_0', want Mul"
    )
    assert explanation.fitted == 3


def test_unknown_nodes_are_errors(build: Any) -> None:
    with pytest.raises(RewriteError) as error:
        why_not(network(build), "MatMul_1", move_mul_past_matmul)
    assert str(error.value) == "there is no node 'MatMul_1'. Remedy: did you mean 'MatMul_0'?"


def test_rules_that_fail_are_errors(build: Any) -> None:
    @rule(op.MatMul(x, w), shapes="x:n,k w:k,m")
    def broken(x: TensorRef, w: np.ndarray) -> Call:
        return op.MatMul(x, w[7])

    with pytest.raises(RewriteError, match=r"^rule broken at node MatMul 'MatMul_0': the rule failed: IndexError"):
        why_not(network(build), "MatMul_0", broken)


def test_near_misses_are_sorted_by_how_near_they_are(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="MatMul_far"),
        helper.make_node("Mul", ["a", "v"], ["b"], name="Mul_0"),
        helper.make_node("MatMul", ["b", "w"], ["c"], name="MatMul_near"),
        helper.make_node("Mul", ["c", "s"], ["d"], name="Mul_1"),
        helper.make_node("MatMul", ["d", "w"], ["y"], name="MatMul_fires"),
    ]
    constants = {"w": np.ones((3, 3), F), "v": np.ones(3, F), "s": F(2)}
    found = near_misses(build(nodes, {"x": [2, 3]}, ["y"], constants), move_mul_past_matmul)
    assert [(e.node, e.reason) for e in found] == [
        ("MatMul 'MatMul_near'", "s = 'v' has shape (3,), want one element"),
        ("MatMul 'MatMul_far'", "input 0 of MatMul 'MatMul_far' is the graph input 'x', want Mul"),
    ]
