"""Convolutions and their transposes become matrix products that compute the same, to the bit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.general.quant import int_quant
from finn.transformation.constants import Fixed
from finn.transformation.convolution import of_conv
from finn.transformation.extract_conv_bias import ExtractBiasFromConv
from finn.transformation.lower_conv_transpose import LowerConvTranspose
from finn.transformation.lower_convs_to_matmul import (
    LowerConvsToMatMul,
    _auto_pad_to_explicit_padding,
)
from finn.transformation.rewrite import TensorRef, op
from finn.util.basic import auto_pad_to_explicit_padding

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    GENERAL,
    OPSETS,
    QUICK,
    make,
    op_types,
    same,
    whole,
)


@st.composite
def convolutions(draw: Any, axes: tuple[int, ...] = (1, 2)) -> tuple[dict[str, Any], list[int], list[int]]:
    """Attributes (each may be left out), shape of the image, shape of the weights of a Conv that has an output."""
    n = draw(st.sampled_from(axes))
    numbers = lambda low, high: st.lists(st.integers(low, high), min_size=n, max_size=n)  # noqa: E731
    group, ifm, ofm = (draw(st.integers(1, 3)) for _ in range(3))
    kernel, size = draw(numbers(1, 4)), draw(numbers(1, 6))
    attributes: dict[str, Any] = {"group": group}
    strides, dilations = draw(numbers(1, 3)), draw(numbers(1, 2))
    mode = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode.startswith("SAME"):
        dilations = [1] * n  # onnxruntime has no others
    pads = draw(st.lists(st.integers(0, 4), min_size=2 * n, max_size=2 * n)) if mode == "NOTSET" else [0] * (2 * n)
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    if not mode.startswith("SAME"):
        assume(all(s + a + z >= r for s, a, z, r in zip(size, pads[:n], pads[n:], reach, strict=True)))
    attributes |= {"strides": strides, "dilations": dilations, "kernel_shape": kernel}
    attributes |= {"pads": pads} if mode == "NOTSET" else {"auto_pad": mode}
    defaults = {"group": 1, "strides": [1] * n, "dilations": [1] * n, "pads": [0] * (2 * n), "kernel_shape": kernel}
    for name in draw(st.sets(st.sampled_from(sorted(defaults)))):
        if attributes.get(name) == defaults[name]:
            del attributes[name]
    return attributes, [draw(st.integers(1, 3)), ifm * group, *size], [ofm * group, ifm, *kernel]


def conv(attributes: Mapping[str, Any], inputs: tuple[str, ...] = ("x", "w")) -> Any:
    return helper.make_node("Conv", list(inputs), ["y"], "conv", **attributes)


@given(convolutions(), OPSETS, st.booleans(), st.booleans(), st.integers(0, 99))
@QUICK
def test_lowered(case: Any, opset: int, bias: bool, symbolic: bool, seed: int) -> None:
    attributes, image, kernel = case
    constants = {"w": whole(seed, kernel, -4, 4)} | ({"b": whole(seed, kernel[:1])} if bias else {})
    shape = ["N", *image[1:]] if symbolic else image
    datatypes = {"x": "INT4", "w": "INT3", "y": "INT32"}
    model = make([conv(attributes, ("x", *constants))], {"x": shape}, constants, datatypes=datatypes, opset=opset)
    result = same(model, LowerConvsToMatMul(), {"x": whole(seed + 1, image)})
    assert not {"Conv", "Constant"} & set(op_types(result))
    (product,) = result.get_nodes_by_op_type("MatMul")
    assert product.input[1] == "w"
    assert result.get_tensor_datatype("w") == "INT3"
    assert result.get_tensor_datatype(product.input[0]) == "INT4"
    assert result.get_tensor_datatype(product.output[0]) == ("FLOAT32" if bias else "INT32")
    group, (ofm, ifm, *size) = attributes.get("group", 1), kernel
    assert result.get_tensor_shape("w") == [ifm * group * int(np.prod(size)), ofm]
    depthwise = ifm == 1 and group == ofm
    assert result.get_tensor_sparsity("w") == ({"dw": {"kernel_shape": size}} if depthwise else None)


@st.composite
def quantizers(draw: Any) -> tuple[str, dict[str, Any], list[str]]:
    """Op type, attributes, and what each parameter varies along: nothing (a scalar, a 1), or an axis by number."""
    name = draw(st.sampled_from(["Quant", "IntQuant", "BipolarQuant"]))
    along = st.sampled_from(["()", "(1,)", "ones", "0", "1", "2", "0", "all"])
    attributes = {"signed": 1, "narrow": draw(st.integers(0, 1)), "rounding_mode": "ROUND"}
    if name == "BipolarQuant":
        return name, {}, [draw(along)]
    return name, attributes, [draw(along), draw(st.sampled_from(["()", "()", "0"])), draw(st.sampled_from(["()", "0"]))]


def parameter(along: str, shape: list[int], low: int, high: int, seed: int) -> np.ndarray:
    dims = {"()": (), "(1,)": (1,), "ones": (1,) * len(shape), "all": tuple(shape)}.get(along)
    if dims is None:
        dims = tuple(d if axis == int(along) else 1 for axis, d in enumerate(shape))
    return whole(seed, dims, low, high)


@given(convolutions(), quantizers(), st.booleans(), st.integers(0, 99))
@QUICK
def test_quantizers_stay(case: Any, quantizer: Any, shared: bool, seed: int) -> None:
    """Their parameters move along; where the zeros of other groups would become something else, they are computed."""
    attributes, image, kernel = case
    name, flags, along = quantizer
    ranges = [(1, 4), (-5, 6), (2, 5)]
    params = {f"p{i}": parameter(a, kernel, *ranges[i], seed + i) for i, a in enumerate(along)}
    nodes = [
        helper.make_node(name, ["w", *params], ["wq"], "q", domain=GENERAL, **flags),
        conv(attributes, ("x", "wq")),
    ]
    outputs = ["y"]
    if shared:
        nodes.append(helper.make_node("Neg", ["wq"], ["z"]))
        outputs.append("z")
    model = make(nodes, {"x": image}, {"w": whole(seed, kernel), **params}, outputs=outputs)
    result = same(model, LowerConvsToMatMul(), {"x": whole(seed + 9, image)})
    (product,) = result.get_nodes_by_op_type("MatMul")
    maker = result.find_producer(product.input[1])
    zero_stays = attributes.get("group", 1) == 1 or (
        name != "BipolarQuant"
        and not np.any(int_quant(np.zeros(kernel, np.float32), *params.values(), True, flags["narrow"], "ROUND"))
    )
    assert (maker is not None) == zero_stays
    assert op_types(result).count(name) == int(shared) + int(zero_stays)
    if maker is not None and along[0] == "0":
        moved = result.get_tensor_shape(maker.input[1])
        assert moved == [1, kernel[0]]


@given(convolutions((2,)), st.sampled_from(["scalar", "axis", "zero point"]), st.integers(0, 99))
@QUICK
def test_dequantized_weights(case: Any, kind: str, seed: int) -> None:
    attributes, image, kernel = case
    scale = np.float32(2) if kind == "scalar" else np.exp2(whole(seed, kernel[:1], -2, 3))
    zero = np.zeros(scale.shape, np.int8) + np.int8(3 if kind == "zero point" else 0)
    axis = {} if kind == "scalar" else {"axis": 0}
    dequantize = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wq"], **axis)
    constants = {"w": whole(seed, kernel).astype(np.int8), "s": scale, "z": zero}
    model = make([dequantize, conv(attributes, ("x", "wq"))], {"x": image}, constants)
    result = same(model, LowerConvsToMatMul(), {"x": whole(seed + 9, image)})
    kept = attributes.get("group", 1) == 1 or kind != "zero point"
    assert ("DequantizeLinear" in op_types(result)) == kept


@given(convolutions(), st.integers(0, 99))
@QUICK
def test_weights_of_a_constant_subgraph(case: Any, seed: int) -> None:
    attributes, image, kernel = case
    w = helper.make_node("Constant", [], ["w0"], value=helper.make_tensor("", 1, kernel, whole(seed, kernel).ravel()))
    two = helper.make_node("Constant", [], ["two"], value_float=2.0)
    nodes = [w, two, helper.make_node("Mul", ["w0", "two"], ["w1"]), conv(attributes, ("x", "w1"))]
    result = same(make(nodes, {"x": image}), LowerConvsToMatMul(), {"x": whole(seed, image)})
    assert not {"Conv", "Constant", "Mul"} & set(op_types(result))


@given(convolutions(), OPSETS, st.sampled_from(["constant", "quantized", "computed"]), st.integers(0, 99))
@QUICK
def test_bias_is_extracted(case: Any, opset: int, kind: str, seed: int) -> None:
    attributes, image, kernel = case
    nodes, constants, inputs = [], {"w": whole(seed, kernel)}, {"x": image}
    if kind == "computed":
        inputs["b"] = kernel[:1]
    else:
        constants["b"] = whole(seed, kernel[:1])
    if kind == "quantized":
        constants |= {"s": 0.5 + whole(seed, kernel[:1], 1, 3), "z": np.float32(0), "n": np.float32(5)}
        flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        nodes.append(helper.make_node("Quant", ["b", "s", "z", "n"], ["bq"], domain=GENERAL, **flags))
    nodes.append(conv(attributes, ("x", "w", "bq" if kind == "quantized" else "b")))
    model = make(nodes, inputs, constants, opset=opset, datatypes={"b": "INT8"})
    feeds = {name: whole(seed, shape) for name, shape in inputs.items()}
    result = same(model, ExtractBiasFromConv(), feeds)
    (add,) = result.get_nodes_by_op_type("Add")
    assert result.get_tensor_shape(add.input[1]) == [1, kernel[0], *[1] * (len(kernel) - 2)]
    expected = {"constant": None, "quantized": "Quant", "computed": "Reshape"}[kind]
    maker = result.find_producer(add.input[1])
    assert (maker and maker.op_type) == expected
    assert kind == "quantized" or result.get_tensor_datatype(add.input[1]) == "INT8"
    lowered = same(result, LowerConvsToMatMul(), feeds)
    assert "Conv" not in op_types(lowered)


@st.composite
def transposed(draw: Any) -> tuple[dict[str, Any], list[int], list[int]]:
    """Attributes, shape of the image, shape of the weights of a ConvTranspose that has an output."""
    n = draw(st.sampled_from([1, 2, 2, 3]))
    numbers = lambda low, high: [draw(st.integers(low, high)) for _ in range(n)]  # noqa: E731
    group, ifm, ofm = (draw(st.integers(1, 3)) for _ in range(3))
    kernel, size, strides, dilations = numbers(1, 3), numbers(1, 4), numbers(1, 3), numbers(1, 2)
    extra = [draw(st.integers(0, s - 1)) for s in strides]
    full = [
        (i - 1) * s + e + d * (k - 1) + 1 for i, s, e, d, k in zip(size, strides, extra, dilations, kernel, strict=True)
    ]
    attributes = {"group": group, "strides": strides, "dilations": dilations, "output_padding": extra}
    way = draw(st.sampled_from(["pads", "pads", "output_shape", "auto_pad"]))
    if way == "pads":
        begins = [draw(st.integers(0, f - 1)) for f in full]
        attributes["pads"] = begins + [draw(st.integers(0, f - 1 - a)) for f, a in zip(full, begins, strict=True)]
    elif way == "output_shape":
        # ONNX infers no shape for outputs that are smaller than the input
        attributes["output_shape"] = [draw(st.integers(i, f)) for i, f in zip(size, full, strict=True)]
        attributes["auto_pad"] = draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    else:
        attributes["auto_pad"] = draw(st.sampled_from(["VALID", "SAME_UPPER", "SAME_LOWER"]))
        assume(attributes["auto_pad"] == "VALID" or not any(extra))  # ONNX and onnxruntime do not agree on the shape
        fits = all(f >= i * s for f, i, s in zip(full, size, strides, strict=True))
        assume(attributes["auto_pad"] == "VALID" or fits)
    return attributes, [draw(st.integers(1, 3)), ifm * group, *size], [ifm * group, ofm, *kernel]


@given(transposed(), OPSETS, st.booleans(), st.booleans(), st.integers(0, 99))
@QUICK
def test_conv_transpose(case: Any, opset: int, bias: bool, quantized: bool, seed: int) -> None:
    attributes, image, kernel = case
    channels = kernel[1] * attributes["group"]
    constants = {"w": whole(seed, kernel, -4, 4)} | ({"b": whole(seed, [channels])} if bias else {})
    inputs = ["x", "wq" if quantized else "w", *(["b"] if bias else [])]
    nodes = [helper.make_node("ConvTranspose", inputs, ["y"], "deconv", **attributes)]
    if quantized:
        constants |= {"s": np.exp2(whole(seed, [kernel[0], *[1] * (len(kernel) - 1)], -1, 2)), "n": np.float32(3)}
        constants["z"] = np.float32(0)
        flags = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
        nodes.insert(0, helper.make_node("Quant", ["w", "s", "z", "n"], ["wq"], domain=GENERAL, **flags))
    datatypes = {"x": "BIPOLAR", "y": "INT32"}
    model = make(nodes, {"x": ["N", *image[1:]]}, constants, opset=opset, datatypes=datatypes if not quantized else {})
    feeds = {"x": 2 * whole(seed + 1, image, 0, 2) - 1}
    result = same(model, LowerConvTranspose(), feeds)
    assert "ConvTranspose" not in op_types(result)
    assert op_types(result).count("Quant") == int(quantized)
    if image[2:] and len(kernel) < 5 and not _padded_bipolar(result):
        assert "Conv" not in op_types(same(result, LowerConvsToMatMul(), feeds))


def _padded_bipolar(model: ModelWrapper) -> bool:
    (node,) = model.get_nodes_by_op_type("Conv")
    padded = any(any(a.ints) for a in node.attribute if a.name == "pads")
    return padded and model.get_tensor_datatype(node.input[0]) == "BIPOLAR"


# ------------------------------------------------------------------------------------------------------------ examples


def test_published_form() -> None:
    attributes = {"strides": [2, 1], "pads": [1, 0, 1, 0]}
    model = make([conv(attributes)], {"x": [2, 2, 5, 4]}, {"w": whole(0, [3, 2, 3, 2])})
    nodes = same(model, LowerConvsToMatMul(), {"x": whole(1, [2, 2, 5, 4])}).graph.node
    assert [node.op_type for node in nodes] == ["Transpose", "Im2Col", "MatMul", "Transpose"]
    values = {a.name: helper.get_attribute_value(a) for node in nodes for a in node.attribute if node != nodes[3]}
    assert values == {
        "perm": [0, 2, 3, 1], "kernel_size": [3, 2], "stride": [2, 1], "pad_amount": [1, 0, 1, 0],
        "dilations": [1, 1], "input_shape": b"(1,5,4,2)", "depthwise": 0,
    }  # fmt: skip
    assert list(nodes[3].attribute[0].ints) == [0, 3, 1, 2]


def test_rows_of_the_matrix_run_over_the_kernel_then_the_channels() -> None:
    weights = whole(0, [3, 2, 3, 2])
    result = make([conv({})], {"x": [1, 2, 5, 4]}, {"w": weights}).transform(LowerConvsToMatMul())
    matrix = result.get_initializer("w")
    assert matrix is not None
    assert matrix.shape == (12, 3)
    for ofm, ifm, i, j in np.ndindex(*weights.shape):
        assert matrix[(i * 2 + j) * 2 + ifm, ofm] == weights[ofm, ifm, i, j]


@pytest.mark.parametrize("axes", [1, 2])
def test_pointwise_needs_no_columns(axes: int) -> None:
    model = make([conv({})], {"x": ["N", 2, *["H", "W"][:axes]]}, {"w": whole(0, [3, 2, *[1] * axes])})
    result = same(model, LowerConvsToMatMul(), {"x": whole(1, [2, 2, *[4, 3][:axes]])})
    assert op_types(result) == ["Transpose", "MatMul", "Transpose"]


def test_bipolar_depthwise_weights_become_ternary() -> None:
    """The matrix of a depthwise convolution has zeros, which BIPOLAR has not."""
    signs = 2 * whole(0, [3, 1, 2, 2], 0, 2) - 1
    model = make([conv({"group": 3})], {"x": [2, 3, 4, 4]}, {"w": signs}, datatypes={"w": "BIPOLAR"})
    result = same(model, LowerConvsToMatMul(), {"x": whole(1, [2, 3, 4, 4])})
    assert result.get_tensor_datatype("w") == "TERNARY"


def test_two_convolutions_with_the_same_weights() -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]), conv({"strides": [2, 2]}, ("a", "w"))]
    model = make(nodes, {"x": [2, 2, 9, 9]}, {"w": whole(0, [2, 2, 2, 2])}, datatypes={"w": "INT4"})
    result = same(model, LowerConvsToMatMul(), {"x": whole(1, [2, 2, 9, 9])})
    weights = [node.input[1] for node in result.get_nodes_by_op_type("MatMul")]
    assert {str(result.get_tensor_datatype(name)) for name in weights} == {"INT4"}


@pytest.mark.parametrize("conv_reads", ["w", "wq"])
def test_weights_that_others_read_stay(conv_reads: str) -> None:
    nodes = [helper.make_node("BipolarQuant", ["w", "s"], ["wq"], domain=GENERAL), conv({}, ("x", conv_reads))]
    nodes.append(helper.make_node("Neg", [conv_reads], ["z"]))
    constants = {"w": whole(0, [2, 2, 2, 2]), "s": np.float32(2)}
    model = make(nodes, {"x": [2, 2, 3, 3]}, constants, outputs=["y", "z"])
    result = model.transform(LowerConvsToMatMul())
    feeds = {"x": whole(1, [2, 2, 3, 3])}
    before, after = execute_onnx(model, feeds), execute_onnx(result, feeds)
    assert all(np.array_equal(before[name], after[name]) for name in ("y", "z"))


STAYS = {
    "computed weights": ({}, [3, 2, 2, 2], {}, "w = 'w2' is computed from inputs of the model"),
    "3-D": ({}, [3, 2, 1, 1, 1], {}, "the kernel has 3 axes, only 1 and 2 are supported"),
    "bipolar": ({"pads": [0, 1, 0, 1]}, [3, 2, 2, 2], {"x": "BIPOLAR"}, "padded by 0, but its input 'x' is BIPOLAR"),
    "size": ({}, [3, 2, 2, 2], {}, "the spatial size of 'x' is not known"),
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", STAYS)
def test_left_alone_with_a_reason(name: str, bias: bool) -> None:
    attributes, kernel, datatypes, reason = STAYS[name]
    image = [1, 2, "H", 4] if name == "size" else [1, 2, *[4] * (len(kernel) - 2)]
    inputs = {"x": image} | ({"v": kernel} if name == "computed weights" else {})
    nodes = [helper.make_node("Neg", ["v"], ["w2"])] if name == "computed weights" else []
    weights = ("x", "w2" if nodes else "w", *(["b"] if bias else []))
    constants = {} if nodes else {"w": whole(0, kernel)}
    constants |= {"b": whole(0, kernel[:1])} if bias else {}
    model = make([*nodes, conv(attributes, weights)], inputs, constants, datatypes=datatypes)
    with pytest.warns(UserWarning, match="Conv 'conv' is not lowered to MatMul: ") as caught:
        result = model.transform(LowerConvsToMatMul())
    assert [reason in str(warning.message) for warning in caught] == [True]
    assert result.model.SerializeToString(deterministic=True) == model.transform(
        ExtractNothing()
    ).model.SerializeToString(deterministic=True)


class ExtractNothing(ExtractBiasFromConv):
    """What every transformation does besides its own work: the clean-up."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, False


