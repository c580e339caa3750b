"""Operators one behind the other, in the place of one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from finn.core.datatype import BaseDataType
from finn.core.domains import GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import custom_op


@dataclass(frozen=True, eq=False)
class Step:
    """op(x, *operands). operands : float32 constants, or names of tensors; types : of the operands.

    datatype : of the result. All results of a chain have the same shape.
    """

    op_type: str
    operands: tuple[np.ndarray | str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    datatype: BaseDataType | None = None
    types: tuple[BaseDataType | None, ...] = ()


def affine(scale: Any = 1.0, bias: Any = 0.0) -> list[Step]:
    """Mul(scale) and Add(bias), where they do something."""
    scale, bias = np.asarray(scale, np.float32), np.asarray(bias, np.float32)
    steps = [Step("Mul", (scale,))] if (scale != 1).any() else []
    return steps + ([Step("Add", (bias,))] if (bias != 0).any() else [])


def insert_chain(model: ModelWrapper, index: int, x: str, steps: Sequence[Step], output: str) -> int:
    """Put the steps into the graph at `index`: the first reads `x`, the last computes `output`. Returns the next index.

    Without steps an Identity is put there.
    """
    if any(_is_ours(step.op_type) for step in steps) and GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
    for i, step in enumerate(steps or [Step("Identity")]):
        last = i >= len(steps) - 1
        y = output if last else model.unique_tensor_name(f"{output}_{step.op_type.lower()}")
        names = [c if isinstance(c, str) else constant(model, f"{y}_{_role(step, k)}", c, step.types[k : k + 1])
                 for k, c in enumerate(step.operands)]  # fmt: skip
        domain = GENERAL if _is_ours(step.op_type) else ""
        node = helper.make_node(
            step.op_type, [x, *names], [y], f"{step.op_type}_{y}", domain=domain, **dict(step.attributes)
        )
        model.insert_node(index + i, node)
        if not last:
            shape_like(model, y, output)
        if step.datatype is not None:
            model.set_tensor_datatype(y, step.datatype)
        x = y
    return index + max(len(steps), 1)


_ROLES = {"Mul": ("scale",), "Div": ("scale",), "Add": ("bias",), "MultiThreshold": ("thresholds",),
          "Quant": ("scale", "zeropt", "bits"), "Clip": ("low", "high"), "MatMul": ("weights",)}  # fmt: skip


def _role(step: Step, position: int) -> str:
    """How its operand is called."""
    roles = _ROLES.get(step.op_type, ())
    return roles[position] if position < len(roles) else f"operand_{position}"


def _is_ours(op_type: str) -> bool:
    return op_type in custom_op


def constant(
    model: ModelWrapper, name: str, value: np.ndarray, datatype: Sequence[BaseDataType | None] = (), kind: Any = None
) -> str:
    """A new initializer, float32 unless `kind` says otherwise. Returns its name."""
    name = model.unique_tensor_name(name)
    model.set_initializer(name, np.asarray(value, kind or np.float32))
    if datatype and datatype[0] is not None:
        model.set_tensor_datatype(name, datatype[0])
    return name


def shape_like(model: ModelWrapper, name: str, other: str) -> None:
    """Let the new float32 tensor `name` have the shape of `other`, symbolic dimensions included."""
    info = model.graph.value_info.add(name=name)
    info.type.tensor_type.elem_type = TensorProto.FLOAT
    known = model.get_tensor_valueinfo(other)
    if known is not None and known.type.tensor_type.HasField("shape"):
        info.type.tensor_type.shape.CopyFrom(known.type.tensor_type.shape)
    elif (shape := model.get_tensor_shape(other)) is not None:
        info.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
