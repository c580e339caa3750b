"""A tensor under another name, for debugging."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.custom_op.base import Attribute, CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


class DebugMarker(CustomOp):
    """Input x; output x. The execution context has x under the name `export_debug_name`, too."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "export_debug_name": Attribute("s", doc="the name in the execution context; of no tensor of the graph"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("Identity", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """That of the input, for both names."""
        datatype = model.get_tensor_datatype(self.onnx_node.input[0])
        for name in (self.onnx_node.output[0], self.get_nodeattr("export_debug_name")):
            model.set_tensor_datatype(name, datatype)

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        value = context[self.onnx_node.input[0]]
        context[self.onnx_node.output[0]] = value
        context[self.get_nodeattr("export_debug_name")] = value
