"""ModelWrapper: look-ups under edits behind its back, annotations, files."""

import contextlib
import copy
import timeit
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper


@pytest.fixture
def model(build):  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Mul", ["x", "a"], ["y"], name="Mul_0"),
        helper.make_node("Add", ["y", "b"], ["z"], name="Add_0"),
        helper.make_node("Add", ["y", "z"], ["out"], name="Add_1"),
    ]
    constants = {"a": np.full(3, 2, np.float32), "b": np.ones(3, np.float32)}
    return build(nodes, {"x": [1, 3]}, ["out"], constants)


def names(nodes: list[onnx.NodeProto] | None) -> list[str] | None:
    return None if nodes is None else [node.name for node in nodes]


def test_look_ups(model: ModelWrapper) -> None:
    mul, add, last = model.graph.node
    assert model.find_producer("y") is mul
    assert model.find_producer("x") is None
    assert names(model.find_consumers("y")) == ["Add_0", "Add_1"]
    assert model.find_consumers("out") == []
    assert model.find_direct_successors(last) is None
    assert names(model.find_direct_successors(mul)) == ["Add_0", "Add_1"]
    assert names(model.find_direct_predecessors(last)) == ["Mul_0", "Add_0"]
    assert model.find_direct_predecessors(mul) is None
    assert model.is_fork_node(mul)
    assert not model.is_fork_node(add)
    assert model.is_join_node(last)
    assert not model.is_join_node(mul)
    assert names(model.find_upstream("out", lambda node: node.op_type == "Mul")) == ["Add_1", "Mul_0"]
    assert model.find_upstream("out", lambda node: node.op_type == "Conv") == []
    assert model.get_node_index(add) == 1
    assert model.get_node_from_name("Add_1") is last
    assert names(model.get_nodes_by_op_type("Add")) == ["Add_0", "Add_1"]
    assert model.get_tensor_fanout("y") == 2
    with pytest.warns(UserWarning, match="'y' has 2 consumers"):
        assert model.find_consumer("y") is add


def test_a_node_that_reads_twice_appears_twice(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Add", ["x", "x"], ["y"], name="Add_0")], {"x": [1]}, ["y"])
    assert names(model.find_consumers("x")) == ["Add_0", "Add_0"]
    model.rename_tensor("x", "new")
    assert list(model.graph.node[0].input) == ["new", "new"]
    assert model.graph.input[0].name == "new"


def test_edits_in_place_are_noticed(model: ModelWrapper) -> None:
    mul, add, last = model.graph.node
    assert names(model.find_consumers("x")) == ["Mul_0"]
    last.input[0] = "x"  # neither the number of nodes nor any node that was looked up for x has changed
    assert names(model.find_consumers("x")) == ["Mul_0", "Add_1"]
    assert names(model.find_consumers("y")) == ["Add_0"]
    add.output[0] = "w"
    assert model.find_producer("z") is None
    assert model.find_producer("w") is add
    model.graph.node.remove(mul)
    assert model.find_producer("y") is None
    model.graph.node.insert(0, helper.make_node("Relu", ["x"], ["y"], name="Relu_0"))
    assert model.find_producer("y") is model.graph.node[0]


def test_exchanged_initializers_are_noticed(model: ModelWrapper) -> None:
    assert model.get_initializer("a").tolist() == [2, 2, 2]  # type: ignore[union-attr]
    model.graph.initializer.remove(model.graph.initializer[0])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(3, np.float32), "a"))
    assert model.get_initializer("a").tolist() == [0, 0, 0]  # type: ignore[union-attr]
    model.graph.initializer[0].name = "c"
    assert model.get_initializer("b") is None
    assert model.get_initializer("c") is not None


OPS = st.lists(st.tuples(st.sampled_from(["rewire", "insert", "remove", "wrap_insert", "wrap_remove", "set_input"]),
                         st.integers(0, 9), st.integers(0, 9)), max_size=12)  # fmt: skip


