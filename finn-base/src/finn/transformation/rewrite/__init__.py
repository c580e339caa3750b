"""Graph rewrites written as equations.

A rule is a left side (the pattern), a right side (a function that returns an expression) and the shapes of an example.
Both sides are the same kind of expression, so one engine matches the left and builds the right, and one test
(`finn.transformation.proof`) checks that the two sides compute the same.

    x, w = Var("x"), Const("w")
    s = Scalar("s")

    @rule(op.MatMul(op.Mul(x, s), w), shapes="x:n,k s: w:k,m")
    def move_scalar_mul_past_matmul(x, s, w):
        \"\"\"(x*s) @ w == (x @ w) * s\"\"\"
        return op.Mul(op.MatMul(x, w), s)

A guard declines by `require(condition, reason)`. It should depend on the matched expression only: after a rewrite the
engine visits again just the nodes that can see the change through a pattern.

The guide, with every feature in an example that runs, is docs/rewrites.md.
"""

from finn.transformation.rewrite._driver import RuleTransformation, apply
from finn.transformation.rewrite._explain import Explanation, near_misses, why_not
from finn.transformation.rewrite._matching import COMMUTATIVE, Decline, match
from finn.transformation.rewrite._patterns import (
    Call,
    Const,
    Constant,
    Example,
    Integer,
    Maybe,
    NoMatch,
    Parameter,
    Positive,
    RewriteError,
    Rule,
    Scalar,
    TensorRef,
    Var,
    Vector,
    Whole,
    constant,
    maybe,
    op,
    over_channels,
    per_channel,
    require,
    rule,
)

__all__ = [
    "COMMUTATIVE",
    "Call",
    "Const",
    "Constant",
    "Decline",
    "Example",
    "Explanation",
    "Integer",
    "Maybe",
    "NoMatch",
    "Parameter",
    "Positive",
    "RewriteError",
    "Rule",
    "RuleTransformation",
    "Scalar",
    "TensorRef",
    "Var",
    "Vector",
    "Whole",
    "apply",
    "constant",
    "match",
    "maybe",
    "near_misses",
    "op",
    "over_channels",
    "per_channel",
    "require",
    "rule",
    "why_not",
]
