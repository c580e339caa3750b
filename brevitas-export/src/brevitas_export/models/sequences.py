# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers of sequences: 1-D convolutional networks and a transformer encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from brevitas_export.models.quantization import Quantization, SharedQuantAdd, exact, integers

INPUT_BITS = 8
CONVOLUTIONS = 7  # of VGG-10


class SpeechNet(nn.Sequential):
    """Depthwise separable 1-D convolutions, as for keyword spotting (Zhang et al., "Hello Edge", 2017).

    Samples (N, channels, T) in, scores (N, classes) out. widths : of the stem, which keeps every fourth sample, then of
    each pair, behind which every second stays; the depthwise convolutions are dilated by 2.
    """

    def __init__(self, q: Quantization, widths: Sequence[int], channels: int = 1, classes: int = 8) -> None:
        layers = [q.identity(INPUT_BITS), q.convolution(channels, widths[0], 9, stride=4, dims=1), q.hard_tanh()]
        for inputs, outputs in pairwise(widths):
            layers += [
                q.block(inputs, inputs, 5, dilation=2, groups=inputs, dims=1),
                q.block(inputs, outputs, 1, dims=1),
                nn.MaxPool1d(2),
            ]
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), q.linear(widths[-1], classes))


class ChannelsFirst(nn.Module):
    """(N, T, channels) to (N, channels, T)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class Vgg10(nn.Sequential):
    """Seven 1-D convolutions, each with a MaxPool behind it, and three dense layers, as for radio signals
    (O'Shea, Roy & Clancy, "Over-the-Air Deep Learning Based Radio Signal Classification", 2018).

    Samples (N, T, channels) in, as streams bring them, scores (N, classes) out; T is a multiple of 128.
    """

    def __init__(
        self, q: Quantization, width: int, hidden: int, samples: int, channels: int, classes: int, first: nn.Module
    ) -> None:
        widths = (channels, *[width] * CONVOLUTIONS)
        layers: list[nn.Module] = [ChannelsFirst(), first]
        for inputs, outputs in pairwise(widths):
            layers += [q.block(inputs, outputs, dims=1), nn.MaxPool1d(2)]
        features = width * (samples >> CONVOLUTIONS)
        head = [q.dense_block(features, hidden), q.dense_block(hidden, hidden), q.linear(hidden, classes)]
        super().__init__(*layers, nn.Flatten(), *head)


def vgg10(weight_bits: int, act_bits: int, samples: int = 256, channels: int = 2, classes: int = 11) -> Vgg10:
    """VGG-10 of few channels, on INT8 samples (N, 256, 2) divided by 128."""
    return Vgg10(exact(weight_bits, act_bits), 32, 64, samples, channels, classes, integers(signed=True))


class ChannelNorm(nn.Module):
    """BatchNorm of the last axis of (N, T, width), in place of LayerNorm: behind training it is a scale and a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "layer": nn.LayerNorm,
    "batch": ChannelNorm,
    "none": lambda width: nn.Identity(),
}


class Attention(nn.Module):
    """Self-attention, (N, T, width) in and out: both of its products have two quantized operands."""

    def __init__(self, q: Quantization, tokens: int, width: int, heads: int) -> None:
        super().__init__()
        self.tokens, self.width, self.heads = tokens, width, heads
        self.project = nn.ModuleList(q.linear(width, width) for _ in range(3))
        self.quantizers = nn.ModuleList(q.identity() for _ in range(3))
        self.weights = q.identity(max(2, q.act_bits), signed=False)
        self.mixed = q.identity()
        self.leave = q.linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            quantizer(project(x)).reshape(-1, self.tokens, self.heads, self.width // self.heads).transpose(1, 2)
            for project, quantizer in zip(self.project, self.quantizers, strict=True)
        )
        scores = query @ key.transpose(2, 3) / (self.width // self.heads) ** 0.5
        mixed = self.mixed(self.weights(torch.softmax(scores, dim=-1)) @ value)
        return self.leave(mixed.transpose(1, 2).reshape(-1, self.tokens, self.width))


class FeedForward(nn.Sequential):
    """Two linear layers. What enters GELU is quantized, so that the function is a table of so many entries."""

    def __init__(self, q: Quantization, width: int, *, gelu: bool) -> None:
        act = [q.identity(), nn.GELU(), q.identity()] if gelu else [q.relu()]
        super().__init__(q.linear(width, 2 * width), *act, q.linear(2 * width, width))


class EncoderBlock(nn.Module):
    """Attention, then two linear layers, each with a way around it and a norm behind the sum."""

    def __init__(self, q: Quantization, tokens: int, width: int, heads: int, norm: str, *, gelu: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Attention(q, tokens, width, heads), FeedForward(q, width, gelu=gelu)])
        self.adds = nn.ModuleList(SharedQuantAdd(q) for _ in self.parts)
        self.norms = nn.ModuleList(nn.Sequential(NORMS[norm](width), q.identity()) for _ in self.parts)

    def forward(self, x: Tensor) -> Tensor:
        for part, add, norm in zip(self.parts, self.adds, self.norms, strict=True):
            x = norm(add(part(x), x))
        return x


class Encoder(nn.Module):
    """Sequences (N, tokens, features) in, scores (N, classes) out (Vaswani et al., "Attention Is All You Need", 2017).

    norm : "layer", "batch" or "none". gelu : the activation between the linear layers is GELU; else ReLU.
    """

    def __init__(
        self,
        q: Quantization,
        tokens: int,
        features: int,
        width: int,
        heads: int,
        norm: str,
        *,
        gelu: bool = False,
        blocks: int = 1,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.quantizer, self.embed = q.identity(INPUT_BITS), q.linear(features, width)
        self.position = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.add, self.embedded = SharedQuantAdd(q), q.identity()
        self.blocks = nn.Sequential(*(EncoderBlock(q, tokens, width, heads, norm, gelu=gelu) for _ in range(blocks)))
        self.classify = q.linear(tokens * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedded(self.add(self.embed(self.quantizer(x)), self.position))
        return self.classify(self.blocks(x).flatten(1))
