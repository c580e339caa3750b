"""BatchNormalization becomes Mul and Add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import batchnorm_factors, batchnorm_to_affine
from finn.transformation.rewrite import (
    Call,
    Const,
    Rule,
    TensorRef,
    Var,
    apply,
    op,
    over_channels,
    require,
    rule,
)

x = Var("x")
b, gamma, mean, var = Const("b"), Const("gamma"), Const("mean"), Const("var")
axes, same_axes = Const("axes"), Const("same_axes")


@rule(
    op.Squeeze(op.BatchNormalization(op.Unsqueeze(x, axes), gamma, b, mean, var).named("bn"), same_axes),
    shapes="x:n,c gamma:c b:c mean:c var:c | x:c,k gamma:c b:c mean:c var:c | x:n,k gamma:1 b:1 mean:1 var:1",
    values=[{"axes": [2], "same_axes": [-1]}, {"axes": [0], "same_axes": [0]}, {"axes": [1, 2], "same_axes": [2, 1]}],
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


@rule(
    op.Squeeze(op.BatchNormalization(op.Unsqueeze(x).named("open"), gamma, b, mean, var).named("bn")).named("close"),
    shapes="x:n,c gamma:c b:c mean:c var:c | x:1,c gamma:1 b:1 mean:1 var:1",
    attributes=[
        {"open": {"axes": [2, 3]}, "close": {"axes": [2, 3]}},
        {"open": {"axes": [0]}, "close": {"axes": [0, 1]}},
    ],
)
def batchnorm_between_reshapes_to_affine_before_13(
    x: TensorRef,
    gamma: np.ndarray,
    b: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    open: Call,
    bn: Call,
    close: Call,
) -> Call:
    """squeeze(batchnorm(unsqueeze(x))) == x*a + c; the axes are attributes"""
    factors = batchnorm_factors(x.model, gamma, b, mean, var, bn)
    return _affine(x, factors, open.attributes.get("axes", []), close.attributes.get("axes", []))


def _affine(x: TensorRef, factors: tuple[np.ndarray, np.ndarray], new: Sequence[int], gone: Sequence[int]) -> Call:
    rank = x.rank + len(new)
    added = {axis % rank for axis in new}
    require(added == {axis % rank for axis in gone}, "Squeeze removes other axes than Unsqueeze adds")
    if 1 in added:  # the one channel
        scale, shift = (factor.reshape(()) for factor in factors)
    else:
        scale, shift = (over_channels(factor, x, 1 - (0 in added)) for factor in factors)
    return op.Add(op.Mul(x, scale), shift)


BATCHNORM_BETWEEN_RESHAPES: tuple[Rule, ...] = (
    batchnorm_between_reshapes_to_affine,
    batchnorm_between_reshapes_to_affine_before_13,
)


class BatchNormToAffine(Transformation):
    """BatchNormalization with constant parameters as a Mul and an Add per channel, shaped (1, C, 1, ...).

    An Unsqueeze in front and the Squeeze behind that undoes it go with it.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with_reshapes = apply(model, BATCHNORM_BETWEEN_RESHAPES)  # first: the other would take their middle away
        return model, bool(with_reshapes + apply(model, [batchnorm_to_affine]))
