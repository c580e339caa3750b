"""Nodes that do nothing go."""

from __future__ import annotations

import numpy as np

from finn.transformation._layout_rules import drop_idle_transpose
from finn.transformation.remove import RemoveIdentityOps
from finn.transformation.rewrite import Call, Const, Rule, RuleTransformation, TensorRef, Var, op, require, rule

__all__ = ["RemoveIdentityOps", "RemoveIdentityReshape", "RemoveIdentityTranspose"]

x, k = Var("x"), Const("k")


@rule(
    op.Reshape(x, k).named("r"),
    shapes="x:2,h,6 | x:n,c | x:2,6 | x:2,6 | x:2,1,6 | x:2,3 | x:2,2,3",
    values=[
        {"k": [0, -1, 6]},
        {"k": [-1, 0]},
        {"k": [2, 6]},
        {"k": [6, 2]},
        {"k": [2, 6]},
        {"k": [3, -1]},
        {"k": [0, 3, -1]},
    ],
)
def drop_idle_reshape(x: TensorRef, k: np.ndarray, r: Call) -> TensorRef:
    """reshape(x, k) == x, if k has the sizes of x: the same, 0 for as it is, or -1 at most once

    A size that is not known is right as well if all others are, since the number of elements stays.
    """
    require(not r.attributes.get("allowzero"), "0 means no elements")
    require(len(k) == x.rank, "the number of axes changes")
    pairs = [(int(new), old) for new, old in zip(k, x.shape or (), strict=True) if new not in (0, old)]
    require(len(pairs) <= 1 and all(new == -1 or old == 0 for new, old in pairs), "the shape changes")
    return x


IDLE: tuple[Rule, ...] = (drop_idle_reshape,)


class RemoveIdentityReshape(RuleTransformation):
    """Reshape to the shape that its input has goes, also where a batch of unknown size stays as it is."""

    rules = IDLE


class RemoveIdentityTranspose(RuleTransformation):
    """Transpose with the axes in order goes."""

    rules = (drop_idle_transpose,)
