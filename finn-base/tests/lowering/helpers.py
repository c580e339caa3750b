"""Builds small models and compares them before and after a transformation, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.base import Transformation
from finn.transformation.infer_shapes import InferShapes

GENERAL = "finn.custom_op.general"
OPSETS = st.sampled_from([9, 11, 13, 18, 21])  # to the newest that every supported onnxruntime runs
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def whole(seed: int, shape: Sequence[int], low: int = -8, high: int = 8) -> np.ndarray:
    """Random integers in float32: sums of products of them are exact."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)


def make(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, Any] | None = None,
    *,
    outputs: Sequence[str] = ("y",),
    datatypes: Mapping[str, str] | None = None,
    opset: int = 13,
) -> ModelWrapper:
    """A model with inferred shapes; its output is `y`."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=8))
    for name, value in (constants or {}).items():
        model.set_initializer(name, np.asarray(value))
    for name, datatype in (datatypes or {}).items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model.transform(InferShapes())


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.graph.node]


def same(model: ModelWrapper, transformation: Transformation, feeds: Mapping[str, np.ndarray]) -> ModelWrapper:
    """The transformed model, after checking that it computes the same, and that shapes and annotations are true.

    The original must be as it was, and a second application must find nothing to do.
    """
    original = model.model.SerializeToString(deterministic=True)
    expected = execute_onnx(model, feeds)
    result = model.transform(transformation)
    assert model.model.SerializeToString(deterministic=True) == original
    context = execute_onnx(result, feeds, return_full_exec_context=True)
    assert [o.name for o in result.graph.output] == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(context[name], value)
        assert context[name].shape == value.shape
        assert result.get_tensor_datatype(name) == model.get_tensor_datatype(name)
    check_annotations(result, context)
    again = result.transform(transformation)
    assert again.model.SerializeToString(deterministic=True) == result.model.SerializeToString(deterministic=True)
    return result


def check_annotations(model: ModelWrapper, context: Mapping[str, np.ndarray]) -> None:
    """Every tensor has a shape, that which it has when it is computed, and values of its data type."""
    known = {name for node in model.graph.node for name in (*node.input, *node.output) if name}
    for name in model.get_all_tensor_names():
        assert name in known or model.is_graph_input(name), f"{name} is left over"
    for name in known:
        shape = model.get_tensor_shape(name)
        assert shape is not None, name
        assert all(a in (0, b) for a, b in zip(shape, context[name].shape, strict=True)), (name, shape)
        datatype = model.get_tensor_datatype(name)
        assert np.all(datatype.allowed(np.atleast_1d(context[name]))), (name, datatype)
