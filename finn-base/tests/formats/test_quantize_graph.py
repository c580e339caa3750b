"""Quantizers at chosen places: the graph computes Quant there and nowhere else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from onnx import helper

from finn.core.datatype import DataType
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.general.quant import int_quant
from finn.transformation.quantize_graph import QuantizeGraph, adjust_graph, create_quantnode
from finn.util.cleanup import cleanup_model

from .helpers import assert_linear, f32, make  # noqa: TID252 - helpers are no package

W = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(2, 3), scale=4).astype(np.float32)
P = (0.5, 0, 4, 0, 1, "ROUND")
R = (0.25, 1, 3, 1, 0, "FLOOR")


def branches(batch: int | str = 2) -> ModelWrapper:
    """relu(x @ w) + (x @ w): a tensor with two readers, and a second input."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["b", "a"], ["y"]),
        helper.make_node("Shape", ["x"], ["s"]),
    ]
    return cleanup_model(make(nodes, {"x": [batch, 3]}, {"w": W}))


def q(value: np.ndarray, parameters: tuple[Any, ...]) -> np.ndarray:
    scale, zeropt, bits, narrow, signed, mode = parameters
    return int_quant(value, scale, zeropt, bits, bool(signed), bool(narrow), mode)


def run(quantnode_map: Any) -> np.ndarray:
    model = branches()
    before = model.model.SerializeToString()
    after = model.transform(QuantizeGraph(quantnode_map))
    assert model.model.SerializeToString() == before
    assert [v.name for v in after.graph.output] == ["global_out"]
    assert after.check_all_tensor_shapes_specified()
    assert after.get_opset_imports()["finn.custom_op.general"] == 1
    return execute_onnx(after, {"global_in": X})["global_out"]


def wanted(x: Any = None, w: Any = None, a: Any = None, relu_in: Any = None, add_1: Any = None, y: Any = None) -> Any:
    """The network in NumPy with the parameters of a quantizer, or None, at each place."""

    def at(value: np.ndarray, parameters: Any) -> np.ndarray:
        return value if parameters is None else q(value, parameters)

    product = at(at(X, x) @ at(W, w), a)
    return at(np.maximum(at(product, relu_in), 0) + at(product, add_1), y)


