"""What can be told before the first step: whether the network has fixed shapes and numbers, and files are readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper


class NetworkError(FinnError):
    """A valid ONNX file that holds no network that can be built."""


def check(model: ModelWrapper) -> None:
    """Raise `NetworkError` for inputs without fixed, positive shape, weights that are not numbers, loose ends."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if not graph.node or not inputs or not graph.output:
        raise NetworkError(
            "the network is empty",
            where=graph.name,
            why=f"it has {len(graph.node)} nodes, {len(inputs)} inputs and {len(graph.output)} outputs",
            remedy="export the network again",
        )
    for value in inputs:
        _check_shape(value)
    for tensor in graph.initializer:
        _check_numbers(tensor)
    _check_wires(graph)


def folding_config(path: Path, key: str = "folding_config_file") -> dict[str, Any]:
    """The configuration {node name: {attribute: value}} that `key` names. Raises `ConfigError` if it is none."""
    remedy = 'write {"Defaults": {}, "MVAU_0": {"PE": 2, "SIMD": 4}}'
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = f"correct {key}, or remove it"
        raise ConfigError("the configuration of layers is missing", where=str(path), remedy=remedy) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("not a JSON file", where=str(path), why=str(error), remedy=remedy) from error
    if not isinstance(config, dict) or not all(isinstance(values, dict) for values in config.values()):
        raise ConfigError("not a folding configuration", where=str(path), remedy=remedy)
    return config


def _check_shape(value: onnx.ValueInfoProto) -> None:
    where = f"input {value.name!r}"
    remedy = "export the network with a fixed input shape and batch size 1"
    if not value.type.tensor_type.HasField("shape"):
        raise NetworkError("the input has no shape", where=where, remedy=remedy)
    sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in value.type.tensor_type.shape.dim]
    shown = "(" + ", ".join(map(str, sizes)) + ")"
    if any(isinstance(size, str) for size in sizes):
        why = "hardware is built for one fixed shape"
        raise NetworkError(f"the input has the dynamic shape {shown}", where=where, why=why, remedy=remedy)
    if any(isinstance(size, int) and size <= 0 for size in sizes):
        raise NetworkError(f"the input has no elements: its shape is {shown}", where=where, remedy=remedy)


def _check_wires(graph: onnx.GraphProto) -> None:
    """Shape inference would say no more than that a type is null."""
    there = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    there.update(name for node in graph.node for name in node.output)
    reads = [(f"node {n.name or n.op_type}", name) for n in graph.node for name in n.input if name]
    for where, name in [*reads, *((f"output {value.name!r}", value.name) for value in graph.output)]:
        if name not in there:
            raise NetworkError(f"nothing computes the tensor {name!r}", where=where, remedy="export the network again")


def _check_numbers(tensor: onnx.TensorProto) -> None:
    where = f"initializer {tensor.name!r}"
    if 0 in tensor.dims and len(tensor.dims) > 1:
        shown = tuple(tensor.dims)
        raise NetworkError(
            f"the weights have no elements: their shape is {shown}", where=where, remedy="export it again"
        )
    if tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16):
        return
    try:
        bad = int(np.isnan(numpy_helper.to_array(tensor)).sum())
    except ValueError as error:
        remedy = "export or copy the .onnx file again"
        raise NetworkError("the file is damaged", where=where, why=str(error), remedy=remedy) from error
    if bad:
        what = f"{bad} of {int(np.prod(tensor.dims))} values are NaN"
        raise NetworkError(
            what, where=where, why="training diverged or the file is damaged", remedy="export good weights"
        )
