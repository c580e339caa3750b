"""Outputs, identities, a fourth axis: transformations that change the border of a graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import TensorProto, helper

from finn.core.errors import AttributeValueError, ConfigError, ModelError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.change_3d_tensors_to_4d import Change3DTo4DTensors
from finn.transformation.expose_intermediate import (
    ExposeIntermediateTensorsLambda,
    ExposeIntermediateTensorsPatternList,
)
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.insert import InsertIdentity, InsertIdentityOnAllTopLevelIO
from finn.transformation.insert_topk import InsertTopK
from finn.util.onnx import (
    eltwise_optypes,
    is_eltwise_monotonic_optype,
    is_eltwise_optype,
    monotonic_optypes,
    nchw_to_nhwc,
    valueinfo_to_tensor,
)

from .networks import FREE, networks, random_inputs  # noqa: TID252 - test helpers are no installed package

GENERAL = "finn.custom_op.general"


def ops(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.graph.node]


def node(op: str, inputs: str, output: str, **attributes: object):  # type: ignore[no-untyped-def]
    return helper.make_node(op, inputs.split(), [output], f"{op}_{output}", **attributes)


def names(values) -> list[str]:  # type: ignore[no-untyped-def]
    return [value.name for value in values]


@pytest.fixture
def chain(build):  # type: ignore[no-untyped-def]
    """x -> Relu -> a, a + w -> b, b -> Relu -> y"""
    nodes = [node("Relu", "x", "a"), node("Add", "a w", "b"), node("Relu", "b", "y")]
    model = build(nodes, {"x": [2, 3, 4, 4]}, ["y"], {"w": np.arange(3, dtype=np.float32).reshape(3, 1, 1)})
    return model.transform(InferShapes())


# ----------------------------------------------------------------------------------------------------------------- TopK


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 18])
@pytest.mark.parametrize(("k", "axis"), [(1, -1), (3, 1), (2, 0), (6, -1)])
def test_topk(build, opset: int, k: int, axis: int) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Relu", "x", "y")], {"x": [2, 6]}, ["y"], opset=opset).transform(InferShapes())
    after = model.transform(InsertTopK(k, axis))
    (output,) = after.graph.output
    assert output.type.tensor_type.elem_type == TensorProto.INT64
    assert after.get_tensor_datatype(output.name) == "UINT32"
    x = np.random.default_rng(k).permutation(12).reshape(2, 6).astype(np.float32)
    expected = np.argsort(-x, axis=axis, kind="stable").take(range(k), axis)
    (result,) = execute_onnx(after, {"x": x}).values()
    np.testing.assert_array_equal(result, expected)
    assert list(result.shape) == after.get_tensor_shape(output.name)
    again = after.transform(InsertTopK(k, axis))
    assert again.model.SerializeToString() == after.model.SerializeToString()


def test_topk_of_the_smallest(build) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Neg", "x", "y")], {"x": ["batch", 6]}, ["y"]).transform(InferShapes())
    after = model.transform(InsertTopK(k=2, largest=0, sorted=1))
    dims = after.graph.output[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 2]
    x = np.array([[1, 5, 3, 4, 0, 2]] * 3, np.float32)
    (result,) = execute_onnx(after, {"x": x}).values()
    np.testing.assert_array_equal(result, [[1, 3]] * 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 7}, ConfigError, "InsertTopK: k is 7, but axis -1 of 'y' has 6 elements"),
        ({"k": 0}, ConfigError, "k is 0, but axis -1 of 'y' has 6 elements"),
        ({"axis": 2}, ConfigError, "axis is 2, but 'y' has 2 axes"),
        ({"largest": 0}, UnsupportedError, "TopK of opset 9 takes the largest elements in their order only"),
    ],
)
def test_topk_refusals(build, options, error, message: str) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Relu", "x", "y")], {"x": [2, 6]}, ["y"], opset=9).transform(InferShapes())
    before = model.model.SerializeToString()
    with pytest.raises(error, match=message):
        model.transform(InsertTopK(**options), make_deepcopy=False)
    assert model.model.SerializeToString() == before


# ------------------------------------------------------------------------------------------------------------- Identity


@pytest.mark.parametrize(
    ("tensor", "side", "inputs", "outputs", "reads"),
    [
        ("x", "producer", ["x_identity"], ["y"], ["x_identity", "x"]),
        ("x", "consumer", ["x"], ["y"], ["x", "x_identity"]),
        ("a", "producer", ["x"], ["y"], ["a_identity", "a"]),
        ("a", "consumer", ["x"], ["y"], ["a", "a_identity"]),
        ("y", "producer", ["x"], ["y"], ["y_identity", "y"]),
        ("y", "consumer", ["x"], ["y_identity"], ["y", "y_identity"]),
        ("w", "consumer", ["x"], ["y"], ["w", "w_identity"]),
    ],
)
def test_identity(chain, tensor: str, side: str, inputs: list[str], outputs: list[str], reads: list[str]) -> None:  # type: ignore[no-untyped-def]
    chain.set_tensor_layout(tensor, ["N", "C", "H", "W"])
    after = chain.transform(InsertIdentity(tensor, side))
    assert names(after.graph.input) == inputs
    assert names(after.graph.output) == outputs
    (identity,) = after.get_nodes_by_op_type("Identity")
    assert [*identity.input, *identity.output] == reads
    x = random_inputs(chain)
    (expected,) = execute_onnx(chain, x).values()
    (result,) = execute_onnx(after, {inputs[0]: x["x"]}).values()
    np.testing.assert_array_equal(result, expected)
    for name in reads:
        assert after.get_tensor_shape(name) == chain.get_tensor_shape(tensor)
        assert after.get_tensor_layout(name) == ["N", "C", "H", "W"]


def test_identity_on_everything(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [node("Add", "x z", "y"), node("Neg", "y", "v")]
    model = build(nodes, {"x": [2, 3], "z": [2, 3], "unread": [1]}, ["y", "v"]).transform(InferShapes())
    after = model.transform(InsertIdentityOnAllTopLevelIO())
    assert ops(after).count("Identity") == 4
    assert (names(after.graph.input), names(after.graph.output)) == (["x", "z", "unread"], ["y", "v"])
    inputs = random_inputs(model)
    for name, value in execute_onnx(model, inputs).items():
        np.testing.assert_array_equal(execute_onnx(after, inputs)[name], value)


@pytest.mark.parametrize(
    ("tensor", "side", "message"),
    [
        ("bb", "producer", "there is no tensor 'bb'. Remedy: did you mean 'b'?"),
        ("w", "producer", "the constant 'w' has no producer. Remedy: use 'consumer'"),
        ("a", "both", "producer_or_consumer is 'both'. Remedy: use 'producer' or 'consumer'"),
    ],
)
def test_identity_refusals(chain, tensor: str, side: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AttributeValueError) as error:
        chain.transform(InsertIdentity(tensor, side))
    assert str(error.value).startswith(message)


# ------------------------------------------------------------------------------------------------------- inner tensors


@pytest.mark.parametrize(
    ("transformation", "outputs"),
    [
        (ExposeIntermediateTensorsLambda(), ["y", "a", "b", "w"]),
        (ExposeIntermediateTensorsLambda(lambda name, model: name == "b"), ["y", "b"]),
        (ExposeIntermediateTensorsPatternList(["a", "w", "x"]), ["y", "a"]),
        (ExposeIntermediateTensorsPatternList(["a", "w"], dynamic_only=False), ["y", "a", "w"]),
        (ExposeIntermediateTensorsPatternList([]), ["y"]),
    ],
)
def test_exposed_tensors(chain, transformation, outputs: list[str]) -> None:  # type: ignore[no-untyped-def]
    after = chain.transform(transformation)
    assert after.graph.output[0].name == "y"
    assert sorted(names(after.graph.output)) == sorted(outputs)
    assert all(len([v for v in after.graph.value_info if v.name == name]) == 0 for name in outputs)
    x = random_inputs(chain)
    full = execute_onnx(chain, x, return_full_exec_context=True)
    result = execute_onnx(after, x)
    assert set(result) == set(outputs)
    for name in outputs:
        np.testing.assert_array_equal(result[name], full[name])


def test_exposed_without_shape(build) -> None:  # type: ignore[no-untyped-def]
    model = build([node("Relu", "x", "a"), node("Relu", "a", "y")], {"x": [2]}, ["y"])
    with pytest.raises(ModelError, match=r"tensor 'a': its shape is not known\. Remedy: apply InferShapes first"):
        model.transform(ExposeIntermediateTensorsLambda())


# ------------------------------------------------------------------------------------------------------------ utilities


def test_operator_kinds() -> None:
    assert monotonic_optypes < eltwise_optypes
    assert is_eltwise_monotonic_optype("Relu")
    assert not is_eltwise_monotonic_optype("Abs")
    assert is_eltwise_optype("Max")
    assert is_eltwise_optype("Quant")
    assert not is_eltwise_optype("MatMul")


@pytest.mark.parametrize("name", sorted(monotonic_optypes))
def test_monotonic_operators_never_fall(build, name: str) -> None:  # type: ignore[no-untyped-def]
    x = np.linspace(0.01 if name in ("Log", "Sqrt") else -8, 8, 4001, dtype=np.float32)
    model = build([node(name, "x", "y")], {"x": [4001]}, ["y"])
    y = (
        execute_onnx(model, {"x": x}, precision="float64")["y"]
        if name != "Celu"
        else execute_onnx(model, {"x": x})["y"]
    )
    assert np.all(np.diff(y) >= 0)


def test_zeros_of_a_value_info() -> None:
    zeros = valueinfo_to_tensor(helper.make_tensor_value_info("x", TensorProto.INT8, [2, 3]))
    assert (zeros.shape, zeros.dtype, zeros.any()) == ((2, 3), np.int8, False)


def test_nchw_to_nhwc(chain) -> None:  # type: ignore[no-untyped-def]
    new = nchw_to_nhwc("a", chain, 1)
    transpose = chain.graph.node[1]
    assert (list(transpose.input), list(transpose.output)) == (["a"], [new])
    assert chain.get_tensor_shape(new) == [2, 4, 4, 3]
    assert chain.get_tensor_layout(new) == ["N", "H", "W", "C"]
    back = nchw_to_nhwc("b", chain, 0, reverse=True)
    transpose = chain.graph.node[0]
    assert (list(transpose.input), list(transpose.output)) == ([back], ["b"])
    assert list(transpose.attribute[0].ints) == [0, 3, 1, 2]
    assert chain.get_tensor_layout(back) == ["N", "H", "W", "C"]
    with pytest.raises(ModelError, match=r"tensor 'w': it has shape \[3, 1, 1\], wanted 4 axes"):
        nchw_to_nhwc("w", chain, 0)


# --------------------------------------------------------------------------------------------------- three axes to four


def check_longer(model: ModelWrapper, after: ModelWrapper) -> None:
    inputs = random_inputs(model)
    expected = execute_onnx(model, inputs)
    longer = {name: x[..., np.newaxis] if x.ndim == 3 else x for name, x in inputs.items()}
    full = execute_onnx(after, longer, return_full_exec_context=True)
    for name, value in expected.items():
        np.testing.assert_array_equal(full[name], value[..., np.newaxis] if value.ndim == 3 else value)
    for node in after.graph.node:
        for name in node.output:
            assert after.get_tensor_shape(name) == list(full[name].shape), name
            assert full[name].ndim != 3


LONGER = {
    "Conv": ([node("Conv", "x w b", "y", strides=[2], pads=[1, 0])], {"w": (3, 4, 3), "b": (3,)}),
    "depthwise": ([node("Conv", "x w", "y", group=4, dilations=[2], kernel_shape=[2])], {"w": (4, 1, 2)}),
    "SAME": ([node("Conv", "x w", "y", auto_pad="SAME_UPPER")], {"w": (3, 4, 3)}),
    "ConvTranspose": ([node("ConvTranspose", "x w", "y", strides=[2], output_padding=[1])], {"w": (4, 2, 3)}),
    "MaxPool": ([node("MaxPool", "x", "y", kernel_shape=[2], strides=[2], pads=[1, 0], ceil_mode=1)], {}),
    "AveragePool": ([node("AveragePool", "x", "y", kernel_shape=[2])], {}),
    "GlobalMaxPool": ([node("GlobalMaxPool", "x", "y")], {}),
    "Transpose": ([node("Transpose", "x", "y", perm=[0, 2, 1])], {}),
    "reversed": ([node("Transpose", "x", "a"), node("Relu", "a", "y")], {}),
    "constants": ([node("Add", "x w", "a"), node("Mul", "a v", "b"), node("Sub", "b u", "y")],
                  {"w": (4, 1), "v": (5,), "u": (1, 4, 5)}),
    "ArgMax": ([node("ArgMax", "x", "a", axis=-1, keepdims=1), node("Cast", "a", "y", to=1)], {}),
    "ReduceMax": ([node("ReduceMax", "x", "y", axes=[-2])], {}),
    "Softmax": ([node("Softmax", "x", "y", axis=-1)], {}),
    "Concat": ([node("Concat", "x x", "y", axis=-1)], {}),
    "Flatten": ([node("Flatten", "x", "a", axis=-2), node("Relu", "a", "y")], {}),
    "head": ([node("Flatten", "x", "a"), node("MatMul", "a w", "y")], {"w": (20, 3)}),
}  # fmt: skip


@pytest.mark.parametrize("name", LONGER)
def test_a_fourth_axis(build, name: str) -> None:  # type: ignore[no-untyped-def]
    nodes, shapes = LONGER[name]
    rng = np.random.default_rng(0)
    constants = {key: rng.integers(-3, 4, shape).astype(np.float32) for key, shape in shapes.items()}
    model = build(nodes, {"x": [2, 4, 5]}, ["y"], constants).transform(InferShapes())
    model.set_tensor_layout("x", ["N", "C", "W"])
    after = model.transform(Change3DTo4DTensors())
    check_longer(model, after)
    assert after.get_tensor_layout("x") == ["N", "C", "H", "W"]
    assert after.transform(Change3DTo4DTensors()).model.SerializeToString() == after.model.SerializeToString()


def test_a_fourth_axis_of_a_reshape(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [node("Reshape", "x s", "a"), node("Conv", "a w", "b"), node("Reshape", "b t", "y")]
    constants = {"s": np.array([0, 2, -1]), "w": np.ones((3, 2, 2), np.float32), "t": np.array([0, -1])}
    model = build(nodes, {"x": [2, 12]}, ["y"], constants).transform(InferShapes())
    check_longer(model, model.transform(Change3DTo4DTensors()))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Relu", "x", "a"), node("MatMul", "a w", "y")], "node MatMul 'MatMul_y': MatMul is bound to its axes"),
        (
            [node("ReduceMax", "x", "y", axes=[1], keepdims=0)],
            "node ReduceMax 'ReduceMax_y': ReduceMax changes the rank",
        ),
        ([node("Add", "x z", "y")], "node Add 'Add_y': it computes on tensors of different ranks"),
    ],
)
def test_a_fourth_axis_is_refused(build, nodes, reason: str) -> None:  # type: ignore[no-untyped-def]
    used = {name for n in nodes for name in n.input}
    inputs = {name: shape for name, shape in {"x": [2, 4, 5], "z": [4, 5]}.items() if name in used}
    constants = {"w": np.ones((5, 3), np.float32)} if "w" in used else {}
    model = build(nodes, inputs, ["y"], constants).transform(InferShapes())
    before = model.model.SerializeToString()
    with pytest.warns(UserWarning, match=f"3-D tensors stay as they are: {reason}"):
        after = model.transform(Change3DTo4DTensors(), cleanup=False)
    assert after.model.SerializeToString() == before


@given(model=networks(operators=FREE, space=[1]))
@settings(max_examples=60, deadline=None)
def test_a_fourth_axis_in_generated_networks(model: ModelWrapper) -> None:
    check_longer(model, model.transform(Change3DTo4DTensors()))
