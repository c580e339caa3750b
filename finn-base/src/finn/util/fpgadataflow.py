"""Which nodes are hardware layers of FINN."""

from __future__ import annotations

from onnx import NodeProto

from finn.util.basic import is_finn_op


def is_fpgadataflow_node(node: NodeProto | None) -> bool:
    """Whether this is a custom node whose attribute `backend` is "fpgadataflow"; False for None."""
    if node is None or not is_finn_op(node.domain):
        return False
    return any(item.name == "backend" and item.s == b"fpgadataflow" for item in node.attribute)
