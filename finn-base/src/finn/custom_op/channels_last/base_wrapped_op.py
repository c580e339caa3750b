"""What the channels-last operators share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finn.custom_op.base import CustomOp
from finn.custom_op.shapes import to_channels_first_args, to_channels_last_args

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

__all__ = ["ChannelsLastWrappedOp", "to_channels_first_args", "to_channels_last_args"]


class ChannelsLastWrappedOp(CustomOp):
    """An operator of ONNX on data (N, *spatial, C), of any rank: NC, NWC, NHWC, NDHWC.

    It means: transpose to channels first, run the operator of ONNX of the same name, transpose back. The data type of
    the output is that of input 0, unless a subclass knows better.
    """

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        model.set_tensor_datatype(self.onnx_node.output[0], model.get_tensor_datatype(self.onnx_node.input[0]))
