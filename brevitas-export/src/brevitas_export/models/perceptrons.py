# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Multilayer perceptrons: TFC, SFC and LFC for digits, and those for keywords and for network flows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from brevitas_export.models.quantization import Quantization, exact, integers

DIGIT = 28 * 28


class Mlp(nn.Sequential):
    """Dense layers with normalisation and quantizer, the last one without: (N, ...) in, scores (N, widths[-1]) out.

    widths : of the flattened input and of each layer. first : the quantizer of the input.
    """

    def __init__(self, q: Quantization, widths: Sequence[int], first: nn.Module) -> None:
        blocks = [q.dense_block(inputs, outputs) for inputs, outputs in pairwise(widths[:-1])]
        super().__init__(nn.Flatten(), first, *blocks, q.linear(*widths[-2:]))


def fully_connected(width: int, weight_bits: int, act_bits: int) -> Mlp:
    """784-width-width-width-10 (Umuroglu et al., "FINN", 2017), on digits (N, 1, 28, 28) of pixels from 0 to 1.

    With activations of one bit a pixel becomes its sign, from 1/2 on +1.
    """
    q = exact(weight_bits, act_bits)
    first = nn.Sequential(Doubled(), q.identity()) if act_bits == 1 else q.identity(signed=False)
    return Mlp(q, (DIGIT, width, width, width, 10), first)


class Doubled(nn.Module):
    """0 to 1 becomes -1 to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * x - 1.0


def tfc(weight_bits: int, act_bits: int) -> Mlp:
    """784-64-64-64-10."""
    return fully_connected(64, weight_bits, act_bits)


def sfc(weight_bits: int, act_bits: int) -> Mlp:
    """784-256-256-256-10."""
    return fully_connected(256, weight_bits, act_bits)


def lfc(weight_bits: int, act_bits: int) -> Mlp:
    """784-1024-1024-1024-10."""
    return fully_connected(1024, weight_bits, act_bits)


def kws_mlp(weight_bits: int, act_bits: int, classes: int = 12) -> Mlp:
    """490-256-256-256-12 on INT8 features of speech, divided by 128 (Zhang et al., "Hello Edge", 2017)."""
    return Mlp(exact(weight_bits, act_bits), (490, 256, 256, 256, classes), integers(signed=True))


def intrusion_mlp(weight_bits: int, act_bits: int, bits: int = 593, classes: int = 2) -> Mlp:
    """593-64-64-64-2 on bits 0 and 1 of network flows (Umuroglu et al., "LogicNets", 2020)."""
    return Mlp(exact(weight_bits, act_bits), (bits, 64, 64, 64, classes), nn.Identity())
