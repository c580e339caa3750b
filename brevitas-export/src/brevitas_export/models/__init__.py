# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quantized networks of well-known topologies, written with Brevitas; all take their widths and their quantization.

Channels first, batch first. The functions with small letters are networks of a certain size, whose bit widths are
arguments; what they compute is exact (see `exact`), and hardware computes all of it.
"""

from brevitas_export.models.dense import UNet, Yolo, unet_small
from brevitas_export.models.images import (
    Cnv,
    MobileNetV1,
    MobileNetV2,
    ResNet,
    Vgg,
    cnv,
    cnv_small,
    mobilenet_v1_small,
    resnet8,
)
from brevitas_export.models.perceptrons import Mlp, intrusion_mlp, kws_mlp, lfc, sfc, tfc
from brevitas_export.models.quantization import Quantization, exact
from brevitas_export.models.sequences import Encoder, SpeechNet, Vgg10, vgg10

__all__ = [
    "Cnv",
    "Encoder",
    "Mlp",
    "MobileNetV1",
    "MobileNetV2",
    "Quantization",
    "ResNet",
    "SpeechNet",
    "UNet",
    "Vgg",
    "Vgg10",
    "Yolo",
    "cnv",
    "cnv_small",
    "exact",
    "intrusion_mlp",
    "kws_mlp",
    "lfc",
    "mobilenet_v1_small",
    "resnet8",
    "sfc",
    "tfc",
    "unet_small",
    "vgg10",
]
