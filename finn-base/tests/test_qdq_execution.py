"""QuantizeLinear and DequantizeLinear in float64, and shapes of quantizers in a row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import qonnx_make_model


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from([np.int8, np.uint8]),
    axis=st.sampled_from([None, 0, 1, -1]),
    opset=st.sampled_from([13, 19]),
    with_zero=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_equal_to_onnxruntime(dtype: type, axis: int | None, opset: int, with_zero: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.integers(-600, 600, (3, 4)) / 4).astype(np.float32)
    size = () if axis is None else (x.shape[axis],)
    scale = (2.0 ** rng.integers(-2, 2, size)).astype(np.float32)
    info = np.iinfo(dtype)
    zero = rng.integers(info.min, info.max + 1, size).astype(dtype) if with_zero else np.zeros(size, dtype)
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4])],
    )  # fmt: skip
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    model.set_initializer("s", scale)
    model.set_initializer("z", zero)
    native, double = (execute_onnx(model, {"x": x}, precision=p)["y"] for p in ("native", "float64"))
    np.testing.assert_array_equal(native, double)


def test_shapes_of_quantizers_in_a_row(build) -> None:  # type: ignore[no-untyped-def]
    quant = {"domain": "finn.custom_op.general", "signed": 1, "narrow": 0}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["a"], **quant),
        helper.make_node("Quant", ["a", "s2", "z", "b"], ["c"], **quant),
        helper.make_node("Quant", ["c", "s", "z", "b"], ["y"], **quant),
    ]
    constants = {
        "s": np.ones(3, np.float32),
        "s2": np.ones((4, 1, 1), np.float32),
        "z": np.float32(0),
        "b": np.float32(4),
    }
    model = build(nodes, {"x": [2, 3]}, ["y"], constants)
    for name in ("a", "c"):
        assert model.get_tensor_shape(name) is None
    inferred = model.transform(InferShapes())
    assert [inferred.get_tensor_shape(name) for name in "acy"] == [[2, 3], [4, 2, 3], [4, 2, 3]]


def test_blocks_are_refused(build) -> None:  # type: ignore[no-untyped-def]
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=0, block_size=2)
    constants = {"s": np.ones((1, 3), np.float32), "z": np.zeros((1, 3), np.int8)}
    model = build([node], {"x": [2, 3]}, ["y"], constants, opset=21)
    with pytest.raises(Exception, match="per tensor or per axis"):
        execute_onnx(model, {"x": np.ones((2, 3), np.float32)}, precision="float64")
