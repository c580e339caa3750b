"""Layouts follow from what operators mean, not from how many axes a tensor has."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from onnx import TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.channels_last import ConvertToChannelsLastAndClean
from finn.transformation.infer_data_layouts import InferDataLayouts
from finn.transformation.infer_shapes import InferShapes
from finn.util.cleanup import cleanup_model

from .networks import BOUND, FREE, networks  # noqa: TID252 - test helpers are no installed package

GENERAL = "finn.custom_op.general"
POOL = {"stride": 1, "kernel": 2, "ibits": 4, "obits": 4, "signed": 0, "data_layout": "NHWC"}
LEVELS = {"out_dtype": "UINT2", "data_layout": "NCW"}
SHAPES = {"NC": [2, 6], "NCW": [2, 6, 5], "NWC": [2, 5, 6], "NCHW": [2, 6, 4, 5], "NHWC": [2, 4, 5, 6]}
SHAPES |= {"NCDHW": [2, 6, 3, 4, 5], "": [2, 3, 4, 5, 6, 7]}


def layouts(model: ModelWrapper) -> dict[str, str]:
    """{computed tensor: its layout as one word}."""
    model = model.transform(InferShapes()).transform(InferDataLayouts())
    names = [value.name for value in model.graph.input] + [name for node in model.graph.node for name in node.output]
    return {name: "".join(model.get_tensor_layout(name) or []) for name in names}


CASES = {
    # (op type, attributes, constants): {layout of x: layout of y}
    "Relu": (("Relu", {}, {}), {name: name for name in SHAPES}),
    "Conv": (("Conv", {}, {"w": np.ones((3, 6, 2, 2), np.float32)}), {"NCHW": "NCHW"}),
    "Conv1d": (("Conv", {}, {"w": np.ones((3, 6, 2), np.float32)}), {"NCW": "NCW"}),
    "Conv3d": (("Conv", {}, {"w": np.ones((3, 6, 2, 2, 2), np.float32)}), {"NCDHW": "NCDHW"}),
    "Transpose": (("Transpose", {"perm": [0, 2, 3, 1]}, {}), {"NCHW": "NHWC", "NHWC": "NWCH"}),
    "reversed": (("Transpose", {}, {}), {"NC": "CN", "NWC": "CWN"}),
    "Flatten": (("Flatten", {}, {}), {"NCHW": "NC", "NWC": "NC"}),
    "MatMul": (("MatMul", {}, {"w": np.ones((6, 3), np.float32)}), {"NC": "NC", "NWC": "NWC", "NHWC": "NHWC"}),
    "Gemm": (("Gemm", {}, {"w": np.ones((6, 3), np.float32)}), {"NC": "NC"}),
    "Unsqueeze": (("Unsqueeze", {}, {"a": np.array([1])}), {"NC": "NxC", "NCW": "NxCW"}),
    "unsqueezed behind": (("Unsqueeze", {}, {"a": np.array([-1, -2])}), {"NC": "NCxx"}),
    "per channel": (("Add", {}, {"b": np.ones((6, 1, 1), np.float32)}), {"NCHW": "NCHW"}),
    "kept axes": (("ReduceMean", {"axes": [2, 3]}, {}), {"NCHW": "NCHW"}),
    "reduced axes": (("ReduceMean", {"axes": [1, -1], "keepdims": 0}, {}), {"NCHW": "NH", "NHWC": "NW"}),
    "ArgMax": (("ArgMax", {"axis": 1, "keepdims": 0}, {}), {"NCHW": "NHW"}),
    "split apart": (("Reshape", {}, {"s": np.array([2, 6, 20])}), {"NCHW": "NCW"}),
    "split last": (("Reshape", {}, {"s": np.array([2, 20, 6])}), {"NHWC": "NWC"}),
    "mixed up": (("Reshape", {}, {"s": np.array([2, 3, 40])}), {"NCHW": ""}),
    "as a matrix": (("Reshape", {}, {"s": np.array([0, -1])}), {"NCHW": "NC", "NWC": "NC"}),
    "one": (("Gather", {"axis": 2}, {"i": np.array(1)}), {"NCHW": "NCW"}),
    "some": (("Gather", {"axis": 2}, {"i": np.array([1, 0])}), {"NCHW": "NCHW"}),
    "a table": (("Gather", {"axis": 2}, {"i": np.array([[1, 0]])}), {"NCHW": ""}),
    "Shape": (("Shape", {}, {}), {"NCHW": ""}),
}


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [pytest.param(case, x, y, id=f"{name} {x}") for name, (case, found) in CASES.items() for x, y in found.items()],
)
def test_operators(build, case, before: str, after: str) -> None:  # type: ignore[no-untyped-def]
    op_type, attributes, constants = case
    node = helper.make_node(op_type, ["x", *constants], ["y"], **attributes)
    model = build([node], {"x": SHAPES[before]}, ["y"], constants)
    if op_type in ("ArgMax", "Shape"):
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    model.set_tensor_layout("x", list(before))
    assert layouts(model) == {"x": before, "y": after}


@pytest.mark.parametrize(("shape", "layout"), [(SHAPES[k], k) for k in ("NC", "NWC", "NCHW", "NCDHW")] + [([3], "")])
def test_defaults_of_inputs(build, shape: list[int], layout: str) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": shape}, ["y"])
    assert layouts(model) == {"x": layout, "y": layout}
    model.set_tensor_layout("x", ["N", "H", "W", "C", "x", "x"])  # contradicts the rank
    assert layouts(model)["x"] == layout


@pytest.mark.parametrize(
    ("nodes", "shape", "layout"),
    [
        ([helper.make_node("Conv", ["x", "w"], ["y"])], [2, 6, 5], "NCW"),
        ([helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Conv", ["a", "w"], ["y"])], [2, 6, 5], "NCW"),
        (
            [helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 1]), helper.make_node("Conv", ["a", "w"], ["y"])],
            [2, 5, 6],
            "NWC",
        ),
        (
            [helper.make_node("Transpose", ["x"], ["a"], perm=[1, 2, 0]), helper.make_node("Conv", ["a", "w"], ["y"])],
            [5, 2, 6],
            "WNC",
        ),
        (
            [helper.make_node("Unsqueeze", ["x", "one"], ["a"]), helper.make_node("Conv", ["a", "v"], ["y"])],
            [2, 4, 5],
            "NHW",
        ),
        ([helper.make_node("QuantAvgPool2d", ["x"], ["y"], domain=GENERAL, **POOL)], [2, 4, 5, 6], "NHWC"),
        ([helper.make_node("MultiThreshold", ["x", "t"], ["y"], domain=GENERAL, **LEVELS)], [2, 6, 5], "NCW"),
    ],
)
def test_inputs_have_the_layout_that_their_readers_require(build, nodes, shape, layout) -> None:  # type: ignore[no-untyped-def]
    constants = {"w": np.ones((3, 6, 2), np.float32), "v": np.ones((3, 1, 2, 2), np.float32), "one": np.array([1])}
    constants["t"] = np.ones((6, 3), np.float32)
    used = {name for node in nodes for name in node.input}
    model = build(nodes, {"x": shape}, ["y"], {name: value for name, value in constants.items() if name in used})
    assert layouts(model)["x"] == layout


def test_joined_inputs_have_the_same_layout(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["z"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    model = build(nodes, {"x": [2, 6, 5], "z": [2, 6, 5]}, ["y"], {"w": np.ones((6, 6, 1), np.float32)})
    assert set(layouts(model).values()) == {"NCW"}


def test_the_image_that_a_vector_becomes(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w"], ["y"]),
    ]
    constants = {"s": np.array([2, 6, 2, 5]), "w": np.ones((3, 6, 1, 1), np.float32)}
    assert layouts(build(nodes, {"x": [2, 60]}, ["y"], constants)) == {"x": "NC", "a": "NCHW", "b": "NCHW", "y": "NCHW"}


def test_weights_have_none(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "bits"], ["q"], domain=GENERAL, signed=1, narrow=0),
        helper.make_node("Conv", ["x", "q"], ["y"]),
    ]
    one, zero = np.float32(1), np.float32(0)
    constants = {"w": np.ones((3, 6, 1, 1), np.float32), "s": one, "z": zero, "bits": np.float32(2)}
    model = build(nodes, {"x": [2, 6, 4, 5]}, ["y"], constants).transform(InferShapes()).transform(InferDataLayouts())
    assert model.get_tensor_layout("q") is None
    assert model.get_tensor_layout("y") == ["N", "C", "H", "W"]


def test_hardware_operators_pass_layouts_on(build) -> None:  # type: ignore[no-untyped-def]
    """Those of other distributions need not be installed."""
    nodes = [
        helper.make_node("Thresholding", ["x"], ["a"], domain="finn.custom_op.fpgadataflow"),
        helper.make_node("MatrixVectorUnit", ["a"], ["b"], domain="finn.custom_op.fpgadataflow"),
    ]
    model = build(nodes, {"x": [2, 4, 5, 6]}, ["b"])
    model.set_tensor_layout("x", ["N", "H", "W", "C"])
    model.set_tensor_shape("a", [2, 4, 5, 6])
    model.set_tensor_shape("b", [2, 20, 6])
    model = model.transform(InferDataLayouts())
    assert model.get_tensor_layout("a") == ["N", "H", "W", "C"]
    assert model.get_tensor_layout("b") == ["N", "W", "C"]


def test_an_input_of_unknown_rank_is_said(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, ["y"])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.warns(UserWarning, match="the layout of input 'x' is not known: its rank is not"):
        model = model.transform(InferDataLayouts())
    assert model.get_tensor_layout("x") == model.get_tensor_layout("y") == []


@given(model=networks(operators=(*FREE, *BOUND)))
@settings(max_examples=60, deadline=None)
def test_every_layout_fits_its_tensor(model: ModelWrapper) -> None:
    for net in (model, model.transform(ConvertToChannelsLastAndClean(make_input_channels_last=True))):
        annotated = net.transform(InferDataLayouts())
        again = annotated.transform(InferDataLayouts())
        assert annotated.model.SerializeToString() == again.model.SerializeToString()
        for node in annotated.graph.node:
            for name in node.output:
                layout = annotated.get_tensor_layout(name)
                assert layout is None or len(layout) in (0, len(annotated.get_tensor_shape(name) or [])), name


@given(model=networks(inputs=1))
@settings(max_examples=60, deadline=None)
def test_networks_of_known_operators_are_channels_first(model: ModelWrapper) -> None:
    """No generated operator moves axes: all follows from the convolution, also in the channels-last form."""
    assume(any(node.op_type in {"BatchNormalization", "Conv", "MaxPool"} for node in model.graph.node))
    rank = len(model.get_tensor_shape("x0") or [])
    first = "NC" + "DHW"[-1 if rank == 3 else 5 - rank :]
    for net, word in ((model, first), (model.transform(ConvertToChannelsLastAndClean(True)), "N" + first[2:] + "C")):
        found = layouts(net)
        inner = [name for name in found if len(net.get_tensor_shape(name) or []) == rank and found[name]]
        outer = [n.output[0] for n in net.graph.node if n.op_type == "Transpose"]
        assert inner
        assert {found[name] for name in inner if name not in outer} <= {word}
        assert {found[name] for name in outer} <= {first}


@pytest.mark.parametrize("name", ["brevitas_resblock_w4a4", "brevitas_txblock_w8a8", "bnnpynq_cnv_w1a1_cifar10"])
def test_trained_networks(shared: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
        found = layouts(model)
    wanted = {"brevitas_txblock_w8a8": ("NWC", {"NWC", "NC", ""})}.get(name, ("NCHW", {"NCHW", "NC", ""}))
    assert found["global_in"] == wanted[0]
    assert set(found.values()) <= wanted[1], found
