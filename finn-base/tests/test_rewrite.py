"""The rewrite engine: every rule by one proof, and what the engine promises."""

import numpy as np
import pytest
from onnx import helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.normal_forms import NORMAL_FORMS, batchnorm_to_affine, div_to_mul
from finn.transformation.proof import ProofError, prove
from finn.transformation.rewrite import Call, Const, RewriteError, Rule, Scalar, Var, apply, op, require, rule

x, y = Var("x"), Var("y")
a, b, w, t = map(Const, ("a", "b", "w", "t"))
s = Scalar("s")


@rule(op.MatMul(op.Mul(x, s), w), shapes="x:n,k s: w:k,m")
def move_scalar_mul_past_matmul(x, s, w):  # type: ignore[no-untyped-def]
    """(x*s) @ w == (x @ w) * s"""
    return op.Mul(op.MatMul(x, w), s)


@rule(op.Mul(op.Mul(x, a), b), shapes="x:n,k a:k b:")
def collapse_repeated_mul(x, a, b):  # type: ignore[no-untyped-def]
    """(x*a) * b == x * (a*b)"""
    return op.Mul(x, a * b)


@rule(op.Add(op.Mul(x, a), op.Mul(y, a)), shapes="x:n,k y:n,k a:k")
def move_mul_past_join(x, y, a):  # type: ignore[no-untyped-def]
    """x*a + y*a == (x+y) * a"""
    return op.Mul(op.Add(x, y), a)


@rule(op.MultiThreshold(op.Mul(x, s), t).named("mt"), shapes="x:n,c s: t:c,t | x:n,c,h s: t:c,t")
def absorb_mul_into_thresholds(x, s, t, mt):  # type: ignore[no-untyped-def]
    """count(x*s >= t) == count(x >= t/s), s > 0"""
    require(s > 0, "s turns >= into <=")
    return op.MultiThreshold(x, t / s, like=mt)


@rule(op.Add(op.Identity(x), s), shapes="x:n,k s:")
def drop_add_zero(x, s):  # type: ignore[no-untyped-def]
    """identity(x) + 0 == x"""
    require(s == 0, "s is not 0")
    return x


@rule(op.Relu(x), shapes="x:n,k", datatypes={"x": "INT4"})
def relu_is_unsigned(x):  # type: ignore[no-untyped-def]
    """relu(x) == clip(x, 0, 7) in UINT3, x in INT4"""
    return op.Clip(x, 0.0, 7.0).typed("UINT3")


OURS = (
    move_scalar_mul_past_matmul,
    collapse_repeated_mul,
    move_mul_past_join,
    absorb_mul_into_thresholds,
    drop_add_zero,
    relu_is_unsigned,
)


@pytest.mark.parametrize("r", OURS, ids=str)
def test_both_sides_are_equal(r: Rule) -> None:
    assert prove(r) > 0


@rule(op.Mul(op.Add(x, b), a), shapes="x:n,k b:k a:k")
def wrong_distribution(x, b, a):  # type: ignore[no-untyped-def]
    """(x+b) * a == x*a + b, which is wrong"""
    return op.Add(op.Mul(x, a), b)


@rule(op.Relu(x), shapes="x:n,k", datatypes={"x": "INT4"})
def wrong_type(x):  # type: ignore[no-untyped-def]
    """the right value with the wrong annotation"""
    return op.Clip(x, 0.0, 7.0).typed("UINT2")


@rule(op.Mul(x, a), shapes="x:n,k a:k")
def never(x, a):  # type: ignore[no-untyped-def]
    """declines"""
    require(False, "never")


@pytest.mark.parametrize(
    ("r", "message"),
    [(wrong_distribution, "the sides differ"), (wrong_type, "no UINT2"), (never, "the rule declined every example")],
)
def test_the_proof_finds_wrong_rules(r: Rule, message: str) -> None:
    with pytest.raises(ProofError, match=message):
        prove(r)


# ------------------------------------------------------------------------------------------------------------ declined


def declines(r: Rule, model: ModelWrapper) -> bool:
    before = model.model.SerializeToString()
    return apply(model, [r]).total() == 0 and model.model.SerializeToString() == before


def test_declined_division_by_zero(build) -> None:  # type: ignore[no-untyped-def]
    model = build(
        [helper.make_node("Div", ["x", "b"], ["y"])], {"x": [1, 2]}, ["y"], {"b": np.array([1, 0], np.float32)}
    )
    assert declines(div_to_mul, model)


@pytest.mark.parametrize("attributes", [{"transA": 1, "alpha": 0.5}, {"transB": 1}, {"beta": 0.25}, {}])
@pytest.mark.parametrize("bias", [True, False])
def test_gemm_attributes(build, attributes: dict[str, float], bias: bool) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node("Gemm", ["x", "w", "b"] if bias else ["x", "w", ""], ["y"], **attributes)
    constants = {"w": np.arange(9, dtype=np.float32).reshape(3, 3), "b": np.arange(3, dtype=np.float32)}
    model = build([node], {"x": [3, 3]}, ["y"], constants)
    value = {"x": np.arange(9, dtype=np.float32).reshape(3, 3) - 4}
    expected = execute_onnx(model, value)["y"]
    assert apply(model, NORMAL_FORMS).total() == 1
    assert "Gemm" not in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(execute_onnx(model, value)["y"], expected)


