"""Transformations of the general kind."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper

from finn.analysis.topology import is_linear, nodes_topologically_sorted
from finn.core.datatype import DataType
from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import NodeLocalTransformation, Transformation
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.general import (
    ApplyConfig,
    ConvertDivToMul,
    ConvertSubToAdd,
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
    SortGraph,
)
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes, require_static_shapes
from finn.transformation.remove import RemoveIdentityOps, RemoveUnusedNodes
from finn.util.basic import (
    gen_finn_dt_tensor,
    get_by_name,
    interleave_matrix_outer_dim_from_partitions,
    roundup_to_integer_multiple,
)
from finn.util.cleanup import cleanup, cleanup_model

GENERAL = "finn.custom_op.general"
ONE = np.ones(3, np.float32)


def wiring(model: ModelWrapper) -> list[tuple[str, ...]]:
    return [(node.op_type, *node.input, *node.output) for node in model.graph.node]


def test_transform_leaves_the_original_alone(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Sub", ["x", "b"], ["y"])], {"x": [1, 3]}, ["y"], {"b": ONE})
    before = model.model.SerializeToString()
    other = model.transform(ConvertSubToAdd())
    assert model.model.SerializeToString() == before
    assert other.graph.node[0].op_type == "Add"
    assert model.transform(ConvertSubToAdd(), make_deepcopy=False) is model
    assert model.graph.node[0].op_type == "Add"


def test_a_transformation_that_never_ends(build, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    class Restless(Transformation):
        def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
            return model, True

    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, ["y"])
    with pytest.raises(ModelError, match="Restless still reports changes after 10000 passes"):
        model.transform(Restless())


@pytest.mark.parametrize("workers", [1, 4, 0])
def test_node_local(build, workers: int) -> None:  # type: ignore[no-untyped-def]
    class Rename(NodeLocalTransformation):
        def applyNodeLocal(self, node: NodeProto) -> tuple[NodeProto, bool]:
            assert self.ref_input_model is not None
            if node.name.endswith("_done"):
                return node, False
            new = NodeProto()
            new.CopyFrom(node)
            new.name += "_done"
            return new, True

    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"], name=f"n{i}") for i in range(5)]
    model = build(nodes, {"t0": [1]}, ["t5"]).transform(Rename(num_workers=workers))
    assert [node.name for node in model.graph.node] == [f"n{i}_done" for i in range(5)]


def test_worker_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(NodeLocalTransformation):
        def applyNodeLocal(self, node: NodeProto) -> tuple[NodeProto, bool]:
            return node, False

    monkeypatch.setenv("NUM_DEFAULT_WORKERS", "many")
    with pytest.raises(ConfigError, match="NUM_DEFAULT_WORKERS is 'many'"):
        Nothing()
    with pytest.raises(ConfigError, match="num_workers is -1"):
        Nothing(-1)


def test_sort_is_by_level_then_by_old_order(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Add", ["r", "q"], ["y"]),
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Relu", ["w"], ["q"]),
    ]
    model = build(nodes, {"x": [1, 3]}, ["y"], {"w": ONE}).transform(SortGraph())
    assert wiring(model) == [("Relu", "x", "r"), ("Relu", "w", "q"), ("Add", "r", "q", "y")]
    assert nodes_topologically_sorted(model) == {"nodes_topologically_sorted": True}
    assert is_linear(model) == {"is_linear": True}


def test_sort_keeps_sources_that_are_returned(build) -> None:  # type: ignore[no-untyped-def]
    def source(name: str) -> NodeProto:
        return helper.make_node("Constant", [], [name], value_float=1.0)

    nodes = [source("returned"), source("unused"), helper.make_node("Relu", ["x"], ["y"])]
    model = build(nodes, {"x": [1]}, ["y", "returned"]).transform(SortGraph())
    assert [node.output[0] for node in model.graph.node] == ["returned", "y"]


def test_cycles_are_named(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="A"), helper.make_node("Relu", ["a"], ["b"], name="B")]
    with pytest.raises(ModelError, match="the graph has a cycle through or before Add 'A', Relu 'B'"):
        build(nodes, {"x": [1]}, ["b"]).transform(SortGraph())


def with_if(build) -> ModelWrapper:  # type: ignore[no-untyped-def]
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["branch_out"])], "branch", [],
        [helper.make_tensor_value_info("branch_out", TensorProto.FLOAT, [1, 3])],
    )  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch, name="If_0")
    return build([node], {"x": [1, 3]}, ["y"], {"w": ONE, "c": np.array(True), "unused": ONE})  # type: ignore[no-any-return]


def test_what_subgraphs_use_stays(build) -> None:  # type: ignore[no-untyped-def]
    model = with_if(build).transform(RemoveUnusedTensors())
    assert sorted(t.name for t in model.graph.initializer) == ["c", "w"]
    assert [n.op_type for n in model.find_consumers("w")] == ["If"]
    model.rename_tensor("w", "weight")
    x = np.zeros((1, 3), np.float32)
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})["y"], x + 1)


def test_static_inputs_become_constants(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Add", ["x", "b"], ["y"])], {"x": [1, 3], "b": [3]}, ["y"], {"b": ONE})
    model = model.transform(RemoveStaticGraphInputs())
    assert [value.name for value in model.graph.input] == ["x"]
    assert model.get_tensor_shape("b") == [3]


def test_names(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Add", ["x", "w"], ["global_out"]),
        helper.make_node("Add", ["global_out", "v"], ["Add_0_out0"]),
        helper.make_node("MatMul", ["Add_0_out0", "m"], ["y"]),
    ]
    constants = {"w": ONE, "v": ONE, "m": np.ones((3, 2), np.float32)}
    model = build(nodes, {"x": [1, 3]}, ["y"], constants)
    with pytest.raises(ModelError, match="the nodes have no unique names"):
        model.transform(GiveReadableTensorNames())
    model = model.transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    assert wiring(model) == [
        ("Add", "global_in", "Add_0_param0", "Add_0_out0"),
        ("Add", "Add_0_out0", "Add_1_param0", "Add_1_out0"),
        ("MatMul", "Add_1_out0", "MatMul_0_param0", "global_out"),
    ]
    assert model.transform(GiveUniqueNodeNames("p_")).graph.node[2].name == "p_MatMul_0"


def test_shared_parameters_keep_their_annotations(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Add", ["x", "w"], ["a"]), helper.make_node("Mul", ["a", "w"], ["y"])]
    model = build(nodes, {"x": [1, 3]}, ["y"], {"w": ONE}, {"w": "INT2"})
    model.set_tensor_layout("w", ["C"])
    model = model.transform(GiveUniqueParameterTensors())
    first, second = (node.input[1] for node in model.graph.node)
    assert first != second
    for name in (first, second):
        assert model.get_tensor_datatype(name) == "INT2"
        assert model.get_tensor_layout(name) == ["C"]


def test_div_and_sub(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Div", ["x", "b"], ["d"]), helper.make_node("Sub", ["d", "b"], ["y"])]
    model = build(nodes, {"x": [1, 3]}, ["y"], {"b": ONE * 4})
    model = model.transform(ConvertDivToMul()).transform(ConvertSubToAdd())
    assert [node.op_type for node in model.graph.node] == ["Mul", "Add"]
    assert [model.get_initializer(n.input[1])[0] for n in model.graph.node] == [0.25, -4]


def quant(name: str) -> NodeProto:
    return helper.make_node("Quant", ["x", "s", "z", "b"], [f"y{name}"], name, domain=GENERAL, signed=1, narrow=0)


def test_apply_config(build, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    constants = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    config = {"Defaults": {"narrow": [1, ["Quant"]]}, "Q1": {"rounding_mode": "FLOOR"}, "Q9": {"narrow": 0}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    model = build([quant("Q0"), quant("Q1")], {"x": [1, 3]}, ["yQ0", "yQ1"], constants)
    for source in (config, path):
        with pytest.warns(UserWarning, match="an entry for 'Q9', which is no node"):
            result = model.transform(ApplyConfig(source))
        ops = [getCustomOp(node) for node in result.graph.node]
        assert [(op.get_nodeattr("narrow"), op.get_nodeattr("rounding_mode")) for op in ops] == [
            (1, "ROUND"),
            (1, "FLOOR"),
        ]
    path.write_text("{")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        ApplyConfig(path)


# ------------------------------------------------------------------------------------------------------- inference


def test_shapes_through_custom_nodes(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "b"], ["q"], domain=GENERAL, signed=1, narrow=0),
        helper.make_node("MatMul", ["x", "q"], ["m"]),
        helper.make_node("MultiThreshold", ["m", "t"], ["y"], domain=GENERAL, out_dtype="INT2", out_bias=-2.0),
    ]
    constants = {"w": np.ones((3, 2000), np.float32), "s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    model = build(nodes, {"x": [1, 3]}, ["y"], constants | {"t": np.zeros((1, 3), np.float32)}, {"x": "UINT2"})
    model = model.transform(InferShapes()).transform(InferDataTypes())
    assert model.get_tensor_shape("q") == [3, 2000]
    assert model.get_tensor_shape("y") == [1, 2000]
    assert [model.get_tensor_datatype(t).name for t in ("q", "m", "y")] == ["INT4", "INT32", "INT2"]


def test_contradictory_shapes(build) -> None:  # type: ignore[no-untyped-def]
    model = build(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")],
        {"x": [1, 3]},
        ["y"],
        {"w": np.ones((2, 2), np.float32)},
    )
    with pytest.raises(ModelError, match="the shapes of the model do not fit together"):
        model.transform(InferShapes())


@pytest.mark.parametrize(
    ("op_type", "inputs", "types", "expected"),
    [
        ("Add", ["x", "y"], ("UINT2", "UINT4"), "UINT32"),
        ("Sub", ["x", "y"], ("UINT2", "UINT4"), "INT32"),
        ("Mul", ["x", "y"], ("INT2", "UINT4"), "INT32"),
        ("Mul", ["x", "y"], ("INT2", "FLOAT32"), "FLOAT32"),
        ("Sign", ["x"], ("FLOAT32", "FLOAT32"), "TERNARY"),
        ("Relu", ["x"], ("INT4", "FLOAT32"), "UINT3"),
        ("Transpose", ["x"], ("INT4", "FLOAT32"), "INT4"),
        ("Sigmoid", ["x"], ("INT4", "FLOAT32"), "FLOAT32"),
        ("Concat", ["x", "y"], ("INT4", "UINT4"), "INT5"),
    ],
)
def test_datatypes(build, op_type: str, inputs: list[str], types: tuple[str, str], expected: str) -> None:  # type: ignore[no-untyped-def]
    attributes = {"axis": 0} if op_type == "Concat" else {}
    node = helper.make_node(op_type, inputs, ["z"], **attributes)
    shapes = {name: [2, 2] for name in inputs}
    datatypes = dict(zip(inputs, types, strict=False))
    model = build([node], shapes, ["z"], datatypes=datatypes).transform(InferDataTypes())
    assert model.get_tensor_datatype("z") == expected


def test_finer_accumulator_types_stay(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("MatMul", ["x", "y"], ["z"])], {"x": [2, 2], "y": [2, 2]}, ["z"],
                  datatypes={"x": "INT2", "y": "INT2", "z": "INT7"})  # fmt: skip
    assert model.transform(InferDataTypes()).get_tensor_datatype("z") == "INT7"


# --------------------------------------------------------------------------------------------------------- folding


def exporter_noise(dims: list[int | str], build) -> ModelWrapper:  # type: ignore[no-untyped-def]
    """What torch writes for x.reshape(x.shape[0], -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Constant", [], ["zero"], value=onnx.numpy_helper.from_array(np.array(0))),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["b1"]),
        helper.make_node("Concat", ["b1", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    return build(nodes, {"x": dims}, ["y"], {"axes": np.array([0]), "minus": np.array([-1])})  # type: ignore[no-any-return]


def test_shape_noise_folds(build) -> None:  # type: ignore[no-untyped-def]
    model = exporter_noise([2, 3, 4], build).transform(InferShapes()).transform(FoldConstants())
    assert [node.op_type for node in model.graph.node] == ["Reshape"]
    assert model.get_initializer("target").tolist() == [2, -1]  # type: ignore[union-attr]
    assert model.get_tensor_shape("y") == [2, 12]
    assert [t.name for t in model.graph.initializer] == ["target"]


def test_dynamic_dimensions_are_reported(build) -> None:  # type: ignore[no-untyped-def]
    model = exporter_noise(["batch", 3, 4], build)
    clean = cleanup_model(model)
    assert execute_onnx(clean, {"global_in": np.zeros((5, 3, 4), np.float32)})["global_out"].shape == (5, 12)
    with pytest.raises(ModelError) as error:
        require_static_shapes(clean)
    assert str(error.value) == (
        "tensor 'global_in': its shape is not fixed: [batch, 3, 4]. Remedy: export the model with fixed input shapes, "
        "or give override_inpsize to cleanup_model"
    )
    assert cleanup_model(model, override_inpsize=1).get_tensor_shape("global_out") == [1, 12]
    assert cleanup_model(model, override_inpsize=[2, 3, 5]).get_tensor_shape("global_out") == [2, 15]
    assert cleanup_model(model, override_inpsize="(2, 3, 5)").get_tensor_shape("global_out") == [2, 15]
    for wrong in ([2, 3], "2 by 3", "__import__('os').getpid()", "(1.5, 3, 4)", 0, "-1", [2, -3, 5]):
        with pytest.raises(ConfigError, match="override_inpsize"):
            cleanup_model(model, override_inpsize=wrong)
    with pytest.raises(ConfigError, match="the model has no input"):
        cleanup_model(build([helper.make_node("Relu", ["w"], ["y"])], {}, ["y"], {"w": np.ones(2)}), override_inpsize=1)


def test_biases_and_transposed_weights_are_cleaned_up_on_request(build) -> None:  # type: ignore[no-untyped-def]
    quant = {"domain": "finn.custom_op.general", "signed": 1, "narrow": 1}
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], **quant),
        helper.make_node("Transpose", ["wq"], ["wt"], perm=[3, 2, 0, 1]),
        helper.make_node("Conv", ["x", "wt", "bias"], ["y"], kernel_shape=[2, 2]),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.integers(-3, 4, (2, 2, 3, 5)).astype(np.float32), "s": np.float32(1), "z": np.float32(0),
        "b": np.float32(4), "bias": np.arange(5, dtype=np.float32),
    }  # fmt: skip
    model = build(nodes, {"x": [1, 3, 4, 4]}, ["y"], constants)
    x = rng.integers(-4, 5, (1, 3, 4, 4)).astype(np.float32)
    kept, extracted = cleanup_model(model), cleanup_model(model, extract_conv_bias=True)
    assert [node.op_type for node in kept.graph.node] == ["Quant", "Conv"]
    assert [node.op_type for node in extracted.graph.node] == ["Quant", "Conv", "Add"]
    expected = execute_onnx(model, {"x": x})["y"]
    for clean in (kept, extracted):
        np.testing.assert_array_equal(execute_onnx(clean, {"global_in": x})["global_out"], expected)


