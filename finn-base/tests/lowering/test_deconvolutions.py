"""Upsampling and sub-pixel convolutions become transposed ones; columns become channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, helper

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.lower_conv_transpose import LowerConvTranspose
from finn.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from finn.transformation.mutation import check_mutants
from finn.transformation.proof import prove
from finn.transformation.rebalance_conv import RebalanceIm2Col, rebalance_im2col
from finn.transformation.resize_conv_to_deconv import ResizeConvolutionToDeconvolution
from finn.transformation.subpixel_to_deconv import SubPixelToDeconvolution

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    GENERAL,
    QUICK,
    make,
    op_types,
    same,
    whole,
)


@pytest.mark.parametrize("channels", [2, 3])
def test_rebalancing_is_an_equation(channels: int) -> None:
    """The rules of tables are proved elsewhere; this one is made for each number of channels."""
    assert prove(rebalance_im2col(channels)) > 0
    check_mutants(rebalance_im2col(channels))


@st.composite
def dense(draw: Any) -> tuple[dict[str, Any], list[int], list[int]]:
    """Attributes of a 2-D Conv without strides and holes, shape of the image, kernel."""
    kernel, size = ([draw(st.integers(1, 4)) for _ in range(2)] for _ in range(2))
    mode = draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    attributes = {} if mode == "NOTSET" else {"auto_pad": mode}
    if mode in ("NOTSET", "VALID"):
        size = [max(s, k) for s, k in zip(size, kernel, strict=True)]
    if mode == "NOTSET":
        attributes["pads"] = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    return attributes, [draw(st.integers(1, 3)), draw(st.integers(1, 3)), *size], kernel


# ---------------------------------------------------------------------------------------------------------- sub-pixel


@given(dense(), st.integers(1, 3), st.sampled_from(["DCR", "CRD", None]), st.booleans(), st.integers(0, 99))
@QUICK
def test_subpixel(case: Any, r: int, mode: str | None, quantized: bool, seed: int) -> None:
    attributes, image, kernel = case
    shape = [2 * r * r, image[1], *kernel]
    constants = {"w": whole(seed, shape)}
    nodes = [
        helper.make_node("Conv", ["x", "wq" if quantized else "w"], ["c"], **attributes),
        helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=r, **({} if mode is None else {"mode": mode})),
    ]
    if quantized:
        constants |= {"s": np.exp2(whole(seed, [shape[0], 1, 1, 1], -1, 2)), "z": np.float32(0), "n": np.float32(3)}
        flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        nodes.insert(0, helper.make_node("Quant", ["w", "s", "z", "n"], ["wq"], domain=GENERAL, **flags))
    model = make(nodes, {"x": ["N", *image[1:]]}, constants, datatypes={"w": "INT5"})
    feeds = {"x": whole(seed + 1, image)}
    result = same(model, SubPixelToDeconvolution(), feeds)
    assert op_types(result) == (["Quant"] if quantized else []) + ["ConvTranspose"]
    weights = next(name for name in (t.name for t in result.graph.initializer) if result.get_tensor_shape(name)[2:])
    assert quantized or result.get_tensor_datatype(weights) == "INT5"
    lowered = same(same(result, LowerConvTranspose(), feeds), LowerConvsToMatMul(), feeds)
    assert "Conv" not in op_types(lowered)


@pytest.mark.parametrize("attributes", [{"strides": [2, 2]}, {"dilations": [2, 2]}, {"group": 2}, {"pads": [3] * 4}])
def test_subpixel_stays(attributes: dict[str, Any]) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], **attributes),
        helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=2),
    ]
    weights = whole(0, [4, 2 // attributes.get("group", 1), 2, 2])
    model = make(nodes, {"x": [1, 2, 5, 5]}, {"w": weights})
    assert op_types(model.transform(SubPixelToDeconvolution())) == ["Conv", "DepthToSpace"]


# --------------------------------------------------------------------------------------------------------- upsampling


def upsampling(opset: int, factors: list[int], size: list[int]) -> tuple[NodeProto, dict[str, np.ndarray]]:
    """What repeats elements, as each opset writes it."""
    scales = np.array([1, 1, *factors], np.float32)
    if opset < 10:
        return helper.make_node("Upsample", ["x", "scales"], ["u"]), {"scales": scales}
    if opset < 11:
        return helper.make_node("Resize", ["x", "scales"], ["u"]), {"scales": scales}
    modes = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    if opset % 2:
        roi = np.zeros(0, np.float32)
        return helper.make_node("Resize", ["x", "roi", "scales"], ["u"], **modes), {"roi": roi, "scales": scales}
    sizes = np.array([size[0], size[1], size[2] * factors[0], size[3] * factors[1]])
    return helper.make_node("Resize", ["x", "", "", "sizes"], ["u"]), {"sizes": sizes}


@given(
    case=dense(),
    factors=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    opset=st.sampled_from([9, 10, 11, 13, 14, 18, 21]),
    group=st.integers(1, 2),
    weights=st.sampled_from(["plain", "scalar scale", "channel scale", "bipolar"]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
@QUICK
def test_resize(case: Any, factors: list[int], opset: int, group: int, weights: str, bias: bool, seed: int) -> None:
    attributes, image, kernel = case
    image = [image[0], image[1] * group, *image[2:]]
    node, constants = upsampling(opset, factors, image)
    shape = [2 * group, image[1] // group, *kernel]
    constants |= {"w": whole(seed, shape, -2, 3)} | ({"b": whole(seed, shape[:1])} if bias else {})
    inputs = ["u", "w" if weights == "plain" else "wq", *(["b"] if bias else [])]
    nodes = [node, helper.make_node("Conv", inputs, ["y"], group=group, **attributes)]
    if weights == "bipolar":
        constants["s"] = np.float32(0.5)
        nodes.insert(0, helper.make_node("BipolarQuant", ["w", "s"], ["wq"], domain=GENERAL))
    elif weights != "plain":
        scale = [] if weights == "scalar scale" else [shape[0], 1, 1, 1]
        constants |= {"s": np.exp2(whole(seed, scale, -1, 2)), "z": np.float32(0), "n": np.float32(3)}
        flags = {"signed": 1, "narrow": 1, "rounding_mode": "FLOOR"}
        nodes.insert(0, helper.make_node("Quant", ["w", "s", "z", "n"], ["wq"], domain=GENERAL, **flags))
    model = make(nodes, {"x": image}, constants, opset=opset, datatypes={"w": "INT3"} if weights == "plain" else {})
    result = same(model, ResizeConvolutionToDeconvolution(), {"x": whole(seed + 1, image)})
    kept = weights in ("scalar scale", "channel scale")
    assert op_types(result) == (["Quant"] if kept else []) + ["ConvTranspose"]
    if kept:
        bits = result.get_initializer(result.graph.node[0].input[3])
        assert 3 <= bits <= 3 + np.ceil(np.log2(factors[0] * factors[1]))


@pytest.mark.parametrize("signed", [0, 1])
def test_maintained_bit_width(signed: int) -> None:
    """The integers are halved until they fit, so each weight is off by half a step at most."""
    node, constants = upsampling(13, [2, 2], [2, 2, 4, 4])
    constants |= {"w": whole(0, [3, 2, 3, 3], -8 * signed, 8) / 2, "s": np.float32(0.5), "z": np.float32(0)}
    constants["n"] = np.float32(4)
    flags = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
    quant = helper.make_node("Quant", ["w", "s", "z", "n"], ["wq"], domain=GENERAL, **flags)
    model = make(
        [node, quant, helper.make_node("Conv", ["u", "wq"], ["y"], pads=[1] * 4)], {"x": [2, 2, 4, 4]}, constants
    )
    exact = same(model, ResizeConvolutionToDeconvolution(), {"x": whole(1, [2, 2, 4, 4])})
    rounded = model.transform(ResizeConvolutionToDeconvolution(maintain_bit_width=True))
    wide, narrow = (_weights(m) for m in (exact, rounded))
    scale, bits = (rounded.get_initializer(rounded.graph.node[0].input[i]) for i in (1, 3))
    assert bits == 4
    assert scale > 0.5
    assert np.log2(scale).is_integer()
    assert 0 < np.abs(wide - narrow).max() <= scale / 2


def _weights(model: ModelWrapper) -> np.ndarray:
    return execute_onnx(model, {"x": whole(1, [2, 2, 4, 4])}, return_full_exec_context=True)[
        model.get_nodes_by_op_type("ConvTranspose")[0].input[1]
    ]


def resized(conv: dict[str, Any], **attributes: Any) -> ModelWrapper:
    modes = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"} | attributes
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["u"], **modes),
        helper.make_node("Conv", ["u", "w"], ["y"], **conv),
    ]
    constants = {"w": whole(0, [2, 2, 2, 2]), "scales": np.array([1, 1, 2, 2], np.float32)}
    return make(nodes, {"x": [1, 2, 4, 4]}, constants)


def test_resize_that_does_not_repeat_stays() -> None:
    kept = ["Resize", "Conv"]
    transformation = ResizeConvolutionToDeconvolution()
    assert op_types(resized({}).transform(transformation)) == ["ConvTranspose"]
    assert op_types(resized({}, mode="linear").transform(transformation)) == kept
    assert op_types(resized({}, nearest_mode="ceil").transform(transformation)) == kept
    assert op_types(resized({}, coordinate_transformation_mode="align_corners").transform(transformation)) == kept
    assert op_types(resized({"strides": [2, 2]}).transform(transformation)) == kept
    assert op_types(resized({"pads": [2, 0, 0, 0]}).transform(transformation)) == kept


# -------------------------------------------------------------------------------------------------------- rebalancing


@given(st.integers(2, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(0, 9))
@QUICK
def test_rebalanced(channels: int, kernel: int, stride: int, height: int, batch: int, seed: int) -> None:
    width = channels * (kernel + 2 * stride)
    image = [batch, height + 1, width, 1]
    im2col = helper.make_node(
        "Im2Col", ["x"], ["c"], domain=GENERAL, kernel_size=[height, kernel * channels], stride=[1, stride * channels],
        input_shape=str((1, *image[1:])),
    )  # fmt: skip
    columns = height * kernel * channels
    model = make(
        [im2col, helper.make_node("MatMul", ["c", "w"], ["y"])],
        {"x": ["N", *image[1:]]},
        {"w": whole(seed, [columns, 2])},
    )
    result = same(model, RebalanceIm2Col(channels), {"x": whole(seed, image)})
    assert op_types(result) == ["Reshape", "Im2Col", "MatMul"]
    assert result.get_tensor_shape(result.graph.node[0].output[0]) == [0, height + 1, width // channels, channels]


@pytest.mark.parametrize(
    "changes",
    [
        {"pad_amount": [0, 1, 0, 1]},
        {"dilations": [1, 2]},
        {"kernel_size": [1, 3]},
        {"stride": [1, 3]},
        {"input_shape": "(1, 2, 11, 1)"},
        {"input_shape": "(1, 2, 12, 2)"},
    ],
)
def test_not_rebalanced(changes: dict[str, Any]) -> None:
    attributes = {"kernel_size": [1, 4], "stride": [1, 4], "input_shape": "(1, 2, 12, 1)"} | changes
    image = [int(d) for d in attributes["input_shape"].strip("()").split(",")]
    model = make([helper.make_node("Im2Col", ["x"], ["y"], domain=GENERAL, **attributes)], {"x": image})
    assert op_types(model.transform(RebalanceIm2Col(2))) == ["Im2Col"]
    assert op_types(model.transform(RebalanceIm2Col(1))) == ["Im2Col"]
    with pytest.raises(ConfigError, match="extract_channels is 0"):
        RebalanceIm2Col(0)
