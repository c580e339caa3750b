"""The bias of a convolution becomes an Add."""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import annotated, is_fixed, rearranged, rewrite_with_constants, shape_of
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, op, rule
from finn.transformation.standard_ops import reshape

x, w, b = Var("x"), Var("w"), Var("b")


@rule(
    op.any_of("Conv", "ConvTranspose")(x, w, b).named("conv"),
    shapes="x:n,c,t,h w:c,c,3,2 b:c | x:n,c,t w:c,c,2 b:c",
    attributes=[{"conv": {"strides": [2, 1], "pads": [1, 0, 0, 1]}}, {"conv": {}}],
)
def conv_bias_to_add(x: TensorRef, w: TensorRef, b: TensorRef, conv: Call) -> Call:
    """conv(x, w, b) == conv(x, w) + b, and conv_transpose alike"""
    return op.Add(conv.on(x, w), over_channels_of(b, x.rank if w.shape is None else w.rank))


CONV_BIAS: tuple[Rule, ...] = (conv_bias_to_add,)


def over_channels_of(b: TensorRef, rank: int) -> Any:
    """The vector `b` (C) as (1, C, 1, ...), to be added to a tensor of `rank` axes.

    A constant keeps its data type and its quantizer; what is computed is reshaped in the graph.
    """
    shape = [1, -1] + [1] * (rank - 2)
    if not is_fixed(b):
        return annotated(reshape(b, shape), b.datatype)
    return rearranged(b, np.arange(int(np.prod(shape_of(b)))).reshape(shape))


class ExtractBiasFromConv(Transformation):
    """The bias of Conv and ConvTranspose as an Add behind them, shaped (1, C, 1, ...); its quantizer stays."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, CONV_BIAS)
