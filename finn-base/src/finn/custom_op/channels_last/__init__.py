"""Operators of the domain `finn.custom_op.channels_last`: those of ONNX, with the channels on the last axis."""

from finn.custom_op.base import CustomOp
from finn.custom_op.channels_last.batch_normalization import (
    BatchNormalization_v1,
    BatchNormalization_v9,
    BatchNormalization_v14,
)
from finn.custom_op.channels_last.conv import Conv_v1
from finn.custom_op.channels_last.max_pool import MaxPool_v1, MaxPool_v10

custom_op: dict[str, type[CustomOp]] = {
    "BatchNormalization_v1": BatchNormalization_v1,
    "BatchNormalization_v9": BatchNormalization_v9,
    "BatchNormalization_v14": BatchNormalization_v14,
    "Conv_v1": Conv_v1,
    "MaxPool_v1": MaxPool_v1,
    "MaxPool_v10": MaxPool_v10,
}

__all__ = [
    "BatchNormalization_v1",
    "BatchNormalization_v9",
    "BatchNormalization_v14",
    "Conv_v1",
    "MaxPool_v1",
    "MaxPool_v10",
    "custom_op",
]