def edit(model: ModelWrapper, kind: str, i: int, tensor: str, name: str) -> None:
    """One edit, directly on the graph or by the wrapper."""
    live = model.graph.node
    extra = helper.make_node("Relu", [tensor], [name], name=name)
    if kind == "insert":
        live.insert(i % (len(live) + 1), extra)
    elif kind == "wrap_insert":
        model.insert_node(i % (len(live) + 1), extra)
    elif not len(live):
        return
    elif kind == "rewire":
        live[i % len(live)].input[0] = tensor
    elif kind == "set_input":
        model.set_node_input(live[i % len(live)], 0, tensor)
    elif kind == "remove":
        del live[i % len(live)]
    else:
        model.remove_node(live[i % len(live)])


@settings(max_examples=60, deadline=None)
@given(OPS)
def test_index_equals_a_fresh_one_after_any_edits(steps: list[tuple[str, int, int]]) -> None:
    nodes = [helper.make_node("Add", [f"t{i}", f"t{i // 2}"], [f"t{i + 1}"], name=f"n{i}") for i in range(5)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("t0", TensorProto.FLOAT, [1])], [])
    graph.output.append(helper.make_tensor_value_info("t5", TensorProto.FLOAT, [1]))
    model = ModelWrapper(helper.make_model(graph, ir_version=10))
    for number, (kind, i, j) in enumerate(steps):
        edit(model, kind, i, f"t{j}", f"u{number}")
        fresh = ModelWrapper(model.model)
        for tensor in fresh.get_all_tensor_names():
            assert names(model.find_consumers(tensor)) == names(fresh.find_consumers(tensor))
            assert model.find_producer(tensor) is fresh.find_producer(tensor)
        with model.trusted_index():
            assert [model.find_producer(n.output[0]) is n for n in model.graph.node].count(False) == 0


def test_shapes(model: ModelWrapper) -> None:
    assert model.get_tensor_shape("x") == [1, 3]
    assert model.get_tensor_shape("a") == [3]
    assert model.get_tensor_shape("y") is None
    model.set_tensor_shape("y", [1, 3])
    assert model.get_tensor_shape("y") == [1, 3]
    model.set_tensor_shape("x", [4, 3])
    assert [value.name for value in model.graph.input] == ["x"]
    assert model.get_tensor_valueinfo("nothing") is None
    assert model.get_tensor_elem_type("a") == TensorProto.FLOAT


def test_initializer_without_value_info_has_a_shape(model: ModelWrapper) -> None:
    del model.graph.value_info[:]
    assert model.get_tensor_shape("a") == [3]


def test_annotations(model: ModelWrapper) -> None:
    assert model.get_tensor_datatype("y") == "FLOAT32"
    model.set_tensor_datatype("y", DataType["INT4"])
    model.set_tensor_layout("y", ["N", "C"])
    model.set_tensor_sparsity("y", {"dw": {"kernel_shape": [3, 3]}})
    again = ModelWrapper(model.model.SerializeToString())
    assert again.get_tensor_datatype("y") == "INT4"
    assert again.get_tensor_layout("y") == ["N", "C"]
    assert again.get_tensor_sparsity("y") == {"dw": {"kernel_shape": [3, 3]}}
    model.set_tensor_datatype("y", None)
    assert model.get_tensor_datatype("y") == "FLOAT32"
    assert model.get_tensor_layout("y") == ["N", "C"]
    assert model.get_tensor_layout("z") is None
    assert model.get_tensor_sparsity("z") is None


