# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quantized networks of well-known topologies, written with Brevitas; all take their widths and their quantization.

Channels first, batch first. A network begins with an 8-bit quantizer of its input and ends with float scores.
"""

from brevitas_export.models.dense import UNet, Yolo
from brevitas_export.models.images import MobileNetV1, MobileNetV2, ResNet, Vgg
from brevitas_export.models.quantization import Quantization
from brevitas_export.models.sequences import Encoder, SpeechNet

__all__ = ["Encoder", "MobileNetV1", "MobileNetV2", "Quantization", "ResNet", "SpeechNet", "UNet", "Vgg", "Yolo"]
