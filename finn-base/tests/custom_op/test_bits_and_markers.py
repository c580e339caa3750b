"""XnorPopcountMatMul, DebugMarker, BipolarQuant, and the shapes and types of quantizers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, ExecutionError, ModelError
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.general.xnorpopcount import xnorpopcountmatmul
from finn.custom_op.registry import getCustomOp
from finn.transformation.infer_datatypes import InferDataTypes

from .helpers import inferred, one_node, run  # noqa: TID252 - test helpers are no installed package

FLOAT, DOUBLE, HALF, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64


@settings(deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 4),
    st.sampled_from([(), (2,), (2, 3)]),
    st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.bool_]),
    st.integers(0, 2**32 - 1),
)
def test_equal_bits_are_counted(m: int, k: int, n: int, batch: tuple[int, ...], dtype: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, (*batch, m, k)).astype(dtype), rng.integers(0, 2, (k, n)).astype(dtype)
    y = xnorpopcountmatmul(a, b)
    assert y.shape == (*batch, m, n)
    for *at, i, j in np.ndindex(*y.shape):
        count = sum(bool(a[(*at, i, d)]) == bool(b[d, j]) for d in range(k))
        assert y[(*at, i, j)] == count
        assert sum((1 if a[(*at, i, d)] else -1) * (1 if b[d, j] else -1) for d in range(k)) == 2 * count - k


def test_what_is_no_bit_matrix() -> None:
    with pytest.raises(ExecutionError) as error:
        xnorpopcountmatmul(np.ones((2, 3)), np.ones((4, 2)))
    assert str(error.value) == "matrices of shapes [2, 3] and [4, 2] do not fit"
    with pytest.raises(ExecutionError) as error:
        xnorpopcountmatmul(np.array([[-1.0, 1.0]]), np.ones((2, 1)))
    assert str(error.value) == "the bits are not all 0 or 1. Remedy: write -1 as 0: bit = (value + 1) / 2"


def test_xnor_node() -> None:
    model = one_node("XnorPopcountMatMul", {"x": (["N", 3], FLOAT)}, {"w": np.float32([[1, 0], [0, 1], [1, 1]])})
    with pytest.raises(ModelError) as error:
        model.transform(InferDataTypes())
    assert str(error.value) == (
        "node XnorPopcountMatMul 'XnorPopcountMatMul_0': input 'x' is FLOAT32, wanted BINARY. "
        "Remedy: annotate it, or convert -1, +1 to 0, 1"
    )
    model.set_tensor_datatype("x", DataType["BINARY"])
    assert inferred(model) == (["N", 2], FLOAT, "UINT32")
    assert run(model, x=np.float32([[1, 0, 1], [0, 0, 0]])).tolist() == [[3, 1], [1, 1]]


def test_debug_marker() -> None:
    model = one_node("DebugMarker", {"x": (["N", 3], FLOAT)}, export_debug_name="conv1_out")
    model.set_tensor_datatype("x", DataType["INT4"])
    assert inferred(model) == (["N", 3], FLOAT, "INT4")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    context = {"x": x}
    getCustomOp(model.graph.node[0]).execute_node(context, model.graph)
    np.testing.assert_array_equal(context["y"], x)
    np.testing.assert_array_equal(context["conv1_out"], x)
    assert model.transform(InferDataTypes(), cleanup=False).get_tensor_datatype("conv1_out") == DataType["INT4"]
    np.testing.assert_array_equal(execute_onnx(model, {"x": x}, True)["conv1_out"], x)


def quantizer(op_type: str, parameters: dict[str, object], kind: int = FLOAT, **attributes: object) -> object:
    constants = {name: np.asarray(value) for name, value in parameters.items()}
    return one_node(op_type, {"x": (["N", 3, 4], kind)}, constants, **attributes)


@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        (np.float32(1), ["N", 3, 4]),
        (np.ones(1, np.float32), ["N", 3, 4]),
        (np.ones((3, 1), np.float32), ["N", 3, 4]),
        (np.ones((1, 3, 1), np.float32), ["N", 3, 4]),
        (np.ones((1, 1, 1, 1), np.float32), [1, "N", 3, 4]),
        (np.ones((5, 1, 3, 1), np.float32), [5, "N", 3, 4]),
        (np.ones((5, 1, 3, 1), np.float64), [5, "N", 3, 4]),
        (np.ones((5, 1, 3, 1), np.float16), [5, "N", 3, 4]),
    ],
)
@pytest.mark.parametrize("kind", [FLOAT, DOUBLE, HALF, INT64])
def test_quantizers_broadcast(scale: np.ndarray, shape: list[object], kind: int) -> None:
    expected = kind if kind != INT64 else FLOAT
    assert inferred(quantizer("BipolarQuant", {"s": scale}, kind))[:2] == (shape, expected)
    model = quantizer("Quant", {"s": scale, "z": np.float32(0), "b": np.float32(4)}, kind, signed=1, narrow=0)
    assert inferred(model)[:2] == (shape, expected)
    x = np.ones((2, 3, 4), helper.tensor_dtype_to_np_dtype(kind))
    context = {"x": x, "s": scale, "z": np.float32(0), "b": np.float32(4)}
    getCustomOp(model.graph.node[0]).execute_node(context, None)
    assert list(context["y"].shape) == [2 if dim == "N" else dim for dim in shape]


@pytest.mark.parametrize(
    ("scale", "zeropt", "bits", "signed", "expected"),
    [
        (1, 0, 4, 1, "INT4"),
        (1, 0, 4, 0, "UINT4"),
        (1, 0, 1, 1, "BIPOLAR"),
        (1, 0, 1, 0, "BINARY"),
        (0.5, 0, 4, 1, "SCALEDINT<4>"),
        ([[[1], [2], [1]]], 0, 8, 0, "SCALEDINT<8>"),
        (0.5, 0, 1, 1, "SCALEDINT<1>"),
        (1, 2, 4, 1, "FLOAT32"),
        (1, 0, [2, 2, 3, 3], 1, "FLOAT32"),
        (1, 0, [2, 2, 2, 2], 1, "INT2"),
    ],
)
def test_quantizers_have_the_type_of_their_integers(
    scale: object, zeropt: object, bits: object, signed: int, expected: str
) -> None:
    parameters = {"s": np.float32(scale), "z": np.float32(zeropt), "b": np.float32(bits)}
    model = quantizer("Quant", parameters, signed=signed, narrow=0)
    op = getCustomOp(model.graph.node[0])
    assert op.get_output_dtype(model).name == expected
    assert model.transform(InferDataTypes()).get_tensor_datatype("y").name == (
        "FLOAT32" if "SC" in expected else expected
    )


def test_scaled_type_of_a_quantizer() -> None:
    model = quantizer("Quant", {"s": np.float32(0.5), "z": np.float32(1), "b": np.float32(6)}, signed=0, narrow=0)
    op = getCustomOp(model.graph.node[0])
    assert op.get_integer_datatype(model) == DataType["UINT6"]
    assert op.get_scaled_integer_datatype(model) == DataType["SCALEDINT<6>"]
    model.set_initializer("b", np.float32([6, 7, 8, 9]))
    assert op.get_integer_datatype(model) is None
    assert op.get_scaled_integer_datatype(model) is None
    model.set_initializer("b", np.float32(2.5))
    with pytest.raises(ExecutionError, match=r"^node Quant 'Quant_0': a quantizer cannot have \[2\.5\] bits"):
        op.get_integer_datatype(model)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, ""),
        ({"data_layout": ""}, ""),
        ({"data_layout": "NHWC"}, ""),
        ({"data_layout": "C"}, ""),
        (
            {"data_layout": "NHCW"},
            "data_layout is 'NHCW'. Remedy: have the channels (C) second or last, as in NCHW",
        ),
        ({"out_dtype": "INT0"}, "out_dtype: 'INT0' is no data type"),
        ({"out_scale": 3}, ""),
    ],
)
def test_thresholds_are_verified(attributes: dict[str, object], message: str) -> None:
    parameters = {"t": np.float32([[0, 1, 2]])}
    op = getCustomOp(quantizer("MultiThreshold", parameters, **({"out_dtype": "UINT2"} | attributes)).graph.node[0])
    if not message:
        assert op.verify_node() == ["All attributes are present and legal"]
        return
    with pytest.raises(AttributeValueError) as error:
        op.verify_node()
    assert str(error.value).startswith(f"node MultiThreshold 'MultiThreshold_0': {message}")
