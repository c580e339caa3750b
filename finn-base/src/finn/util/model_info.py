"""What is in a model, at a glance."""

from __future__ import annotations

from collections import Counter
from typing import Any

from onnx import TensorProto

from finn.core.domains import is_custom_domain
from finn.core.model_file import tensor_bytes
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import is_custom_op


def model_info(model: ModelWrapper) -> dict[str, Any]:
    """Inputs, outputs, operators, data types and constants of a model, as plain data for tables and JSON.

    "unknown_operators": custom operators that no installed package defines. "undetermined": tensors whose shape is not
    known or has symbolic dimensions. Sizes are in bytes.
    """
    graph = model.graph
    with model.trusted_index():
        constants = {tensor.name for tensor in graph.initializer}
        computed = [name for node in graph.node for name in node.output if name]
        tensors = [*(value.name for value in graph.input if value.name not in constants), *computed]
        datatypes = Counter(model.get_tensor_datatype(name).name for name in [*tensors, *constants])
        operators = Counter((node.domain, node.op_type) for node in graph.node)
        unknown = sorted({f"{d}::{op}" for d, op in operators if is_custom_domain(d) and not is_custom_op(d, op)})
        return {
            "ir_version": model.model.ir_version,
            "opsets": model.get_opset_imports(),
            "inputs": [_tensor(model, value.name) for value in graph.input if value.name not in constants],
            "outputs": [_tensor(model, value.name) for value in graph.output],
            "nodes": len(graph.node),
            "operators": {f"{domain}::{op}" if domain else op: n for (domain, op), n in operators.most_common()},
            "datatypes": dict(datatypes.most_common()),
            "constants": len(constants),
            "parameters": sum(_elements(tensor) for tensor in graph.initializer),
            "constant_bytes": sum(map(tensor_bytes, graph.initializer)),
            "unknown_operators": unknown,
            "undetermined": [name for name in tensors if not _is_fixed(model, name)],
            "metadata": {entry.key: entry.value for entry in model.model.metadata_props},
        }


def _tensor(model: ModelWrapper, name: str) -> dict[str, Any]:
    kind = model.get_tensor_elem_type(name)
    return {
        "name": name,
        "shape": shape_text(model, name),
        "element_type": TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind),
        "datatype": model.get_tensor_datatype(name).name,
        "layout": "".join(model.get_tensor_layout(name) or []),
    }


def shape_text(model: ModelWrapper, name: str) -> str:
    """The shape of a tensor as "1 x 3 x N", "?" where nothing is known."""
    info = model.get_tensor_valueinfo(name)
    if info is None or not info.type.tensor_type.HasField("shape"):
        shape = model.get_tensor_shape(name)
        return "?" if shape is None else " x ".join(map(str, shape)) or "scalar"
    dims = info.type.tensor_type.shape.dim
    return " x ".join(dim.dim_param or (str(dim.dim_value) if dim.dim_value else "?") for dim in dims) or "scalar"


def _is_fixed(model: ModelWrapper, name: str) -> bool:
    shape = model.get_tensor_shape(name)
    return shape is not None and all(dim > 0 for dim in shape)


def _elements(tensor: TensorProto) -> int:
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count
