"""What scripts for the predecessors rely on, beyond names: subgraphs, options, versions, execution modes."""

import copy
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core import hooks
from finn.core.datatype import DataType
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model, execute_onnx, execute_onnx_and_make_model
from finn.custom_op.general.trunc import Trunc_v1, Trunc_v2
from finn.transformation.base import Transformation
from finn.transformation.general import GiveUniqueNodeNames
from finn.util.basic import qonnx_make_model


@pytest.fixture
def nested() -> ModelWrapper:
    """An If whose branches hold an If."""

    def branch(name: str, inner: Any = None) -> Any:
        nodes = [helper.make_node("Neg", ["x"], [f"{name}_y"])]
        if inner is not None:
            nodes = [helper.make_node("If", ["c"], [f"{name}_y"], then_branch=inner[0], else_branch=inner[1])]
        value = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, [2])
        return helper.make_graph(nodes, name, [], [value])

    inner = branch("a"), branch("b")
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("t", inner), else_branch=branch("e"))
    graph = helper.make_graph(
        [node], "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    return ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))


class Record(Transformation):
    """Notes the names of the graphs that it sees, and marks them."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.seen.append(model.graph.name)
        model.graph.doc_string = "seen"
        return model, False


def test_transformations_reach_bodies_in_either_order(nested: ModelWrapper) -> None:
    for preorder, order in ((True, ["g", "e", "t", "b", "a"]), (False, ["e", "b", "a", "t", "g"])):
        record = Record()
        result = nested.transform(record, apply_to_subgraphs=True, use_preorder_traversal=preorder)
        assert record.seen == order
        then = next(a.g for a in result.graph.node[0].attribute if a.name == "then_branch")
        assert then.doc_string == "seen"
    record = Record()
    nested.transform(record)
    assert record.seen == ["g"]
    assert not nested.graph.doc_string, "the original is left alone"
    named = nested.transform_subgraphs(GiveUniqueNodeNames("in_"), apply_to_subgraphs=False)
    assert named.graph.node[0].name == ""
    assert next(a.g for a in named.graph.node[0].attribute if a.name == "then_branch").node[0].name == "in_If_0"


def test_analyses_of_subgraphs(nested: ModelWrapper) -> None:
    def count(model: ModelWrapper, apply_to_subgraphs: bool = False) -> tuple[int, bool]:
        return len(model.graph.node), apply_to_subgraphs

    assert nested.analysis(count) == (1, False)
    assert nested.analysis(count, apply_to_subgraphs=True) == (1, True)


def test_a_body_becomes_a_model_of_its_own(nested: ModelWrapper) -> None:
    body = nested.graph.node[0].attribute[0].g
    wrapped = nested.make_subgraph_modelwrapper(body)
    assert wrapped.get_opset_imports() == nested.get_opset_imports()
    wrapped.graph.node[0].name = "changed"
    assert body.node[0].name == ""


def trunc(version: int | None) -> ModelWrapper:
    inputs = ["x", "s", "z", "i", "o"] if version in (None, 1) else ["x", "s", "z", "i", "so", "o"]
    node = helper.make_node("Trunc", inputs, ["y"], domain="qonnx.custom_op.general", rounding_mode="FLOOR")
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 13)]
    imports += [] if version is None else [helper.make_opsetid("qonnx.custom_op.general", version)]
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
    values = {"s": 1.0, "z": 0.0, "i": 8.0, "o": 4.0, "so": 16.0}
    for name in inputs[1:]:
        model.set_initializer(name, np.float32(values[name]))
    return model


def test_the_imported_version_of_an_operator_is_executed() -> None:
    x = {"x": np.array([100, -3], np.float32)}
    assert isinstance(trunc(1).get_customop_wrapper(trunc(1).graph.node[0]), Trunc_v1)
    assert isinstance(trunc(2).get_customop_wrapper(trunc(2).graph.node[0]), Trunc_v2)
    assert execute_onnx(trunc(1), x)["y"].tolist() == [6, -1]  # the scale stays
    assert execute_onnx(trunc(2), x)["y"].tolist() == [96, -16]
    assert execute_onnx(trunc(None), x)["y"].tolist() == [6, -1]


def test_a_domain_that_is_not_imported_falls_back() -> None:
    model = trunc(1)
    del model.model.opset_import[1:]
    with pytest.warns(UserWarning, match="is not imported"):
        assert isinstance(model.get_customop_wrapper(model.graph.node[0], 2), Trunc_v2)


def test_options_of_the_constructor(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Add", ["x", "c"], ["y"])], {"x": [2]}, ["y"])
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.DOUBLE, [2], [1.0, 2.0]))
    plain = ModelWrapper(model.model, make_deepcopy=True, fix_missing_initializer_valueinfo=False)
    assert plain.get_tensor_valueinfo("c") is None
    assert plain.get_tensor_shape("c") == [2]
    assert plain.get_tensor_valueinfo("c") is None
    assert plain.get_tensor_shape("c", fix_missing_init_shape=True) == [2]
    assert plain.get_tensor_valueinfo("c") is not None
    fixed = ModelWrapper(model.model, make_deepcopy=True, fix_float64=True)
    assert fixed.get_tensor_valueinfo("c") is not None
    assert fixed.get_initializer("c", return_dtype=True)[1] == TensorProto.DOUBLE
    after = fixed.transform(GiveUniqueNodeNames())
    value, kind = after.get_initializer("c", return_dtype=True)
    assert kind == TensorProto.FLOAT
    assert value.tolist() == [1.0, 2.0]
    assert after.get_initializer("none", return_dtype=True) == (None, None)


def test_half_precision_is_what_the_element_type_says(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"])
    model.set_tensor_shape("x", [2], TensorProto.FLOAT16)
    assert model.get_tensor_datatype("x") == DataType["FLOAT16"]
    model.set_tensor_datatype("x", DataType["INT2"])
    assert model.get_tensor_datatype("x") == DataType["INT2"]


def test_edits_are_seen_by_the_next_execution(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Mul", ["x", "c"], ["t"]), helper.make_node("Relu", ["t"], ["y"], name="last")]
    model = build(nodes, {"x": [2]}, ["y"], {"c": np.float32(2)})
    x = {"x": np.array([-1, 3], np.float32)}
    frozen = compile_model(model)
    assert execute_onnx(model, x)["y"].tolist() == [0, 6]
    model.graph.initializer[0].raw_data = np.float32(5).tobytes()
    assert execute_onnx(model, x)["y"].tolist() == [0, 15]
    model.graph.node[1].op_type = "Neg"
    assert execute_onnx(model, x)["y"].tolist() == [5, -15]
    del model.graph.node[1]
    model.graph.node.append(helper.make_node("Identity", ["t"], ["y"]))
    assert execute_onnx(model, x)["y"].tolist() == [-5, 15]
    assert frozen.run(x)["y"].tolist() == [0, 6]
    assert (frozen.input_names, frozen.output_names) == (["x"], ["y"])


def test_a_model_that_shows_its_values(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Relu", ["t"], ["y"])]
    model = build(nodes, {"x": [2]}, ["y"])
    shown = execute_onnx_and_make_model(model, {"x": np.array([-1, 3], np.float32)})
    assert shown.get_initializer("t").tolist() == [1, -3]  # type: ignore[union-attr]
    assert shown.get_initializer("y").tolist() == [1, 0]  # type: ignore[union-attr]
    assert {value.name for value in shown.graph.output} == {"t", "y"}
    assert model.get_initializer("t") is None


def test_other_modes_of_execution_come_from_hooks(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Neg", ["x"], ["y"])], {"x": [2]}, ["y"])
    model.set_tensor_shape("y", [2])

    def simulate(model: ModelWrapper, context: dict[str, np.ndarray], **_: object) -> None:
        context["y"] = context["x"] * 10

    hooks.register("rtlsim_exec", simulate)
    try:
        model.set_metadata_prop("exec_mode", "rtlsim")
        assert execute_onnx(model, {"x": np.ones(2, np.float32)})["y"].tolist() == [10, 10]
    finally:
        hooks.unregister("rtlsim_exec")
    model.set_metadata_prop("exec_mode", "rtl_sim")
    with pytest.raises(ConfigError, match=r"no exec_mode 'rtl_sim'.*did you mean 'rtlsim'"):
        execute_onnx(model, {"x": np.ones(2, np.float32)})
    model.set_metadata_prop("exec_mode", "")
    assert execute_onnx(model, {"x": np.ones(2, np.float32)})["y"].tolist() == [-1, -1]


def test_contexts_for_old_scripts(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Add", ["x", "c"], ["y"])], {"x": [2]}, ["y"], {"c": np.float32(1)})
    model.set_tensor_shape("y", [2])
    context = copy.copy(model.make_empty_exec_context())
    assert context[""] is None
    assert context["x"].tolist() == [0, 0]
    assert context["c"].tolist() == 1
