"""Another batch size, and float32 in place of float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.change_batchsize import ChangeBatchSize
from finn.transformation.double_to_single_float import DoubleToSingleFloat
from finn.transformation.infer_shapes import InferShapes

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    QUICK,
    check_annotations,
    make,
    whole,
)

# --------------------------------------------------------------------------------------------------------- batch size


def network(old: int | str, target: list[int], constant_node: bool = False) -> ModelWrapper:
    """Conv, a Reshape to `target`, MatMul; a Reshape of the weights that has nothing to do with the batch."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Reshape", ["c", "target"], ["r"]),
        helper.make_node("Reshape", ["w", "matrix"], ["v"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    constants = {"k": whole(0, [2, 3, 2, 2]), "w": whole(1, [1, 8, 3]), "matrix": np.array([8, 3])}
    if constant_node:
        value = numpy_helper.from_array(np.asarray(target, np.int64))
        nodes.insert(0, helper.make_node("Constant", [], ["target"], value=value))
    else:
        constants["target"] = np.asarray(target, np.int64)
    return make(nodes, {"x": [old, 3, 3, 3]}, constants)


@given(
    old=st.integers(1, 3),
    new=st.integers(1, 4),
    form=st.sampled_from([(0, 8), (-1, 8), ("n", 8), ("n", -1), (0, -1), ("n", 2, 4), ("2n", 4)]),
    constant_node=st.booleans(),
)
@QUICK
def test_batch_follows(old: int, new: int, form: Any, constant_node: bool) -> None:
    target = [{"n": old, "2n": 2 * old}.get(d, d) for d in form]
    nodes, constants = [helper.make_node("Reshape", ["x", "t"], ["r"]), helper.make_node("Relu", ["r"], ["y"])], {}
    value = np.asarray(target, np.int64)
    if constant_node:
        nodes.insert(0, helper.make_node("Constant", [], ["t"], value=numpy_helper.from_array(value)))
    else:
        constants["t"] = value
    model = make(nodes, {"x": [old, 2, 4]}, constants)
    result = model.transform(ChangeBatchSize(new))
    x = whole(0, [new, 2, 4])
    context = execute_onnx(result, {"x": x}, return_full_exec_context=True)
    rows = [{"n": new, "2n": 2 * new, 0: new}.get(d, d) for d in form]
    np.testing.assert_array_equal(context["y"], np.maximum(x.reshape(rows), 0))
    assert result.get_tensor_shape("y") == list(context["y"].shape)
    check_annotations(result, context)
    assert execute_onnx(model, {"x": x[:old] if old <= new else np.resize(x, (old, 2, 4))})["y"].shape[0] != 0


@pytest.mark.parametrize("constant_node", [False, True])
@pytest.mark.parametrize(("old", "target"), [(1, [1, 8]), (2, [2, -1]), ("N", [-1, 8]), (3, [0, 8])])
def test_a_network(old: int | str, target: list[int], constant_node: bool) -> None:
    result = network(old, target, constant_node).transform(ChangeBatchSize(5))
    context = execute_onnx(result, {"x": whole(3, [5, 3, 3, 3])}, return_full_exec_context=True)
    assert result.get_tensor_shape("y") == [5, 3]
    assert result.get_tensor_shape("v") == [8, 3]
    check_annotations(result, context)


def test_shapes_that_others_use_stay() -> None:
    """One constant is the shape of the batch and of a weight."""
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["a"]),
        helper.make_node("Reshape", ["w", "s"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    model = make(nodes, {"x": [1, 2, 2]}, {"s": np.array([1, 4]), "w": whole(0, [4])})
    result = model.transform(ChangeBatchSize(3))
    x = whole(1, [3, 2, 2])
    np.testing.assert_array_equal(execute_onnx(result, {"x": x})["y"], x.reshape(3, 4) + whole(0, [4]))


def test_inputs_of_the_same_batch_change_together() -> None:
    nodes = [helper.make_node("Add", ["x", "z"], ["y"]), helper.make_node("MatMul", ["y", "m"], ["u"])]
    model = make(nodes, {"x": [2, 4], "z": [2, 4], "m": [4, 3]}, outputs=["y", "u"])
    result = model.transform(ChangeBatchSize(7))
    shapes = {name: result.get_tensor_shape(name) for name in ("x", "z", "m", "y", "u")}
    assert shapes == {"x": [7, 4], "z": [7, 4], "m": [4, 3], "y": [7, 4], "u": [7, 3]}


def test_expand_and_resize_follow() -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "", "sizes"], ["r"]),
        helper.make_node("Expand", ["r", "shape"], ["y"]),
    ]
    constants = {"sizes": np.array([1, 2, 4, 4]), "shape": np.array([1, 2, 4, 4])}
    result = make(nodes, {"x": [1, 2, 2, 2]}, constants).transform(ChangeBatchSize(3))
    assert execute_onnx(result, {"x": whole(0, [3, 2, 2, 2])})["y"].shape == (3, 2, 4, 4)
    assert result.get_tensor_shape("y") == [3, 2, 4, 4]


