# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers of images: ResNet, MobileNet, VGG, CNV. Images (N, C, H, W) in, scores (N, classes) out.

first : the quantizer of the input; one of 8 bits, of both signs, by default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import brevitas.nn as qnn
from torch import Tensor, nn

from brevitas_export.models.quantization import Quantization, SharedQuantAdd, exact, integers

INPUT_BITS = 8


class BasicBlock(nn.Module):
    """relu(f(x) + x), f being two convolutions; a 1x1 convolution is on the way around where the shape changes."""

    def __init__(
        self, q: Quantization, inputs: int, outputs: int, stride: int, add: Callable[[Quantization], nn.Module]
    ) -> None:
        super().__init__()
        self.branch = nn.Sequential(q.block(inputs, outputs, stride=stride), q.convolution(outputs, outputs))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else q.convolution(inputs, outputs, 1, stride=stride)
        self.add = add(q)
        self.act = q.relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.add(self.branch(x), self.shortcut(x)))


class ResNet(nn.Sequential):
    """ResNet for small images (He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2).

    blocks : of each stage; the stages have width, 2 width, 4 width, ... channels, and halve the image from the second
    on. (1, 1, 1) is ResNet-8, (2, 2, 2, 2) ResNet-18.
    """

    def __init__(
        self,
        q: Quantization,
        blocks: Sequence[int],
        width: int,
        add: Callable[[Quantization], nn.Module] = SharedQuantAdd,
        channels: int = 1,
        classes: int = 10,
        first: nn.Module | None = None,
    ) -> None:
        layers: list[nn.Module] = [first or q.identity(INPUT_BITS), q.block(channels, width)]
        inputs = width
        for stage, count in enumerate(blocks):
            outputs = width << stage
            for index in range(count):
                layers.append(BasicBlock(q, inputs, outputs, 2 if stage and not index else 1, add))
                inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.linear(inputs, classes))


class MobileNetV1(nn.Sequential):
    """Depthwise separable convolutions (Howard et al., "MobileNets", 2017); the average at the end is truncated.

    Activations have two bits or more: there is no truncated average of -1 and +1.

    widths : of the stem, which halves the image, then of each pair of convolutions, of which every second halves it.
    size : pixels of the square image in each direction.
    Each channel has its own scale where a depthwise convolution reads it.
    """

    def __init__(
        self,
        q: Quantization,
        widths: Sequence[int],
        size: int,
        channels: int = 1,
        classes: int = 10,
        first: nn.Module | None = None,
    ) -> None:
        layers = [first or q.identity(INPUT_BITS), q.convolution(channels, widths[0], stride=2), q.relu(widths[0])]
        size = (size + 1) // 2
        pairs = list(pairwise(widths))
        for index, (inputs, outputs) in enumerate(pairs):
            stride = 1 + index % 2
            size = (size + stride - 1) // stride
            last = index == len(pairs) - 1
            layers += [
                q.block(inputs, inputs, stride=stride, groups=inputs),
                q.convolution(inputs, outputs, 1),
                q.relu(return_quant_tensor=True) if last else q.relu(outputs),
            ]
        pool = qnn.TruncAvgPool2d(size, bit_width=q.act_bits, return_quant_tensor=False)
        super().__init__(*layers, pool, nn.Flatten(), q.linear(widths[-1], classes))


