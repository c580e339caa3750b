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
from finn.transformation.raise_opset import NEWEST_OPSET, raise_opset

_FLATTENED_BEFORE_13 = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_MEANING_CHANGED = {"Resize": 11, "RoiAlign": 16, "GridSample": 20}
"""Operators whose inputs or defaults mean something else from this version on, though the node still looks legal.

Source: the operator changelog of ONNX (docs/Changelog.md).
"""


def import_standard_opset(model: ModelWrapper, version: int) -> None:
    """Let `model` import the standard operators at `version`, not below its own. Nodes are adapted where they need it.

    UnsupportedError, perhaps with some nodes adapted already, if one would mean something else.
    """
    old = model.get_opset_imports().get("", version)
    if old < NEWEST_OPSET and any(obstacle(node, old, version) for node in model.graph.node):
        raise_opset(model, min(version, NEWEST_OPSET))
        old = min(version, NEWEST_OPSET)
    require_same_meaning(model.graph.node, old, version)
    _set_import(model.model, version)


def require_same_meaning(nodes: Iterable[NodeProto], old: int, new: int) -> None:
    """UnsupportedError that names the first standard node, in bodies too, that version `new` would read otherwise."""
    for node in nodes:
        reason = obstacle(node, old, new)
        if reason is not None:
            raise UnsupportedError(
                f"the standard operators cannot be raised from version {old} to {new}",
                where=f"node {describe(node)}",
                why=reason,
                remedy="export both models with the same opset",
            )


def obstacle(node: NodeProto, old: int, new: int) -> str | None:
    """Why a standard node, or one in its bodies, cannot be taken over from version `old` to `new` as it is, or None."""
    if old == new:
        return None
    reason = None if is_custom_domain(node.domain) else _own_obstacle(node, old, new)
    inner = (obstacle(other, old, new) for body in subgraphs(node) for other in body.node)
    return reason or next(filter(None, inner), None)


def _own_obstacle(node: NodeProto, old: int, new: int) -> str | None:
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        schema = onnx.defs.get_schema(node.op_type, new, domain)
        if schema.since_version == onnx.defs.get_schema(node.op_type, old, domain).since_version:
            return None
    except onnx.defs.SchemaError:
        return f"{node.op_type} is not defined in both"
    if schema.deprecated:
        return f"{node.op_type} is deprecated there"
    moved = [a.name for a in node.attribute if a.name not in schema.attributes]
    if moved:
        return f"its attribute '{moved[0]}' does not exist there"
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"it has {len(node.input)} inputs, there it has {schema.min_input} to {schema.max_input}"
    return _changed_meaning(node, old, new)


def _changed_meaning(node: NodeProto, old: int, new: int) -> str | None:
    if old < _MEANING_CHANGED.get(node.op_type, 0) <= new:
        return f"{node.op_type} means something else there"
    if node.op_type == "Split" and old < 18 <= new and len(node.input) == 1:
        return "equal parts need the attribute 'num_outputs' there"
    if node.op_type in _FLATTENED_BEFORE_13 and old < 13 <= new:
        last = any(a.name == "axis" and a.i == -1 for a in node.attribute)
        return None if last else "before version 13 it works on all axes from 'axis' on"
    return None


def _set_import(model: ModelProto, version: int) -> None:
    """Import the standard operators, under whichever name they are imported, at `version`."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version
            return
    model.opset_import.append(helper.make_opsetid("", version))
