"""Channels-last operators against their definitions and against ONNX on transposed data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, ExecutionError, UnsupportedError
from finn.core.windows import Window
from finn.custom_op.channels_last.base_wrapped_op import to_channels_first_args, to_channels_last_args
from finn.custom_op.channels_last.conv import conv
from finn.custom_op.registry import getCustomOp

from .helpers import inferred, one_node, run, windows  # noqa: TID252 - test helpers are no installed package

DOMAIN = "finn.custom_op.channels_last"
FLOAT = TensorProto.FLOAT


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, Window, int]:
    """x, weights, bias, window, group: integers, also beyond 2^24 and 2^53, in containers that hold them."""
    n = draw(st.integers(1, 3))

    def numbers(low: int, high: int, length: int = n) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=length, max_size=length)))

    spatial = numbers(1, 4 if n < 3 else 2)
    window = Window(numbers(1, 3), numbers(1, 2), numbers(0, 2, 2 * n), numbers(1, 2))
    assume(all(windows(spatial, window.kernel, window.strides, window.pads, window.dilations)))
    group, inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    dtype, bits = draw(st.sampled_from([(np.float32, 3), (np.float32, 20), (np.float64, 3), (np.int64, 28)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def values(*shape: int) -> np.ndarray:
        return rng.integers(-(2**bits), 2**bits, shape).astype(dtype)

    x = values(draw(st.integers(2, 3)), *spatial, group * inputs)
    bias = values(group * outputs) if draw(st.booleans()) else None
    return x, values(group * outputs, *window.kernel, inputs), bias, window, group


def by_definition(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window, group: int) -> list[int]:
    """The sums in Python's integers."""
    spatial = x.shape[1:-1]
    per_axis = windows(spatial, window.kernel, window.strides, window.pads, window.dilations)
    taps = list(itertools.product(*map(range, window.kernel)))
    outputs, inputs = w.shape[0] // group, w.shape[-1]
    result = []
    for n, *at in itertools.product(range(x.shape[0]), *per_axis):
        spots = list(itertools.product(*at))
        for o in range(w.shape[0]):
            total = 0 if bias is None else int(bias[o])
            for spot, tap in zip(spots, taps, strict=True):
                if all(0 <= place < size for place, size in zip(spot, spatial, strict=True)):
                    for i in range(inputs):
                        total += int(x[(n, *spot, o // outputs * inputs + i)]) * int(w[(o, *tap, i)])
            result.append(total)
    return result


@settings(deadline=None)
@given(convolutions())
def test_convolution_is_exact(case: tuple[np.ndarray, np.ndarray, np.ndarray | None, Window, int]) -> None:
    y = conv(*case)
    assert [int(v) for v in y.ravel()] == by_definition(*case)
    assert y.dtype in (case[0].dtype, np.float64, np.int64)


def conv_model(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window, group: int, shape: list[int | str]
) -> object:
    constants = {"w": w} if bias is None else {"w": w, "b": bias}
    attributes = {
        "kernel_shape": window.kernel,
        "strides": window.strides,
        "pads": window.pads,
        "dilations": window.dilations,
    }
    return one_node("Conv", {"x": (shape, FLOAT)}, constants, DOMAIN, group=group, **attributes)


@settings(max_examples=50, deadline=None)
@given(convolutions(), st.sampled_from(["static", "batch", "all"]))
def test_convolution_node_is_onnx_with_channels_first(
    case: tuple[np.ndarray, np.ndarray, np.ndarray | None, Window, int], known: str
) -> None:
    x, w, bias, window, group = case
    assume(np.abs(x).max() <= 8)
    x, w, bias = (None if a is None else a.astype(np.float32) for a in (x, w, bias))
    shape = {
        "static": list(x.shape),
        "batch": ["N", *x.shape[1:]],
        "all": ["N", *(f"D{i}" for i in range(x.ndim - 2)), x.shape[-1]],
    }[known]
    model = conv_model(x, w, bias, window, group, shape)
    first = [np.moveaxis(a, -1, 1) for a in (x, w)] + ([] if bias is None else [bias])
    node = helper.make_node("Conv", ["x", "w", "b"][: len(first)], ["y"], group=group, **window.onnx_attributes())
    infos = [helper.make_tensor_value_info(name, FLOAT, None) for name in ("x", "w", "b")[: len(first)]]
    graph = helper.make_graph([node], "oracle", infos, [helper.make_tensor_value_info("y", FLOAT, None)])
    oracle = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    y = run(model, x=x)
    if x.ndim == 4 and set(window.dilations) == {1}:  # what the reference evaluator computes rightly in any version
        (expected,) = oracle.run(None, dict(zip(("x", "w", "b"), first, strict=False)))
        np.testing.assert_array_equal(np.moveaxis(y, -1, 1), expected)
    assert [int(v) for v in y.ravel()] == by_definition(x, w, bias, window, group)
    found, kind, _ = inferred(model)
    assert kind == FLOAT
    assert len(found) == y.ndim
    assert all(isinstance(dim, str) or dim in (0, size) for dim, size in zip(found, y.shape, strict=True))
    if known == "static":
        assert found == list(y.shape)
    if known == "batch":
        assert found == ["N", *y.shape[1:]]


def test_convolution_of_floats_is_close_to_float64() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 9, 8, 6)).astype(np.float32), rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    window = Window((3, 3), (2, 1), (1, 1, 1, 1), (1, 1))
    y = conv(x, w, None, window, 2)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, conv(x.astype(np.float64), w, None, window, 2), rtol=1e-4, atol=1e-5)
    assert conv(x.astype(np.float16), w.astype(np.float16), None, window, 2).dtype == np.float16


