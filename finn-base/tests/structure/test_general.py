"""Names, clean-up and removal in graphs with bodies of control flow, omitted inputs, returned inputs and constants."""

from __future__ import annotations

import importlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.errors import ConfigError, ModelError, UnknownAttributeError
from finn.core.index import captured, reads, subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import NodeLocalTransformation, Transformation
from finn.transformation.general import (
    ApplyConfig,
    ConvertDivToMul,
    ConvertSubToAdd,
    GiveRandomTensorNames,
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    GiveUniqueTensorNames,
    MovePadAttributeToTensor,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
    SortCommutativeInputsInitializerLast,
    SortGraph,
    group_inputs_by_category,
)
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.remove import RemoveIdentityOps, RemoveUnusedNodes, remove_node_and_rewire
from finn.util.config import extract_model_config_to_json

from .networks import GENERAL, annotations, feeds, graphs, value  # noqa: TID252 - test helpers are no package
from .work import CountReadersInProcesses  # noqa: TID252

ALL: list[Callable[[], Transformation]] = [
    RemoveUnusedTensors, RemoveStaticGraphInputs, SortGraph, SortCommutativeInputsInitializerLast, RemoveUnusedNodes,
    GiveUniqueParameterTensors, GiveUniqueNodeNames, GiveUniqueTensorNames, GiveRandomTensorNames, ConvertSubToAdd,
    ConvertDivToMul, GiveReadableTensorNames, RemoveIdentityOps, MovePadAttributeToTensor,
]  # fmt: skip


def require_sound(model: ModelWrapper) -> None:
    """Every tensor that is read, returned or annotated is made, given or constant, and each name has one meaning."""
    graph = model.graph
    sources = [v.name for v in graph.input] + [n for node in graph.node for n in node.output if n]
    constants = {t.name for t in graph.initializer}
    assert len(set(sources)) == len(sources)
    known = {*sources, *constants}
    assert {name for node in graph.node for name in reads(node)} <= known
    assert {v.name for v in graph.output} <= known
    assert set(annotations(model)) <= known
    for body in (b for node in graph.node for b in subgraphs(node)):
        assert set(captured(body)) <= known
        assert not {n for node in body.node for n in node.output} & known, "a body hides a tensor of the graph"


@settings(max_examples=100, deadline=None)
@given(graphs(), st.sampled_from(ALL), st.booleans(), st.data())
def test_results_stay(
    model: ModelWrapper, make: Callable[[], Transformation], cleanup: bool, data: st.DataObject
) -> None:
    for node in list(model.graph.node):  # some identities and dead ends
        if data.draw(st.booleans()):
            name = f"{node.output[0]}_before"
            model.graph.node.append(helper.make_node("Identity", [name], [node.output[0]], f"I{name}"))
            node.output[0] = name
            model.graph.node.append(helper.make_node("Relu", [name], [f"{name}_dead"], f"R{name}"))
    model = model.transform(SortGraph(), cleanup=False)
    before = model.model.SerializeToString()
    result = model.transform(make(), cleanup=cleanup)
    assert model.model.SerializeToString() == before
    require_sound(result)
    x = feeds(model)
    expected = execute_onnx(model, x)
    found = execute_onnx(result, dict(zip([v.name for v in result.graph.input], x.values(), strict=True)))
    for old, new in zip(expected.values(), found.values(), strict=True):
        np.testing.assert_array_equal(new, old)


def odd_ports() -> ModelWrapper:
    """A graph input that is returned as it is, a constant that is returned and read, an omitted input and output,
    bodies that capture all of them and whose own names are those that readable names will be."""
    names = ["If_0_out0", "global_in", "Clip_0_out0"]
    nodes = [
        helper.make_node("Relu", ["x"], [names[0]]),
        helper.make_node("Add", [names[0], "k"], [names[1]]),
        helper.make_node("Sub", [names[1], "y"], [names[2]]),
    ]
    body = helper.make_graph(nodes, "b", [], [value(names[2])])
    graph = helper.make_graph(
        [
            helper.make_node("If", ["c"], ["i"], then_branch=body, else_branch=body),
            helper.make_node("Clip", ["i", "", "top"], ["y2"]),
            helper.make_node("Unsqueeze", ["y2", "axis"], ["u"]),
            helper.make_node("RNN", ["u", "W", "R"], ["", "h"], hidden_size=1),
        ],
        "odd",
        [value("x"), value("y")],
        [value("y2"), value("x"), value("k", [3]), value("h", [1, 2, 1])],
    )
    constants = {"c": np.array(True), "k": np.arange(3, dtype=np.float32), "top": np.float32(2), "axis": np.array([0])}
    constants |= {"W": np.ones((1, 1, 3), np.float32), "R": np.ones((1, 1, 1), np.float32)}
    constants["Clip_0_param0"] = np.zeros(3, np.float32)  # read by a body only
    graph.node[0].attribute[0].g.node[1].input[1] = "Clip_0_param0"
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items())
    return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("cleanup", [False, True])
