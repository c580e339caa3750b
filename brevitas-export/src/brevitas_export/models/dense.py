# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Networks with an answer for every place of an image: U-Net and a detector in the style of YOLO."""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from brevitas.quant import Int32Bias
from torch import Tensor, nn

from brevitas_export.models.quantization import Quantization, SharedQuantAdd, exact, integers

INPUT_BITS = 8


class Up(nn.Module):
    """An image of twice the size, to which `skip` is appended; both are behind one quantizer."""

    def __init__(self, q: Quantization, inputs: int, outputs: int, *, transposed: bool) -> None:
        super().__init__()
        if transposed:
            conv = qnn.QuantConvTranspose2d(inputs, outputs, 2, stride=2, bias=False, **q.weight())
            self.up = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        else:
            self.up = nn.Sequential(nn.Upsample(scale_factor=2), q.convolution(inputs, outputs))
        self.join = q.relu()
        self.blocks = nn.Sequential(q.block(2 * outputs, outputs), q.block(outputs, outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.blocks(torch.cat([self.join(skip), self.join(self.up(x))], dim=1))


class UNet(nn.Module):
    """Scores for each pixel (Ronneberger et al., "U-Net", 2015). Images (N, C, H, W) in, (N, classes, H, W) out.

    depth : how often the image is halved; H and W are multiples of 2**depth.
    transposed : the way up is a transposed convolution of 2x2, stride 2; else nearest neighbours and a convolution.
    first : the quantizer of the input; one of 8 bits, of both signs, by default.
    """

    def __init__(
        self,
        q: Quantization,
        width: int,
        depth: int = 2,
        channels: int = 1,
        classes: int = 2,
        *,
        transposed: bool = False,
        first: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.quantizer = first or q.identity(INPUT_BITS)
        widths = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            nn.Sequential(q.block(inputs, outputs), q.convolution(outputs, outputs))
            for inputs, outputs in zip((channels, *widths), widths[:-1], strict=False)
        )
        self.act = nn.ModuleList(q.relu() for _ in range(depth))
        self.pool = nn.MaxPool2d(2)
        self.bottom = nn.Sequential(q.block(widths[-2], widths[-1]), q.block(widths[-1], widths[-1]))
        self.up = nn.ModuleList(Up(q, 2 * outputs, outputs, transposed=transposed) for outputs in reversed(widths[:-1]))
        self.classify = qnn.QuantConv2d(width, classes, 1, bias=q.bias, **q.weight())

    def forward(self, x: Tensor) -> Tensor:
        x = self.quantizer(x)
        skips = []
        for down, act in zip(self.down, self.act, strict=True):
            x = act(down(x))
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)
        return self.classify(x)


def unet_small(weight_bits: int, act_bits: int, channels: int = 1, classes: int = 2) -> UNet:
    """U-Net with two halvings, on pixels divided by 256."""
    return UNet(exact(weight_bits, act_bits), 6, 2, channels, classes, first=integers())


class ChannelsLast(nn.Module):
    """`net` with its scores (N, classes, H, W) as (N, H, W, classes), over which TopK chooses for each pixel."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).permute(0, 2, 3, 1)


class SplitBlock(nn.Module):
    """Half of the channels takes a residual detour, and all three are appended ("C2f" of YOLOv8)."""

    def __init__(self, q: Quantization, inputs: int, outputs: int) -> None:
        super().__init__()
        self.part = outputs // 2
        self.enter = q.convolution(inputs, outputs, 1)
        self.detour = nn.Sequential(q.block(self.part, self.part), q.convolution(self.part, self.part))
        self.add = SharedQuantAdd(q)
        self.join = q.relu()
        self.leave = q.block(3 * self.part, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.split(self.join(self.enter(x)), self.part, dim=1)
        c = self.join(self.add(self.detour(b), b))
        return self.leave(torch.cat([a, b, c], dim=1))


class Pooled(nn.Module):
    """The image beside its maxima over growing places ("SPPF" of YOLOv5)."""

    def __init__(self, q: Quantization, width: int) -> None:
        super().__init__()
        self.enter = q.block(width, width // 2, 1)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.leave = q.block(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        once = self.pool(x)
        twice = self.pool(once)
        return self.leave(torch.cat([x, once, twice, self.pool(twice)], dim=1))


class Joined(nn.Module):
    """Two images of one size, appended and quantized anew: they need not have one scale before."""

    def __init__(self, q: Quantization, inputs: int, outputs: int) -> None:
        super().__init__()
        self.quantizer = q.identity(signed=q.act_bits == 1)
        self.block = SplitBlock(q, inputs, outputs)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.block(self.quantizer(torch.cat([a, b], dim=1)))


class Head(nn.Module):
    """`outputs` numbers for each place: (N, C, H, W) in, (N, H * W, outputs) out. The bias has the scale of sums."""

    def __init__(self, q: Quantization, width: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.conv, self.act = q.convolution(width, width), q.relu(return_quant_tensor=True)
        self.predict = qnn.QuantConv2d(width, outputs, 1, bias=True, bias_quant=Int32Bias, **q.weight())

    def forward(self, x: Tensor) -> Tensor:
        x = self.predict(self.act(self.conv(x)))
        return x.permute(0, 2, 3, 1).reshape(-1, x.shape[2] * x.shape[3], self.outputs)


class Yolo(nn.Module):
    """A detector with two grids: images (N, C, H, W) in, (N, H/4 * W/4 + H/8 * W/8, 3 + classes) out.

    For each place, of the fine grid first: a score for an object being there, its centre within the place, in x and y,
    and class scores. Slicing stem (YOLOv5), split blocks, pooling, the way up and down again between the grids (Liu et
    al., "Path Aggregation Network", 2018).
    """

    def __init__(self, q: Quantization, width: int, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.quantizer = q.identity(INPUT_BITS)
        self.stem = q.block(4 * channels, width)
        self.fine = nn.Sequential(q.block(width, 2 * width, stride=2), SplitBlock(q, 2 * width, 2 * width))
        self.coarse = nn.Sequential(q.block(2 * width, 2 * width, stride=2), Pooled(q, 2 * width))
        self.up, self.join_up = nn.Upsample(scale_factor=2, mode="nearest"), Joined(q, 4 * width, 2 * width)
        self.down, self.join_down = q.block(2 * width, 2 * width, stride=2), Joined(q, 4 * width, 2 * width)
        self.heads = nn.ModuleList(Head(q, 2 * width, 3 + classes) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.quantizer(x)
        corners = [x[:, :, i::2, j::2] for j in range(2) for i in range(2)]
        fine = self.fine(self.stem(torch.cat(corners, dim=1)))
        coarse = self.coarse(fine)
        fine = self.join_up(self.up(coarse), fine)
        coarse = self.join_down(self.down(fine), coarse)
        return torch.cat([head(grid) for head, grid in zip(self.heads, (fine, coarse), strict=True)], dim=1)
