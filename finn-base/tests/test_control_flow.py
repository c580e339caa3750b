"""If, Loop and Scan with custom operators in their bodies, against the same bodies in standard operators."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import GraphProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.basic import qonnx_make_model

F, I64, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
info = helper.make_tensor_value_info


def body(nodes, inputs, outputs, standard: bool) -> GraphProto:  # type: ignore[no-untyped-def]
    """A body whose Sign nodes are BipolarQuant unless `standard`; the inputs are never 0."""
    graph = helper.make_graph(copy.deepcopy(nodes), "body", inputs, outputs)
    for node in graph.node:
        if node.op_type == "Sign" and not standard:
            node.op_type, node.domain = "BipolarQuant", "finn.custom_op.general"
            node.input.append("one")
    return graph


def wrap(nodes, inputs, outputs) -> ModelWrapper:  # type: ignore[no-untyped-def]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    graph.initializer.append(helper.make_tensor("one", F, [], [1.0]))
    return ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))


def with_if(standard: bool) -> ModelWrapper:
    then = body([helper.make_node("Sign", ["x"], ["t"])], [], [info("t", F, [3])], standard)
    other = body([helper.make_node("Add", ["x", "one"], ["s"]), helper.make_node("Sign", ["s"], ["e"])],
                 [], [info("e", F, [3])], standard)  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    return wrap([node], [info("c", B, []), info("x", F, [3])], [info("y", F, [3])])


def with_loop(standard: bool) -> ModelWrapper:
    """y = x after n times x += sign(x); all signs and the sum at which it stops at the latest."""
    nodes = [
        helper.make_node("Sign", ["state"], ["sign"]),
        helper.make_node("Add", ["state", "sign"], ["next"]),
        helper.make_node("ReduceMax", ["next"], ["peak"], keepdims=0),
        helper.make_node("Less", ["peak", "bound"], ["go"]),
        helper.make_node("And", ["go", "goes"], ["keep"]),
        helper.make_node("Identity", ["sign"], ["row"]),
    ]
    inputs = [info("i", I64, []), info("goes", B, []), info("state", F, [3])]
    outputs = [info("keep", B, []), info("next", F, [3]), info("row", F, [3])]
    node = helper.make_node("Loop", ["n", "", "x"], ["y", "rows"], body=body(nodes, inputs, outputs, standard))
    return wrap([node], [info("n", I64, []), info("x", F, [3]), info("bound", F, [])],
                [info("y", F, [3]), info("rows", F, None)])  # fmt: skip


def with_scan(standard: bool) -> ModelWrapper:
    nodes = [
        helper.make_node("Sign", ["element"], ["sign"]),
        helper.make_node("Add", ["state", "sign"], ["next"]),
        helper.make_node("Identity", ["next"], ["row"]),
    ]
    inputs = [info("state", F, [3]), info("element", F, [3])]
    outputs = [info("next", F, [3]), info("row", F, [3])]
    node = helper.make_node(
        "Scan", ["x", "seq"], ["y", "rows"], body=body(nodes, inputs, outputs, standard), num_scan_inputs=1,
        scan_input_axes=[1], scan_input_directions=[1], scan_output_axes=[1], scan_output_directions=[1],
    )  # fmt: skip
    return wrap([node], [info("x", F, [3]), info("seq", F, [3, 4])], [info("y", F, [3]), info("rows", F, [3, 4])])


def agree(make, inputs) -> None:  # type: ignore[no-untyped-def]
    ours, standard = execute_onnx(make(False), inputs), execute_onnx(make(True), inputs)
    assert ours.keys() == standard.keys()
    for name, value in standard.items():
        np.testing.assert_array_equal(ours[name], value)
        assert ours[name].dtype == value.dtype
    doubles = execute_onnx(make(False), inputs, precision="float64")
    for name, value in standard.items():
        np.testing.assert_array_equal(doubles[name], value)


halves = st.lists(st.integers(-5, 4).map(lambda v: v + 0.5), min_size=3, max_size=3)


@settings(max_examples=15, deadline=None)
@given(x=halves, n=st.integers(0, 4), bound=st.integers(-3, 6), condition=st.booleans())
def test_bodies_with_custom_operators(x: list[float], n: int, bound: float, condition: bool) -> None:
    array = np.array(x, np.float32)
    agree(with_if, {"c": np.asarray(condition), "x": array})
    agree(with_loop, {"n": np.asarray(n), "x": array, "bound": np.float32(bound)})
    agree(with_scan, {"x": array, "seq": np.stack([array, -array, array + 1, array], 1)})


def test_annotations_of_captured_tensors_hold_in_the_body() -> None:
    model = with_if(standard=False)
    model.set_tensor_datatype("x", DataType["INT8"])
    assert execute_onnx(model, {"c": np.asarray(True), "x": np.array([1, -2, 0])})["y"].tolist() == [1, -1, 1]


def test_other_operators_with_such_bodies_are_refused() -> None:
    model = with_scan(standard=False)
    model.graph.node[0].op_type = "SequenceMap"
    with pytest.raises(UnsupportedError, match=r"SequenceMap.*cannot have custom operators in its body"):
        execute_onnx(model, {"x": np.ones(3, np.float32), "seq": np.ones((3, 4), np.float32)})