def test_odd_ports(make: Callable[[], Transformation], cleanup: bool) -> None:
    model = odd_ports()
    require_sound(model)
    for node in model.graph.node:
        node.name = f"{node.op_type}_0"
    result = model.transform(make(), cleanup=cleanup)
    require_sound(result)
    onnx.checker.check_model(result.model)
    arrays = list(feeds(model).values())
    expected = execute_onnx(model, dict(zip(["x", "y"], arrays, strict=True)))
    found = execute_onnx(result, dict(zip([v.name for v in result.graph.input], arrays, strict=True)))
    for old, new in zip(expected.values(), found.values(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_readable_names_of_odd_ports() -> None:
    model = odd_ports().transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    assert [v.name for v in model.graph.input] == ["global_out_1", "global_in_1"]
    assert [v.name for v in model.graph.output] == ["global_out", "global_out_1", "global_out_2", "global_out_3"]
    assert [(n.name, *n.input, *n.output) for n in model.graph.node] == [
        ("If_0", "If_0_param0", "If_0_out0"),
        ("Clip_0", "If_0_out0", "", "Clip_0_param0", "global_out"),
        ("Unsqueeze_0", "global_out", "Unsqueeze_0_param0", "Unsqueeze_0_out0"),
        ("RNN_0", "Unsqueeze_0_out0", "RNN_0_param0", "RNN_0_param1", "", "global_out_3"),
    ]


def test_unique_and_random_names() -> None:
    model = odd_ports().transform(GiveUniqueTensorNames())
    assert [v.name for v in model.graph.input] == ["tensor_0", "tensor_1"]
    assert sorted(model.get_all_tensor_names()) == sorted(f"tensor_{i}" for i in range(13))
    state = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    first, again, other = (
        odd_ports().transform(GiveRandomTensorNames(seed)).get_all_tensor_names() for seed in (1, 1, None)
    )
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index,union-attr]
    assert first == again
    assert not set(first) & set(other)
    assert all(re.fullmatch("t[0-9a-f]{16}", name) for name in other)


def test_shared_constants_of_bodies_stay_shared() -> None:
    model = odd_ports()
    model.graph.node[1].input[2] = "k"
    model.set_initializer("k", np.float32(2))
    assert {t.name for t in model.transform(GiveUniqueParameterTensors()).graph.initializer} == {
        "c", "k", "k_copy", "axis", "W", "R", "Clip_0_param0"
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- removal


def test_identities_behind_captures() -> None:
    body = helper.make_graph([helper.make_node("Neg", ["i"], ["b"])], "b", [], [value("b")])
    nodes = [
        helper.make_node("Identity", ["x"], ["i"]),
        helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Identity", ["r"], ["z"]),
        helper.make_node("If", ["c"], ["w"], then_branch=of("r"), else_branch=of("r")),
    ]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("z"), value("w")])
    graph.initializer.append(numpy_helper.from_array(np.array(True), "c"))
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    x = feeds(model)
    expected = execute_onnx(model, x)
    result = model.transform(RemoveIdentityOps())
    require_sound(result)
    assert [n.op_type for n in result.graph.node] == ["If", "Relu", "If"]
    for name, array in execute_onnx(result, x).items():
        np.testing.assert_array_equal(array, expected[name])


def of(name: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node("Abs", [name], ["a"])], "abs", [], [value("a")])


def pads(opset: int) -> tuple[list[str], dict[str, list[int]]]:
    return (["x"], {"pads": [0] * 4}) if opset < 11 else (["x", "zeros"], {})


