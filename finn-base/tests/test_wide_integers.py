"""Integers that float32 cannot hold, in every operator that adds them up or passes them on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.basic import qonnx_make_model


def conv_oracle(x: np.ndarray, w: np.ndarray, stride: int, pad: int, dilation: int, group: int) -> np.ndarray:
    """Python integers, one product after the other. x: (N, C, L), w: (M, C / group, K)."""
    x = np.pad(x.astype(object), [(0, 0), (0, 0), (pad, pad)])
    count = (x.shape[2] - dilation * (w.shape[2] - 1) - 1) // stride + 1
    out = np.zeros((x.shape[0], w.shape[0], count), object)
    for n, m, i in np.ndindex(out.shape):
        first = m // (w.shape[0] // group) * w.shape[1]
        for c, k in np.ndindex(w.shape[1:]):
            out[n, m, i] += int(x[n, first + c, i * stride + k * dilation]) * int(w[m, c, k])
    return out


@settings(max_examples=40, deadline=None)
@given(
    bits=st.sampled_from([13, 20, 26, 30]),
    group=st.sampled_from([1, 2]),
    stride=st.integers(1, 2),
    pad=st.integers(0, 2),
    dilation=st.integers(1, 2),
    constant=st.booleans(),
    axes=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution(
    bits: int, group: int, stride: int, pad: int, dilation: int, constant: bool, axes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    limit = 2 ** (bits - 1)
    x = rng.integers(-limit, limit, (2, 4, 7))
    w = rng.integers(-limit, limit, (6, 4 // group, 3))
    expected = conv_oracle(x, w, stride, pad, dilation, group)
    if axes == 2:  # a second axis of one element
        x, w = x[..., None], w[..., None]
    lists = {"strides": [stride, 1], "dilations": [dilation, 1]}
    attributes = {name: values[:axes] for name, values in lists.items()}
    pads = [pad, pad] if axes == 1 else [pad, 0, pad, 0]
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=group, pads=pads, **attributes)
    model = integer_model(node, {"x": x, "w": w}, bits, {"w"} if constant else set())
    feeds = {"x": x} if constant else {"x": x, "w": w}
    y = execute_onnx(model, feeds)["y"]
    assert [int(v) for v in y.reshape(-1)] == expected.reshape(-1).tolist()


def integer_model(node, inputs, bits: int, constants: set[str]) -> ModelWrapper:  # type: ignore[no-untyped-def]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
        for name, value in inputs.items()
        if name not in constants
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output]
    graph = helper.make_graph([node], "g", infos, outputs)
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    for name in constants:
        model.set_initializer(name, inputs[name].astype(np.float64))
    for name in inputs:
        model.set_tensor_datatype(name, DataType[f"INT{bits}"])
    return model


@pytest.mark.parametrize(
    ("op", "attributes", "oracle"),
    [
        ("Sum", {}, lambda x: 2 * x),
        ("ReduceSum", {"keepdims": 1}, lambda x: np.full((1, 1, 1, 1), x.sum())),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, lambda x: x.reshape(1, 1, 2, 2, 2, 2).max((3, 5))),
        ("Transpose", {"perm": [0, 1, 3, 2]}, lambda x: x.transpose(0, 1, 3, 2)),
        ("Relu", {}, lambda x: np.maximum(x, 0)),
    ],
)  # fmt: skip
def test_other_operators(op: str, attributes: dict[str, object], oracle) -> None:  # type: ignore[no-untyped-def]
    x = np.arange(16).reshape(1, 1, 4, 4) - 5 + 2**26
    node = helper.make_node(op, ["x", "x"] if op == "Sum" else ["x"], ["y"], **attributes)
    y = execute_onnx(integer_model(node, {"x": x}, 30, set()), {"x": x})["y"]
    np.testing.assert_array_equal(y.astype(np.int64), oracle(x))


def test_an_operator_that_is_no_sum_still_reads_them_exactly() -> None:
    """(2^25 + 1) - 2^25 in the end: the division by 1 must not round on the way."""
    nodes = [
        helper.make_node("Div", ["x", "one"], ["q"]),
        helper.make_node("Sub", ["q", "c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )  # fmt: skip
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    model.set_initializer("one", np.float32(1))
    model.set_initializer("c", np.float32(2**25))
    for name in ("x", "q"):
        model.set_tensor_datatype(name, DataType["INT28"])
    assert execute_onnx(model, {"x": np.array([2**25 + 1])})["y"].tolist() == [1]
