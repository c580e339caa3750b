"""What changes for a node when its model imports a newer version of the standard operators."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import ModelProto, NodeProto, helper

from finn.core.domains import is_custom_domain
from finn.core.errors import UnsupportedError
from finn.core.index import subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe

_FLATTENED_BEFORE_13 = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_MEANING_CHANGED = {"Resize": 11, "RoiAlign": 16, "GridSample": 20}
"""Operators whose inputs or defaults mean something else from this version on, though the node still looks legal.

Source: the operator changelog of ONNX (docs/Changelog.md).
"""


def require_same_meaning(model: ModelWrapper, nodes: Iterable[NodeProto], old: int, new: int, purpose: str) -> None:
    """UnsupportedError that names the first standard node, in bodies too, that version `new` would read otherwise."""
    if old == new:
        return
    for node in nodes:
        reason = None if is_custom_domain(node.domain) else _obstacle(model, node, old, new)
        if reason is not None:
            raise UnsupportedError(
                f"cannot raise the standard operators from version {old} to {new}, which {purpose}",
                where=f"node {describe(node)}",
                why=reason,
                remedy=f"convert the model with onnx.version_converter.convert_version(model, {new}) first",
            )
        for body in subgraphs(node):
            require_same_meaning(model, body.node, old, new, purpose)


def _obstacle(model: ModelWrapper, node: NodeProto, old: int, new: int) -> str | None:
    """Why `node` cannot be taken over, or None."""
    try:
        schema = onnx.defs.get_schema(node.op_type, new, node.domain)
        if schema.since_version == onnx.defs.get_schema(node.op_type, old, node.domain).since_version:
            return None
    except onnx.defs.SchemaError:
        return None  # a function of the model, or an operator that neither version has
    if schema.deprecated:
        return f"{node.op_type} is deprecated there"
    moved = [a.name for a in node.attribute if a.name not in schema.attributes]
    if moved:
        return f"its attribute '{moved[0]}' does not exist there"
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"it has {len(node.input)} inputs, there it has {schema.min_input} to {schema.max_input}"
    return _changed_meaning(model, node, old, new)


def _changed_meaning(model: ModelWrapper, node: NodeProto, old: int, new: int) -> str | None:
    if old < _MEANING_CHANGED.get(node.op_type, 0) <= new:
        return f"{node.op_type} means something else there"
    if node.op_type == "Split" and old < 18 <= new and len(node.input) == 1:
        return "equal parts need the attribute 'num_outputs' there"
    if node.op_type in _FLATTENED_BEFORE_13 and old < 13 <= new:
        axis = next((a.i for a in node.attribute if a.name == "axis"), None)
        shape = model.get_tensor_shape(node.input[0])
        last = axis == -1 or (axis is not None and shape is not None and axis == len(shape) - 1)
        return None if last else "before version 13 it works on all axes from 'axis' on"
    return None


def set_standard_opset(model: ModelProto, version: int) -> None:
    """Import the standard operators, under whichever name they are imported, at `version`."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version
            return
    model.opset_import.append(helper.make_opsetid("", version))
