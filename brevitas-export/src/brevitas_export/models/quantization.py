# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quantizers and the layers that every network here is made of."""

from __future__ import annotations

from dataclasses import dataclass

import brevitas.nn as qnn
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8ActPerTensorFloatMinMaxInit,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from brevitas.quant.fixed_point import Int8ActPerTensorFixedPointMinMaxInit, Int8WeightPerChannelFixedPoint
from torch import Tensor, nn

CALIBRATION_STEPS = 30  # of training, from which activations get their first scale; it is learned then
CONVOLUTIONS = {1: qnn.QuantConv1d, 2: qnn.QuantConv2d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


class PlusMinusOne(SignedBinaryWeightPerTensorConst):
    """Weights -1 and 1, not times 0.1 as Brevitas has them."""

    scaling_const = 1.0


def integers(bits: int = 8, *, signed: bool = False) -> qnn.QuantIdentity:
    """A quantizer that leaves integers as they are that were divided by 2**bits, or by 2**(bits - 1) if signed."""
    quantizer = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    return qnn.QuantIdentity(act_quant=quantizer, bit_width=bits, scaling_impl_type="const", scaling_init=1.0)


@dataclass(frozen=True)
class Quantization:
    """Bits of weights and activations, 1 to 8; one bit means -1 and +1, also behind what is a ReLU otherwise.

    power_of_two : all scales are powers of two; else they are any numbers, chosen by training. Then everybody computes
    the same sums to the last bit, in whatever order they are added.
    per_channel : each output channel of the weights has a scale.
    bias : layers without a normalisation behind them add a float to each score. The scores are no integers then, times
    one scale, so that hardware cannot compare them.
    """

    weight_bits: int
    act_bits: int
    power_of_two: bool = False
    per_channel: bool = False
    bias: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.weight_bits <= 8 and 1 <= self.act_bits <= 8):
            raise ValueError(f"bits of weights and activations are {self.weight_bits} and {self.act_bits}; give 1 to 8")

    def weight(self) -> dict[str, object]:
        """Arguments of a Brevitas layer with weights."""
        if self.weight_bits == 1:
            return {"weight_quant": PlusMinusOne if self.power_of_two else SignedBinaryWeightPerTensorConst}
        if self.per_channel:
            quantizer = Int8WeightPerChannelFixedPoint if self.power_of_two else Int8WeightPerChannelFloat
        else:
            quantizer = Int8WeightPerTensorFixedPoint if self.power_of_two else Int8WeightPerTensorFloat
        return {"weight_quant": quantizer, "weight_bit_width": self.weight_bits}

    def signed(self, bits: int | None = None) -> dict[str, object]:
        """Arguments of a Brevitas activation with values of both signs."""
        if (bits or self.act_bits) == 1:
            return {"act_quant": SignedBinaryActPerTensorConst}
        quantizer = Int8ActPerTensorFixedPoint if self.power_of_two else Int8ActPerTensorFloat
        return {"act_quant": quantizer, **self._act(bits)}

    def unsigned(self, bits: int | None = None) -> dict[str, object]:
        """Arguments of a Brevitas activation with values from zero on. One bit would be exported as -1 and +1."""
        if (bits or self.act_bits) == 1:
            raise ValueError("unsigned activations of 1 bit cannot be exported; give 2 bits or more")
        quantizer = Uint8ActPerTensorFixedPoint if self.power_of_two else Uint8ActPerTensorFloat
        return {"act_quant": quantizer, **self._act(bits)}

    def _act(self, bits: int | None) -> dict[str, object]:
        return {"bit_width": bits or self.act_bits, "collect_stats_steps": CALIBRATION_STEPS}

    def identity(self, bits: int | None = None, *, signed: bool = True) -> qnn.QuantIdentity:
        """Only a quantizer."""
        return qnn.QuantIdentity(**(self.signed(bits) if signed else self.unsigned(bits)))

    def relu(self, channels: int | None = None, *, return_quant_tensor: bool = False) -> nn.Module:
        """ReLU and its quantizer; of one bit: the sign. channels : of an image, to give each a scale of its own."""
        if self.act_bits == 1:
            return qnn.QuantIdentity(**self.signed(), return_quant_tensor=return_quant_tensor)
        scales: dict[str, object] = {}
        if channels is not None:
            scales = {
                "scaling_per_output_channel": True,
                "per_channel_broadcastable_shape": (1, channels, 1, 1),
                "scaling_stats_permute_dims": (1, 0, 2, 3),
            }
        return qnn.QuantReLU(**self.unsigned(), **scales, return_quant_tensor=return_quant_tensor)

    def hard_tanh(self) -> qnn.QuantHardTanh:
        """Values within -1..1."""
        if self.act_bits == 1:
            return qnn.QuantHardTanh(**self.signed())
        quantizer = Int8ActPerTensorFixedPointMinMaxInit if self.power_of_two else Int8ActPerTensorFloatMinMaxInit
        return qnn.QuantHardTanh(act_quant=quantizer, bit_width=self.act_bits, min_val=-1.0, max_val=1.0)

    def linear(self, inputs: int, outputs: int, *, bias: bool | None = None) -> qnn.QuantLinear:
        """bias : that of this Quantization by default."""
        return qnn.QuantLinear(inputs, outputs, bias=self.bias if bias is None else bias, **self.weight())

    def dense_block(self, inputs: int, outputs: int) -> nn.Sequential:
        """Linear layer, normalisation, ReLU and quantizer."""
        return nn.Sequential(self.linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), self.relu())

    def convolution(
        self,
        inputs: int,
        outputs: int,
        size: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: int | None = None,
        dims: int = 2,
    ) -> nn.Sequential:
        """A convolution and its normalisation; with stride 1 and an odd `size`, the spatial shape stays by default."""
        options: dict[str, object] = {"stride": stride, "dilation": dilation, "groups": groups, "bias": False}
        around = dilation * (size // 2) if padding is None else padding
        conv = CONVOLUTIONS[dims](inputs, outputs, size, padding=around, **options, **self.weight())
        return nn.Sequential(conv, NORMS[dims](outputs))

    def block(self, inputs: int, outputs: int, size: int = 3, **options: int) -> nn.Sequential:
        """Convolution, normalisation, ReLU and quantizer."""
        return nn.Sequential(self.convolution(inputs, outputs, size, **options), self.relu())


class SharedQuantAdd(nn.Module):
    """The sum of two tensors behind one quantizer, so that they have one scale and the sum is one of integers."""

    def __init__(self, q: Quantization) -> None:
        super().__init__()
        self.quantizer = q.identity()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.quantizer(a) + self.quantizer(b)


def eltwise_add(q: Quantization) -> nn.Module:
    """The same as a layer of Brevitas."""
    options = q.signed()
    quantizer = options.pop("act_quant")
    inputs = {f"input_{key}": value for key, value in options.items()}
    return qnn.QuantEltwiseAdd(input_quant=quantizer, output_quant=None, **inputs)


def exact(weight_bits: int, act_bits: int, *, per_channel: bool = False) -> Quantization:
    """For networks whose answers are the same everywhere, and that hardware computes alone."""
    return Quantization(weight_bits, act_bits, power_of_two=True, per_channel=per_channel, bias=False)
