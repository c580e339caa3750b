"""Scale and bias of LayerNormalization become operators of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.transformation.rewrite import Call, Const, Rule, RuleTransformation, TensorRef, Var, maybe, op, require, rule

x, gamma, beta = Var("x"), Const("gamma"), Const("beta")


@rule(
    op.LayerNormalization(x, gamma, maybe(beta)).named("norm"),
    shapes="x:n,k gamma:k | x:n,c,k gamma:k beta:k | x:n,c,k gamma:c,k beta:c,k",
    attributes=[{"norm": {"epsilon": 0.5}}, {}, {"norm": {"axis": 1}}],
)
def extract_norm_scale_bias(x: TensorRef, gamma: np.ndarray, beta: np.ndarray | None, norm: Call) -> Any:
    """norm(x, g, b) == norm(x, 1) * g + b"""
    scaled, shifted = np.any(gamma != 1), beta is not None and np.any(beta != 0)
    require(scaled or shifted, "the scale is 1 and the bias 0")
    result = norm.on(x, np.ones_like(gamma))
    if scaled:
        result = op.Mul(result, gamma)
    return op.Add(result, beta) if shifted else result


EXTRACTION: tuple[Rule, ...] = (extract_norm_scale_bias,)


class ExtractNormScaleBias(RuleTransformation):
    """LayerNormalization with constant scale and bias becomes one with scale 1 and no bias, a Mul and an Add.

    A scale of 1 makes no Mul, a bias of 0 no Add. It stays if its mean or deviation is used, too.
    """

    rules = EXTRACTION
