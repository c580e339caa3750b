"""Quantization to the sign."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core.datatype import DataType
from finn.custom_op.base import CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def binary_quant(inp_tensor: np.ndarray, scale: Any) -> np.ndarray:
    """+scale where x >= 0, else -scale. Computes in the type of x (float32 for integer x)."""
    x = np.asarray(inp_tensor)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    return np.asarray(np.where(x >= 0, dtype.type(1), dtype.type(-1)) * np.asarray(scale, dtype=dtype))


class BipolarQuant(CustomOp):
    """Inputs x, scale; output: `binary_quant` of them. No attributes."""

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("Identity", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """BIPOLAR if the scale is 1, else FLOAT32."""
        scale = model.get_initializer(self.onnx_node.input[1])
        plain = scale is not None and bool(np.all(scale == 1))
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["BIPOLAR" if plain else "FLOAT32"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale = (context[name] for name in self.onnx_node.input)
        context[self.onnx_node.output[0]] = binary_quant(x, scale)
