"""The notation of rules: variables, calls, examples."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FrameType
from typing import Any, ClassVar

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper


class NoMatch(Exception):
    """Declines a match; the message says why."""


class RewriteError(FinnError):
    """A rule that is malformed or failed, or rules that do not settle."""


guard_watcher: ContextVar[Callable[[bool, FrameType], bool] | None] = ContextVar("guard_watcher", default=None)
"""Sees the outcome of every `require` and the frame that asks, and may change it: how mutation removes guards."""


def require(condition: Any, reason: str) -> None:
    """Decline the match for this reason unless the condition holds."""
    watch = guard_watcher.get()
    if watch is not None:
        condition = watch(bool(condition), sys._getframe(1))
    if not condition:
        raise NoMatch(reason)


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the model, as a rule gets it. shape: None if not known, 0 for a symbolic dimension."""

    name: str
    shape: tuple[int, ...] | None
    datatype: BaseDataType
    model: ModelWrapper = field(repr=False, compare=False)

    @property
    def rank(self) -> int:
        """The number of axes. NoMatch if it is not known."""
        if self.shape is None:
            raise NoMatch(f"the shape of '{self.name}' is not known")
        return len(self.shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, every size known and positive. NoMatch if it is not."""
        if self.shape is None or not all(size > 0 for size in self.shape):
            known = "not known" if self.shape is None else f"{list(self.shape)}, where 0 is not known"
            raise NoMatch(f"the shape of '{self.name}' is {known}")
        return self.shape

    @property
    def value(self) -> np.ndarray | None:
        """The array of a constant; None for other tensors."""
        return self.model.get_initializer(self.name)

    @staticmethod
    def of(model: ModelWrapper, name: str) -> TensorRef:
        shape = model.get_tensor_shape(name)
        return TensorRef(name, None if shape is None else tuple(shape), model.get_tensor_datatype(name), model)


# ---------------------------------------------------------------------------------------------------------- variables


@dataclass(frozen=True)
class Var:
    """Pattern variable. It binds any tensor as a `TensorRef`; a name used twice must bind the same one."""

    name: str
    constant: ClassVar[bool] = False
    """Whether it binds constants only; equal constants then count as the same."""

    def bind(self, tensor: TensorRef) -> Any:
        """What the rule gets for `tensor`. NoMatch if it may not have it."""
        return tensor

    def __str__(self) -> str:
        return self.name


class Integer(Var):
    """Binds a tensor that is annotated with an integer data type."""

    def bind(self, tensor: TensorRef) -> Any:
        if not tensor.datatype.is_integer():
            raise NoMatch(f"{self.name} = '{tensor.name}' is {tensor.datatype.name}, no integer")
        return super().bind(tensor)


class Const(Var):
    """Binds a constant; the rule gets its array."""

    constant = True

    def bind(self, tensor: TensorRef) -> Any:
        value = tensor.value
        if value is None:
            raise NoMatch(f"{self.name} = '{tensor.name}' is not a constant")
        return value


class Scalar(Const):
    """Binds a constant with one element, of any rank."""

    def bind(self, tensor: TensorRef) -> Any:
        array = super().bind(tensor)
        if array.size != 1:
            raise NoMatch(f"{self.name} = '{tensor.name}' has shape {array.shape}, want one element")
        return array


class Vector(Const):
    """Binds a constant that varies along one axis at most. `per_channel` says along which."""

    def bind(self, tensor: TensorRef) -> Any:
        array = super().bind(tensor)
        if array.size != max(array.shape, default=1):
            raise NoMatch(f"{self.name} = '{tensor.name}' has shape {array.shape}, want one axis")
        return array


class Positive(Const):
    """Binds a constant whose elements are all above 0. Kinds combine: `class PositiveScalar(Positive, Scalar)`."""

    def bind(self, tensor: TensorRef) -> Any:
        array = super().bind(tensor)
        if not np.all(array > 0):
            raise NoMatch(f"{self.name} = '{tensor.name}' has elements that are not positive")
        return array


class Whole(Const):
    """Binds a constant of integer numbers, in any element type."""

    def bind(self, tensor: TensorRef) -> Any:
        array = super().bind(tensor)
        if not np.array_equal(array, np.rint(array)):
            raise NoMatch(f"{self.name} = '{tensor.name}' has fractions")
        return array


class Parameter(Const):
    """Binds a constant as a `TensorRef`, for rules that need its data type beside its `value`."""

    def bind(self, tensor: TensorRef) -> Any:
        super().bind(tensor)
        return tensor


@dataclass(frozen=True)
class Maybe(Var):
    """An input that may be omitted: the rule then gets None. Made by `maybe`."""

    inner: Var

    @property
    def constant(self) -> bool:  # type: ignore[override]  # follows from `inner`
        return self.inner.constant

    def bind(self, tensor: TensorRef | None) -> Any:
        return None if tensor is None else self.inner.bind(tensor)

    def __str__(self) -> str:
        return f"{self.name}?"


def maybe(variable: Var) -> Maybe:
    """The variable at an optional input: `op.Gemm(x, w, maybe(b))`. An example omits it by giving it no shape."""
    return Maybe(variable.name, variable)


# -------------------------------------------------------------------------------------------------------------- calls


@dataclass(frozen=True)
class Constant:
    """A constant of a replacement, annotated with a data type. Made by `constant`."""

    value: np.ndarray
    datatype: BaseDataType


def constant(value: Any, datatype: BaseDataType | str) -> Constant:
    """A constant for a replacement with a data type. Plain arrays and numbers need no such wrapping."""
    return Constant(np.asarray(value), DataType[datatype] if isinstance(datatype, str) else datatype)


@dataclass(frozen=True)
class Call:
    """An operator applied to variables (in a pattern) or to tensors (in a replacement).

    attributes: plain Python values; those of a pattern must be on the matched node. domain: of custom operators; a
    pattern without one matches any. index: the output that is meant. alternatives: more op types that a pattern
    matches. A matched call, which a rule gets by `named`, has the names of its tensors as inputs, the name of its node,
    and in `result` the tensor that it writes.
    """

    op: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    node: Var | None = None
    datatype: BaseDataType | None = None
    name: str = ""
    index: int = 0
    alternatives: tuple[str, ...] = ()
    result: TensorRef | None = field(default=None, repr=False, compare=False)

    def named(self, name: str) -> Call:
        """Pass the matched call to the rule under `name`, so that it can read the attributes."""
        return replace(self, node=Var(name))

    def typed(self, datatype: BaseDataType | str) -> Call:
        """Annotate the output of this call with a data type."""
        return replace(self, datatype=DataType[datatype] if isinstance(datatype, str) else datatype)

    def output(self, index: int) -> Call:
        """Mean output `index` of the operator instead of output 0. The others have to be unused."""
        return replace(self, index=index)

    def on(self, *inputs: Any) -> Call:
        """The operator of this call, attributes and domain included, on other inputs."""
        return Call(self.op, inputs, self.attributes, self.domain)

    @property
    def ops(self) -> tuple[str, ...]:
        """The op types that a pattern matches."""
        return (self.op, *self.alternatives)

    @property
    def depth(self) -> int:
        return 1 + max((i.depth for i in self.inputs if isinstance(i, Call)), default=0)

    def __str__(self) -> str:
        output = f"[{self.index}]" if self.index else ""
        return f"{'|'.join(self.ops)}({', '.join(map(str, self.inputs))}){output}"


class _Ops:
    """`op.MatMul(a, w)` is a `Call`. `like` gives it the attributes and domain of another."""

    def __getattr__(self, op_type: str) -> Callable[..., Call]:
        def call(*inputs: Any, like: Call | None = None, **attributes: Any) -> Call:
            if like is None:
                return Call(op_type, inputs, attributes)
            return Call(op_type, inputs, {**like.attributes, **attributes}, like.domain)

        return call

    def any_of(self, *op_types: str) -> Callable[..., Call]:
        """`op.any_of("Relu", "Sigmoid")(x)` matches either; with `.named("f")`, `f.on(y)` is the one that matched."""

        def call(*inputs: Any, **attributes: Any) -> Call:
            return Call(op_types[0], inputs, attributes, alternatives=op_types[1:])

        return call


op = _Ops()


def calls(expression: Any) -> Iterator[Call]:
    """Every call of an expression, inputs before those who read them."""
    if isinstance(expression, Call):
        for item in expression.inputs:
            yield from calls(item)
        yield expression


def variables(pattern: Any) -> dict[str, Var]:
    """The variables of a pattern by name, `Maybe` included."""
    found: dict[str, Var] = {}
    for call in calls(pattern):
        found |= {item.name: item for item in call.inputs if isinstance(item, Var)}
    return found


# -------------------------------------------------------------------------------------------------------------- rules


@dataclass(frozen=True)
class Example:
    """A small instance of the left side, from which a proof draws many.

    shapes: the dims of each variable, letters or numbers; attributes: those of each named node; datatypes: annotations
    by variable; values: constants that are not drawn, such as the target of a Reshape.
    """

    shapes: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    datatypes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """pattern == body(what the pattern binds), with examples. equivalent: mutants that no proof can tell, and why."""

    pattern: Call
    body: Callable[..., Any]
    examples: tuple[Example, ...]
    equivalent: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def depth(self) -> int:
        """How many nodes deep the pattern is."""
        return self.pattern.depth

    def __str__(self) -> str:
        return getattr(self.body, "__name__", type(self.body).__name__)


PerExample = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


def rule(
    pattern: Call,
    *,
    shapes: str,
    attributes: PerExample = None,
    datatypes: PerExample = None,
    values: PerExample = None,
    equivalent: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Rule]:
    """Make a rule of a function. The rest are its examples.

    shapes: the dims of each variable, "x:n,k w:k,m s:", with | between examples; letters are sizes, as the proof
    chooses them. attributes: those of each named node. datatypes: annotations of variables, by name. values: constants
    with given values, by variable. Each of the three is for all examples, or a list with one entry per example.
    equivalent: {mutant: why no proof can tell it from the rule}, see `finn.transformation.mutation`.

    RewriteError if the examples or the parameters of the function do not fit the pattern.
    """
    texts = shapes.split("|")
    columns = [_per_example(column, len(texts)) for column in (attributes, datatypes, values)]
    examples = tuple(Example(_dims(text), *rest) for text, *rest in zip(texts, *columns, strict=True))

    def make(body: Callable[..., Any]) -> Rule:
        made = Rule(pattern, body, examples, equivalent or {})
        _check(made)
        return made

    return make


def _dims(text: str) -> dict[str, tuple[str, ...]]:
    pairs = [variable.split(":") for variable in text.split()]
    if any(len(pair) != 2 for pair in pairs):
        raise RewriteError(f"the shapes '{text.strip()}' cannot be read", remedy='write them as "x:n,k w:k,m s:"')
    return {name: tuple(filter(None, dims.split(","))) for name, dims in pairs}


def _per_example(column: PerExample, count: int) -> list[Mapping[str, Any]]:
    if column is None or isinstance(column, Mapping):
        return [column or {}] * count
    if len(column) != count:
        raise RewriteError(
            f"there are {count} examples by their shapes, but {len(column)} sets of attributes, datatypes or values",
            remedy="give one for all, or one for each",
        )
    return list(column)


def _check(r: Rule) -> None:
    """The parts of a rule fit together."""
    where = f"rule {r}"
    known = variables(r.pattern)
    names = {call.node.name for call in calls(r.pattern) if call.node is not None}
    parameters = inspect.signature(r.body).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    if not takes_all and set(parameters) != set(known) | names:
        bound = ", ".join([*known, *sorted(names)])
        raise RewriteError(f"the pattern binds {bound}, the function takes {', '.join(parameters)}", where=where)
    for example in r.examples:
        wanted = {name for name, variable in known.items() if not isinstance(variable, Maybe)}
        missing = wanted - set(example.shapes) - set(example.values)
        unknown = (set(example.shapes) | set(example.datatypes) | set(example.values)) - set(known)
        unknown |= set(example.attributes) - names
        if missing or unknown:
            what = f"an example says nothing of {', '.join(sorted(missing))}" if missing else ""
            what = what or f"an example speaks of {', '.join(sorted(unknown))}, which is not in the pattern"
            raise RewriteError(what, where=where, remedy="name the variables and named nodes of the pattern")


# ------------------------------------------------------------------------------------------------------------ helpers


def per_channel(c: np.ndarray, x: TensorRef, axis: int = 1) -> np.ndarray:
    """`c`, which broadcasts to `x`, as a vector over axis `axis` of x (of one element if it is the same for all).

    NoMatch if it varies along another axis, if it has more axes than x, or if the rank of x is not known.
    """
    full = c.reshape((1,) * (x.rank - c.ndim) + c.shape)
    fits = full.ndim == x.rank and full.size == full.shape[axis]
    require(fits, f"a constant of shape {c.shape} does not lie along axis {axis} of '{x.name}'")
    return full.reshape(-1)


def over_channels(c: np.ndarray, x: TensorRef, axis: int = 1) -> np.ndarray:
    """The vector `c` in a shape that broadcasts over axis `axis` of `x`: the inverse of `per_channel`."""
    return c.reshape([-1] + [1] * (x.rank - axis - 1))
