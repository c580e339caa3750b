"""Im2Col and pooling against their definitions, place by place."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, ExecutionError, UnsupportedError
from finn.core.onnx_exec import execute_node
from finn.core.windows import Window
from finn.custom_op.channels_last.max_pool import max_pool
from finn.custom_op.general.im2col import (
    compute_conv_output_dim,
    get_im2col_indices_nchw,
    im2col,
    im2col_indices_nchw,
)
from finn.custom_op.general.maxpoolnhwc import compute_pool_output_dim
from finn.custom_op.registry import getCustomOp

from .helpers import by_windows, inferred, one_node, run, windows  # noqa: TID252 - test helpers are no installed package

FLOAT = TensorProto.FLOAT


@st.composite
def cases(draw: st.DrawFn, axes: int | None = None) -> tuple[np.ndarray, Window]:
    """Images of small integers and a window that fits at least once; ceil_mode if no padding holds a whole window."""
    n = draw(st.integers(1, 3)) if axes is None else axes

    def numbers(low: int, high: int, length: int = n) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=length, max_size=length)))

    spatial = numbers(1, 5 if n < 3 else 3)
    kernel, strides, pads, dilations = numbers(1, 3), numbers(1, 3), numbers(0, 2, 2 * n), numbers(1, 2)
    small = all(pad <= d * (k - 1) for pad, k, d in zip(pads, kernel * 2, dilations * 2, strict=True))
    window = Window(kernel, strides, pads, dilations, small and draw(st.booleans()))
    assume(all(windows(spatial, window.kernel, window.strides, window.pads, window.dilations)))
    shape = (draw(st.integers(2, 3)), *spatial, draw(st.integers(1, 3)))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.int64, np.float16]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(-8, 8, shape).astype(dtype), window


def places(x: np.ndarray, window: Window) -> list[list[list[int]]]:
    return windows(x.shape[1:-1], window.kernel, window.strides, window.pads, window.dilations, window.ceil_mode)


@settings(deadline=None)
@given(cases(), st.sampled_from([0, -3, 7]))
def test_im2col_is_its_definition(case: tuple[np.ndarray, Window], pad: int) -> None:
    x, window = case
    channels = range(x.shape[-1])
    expected = by_windows(
        x, places(x, window), lambda n, spots: [pad if s is None else x[(n, *s, c)] for s in spots for c in channels]
    )
    y = im2col(x, window, pad)
    assert y.dtype == x.dtype
    assert y.shape == (x.shape[0], *(len(axis) for axis in places(x, window)), prod(window.kernel) * x.shape[-1])
    assert y.ravel().tolist() == expected


@settings(deadline=None)
@given(cases())
def test_max_pool_is_its_definition(case: tuple[np.ndarray, Window]) -> None:
    x, window = case
    outside = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    channels = range(x.shape[-1])
    expected = by_windows(
        x,
        places(x, window),
        lambda n, spots: [max(outside if s is None else x[(n, *s, c)] for s in spots) for c in channels],
    )
    y = max_pool(x, window)
    assert y.dtype == x.dtype
    assert y.ravel().tolist() == expected


@settings(max_examples=40, deadline=None)
@given(cases(2))
def test_the_operator_is_what_onnx_computes_with_channels_first(case: tuple[np.ndarray, Window]) -> None:
    x, window = case
    x = x.astype(np.float32)
    assume(all(pad < size for pad, size in zip(window.pads, window.kernel * 2, strict=True)))
    # With dilations a window may cover padding only. ONNX does not say what it gives.
    covered = by_windows(x, places(x, window), lambda n, spots: [any(s is not None for s in spots)])
    assume(all(covered))
    context = {"x": np.moveaxis(x, -1, 1)}
    execute_node(helper.make_node("MaxPool", ["x"], ["y"], **window.onnx_attributes()), context, None, 12)
    attributes = window.onnx_attributes()
    for op_type, domain, version in (("MaxPoolNHWC", "general", 1), ("MaxPool", "channels_last", 10)):
        model = one_node(
            op_type, {"x": (x.shape, FLOAT)}, domain=f"finn.custom_op.{domain}", version=version, **attributes
        )
        y = run(model, x=x)
        np.testing.assert_array_equal(np.moveaxis(y, -1, 1), context["y"])
        assert inferred(model) == (list(y.shape), FLOAT, "FLOAT32")


def test_max_pool_with_nan_and_infinity() -> None:
    x = np.array([[[1.0], [np.nan], [3.0], [-np.inf], [np.inf]]], dtype=np.float32)
    y = max_pool(x, Window((2,), (1,), (1, 0), (1,)))
    np.testing.assert_array_equal(y.ravel(), [1, np.nan, np.nan, 3, np.inf])


@pytest.mark.parametrize(
    ("size", "k", "stride", "pad", "ceil_mode", "expected"),
    [(5, 2, 2, 0, 0, 2), (5, 2, 2, 0, 1, 3), (4, 3, 2, 1, 1, 3), (28, 2, 2, 0, 0, 14), (3, 2, 2, 1, 1, 2)],
)
def test_pool_output_sizes(size: int, k: int, stride: int, pad: int, ceil_mode: int, expected: int) -> None:
    # The last one rounds up to 3, but that window would start in the padding.
    assert compute_pool_output_dim(size, k, stride, pad, ceil_mode) == expected


def test_convolution_output_sizes() -> None:
    assert compute_conv_output_dim(28, 5, 1) == 24
    assert compute_conv_output_dim(224, 7, 2, 6) == 112
    assert compute_conv_output_dim(10, 3, 2, 1, 2) == 4
    assert compute_conv_output_dim(1, 1, 3) == 1
    assert type(compute_conv_output_dim(5, 3, 2)) is int


def test_columns_of_channels_first_images() -> None:
    x = np.arange(2 * 2 * 3 * 3).reshape(2, 2, 3, 3)
    columns = im2col_indices_nchw(x, 3, 3, 2, 2)
    # Rows: channel, then place in the window; columns: place of the window, then image.
    assert columns[:, :4].tolist() == [
        [0, 18, 1, 19], [1, 19, 2, 20], [3, 21, 4, 22], [4, 22, 5, 23],
        [9, 27, 10, 28], [10, 28, 11, 29], [12, 30, 13, 31], [13, 31, 14, 32],
    ]  # fmt: skip
    padded = im2col_indices_nchw(x, 3, 3, 2, 2, padding=[1, 0, 0, 1], pad_val=-1)
    assert padded.shape == (8, 18)
    assert padded[3, :6].tolist() == [1, 19, 2, 20, -1, -1]
    c, i, j = get_im2col_indices_nchw((1, 1, 4, 4), 2, 2, padding=0, stride_h=2, dilation_w=3)
    assert (c.tolist(), i.tolist(), j.tolist()) == (
        [[0]] * 4,
        [[0, 2], [0, 2], [1, 3], [1, 3]],
        [[0, 0], [3, 3], [0, 0], [3, 3]],
    )


@settings(deadline=None)
@given(cases(2))
def test_columns_of_both_layouts_agree(case: tuple[np.ndarray, Window]) -> None:
    x, window = case
    window = Window(window.kernel, window.strides, window.pads, window.dilations)
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    n, h, w, c = x.shape
    columns = im2col_indices_nchw(np.moveaxis(x, -1, 1), h, w, kh, kw, window.pads, sh, sw, 5, dh, dw)
    y = im2col(x, window, 5)
    assert columns.shape == (c * kh * kw, y.size // (c * kh * kw))
    other = columns.reshape(c, kh * kw, -1, n).transpose(3, 2, 1, 0)
    np.testing.assert_array_equal(other.reshape(y.shape), y)


def im2col_model(shape: tuple[int | str, ...] = (2, 5, 5, 3), **attributes: object) -> object:
    given_attributes = {"stride": [2, 1], "kernel_size": [3, 2], "input_shape": "(1, 5, 5, 3)", **attributes}
    return one_node("Im2Col", {"x": (shape, FLOAT)}, **given_attributes)


def test_im2col_of_a_batch_is_that_of_its_images() -> None:
    x = np.random.default_rng(0).integers(-8, 8, (3, 5, 5, 3)).astype(np.float32)
    model = im2col_model(("N", 5, 5, 3), pad_amount=[1, 0, 2, 1], pad_value=4, dilations=[1, 2])
    y = run(model, x=x)
    for image in range(3):
        np.testing.assert_array_equal(run(model, x=x[image : image + 1])[0], y[image])
    assert y[0, 0, 0, :6].tolist() == [4, 4, 4, 4, 4, 4]  # above the image
    assert y[0, 0, 0, 6:12].tolist() == [*x[0, 0, 0], *x[0, 0, 2]]
    assert inferred(model) == (["N", 3, 4, 18], FLOAT, "FLOAT32")


def test_im2col_of_one_dimensional_images() -> None:
    x = np.arange(2 * 7 * 2, dtype=np.float32).reshape(2, 7, 1, 2)
    model = one_node(
        "Im2Col",
        {"x": ((2, 7, 1, 2), FLOAT)},
        stride=[2, 1],
        kernel_size=[3, 1],
        input_shape="(1, 7, 1, 2)",
        pad_amount=[1, 0, 1, 0],
    )
    y = run(model, x=x)
    assert y.shape == (2, 4, 1, 6)
    assert y[0, :, 0].tolist() == [[0, 0, 0, 1, 2, 3], [2, 3, 4, 5, 6, 7], [6, 7, 8, 9, 10, 11], [10, 11, 12, 13, 0, 0]]


@pytest.mark.parametrize(
    ("datatype", "pads", "value", "expected"),
    [
        ("INT4", [1, 1, 1, 1], 0, "INT4"),
        ("BIPOLAR", [0, 0, 0, 0], 0, "BIPOLAR"),
        ("BIPOLAR", [1, 1, 1, 1], -1, "BIPOLAR"),
        ("BIPOLAR", [1, 0, 0, 0], 0, "TERNARY"),
        ("UINT2", [1, 0, 0, 0], -3, "INT3"),
    ],
)
def test_im2col_knows_what_padding_adds(datatype: str, pads: list[int], value: int, expected: str) -> None:
    model = im2col_model(pad_amount=pads, pad_value=value)
    model.set_tensor_datatype("x", DataType[datatype])
    assert inferred(model)[2] == expected


def test_im2col_stays_exact_for_wide_integers() -> None:
    model = im2col_model()
    model.set_tensor_datatype("x", DataType["INT40"])
    x = np.full((2, 5, 5, 3), 2**39 - 1, dtype=np.int64)
    model.set_tensor_datatype("y", DataType["INT40"])
    assert int(run(model, x=x).max()) == 2**39 - 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"stride": [1]},
            "strides [1] has 1 entries, a kernel [3, 2] needs 2. Remedy: give one per axis",
        ),
        (
            {"pad_amount": [1, 1]},
            "pads [1, 1] has 2 entries, a kernel [3, 2] needs 4. Remedy: give the starts of all axes, then their ends",
        ),
        ({"dilations": [0, 1]}, "dilations [0, 1] has an entry below 1"),
        ({"pad_amount": [0, -1, 0, 0]}, "pads [0, -1, 0, 0] has an entry below 0"),
        (
            {"kernel_size": [3], "stride": [1], "pad_amount": [0, 0], "dilations": [1]},
            "kernel_size [3] is not [height, width]",
        ),
        ({"input_shape": "1,2"}, "input_shape is '1,2'. Remedy: write it like (1, 28, 28, 3)"),
        ({"input_shape": "(1, 'a', 2, 3)"}, "input_shape is '(1, 'a', 2, 3)'. Remedy: write it like (1, 28, 28, 3)"),
        ({"depthwise": 2}, "attribute 'depthwise' is 2. Remedy: use one of: 0, 1"),
    ],
)
def test_im2col_refuses_attributes_that_do_not_fit(attributes: dict[str, object], message: str) -> None:
    op = getCustomOp(im2col_model(**attributes).graph.node[0])
    with pytest.raises(AttributeValueError) as error:
        op.verify_node()
    assert str(error.value) == f"node Im2Col 'Im2Col_0': {message}"


def test_im2col_refuses_images_that_do_not_fit() -> None:
    with pytest.raises(ExecutionError) as error:
        run(im2col_model(("N", "H", "W", 3)), x=np.zeros((2, 6, 5, 3), np.float32))
    assert str(error.value) == (
        "node Im2Col 'Im2Col_0': the input has shape [2, 6, 5, 3], the attribute input_shape is (1, 5, 5, 3)"
    )
    with pytest.raises(ExecutionError) as error:
        getCustomOp(im2col_model(input_shape="(1, 2, 5, 3)").graph.node[0]).verify_node()
    assert str(error.value) == (
        "node Im2Col 'Im2Col_0': no window of [3, 2] fits spatial axes of size [2, 5] "
        "(strides [2, 1], pads [0, 0, 0, 0], dilations [1, 1])"
    )


@pytest.mark.parametrize(
    ("op_type", "attributes", "message"),
    [
        ("MaxPoolNHWC", {"kernel_shape": [2]}, "strides [1, 1] has 2 entries, a kernel [2] needs 1"),
        ("MaxPoolNHWC", {"pads": [2, 0, 0, 0]}, "pads [2, 0, 0, 0] reach a whole window [2, 2]"),
        ("MaxPoolNHWC", {"ceil_mode": 2}, "attribute 'ceil_mode' is 2"),
        ("MaxPoolNHWC", {"auto_pad": "SAME_UPPER"}, "attribute 'auto_pad' is 'SAME_UPPER'. Remedy: use one of: 'NOT"),
        (
            "MaxPoolNHWC",
            {"kernel_shape": [2], "strides": [1], "pads": [0, 0]},
            "kernel_shape [2] is not [height, width]",
        ),
        ("MaxPoolNHWC", {"kernel_shape": [0, 2]}, "kernel [0, 2] has an entry below 1"),
        ("QuantAvgPool2d", {"obits": 33}, "obits is 33. Remedy: use 2 to 32"),
        ("QuantAvgPool2d", {"ibits": 0}, "ibits is 0. Remedy: use at least 1"),
        ("QuantAvgPool2d", {"kernel": 0}, "kernel [0, 0] has an entry below 1"),
        ("QuantAvgPool2d", {"data_layout": "NCW"}, "attribute 'data_layout' is 'NCW'. Remedy: use one of: 'NCHW'"),
    ],
)
def test_pooling_refuses_attributes_that_do_not_fit(op_type: str, attributes: dict[str, object], message: str) -> None:
    usual: dict[str, object] = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 0, 0]}
    if op_type == "QuantAvgPool2d":
        usual = {"kernel": 2, "stride": 1, "ibits": 4, "obits": 4, "signed": 0, "data_layout": "NCHW"}
    op = getCustomOp(one_node(op_type, {"x": ((1, 4, 4, 4), FLOAT)}, **usual).graph.node[0])
    assert op.verify_node() == ["All attributes are present and legal"]
    op = getCustomOp(one_node(op_type, {"x": ((1, 4, 4, 4), FLOAT)}, **(usual | attributes)).graph.node[0])
    with pytest.raises(AttributeValueError) as error:
        op.verify_node()
    assert str(error.value).startswith(f"node {op_type} '{op_type}_0': {message}")


@settings(deadline=None)
@given(
    st.integers(2, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 8),
    st.integers(2, 12),
    st.booleans(),
    st.sampled_from(["NCHW", "NHWC"]),
    st.sampled_from([np.float32, np.float64, np.float16, np.int64]),
    st.integers(0, 2**32 - 1),
)
def test_average_pooling_is_a_sum_and_a_shift(
    n: int, k: int, stride: int, ibits: int, obits: int, signed: bool, layout: str, dtype: type, seed: int
) -> None:
    low, high = (-(2 ** (ibits - 1)), 2 ** (ibits - 1) - 1) if signed else (0, 2**ibits - 1)
    x = np.random.default_rng(seed).integers(low, high + 1, (n, 4, 5, 2)).astype(dtype)
    shift = max(0, len(f"{(2**ibits - 1) * k * k:b}") - obits)
    expected = by_windows(
        x,
        windows((4, 5), (k, k), (stride, stride), (0, 0, 0, 0), (1, 1)),
        lambda i, spots: [sum(int(x[(i, *s, c)]) for s in spots) >> shift for c in range(2)],
    )
    data = np.moveaxis(x, -1, 1) if layout == "NCHW" else x
    model = one_node(
        "QuantAvgPool2d",
        {"x": (["N", *data.shape[1:]], helper.np_dtype_to_tensor_dtype(data.dtype))},
        kernel=k,
        stride=stride,
        ibits=ibits,
        obits=obits,
        signed=int(signed),
        data_layout=layout,
    )
    op = getCustomOp(model.graph.node[0])
    context = {"x": data}
    op.execute_node(context, model.graph)
    y = np.moveaxis(context["y"], 1, -1) if layout == "NCHW" else context["y"]
    assert y.ravel().tolist() == expected
    assert op.get_shifts() == shift
    if dtype is np.float32:
        shape = ["N", *context["y"].shape[1:]]
        assert inferred(model) == (shape, FLOAT, f"{'' if signed else 'U'}INT{obits}")


def test_average_pooling_of_wide_integers_is_exact() -> None:
    attributes = {"kernel": 2, "stride": 2, "ibits": 32, "obits": 32, "signed": 0, "data_layout": "NHWC"}
    model = one_node("QuantAvgPool2d", {"x": ((2, 2, 2, 1), FLOAT)}, **attributes)
    model.set_tensor_datatype("x", DataType["UINT32"])
    model.set_tensor_datatype("y", DataType["UINT32"])
    x = np.array([2**32 - 1, 2**32 - 2, 2**31 + 1, 3] * 2, dtype=np.int64).reshape(2, 2, 2, 1)
    assert run(model, x=x).ravel().tolist() == [(2**32 - 1 + 2**32 - 2 + 2**31 + 1 + 3) >> 2] * 2
    assert getCustomOp(model.graph.node[0]).get_accum_size() == 34


def test_average_pooling_of_more_than_64_bits() -> None:
    attributes = {"kernel": 3, "stride": 1, "ibits": 62, "obits": 8, "signed": 0}
    model = one_node("QuantAvgPool2d", {"x": ((1, 1, 3, 3), FLOAT)}, **attributes)
    with pytest.raises(UnsupportedError) as error:
        run(model, x=np.zeros((1, 1, 3, 3), np.float32))
    assert str(error.value) == (
        "node QuantAvgPool2d 'QuantAvgPool2d_0': sums of 66 bits do not fit 64. "
        "Remedy: use a smaller window or fewer ibits"
    )
