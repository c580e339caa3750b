"""Gemm becomes MatMul, Mul and Add."""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import rewrite_with_constants
from finn.transformation.normal_forms import gemm_to_matmul


class GemmToMatMul(Transformation):
    """alpha * (A @ B) + beta * C as MatMul, Mul, Add, without the factors that are 1.

    A transposed constant is stored transposed, with its data type; if a quantizer makes it, the quantizer stays.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, [gemm_to_matmul])