@pytest.mark.parametrize(
    ("x", "w", "bias", "pads", "expected"),
    [
        ("UINT4", [[1, 2, -3], [4, 0, 0]], None, [0, 0], "INT7"),  # -45 .. 60
        ("UINT4", [[1, 2, -3], [4, 0, 0]], [4, -4], [0, 0], "INT8"),  # -49 .. 64
        ("INT2", [[1, 1, 1]], None, [0, 0], "INT4"),  # -6 .. 3
        ("BIPOLAR", [[1, 1, -1]], None, [0, 0], "INT3"),  # -3 .. 3
        ("UINT8", [[-1, -1, -1]], None, [1, 0], "INT11"),  # -765 .. 0
        ("FLOAT32", [[1, 1, 1]], None, [0, 0], "FLOAT32"),
    ],
)
def test_convolution_has_the_type_of_its_sums(
    x: str, w: list[list[int]], bias: list[int] | None, pads: list[int], expected: str
) -> None:
    weights = np.array(w, dtype=np.float32).reshape(len(w), 3, 1)
    constants = None if bias is None else np.array(bias, dtype=np.float32)
    model = conv_model(weights, weights, constants, Window((3,), (1,), tuple(pads), (1,)), 1, [2, 5, 1])
    for name, datatype in (("x", x), ("w", "INT4"), ("b", "INT4")):
        model.set_tensor_datatype(name, DataType[datatype])
    assert inferred(model)[2] == expected


def test_convolution_with_computed_weights() -> None:
    inputs = {"x": ([2, 5, 2], FLOAT), "w": ([3, 2, 2], FLOAT)}
    attributes = {"kernel_shape": [2], "strides": [1], "pads": [0, 0], "dilations": [1], "group": 1}
    model = one_node("Conv", inputs, None, DOMAIN, **attributes)
    model.set_tensor_datatype("x", DataType["INT3"])
    model.set_tensor_datatype("w", DataType["UINT2"])
    assert inferred(model) == ([2, 4, 3], FLOAT, "INT7")  # 4 terms of -12 .. 9
    model.set_tensor_datatype("w", DataType["FLOAT32"])
    assert inferred(model)[2] == "FLOAT32"


def test_padding_counts_as_zero_in_the_type_of_a_convolution() -> None:
    constants = {"x": np.full((2, 5, 1), 5, np.float32), "w": np.ones((1, 3, 1), np.float32)}
    for pads, expected in (([0, 0], (15, 15)), ([1, 1], (10, 15))):
        model = one_node(
            "Conv", {}, constants, DOMAIN, kernel_shape=[3], strides=[1], pads=pads, dilations=[1], group=1
        )
        for name in constants:
            model.set_tensor_datatype(name, DataType["INT8"])
        y = run(model)
        assert (y.min(), y.max()) == expected
        assert inferred(model)[2] == "UINT4"
    model.set_initializer("x", -constants["x"])
    assert inferred(model)[2] == "INT5"


def test_a_convolution_beyond_64_bits_is_refused() -> None:
    x = np.full((1, 2, 1), 2**40, dtype=np.int64)
    with pytest.raises(UnsupportedError, match=r"integers reach 2.42e\+24, beyond 64 bits"):
        conv(x, x.reshape(1, 2, 1), None, Window((2,), (1,), (0, 0), (1,)))


