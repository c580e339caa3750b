"""BatchNormalization becomes Mul and Add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import batchnorm_factors, batchnorm_to_affine, over_channels
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, apply, op, require, rule
from finn.transformation.standard_ops import opset_of

x = Var("x")
b, gamma, mean, var = Const("b"), Const("gamma"), Const("mean"), Const("var")
axes, same_axes = Const("axes"), Const("same_axes")


@rule(
    op.Squeeze(op.BatchNormalization(op.Unsqueeze(x).named("unsqueeze"), gamma, b, mean, var).named("bn")).named("sq"),
    shapes="x:n,c gamma:c b:c mean:c var:c",
    attributes={"unsqueeze": {"axes": [2]}, "sq": {"axes": [-1]}},
)
def batchnorm_between_reshapes_to_affine_before_13(
    x: TensorRef,
    gamma: np.ndarray,
    b: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    unsqueeze: Call,
    bn: Call,
    sq: Call,
) -> Call:
    """squeeze(batchnorm(unsqueeze(x))) == x*a + c; axes are attributes"""
    axes = unsqueeze.attributes.get("axes", [])
    return _affine(x, batchnorm_factors(x.model, gamma, b, mean, var, bn), axes, sq.attributes.get("axes"))


@rule(
    op.Squeeze(op.BatchNormalization(op.Unsqueeze(x, axes), gamma, b, mean, var).named("bn"), same_axes),
    shapes="x:1,k axes:1 same_axes:1 gamma:1 b:1 mean:1 var:1",
    datatypes={"axes": "BINARY", "same_axes": "BINARY"},
)
def batchnorm_between_reshapes_to_affine(
    x: TensorRef,
    gamma: np.ndarray,
    b: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    axes: np.ndarray,
    same_axes: np.ndarray,
    bn: Call,
) -> Call:
    """squeeze(batchnorm(unsqueeze(x, axes)), axes) == x*a + c"""
    return _affine(x, batchnorm_factors(x.model, gamma, b, mean, var, bn), axes.tolist(), same_axes.tolist())


def _affine(
    x: TensorRef, factors: tuple[np.ndarray, np.ndarray], axes: Sequence[int], squeezed: Sequence[int] | None
) -> Call:
    if squeezed is None:
        raise NoMatch("Squeeze removes every axis of length 1")
    rank = x.rank + len(axes)
    new = {int(axis) % rank for axis in axes}
    require(new == {int(axis) % rank for axis in squeezed}, "Squeeze removes other axes than Unsqueeze adds")
    if 1 in new:  # the one channel
        scale, shift = (factor.reshape(()) for factor in factors)
    else:
        scale, shift = (over_channels(factor, x.rank, 1 - (0 in new)) for factor in factors)
    return op.Add(op.Mul(x, scale), shift)


BATCHNORM: tuple[Rule, ...] = (batchnorm_between_reshapes_to_affine, batchnorm_to_affine)
BATCHNORM_BEFORE_13: tuple[Rule, ...] = (batchnorm_between_reshapes_to_affine_before_13, batchnorm_to_affine)


class BatchNormToAffine(Transformation):
    """BatchNormalization with constant parameters as a Mul and an Add per channel, shaped (1, C, 1, ...).

    An Unsqueeze in front and the Squeeze behind that undoes it go with it.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, BATCHNORM if opset_of(model) >= 13 else BATCHNORM_BEFORE_13))
