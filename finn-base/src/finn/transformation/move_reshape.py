"""From convolutions to fully connected layers without a Transpose between them."""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.transformation import _layout_rules as layout
from finn.transformation.base import Transformation
from finn.transformation.constants import rewrite_with_constants


class RemoveCNVtoFCFlatten(Transformation):
    """Transpose to channels first, Flatten (or Reshape to two axes) and MatMul or Gemm: the Transpose goes.

    Its input is flattened as it is, and the rows of the weights move instead, also those of quantized weights; what
    remains is a Flatten of the last axes, which moves nothing in memory. Weights are constants, or quantized ones.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, layout.INTO_WEIGHTS[1:])
