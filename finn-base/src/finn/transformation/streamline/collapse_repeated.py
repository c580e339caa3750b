"""Two operators of one kind in a row, with constants, become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation._layout_rules import compose_transposes
from finn.transformation.base import Transformation
from finn.transformation.rewrite import Call, Parameter, Rule, RuleTransformation, TensorRef, Var, apply, op, rule
from finn.transformation.streamline._absorb_rules import retyped

Combine = Callable[[Any, Any], Any]

x, a, b = Var("x"), Parameter("a"), Parameter("b")


def _collapse(op_name: str, combine: Combine) -> Rule:
    operator = getattr(op, op_name)

    def collapse(x: TensorRef, a: TensorRef, b: TensorRef) -> Call:
        """f(f(x, a), b) == f(x, combine(a, b))"""
        combined = np.asarray(combine(a.value, b.value))
        call: Call = operator(x, retyped(combined, a.datatype, b.datatype))
        return call

    collapse.__name__ = f"collapse_repeated_{op_name.lower()}"
    return rule(
        operator(operator(x, a), b),
        shapes="x:n,k a:k b: | x:n,c,h a:c,1 b:h | x:n,k a: b:k",
        datatypes=[{}, {}, {"a": "INT4", "b": "INT3"}],
    )(collapse)


def _sum(a: Any, b: Any) -> Any:
    return a + b


def _product(a: Any, b: Any) -> Any:
    return a * b


COLLAPSE: tuple[Rule, ...] = (_collapse("Add", _sum), _collapse("Mul", _product))


class CollapseRepeatedOp(Transformation):
    """f(f(x, a), b) with constants a and b becomes f(x, make_collapsed_param_fxn(a, b)).

    op_name: the operator f, of two inputs. make_collapsed_param_fxn: of two arrays, the inner one first; that the
    equation holds is the concern of the caller. The inner f must have no other reader and be no output of the graph.
    The new constant has the shape that a and b have together, and an integer annotation if both have one.
    """

    def __init__(self, op_name: str, make_collapsed_param_fxn: Combine) -> None:
        self.op_name = op_name
        self.make_collapsed_param_fxn = make_collapsed_param_fxn

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [_collapse(self.op_name, self.make_collapsed_param_fxn)]))


class CollapseRepeatedAdd(CollapseRepeatedOp):
    """(x + a) + b becomes x + (a + b)."""

    def __init__(self) -> None:
        super().__init__("Add", _sum)


class CollapseRepeatedMul(CollapseRepeatedOp):
    """(x*a) * b becomes x * (a*b)."""

    def __init__(self) -> None:
        super().__init__("Mul", _product)


class CollapseRepeatedTranspose(RuleTransformation):
    """transpose(transpose(x, p), q) becomes one Transpose, or x if that has the axes in order."""

    rules = (compose_transposes,)
