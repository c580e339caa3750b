"""Every operator that changed between opsets 9 and 13 computes the same afterwards, in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.raise_opset import raise_opset

from .helpers import check, f32, make, run_ort  # noqa: TID252 - helpers are no package


def node(op_type: str, *inputs: str, outputs: tuple[str, ...] = ("y",), **attributes: Any) -> NodeProto:
    inputs = inputs or ("x",)
    return helper.make_node(op_type, [] if op_type == "Constant" else list(inputs), list(outputs), **attributes)


SHAPE = [2, 1, 4, 6]
INDICES = np.array([[[[1, 0, 2, 3, 5, 4]] * 4]] * 2, np.int64)
NODES: dict[str, tuple[int, NodeProto, dict[str, np.ndarray]]] = {
    "Clip": (9, node("Clip", min=-0.5, max=0.5), {}),
    "Clip below": (10, node("Clip", max=0.5), {}),
    "Clip not at all": (9, node("Clip"), {}),
    "Dropout": (9, node("Dropout", ratio=0.25), {}),
    "Dropout default": (11, node("Dropout"), {}),
    "Pad": (9, node("Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=1.5), {}),
    "Pad edges": (10, node("Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="edge"), {}),
    "ReduceSum": (9, node("ReduceSum", axes=[1, 3], keepdims=0), {}),
    "ReduceSum of all": (12, node("ReduceSum"), {}),
    "Slice": (9, node("Slice", starts=[1, -3], ends=[3, 9], axes=[2, 3]), {}),
    "Slice first axes": (9, node("Slice", starts=[0, 0, 1], ends=[1, 1, 3]), {}),
    "Split": (9, node("Split", outputs=("y", "z"), axis=3, split=[2, 4]), {}),
    "Split evenly": (12, node("Split", outputs=("y", "z"), axis=2), {}),
    "Squeeze": (9, node("Squeeze", axes=[1]), {}),
    "Squeeze all": (11, node("Squeeze"), {}),
    "TopK": (9, node("TopK", outputs=("y", "z"), k=3), {}),
    "Unsqueeze": (12, node("Unsqueeze", axes=[0, 3]), {}),
    "Softmax": (9, node("Softmax"), {}),
    "Softmax axis 2": (10, node("Softmax", axis=2), {}),
    "Softmax last": (9, node("Softmax", axis=3), {}),
    "LogSoftmax": (12, node("LogSoftmax", axis=-2), {}),
    "Hardmax": (11, node("Hardmax"), {}),
    "Scatter": (9, node("Scatter", "x", "i", "u", axis=3), {"i": INDICES, "u": f32(np.arange(48)).reshape(SHAPE)}),
    "Upsample": (9, node("Upsample", "x", "f", mode="nearest"), {"f": f32([1, 1, 2, 1.5])}),
    "Upsample linear": (9, node("Upsample", "x", "f", mode="linear"), {"f": f32([1, 1, 2, 3])}),
    "Resize": (10, node("Resize", "x", "f"), {"f": f32([1, 1, 2, 3])}),
    "Resize down": (10, node("Resize", "x", "f"), {"f": f32([1, 1, 0.5, 0.7])}),
    "Relu": (9, node("Relu"), {}),
}


def model_of(name: str) -> ModelWrapper:
    opset, n, constants = NODES[name]
    model = make([n], {"x": SHAPE}, constants, outputs=n.output, opset=opset, custom=False)
    if n.op_type == "TopK":
        model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    return model


@pytest.mark.parametrize("inferred", [True, False])
@pytest.mark.parametrize("name", NODES)
def test_same_results(name: str, inferred: bool) -> None:
    model = model_of(name)
    if inferred:
        model = model.transform(InferShapes())
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    before = run_ort(model, {"x": x})
    assert raise_opset(model, 13)
    assert model.get_opset_imports() == {"": 13}
    check(model)
    for a, b in zip(before, run_ort(model, {"x": x}), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not raise_opset(model, 13)


@pytest.mark.parametrize("version", [10, 11, 12])
@pytest.mark.parametrize("name", [name for name in NODES if NODES[name][0] == 9])
def test_on_the_way(name: str, version: int) -> None:
    model = model_of(name).transform(InferShapes())
    x = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    before = run_ort(model, {"x": x})
    raise_opset(model, version)
    check(model)
    for a, b in zip(before, run_ort(model, {"x": x}), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bodies_of_control_flow() -> None:
    def body(name: str, nodes: list[NodeProto]) -> Any:
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)])

    squeeze = node("Squeeze", "x", outputs=("a",), axes=[1])
    branches = {
        "then_branch": body("t", [squeeze, node("Softmax", "a", outputs=("t_y",), axis=1)]),
        "else_branch": body("e", [node("Squeeze", "s", outputs=("e_y",), axes=[1])]),
    }
    nodes = [node("Softmax", "x", outputs=("s",), axis=2), node("If", "c", **branches)]
    model = make(nodes, {"x": SHAPE, "c": []}, {}, opset=11, custom=False)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.BOOL
    x = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
    before = [run_ort(model, {"x": x, "c": np.asarray(c)})[0] for c in (True, False)]
    raise_opset(model, 13)
    after = [run_ort(model, {"x": x, "c": np.asarray(c)})[0] for c in (True, False)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_constants_have_the_type_of_the_input() -> None:
    model = make([node("Clip", min=0.0)], {"x": [2]}, {}, opset=10, kind=TensorProto.FLOAT16, custom=False)
    raise_opset(model, 13)
    assert model.get_initializer("y_min").dtype == np.float16


def test_names_and_annotations_stay() -> None:
    model = make([node("Clip", name="here", min=0.0)], {"x": [2]}, {"y_min": f32(3)}, opset=10, custom=False)
    model.set_tensor_layout("y", ["N"])
    raise_opset(model, 11)
    assert model.graph.node[0].name == "here"
    assert list(model.graph.node[0].input) == ["x", "y_min_1"]
    assert model.get_tensor_layout("y") == ["N"]


@pytest.mark.parametrize("scales", [f32([1, 1, 2, 0.5]), None])
def test_resize_that_has_no_equal(scales: np.ndarray | None) -> None:
    constants = {} if scales is None else {"f": scales}
    inputs = {"x": SHAPE} | ({"f": [4]} if scales is None else {})
    first = node("Clip", "x", outputs=("a",), min=0.0)
    model = make([first, node("Resize", "a", "f")], inputs, constants, opset=10, custom=False)
    before = model.model.SerializeToString()
    with pytest.raises(UnsupportedError) as error:
        raise_opset(model, 13)
    assert str(error.value) == (
        "node Resize that makes 'y': its scales are not constant, or some enlarge and others shrink "
        "(no Resize of opset 13 does the same). Remedy: export the model with opset 13"
    )
    assert model.model.SerializeToString() == before


@pytest.mark.parametrize(("opset", "version"), [(8, 13), (12, 14)])
def test_versions_that_are_not_known(opset: int, version: int) -> None:
    model = make([node("Relu")], {"x": [2]}, {}, opset=opset, custom=False)
    with pytest.raises(UnsupportedError, match=f"cannot raise a model of opset {opset} to {version}"):
        raise_opset(model, version)


def test_large_attribute_tensors_are_not_touched() -> None:
    """A Constant stays the very same node."""
    value = numpy_helper.from_array(np.arange(5, dtype=np.float32))
    model = make([node("Constant", outputs=("y",), value=value)], {}, {}, opset=9, custom=False)
    before = model.graph.node[0].SerializeToString()
    raise_opset(model, 13)
    assert model.graph.node[0].SerializeToString() == before
