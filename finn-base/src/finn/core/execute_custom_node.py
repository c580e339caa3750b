"""Execution of one node of a custom operator domain."""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core._steps import CustomStep
from finn.custom_op.registry import getCustomOp


def execute_custom_node(
    node: NodeProto,
    context: MutableMapping[str, np.ndarray],
    graph: GraphProto,
    onnx_opset_version: int | None = None,
) -> None:
    """Compute the outputs of `node` from its inputs, all in `context`, in place.

    onnx_opset_version: what the operator is told as the version of its domain, 1 if None. UnknownOpError if the
    operator is not known, ExecutionError that names the node if it cannot be computed.
    """
    CustomStep(getCustomOp(node, onnx_opset_version), None).run(context, graph)
