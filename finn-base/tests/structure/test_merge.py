"""Merged models compute the one after the other and lose nothing."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import ModelError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.merge_onnx_models import MergeONNXModels

from .networks import annotations, feeds, graphs, value  # noqa: TID252 - test helpers are no installed package


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs(), st.booleans())
def test_one_after_the_other(pre: ModelWrapper, post: ModelWrapper, cleanup: bool) -> None:
    before = pre.model.SerializeToString(), post.model.SerializeToString()
    merged = post.transform(MergeONNXModels(pre), cleanup=cleanup)
    assert (pre.model.SerializeToString(), post.model.SerializeToString()) == before
    if not cleanup:
        onnx.checker.check_model(merged.model)
    pre_in, pre_out, post_in, post_out, ins, outs = (
        [v.name for v in values] for model in (pre, post, merged) for values in (model.graph.input, model.graph.output)
    )
    assert len(ins) == len(pre_in) + len(post_in) - 1
    assert len(outs) == len(pre_out) + len(post_out) - 1
    assert ins[: len(pre_in)] == pre_in, "the inputs of the pre-model keep their names"
    x = {name: array + i for i, (name, array) in enumerate(feeds(merged).items())}
    first = list(execute_onnx(pre, dict(zip(pre_in, x.values(), strict=False))).values())
    rest = list(x.values())[len(pre_in) :]
    second = execute_onnx(post, dict(zip(post_in, [first[0], *rest], strict=True)))
    results = execute_onnx(merged, x)
    for expected, name in zip([*second.values(), *first[1:]], outs, strict=True):
        np.testing.assert_array_equal(results[name], expected)
    if not cleanup:
        count = len(annotations(pre)) + len(annotations(post))
        assert len(annotations(merged)) >= count - len({pre_out[0], post_in[0]})
    assert merged.get_metadata_prop("clk_ns") == "5"


def single(op_type: str, shape: list[int | str], opset: int = 13, **attributes: object) -> ModelWrapper:
    """x -> op -> y"""
    node = helper.make_node(op_type, ["x"], ["y"], "N0", **attributes)
    output = onnx.ValueInfoProto(name="y")
    graph = helper.make_graph([node], "g", [value("x", shape)], [output])
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
    return model.transform(InferShapes())


def test_names_imports_metadata_functions() -> None:
    pre, post = single("Relu", [2, 3], 12), single("Neg", ["N", 3], 13)
    body = helper.make_node("Abs", ["a"], ["b"])
    other = helper.make_node("Neg", ["a"], ["b"])
    for model, inner in ((pre, body), (post, other)):
        function = helper.make_function("mine", "F", ["a"], ["b"], [inner], model.model.opset_import)
        model.model.functions.append(function)
        model.graph.node.append(helper.make_node("F", [model.graph.node[0].output[0]], ["z"], "call", domain="mine"))
        model.graph.node[0].output[0], model.graph.node[1].input[0] = "inner", "inner"
        model.graph.node[1].output[0] = "y"
        model.set_opset_import("mine", 1)
    pre.set_opset_import("only.pre", 4)
    pre.set_metadata_prop("a", "pre")
    pre.set_metadata_prop("b", "pre")
    post.set_metadata_prop("b", "post")
    pre.model.ir_version = 9
    x = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)
    expected = execute_onnx(post, {"x": execute_onnx(pre, {"x": x})["y"]})["y"]
    # A function of the model is no custom operator, but shape inference of this package wants to know it.
    merged = post.transform(MergeONNXModels(pre))
    np.testing.assert_array_equal(execute_onnx(merged, {"x": x})["y"], expected)
    assert merged.get_opset_imports() == {"": 13, "mine": 1, "only.pre": 4}
    assert [merged.get_metadata_prop(key) for key in "ab"] == ["pre", "post"]
    assert merged.model.ir_version == 9
    assert [(f.name, f.node[0].op_type) for f in merged.model.functions] == [("F", "Neg"), ("F_1", "Abs")]
    assert [(n.name, n.op_type) for n in merged.graph.node] == [
        ("N0_1", "Relu"), ("call_1", "F_1"), ("N0", "Neg"), ("call", "F")
    ]  # fmt: skip
    assert merged.get_tensor_shape(merged.graph.node[1].output[0]) == [2, 3]
    onnx.checker.check_model(merged.model)


def test_dimensions_that_one_side_knows() -> None:
    merged = single("Neg", [2, "C"]).transform(MergeONNXModels(single("Relu", ["N", 3])))
    assert merged.get_tensor_shape(merged.graph.node[0].output[0]) == [2, 3]


@pytest.mark.parametrize(
    ("pre", "post", "message"),
    [
        (single("Relu", [2, 3]), single("Neg", [2, 4]), r"the shapes differ: \[2, 3\] and \[2, 4\]"),
        (single("Relu", [2, 3]), single("Neg", [2, 3, 1]), r"the shapes differ: \[2, 3\] and \[2, 3, 1\]"),
        (
            single("Cast", [2, 3], to=TensorProto.INT8),
            single("Neg", [2, 3]),
            "the element types differ: INT8 and FLOAT",
        ),
    ],
)
def test_what_does_not_fit_is_refused(pre: ModelWrapper, post: ModelWrapper, message: str) -> None:
    before = post.model.SerializeToString()
    with pytest.raises(ModelError, match=f"output 'y' of pre_model and input 'x' of the model: {message}"):
        post.transform(MergeONNXModels(pre), make_deepcopy=False)
    assert post.model.SerializeToString() == before


@pytest.mark.parametrize(
    ("given", "wanted", "result"),
    [
        ("INT4", "INT8", "INT4"), ("UINT4", "INT8", "UINT4"), ("INT4", None, "INT4"), (None, "INT4", "INT4"),
        ("FLOAT32", "INT4", "INT4"), ("INT8", "INT4", None), ("INT4", "UINT4", None), ("TERNARY", "BIPOLAR", None),
        ("INT2", "FIXED<8,4>", None),
    ],
)  # fmt: skip
def test_data_types(given: str | None, wanted: str | None, result: str | None) -> None:
    pre, post = single("Identity", [2, 3]), single("Identity", [2, 3])
    for model, name, datatype in ((pre, "y", given), (post, "x", wanted)):
        if datatype is not None:
            model.set_tensor_datatype(name, DataType[datatype])
    if given is not None:
        pre.set_tensor_datatype("x", DataType[given])
    if result is None:
        with pytest.raises(ModelError, match=f"annotations 'finn_datatype' differ: {given} and {wanted}"):
            post.transform(MergeONNXModels(pre))
    else:
        merged = post.transform(MergeONNXModels(pre), cleanup=False)
        if given not in (None, "FLOAT32"):  # else inference goes by the input of pre_model
            assert merged.get_tensor_datatype(merged.graph.node[0].output[0]) == result


def test_layouts() -> None:
    pre, post = single("Relu", [2, 3]), single("Neg", [2, 3])
    pre.set_tensor_layout("y", [])
    post.set_tensor_layout("x", ["N", "C"])
    merged = post.transform(MergeONNXModels(pre))
    assert merged.get_tensor_layout(merged.graph.node[0].output[0]) == ["N", "C"]
    pre.set_tensor_layout("y", ["N", "W"])
    with pytest.raises(ModelError, match=r"annotations 'tensor_layout' differ: \['N', 'W'\] and \['N', 'C'\]"):
        post.transform(MergeONNXModels(pre))


@pytest.mark.parametrize(
    ("op_type", "old", "new", "attributes"),
    [
        ("Clip", 9, 13, {"min": 0.0}),
        ("Softmax", 11, 13, {}),
        ("Softmax", 11, 17, {"axis": 1}),
        ("Squeeze", 11, 14, {"axes": [0]}),
        ("Pad", 9, 15, {"pads": [0, 1, 0, 0, 0, 2]}),
        ("Relu", 7, 21, {}),
    ],
)
@pytest.mark.parametrize("old_first", [True, False])
def test_versions(op_type: str, old: int, new: int, attributes: dict[str, object], old_first: bool) -> None:
    shape = [1, 2, 3]
    pre, post = single("Abs", shape, new), single(op_type, shape, old, **attributes)
    if old_first:
        pre, post = post, single("Abs", post.get_tensor_shape("y") or [], new)
    merged = post.transform(MergeONNXModels(pre))
    assert merged.get_opset_imports()[""] == new
    onnx.checker.check_model(merged.model)
    x = np.arange(6, dtype=np.float32).reshape(shape) - 3
    expected = execute_onnx(post, {"x": execute_onnx(pre, {"x": x})["y"]})["y"]
    np.testing.assert_array_equal(execute_onnx(merged, {"x": x})["y"], expected)


def test_versions_that_cannot_be_brought_together() -> None:
    pre, post = single("ReduceMean", [2, 3], 13, axes=[1], keepdims=0), single("Neg", [2], 18)
    before = post.model.SerializeToString()
    with pytest.raises(
        UnsupportedError, match=r"node ReduceMean 'N0': .* from version 13 to 18 \(its attribute 'axes'"
    ):
        post.transform(MergeONNXModels(pre), make_deepcopy=False)
    assert post.model.SerializeToString() == before


def test_constants_do_not_count() -> None:
    pre, post = single("Relu", [2, 3]), single("Neg", [2, 3])
    for model in (pre, post):  # as files before IR version 4 list them
        model.graph.input.insert(0, value("w", [3]))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "w"))
        model.graph.node[0].op_type = "Add"
        model.graph.node[0].input.append("w")
    merged = post.transform(MergeONNXModels(pre))
    assert [v.name for v in merged.graph.input] == ["x"]
    x = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(execute_onnx(merged, {"x": x})["y"], x + 2)
