"""Mutants show which part of a rule its examples do not explain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finn.transformation.mutation import MutationError, check_mutants, mutants, survivors, unreached
from finn.transformation.proof import ProofError, prove
from finn.transformation.rewrite import (
    Call,
    Const,
    NoMatch,
    Positive,
    Rule,
    Scalar,
    TensorRef,
    Var,
    constant,
    op,
    require,
    rule,
)

x, y = Var("x"), Var("y")
a, b, w, t = map(Const, ("a", "b", "w", "t"))
s = Scalar("s")


def names(r: Rule) -> list[str]:
    return [mutant.name for mutant in mutants(r)]


@rule(op.MultiThreshold(op.Mul(x, s), t).named("mt"), shapes="x:n,c s: t:c,t | x:n,c,h s: t:c,t")
def absorb_mul(x: TensorRef, s: np.ndarray, t: np.ndarray, mt: Call) -> Call:
    """count(x*s >= t) == count(x >= t/s), s > 0"""
    require(s > 0, "s turns >= into <=")
    return op.MultiThreshold(x, t / s, like=mt)


def test_the_classic_mistake_is_found() -> None:
    """A negative scale turns >= into <=; a scale of 0 makes thresholds infinite."""
    assert "without require(s > 0)" in names(absorb_mul)
    assert survivors(absorb_mul) == []

    @rule(op.MultiThreshold(op.Mul(x, s), t).named("mt"), shapes="x:n,c s: t:c,t")
    def zero_passes(x: TensorRef, s: np.ndarray, t: np.ndarray, mt: Call) -> Call:
        require(s >= 0, "s turns >= into <=")
        return op.MultiThreshold(x, t / s, like=mt)

    with pytest.raises(ProofError, match="the sides differ"):
        prove(zero_passes)


def test_what_is_changed() -> None:
    @rule(op.Sub(op.Mul(x, a), op.Mul(y, a)), shapes="x:n,k y:n,k a:k", datatypes={"x": "INT4", "y": "INT4"})
    def factor_out(x: TensorRef, y: TensorRef, a: np.ndarray) -> Call:
        """x*a - y*a == (x-y) * a"""
        return op.Mul(op.Sub(x, y).typed("INT5"), a)

    assert names(factor_out) == [
        "Mul twice",
        "constant 1 of Mul + 1",
        "constant 1 of Mul negated",
        "no Mul",
        "Sub twice",
        "Sub typed too narrowly",
        "no Sub",
        "operands of Sub swapped",
        "another tensor for a at its place 2",
    ]
    assert survivors(factor_out) == []


def test_attributes_and_typed_constants() -> None:
    @rule(op.Gemm(x, w, transB=1), shapes="x:n,k w:m,k", datatypes={"w": "INT4"})
    def to_matmul(x: TensorRef, w: np.ndarray) -> Call:
        """gemm(x, w, transB=1) == x^T^T @ w^T"""
        return op.MatMul(op.Transpose(op.Transpose(x, perm=[1, 0]), perm=[1, 0]), constant(w.T, "INT4"))

    found = names(to_matmul)
    assert [n for n in found if "perm" in n or "typed" in n] == [
        "constant 1 of MatMul typed too narrowly",
        "another perm of Transpose",
        "another perm of Transpose (2)",
    ]
    assert survivors(to_matmul) == []


def test_kinds_that_guard_less() -> None:
    class PositiveScalar(Positive, Scalar):
        """Both."""

    @rule(op.Relu(op.Mul(x, PositiveScalar("s"))), shapes="x:n,k s:")
    def past_relu(x: TensorRef, s: np.ndarray) -> Call:
        """relu(x*s) == relu(x) * s, s > 0"""
        return op.Mul(op.Relu(x), s)

    assert {"s is only Positive", "s is only Scalar"} <= set(names(past_relu))
    assert survivors(past_relu) == ["s is only Positive"]  # it need not be a scalar
    with pytest.raises(MutationError) as error:
        check_mutants(past_relu)
    assert str(error.value) == (
        "rule past_relu: the proof does not notice: s is only Positive. "
        "Remedy: give an example that the change makes wrong, or say in `equivalent` why there is none"
    )


def test_constants_that_say_nothing_survive() -> None:
    @rule(op.Mul(op.Abs(x), s), shapes="x:n,k s:")
    def lazy(x: TensorRef, s: np.ndarray) -> Call:
        """|x| * s == min(|x| * s, 1000): no example is that large"""
        return op.Min(op.Mul(op.Abs(x), s), 1000.0)

    # the rule matches its own result, so that it never settles: its replacement has to be another expression
    with pytest.raises(ProofError, match="did not settle"):
        prove(lazy)

    assert survivors(bounded_abs()) == ["constant 1 of Max + 1", "no Max"]


def test_excuses() -> None:
    def divide(**excuses: str) -> Rule:
        @rule(op.Div(x, b), shapes="x:n,k b:k", equivalent={key.replace("_", " "): why for key, why in excuses.items()})
        def div_to_mul(x: TensorRef, b: np.ndarray) -> Call:
            """x / b == x * (1/b)"""
            require(np.all(b != 0), "b has a zero")
            return op.Mul(x, 1 / b)

        return div_to_mul

    guard = "without require(np.all(b != 0))"
    assert survivors(divide()) == [guard]
    check_mutants(divide(**{guard: "infinities are the same on both sides"}))
    with pytest.raises(MutationError) as error:
        check_mutants(divide(**{guard: "as above", "no_Mul": "wrong"}))
    assert "rule div_to_mul: `equivalent` excuses what is no surviving mutant: no Mul." in str(error.value)


def test_guards_that_no_example_reaches() -> None:
    @rule(op.Transpose(x).named("t"), shapes="x:n,c | x:n,c,h", attributes=[{}, {"t": {"perm": [0, 1, 2]}}])
    def drop(x: TensorRef, t: Call) -> Any:
        """transpose(x, 0 1 2 ...) == x"""
        perm = t.attributes.get("perm", range(x.rank)[::-1])
        require(len(perm) == x.rank, "this is no permutation of its axes")
        require(list(perm) == list(range(x.rank)), "axes move")
        return x

    assert unreached(drop) == ["without require(len(perm) == x.rank)"]
    assert names(drop) == ["without require(list(perm) == list(range(x.rank)))"]
    assert survivors(drop) == []


def test_a_sample() -> None:
    found = names(absorb_mul)
    assert len(found) > 3
    assert len(survivors(bounded_abs(), most=2)) <= 2
    assert survivors(absorb_mul, most=1) == []
    check_mutants(absorb_mul, most=len(found))


def bounded_abs() -> Rule:
    @rule(op.Neg(op.Abs(x)), shapes="x:n,k")
    def bounded(x: TensorRef) -> Call:
        """-|x| == max(-1000, 0 - |x|): no example is that large"""
        return op.Max(op.Sub(0.0, op.Abs(x)), -1000.0)

    return bounded


def test_rules_that_do_not_hold_have_no_mutants() -> None:
    @rule(op.Relu(x), shapes="x:n")
    def never(x: TensorRef) -> Call:
        raise NoMatch("never")

    with pytest.raises(ProofError, match="declined every example"):
        mutants(never)