def test_batch_sizes_that_do_not_work() -> None:
    with pytest.raises(ConfigError, match="bsize is 0"):
        ChangeBatchSize(0)
    scalar = make([helper.make_node("Relu", ["x"], ["y"])], {"x": []})
    with pytest.raises(ModelError, match="input 'x': the first input has no batch axis"):
        scalar.transform(ChangeBatchSize(2))
    fixed = make([helper.make_node("Add", ["x", "b"], ["y"])], {"x": [2, 3]}, {"b": whole(0, [2, 3])})
    before = fixed.model.SerializeToString(deterministic=True)
    with pytest.raises(ModelError, match="the model does not run at batch size 5"):
        fixed.transform(ChangeBatchSize(5), make_deepcopy=False)
    assert fixed.model.SerializeToString(deterministic=True) == before


# ---------------------------------------------------------------------------------------------------------- precision


def doubles() -> ModelWrapper:
    """Doubles in every place: inputs, constants, Constant nodes, casts, generators, bodies."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["d", "inner"], ["branch_out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("branch_out", TensorProto.DOUBLE, [2])],
        [numpy_helper.from_array(np.array([0.5, 0.25]), "inner")],
    )
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([3.0, 4.0]))),
        helper.make_node("Cast", ["i"], ["c"], to=TensorProto.DOUBLE),
        helper.make_node("ConstantOfShape", ["s"], ["o"], value=numpy_helper.from_array(np.array([2.0]))),
        helper.make_node("Sum", ["x", "w", "k", "c", "o"], ["d"]),
        helper.make_node("If", ["cond"], ["y"], then_branch=branch, else_branch=branch),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "doubles",
        [value("x", TensorProto.DOUBLE, [2]), value("i", TensorProto.INT32, [2])],
        [value("y", TensorProto.DOUBLE, [2])],
        [
            numpy_helper.from_array(np.array([1.0, 2.0]), "w"),
            numpy_helper.from_array(np.array([2]), "s"),
            numpy_helper.from_array(np.array(True), "cond"),
        ],
        value_info=[value("d", TensorProto.DOUBLE, [2])],
    )
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    return model.transform(InferShapes())


def test_no_double_is_left() -> None:
    model = doubles()
    feeds = {"x": np.array([1.0, -1.0]), "i": np.array([5, 6], np.int32)}
    expected = execute_onnx(model, feeds)["y"]
    result = model.transform(DoubleToSingleFloat())
    onnx.checker.check_model(result.model, full_check=True)
    y = execute_onnx(result, {"x": feeds["x"].astype(np.float32), "i": feeds["i"]})["y"]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)
    text = str(result.model)
    assert "double_data" not in text
    assert "elem_type: 11" not in text
    assert "data_type: 11" not in text
    assert result.get_tensor_elem_type("s") == TensorProto.INT64


def test_double_constants_of_a_float_model() -> None:
    """The published use: everything is float32 but some constants, whose annotations stay."""
    model = make([helper.make_node("Mul", ["x", "w"], ["y"])], {"x": [2]}, {"w": np.zeros(2, np.float32)})
    model.set_initializer("w", np.array([0.1, 3.0]))
    result = model.transform(DoubleToSingleFloat())
    assert result.get_tensor_elem_type("w") == TensorProto.FLOAT
    np.testing.assert_array_equal(np.asarray(result.get_initializer("w")), np.array([0.1, 3.0], np.float32))


@pytest.mark.parametrize(
    ("value", "datatype", "message"),
    [
        (1e300, "FLOAT32", "constant 'w': 1e[+]300 is too large for float32"),
        (2.0**24 + 1, "INT32", "constant 'w': 16777217 would be rounded .it is INT32"),
    ],
)
def test_what_float32_cannot_hold(value: float, datatype: str, message: str) -> None:
    model = doubles()
    model.set_initializer("w", np.array([1.0, value]))
    model.set_tensor_datatype("w", DataType[datatype])
    before = model.model.SerializeToString(deterministic=True)
    with pytest.raises(ModelError, match=message):
        model.transform(DoubleToSingleFloat(), make_deepcopy=False)
    assert model.model.SerializeToString(deterministic=True) == before


def test_infinities_stay() -> None:
    model = doubles()
    model.set_initializer("w", np.array([np.inf, -np.inf]))
    result = model.transform(DoubleToSingleFloat())
    np.testing.assert_array_equal(np.asarray(result.get_initializer("w")), [np.inf, -np.inf])
