"""Gemm becomes MatMul, Mul and Add."""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import gemm_to_matmul, gemm_without_bias_to_matmul
from finn.transformation.rewrite import apply


class GemmToMatMul(Transformation):
    """alpha * (A @ B) + beta * C as MatMul, Mul, Add, without the factors that are 1."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [gemm_to_matmul, gemm_without_bias_to_matmul]))
