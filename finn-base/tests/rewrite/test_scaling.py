"""The work of the engine grows with the number of nodes, not faster; honest graphs do not trip the limit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.rewrite import (
    Const,
    RewriteError,
    Rule,
    Scalar,
    TensorRef,
    Var,
    _driver,
    apply,
    near_misses,
    op,
    rule,
)

x, y = Var("x"), Var("y")
a, b, s = Const("a"), Const("b"), Scalar("s")

collapse = rule(op.Mul(op.Mul(x, a), b), shapes="x:n,k a:k b:")(lambda x, a, b: op.Mul(x, a * b))
to_add = rule(op.Sub(x, b), shapes="x:n,k b:k")(lambda x, b: op.Add(x, -b))
drop = rule(op.Neg(op.Neg(x)), shapes="x:n,k")(lambda x: x)
grow = rule(op.Div(x, b), shapes="x:n,k b:k")(lambda x, b: op.Add(op.Mul(x, 1 / b), 0.0))
sink = rule(op.Relu(op.Neg(x)), shapes="x:n,k")(lambda x: op.Neg(op.Floor(x)))


def chain(build: Any, op_type: str, length: int) -> ModelWrapper:
    binary = op_type in ("Mul", "Sub", "Div")
    nodes = [helper.make_node(op_type, [f"t{i}", *[f"c{i}"] * binary], [f"t{i + 1}"]) for i in range(length)]
    constants = {f"c{i}": np.float32(1) for i in range(length)} if binary else {}
    model = build(nodes, {"t0": [2, 3]}, [f"t{length}"], constants)
    for i in range(1, length):
        model.set_tensor_shape(f"t{i}", [2, 3])
    return model  # type: ignore[no-any-return]


def fork(build: Any, op_type: str, length: int) -> ModelWrapper:
    """One tensor that `length` nodes read."""
    nodes = [helper.make_node("Abs", ["x"], ["t"])]
    nodes += [helper.make_node(op_type, ["t", "c"], [f"y{i}"]) for i in range(length)]
    return build(nodes, {"x": [2, 3]}, [f"y{i}" for i in range(length)], {"c": np.float32(2)})  # type: ignore[no-any-return]


def sinking(build: Any, op_type: str, length: int) -> ModelWrapper:
    """A node that moves past all others, one by one."""
    nodes = [helper.make_node("Neg", ["x"], ["t0"])]
    nodes += [helper.make_node(op_type, [f"t{i}"], [f"t{i + 1}"]) for i in range(length)]
    return build(nodes, {"x": [2, 3]}, [f"t{length}"])  # type: ignore[no-any-return]


def python_calls(action: Callable[[], Any]) -> int:
    """How many functions of the engine an action calls: a measure of its work that is the same on each machine."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call" and f"{os.sep}rewrite{os.sep}_" in frame.f_code.co_filename

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("graph", "op_type", "r", "fired"),
    [
        (chain, "Mul", collapse, lambda n: n - 1),
        (chain, "Sub", to_add, lambda n: n),
        (chain, "Neg", drop, lambda n: (n - 1) // 2),
        (chain, "Div", grow, lambda n: n),
        (fork, "Sub", to_add, lambda n: n),
        (sinking, "Relu", sink, lambda n: n),
    ],
    ids=["merge", "replace", "drop", "grow", "fork", "sink"],
)
def test_work_is_linear(build: Any, graph: Any, op_type: str, r: Rule, fired: Callable[[int], int]) -> None:
    def work(length: int) -> int:
        model = graph(build, op_type, length)
        return python_calls(lambda: applied.append(apply(model, [r]).total()))

    applied: list[int] = []
    apply(graph(build, op_type, 3), [r])  # fills the caches
    small, large = work(40), work(320)
    assert applied == [fired(40), fired(320)]
    assert 0 < large < 8 * 1.1 * small


def test_explaining_a_whole_model_is_linear(build: Any) -> None:
    def work(length: int) -> int:
        model = chain(build, "Sub", length)
        return python_calls(lambda: near_misses(model, collapse_subs))

    collapse_subs = rule(op.Sub(op.Mul(x, a), b), shapes="x:n,k a:k b:k")(lambda x, a, b: op.Neg(x))
    assert work(400) < 4 * 1.1 * work(100)


def test_the_limit_grows_with_the_graph(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 20 factors moves past all the 60 operators behind it: 1,200 rewrites, and they settle."""
    monkeypatch.setattr(_driver, "_FEWEST", 0)
    factors, operators = 20, 60
    past_floor = rule(op.Floor(op.Neg(x)), shapes="x:n,k")(lambda x: op.Neg(op.Ceil(x)))
    past_ceil = rule(op.Ceil(op.Neg(x)), shapes="x:n,k")(lambda x: op.Neg(op.Floor(x)))
    nodes = [helper.make_node("Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(factors)]
    nodes += [helper.make_node("Floor", [f"t{i}"], [f"t{i + 1}"]) for i in range(factors, factors + operators)]
    model = build(nodes, {"t0": [2]}, [f"t{factors + operators}"])
    assert apply(model, [past_floor, past_ceil]).total() == factors * operators


def named(name: str, r: Rule) -> Rule:
    r.body.__name__ = name
    return r


def test_culprits_are_those_that_take_turns_at_the_end(build: Any) -> None:
    honest = named("honest", rule(op.Sub(x, b), shapes="x:n b:n")(lambda x, b: op.Add(x, -b)))
    up = named("up", rule(op.Relu(op.Neg(x)), shapes="x:n")(lambda x: op.Neg(op.Elu(x))))
    down = named("down", rule(op.Neg(op.Elu(x)), shapes="x:n")(lambda x: op.Relu(op.Neg(x))))
    nodes: list[NodeProto] = [helper.make_node("Sub", [f"t{i}", "c"], [f"t{i + 1}"]) for i in range(50)]
    nodes += [helper.make_node("Neg", ["t50"], ["n"]), helper.make_node("Relu", ["n"], ["y"])]
    model = build(nodes, {"t0": [2]}, ["y"], {"c": np.float32(1)})
    with pytest.raises(RewriteError) as error:
        apply(model, [honest, up, down], limit=90)
    assert str(error.value) == (
        "rewriting did not settle in 90 steps; fired most: honest (50 times), up (21 times), down (20 times) "
        "(at the end these took turns: down at 'y', up at 'y'). "
        "Remedy: put rules that undo each other into different phases, or guard one of them"
    )


def test_endless_growth_is_stopped(build: Any) -> None:
    @rule(op.Relu(x), shapes="x:n")
    def again(x: TensorRef) -> Any:
        return op.Relu(op.Relu(x))

    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"])
    with pytest.raises(RewriteError, match=r"did not settle in 50 steps; fired most: again \(51 times\)"):
        apply(model, [again], limit=50)
