"""Partitions: execution as before, the inverse gives the graph back, refusals leave graph and disk alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import ConfigError, ModelError, UnsupportedError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.core.tidy import node_levels
from finn.custom_op.registry import getCustomOp
from finn.transformation.create_generic_partitions import PartitionFromDict, PartitionFromLambda
from finn.transformation.extend_partition import ExtendPartition
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes

from .networks import annotations, feeds, graphs, shapes, value  # noqa: TID252 - test helpers are no installed package


def assignment(model: ModelWrapper, choices: Sequence[int]) -> dict[str, int]:
    """Partitions without loops: numbers grow along the levels. A node that stays closes the partition before it."""
    levels = node_levels(model.graph)
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    numbers, current = {}, 0
    for index, choice in zip(order, choices, strict=False):
        current += choice != 1
        numbers[model.graph.node[index].name] = -1 if choice == 2 else current
        current += choice == 2
    return numbers


def extend_all(model: ModelWrapper) -> ModelWrapper:
    indices = [i for i, node in enumerate(model.graph.node) if node.op_type == "GenericPartition"]
    return model.transform(ExtendPartition(indices), cleanup=False)


def same_results(a: ModelWrapper, b: ModelWrapper, **options: object) -> None:
    x = feeds(a)
    expected, found = (execute_onnx(m, x, **options) for m in (a, b))  # type: ignore[arg-type]
    assert list(expected) == list(found)
    for name, array in expected.items():
        assert array.dtype == found[name].dtype
        np.testing.assert_array_equal(array, found[name])


@settings(max_examples=60, deadline=None)
@given(graphs(), st.lists(st.integers(0, 2), min_size=9, max_size=9), st.booleans())
def test_partition_and_back(model: ModelWrapper, choices: list[int], cleanup: bool) -> None:
    numbers = assignment(model, choices)
    before = model.model.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        parted = model.transform(PartitionFromLambda(lambda node: numbers[node.name], folder), cleanup=cleanup)
        assert model.model.SerializeToString() == before
        used = sorted(set(numbers.values()) - {-1})
        assert sorted(os.listdir(folder)) == sorted(f"partition_{i}.onnx" for i in used)
        assert {n.name for n in parted.graph.node if n.op_type == "GenericPartition"} <= {
            f"GenericPartition_{i}" for i in used
        }
        same_results(model, parted)
        if all(node.op_type != "If" for node in model.graph.node):
            same_results(model, parted, precision="float64")
        for i in used:
            onnx.checker.check_model(ModelWrapper(f"{folder}/partition_{i}.onnx").model)
        back = extend_all(parted)
        inferred = parted.transform(InferShapes()).transform(InferDataTypes())
    same_results(model, back)
    assert node_levels(back.graph) == sorted(node_levels(back.graph))
    assert back.get_opset_imports() == model.get_opset_imports()
    if not cleanup:  # else copies are made of shared constants
        nodes, old_nodes = ([n.SerializeToString(deterministic=True) for n in m.graph.node] for m in (back, model))
        assert sorted(nodes) == sorted(old_nodes)
        used_names = {name for node in model.graph.node for name in (*reads(node), *node.output) if name}
        for describe in (annotations, shapes):
            old, new = describe(model), describe(back)
            assert {n: new[n] for n in new if n in used_names} == {n: old[n] for n in old if n in used_names}
    for output in model.graph.output:
        assert inferred.get_tensor_shape(output.name) == [2, 3]


# ------------------------------------------------------------------------------------------------------------ examples


def chain(*op_types: str) -> ModelWrapper:
    """x -> op 0 -> t0 -> op 1 -> t1 ... -> y, nodes N0, N1, ..."""
    last = len(op_types) - 1
    nodes = [
        helper.make_node(op, ["x" if i == 0 else f"t{i - 1}"], ["y" if i == last else f"t{i}"], f"N{i}")
        for i, op in enumerate(op_types)
    ]
    return _wrap(helper.make_graph(nodes, "g", [value("x")], [value("y")]))


def _wrap(graph: onnx.GraphProto, opset: int = 13) -> ModelWrapper:
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return ModelWrapper(proto).transform(InferShapes(), cleanup=False)


def by_name(**numbers: int) -> PartitionFromLambda:
    return PartitionFromLambda(lambda node: numbers.get(node.name, -1))


def test_loops_are_refused_with_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINN_BUILD_DIR", str(tmp_path / "build"))
    model = chain("Relu", "Neg", "Abs", "Neg")
    before = model.model.SerializeToString()
    with pytest.raises(ModelError) as caught:
        model.transform(by_name(N0=0, N2=0), make_deepcopy=False)
    assert str(caught.value) == (
        "partition 0 would feed itself (Relu 'N0' (partition 0) -> Neg 'N1' (no partition) -> Abs 'N2' (partition 0))."
        " Remedy: put the nodes on the way into the partition, or cut it in two"
    )
    with pytest.raises(ModelError, match=r"partition 0 would feed itself \(Relu 'N0' .* -> Neg 'N1' \(partition 1\)"):
        model.transform(by_name(N0=0, N1=1, N2=0, N3=1), make_deepcopy=False)
    assert model.model.SerializeToString() == before
    assert list(tmp_path.iterdir()) == []
    model.transform(by_name(N0=0, N1=0, N2=0))
    (folder,) = (tmp_path / "build").iterdir()
    assert [file.name for file in folder.iterdir()] == ["partition_0.onnx"]


def test_wrong_assignments(tmp_path: Path) -> None:
    model = chain("Relu", "Neg", "Abs")
    with pytest.raises(ConfigError, match="node 1, Neg 'N1', is in partition 0 and in 1"):
        model.transform(PartitionFromDict({0: [0, 1], 1: range(1, 3)}, tmp_path))
    with pytest.raises(ConfigError, match=r"partition 2 has the node index 3. Remedy: use 0 to 2"):
        model.transform(PartitionFromDict({2: [3]}, tmp_path))
    with pytest.raises(ConfigError, match="the partition of a node is -2"):
        model.transform(PartitionFromLambda(lambda node: -2, tmp_path))
    with pytest.raises(ConfigError, match="the partition of a node is 'a'"):
        PartitionFromDict({"a": [0]})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []
    assert [n.op_type for n in model.transform(PartitionFromDict()).graph.node] == ["Relu", "Neg", "Abs"]
    parted = model.transform(PartitionFromDict({-1: [0], 7: [1, 2]}, tmp_path))
    assert [n.name for n in parted.graph.node] == ["N0", "GenericPartition_7"]


def test_nothing_is_left_if_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "partition_1.onnx").mkdir()
    model = chain("Relu", "Neg")
    before = model.model.SerializeToString()
    with pytest.raises(ModelError, match=r"partition_1.onnx: cannot write the model: Is a directory"):
        model.transform(PartitionFromDict({0: [0], 1: [1]}, tmp_path), make_deepcopy=False)
    file = tmp_path / "partition_1.onnx" / "file"
    file.touch()
    with pytest.raises(ConfigError, match="file/x: there can be no folder for the partitions"):
        model.transform(PartitionFromDict({0: [0]}, file / "x"), make_deepcopy=False)
    assert [p.name for p in tmp_path.iterdir()] == ["partition_1.onnx"]
    assert model.model.SerializeToString() == before


def test_relative_paths_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = chain("Relu", "Neg")
    parted = model.transform(PartitionFromDict({0: [0, 1]}, "parts"))
    assert getCustomOp(parted.graph.node[0]).get_nodeattr("model") == "parts/partition_0.onnx"
    same_results(model, parted)
    monkeypatch.chdir("/")
    with pytest.raises(ModelError, match=r"parts/partition_0.onnx: cannot read the model of the partition"):
        getCustomOp(parted.graph.node[0]).make_shape_compatible_op(parted)


def test_a_new_file_is_read_again(tmp_path: Path) -> None:
    model = chain("Relu", "Neg")
    parted = model.transform(PartitionFromDict({0: [0]}, tmp_path))
    same_results(model, parted)
    file = tmp_path / "partition_0.onnx"
    stamp = file.stat().st_mtime_ns
    chain("Abs").save(file)
    os.utime(file, ns=(stamp + 10**9, stamp + 10**9))
    same_results(chain("Abs", "Neg"), parted)


def test_full_context(tmp_path: Path) -> None:
    model = chain("Relu", "Neg", "Abs")
    parted = model.transform(PartitionFromDict({0: [0, 1, 2]}, tmp_path))
    getCustomOp(parted.graph.node[0]).set_nodeattr("return_full_exec_context", 1)
    x = feeds(model)
    inner = execute_onnx(parted, x, True)
    for name, array in execute_onnx(model, x, True).items():
        np.testing.assert_array_equal(inner[f"GenericPartition_0_{name}"], array)


def test_shapes_and_types_follow_the_inputs(tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["y"], "N0"), helper.make_node("TopK", ["x", "k"], ["v", "i"], "N1")]
    outputs = [value("y", [3, 2]), value("v", [2, 1]), value("i", [2, 1], TensorProto.INT64)]
    graph = helper.make_graph(nodes, "g", [value("x")], outputs)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "k"))
    parted = _wrap(graph).transform(PartitionFromDict({0: [0, 1]}, tmp_path))
    (node,) = parted.graph.node
    assert list(node.output) == ["y", "v", "i"]
    parted.set_tensor_shape("x", [5, 3])
    parted.set_tensor_datatype("x", DataType["INT4"])
    for output in parted.graph.output:
        output.type.tensor_type.ClearField("shape")
    parted = parted.transform(InferShapes()).transform(InferDataTypes())
    assert [parted.get_tensor_shape(name) for name in node.output] == [[3, 5], [5, 1], [5, 1]]
    assert [parted.get_tensor_elem_type(name) for name in node.output] == [1, 1, 7]
    assert parted.get_tensor_datatype("y") == "INT4"
    inner = getCustomOp(parted.graph.node[0]).submodel()  # type: ignore[attr-defined]
    assert inner.get_tensor_shape("x") == [2, 3], "the model of the file is for reading only"


def test_constants_go_where_they_are_read(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "shared"], ["a"], "N0"),
        helper.make_node("Mul", ["a", "own"], ["b"], "N1"),
        helper.make_node("Add", ["b", "shared"], ["y"], "N2"),
    ]
    graph = helper.make_graph(nodes, "g", [value("x"), value("own", [3])], [value("y"), value("a")])
    graph.initializer.extend(onnx.numpy_helper.from_array(np.ones(3, np.float32) * 2, n) for n in ("shared", "own"))
    model = _wrap(graph)
    model.set_tensor_datatype("own", DataType["INT3"])
    parted = model.transform(PartitionFromDict({0: [0], 1: [1]}, tmp_path), cleanup=False)
    assert [t.name for t in parted.graph.initializer] == ["shared"]
    first, second = (ModelWrapper(tmp_path / f"partition_{i}.onnx") for i in range(2))
    assert [[t.name for t in m.graph.initializer] for m in (first, second)] == [["shared"], ["own"]]
    assert second.get_tensor_datatype("own") == "INT3"
    assert [[v.name for v in m.graph.input] for m in (first, second)] == [["x"], ["a"]]
    same_results(model, parted)
    back = extend_all(parted)
    assert sorted(t.name for t in back.graph.initializer) == ["own", "shared"], "equal constants become one again"
    assert back.get_tensor_datatype("own") == "INT3"


def test_extension_tells_names_apart(tmp_path: Path) -> None:
    model = chain("Relu", "Neg", "Abs", "Neg")
    parted = model.transform(PartitionFromDict({0: [0, 1], 1: [2, 3]}, tmp_path))
    chain("Relu", "Neg").save(tmp_path / "partition_1.onnx")  # whose tensors are called as those of partition 0
    back = extend_all(parted)
    same_results(chain("Relu", "Neg", "Relu", "Neg"), back)
    assert [n.name for n in back.graph.node] == ["N0", "N1", "N0_1", "N1_1"]
    onnx.checker.check_model(back.model)


def test_models_that_pass_tensors_on(tmp_path: Path) -> None:
    parted = chain("Relu", "Neg").transform(PartitionFromDict({0: [1]}, tmp_path))
    nothing = _wrap(helper.make_graph([helper.make_node("Abs", ["x"], ["unused"])], "g", [value("x")], [value("x")]))
    nothing.save(tmp_path / "partition_0.onnx")
    back = extend_all(parted)
    onnx.checker.check_model(back.model)
    same_results(chain("Relu", "Identity"), back)


def test_extension_is_checked_first(tmp_path: Path) -> None:
    parted = chain("Relu", "Neg", "Abs").transform(PartitionFromDict({0: [0], 1: [2]}, tmp_path))
    before = parted.model.SerializeToString()
    for index, message in ((1, "node 1 is no GenericPartition .it is Neg 'N1'"), (9, "node 9 is no .* 3 nodes")):
        with pytest.raises(ModelError, match=message):
            parted.transform(ExtendPartition([0, index]), make_deepcopy=False)
    two = helper.make_graph([helper.make_node("Add", ["x", "z"], ["y"])], "g", [value("x"), value("z")], [value("y")])
    _wrap(two).save(tmp_path / "partition_1.onnx")
    with pytest.raises(ModelError, match=r"GenericPartition_1', model .*: it has 1 inputs, its model 2: x, z"):
        parted.transform(ExtendPartition([0, 2]), make_deepcopy=False)
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], name="S", keepdims=0)
    old = _wrap(helper.make_graph([mean], "g", [value("x", [1, 2, 3])], [value("y")]))
    old.save(tmp_path / "partition_1.onnx")
    parted.set_opset_import("", 18)
    before = parted.model.SerializeToString()
    with pytest.raises(UnsupportedError, match=r"node ReduceMean 'S': the standard .* from version 13 to 18"):
        parted.transform(ExtendPartition([0, 2]), make_deepcopy=False)
    (tmp_path / "partition_1.onnx").unlink()
    with pytest.raises(ModelError, match="cannot read the model of the partition: No such file"):
        parted.transform(ExtendPartition(2), make_deepcopy=False)
    assert parted.model.SerializeToString() == before


def test_nodes_without_readers_can_be_partitioned(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], "N0"), helper.make_node("Neg", ["x"], ["dead"], "N1")]
    model = _wrap(helper.make_graph(nodes, "g", [value("x")], [value("y")]))
    parted = model.transform(PartitionFromDict({0: [1]}, tmp_path), cleanup=False)
    assert [list(n.output) for n in parted.graph.node] == [["y"], ["dead"]]
    same_results(model, parted)


def test_extension_adapts_versions(tmp_path: Path) -> None:
    parted = chain("Relu", "Neg").transform(PartitionFromDict({0: [1]}, tmp_path))
    clip = helper.make_node("Clip", ["x"], ["y"], "C", max=1.0)
    _wrap(helper.make_graph([clip], "g", [value("x")], [value("y")]), 10).save(tmp_path / "partition_0.onnx")
    back = extend_all(parted)
    onnx.checker.check_model(back.model)
    x = feeds(back)
    np.testing.assert_array_equal(execute_onnx(back, x)["y"], np.clip(x["x"], 0, 1))
