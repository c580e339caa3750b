"""BatchNormalization becomes Mul and Add."""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import batchnorm_to_affine
from finn.transformation.rewrite import apply


class BatchNormToAffine(Transformation):
    """BatchNormalization with constant parameters as a Mul and an Add per channel."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [batchnorm_to_affine]))