@pytest.mark.parametrize(
    ("op_type", "inputs", "opset", "attributes", "goes"),
    [
        ("Add", ["zero", "x"], 13, {}, True),
        ("Sub", ["zero", "x"], 13, {}, False),
        ("Mul", ["one", "x"], 13, {}, True),
        ("Div", ["x", "one"], 13, {}, True),
        ("Mul", ["x", "wide"], 13, {}, False),
        ("Mul", ["x", "deep"], 13, {}, False),
        ("Pad", *pads(9)[:1], 9, pads(9)[1], True),
        ("Pad", ["x"], 9, {"pads": [0, 1, 0, 0]}, False),
        ("Pad", ["x", "zeros"], 13, {}, True),
        ("Dropout", ["x"], 9, {"ratio": 0.5}, True),
        ("Dropout", ["x", "half"], 13, {}, True),
        ("Dropout", ["x", "half", "true"], 13, {}, False),
        ("Dropout", ["x", "none", "true"], 13, {}, True),
        ("Max", ["x", "zero"], 13, {}, False),
    ],
)
@pytest.mark.parametrize("batch", [2, "N"])
def test_what_is_an_identity(
    op_type: str, inputs: list[str], opset: int, attributes: dict[str, object], goes: bool, batch: int | str
) -> None:
    nodes = [helper.make_node(op_type, inputs, ["a"], **attributes), helper.make_node("Neg", ["a"], ["y"])]
    graph = helper.make_graph(nodes, "g", [value("x", [batch, 3])], [value("y", [batch, 3])])
    constants = {
        "zero": np.zeros((1, 3), np.float32), "one": np.ones(3, np.float32), "wide": np.ones((4, 3), np.float32),
        "deep": np.ones((1, 1, 3), np.float32), "zeros": np.zeros(4, np.int64), "half": np.float32(0.5),
        "true": np.array(True), "none": np.float32(0),
    }  # fmt: skip
    if batch == 2:
        constants.pop("wide")  # does not even broadcast
        if "wide" in inputs:
            return
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items())
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
    result = model.transform(RemoveIdentityOps())
    assert [n.op_type for n in result.graph.node] == (["Neg"] if goes else [op_type, "Neg"])
    if goes:
        assert len(result.graph.initializer) == 0


def test_rewiring_says_whether_it_could() -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["y", "mask"], "D"), helper.make_node("Constant", [], ["c"], "C")]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y"), value("mask", None, TensorProto.BOOL)])
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    before = model.model.SerializeToString()
    assert [remove_node_and_rewire(model, node) for node in list(model.graph.node)] == [False, False]
    assert model.model.SerializeToString() == before


def test_unused_nodes_take_their_tensors_along() -> None:
    model = odd_ports()
    model.graph.node.append(helper.make_node("Add", ["i", "own"], ["dead"]))
    model.set_initializer("own", np.float32(1))
    model.set_tensor_shape("dead", [2, 3])
    result = model.transform(RemoveUnusedNodes(), cleanup=False)
    assert result.graph.node == odd_ports().graph.node
    assert "own" not in result.get_all_tensor_names()
    assert "dead" not in result.get_all_tensor_names()


# ------------------------------------------------------------------------------------------------- Pad, inputs, config


@pytest.mark.parametrize("opset", [9, 10, 13])
@pytest.mark.parametrize("amount", [0.0, 1.5])
def test_pad_attributes(opset: int, amount: float) -> None:
    attributes: dict[str, object] = {"pads": [0, 1, 0, 2], "mode": "constant"} | ({"value": amount} if amount else {})
    nodes = [helper.make_node("Pad", ["x"], ["p"], "P", **attributes), helper.make_node("Relu", ["p"], ["y"])]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y", [2, 6])])
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
    result = model.transform(MovePadAttributeToTensor())
    onnx.checker.check_model(result.model)
    assert result.get_opset_imports()[""] == max(opset, 11)
    assert [a.name for a in result.graph.node[0].attribute] == ["mode"]
    assert len(result.graph.node[0].input) == (3 if amount else 2)
    x = feeds(model)["x"]
    expected = np.maximum(np.pad(x, ((0, 0), (1, 2)), constant_values=amount), 0)
    np.testing.assert_array_equal(execute_onnx(result, {"x": x})["y"], expected)
    assert result.transform(MovePadAttributeToTensor()).model == result.model


def test_inputs_by_category() -> None:
    model = odd_ports()
    assert group_inputs_by_category(model.graph.node[1], model) == (["i"], ["top"])
    assert group_inputs_by_category(model.graph.node[0], model) == ([], ["c"])


def quantizers() -> ModelWrapper:
    parameters = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    nodes = [
        helper.make_node("Quant", ["x" if i == 0 else "q0", *parameters], [f"q{i}"], f"Q{i}", domain=GENERAL,
                         signed=1, narrow=i)
        for i in range(2)
    ]  # fmt: skip
    nodes.append(helper.make_node("Relu", ["q1"], ["y"], "R"))
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")])
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in parameters.items())
    return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))


def test_configurations_are_read_back(tmp_path: Path) -> None:
    model, file = quantizers(), tmp_path / "config.json"
    extract_model_config_to_json(model, file, ["narrow", "rounding_mode", "nothing"])
    assert json.loads(file.read_text()) == {
        "Defaults": {},
        "Q0": {"narrow": 0, "rounding_mode": "ROUND"},
        "Q1": {"narrow": 1, "rounding_mode": "ROUND"},
    }
    for node in model.graph.node[:2]:
        getCustomOp(node).set_nodeattr("narrow", 0)
        getCustomOp(node).set_nodeattr("rounding_mode", "FLOOR")
    back = model.transform(ApplyConfig(file))
    assert [getCustomOp(n).get_nodeattr("narrow") for n in back.graph.node[:2]] == [0, 1]
    assert getCustomOp(back.graph.node[0]).get_nodeattr("rounding_mode") == "ROUND"
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]
    model.graph.node[1].name = "Q0"
    with pytest.raises(ModelError, match=r"the node name 'Q0' is not unique. Remedy: apply GiveUniqueNodeNames first"):
        extract_model_config_to_json(model, file, ["narrow"])
    assert len(json.loads(file.read_text())) == 3, "the file of before stays"