def test_conv_transpose_left_alone_with_a_reason() -> None:
    nodes = [helper.make_node("ConvTranspose", ["x", "v"], ["y"], "deconv")]
    model = make(nodes, {"x": [1, 2, 4], "v": [2, 3, 2]})
    with pytest.warns(UserWarning, match="'deconv' is not lowered to Conv: w = 'v' is computed from inputs"):
        assert op_types(model.transform(LowerConvTranspose())) == ["ConvTranspose"]


def test_dilated_same_padding() -> None:
    """onnxruntime refuses it, so the formula of the operator's documentation is computed by hand."""
    w = Fixed("w").bind(_ref(make([conv({})], {"x": [1, 1, 7, 7]}, {"w": whole(0, [1, 1, 3, 2])}), "w"))
    x = _ref(w.model, "x")
    call = op.Conv("x", "w", auto_pad="SAME_UPPER", strides=[2, 1], dilations=[2, 3])
    assert of_conv(call, x, w).pads == (2, 1, 2, 2)  # 4 windows of 5 at 2 reach 11 of 7; 7 of 4 reach 10 of 7
    assert _auto_pad_to_explicit_padding is auto_pad_to_explicit_padding


def _ref(model: ModelWrapper, name: str) -> Any:
    return TensorRef.of(model, name)


def test_names_do_not_depend_on_the_run() -> None:
    model = make([conv({"pads": [1, 1, 1, 1]})], {"x": [1, 2, 4, 4]}, {"w": whole(0, [3, 2, 3, 3])})
    first, second = (model.transform(LowerConvsToMatMul()).model.SerializeToString() for _ in range(2))
    assert first == second


def test_many_convolutions_take_linear_time() -> None:
    def seconds(count: int) -> float:
        nodes, constants = [], {}
        for i in range(count):
            nodes.append(helper.make_node("Conv", [f"t{i}", f"w{i}", f"b{i}"], [f"t{i + 1}"], pads=[1, 1, 1, 1]))
            constants |= {f"w{i}": whole(i, [4, 4, 3, 3]), f"b{i}": whole(i, [4])}
        model = make(nodes, {"t0": [1, 4, 4, 4]}, constants, outputs=[f"t{count}"])
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(model.transform(LowerConvsToMatMul()).graph.node) == 5 * count
        return time.process_time() - start

    small = min(seconds(50) for _ in range(2))
    assert min(seconds(200) for _ in range(2)) < 10 * small + 0.2
