"""Does the proof notice a wrong rule? Mutants of a rule, and whether `prove` kills them.

Mutants change one thing: operands swapped, a node left out or doubled, a constant or an attribute that is another, an
annotation too narrow, a `require` that lets everything pass, a kind of variable that guards less, a variable that need
not be the same at both its places. A mutant that survives means that the examples of the rule do not show why that
thing is there: give an example that does, or write in `equivalent` of the rule why there is none.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import FrameType
from typing import Any

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.transformation.proof import ProofError, prove
from finn.transformation.rewrite import Call, Constant, Maybe, NoMatch, Rule, TensorRef, Var
from finn.transformation.rewrite._patterns import calls, guard_watcher

_SYMMETRIC = frozenset({"Add", "Mul", "Max", "Min", "And", "Or", "Xor", "Equal", "Sum", "Mean"})
_IDEMPOTENT = frozenset({
    "Abs", "BipolarQuant", "Ceil", "Clip", "Flatten", "Floor", "Identity", "IntQuant", "LogSoftmax", "LpNormalization",
    "Max", "Min", "Quant", "ReduceMax", "ReduceMean", "ReduceMin", "Relu", "Reshape", "Round", "Sign",
    "ThresholdedRelu",
})  # fmt: skip
_PLAIN = (np.ndarray, np.generic, bool, int, float)

Path = tuple[int, ...]
Edit = Callable[[Call], Any]
"""Changes one call of a replacement; None if there is nothing to change."""


class MutationError(FinnError):
    """Mutants that the proof of a rule does not notice."""


@dataclass(frozen=True)
class Mutant:
    """A rule with one thing changed. name: what, as `equivalent` of a rule names it."""

    name: str
    rule: Rule
    changes: list[bool] = field(default_factory=list)
    """Grows whenever the mutant does something else than the rule; empty after a proof if it never does."""


def survivors(r: Rule, *, most: int | None = None, rounds: int = 3) -> list[str]:
    """The names of the mutants that `prove` accepts though they do something else than the rule.

    most: look less hard for what can be changed, and try so many of the mutants only. rounds: as for `prove`.
    """
    found = mutants(r, rounds=rounds if most is None else 1)
    step = 1 if most is None else max(1, len(found) // most)
    return [mutant.name for mutant in found[step - 1 :: step][:most] if _survives(mutant, rounds)]


def check_mutants(r: Rule, *, most: int | None = None, rounds: int = 3) -> None:
    """MutationError if mutants survive that `equivalent` of the rule does not excuse, or if it excuses others.

    most, rounds: as for `survivors`; excuses are checked if all mutants are tried.
    """
    alive = survivors(r, most=most, rounds=rounds)
    unexcused = [name for name in alive if name not in r.equivalent]
    if unexcused:
        raise MutationError(
            f"the proof does not notice: {'; '.join(unexcused)}",
            where=f"rule {r}",
            remedy="give an example that the change makes wrong, or say in `equivalent` why there is none",
        )
    stale = [name for name in r.equivalent if most is None and name not in alive]
    if stale:
        raise MutationError(
            f"`equivalent` excuses what is no surviving mutant: {'; '.join(stale)}",
            where=f"rule {r}",
            remedy=f"remove it; the mutants are: {'; '.join(m.name for m in mutants(r))}",
        )


def _survives(mutant: Mutant, rounds: int) -> bool:
    try:
        prove(mutant.rule, rounds=rounds)
    except ProofError:
        return False
    return bool(mutant.changes)


def mutants(r: Rule, *, rounds: int = 3) -> list[Mutant]:
    """Every mutant of the rule. What can be changed in replacements and guards is seen while the rule is proved."""
    places, guards = _seen(r, rounds)
    found = [_with_edit(r, *place, places[place]) for place in sorted(places)]
    found += [_without_guard(r, place, guard.name) for place, guard in sorted(guards.items()) if guard.declined]
    return _with_unique_names([*found, *_other_patterns(r)])


def unreached(r: Rule, *, rounds: int = 3) -> list[str]:
    """The guards that decline nothing in a proof, so that only other tests can tell what they are for."""
    return [guard.name for _, guard in sorted(_seen(r, rounds)[1].items()) if not guard.declined]


@dataclass
class _Guard:
    """A `require` of a rule. declined: whether it ever did."""

    name: str
    declined: bool = False


def _seen(r: Rule, rounds: int) -> tuple[dict[tuple[Path, str, str], Edit], dict[tuple[str, int], _Guard]]:
    """What can be changed in the replacements, and the guards, as they show in a proof of the rule."""
    places: dict[tuple[Path, str, str], Edit] = {}
    guards: dict[tuple[str, int], _Guard] = {}

    def watched(**bound: Any) -> Any:
        with _Watching(lambda condition, frame: _note_guard(guards, condition, frame)):
            replacement = r.body(**bound)
        for path, call in _at_paths(replacement):
            places.update({(path, call.op, name): edit for name, edit in _edits(call).items()})
        return replacement

    prove(replace(r, body=_named_as(r, watched)), rounds=rounds)
    return places, guards


def _named_as(r: Rule, body: Callable[..., Any]) -> Callable[..., Any]:
    """The body under the name of the rule, on which its draws depend."""
    body.__name__ = str(r)
    return body


def _with_unique_names(found: Iterable[Mutant]) -> list[Mutant]:
    counts: dict[str, int] = {}
    unique = []
    for mutant in found:
        number = counts[mutant.name] = counts.get(mutant.name, 0) + 1
        unique.append(mutant if number == 1 else replace(mutant, name=f"{mutant.name} ({number})"))
    return unique


# --------------------------------------------------------------------------------------------------------- replacements


def _at_paths(expression: Any, path: Path = ()) -> Iterator[tuple[Path, Call]]:
    """The calls of a replacement, and through which inputs they are reached."""
    if isinstance(expression, Call):
        yield path, expression
        for position, item in enumerate(expression.inputs):
            yield from _at_paths(item, (*path, position))


def _edits(call: Call) -> dict[str, Edit]:
    """What can be changed at this call, by name."""
    found: dict[str, Edit] = {}
    dynamic = [item for item in call.inputs if isinstance(item, Call | TensorRef)]
    if len(call.inputs) > 1 and call.op not in _SYMMETRIC and all(i is not None for i in call.inputs[:2]):
        found[f"operands of {call.op} swapped"] = lambda c: replace(c, inputs=(*c.inputs[1::-1], *c.inputs[2:]))
    if dynamic and call.op != "Identity":
        found[f"no {call.op}"] = lambda c: next((i for i in c.inputs if isinstance(i, Call | TensorRef)), None)
    if dynamic and call.inputs[0] is dynamic[0] and call.op not in _IDEMPOTENT:
        found[f"{call.op} twice"] = lambda c: replace(c, inputs=(replace(c, datatype=None), *c.inputs[1:]))
    if call.datatype is not None:
        found[f"{call.op} typed too narrowly"] = lambda c: c.datatype and replace(c, datatype=_narrow(c.datatype))
    for position, item in enumerate(call.inputs):
        found |= _constant_edits(call, position, item)
    for name, value in call.attributes.items():
        if _changed(name, value) is not None:
            found[f"another {name} of {call.op}"] = partial(_with_attribute, name=name)
    return found


def _constant_edits(call: Call, position: int, item: Any) -> dict[str, Edit]:
    where = f"constant {position} of {call.op}"
    found: dict[str, Edit] = {}
    if isinstance(item, Constant):
        found[f"{where} typed too narrowly"] = lambda c: _with_constant(
            c, position, lambda v: replace(v, datatype=_narrow(v.datatype)) if isinstance(v, Constant) else None
        )
    if isinstance(item, Constant | np.ndarray | np.generic | bool | int | float):
        found[f"{where} + 1"] = lambda c: _with_constant(c, position, lambda v: _mapped(v, lambda a: a + 1))
        found[f"{where} negated"] = lambda c: _with_constant(c, position, lambda v: _mapped(v, lambda a: -a))
    return found


def _with_constant(call: Call, position: int, edit: Callable[[Any], Any]) -> Call | None:
    changed = edit(call.inputs[position]) if position < len(call.inputs) else None
    if changed is None:
        return None
    return replace(call, inputs=(*call.inputs[:position], changed, *call.inputs[position + 1 :]))


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """The constant with its numbers changed; None if it is none, or if that changes nothing."""
    if isinstance(value, Constant):
        numbers = _mapped(value.value, change)
        return None if numbers is None else replace(value, value=numbers)
    if not isinstance(value, _PLAIN) or np.asarray(value).dtype.kind not in "iuf":
        return None
    array = np.asarray(value)
    changed = np.asarray(change(array), array.dtype)
    if np.array_equal(changed, array):
        return None
    return changed if isinstance(value, np.ndarray) else changed.item()


def _with_attribute(call: Call, name: str) -> Call | None:
    value = _changed(name, call.attributes.get(name))
    return None if value is None else replace(call, attributes={**call.attributes, name: value})


def _changed(name: str, value: Any) -> Any:
    """Another value of the same kind for an attribute; None for texts, tensors and what is not set."""
    if isinstance(value, int | float | np.number):
        return 1 - value if value in (0, 1) else value + 1
    if isinstance(value, list | tuple) and value and all(isinstance(v, int | float) for v in value):
        turned = list(value)[::-1]
        # the order of axes says nothing
        return turned if turned != list(value) and name != "axes" else [v + 1 for v in value]
    return None


def _narrow(datatype: BaseDataType) -> BaseDataType:
    return DataType["BIPOLAR" if datatype == DataType["BINARY"] else "BINARY"]


def _with_edit(r: Rule, path: Path, op: str, name: str, edit: Edit) -> Mutant:
    changes: list[bool] = []

    def body(**bound: Any) -> Any:
        original = r.body(**bound)
        changed = _edited(original, path, op, edit)
        changes.extend([True] if changed is not original else [])
        return changed

    return Mutant(name, replace(r, body=_named_as(r, body)), changes)


def _edited(expression: Any, path: Path, op: str, edit: Edit) -> Any:
    """The expression with the call at `path` changed, if there is one of that operator."""
    if not isinstance(expression, Call):
        return expression
    if not path:
        changed = edit(expression) if expression.op == op else None
        return expression if changed is None else changed
    if path[0] >= len(expression.inputs):
        return expression
    inner = expression.inputs[path[0]]
    changed = _edited(inner, path[1:], op, edit)
    if changed is inner:
        return expression
    inputs = (*expression.inputs[: path[0]], changed, *expression.inputs[path[0] + 1 :])
    return replace(expression, inputs=inputs)


# --------------------------------------------------------------------------------------------------------------- guards


class _Watching:
    """Within this context `watch` sees, and decides, the outcome of every `require`."""

    def __init__(self, watch: Callable[[bool, FrameType], bool]) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._token = guard_watcher.set(self._watch)

    def __exit__(self, *_: object) -> None:
        guard_watcher.reset(self._token)


def _place(frame: FrameType) -> tuple[str, int]:
    return frame.f_code.co_filename, frame.f_lineno


def _note_guard(guards: dict[tuple[str, int], _Guard], condition: bool, frame: FrameType) -> bool:
    place = _place(frame)
    if place not in guards:
        guards[place] = _Guard(f"without require({_condition_at(*place)})")
    guards[place].declined |= not condition
    return condition


def _condition_at(filename: str, line: int) -> str:
    """The condition of the `require` that starts in this line, as the source has it."""
    lines = linecache.getlines(filename)[line - 1 :]
    for count in range(1, min(len(lines), 12) + 1):
        try:
            tree = ast.parse("".join(lines[:count]).strip())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("require") and node.args:
                return ast.unparse(node.args[0])
    return f"line {line}"


def _without_guard(r: Rule, place: tuple[str, int], name: str) -> Mutant:
    changes: list[bool] = []

    def pass_by(condition: bool, frame: FrameType) -> bool:
        if not condition and _place(frame) == place:
            changes.append(True)
            return True
        return condition

    def body(**bound: Any) -> Any:
        with _Watching(pass_by):
            return r.body(**bound)

    return Mutant(name, replace(r, body=_named_as(r, body)), changes)


# ------------------------------------------------------------------------------------------------------------- patterns


@dataclass(frozen=True)
class _Weaker(Var):
    """Binds what `kind` or, if that declines, the more general `general` binds, and notes that it did."""

    kind: Var
    general: Var
    changes: list[bool] = field(compare=False)

    @property
    def constant(self) -> bool:  # type: ignore[override]  # follows from `kind`
        return self.kind.constant

    def bind(self, tensor: TensorRef) -> Any:
        try:
            return self.kind.bind(tensor)
        except NoMatch:
            bound = self.general.bind(tensor)
            self.changes.append(True)
            return bound


def _other_patterns(r: Rule) -> Iterator[Mutant]:
    """Rules whose patterns guard less."""
    seen: dict[str, int] = {}
    for call in calls(r.pattern):
        for item in call.inputs:
            if isinstance(item, Var):
                seen[item.name] = seen.get(item.name, 0) + 1
                yield from _weakened(r, item) if seen[item.name] == 1 else _with_another(r, item, seen[item.name])


def _weakened(r: Rule, variable: Var) -> Iterator[Mutant]:
    """The rule with more general kinds for the variable, as far as a constant stays a constant."""
    kind = variable.inner if isinstance(variable, Maybe) else variable
    for base in type(kind).__bases__:
        if issubclass(base, Var) and base.constant == type(kind).constant:
            changes: list[bool] = []
            weaker: Var = _Weaker(kind.name, kind, base(kind.name), changes)
            weaker = Maybe(kind.name, weaker) if isinstance(variable, Maybe) else weaker
            pattern = _with_variable(r.pattern, weaker)
            yield Mutant(f"{kind.name} is only {base.__name__}", replace(r, pattern=pattern), changes)


def _with_variable(expression: Any, variable: Var) -> Any:
    """The pattern with another kind for the variable of this name."""
    if isinstance(expression, Call):
        return replace(expression, inputs=tuple(_with_variable(i, variable) for i in expression.inputs))
    return variable if isinstance(expression, Var) and expression.name == variable.name else expression


def _with_another(r: Rule, variable: Var, occurrence: int) -> Iterator[Mutant]:
    """The rule with one more variable in place of a later occurrence of this one."""
    other = replace(variable, name=f"{variable.name}_{occurrence}")
    left = [occurrence]

    def renamed(expression: Any) -> Any:
        if isinstance(expression, Call):
            return replace(expression, inputs=tuple(renamed(i) for i in expression.inputs))
        if isinstance(expression, Var) and expression.name == variable.name:
            left[0] -= 1
            return other if not left[0] else expression
        return expression

    def extended(table: Mapping[str, Any]) -> dict[str, Any]:
        return dict(table) | ({other.name: table[variable.name]} if variable.name in table else {})

    def body(**bound: Any) -> Any:
        bound.pop(other.name)
        return r.body(**bound)

    examples = tuple(
        replace(e, shapes=extended(e.shapes), datatypes=extended(e.datatypes), values=extended(e.values))
        for e in r.examples
    )
    name = f"another tensor for {variable.name} at its place {occurrence}"
    yield Mutant(name, replace(r, pattern=renamed(r.pattern), body=_named_as(r, body), examples=examples), [True])