def test_configurations_are_checked_before_anything_is_set(tmp_path: Path) -> None:
    model = quantizers()
    before = model.model.SerializeToString()
    with pytest.raises(UnknownAttributeError, match="'Q1': there is no attribute 'wide'"):
        model.transform(ApplyConfig({"Q0": {"narrow": 1}, "Q1": {"wide": 1}}), make_deepcopy=False)
    assert model.model.SerializeToString() == before
    for config, message in (
        ({"Q0": 3}, "the entry 'Q0' is 3. Remedy: use {attribute: value}"),
        ({"Defaults": {"narrow": 1}}, "the default of 'narrow' is 1"),
        ({"Defaults": {"narrow": [1, "Quant"]}}, r"the default of 'narrow' is \[1, 'Quant'\]"),
    ):
        with pytest.raises(ConfigError, match=message):
            ApplyConfig(config)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="an entry for 'R', which is a standard node"):
        model.transform(ApplyConfig({"R": {"narrow": 1}}))
    chosen = model.transform(ApplyConfig({"Defaults": {"narrow": [1, "all"]}}, lambda node: node.name == "Q0"))
    assert [getCustomOp(n).get_nodeattr("narrow") for n in chosen.graph.node[:2]] == [1, 1]


# ------------------------------------------------------------------------------------------------- workers and scaling


@pytest.mark.parametrize("name", ["CountReaders", "CountReadersInProcesses"])
def test_workers_see_the_whole_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    kind: type[NodeLocalTransformation] = getattr(importlib.import_module("work"), name)
    nodes = [helper.make_node("Relu", ["x" if i == 0 else "t0"], [f"t{i}"], f"N{i}") for i in range(5)]
    graph = helper.make_graph(nodes, "g", [value("x")], [value(f"t{i}") for i in range(1, 5)])
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    result = model.transform(kind(2))
    assert [n.name for n in result.graph.node] == ["N0(4)", *(f"N{i}(0)" for i in range(1, 5))]
    model.graph.node[3].op_type = "Neg"
    with pytest.raises(ModelError, match="node Neg 'N3': no negation, please"):
        model.transform(kind(2 if name == "CountReaders" else 1))


def test_what_cannot_be_sent_is_told() -> None:
    class Local(CountReadersInProcesses):
        pass

    model = odd_ports()
    with pytest.raises(
        ConfigError, match=r"Local cannot be sent to other processes .*define the class at module level"
    ):
        model.transform(Local(2))
    with pytest.raises(ConfigError, match="the workers of CountReadersInProcesses have died"):
        model.transform(CountReadersInProcesses(2))  # whose module has no name that another process could import


def test_cost_grows_with_the_number_of_nodes() -> None:
    """No transformation takes four times the time for twice the nodes: that would be n^2."""

    def chain(n: int) -> ModelWrapper:
        ops = ("Add", "Mul", "Relu", "Sub", "Identity", "Div")
        nodes = []
        for i in range(n):
            constants = [] if ops[i % 6] in ("Relu", "Identity") else [f"w{i}"]
            nodes.append(helper.make_node(ops[i % 6], [f"t{i}", *constants], [f"t{i + 1}"], f"N{i}"))
            nodes.append(helper.make_node("Abs", [f"t{i}"], [f"d{i}"], f"D{i}"))  # dead
        graph = helper.make_graph(nodes, "g", [value("t0")], [value(f"t{n}")])
        names = [name for node in nodes for name in node.input[1:]]
        graph.initializer.extend(numpy_helper.from_array(np.ones(3, np.float32), name) for name in names)
        return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))

    def seconds(make: Callable[[], Transformation], model: ModelWrapper) -> float:
        model, step = ModelWrapper(model.model, make_deepcopy=True), make()
        start = time.process_time()
        step.apply(model)
        return time.process_time() - start

    small, large = (chain(n).transform(InferShapes()) for n in (120, 960))
    for make in ALL:
        fast, slow = (min(seconds(make, model) for _ in range(2)) for model in (small, large))
        assert slow < 24 * max(fast, 1e-3), f"{make.__name__}: {fast:.4f} s for 240 nodes, {slow:.4f} s for 1920"
