"""Transformations that worker processes can import."""

from __future__ import annotations

from onnx import NodeProto

from finn.core.errors import ModelError
from finn.transformation.base import NodeLocalTransformation


class CountReaders(NodeLocalTransformation):
    """Appends to the name of a node how many nodes read its output in the model as it was."""

    def applyNodeLocal(self, node: NodeProto) -> tuple[NodeProto, bool]:
        if node.op_type == "Neg":
            raise ModelError("no negation, please")
        readers = len(self.ref_input_model.find_consumers(node.output[0])) if self.ref_input_model else -1
        node.name += f"({readers})"
        return node, False


class CountReadersInProcesses(CountReaders):
    uses_processes = True