def test_annotations_are_data_not_code(model: ModelWrapper, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    model.set_annotation("y", "tensor_layout", f"open({str(trap)!r}, 'w').write('x') and []")
    with pytest.raises(ModelError, match="no Python literal"):
        model.get_tensor_layout("y")
    assert not trap.exists()
    model.set_annotation("y", "finn_datatype", "INT0")
    with pytest.raises(ModelError, match="tensor 'y': data type annotation: 'INT0' is no data type"):
        model.get_tensor_datatype("y")


def test_rename_swaps_and_refuses_clashes(model: ModelWrapper) -> None:
    model.set_tensor_datatype("y", DataType["INT4"])
    model.rename_tensors({"y": "z", "z": "y"})
    assert [list(node.input) for node in model.graph.node] == [["x", "a"], ["z", "b"], ["z", "y"]]
    assert model.get_tensor_datatype("z") == "INT4"
    with pytest.raises(ModelError, match="two tensors would be called 'a'"):
        model.rename_tensor("b", "a")


def test_new_names_are_new_and_reproducible(model: ModelWrapper) -> None:
    first = [model.make_new_valueinfo_name() for _ in range(3)]
    assert len(set(first)) == 3
    again = ModelWrapper(model.model, make_deepcopy=True)
    assert [again.make_new_valueinfo_name() for _ in range(3)] == first
    assert model.unique_tensor_name("y") == "y_1"


def test_metadata_is_read_from_both_places(model: ModelWrapper) -> None:
    model.set_metadata_prop("key", "1")
    model.set_metadata_prop("key", "2")
    model.graph.metadata_props.add(key="other", value="3")
    assert model.get_metadata_prop("key") == "2"
    assert model.get_metadata_prop("other") == "3"
    assert model.get_metadata_prop("missing") is None
    assert len(model.model.metadata_props) == 1


def test_domains_are_normalised() -> None:
    graph = helper.make_graph(
        [helper.make_node("BipolarQuant", ["x", "s"], ["y"], domain="onnx.brevitas")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 2)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=10))
    assert model.graph.node[0].domain == "finn.custom_op.general"
    assert model.get_opset_imports() == {"": 13, "finn.custom_op.general": 2}
    assert len(model.get_finn_nodes()) == 1
    assert model.get_non_finn_nodes() == []


def test_copies_are_independent(model: ModelWrapper) -> None:
    other = copy.deepcopy(model)
    other.rename_tensor("y", "new")
    assert model.find_producer("y") is not None
    assert other.find_producer("y") is None


def test_save_and_load(model: ModelWrapper, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model.save(path)
    assert ModelWrapper(str(path)).model == model.model
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("content", [b"", b"hello world, I am no model", b"\x08\x07", b"PK\x03\x04" * 40])
def test_foreign_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: .*Remedy: export or copy the \.onnx file again"):
        ModelWrapper(path)
    with pytest.raises(ModelError, match="serialized model"):
        ModelWrapper(content)


def test_truncated_files(model: ModelWrapper, tmp_path: Path) -> None:
    data = model.model.SerializeToString()
    for length in (10, len(data) // 2, len(data) - 20):
        with pytest.raises(ModelError):
            ModelWrapper(data[:length])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        ModelWrapper(tmp_path / "no.onnx")
    assert str(error.value) == f"{tmp_path}/no.onnx: cannot read the model: No such file or directory"


def test_external_data(model: ModelWrapper, tmp_path: Path) -> None:
    model.set_initializer("a", np.arange(3, dtype=np.float32))
    onnx.save(model.model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    loaded = ModelWrapper(tmp_path / "m.onnx")
    assert loaded.get_initializer("a").tolist() == [0, 1, 2]  # type: ignore[union-attr]
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match="external data"):
        ModelWrapper(tmp_path / "m.onnx")


@pytest.mark.parametrize("trusted", [True, False])
def test_look_ups_do_not_slow_down_with_size(trusted: bool) -> None:
    """A look-up in a graph of 4000 nodes costs about what it costs in one of 400."""

    def seconds(n: int) -> float:
        nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(n)]
        model = ModelWrapper(helper.make_model(helper.make_graph(nodes, "g", [], []), ir_version=10))
        with model.trusted_index() if trusted else contextlib.nullcontext():
            return min(timeit.repeat(lambda: look_up(model), number=1, repeat=7))

    def look_up(model: ModelWrapper) -> None:
        for i in range(1, 400):
            model.find_producer(f"t{i}")
            if trusted:
                model.find_consumers(f"t{i}")

    assert seconds(4000) < 4 * seconds(400)
