"""The cut between host and accelerator: both halves together are the network."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import DataflowError, evaluate
from finn.dataflow.lowering import lower
from finn.dataflow.partition import Partition, create_dataflow_partition

W = np.random.default_rng(1).integers(-2, 2, (6, 6)).astype(np.float32)
FLOATS = TensorProto.FLOAT


def network(
    nodes: list[NodeProto], inputs: tuple[str, ...] = ("x",), outputs: tuple[str, ...] = ("y",)
) -> ModelWrapper:
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, FLOATS, [1, 6]) for name in inputs],
        [helper.make_tensor_value_info(name, FLOATS, [1, 6]) for name in outputs],
    )
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10))
    model.set_initializer("w", W)
    model.set_initializer("half", np.float32(0.5))
    for name in ("q", "a", "b", "e", "f", "g"):
        model.set_tensor_shape(name, [1, 6])
        model.set_tensor_datatype(name, DataType["INT8" if name in ("q", "a") else "INT24"])
    return model


def node(op: str, *inputs: str, to: str) -> NodeProto:
    return helper.make_node(op, list(inputs), [to])


def whole() -> ModelWrapper:
    return network([node("Floor", "x", to="q"), node("MatMul", "q", "w", to="a"), node("Mul", "a", "half", to="y")])


def split(model: ModelWrapper) -> Partition:
    lower(model)
    return create_dataflow_partition(model, "the_layers.onnx")


def run(cut: Partition, *x: np.ndarray) -> np.ndarray:
    """The network, its layers by what they mean."""

    def accelerator(k: int, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        stage = cut.stage(k)
        values = evaluate(stage, *inputs)
        return [values[t.name] for t in stage.graph.output]

    return cut.run(x, accelerator)


def same(model: ModelWrapper, cut: Partition, *x: np.ndarray) -> None:
    names = [t.name for t in model.graph.input]
    target = model.graph.output[0].name
    runs = [execute_onnx(model, {n: a[i : i + 1] for n, a in zip(names, x, strict=True)}) for i in range(len(x[0]))]
    np.testing.assert_array_equal(run(cut, *x), np.concatenate([r[target] for r in runs]))


def test_both_halves_are_the_network() -> None:
    model = whole()
    x = np.random.default_rng(2).uniform(-9, 9, (5, 6)).astype(np.float32)
    expected = np.concatenate([execute_onnx(model, {"x": each[None]})["y"] for each in x])
    cut = split(copy.deepcopy(model))
    assert [n.op_type for n in cut.parent.graph.node] == ["Floor", "StreamingDataflowPartition", "Mul"]
    assert [n.op_type for n in cut.dataflow.graph.node] == ["MVAU"]
    assert helper.get_node_attr_value(cut.parent.graph.node[1], "model") == b"the_layers.onnx"
    hardware = cut.to_hardware(x)
    assert hardware.dtype == np.int64
    np.testing.assert_array_equal(hardware, np.floor(x))
    np.testing.assert_array_equal(run(cut, x), expected)


def test_nothing_on_the_host() -> None:
    model = network([node("MatMul", "q", "w", to="y")], inputs=("q",))
    cut = split(model)
    assert cut.before is None
    assert cut.after is None
    x = np.arange(12).reshape(2, 6)
    np.testing.assert_array_equal(run(cut, x), x @ W)


def test_annotations_go_along() -> None:
    cut = split(whole())
    assert cut.dataflow.get_tensor_datatype(cut.dataflow.graph.input[0].name) == DataType["INT8"]
    assert cut.dataflow.get_tensor_shape(cut.dataflow.graph.output[0].name) == [1, 6]


def test_wrong_shape() -> None:
    with pytest.raises(DataflowError) as error:
        split(whole()).to_hardware(np.zeros((3, 7), np.float32))
    assert str(error.value.what) == "input of shape (3, 7)"
    assert error.value.where == "tensor x"
    assert error.value.why == "one sample of the network has shape (6,)"
    assert error.value.remedy == "give an array (N, 6,)"


def test_no_layers() -> None:
    with pytest.raises(DataflowError, match="there are no hardware layers to build"):
        create_dataflow_partition(whole())


def test_host_between_layers() -> None:
    """What the host makes of the first layer's results is the input of a second accelerator."""
    nodes = [
        node("MatMul", "q", "w", to="b"),
        node("Sin", "b", to="c"),
        node("Floor", "c", to="a"),
        node("MatMul", "a", "w", to="d"),
        node("Mul", "d", "half", to="y"),
    ]
    model = network(nodes, inputs=("q",))
    cut = split(copy.deepcopy(model))
    kinds = [n.op_type for n in cut.parent.graph.node]
    assert kinds == ["StreamingDataflowPartition", "Sin", "Floor", "StreamingDataflowPartition", "Mul"]
    assert [len(cut.stage(k).graph.node) for k in range(2)] == [1, 1]
    assert [len(h.graph.node) if h else 0 for h in cut.hosts] == [0, 2, 1]
    same(model, cut, np.random.default_rng(0).integers(-100, 100, (4, 6)).astype(np.float32))


def test_what_two_accelerators_share_goes_through_the_host() -> None:
    nodes = [
        node("MatMul", "q", "w", to="b"),
        node("MatMul", "b", "w", to="e"),
        node("Sin", "b", to="c"),
        node("Floor", "c", to="a"),
        node("Add", "a", "e", to="f"),
        node("MatMul", "q", "w", to="g"),
        node("Add", "f", "g", to="y"),
    ]
    model = network(nodes, inputs=("q",))
    cut = split(copy.deepcopy(model))
    first, second = cut.accelerators
    assert (len(first.input), len(first.output)) == (1, 3)
    assert (len(second.input), len(second.output)) == (3, 1)
    assert {n.op_type for n in cut.parent.graph.node} == {"StreamingDataflowPartition", "Sin", "Floor", "Identity"}
    x = np.random.default_rng(0).integers(-100, 100, (4, 6)).astype(np.float32)
    same(model, cut, x)


def test_one_stream_is_wanted() -> None:
    nodes = [node("MatMul", "q", "w", to="b"), node("MatMul", "r", "w", to="e"), node("Add", "b", "e", to="y")]
    cut = split(network(nodes, inputs=("q", "r")))
    x = np.zeros((2, 6), np.float32)
    with pytest.raises(DataflowError, match="2 inputs of the first accelerator: q, ") as error:
        cut.to_hardware(x, x)
    assert error.value.remedy == "use Partition.run, which passes all"


def test_several_inputs_and_a_branch_past_the_accelerator() -> None:
    nodes = [node("Sin", "x", to="s"), node("Floor", "s", to="q"), node("MatMul", "q", "w", to="m")]
    nodes += [node("Add", "m", "s", to="n"), node("Mul", "n", "z", to="y")]
    model = network(nodes, inputs=("x", "z"))
    cut = split(copy.deepcopy(model))
    x = np.random.default_rng(0).uniform(-9, 9, (2, 4, 6)).astype(np.float32)
    same(model, cut, *x)
    with pytest.raises(DataflowError, match="the network has 2: x, z"):
        run(cut, x[0])
