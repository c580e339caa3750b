"""The parts of the channels-last flow, one by one, and the helpers around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import helper

from finn.core.datatype import DataType
from finn.core.domains import CHANNELS_LAST
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.change_datalayout import ChangeDataLayoutQuantAvgPool2d
from finn.transformation.channels_last import (
    AbsorbChanFirstIntoMatMul,
    InsertChannelsLastDomainsAndTrafos,
    MoveAddPastFork,
    MoveChanFirstDownstream,
    MoveChanLastUpstream,
    MoveLinearPastFork,
    MoveMulPastFork,
    MoveOpPastFork,
    MoveTransposePastFork,
    RemoveConsecutiveChanFirstAndChanLastTrafos,
    get_transpose_perms,
    move_transpose_past_eltwise,
)
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.make_input_chanlast import MakeInputChannelsLast

from .networks import BOUND, FREE, networks, random_inputs, to_either_end  # noqa: TID252 - test helpers are no installed package

GENERAL = "finn.custom_op.general"
FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
SHAPE = [2, 4, 5, 3]
PARTS = [
    InsertChannelsLastDomainsAndTrafos(),
    RemoveConsecutiveChanFirstAndChanLastTrafos(),
    MoveChanFirstDownstream(),
    MoveChanLastUpstream(),
    AbsorbChanFirstIntoMatMul(),
    MoveTransposePastFork(),
    MoveLinearPastFork(),
]


def ops(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.graph.node]


def check_same(before: ModelWrapper, after: ModelWrapper) -> None:
    inputs = random_inputs(before)
    expected = execute_onnx(before, inputs)
    found = execute_onnx(after, inputs, return_full_exec_context=True)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    for name in after.get_all_tensor_names():
        assert after.get_tensor_shape(name) in (None, list(found[name].shape)), name
        assert np.all(after.get_tensor_datatype(name).allowed(np.atleast_1d(found[name]))), name


@given(model=networks(operators=(*FREE, *BOUND, *[to_either_end] * 8), most=12))
@settings(max_examples=60, deadline=None)
def test_every_part_keeps_the_results(model: ModelWrapper) -> None:
    current = model
    for part in PARTS * 2:
        current = current.transform(part)
        check_same(model, current)


def first(x: str, y: str):  # type: ignore[no-untyped-def]
    return helper.make_node("Transpose", [x], [y], f"T_{y}", perm=FIRST)


def last(x: str, y: str):  # type: ignore[no-untyped-def]
    return helper.make_node("Transpose", [x], [y], f"T_{y}", perm=LAST)


def node(op: str, inputs: str, output: str, **attributes: object):  # type: ignore[no-untyped-def]
    return helper.make_node(op, inputs.split(), [output], f"{op}_{output}", **attributes)


# ------------------------------------------------------------------------------------------------------------ inserting


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])
def test_inserted_operators_say_everything(build, opset: int, auto_pad: str) -> None:  # type: ignore[no-untyped-def]
    pads = {"pads": [1, 0, 0, 1]} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    nodes = [
        node("Conv", "x w", "a", strides=[2, 1], **pads),
        node("MaxPool", "a", "b", kernel_shape=[2, 1]),
        node("BatchNormalization", "b one one one one", "y", epsilon=0.0),
    ]
    weights = (np.arange(2 * 4 * 2 * 3).reshape(2, 4, 2, 3) % 5 - 2).astype(np.float32)
    constants = {"w": weights, "one": np.ones(2, np.float32)}
    model = build(nodes, {"x": SHAPE}, ["y"], constants, opset=opset).transform(InferShapes())
    after = model.transform(InsertChannelsLastDomainsAndTrafos())
    check_same(model, after)
    assert after.get_opset_imports()[CHANNELS_LAST] == opset
    inner = {n.op_type: n for n in after.graph.node if n.domain == CHANNELS_LAST}
    named = {name: {a.name for a in n.attribute} for name, n in inner.items()}
    assert named == {
        "Conv": {"kernel_shape", "strides", "dilations", "pads", "group"},
        "MaxPool": {"kernel_shape", "strides", "pads"},
        "BatchNormalization": {"epsilon", "momentum"},
    }
    perms = [get_transpose_perms(n, after) for n in after.graph.node if n.op_type == "Transpose"]
    assert perms == [LAST, FIRST] * 3


def test_what_the_domain_cannot_express_stays(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a", "where"], kernel_shape=[1, 1]),
        node("Cast", "where", "c", to=1),
        node("Add", "a c", "y"),
    ]
    model = build(nodes, {"x": SHAPE}, ["y"], opset=12).transform(InferShapes())
    assert ops(model.transform(InsertChannelsLastDomainsAndTrafos())) == ["MaxPool", "Cast", "Add"]
    flat = build(
        [node("BatchNormalization", "x one one one one", "y")], {"x": [2, 3]}, ["y"], {"one": np.ones(3, np.float32)}
    )
    assert ops(flat.transform(InsertChannelsLastDomainsAndTrafos())) == ["BatchNormalization"]


# ------------------------------------------------------------------------------------------------------------- removing


def test_other_readers_keep_the_transpose(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [first("x", "a"), last("a", "b"), node("Relu", "b", "y"), node("Neg", "a", "z")]
    model = build(nodes, {"x": SHAPE}, ["y", "z"]).transform(InferShapes())
    after = model.transform(RemoveConsecutiveChanFirstAndChanLastTrafos())
    check_same(model, after)
    assert sorted(ops(after)) == ["Neg", "Relu", "Transpose"]


def test_nothing_to_remove(build) -> None:  # type: ignore[no-untyped-def]
    model = build([first("x", "a"), node("Relu", "a", "b"), last("b", "y")], {"x": SHAPE}, ["y"]).transform(
        InferShapes()
    )
    after = model.transform(RemoveConsecutiveChanFirstAndChanLastTrafos())
    assert after.model.SerializeToString() == model.model.SerializeToString()


# --------------------------------------------------------------------------------------------------------------- moving

CONSTANTS = {"c": np.arange(3, dtype=np.float32).reshape(3, 1, 1), "two": np.float32(2)}


def test_down_to_the_output(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [first("x", "a"), node("Mul", "a two", "b"), node("Add", "b c", "d"), node("Relu", "d", "y")]
    types = {"x": "INT4", "b": "INT5", "d": "INT6", "two": "UINT2"}
    model = build(nodes, {"x": SHAPE}, ["y"], CONSTANTS, types).transform(InferShapes())
    after = model.transform(MoveChanFirstDownstream())
    check_same(model, after)
    assert ops(after) == ["Mul", "Add", "Relu", "Transpose"]
    found = [after.get_tensor_datatype(name).name for n in after.graph.node[:2] for name in (*n.input, *n.output)]
    assert found == ["INT4", "UINT2", "INT5", "INT5", "FLOAT32", "INT6"]


def test_up_to_the_input(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [node("Mul", "x two", "a"), node("Add", "a d", "b"), node("Relu", "b", "r"), last("r", "y")]
    constants = {"two": np.float32(2), "d": np.arange(4, dtype=np.float32).reshape(4, 1, 1)}
    model = build(nodes, {"x": SHAPE}, ["y"], constants).transform(InferShapes())
    after = model.transform(MoveChanLastUpstream())
    check_same(model, after)
    assert ops(after) == ["Transpose", "Mul", "Add", "Relu"]


def test_not_above_what_others_read(build) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Relu", "x", "r"), last("r", "y"), node("Neg", "r", "z")], {"x": SHAPE}, ["y", "z"])
    model = model.transform(InferShapes())
    assert ops(model.transform(MoveChanLastUpstream())) == ops(model)


@pytest.mark.parametrize("op", ["Add", "Mul", "Sub", "Max"])
def test_either_operand(build, op: str) -> None:  # type: ignore[no-untyped-def]
    """Patterns of commutative operators match either way round."""
    for operands in ("a z", "z a"):
        model = build([first("x", "a"), node(op, operands, "y")], {"x": SHAPE, "z": [2, 3, 4, 5]}, ["y"])
        model = model.transform(InferShapes())
        after = model.transform(MoveChanFirstDownstream())
        check_same(model, after)
        assert ops(after) == ["Transpose", op, "Transpose"]


def test_three_axes_do_not_go_round_in_circles(build) -> None:  # type: ignore[no-untyped-def]
    """[0, 2, 1] is its own inverse: moved to the other operand, it would come back."""
    nodes = [node("Transpose", "x", "a", perm=[0, 2, 1]), node("Add", "a z", "y")]
    model = build(nodes, {"x": [2, 3, 4], "z": [2, 4, 3]}, ["y"]).transform(InferShapes())
    assert ops(model.transform(MoveChanFirstDownstream())) == ["Transpose", "Add"]
    nodes.insert(1, node("Transpose", "z", "b", perm=[0, 2, 1]))
    nodes[2] = node("Add", "a b", "y")
    both = build(nodes, {"x": [2, 3, 4], "z": [2, 3, 4]}, ["y"]).transform(InferShapes())
    after = both.transform(MoveChanFirstDownstream())
    check_same(both, after)
    assert ops(after)[-2:] == ["Add", "Transpose"]


@pytest.mark.parametrize("other", [[2, 3, 4, 5], [3, 1, 1], [5], []])
def test_past_one_operator(build, other: list[int]) -> None:  # type: ignore[no-untyped-def]
    nodes = [first("x", "a"), node("Sub", "z a", "y"), node("Abs", "a", "v")]
    model = build(nodes, {"x": SHAPE, "z": other}, ["y", "v"]).transform(InferShapes())
    after = ModelWrapper(model.model, make_deepcopy=True)
    transpose, subtract, _ = after.graph.node
    assert move_transpose_past_eltwise(transpose, subtract, after)
    after.cleanup()
    check_same(model, after)
    assert after.find_producer("y").op_type == "Transpose"
    assert after.find_producer("a").op_type == "Transpose"


def test_not_past_others(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [first("x", "a"), node("DepthToSpace", "a", "b", blocksize=1), node("Relu", "b", "y")]
    model = build(nodes, {"x": SHAPE}, ["y"]).transform(InferShapes())
    before = model.model.SerializeToString()
    transpose, bound, relu = model.graph.node
    assert not move_transpose_past_eltwise(transpose, bound, model)
    assert not move_transpose_past_eltwise(transpose, relu, model)
    assert not move_transpose_past_eltwise(bound, relu, model)
    assert model.model.SerializeToString() == before


def test_perms(build) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Transpose", "x", "a"), node("Relu", "a", "y")], {"x": SHAPE}, ["y"])
    assert get_transpose_perms(model.graph.node[0], model) == [3, 2, 1, 0]
    with pytest.raises(ModelError, match="node Relu 'Relu_y': this is no Transpose of a tensor of known rank"):
        get_transpose_perms(model.graph.node[1], model)


# ------------------------------------------------------------------------------------------------------------ absorbing


def with_head(build, quantized: bool, layer: str, flatten: str):  # type: ignore[no-untyped-def]
    weights = (np.arange(60 * 7).reshape(60, 7) % 11 - 5).astype(np.float32)
    nodes = [first("x", "a"), node(flatten, "a s" if flatten == "Reshape" else "a", "f")]
    constants = {"w": weights, "b": np.arange(7, dtype=np.float32)}
    if flatten == "Reshape":
        constants["s"] = np.array([2, -1])
    if quantized:
        scale = np.exp2(np.arange(60) % 3).reshape(60, 1).astype(np.float32)
        constants |= {"scale": scale, "zero": np.float32(0), "bits": np.float32(4)}
        nodes.append(node("Quant", "w scale zero bits", "q", domain=GENERAL, signed=1, narrow=0))
    nodes.append(node(layer, f"f {'q' if quantized else 'w'}" + (" b" if layer == "Gemm" else ""), "y"))
    used = {name for n in nodes for name in n.input}
    model = build(nodes, {"x": SHAPE}, ["y"], {name: value for name, value in constants.items() if name in used})
    if not quantized:
        model.set_tensor_datatype("w", DataType["INT4"])
    return model.transform(InferShapes())


@pytest.mark.parametrize("flatten", ["Flatten", "Reshape"])
@pytest.mark.parametrize("layer", ["MatMul", "Gemm"])
@pytest.mark.parametrize("quantized", [False, True])
def test_into_the_weights(build, quantized: bool, layer: str, flatten: str) -> None:  # type: ignore[no-untyped-def]
    model = with_head(build, quantized, layer, flatten)
    after = model.transform(AbsorbChanFirstIntoMatMul())
    check_same(model, after)
    assert sorted(ops(after)) == sorted(["Flatten", layer] + ["Quant"] * quantized)
    if not quantized:
        assert after.get_tensor_datatype(after.graph.node[-1].input[1]) == "INT4"


# ---------------------------------------------------------------------------------------------------------------- forks


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (MoveAddPastFork(), ["Add", "Add", "Mul", "Neg", "Abs", "Relu"]),
        (MoveOpPastFork(["Add", "Mul"]), ["Add", "Add", "Add", "Mul", "Mul", "Neg", "Abs", "Relu"]),
        (MoveLinearPastFork(), ["Add", "Add", "Add", "Mul", "Mul", "Neg", "Abs", "Relu"]),
        (MoveMulPastFork(), ["Add", "Mul", "Mul", "Neg", "Abs", "Relu"]),
        (MoveTransposePastFork(), ["Add", "Mul", "Neg", "Abs", "Relu"]),
    ],
)
def test_past_forks(build, move: MoveOpPastFork, expected: list[str]) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        node("Add", "x c", "a"),
        node("Mul", "a two", "b"),
        node("Neg", "a", "y"),
        node("Abs", "b", "z"),
        node("Relu", "b", "v"),
    ]
    constants = {"c": np.arange(3, dtype=np.float32), "two": np.float32(2)}
    model = build(nodes, {"x": SHAPE}, ["y", "z", "v"], constants, {"c": "UINT2"}).transform(InferShapes())
    after = model.transform(move)
    check_same(model, after)
    assert sorted(ops(after)) == sorted(expected)
    adds = [n for n in after.graph.node if n.op_type == "Add"]
    assert {after.get_tensor_datatype(n.input[1]).name for n in adds} == {"UINT2"}
    assert len({n.input[1] for n in adds}) == len(adds)


def test_a_forked_output_stays_an_output(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [first("x", "a"), node("Relu", "a", "y"), node("Add", "a a", "z")]
    model = build(nodes, {"x": SHAPE}, ["a", "y", "z"]).transform(InferShapes())
    after = model.transform(MoveTransposePastFork())
    check_same(model, after)
    assert ops(after).count("Transpose") == 4


# --------------------------------------------------------------------------------------------------------------- inputs


def test_inputs_channels_last(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        node("Add", "x z", "a"),
        node("Mul", "v two", "b"),
        node("Concat", "a u", "y", axis=1),
        node("Neg", "b", "c"),
    ]
    inputs = {"x": SHAPE, "z": SHAPE, "u": SHAPE, "v": [2, 3]}
    model = build(nodes, inputs, ["y", "c"], {"two": np.float32(2)}).transform(InferShapes())
    model.set_tensor_layout("u", ["N", "H", "W", "C"])
    after = model.transform(MakeInputChannelsLast())
    assert {name: after.get_tensor_shape(name) for name in inputs} == {
        "x": [2, 5, 3, 4],
        "z": [2, 5, 3, 4],
        "u": SHAPE,
        "v": [2, 3],
    }
    assert after.get_tensor_layout("x") == ["N", "H", "W", "C"]
    assert after.get_tensor_layout("x_transposed") == ["N", "C", "H", "W"]
    values = random_inputs(model)
    moved = {name: x.transpose(0, 2, 3, 1) if name in "xz" else x for name, x in values.items()}
    for name, value in execute_onnx(model, values).items():
        np.testing.assert_array_equal(execute_onnx(after, moved)[name], value)
    again = after.transform(MakeInputChannelsLast())
    assert again.model.SerializeToString() == after.model.SerializeToString()


def test_symbolic_inputs(build) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Relu", "x", "y")], {"x": ["batch", 3, 4, 4]}, ["y"]).transform(InferShapes())
    after = model.transform(MakeInputChannelsLast())
    dims = after.get_tensor_valueinfo("x").type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 4, 4, 3]


@pytest.mark.parametrize("layout", ["NCHW", None])
def test_quantized_average_pooling(build, layout: str | None) -> None:  # type: ignore[no-untyped-def]
    given = {} if layout is None else {"data_layout": layout}
    pool = node("QuantAvgPool2d", "x", "y", domain=GENERAL, stride=2, kernel=2, ibits=4, obits=4, signed=1, **given)
    model = build([pool], {"x": SHAPE}, ["y"], datatypes={"x": "INT4", "y": "INT4"}).transform(InferShapes())
    after = model.transform(ChangeDataLayoutQuantAvgPool2d())
    check_same(model, after)
    assert ops(after) == ["Transpose", "QuantAvgPool2d", "Transpose"]
    names = [name for n in after.graph.node for name in n.output]
    assert {after.get_tensor_datatype(name).name for name in names} == {"INT4"}
    again = after.transform(ChangeDataLayoutQuantAvgPool2d())
    assert ops(again) == ops(after)
