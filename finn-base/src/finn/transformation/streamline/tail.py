"""Elementwise operators: what a tail is made of.

A tail is a directed acyclic graph of elementwise operators on one tensor. It is evaluated in the precision of its
input: float64 for the search of integer thresholds, float32 to repeat, in the same order, what the original graph
computes from a float input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.core.numpy_ops import BATCHNORM_EPSILON, run_node
from finn.transformation._axes import BINARY, UNARY, VARIADIC, call_of

Array = npt.NDArray[Any]
Affine = tuple[Any, Any]
"""(a, b) of a * x + b."""

ON_INTEGERS = frozenset({"BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"})
"""Operators on integer types, which no tail has: a Cast to them ends it."""

ELEMENTWISE = frozenset({*UNARY, *BINARY, *VARIADIC, "BatchNormalization"}) - {"Identity", *ON_INTEGERS}
"""Operators that may be part of a tail. Its values are floats, or booleans between a comparison and Cast or Where."""

RISING = frozenset({
    "Asinh", "Atan", "Cast", "Ceil", "Clip", "Erf", "Exp", "Floor", "Log", "Max", "Min", "Relu", "Round", "Sigmoid",
    "Sign", "Sinh", "Softplus", "Softsign", "Sqrt", "Tanh",
})  # fmt: skip
"""Operators that never fall, whatever their constants."""

PARAMETERS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "Celu": lambda a: a.get("alpha", 1.0) > 0,
    "Elu": lambda a: a.get("alpha", 1.0) >= 0,
    "HardSigmoid": lambda a: a.get("alpha", 0.2) >= 0,
    "LeakyRelu": lambda a: a.get("alpha", 0.01) >= 0,
    "Selu": lambda a: a.get("alpha", 1.0) >= 0 and a.get("gamma", 1.0) >= 0,
    "ThresholdedRelu": lambda a: a.get("alpha", 1.0) >= 0,
}
"""Whether an operator with these attributes never falls."""

COMPARISONS = {"Greater": 1, "GreaterOrEqual": 1, "Less": -1, "LessOrEqual": -1}
"""The sign of the slope in the first operand, with false below true. In the second operand it is the opposite."""


def column(c: Any, dtype: Any = None) -> Any:
    """One element or one per channel as (1 or C, 1), to meet rows of candidates; None stays None."""
    if c is None:
        return None
    flat = np.asarray(c, dtype).reshape(-1, 1)
    return flat[:1] if len(flat) > 1 and (flat == flat[0]).all() else flat


@dataclass(frozen=True, eq=False)
class Step:
    """An operator of a tail. operands : for each input of `node` the number of a value of the tail (0: what enters it,
    k: the result of step k - 1), a constant, or None where it is left out.

    reshaped : the constants are no longer those that the node names.
    """

    node: NodeProto
    operands: tuple[int | Array | None, ...]
    opset: int
    reshaped: bool = field(default=False)

    @property
    def op_type(self) -> str:
        return self.node.op_type

    @property
    def attributes(self) -> Mapping[str, Any]:
        return call_of(self.node).attributes

    @property
    def constants(self) -> list[Array]:
        return [o for o in self.operands if isinstance(o, np.ndarray)]

    @property
    def read(self) -> list[int]:
        """The values that it reads."""
        return [o for o in self.operands if isinstance(o, int)]

    def mapped(self, f: Callable[[Array], Array]) -> Step:
        """The same step with moved constants."""
        operands = tuple(f(o) if isinstance(o, np.ndarray) else o for o in self.operands)
        return replace(self, operands=operands, reshaped=self.reshaped or any(o.size > 1 for o in self.constants))

    def apply(self, values: Sequence[Array]) -> Array:
        """The result for values of shape (channels or 1, n): in the type of the first, or booleans."""
        dtype = values[0].dtype
        inputs = [values[o] if isinstance(o, int) else _typed(o, dtype) for o in self.operands]
        if self.op_type == "BatchNormalization":
            a, b = self._normalization(*inputs[1:])
            return np.asarray(inputs[0] * a + b)
        if self.op_type == "Cast":
            return np.asarray(inputs[0], dtype)  # whatever float type it names: the tail has its own precision
        return np.asarray(run_node(self.node, inputs, self.opset)[0])

    def _normalization(self, gamma: Array, beta: Array, mean: Array, var: Array) -> Affine:
        """As onnxruntime orders it: a = gamma / sqrt(var + epsilon); y = x * a + (beta - mean * a)."""
        epsilon = self.attributes.get("epsilon", BATCHNORM_EPSILON)
        a = gamma / np.sqrt(var + np.asarray(epsilon, var.dtype))
        return a, beta - mean * a

    def affine(self, known: Sequence[Affine | None]) -> Affine | None:
        """(a, b) of the result, given those of the values; None if it is not affine."""
        c = [
            known[o] if isinstance(o, int) else None if o is None else (0.0, o.astype(np.float64))
            for o in self.operands
        ]
        if any(x is None for x in c) and self.op_type in AFFINE:
            return None
        if self.op_type == "BatchNormalization":
            a, b = self._normalization(*(x[1] for x in c[1:] if x is not None))
            return _times(c[0], (a, b)) if c[0] is not None else None
        form = AFFINE.get(self.op_type)
        return form(self, *c) if form is not None else None

    def slope(self, slopes: Sequence[Any]) -> Any:
        """The sign of the slope of the result (+1 never falls, -1 never rises, 0 constant), given those of the values.

        One element, or one per channel; None if it is not known.
        """
        given = [slopes[i] for i in self.read]
        if any(s is None for s in given):
            return None
        if len(given) == 1:
            inner = self.factor()
            return None if inner is None else given[0] * inner
        if self.op_type in {"Add", "Max", "Min", "Sum"} and all(np.array_equal(s, given[0]) for s in given[1:]):
            return given[0]
        return None

    def factor(self) -> Any:
        """The sign of the slope of an operator that reads one value; None if it may rise and fall."""
        affine = self.affine([(1.0, 0.0)] * (max(self.read) + 1))
        if affine is not None:
            return np.sign(np.asarray(affine[0], np.float64)).reshape(-1)
        if self.op_type == "PRelu":
            return np.ones(1) if all((c >= 0).all() for c in self.constants) else None
        if self.op_type in COMPARISONS:
            return np.full(1, COMPARISONS[self.op_type] * (1 if isinstance(self.operands[0], int) else -1))
        if self.op_type == "Not":
            return -np.ones(1)
        known = PARAMETERS.get(self.op_type)
        rises = self.op_type in RISING or (known is not None and known(self.attributes))
        return np.ones(1) if rises else None


@dataclass(frozen=True, eq=False)
class Requantized(Step):
    """A quantizer inside a tail: y == scale * code + bias. quantizer : a `quantizers.Quantizer`."""

    quantizer: Any = None

    @property
    def constants(self) -> list[Array]:
        return [np.asarray(c) for c in (self.quantizer.scale, self.quantizer.bias, *self.quantizer.constants)]

    def apply(self, values: Sequence[Array]) -> Array:
        x, q = values[self.read[0]], self.quantizer
        codes = q.code_of(x, *(column(c, x.dtype) for c in q.constants))
        return np.asarray(column(q.scale, x.dtype) * codes + column(q.bias, x.dtype))

    def affine(self, known: Sequence[Affine | None]) -> Affine | None:
        return None

    def slope(self, slopes: Sequence[Any]) -> Any:
        given = slopes[self.read[0]]
        return None if given is None else given * np.sign(np.asarray(self.quantizer.scale)).reshape(-1)

    def mapped(self, f: Callable[[Array], Array]) -> Step:
        q = self.quantizer
        moved = replace(q, scale=f(q.scale), bias=f(q.bias), constants=tuple(f(c) for c in q.constants))
        return replace(self, quantizer=moved, reshaped=self.reshaped or any(c.size > 1 for c in self.constants))


def _typed(c: Array | None, dtype: Any) -> Any:
    return column(c, dtype if c is not None and c.dtype.kind == "f" else None)


def _sum(step: Step, *terms: Affine) -> Affine:
    return sum(a for a, _ in terms), sum(b for _, b in terms)


def _difference(step: Step, x: Affine, y: Affine) -> Affine:
    return x[0] - y[0], x[1] - y[1]


def _times(x: Affine, factor: Affine) -> Affine:
    return x[0] * factor[0], x[1] * factor[0] + factor[1]


def _product(step: Step, x: Affine, y: Affine) -> Affine | None:
    if len(step.read) > 1:
        return None
    x, y = (x, y) if isinstance(step.operands[0], int) else (y, x)
    return x[0] * y[1], x[1] * y[1]


def _quotient(step: Step, x: Affine, y: Affine) -> Affine | None:
    return (x[0] / y[1], x[1] / y[1]) if step.read and not isinstance(step.operands[1], int) else None


AFFINE: dict[str, Callable[..., Affine | None]] = {
    "Add": _sum,
    "Sum": _sum,
    "Sub": _difference,
    "Mul": _product,
    "Div": _quotient,
    "Neg": lambda step, x: (-x[0], -x[1]),
    "Cast": lambda step, x: x,
    "BatchNormalization": lambda step, *x: None,
}
"""(a, b) of the result from those of the operands; a constant c is (0, c)."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The steps in their order; the last one is the result. Without steps it is what enters."""

    steps: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def operators(self) -> str:
        """For messages."""
        return " -> ".join(step.op_type for step in self.steps) or "the scale"

    @property
    def constants(self) -> list[Array]:
        return [c for step in self.steps for c in step.constants]

    def then(self, node: NodeProto, operands: Sequence[Any], opset: int) -> Tail:
        """One operator more."""
        return Tail((*self.steps, Step(node, tuple(operands), opset)))

    def joined(self, other: Tail) -> tuple[Tail, int, int]:
        """(steps of both, the number of the result of this one, of the other one). Both are of the same tensor."""
        steps = list(self.steps)
        places = {step.node.output[0]: i + 1 for i, step in enumerate(steps)}
        moved = {0: 0}
        for i, step in enumerate(other.steps):
            name = step.node.output[0]
            if name not in places:
                operands = tuple(moved[o] if isinstance(o, int) else o for o in step.operands)
                steps.append(replace(step, operands=operands))
                places[name] = len(steps)
            moved[i + 1] = places[name]
        return Tail(tuple(steps)), len(self.steps), moved[len(other.steps)]

    def evaluate(self, x: Array) -> Array:
        """The result for x: (channels or 1, n), in the type of x."""
        values = [x]
        for step in self.steps:
            values.append(step.apply(values))
        return np.asarray(values[-1], x.dtype)

    def affine(self, scale: Array, bias: Array) -> tuple[Array, Array] | None:
        """(a, b) with tail(scale * q + bias) == a * q + b; None if there are none."""
        known: list[Affine | None] = [(scale, bias)]
        for step in self.steps:
            known.append(step.affine(known))
        last = known[-1]
        return None if last is None else (np.asarray(last[0], np.float64), np.asarray(last[1], np.float64))

    def slopes(self, entering: Array) -> Array | None:
        """The sign of the slope per channel, given that of what enters; None if it may rise and fall."""
        slopes: list[Any] = [entering.reshape(-1)]
        for step in self.steps:
            slopes.append(step.slope(slopes))
        return None if slopes[-1] is None else np.asarray(slopes[-1])

    def mapped(self, f: Callable[[Array], Array]) -> Tail:
        """The same steps with moved constants."""
        return Tail(tuple(step.mapped(f) for step in self.steps))

    def behind(self, first: Tail, middle: Step) -> Tail:
        """middle(first(x)) with the steps of this tail behind it."""
        shift = len(first.steps) + 1
        moved = (
            replace(s, operands=tuple(o + shift if isinstance(o, int) else o for o in s.operands)) for s in self.steps
        )
        return Tail((*first.steps, middle, *moved))
