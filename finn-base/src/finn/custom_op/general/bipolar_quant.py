"""Quantization to the sign."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import DataType
from finn.custom_op.base import CustomOp
from finn.custom_op.expansion import Expansion
from finn.custom_op.general._standard_forms import bipolar_quant_form
from finn.custom_op.general.intquant import result_type
from finn.custom_op.shapes import broadcast_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def binary_quant(inp_tensor: np.ndarray, scale: Any) -> np.ndarray:
    """+scale where x >= 0, else -scale (also for NaN). The result has the type of x, a float type for integer x."""
    x = np.asarray(inp_tensor)
    dtype = result_type(x)
    return np.asarray(np.where(x >= 0, dtype.type(1), dtype.type(-1)) * np.asarray(scale, dtype=dtype))


class BipolarQuant(CustomOp):
    """Inputs x, scale; output: `binary_quant` of them. No attributes."""

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return broadcast_stand_in(self, model)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """BIPOLAR if the scale is 1, else FLOAT32."""
        scale = model.get_initializer(self.onnx_node.input[1])
        plain = scale is not None and bool(np.all(scale == 1))
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["BIPOLAR" if plain else "FLOAT32"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale = (context[name] for name in self.onnx_node.input)
        context[self.onnx_node.output[0]] = binary_quant(x, scale)

    def expand(self, e: Expansion) -> list[str] | None:
        return bipolar_quant_form(e)
