"""Builds small models for the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.util.basic import qonnx_make_model

Build = Callable[..., ModelWrapper]


def _build(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Mapping[str, np.ndarray] | None = None,
    datatypes: Mapping[str, str] | None = None,
    opset: int = 13,
) -> ModelWrapper:
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("finn.custom_op.general", 1)]
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
    for name, value in (constants or {}).items():
        model.set_initializer(name, value)
    for name, datatype in (datatypes or {}).items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model


@pytest.fixture
def build() -> Build:
    """build(nodes, {input: shape}, outputs, {constant: array}, {tensor: data type name}, opset) -> ModelWrapper."""
    return _build


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with published models and their expected outputs."""
    folder = Path(os.environ.get("FINN_SHARED", Path(__file__).parents[2].parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no published models in {folder}; set FINN_SHARED")
    return folder
