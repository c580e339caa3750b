"""The proof finds what is wrong with a rule only sometimes: for some shapes, forms, opsets or what a graph says."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from finn.core.onnx_exec import execute_onnx
from finn.transformation.proof import OPSETS, ProofError, evaluate, prove
from finn.transformation.rewrite import Call, Const, Rule, Scalar, TensorRef, Var, op, require, rule

x, y = Var("x"), Var("y")
a, w = Const("a"), Const("w")


@rule(op.Mul(op.MatMul(x, w), a), shapes="x:n,k w:k,m a:m")
def any_factor_into_weights(x: TensorRef, w: np.ndarray, a: np.ndarray) -> Call:
    """(x @ w) * a == x @ (w*a), but only if a does not vary along the rows"""
    return op.MatMul(x, w * a)


@rule(op.Add(op.Relu(x), a), shapes="x:n,c a:c")
def leading_axes(x: TensorRef, a: np.ndarray) -> Call:
    """relu(x) + a == relu(x) + a, reshaped for two axes"""
    return op.Add(op.Abs(op.Relu(x)), a.reshape(a.shape[-1:]))


@rule(op.Neg(op.Abs(x)), shapes="x:n,c")
def needs_shapes(x: TensorRef) -> Call:
    """It asks for the number of axes."""
    return op.Sub(np.zeros([1] * len(x.shape)), op.Abs(x))  # type: ignore[arg-type]


@rule(op.Neg(op.GlobalAveragePool(x)), shapes="x:n,c,h")
def needs_all_sizes(x: TensorRef) -> Call:
    """-mean(x) == mean(-x), with another factor where the batch is symbolic, which is 0"""
    require(x.shape, "the shape is not known")
    return op.GlobalAveragePool(op.Mul(x, -float(x.rank) if x.shape[0] == 0 else -1.0))  # type: ignore[index]


@rule(op.Neg(op.Abs(x)), shapes="x:n,k")
def integers_only(x: TensorRef) -> Call:
    """-|x| == -floor(|x|), on integers"""
    return op.Sub(0.0, op.Floor(op.Abs(x)))


@rule(op.Abs(x), shapes="x:n,k")
def other_shape(x: TensorRef) -> Call:
    """|x| == relu(x) - min(x, 0), with one more axis"""
    return op.Unsqueeze(op.Sub(op.Relu(x), op.Min(x, 0.0)), np.array([0]))


@pytest.mark.parametrize(
    ("r", "message"),
    [
        (any_factor_into_weights, "the sides differ"),
        (leading_axes, "the rule failed: ValueError: cannot reshape"),
        (needs_shapes, "the rule failed: TypeError: object of type 'NoneType' has no len"),
        (needs_all_sizes, "the sides differ"),
        (integers_only, "the sides differ"),
        (other_shape, "the right side is no valid model: InferenceError"),
    ],
    ids=str,
)
def test_what_is_wrong_sometimes_is_found(r: Rule, message: str) -> None:
    with pytest.raises(ProofError, match=message) as error:
        prove(r)
    assert error.value.where.startswith(f"rule {r}, example 0")
    assert "opset" in error.value.why
    with pytest.raises(ProofError) as again:
        prove(r)
    assert str(again.value) == str(error.value)


def test_examples_that_cannot_be_computed() -> None:
    @rule(op.MatMul(x, y), shapes="x:n,k y:m,k")
    def shapes_that_do_not_fit(x: TensorRef, y: TensorRef) -> Call:
        return op.MatMul(x, y)

    with pytest.raises(ProofError, match=r"the example cannot be computed: .*Incompatible dimensions"):
        prove(shapes_that_do_not_fit)


def test_results_that_are_no_valid_model() -> None:
    @rule(op.Relu(op.Neg(x)), shapes="x:n,k")
    def wrong_kind(x: TensorRef) -> Call:
        return op.Gather(x, np.array([0.0], np.float32))

    with pytest.raises(ProofError, match="the right side is no valid model: InferenceError"):
        prove(wrong_kind)


def test_a_rule_that_never_settles_is_no_rule() -> None:
    @rule(op.Relu(x), shapes="x:n,k")
    def again(x: TensorRef) -> Call:
        return op.Relu(op.Relu(x))

    with pytest.raises(ProofError, match="rewriting did not settle in 100 steps"):
        prove(again)


def test_one_opset_only() -> None:
    @rule(op.Neg(op.ReduceSum(x, axes=[1])), shapes="x:n,k")
    def axes_as_attribute(x: TensorRef) -> Call:
        return op.ReduceSum(op.Neg(x), axes=[1], keepdims=1)

    assert prove(axes_as_attribute, opset=11) > 0
    assert prove(axes_as_attribute) > 0  # the first opset in which the example is valid
    with pytest.raises(ProofError, match="the example cannot be computed: ValidationError"):
        prove(axes_as_attribute, opset=13)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("shape", [[2, 3], [2, 3, 4]])
def test_batch_normalization_takes_the_given_statistics(build: Any, opset: int, shape: list[int]) -> None:
    names = ["gamma", "beta", "mean", "var"]
    values = {name: np.float32([1.5, 2, 0.25]) + i for i, name in enumerate(names)}
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"], epsilon=0.5)
    model = build([node], {"x": shape}, ["y"], values, opset=opset)
    value = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    g, b, m, v = (values[n].reshape(3, *[1] * (len(shape) - 2)) for n in names)
    expected = (value - m) / np.sqrt(v + 0.5) * g + b
    np.testing.assert_allclose(evaluate(model, {"x": value})["y"], expected, rtol=1e-12)


def test_custom_operators_mean_what_they_execute(build: Any) -> None:
    node = helper.make_node(
        "MultiThreshold",
        ["x", "t"],
        ["y"],
        domain="finn.custom_op.general",
        out_dtype="INT4",
        out_scale=2.0,
        out_bias=-3.0,
    )
    model = build([node], {"x": [2, 3]}, ["y"], {"t": np.float32([[-1, 0, 2]])})
    value = {"x": np.float32([[-2, -1, 0], [1, 2, 3]])}
    np.testing.assert_array_equal(evaluate(model, value)["y"], execute_onnx(model, value)["y"])


def test_operators_that_the_evaluator_lacks(build: Any) -> None:
    """QuantizeLinear of opset 13 is not in the reference evaluator."""
    model = build(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("Cast", ["q"], ["y"], to=1)],
        {"x": [4]}, ["y"], {"s": np.float32(0.5), "z": np.uint8(3)},
    )  # fmt: skip
    assert evaluate(model, {"x": np.float32([-9, 0, 0.75, 200])})["y"].tolist() == [0, 3, 5, 255]


def test_the_newest_opset_is_among_those_of_a_proof() -> None:
    assert onnx.defs.onnx_opset_version() in OPSETS
    assert min(OPSETS) == 9


def test_draws_reach_both_sides_of_usual_guards() -> None:
    seen: dict[str, set[bool]] = {"sign": set(), "zero": set(), "one": set(), "rank": set(), "varies": set()}
    s = Scalar("s")

    @rule(op.Add(op.Mul(x, a), s), shapes="x:n,c,h a:c,1 s:")
    def look(x: TensorRef, a: np.ndarray, s: np.ndarray) -> Call:
        seen["sign"].add(bool(np.all(a > 0)))
        seen["zero"].add(bool(np.all(a == 0)))
        seen["one"].add(bool(np.all(a == 1)))
        seen["rank"].add(a.ndim == 2)
        seen["varies"].add(a.size > 1 and len(np.unique(a)) > 1)
        return op.Sub(op.Mul(x, a), -s)

    assert prove(look) > 0
    assert all(outcomes == {True, False} for outcomes in seen.values()), seen
