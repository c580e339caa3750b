# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quantized networks of well-known topologies, written with Brevitas; all take their widths and their quantization.

Channels first, batch first. A network begins with an 8-bit quantizer of its input and ends with float scores.
"""

from networks.dense import UNet, Yolo
from networks.images import MobileNetV1, MobileNetV2, ResNet, Vgg
from networks.quantization import Quantization
from networks.sequences import Encoder, SpeechNet

__all__ = ["Encoder", "MobileNetV1", "MobileNetV2", "Quantization", "ResNet", "SpeechNet", "UNet", "Vgg", "Yolo"]