class InvertedResidual(nn.Module):
    """1x1 to `expansion` times the channels, depthwise 3x3, 1x1 without activation; around it, if the shape stays."""

    def __init__(self, q: Quantization, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.branch = nn.Sequential(
            *(q.convolution(inputs, hidden, 1), nn.ReLU6(), q.relu()),
            *(q.convolution(hidden, hidden, stride=stride, groups=hidden), nn.ReLU6(), q.relu()),
            q.convolution(hidden, outputs, 1),
        )
        self.add = SharedQuantAdd(q) if stride == 1 and inputs == outputs else None
        self.quantizer = q.identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch(x)
        return self.quantizer(y if self.add is None else self.add(y, x))


class MobileNetV2(nn.Sequential):
    """Inverted residuals (Sandler et al., "MobileNetV2", 2018).

    stages : channels, blocks, and stride of the first block of each stage.
    """

    def __init__(
        self,
        q: Quantization,
        stages: Sequence[tuple[int, int, int]],
        expansion: int = 3,
        channels: int = 1,
        classes: int = 10,
    ) -> None:
        inputs = stages[0][0]
        layers: list[nn.Module] = [q.identity(INPUT_BITS), q.block(channels, inputs)]
        for outputs, count, stride in stages:
            for index in range(count):
                layers.append(InvertedResidual(q, inputs, outputs, 1 if index else stride, expansion))
                inputs = outputs
        head = [q.block(inputs, 2 * inputs, 1), nn.AdaptiveAvgPool2d(1), q.identity(), nn.Flatten()]
        super().__init__(*layers, *head, q.linear(2 * inputs, classes))


class Vgg(nn.Sequential):
    """Pairs of convolutions and MaxPool, then a hidden layer (Simonyan & Zisserman, 2014).

    widths : of each pair, behind which the image is halved. size : pixels of the square image in each direction.
    """

    def __init__(
        self, q: Quantization, widths: Sequence[int], hidden: int, size: int, channels: int = 1, classes: int = 10
    ) -> None:
        layers: list[nn.Module] = [q.identity(INPUT_BITS)]
        for inputs, outputs in pairwise((channels, *widths)):
            layers += [q.block(inputs, outputs), q.block(outputs, outputs), nn.MaxPool2d(2)]
            size //= 2
        features = widths[-1] * size * size
        head = [q.linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), q.relu(), q.linear(hidden, classes)]
        super().__init__(*layers, nn.Flatten(), *head)


class Cnv(nn.Sequential):
    """Pairs of convolutions without padding, MaxPool between the pairs, then dense layers
    (Umuroglu et al., "FINN", 2017). (64, 128, 256) and (512, 512) on 32 pixels is the network of that paper.

    widths : of each pair. hidden : of the dense layers. size : pixels of the square image in each direction.
    """

    def __init__(
        self,
        q: Quantization,
        widths: Sequence[int],
        hidden: Sequence[int],
        size: int,
        channels: int = 1,
        classes: int = 10,
        first: nn.Module | None = None,
    ) -> None:
        layers: list[nn.Module] = [first or q.identity(INPUT_BITS)]
        for stage, (inputs, outputs) in enumerate(pairwise((channels, *widths))):
            layers += [q.block(inputs, outputs, padding=0), q.block(outputs, outputs, padding=0)]
            size -= 4
            if stage < len(widths) - 1:
                layers.append(nn.MaxPool2d(2))
                size //= 2
        if size < 1:
            raise ValueError(f"the image is too small for {len(widths)} pairs of convolutions without padding")
        layers.append(nn.Flatten())
        dense = (widths[-1] * size * size, *hidden)
        layers += [q.dense_block(inputs, outputs) for inputs, outputs in pairwise(dense)]
        super().__init__(*layers, q.linear(dense[-1], classes))


def cnv(weight_bits: int, act_bits: int, channels: int = 3, classes: int = 10) -> Cnv:
    """CNV on (N, 3, 32, 32) pixels divided by 256."""
    q = exact(weight_bits, act_bits)
    return Cnv(q, (64, 128, 256), (512, 512), 32, channels, classes, first=integers())


def cnv_small(weight_bits: int, act_bits: int, channels: int = 1, classes: int = 10) -> Cnv:
    """An eighth of its width, on (N, 1, 28, 28) pixels divided by 256."""
    q = exact(weight_bits, act_bits)
    return Cnv(q, (16, 32), (64,), 28, channels, classes, first=integers())


def resnet8(weight_bits: int, act_bits: int, channels: int = 1, classes: int = 10, width: int = 6) -> ResNet:
    """ResNet-8 on images of few pixels, divided by 256."""
    q = exact(weight_bits, act_bits)
    return ResNet(q, (1, 1, 1), width, channels=channels, classes=classes, first=integers())


def mobilenet_v1_small(weight_bits: int, act_bits: int, channels: int = 1, classes: int = 10) -> MobileNetV1:
    """MobileNet-v1 with four pairs of convolutions, on (N, 1, 28, 28) pixels divided by 256.

    The average at the end is one of 4x4 values, so that it is exact.
    """
    q = exact(weight_bits, act_bits, per_channel=True)
    return MobileNetV1(q, (8, 12, 16, 24, 32), 28, channels, classes, first=integers())