def test_weights_that_do_not_fit() -> None:
    x, w = np.zeros((2, 4, 4, 3)), np.zeros((4, 3, 3, 2))
    with pytest.raises(ExecutionError) as error:
        conv(x, w, None, Window((3, 3), (1, 1), (0, 0, 0, 0), (1, 1)))
    assert str(error.value) == (
        "weights of shape [4, 3, 3, 2] do not fit an input of shape [2, 4, 4, 3] (kernel [3, 3], group 1). "
        "Remedy: weights are (outputs, kernel axes, inputs / group)"
    )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"group": 0}, "group is 0. Remedy: use at least 1"),
        ({"strides": [1, 1]}, "strides [1, 1] has 2 entries, a kernel [3] needs 1. Remedy: give one per axis"),
        ({"auto_pad": "SAME_UPPER"}, "attribute 'auto_pad' is 'SAME_UPPER'. Remedy: use one of: 'NOTSET'"),
    ],
)
def test_convolution_refuses_attributes_that_do_not_fit(attributes: dict[str, object], message: str) -> None:
    usual = {"kernel_shape": [3], "strides": [1], "pads": [0, 0], "dilations": [1], "group": 1}
    model = one_node("Conv", {"x": ([2, 5, 2], FLOAT)}, None, DOMAIN, **(usual | attributes))
    with pytest.raises(AttributeValueError) as error:
        getCustomOp(model.graph.node[0]).verify_node()
    assert str(error.value) == f"node Conv 'Conv_0': {message}"


@pytest.mark.parametrize("version", [1, 9, 14])
@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 4), (2, 3, 2, 4), (2, 3, 2, 2, 4)])
def test_batch_normalization(shape: tuple[int, ...], version: int) -> None:
    rng = np.random.default_rng(version)
    scale, bias, mean = (rng.normal(size=4).astype(np.float32) for _ in range(3))
    var = rng.uniform(0.5, 2, 4).astype(np.float32)
    constants = {"scale": scale, "bias": bias, "mean": mean, "var": var}
    symbolic = ["N", *shape[1:]]
    model = one_node(
        "BatchNormalization", {"x": (symbolic, FLOAT)}, constants, DOMAIN, version, epsilon=0.25, momentum=0.9
    )
    model.set_tensor_datatype("x", DataType["INT4"])
    x = rng.integers(-8, 8, shape).astype(np.float32)
    y = run(model, x=x)
    expected = (x.astype(np.float64) - mean) / np.sqrt(var.astype(np.float64) + 0.25) * scale + bias
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert y.dtype == np.float32
    assert inferred(model) == (symbolic, FLOAT, "FLOAT32")
    assert type(getCustomOp(model.graph.node[0], version)).__name__ == f"BatchNormalization_v{version}"


def test_batch_normalization_does_not_train() -> None:
    model = one_node("BatchNormalization", {n: ([2, 3], FLOAT) for n in "xsbmv"}, None, DOMAIN, 14, training_mode=1)
    with pytest.raises(AttributeValueError, match="attribute 'training_mode' is 1"):
        getCustomOp(model.graph.node[0]).verify_node()


@pytest.mark.parametrize("datatype", ["INT4", "BIPOLAR", "FLOAT32"])
def test_max_pooling_keeps_the_type(datatype: str) -> None:
    model = one_node(
        "MaxPool",
        {"x": (["N", 6, 3], FLOAT)},
        None,
        DOMAIN,
        10,
        kernel_shape=[2],
        strides=[2],
        pads=[1, 1],
        ceil_mode=1,
    )
    model.set_tensor_datatype("x", DataType[datatype])
    assert inferred(model) == (["N", 4, 3], FLOAT, datatype)


def test_max_pooling_of_unknown_images_has_the_right_rank() -> None:
    model = one_node(
        "MaxPool", {"x": (["N", "H", "W", 3], FLOAT)}, None, DOMAIN, kernel_shape=[2, 2], strides=[1, 1], pads=[0] * 4
    )
    shape, kind, _ = inferred(model)
    assert (shape[0], shape[3], len(shape), kind) == ("N", 3, 4, FLOAT)


def test_version_1_of_max_pooling_has_neither_dilations_nor_ceil_mode() -> None:
    node = one_node("MaxPool", {"x": ([1, 4, 1], FLOAT)}, None, DOMAIN).graph.node[0]
    assert set(getCustomOp(node, 10).get_nodeattr_types()) - set(getCustomOp(node, 9).get_nodeattr_types()) == {
        "dilations",
        "ceil_mode",
    }


def test_permutations() -> None:
    assert to_channels_last_args(4) == (0, 2, 3, 1)
    assert to_channels_first_args(5) == (0, 4, 1, 2, 3)
    x = np.zeros((2, 3, 4, 5))
    assert x.transpose(to_channels_last_args(4)).transpose(to_channels_first_args(4)).shape == x.shape


def test_shape_inference_leaves_the_random_numbers_alone() -> None:
    before = np.random.get_state()[1].copy()
    w = np.ones((3, 3, 3, 2), dtype=np.float32)
    inferred(conv_model(w, w, None, Window((3, 3), (1, 1), (1,) * 4, (1, 1)), 1, [1, 512, 512, 2]))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
