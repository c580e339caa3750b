"""Batch normalization of channels-last data."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import DataType
from finn.core.numpy_ops import BATCHNORM_EPSILON, run_node
from finn.custom_op.base import Attribute
from finn.custom_op.channels_last.base_wrapped_op import ChannelsLastWrappedOp
from finn.custom_op.shapes import same_shape_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


class BatchNormalization_v1(ChannelsLastWrappedOp):
    """Inputs x, scale, bias, mean, variance; output (x - mean) / sqrt(variance + epsilon) * scale + bias."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "epsilon": Attribute("f", BATCHNORM_EPSILON, doc="added to the variance"),
        "momentum": Attribute("f", 0.9, doc="of the training, not used here"),
        "training_mode": Attribute("i", 0, frozenset({0}), doc="training is not supported"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return same_shape_stand_in(self, model)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """FLOAT32."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, *parameters = (context[name] for name in self.onnx_node.input)
        self.get_nodeattr("training_mode")
        (out,) = run_node(self.onnx_node, [np.moveaxis(x, -1, 1), *parameters], self.onnx_opset_version)
        context[self.onnx_node.output[0]] = np.moveaxis(out, 1, -1)


class BatchNormalization_v9(BatchNormalization_v1):
    """The same: what changed in ONNX concerns training."""


class BatchNormalization_v14(BatchNormalization_v9):
    """The same: what changed in ONNX concerns training."""


BatchNormalization = BatchNormalization_v1