CASES: dict[str, tuple[Any, Any]] = {
    "input": ({"name": {"MatMul_0": [(("input", 0), P)]}}, {"x": P}),
    "weights": ({"name": {"MatMul_0": [(("input", 1), R)]}}, {"w": R}),
    "output for all its readers": ({"name": {"MatMul_0": [(("output", 0), P)]}}, {"a": P}),
    "input of one of two readers": ({"name": {"Add_0": [(("input", 1), P)]}}, {"add_1": P}),
    "graph output": ({"name": {"Add_0": [(("output", 0), P)]}}, {"y": P}),
    "by op type": ({"op_type": {"Relu": [(("input", 0), R)]}}, {"relu_in": R}),
    "name before op type": (
        {"name": {"MatMul_0": [(("input", 0), P)]}, "op_type": {"MatMul": [(("input", 0), R), (("input", 1), R)]}},
        {"x": P, "w": R},
    ),
    "several": (
        {"name": {"MatMul_0": [(("input", 0), P), (("output", 0), R)], "Add_0": [(("output", 0), P)]}},
        {"x": P, "a": R, "y": P},
    ),
    "listed twice": ({"name": {"Add_0": [(("input", 1), P), (("input", 1), R)]}}, {"add_1": P}),
    "parameters per channel": (
        {"name": {"MatMul_0": [(("output", 0), ([0.5, 0.25, 1, 2], 0, 4, 0, 1, "ROUND"))]}},
        {"a": (f32([0.5, 0.25, 1, 2]), 0, 4, 0, 1, "ROUND")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_places(name: str) -> None:
    quantnode_map, places = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(run(quantnode_map), wanted(**places))


def test_names_are_those_of_a_clean_model() -> None:
    after = branches().transform(QuantizeGraph({"name": {"MatMul_0": [(("input", 0), P), (("input", 1), P)]}}))
    assert [node.name for node in after.graph.node] == ["Quant_0", "Quant_1", "MatMul_0", "Relu_0", "Add_0"]
    again = branches().transform(QuantizeGraph({"name": {"MatMul_0": [(("input", 0), P), (("input", 1), P)]}}))
    assert again.model.SerializeToString() == after.model.SerializeToString()


def test_annotations_belong_to_what_was_there() -> None:
    model = branches()
    model.set_tensor_datatype("MatMul_0_out0", DataType["INT32"])
    adjust_graph(model, [(("output", 0), P)], "MatMul_0", [])
    assert model.get_tensor_datatype(model.graph.node[0].output[0]) == "INT32"
    assert model.get_tensor_datatype("MatMul_0_out0") == "FLOAT32"


def test_symbolic_batch() -> None:
    after = branches("n").transform(QuantizeGraph({"op_type": {"Relu": [(("output", 0), P)]}}))
    x = np.concatenate([X, X, X])
    product = x @ W
    np.testing.assert_array_equal(
        execute_onnx(after, {"global_in": x})["global_out"], q(np.maximum(product, 0), P) + product
    )


def test_helpers() -> None:
    model = branches()
    node, info = create_quantnode(model, "global_in", [2, 3], *P)
    assert (node.op_type, node.input[0], node.output[0]) == ("Quant", "global_in", info.name)
    assert [d.dim_value for d in info.type.tensor_type.shape.dim] == [2, 3]
    assert [model.get_initializer(name).item() for name in node.input[1:]] == [0.5, 0, 4]
    done = [("MatMul_0", ("input", 0))]
    assert adjust_graph(model, [(("input", 0), P), (("output", 0), R)], "MatMul_0", done) is model
    assert done == [("MatMul_0", ("input", 0)), ("MatMul_0", ("output", 0))]
    np.testing.assert_array_equal(execute_onnx(model, {"global_in": X})["global_out"], wanted(a=R))


WRONG: dict[str, Any] = {
    "quantnode_map: 'names' selects no nodes. Remedy: did you mean 'name'?": {"names": {}},
    "quantnode_map['name']['Conv_0']: the model has no node of this name": {"name": {"Conv_0": [(("input", 0), P)]}},
    "quantnode_map['op_type']['Matmul']: the model has no node of this op_type. Remedy: did you mean 'MatMul'?": {
        "op_type": {"Matmul": [(("input", 0), P)]}
    },
    "quantnode_map['name']['Relu_0']: node 'Relu_0' has no input 3": {"name": {"Relu_0": [(("input", 3), P)]}},
    "quantnode_map['name']['Relu_0']: 5 is no entry": {"name": {"Relu_0": [5]}},
    "quantnode_map['name']['Relu_0']: (('input', 0), (1, 2)) is no entry": {
        "name": {"Relu_0": [(("input", 0), (1, 2))]}
    },
}
ILLEGAL = {
    "scale": (0, 0, 8, 0, 1, "ROUND"),
    "zero point": (1, np.inf, 8, 0, 1, "ROUND"),
    "bit width": (1, 0, 0.5, 0, 1, "ROUND"),
    "narrow": (1, 0, 8, 2, 1, "ROUND"),
    "signed": (1, 0, 8, 0, "yes", "ROUND"),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_entries(message: str) -> None:
    model = branches()
    before = model.model.SerializeToString()
    with pytest.raises(ConfigError) as error:
        model.transform(QuantizeGraph({**WRONG[message]}), make_deepcopy=False)
    assert str(error.value).startswith(message)
    assert model.model.SerializeToString() == before


@pytest.mark.parametrize("what", ILLEGAL)
def test_illegal_parameters(what: str) -> None:
    with pytest.raises(ConfigError, match=f"has an illegal {what}"):
        QuantizeGraph({"name": {"Relu_0": [(("input", 0), ILLEGAL[what])]}})


@pytest.mark.parametrize("position", [("inputs", 0), ("input", -1), ("input", "0")])
def test_illegal_positions(position: Any) -> None:
    with pytest.raises(ConfigError, match=r"has an illegal (kind|index)"):
        QuantizeGraph({"name": {"Relu_0": [(position, P)]}})


def test_unknown_rounding_mode_and_node() -> None:
    with pytest.raises(ConfigError, match="'NEAREST' is no rounding mode"):
        QuantizeGraph({"name": {"Relu_0": [(("input", 0), (1, 0, 8, 0, 1, "NEAREST"))]}})
    with pytest.raises(ConfigError, match=r"the model has no node 'Relu_1'.*did you mean 'Relu_0'"):
        adjust_graph(branches(), [(("input", 0), P)], "Relu_1", [])


def test_integers_cannot_be_quantized() -> None:
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    model = cleanup_model(make(nodes, {"x": [2, 3]}, {"s": np.array([-1])}))
    with pytest.raises(ConfigError, match="input 1 of node 'Reshape_0' is INT64, no float"):
        model.transform(QuantizeGraph({"name": {"Reshape_0": [(("input", 1), P)]}}))


def test_nodes_without_names() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    model = make(nodes, {"x": [2, 3]}, {})
    after = model.transform(QuantizeGraph({"op_type": {"Relu": [(("input", 0), P)]}}))
    assert [node.op_type for node in after.graph.node] == ["Quant", "Relu"] * 2
    with pytest.raises(ConfigError, match=r"2 nodes are called ''.*cleanup_model"):
        model.transform(QuantizeGraph({"name": {"": [(("input", 0), P)]}}))


def test_time_is_linear() -> None:
    everywhere = {"op_type": {"Relu": [(("output", 0), P), (("input", 0), P)]}}
    assert_linear(lambda model: model.transform(QuantizeGraph(everywhere)))