def test_declined_computed_operands(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Div", ["x", "b"], ["z"])], {"x": [1, 2], "b": [2]}, ["z"])
    assert declines(div_to_mul, model)


def test_declined_batchnorm_of_unknown_rank(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("BatchNormalization", ["r", "g", "g", "g", "g"], ["y"]),
    ]
    model = build(nodes, {"x": [1, 2]}, ["y"], {"g": np.ones(2, np.float32)})
    assert declines(batchnorm_to_affine, model)
    training = build(
        [helper.make_node("BatchNormalization", ["x", "g", "g", "g", "g"], ["y"], training_mode=1)],
        {"x": [1, 2]}, ["y"], {"g": np.ones(2, np.float32)}, opset=14,
    )  # fmt: skip
    assert declines(batchnorm_to_affine, training)


def fork(build, returned: bool) -> ModelWrapper:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Mul", ["x", "s"], ["inner"]),
        helper.make_node("MatMul", ["inner", "w"], ["y"]),
        helper.make_node("Relu", ["inner"], ["z"]),
    ]
    constants = {"s": np.float32(2), "w": np.ones((2, 2), np.float32)}
    outputs = ["y", "inner"] if returned else ["y", "z"]
    return build(nodes[:2] if returned else nodes, {"x": [1, 2]}, outputs, constants)  # type: ignore[no-any-return]


@pytest.mark.parametrize("returned", [True, False])
def test_inner_values_with_other_readers_stay(build, returned: bool) -> None:  # type: ignore[no-untyped-def]
    assert declines(move_scalar_mul_past_matmul, fork(build, returned))


def test_a_rule_for_a_custom_operator_does_not_match_onnx(build) -> None:  # type: ignore[no-untyped-def]
    custom_relu = helper.make_node("Relu", ["x"], ["y"], domain="finn.custom_op.general")
    assert declines(relu_is_unsigned, build([custom_relu], {"x": [1, 2]}, ["y"]))


def test_pattern_attributes_must_be_there(build) -> None:  # type: ignore[no-untyped-def]
    @rule(op.Transpose(x, perm=[1, 0]), shapes="x:n,k")
    def marked(x):  # type: ignore[no-untyped-def]
        return op.Identity(x)

    def transposed(**attributes: list[int]) -> ModelWrapper:
        return build([helper.make_node("Transpose", ["x"], ["y"], **attributes)], {"x": [2, 2]}, ["y"])  # type: ignore[no-any-return]

    assert declines(marked, transposed())
    assert declines(marked, transposed(perm=[0, 1]))
    assert apply(transposed(perm=[1, 0]), [marked]).total() == 1


# ------------------------------------------------------------------------------------------------------------- engine


def chain(build, length: int) -> ModelWrapper:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Mul", [f"t{i}", f"c{i}"], [f"t{i + 1}"], name=f"Mul_{i}") for i in range(length)]
    constants = {f"c{i}": np.float32(2.0 if i % 2 else 0.5) for i in range(length)}
    return build(nodes, {"t0": [1, 2]}, [f"t{length}"], constants)  # type: ignore[no-any-return]


def test_a_list_settles_and_leaves_nothing_behind(build) -> None:  # type: ignore[no-untyped-def]
    model = chain(build, 9)
    value = {"t0": np.ones((1, 2), np.float32)}
    expected = execute_onnx(model, value)["t9"]
    assert apply(model, [collapse_repeated_mul]) == {"collapse_repeated_mul": 8}
    assert len(model.graph.node) == 1
    assert len(model.graph.initializer) == 1
    assert {info.name for info in model.graph.value_info} == {model.graph.initializer[0].name}
    np.testing.assert_array_equal(execute_onnx(model, value)["t9"], expected)


def test_same_input_same_bytes(build) -> None:  # type: ignore[no-untyped-def]
    results = set()
    for _ in range(2):
        model = chain(build, 6)
        apply(model, [collapse_repeated_mul])
        results.add(model.model.SerializeToString(deterministic=True))
    assert len(results) == 1


def test_only_touched_nodes_are_visited_again(build) -> None:  # type: ignore[no-untyped-def]
    visits = 0

    @rule(op.Mul(x, s), shapes="x:n,k s:")
    def one_becomes_two(x, s):  # type: ignore[no-untyped-def]
        nonlocal visits
        visits += 1
        require(s == 1, "done")
        return op.Mul(x, 2.0)

    model = chain(build, 100)
    model.set_initializer("c50", np.float32(1))
    assert apply(model, [one_becomes_two]).total() == 1
    assert visits < 100 + 6


