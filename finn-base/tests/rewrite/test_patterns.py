"""Patterns: kinds of variables, optional inputs, alternatives, outputs; and what the engine builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.proof import ProofError, prove
from finn.transformation.rewrite import (
    Call,
    Const,
    Integer,
    NoMatch,
    Parameter,
    Positive,
    RewriteError,
    Rule,
    RuleTransformation,
    Scalar,
    TensorRef,
    Var,
    Vector,
    Whole,
    apply,
    constant,
    maybe,
    op,
    over_channels,
    per_channel,
    require,
    rule,
)

x, y = Var("x"), Var("y")
w, c = Const("w"), Const("c")

X = np.arange(-6, 6, dtype=np.float32).reshape(2, 2, 3)


def one(build: Any, node: str, shape: list[int], *constants: Any, **attributes: Any) -> ModelWrapper:
    """A model of one node y = node(x, constants)."""
    names = [f"c{i}" if value is not None else "" for i, value in enumerate(constants)]
    values = {name: np.asarray(value) for name, value in zip(names, constants, strict=True) if name}
    return build([helper.make_node(node, ["x", *names], ["y"], **attributes)], {"x": shape}, ["y"], values)  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------------------------------------------- kinds

F = np.float32


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (Const, F([1, 2, 3]), None),
        (Scalar, F([[3]]), None),
        (Scalar, F([1, 2]), "c = 'c0' has shape (2,), want one element"),
        (Vector, F([[1], [2]]), None),
        (Vector, F(1), None),
        (Vector, F([[1, 2, 3], [4, 5, 6]]), "c = 'c0' has shape (2, 3), want one axis"),
        (Positive, F([0.5, 2, 3]), None),
        (Positive, F([1, 0, 3]), "c = 'c0' has elements that are not positive"),
        (Positive, F([1, np.nan, 3]), "c = 'c0' has elements that are not positive"),
        (Whole, F([-1, 0, 3]), None),
        (Whole, F([1, 2, 2.5]), "c = 'c0' has fractions"),
        (Whole, F([1, 2, np.inf]), None),
        (Parameter, F([1, 2, 3]), None),
        (Integer, F([1, 2, 3]), "c = 'c0' is FLOAT32, no integer"),
    ],
)
def test_kinds_are_guards(build: Any, kind: type[Var], value: np.ndarray, reason: str | None) -> None:
    model = one(build, "Mul", [2, 2, 3], value)
    tensor = TensorRef.of(model, "c0")
    if reason is not None:
        with pytest.raises(NoMatch) as declined:
            kind("c").bind(tensor)
        assert str(declined.value) == reason
    else:
        bound = kind("c").bind(tensor)
        np.testing.assert_array_equal(bound.value if kind is Parameter else bound, value)


def test_constants_are_no_kind_of_computed_tensors(build: Any) -> None:
    model = one(build, "Mul", [2, 3], F(2))
    for kind in (Const, Scalar, Vector, Positive, Whole, Parameter):
        with pytest.raises(NoMatch, match=r"^c = 'x' is not a constant$"):
            kind("c").bind(TensorRef.of(model, "x"))


def test_integer_tensors(build: Any) -> None:
    model = one(build, "Relu", [2, 3])
    model.set_tensor_datatype("x", DataType["INT4"])
    assert Integer("x").bind(TensorRef.of(model, "x")).datatype == "INT4"


def test_kinds_combine(build: Any) -> None:
    class PositiveScalar(Positive, Scalar):
        """Both."""

    for value, fits in ((F(2), True), (F([2, 3]), False), (F(-2), False)):
        tensor = TensorRef.of(one(build, "Mul", [2, 2], value), "c0")
        if fits:
            assert PositiveScalar("s").bind(tensor) == value
        else:
            with pytest.raises(NoMatch):
                PositiveScalar("s").bind(tensor)


@pytest.mark.parametrize(
    ("shape", "vector"),
    [([], 1), ([1], 1), ([3, 1], 3), ([1, 3, 1], 3), ([4], None), ([2, 1, 1], None), ([1, 1, 3, 1], None)],
)
def test_per_channel_is_the_inverse_of_over_channels(build: Any, shape: list[int], vector: int | None) -> None:
    tensor = TensorRef.of(one(build, "Relu", [2, 3, 4]), "x")
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    if vector is None:
        with pytest.raises(NoMatch, match="does not lie along axis 1 of 'x'"):
            per_channel(value, tensor)
    else:
        found = per_channel(value, tensor)
        assert found.shape == (vector,)
        full = np.zeros((2, 3, 4))
        np.testing.assert_array_equal(over_channels(found, tensor) + full, value + full)


def test_sizes_have_to_be_known(build: Any) -> None:
    known = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2, 3]}, ["y"])
    assert TensorRef.of(known, "x").sizes == (2, 3)
    symbolic = build([helper.make_node("Relu", ["x"], ["y"])], {"x": ["batch", 3]}, ["y"])
    with pytest.raises(NoMatch, match="the shape of 'x' is \\[0, 3\\], where 0 is not known"):
        _ = TensorRef.of(symbolic, "x").sizes
    with pytest.raises(NoMatch, match="the shape of 'y' is not known"):
        _ = TensorRef.of(symbolic, "y").sizes


# --------------------------------------------------------------------------------------- optional inputs, alternatives

low, high = Scalar("low"), Scalar("high")


@rule(
    op.Clip(op.Clip(x, maybe(low), maybe(high)), maybe(Scalar("low2"))),
    shapes="x:n,k low: high: low2: | x:n,k high: low2: | x:n,k low: high: | x:n,k",
)
def merge_clips(x: TensorRef, low: Any, high: Any, low2: Any) -> Call:
    """max(clip(x, low, high), low2) == clip(x, max(low, low2), max(high, low2))"""
    bounds = [b for b in (low, low2) if b is not None]
    lowest = np.max(np.stack([np.reshape(b, ()) for b in bounds])) if bounds else None
    if high is not None:
        high = high if low2 is None else np.maximum(np.reshape(high, ()), np.reshape(low2, ()))
    return op.Clip(x, lowest, high)


def test_optional_inputs() -> None:
    assert prove(merge_clips) > 0


@pytest.mark.parametrize("bounds", [(F(-2), F(3)), (None, F(3)), (F(-2), None), (None, None)])
def test_what_is_omitted_stays_omitted(build: Any, bounds: tuple[Any, Any]) -> None:
    names = ["low" if bounds[0] is not None else "", "high" if bounds[1] is not None else ""]
    nodes = [helper.make_node("Clip", ["x", *names], ["i"]), helper.make_node("Clip", ["i"], ["y"])]
    values = {name: value for name, value in zip(names, bounds, strict=True) if name}
    model = build(nodes, {"x": [2, 2, 3]}, ["y"], values)
    expected = execute_onnx(model, {"x": X})["y"]
    assert apply(model, [merge_clips]).total() == 1
    assert [bool(name) for name in model.graph.node[0].input][1:] == [bool(name) for name in names]
    np.testing.assert_array_equal(execute_onnx(model, {"x": X})["y"], expected)


def test_omitted_is_no_tensor(build: Any) -> None:
    @rule(op.Clip(x, low, high), shapes="x:n low: high:")
    def never(x: TensorRef, low: np.ndarray, high: np.ndarray) -> TensorRef:
        return x

    assert apply(one(build, "Clip", [2, 3], None, F(3)), [never]).total() == 0


@rule(op.any_of("Relu", "Abs", "Floor")(op.any_of("Relu", "Abs")(x).named("g")).named("f"), shapes="x:n,k")
def drop_outer(x: TensorRef, f: Call, g: Call) -> Call:
    """f(g(x)) == g(x) on integers, f any of relu, abs, floor, g any of relu, abs"""
    require(f.op != "Floor", "fractions")
    return g.on(x)


def test_alternatives(build: Any) -> None:
    with pytest.raises(ProofError, match="declined every example with Floor"):
        prove(drop_outer)
    for f in ("Relu", "Abs", "Floor", "Ceil"):
        for g in ("Relu", "Abs", "Floor"):
            model = build([helper.make_node(g, ["x"], ["i"]), helper.make_node(f, ["i"], ["y"])], {"x": [2, 2]}, ["y"])
            fits = f in ("Relu", "Abs") and g in ("Relu", "Abs")
            assert apply(model, [drop_outer]).total() == fits
            assert [n.op_type for n in model.graph.node] == ([g] if fits else [g, f])


def test_a_matched_call_knows_its_node(build: Any) -> None:
    seen: list[Call] = []

    @rule(op.Add(op.Gemm(x, w, maybe(c)).named("gemm"), y), shapes="x:n,k w:k,m y:n,m")
    def look(x: TensorRef, y: TensorRef, w: np.ndarray, c: Any, gemm: Call) -> Call:
        seen.append(gemm)
        raise NoMatch("only looking")

    nodes = [
        helper.make_node("Gemm", ["x", "w", ""], ["product"], name="Gemm_7", alpha=0.5),
        helper.make_node("Add", ["product", "x"], ["y"]),
    ]
    model = build(nodes, {"x": [2, 2]}, ["y"], {"w": np.ones((2, 2), F)}, {"product": "INT8"})
    model.set_tensor_shape("product", [2, 2])
    apply(model, [look])
    (gemm,) = seen
    assert (gemm.name, gemm.inputs, gemm.attributes) == ("Gemm_7", ("x", "w"), {"alpha": 0.5})
    assert gemm.result is not None
    assert (gemm.result.name, gemm.result.shape, gemm.result.datatype) == ("product", (2, 2), DataType["INT8"])


# -------------------------------------------------------------------------------------------------------------- outputs


@rule(op.TopK(x, Const("k")).output(1).named("top"), shapes="x:n,m", values={"k": [1]})
def top_1_to_argmax(x: TensorRef, k: np.ndarray, top: Call) -> Call:
    """topk(x, 1).indices == argmax(x)"""
    require(k.tolist() == [1], "more than one index")
    return op.ArgMax(x, axis=-1)


def topk(build: Any, outputs: list[str], named: list[str]) -> ModelWrapper:
    model = build([helper.make_node("TopK", ["x", "k"], named)], {"x": [2, 4]}, outputs, {"k": np.array([1])})
    model.graph.output[-1].type.tensor_type.elem_type = TensorProto.INT64
    return model  # type: ignore[no-any-return]


def test_other_outputs_than_the_first(build: Any) -> None:
    assert prove(top_1_to_argmax) > 0
    value = {"x": F([[1, 3, 3, 2], [9, -1, 0, 9]])}
    for named in (["v", "i"], ["", "i"]):
        model = topk(build, ["i"], named)
        assert apply(model, [top_1_to_argmax]).total() == 1
        np.testing.assert_array_equal(execute_onnx(model, value)["i"], [[1], [0]])
        assert [n.op_type for n in model.graph.node] == ["ArgMax"]


def test_a_node_with_another_output_in_use_stays(build: Any) -> None:
    assert apply(topk(build, ["v", "i"], ["v", "i"]), [top_1_to_argmax]).total() == 0


def test_a_replacement_may_be_another_output(build: Any) -> None:
    @rule(op.ArgMax(x, axis=1), shapes="x:n,m")
    def argmax_to_top_1(x: TensorRef) -> Call:
        """argmax(x) == topk(x, 1).indices"""
        return op.TopK(x, np.array([1])).output(1)

    assert prove(argmax_to_top_1) > 0
    model = one(build, "ArgMax", [2, 4], axis=1)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    apply(model, [argmax_to_top_1])
    (node,) = model.graph.node
    assert list(node.output) == ["y_TopK", "y"]
    assert execute_onnx(model, {"x": F([[1, 3, 3, 2], [9, -1, 0, 9]])})["y"].tolist() == [[1], [0]]


# ------------------------------------------------------------------------------------------------------ what is built


def test_numbers_take_the_type_of_the_operands_beside_them(build: Any) -> None:
    @rule(op.ArgMax(x, axis=0), shapes="x:n,k")
    def scaled(x: TensorRef) -> Call:
        return op.ArgMax(op.Mul(op.Add(2, x), np.float64(0.5)), axis=0)

    model = one(build, "ArgMax", [2, 3], axis=0)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(RewriteError, match="did not settle in 3 steps"):
        apply(model, [scaled], limit=3)
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT}


def test_fractions_among_integers_are_declined(build: Any) -> None:
    @rule(op.Div(x, c), shapes="x:n c:n")
    def to_mul(x: TensorRef, c: np.ndarray) -> Call:
        return op.Mul(x, 1 / c)

    model = one(build, "Div", [3], np.array([2, 3, 4]))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    before = model.model.SerializeToString()
    assert apply(model, [to_mul]).total() == 0
    assert model.model.SerializeToString() == before


def test_what_the_opset_does_not_have_is_declined(build: Any) -> None:
    @rule(op.Relu(x), shapes="x:n")
    def modern(x: TensorRef) -> Call:
        return op.Gelu(x)

    @rule(op.Relu(x), shapes="x:n")
    def clip(x: TensorRef) -> Call:
        return op.Clip(x, 0.0)

    @rule(op.Squeeze(x, c), shapes="x:n,1", values={"c": [1]})
    def axes(x: TensorRef, c: np.ndarray) -> Call:
        return op.Squeeze(x, axes=c.tolist())

    for rules, opset, fires in (([modern], 19, 0), ([modern], 20, 1), ([clip], 10, 0), ([clip], 11, 1)):
        model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"], opset=opset)
        before = model.model.SerializeToString()
        assert apply(model, rules).total() == fires
        assert fires or model.model.SerializeToString() == before
    assert apply(one(build, "Squeeze", [2, 1], [1]), [axes]).total() == 0


def test_typed_constants(build: Any) -> None:
    weights = Parameter("weights")

    @rule(op.Gemm(x, weights, transB=1), shapes="x:n,k weights:m,k", datatypes={"weights": "INT4"})
    def transposed(x: TensorRef, weights: TensorRef) -> Call:
        """gemm(x, w, transB=1) == x @ w^T"""
        assert weights.value is not None
        return op.MatMul(x, constant(weights.value.T, weights.datatype))

    assert prove(transposed) > 0
    model = one(build, "Gemm", [2, 3], np.arange(6, dtype=F).reshape(2, 3), transB=1)
    model.set_tensor_datatype("c0", DataType["UINT3"])
    apply(model, [transposed])
    (tensor,) = model.graph.initializer
    assert model.get_tensor_datatype(tensor.name) == "UINT3"
    assert [entry.tensor_name for entry in model.graph.quantization_annotation] == [tensor.name]


def test_names_stay_short_however_often_a_rule_fires(build: Any) -> None:
    @rule(op.Neg(op.Relu(x)), shapes="x:n")
    def sink(x: TensorRef) -> Call:
        return op.Abs(op.Neg(x))

    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(30)]
    nodes.append(helper.make_node("Neg", ["t30"], ["y"]))
    model = build(nodes, {"t0": [2]}, ["y"])
    assert apply(model, [sink]) == {"sink": 30}
    assert max(len(name) for node in model.graph.node for name in node.output) <= len("y_Neg_29")


def test_a_tensor_that_control_flow_reads_is_not_renamed(build: Any) -> None:
    @rule(op.Identity(op.Identity(x)), shapes="x:n")
    def drop(x: TensorRef) -> TensorRef:
        return x

    body = helper.make_graph(
        [helper.make_node("Relu", ["inner"], ["r"])], "body", [], [helper.make_tensor_value_info("r", 1, [2])]
    )
    nodes = [
        helper.make_node("Identity", ["x"], ["first"]),
        helper.make_node("Identity", ["first"], ["inner"]),
        helper.make_node("If", ["condition"], ["y"], then_branch=body, else_branch=body),
    ]
    model = build(nodes, {"x": [2]}, ["y"], {"condition": np.array(True)})
    assert apply(model, [drop]).total() == 0


# ------------------------------------------------------------------------------------------------- rules that are wrong


def shapes_only(x: TensorRef, w: np.ndarray) -> Call:
    return op.MatMul(x, w)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shapes": "x:n,k"}, "rule shapes_only: an example says nothing of w"),
        ({"shapes": "x:n,k w:k,m v:m"}, "an example speaks of v, which is not in the pattern"),
        ({"shapes": "x:n,k w"}, "the shapes 'x:n,k w' cannot be read"),
        ({"shapes": "x:n,k w:k,m", "attributes": {"mm": {}}}, "an example speaks of mm, which is not in the pattern"),
        ({"shapes": "x:n,k w:k,m", "datatypes": [{}, {}]}, "there are 1 examples by their shapes, but 2 sets of"),
    ],
)
def test_examples_have_to_fit_the_pattern(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RewriteError) as error:
        rule(op.MatMul(x, w), **arguments)(shapes_only)
    assert message in str(error.value)


def test_functions_have_to_fit_the_pattern() -> None:
    with pytest.raises(RewriteError) as error:
        rule(op.MatMul(x, c).named("node"), shapes="x:n,k c:k,m")(shapes_only)
    assert str(error.value) == "rule shapes_only: the pattern binds x, c, node, the function takes x, w"


def returns(value: Any) -> Rule:
    @rule(op.Relu(x), shapes="x:n")
    def broken(x: TensorRef) -> Any:
        return value(x)

    return broken


class ThirdPartyError(Exception):
    """Not one of ours."""


def fails(x: TensorRef) -> Any:
    raise ThirdPartyError("in their code")


@pytest.mark.parametrize(
    ("r", "message"),
    [
        (
            returns(lambda x: None),
            "the rule failed: TypeError: it returned NoneType, want a call, a tensor or a constant",
        ),
        (returns(lambda x: "x"), "the rule failed: TypeError: it returned str, want a call, a tensor or a constant"),
        (returns(lambda x: op.Add(x, object())), "the rule failed: "),
        (returns(lambda x: op.Elu(x, alpha=object())), "the rule failed: "),
        (returns(lambda x: op.NoSuchOperator(x)), "has no operator 'NoSuchOperator'"),
        (returns(fails), "the rule failed: ThirdPartyError: in their code"),
    ],
)
def test_errors_of_rules_name_rule_and_node_and_leave_the_graph(build: Any, r: Rule, message: str) -> None:
    model = build([helper.make_node("Relu", ["x"], ["y"], name="Relu_3")], {"x": [2]}, ["y"])
    before = model.model.SerializeToString()
    with pytest.raises(RewriteError) as error:
        apply(model, [r])
    assert str(error.value).startswith("rule broken at node Relu 'Relu_3': ")
    assert message in str(error.value)
    assert model.model.SerializeToString() == before
    assert isinstance(error.value, FinnError)


def test_a_transformation_is_a_table(build: Any) -> None:
    class DropDoubleNeg(RuleTransformation):
        """-(-x) == x"""

        rules = (rule(op.Neg(op.Neg(x)), shapes="x:n,k")(lambda x: x),)

    nodes = [helper.make_node("Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(5)]
    model = build(nodes, {"t0": [2]}, ["t5"])
    assert len(model.transform(DropDoubleNeg()).graph.node) == 1
    assert len(model.graph.node) == 5