def test_folding_spares_quantizers_unless_asked(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "b"], ["q"], domain=GENERAL, signed=1, narrow=0),
        helper.make_node("Transpose", ["q"], ["qt"]),
        helper.make_node("MatMul", ["x", "qt"], ["m"]),
        helper.make_node("Quant", ["m", "s", "z", "b"], ["y"], domain=GENERAL, signed=1, narrow=0),
    ]
    constants = {"w": np.full((2, 3), 1.4, np.float32), "s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    model = build(nodes, {"x": [1, 3]}, ["y"], constants)
    assert len(model.transform(FoldConstants()).graph.node) == 4
    folded = model.transform(FoldConstants(exclude_op_types=None))
    assert [node.op_type for node in folded.graph.node] == ["MatMul", "Quant"]
    assert folded.get_initializer("qt").tolist() == [[1, 1]] * 3  # type: ignore[union-attr]
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(execute_onnx(folded, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])


def test_folding_leaves_random_nodes_and_outputs(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("RandomNormal", [], ["r"], shape=[1, 3]),
        helper.make_node("Add", ["x", "r"], ["y"]),
        helper.make_node("Neg", ["c"], ["z"]),
    ]
    model = build(nodes, {"x": [1, 3]}, ["y", "z"], {"c": ONE}).transform(FoldConstants())
    assert len(model.graph.node) == 3


def test_folding_is_linear_in_the_number_of_constants(build) -> None:  # type: ignore[no-untyped-def]
    value = onnx.numpy_helper.from_array(ONE)
    nodes = [helper.make_node("Constant", [], [f"c{i}"], value=value) for i in range(200)]
    nodes += [helper.make_node("Add", [f"t{i}", f"c{i}"], [f"t{i + 1}"]) for i in range(200)]
    model = build(nodes, {"t0": [1, 3]}, ["t200"]).transform(FoldConstants())
    assert len(model.graph.node) == 200
    assert len(model.graph.initializer) == 200


# -------------------------------------------------------------------------------------------------------- removal


def test_identities_go(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "one"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Add", ["c", "zero"], ["d"]),
        helper.make_node("Neg", ["d"], ["e"]),
        helper.make_node("Identity", ["e"], ["y"]),
    ]
    model = build(nodes, {"x": [1, 3]}, ["y"], {"one": ONE, "zero": ONE * 0}).transform(InferShapes())
    model = model.transform(RemoveIdentityOps())
    assert wiring(model) == [("Relu", "x", "c"), ("Neg", "c", "y")]


def test_identities_that_do_something_stay(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Mul", ["x", "wide"], ["a"]),  # broadcasts
        helper.make_node("Add", ["a", "almost"], ["b"]),
        helper.make_node("Identity", ["b"], ["y"]),
        helper.make_node("Identity", ["b"], ["z"]),  # b cannot have two names
        helper.make_node("Identity", ["x"], ["in_out"]),
    ]
    constants = {"wide": np.ones((4, 3), np.float32), "almost": np.array([0, 0, 1e-3], np.float32)}
    model = build(nodes, {"x": [1, 3]}, ["y", "z", "in_out"], constants).transform(InferShapes())
    model = model.transform(RemoveIdentityOps())
    assert [node.op_type for node in model.graph.node].count("Identity") == 2
    assert {node.op_type for node in model.graph.node} == {"Mul", "Add", "Identity"}
    result = execute_onnx(model, {"x": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(result["y"], result["z"])


def test_unused_nodes_go(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("Abs", ["a"], ["b"]),
    ]
    model = build(nodes, {"x": [1, 3]}, ["y"]).transform(RemoveUnusedNodes())
    assert wiring(model) == [("Relu", "x", "y")]


def test_cleanup_of_files(build, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "net.onnx"
    build([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"]).save(path)
    cleanup(path)
    assert ModelWrapper(tmp_path / "net_clean.onnx").get_first_global_in() == "global_in"


# -------------------------------------------------------------------------------------------------------- helpers


@pytest.mark.parametrize("name", ["BIPOLAR", "BINARY", "TERNARY", "INT4", "UINT8", "INT30", "FLOAT32"])
def test_random_tensors_are_of_their_type(name: str) -> None:
    datatype = DataType[name]
    values = gen_finn_dt_tensor(datatype, (100,), seed=1)
    assert datatype.allowed(values).all()
    assert values.dtype == (np.float64 if name == "INT30" else np.float32)
    np.testing.assert_array_equal(values, gen_finn_dt_tensor(datatype, (100,), seed=1))
    np.random.seed(0)
    assert datatype.allowed(gen_finn_dt_tensor(datatype, (100,))).all()


def test_small_helpers() -> None:
    assert [roundup_to_integer_multiple(n, 4) for n in (0, 1, 4, 5)] == [0, 4, 4, 8]
    assert roundup_to_integer_multiple(7, -1) == 7
    with pytest.raises(ValueError, match="factor is 0"):
        roundup_to_integer_multiple(7, 0)
    matrix = np.arange(8).reshape(4, 2)
    assert interleave_matrix_outer_dim_from_partitions(matrix, 2).tolist() == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    with pytest.raises(ValueError, match="4 rows cannot be dealt to 3 partitions"):
        interleave_matrix_outer_dim_from_partitions(matrix, 3)
    nodes = [helper.make_node("Relu", ["x"], ["y"], name=name) for name in ("a", "b", "b")]
    assert get_by_name(nodes, "a") is nodes[0]
    assert get_by_name(nodes, "c") is None
    with pytest.raises(ModelError, match="2 items are called 'b'"):
        get_by_name(nodes, "b")