def test_rules_that_undo_each_other_are_named(build) -> None:  # type: ignore[no-untyped-def]
    @rule(op.Add(x, s), shapes="x:n,k s:")
    def to_sub(x, s):  # type: ignore[no-untyped-def]
        return op.Sub(x, -s)

    @rule(op.Sub(x, s), shapes="x:n,k s:")
    def to_add(x, s):  # type: ignore[no-untyped-def]
        return op.Add(x, -s)

    model = build([helper.make_node("Add", ["x", "s"], ["y"])], {"x": [1, 2]}, ["y"], {"s": np.float32(1)})
    with pytest.raises(RewriteError) as error:
        apply(model, [to_sub, to_add], limit=9)
    assert str(error.value) == (
        "rewriting did not settle in 9 steps; fired most: to_sub (5 times), to_add (5 times) "
        "(at the end these took turns: to_sub at 'y', to_add at 'y'). "
        "Remedy: put rules that undo each other into different phases, or guard one of them"
    )


def test_errors_name_rule_and_node(build) -> None:  # type: ignore[no-untyped-def]
    @rule(op.Add(x, s), shapes="x:n,k s:")
    def broken(x, s):  # type: ignore[no-untyped-def]
        return op.Add(x, s.no_such_thing)

    model = build([helper.make_node("Add", ["x", "s"], ["y"], name="Add_7")], {"x": [1]}, ["y"], {"s": np.float32(1)})
    with pytest.raises(RewriteError) as error:
        apply(model, [broken])
    assert str(error.value) == (
        "rule broken at node Add 'Add_7': the rule failed: AttributeError: "
        "'numpy.ndarray' object has no attribute 'no_such_thing'"
    )


def test_names_shapes_types_of_what_is_new(build) -> None:  # type: ignore[no-untyped-def]
    @rule(op.Gemm(x, w, b), shapes="x:n,k w:k,m b:m")
    def typed_gemm(x, w, b):  # type: ignore[no-untyped-def]
        assert x.datatype == "INT4"
        assert x.shape == (1, 2)
        return op.Add(op.MatMul(x, w).typed("INT8"), b)

    model = build(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], {"x": [1, 2]}, ["y"],
        {"w": np.ones((2, 3), np.float32), "b": np.zeros(3, np.float32)}, {"x": "INT4", "y": "INT9"},
    )  # fmt: skip
    apply(model, [typed_gemm])
    assert [node.op_type for node in model.graph.node] == ["MatMul", "Add"]
    assert model.get_tensor_datatype("y_MatMul") == "INT8"
    assert model.get_tensor_shape("y_MatMul") == [1, 3]
    assert model.get_tensor_datatype("y") == "INT9"
    assert len({node.name for node in model.graph.node}) == 2


def test_constants_take_the_type_of_their_surroundings(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Mul", ["x", "s"], ["y"])], {"x": [1]}, ["y"], {"s": np.float32(3)})

    @rule(op.Mul(x, s), shapes="x:n s:")
    def wide(x, s):  # type: ignore[no-untyped-def]
        return op.Add(x, np.asarray(s, np.float64) / 7)

    apply(model, [wide])
    assert model.graph.initializer[0].data_type == 1
    assert model.get_initializer(model.graph.initializer[0].name) == np.float32(3 / 7)


def test_replacement_by_a_tensor(build) -> None:  # type: ignore[no-untyped-def]
    def padded(*middle: str, outputs: list[str]) -> ModelWrapper:
        nodes = [
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node("Identity", ["r"], ["i"]),
            helper.make_node("Add", ["i", "s"], ["j"]),
            *([helper.make_node("Neg", ["j"], ["k"])] if middle else []),
        ]
        return build(nodes, {"x": [1, 2]}, outputs, {"s": np.float32(0)})  # type: ignore[no-any-return]

    inside = padded("Neg", outputs=["k"])
    apply(inside, [drop_add_zero])
    assert [(n.op_type, *n.input, *n.output) for n in inside.graph.node] == [("Relu", "x", "r"), ("Neg", "r", "k")]
    at_output = padded(outputs=["j"])
    apply(at_output, [drop_add_zero])
    assert [(n.op_type, *n.input, *n.output) for n in at_output.graph.node] == [("Relu", "x", "j")]
    assert declines(drop_add_zero, padded(outputs=["j", "r"]))


def test_like_keeps_domain_and_attributes(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Mul", ["x", "s"], ["m"]),
        helper.make_node("MultiThreshold", ["m", "t"], ["y"], domain="finn.custom_op.general", out_dtype="UINT2"),
    ]
    constants = {"s": np.float32(2), "t": np.array([[2, 4, 6]], np.float32)}
    model = build(nodes, {"x": [1, 2]}, ["y"], constants)
    apply(model, [absorb_mul_into_thresholds])
    (node,) = model.graph.node
    assert (node.domain, node.attribute[0].s) == ("finn.custom_op.general", b"UINT2")
    assert model.get_initializer(node.input[1]).tolist() == [[1, 2, 3]]  # type: ignore[union-attr]


def test_calls_print_as_expressions() -> None:
    assert str(op.Add(op.MatMul(x, w), b)) == "Add(MatMul(x, w), b)"
    assert isinstance(op.Add(x, b), Call)
