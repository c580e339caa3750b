"""Where a pattern fits a graph, and if it does not, why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.rewrite._patterns import Call, Maybe, NoMatch, Rule, TensorRef, Var

COMMUTATIVE = frozenset({"Add", "Mul"})

Bindings = dict[Var, Any]
Way = tuple[Bindings, tuple[NodeProto, ...]]


@dataclass(frozen=True)
class Decline:
    """One way of matching that failed. nodes: those that fitted before it did, from the root inwards."""

    reason: str
    nodes: tuple[str, ...]
    all_fitted: bool = False
    """Whether the whole pattern fitted, so that a variable or the rule itself declined."""


def match(model: ModelWrapper, root: NodeProto, r: Rule) -> tuple[Any, list[NodeProto]]:
    """The replacement for the expression that ends in `root`, and the nodes it covers. NoMatch says why not."""
    return find(model, root, r, None)


def find(model: ModelWrapper, root: NodeProto, r: Rule, log: list[Decline] | None) -> tuple[Any, list[NodeProto]]:
    """As `match`; appends every way that failed to `log`."""
    reasons = []
    for bindings, nodes in Matcher(model, log).ways(r.pattern, root):
        try:
            return r.body(**{v.name: _bound(model, v, value) for v, value in bindings.items()}), list(nodes)
        except NoMatch as reason:
            reasons.append(str(reason))
            if log is not None:
                log.append(Decline(str(reason), tuple(map(describe, nodes)), all_fitted=True))
    raise NoMatch(" and ".join(reasons) or f"{describe(root)} does not end a {r.pattern}")


def _bound(model: ModelWrapper, variable: Var, value: Any) -> Any:
    if isinstance(value, Call):
        return value
    return variable.bind(TensorRef.of(model, value) if value else None)  # type: ignore[arg-type]  # only Maybe is asked


class Matcher:
    """Finds the ways in which patterns fit. log: takes the reasons of those that do not."""

    def __init__(self, model: ModelWrapper, log: list[Decline] | None) -> None:
        self.model, self.log = model, log

    def ways(self, pattern: Call, root: NodeProto) -> Iterator[Way]:
        """Each way in which the pattern fits the expression that ends in `root`."""
        if not fits(pattern, root):
            self._decline((), lambda: misfit(pattern, root))
        elif (used := self._used_output(root, pattern.index)) is not None:
            self._decline((), lambda: f"output '{used}' of {describe(root)} is used, too")
        else:
            yield from self._inner(pattern, root, {}, ())

    def _inner(self, pattern: Call, node: NodeProto, bindings: Bindings, nodes: tuple[NodeProto, ...]) -> Iterator[Way]:
        """Each way for the inputs of `node`, which fits the pattern itself."""
        inputs = list(_inputs(node))
        inputs += [""] * (len(pattern.inputs) - len(inputs))
        start = bindings | ({pattern.node: self._named(node, pattern.index)} if pattern.node else {})
        for ordered in _orders(pattern, node):
            ways: list[Way] = [(start, (*nodes, node))]
            for position, (item, tensor) in enumerate(zip(ordered, inputs, strict=True)):
                ways = [way for b, n in ways for way in self._at(item, tensor, dict(b), n, (node, position))]
            yield from ways

    def _named(self, node: NodeProto, index: int) -> Call:
        return replace(as_call(node), result=TensorRef.of(self.model, node.output[index]))

    def _at(
        self,
        pattern: Any,
        tensor: str,
        bindings: Bindings,
        nodes: tuple[NodeProto, ...],
        place: tuple[NodeProto, int],
    ) -> Iterator[Way]:
        """Each way in which `pattern` fits what computes `tensor`, which is read at `place`."""
        if isinstance(pattern, Var):
            if self._fits_variable(pattern, tensor, bindings, nodes, place):
                yield bindings, nodes
            return
        node = self.model.find_producer(tensor) if tensor else None
        if node is None or node.output[pattern.index : pattern.index + 1] != [tensor] or not fits(pattern, node):
            self._decline(nodes, lambda: self._other_source(pattern, node, tensor, place))
        elif (why := self._shared(node, pattern.index)) is not None:
            self._decline((*nodes, node), lambda: why)
        else:
            yield from self._inner(pattern, node, bindings, nodes)

    def _fits_variable(
        self, variable: Var, tensor: str, bindings: Bindings, nodes: tuple[NodeProto, ...], place: tuple[NodeProto, int]
    ) -> bool:
        if not tensor and not isinstance(variable, Maybe):
            self._decline(nodes, lambda: f"{_place(place)} is omitted, want {variable}")
            return False
        bound = bindings.setdefault(variable, tensor)
        if bound == tensor or self._same(variable, bound, tensor):
            return True
        self._decline(nodes, lambda: f"{_place(place)} is '{tensor}', but {variable} is '{bound}' already")
        return False

    def _same(self, variable: Var, bound: str, tensor: str) -> bool:
        """Whether a variable that has bound one tensor may stand for another: an equal constant."""
        if not variable.constant or not bound or not tensor:
            return False
        a, b = (self.model.get_initializer(name) for name in (bound, tensor))
        return a is not None and b is not None and np.array_equal(a, b)

    def _shared(self, node: NodeProto, index: int) -> str | None:
        """Why an inner value cannot go: others read it, and to replace it would compute it twice."""
        tensor = node.output[index]
        readers = self.model.find_consumers(tensor)
        if len(readers) != 1:
            return f"'{tensor}' is read {len(readers)} times, by {', '.join(dict.fromkeys(map(describe, readers)))}"
        if self.model.is_graph_output(tensor):
            return f"'{tensor}' is a graph output"
        used = self._used_output(node, index)
        return None if used is None else f"output '{used}' of {describe(node)} is used, too"

    def _used_output(self, node: NodeProto, index: int) -> str | None:
        """Another output than number `index` that is used."""
        if len(node.output) == 1:
            return None
        others = [name for position, name in enumerate(node.output) if position != index and name]
        return next((o for o in others if self.model.find_consumers(o) or self.model.is_graph_output(o)), None)

    def _decline(self, nodes: tuple[NodeProto, ...], reason: Any) -> None:
        """Note a way that ends here. reason: makes the text, which only explanations need."""
        if self.log is not None:
            self.log.append(Decline(reason(), tuple(map(describe, nodes))))

    def _other_source(self, pattern: Call, node: NodeProto | None, tensor: str, place: tuple[NodeProto, int]) -> str:
        """Why what makes `tensor` is not what the pattern wants."""
        if node is not None and node.op_type in pattern.ops:
            if node.output[pattern.index : pattern.index + 1] != [tensor]:
                return f"{_place(place)} is another output of {describe(node)}, want {pattern}"
            return misfit(pattern, node)
        if node is not None:
            source = f"made by {describe(node)}"
        elif not tensor:
            source = "omitted"
        else:
            source = f"the {'constant' if self.model.has_initializer(tensor) else 'graph input'} '{tensor}'"
        return f"{_place(place)} is {source}, want {'|'.join(pattern.ops)}"


def _place(place: tuple[NodeProto, int]) -> str:
    return f"input {place[1]} of {describe(place[0])}"


def _orders(pattern: Call, node: NodeProto) -> tuple[tuple[Any, ...], ...]:
    return (pattern.inputs, pattern.inputs[::-1]) if node.op_type in COMMUTATIVE else (pattern.inputs,)


def fits(pattern: Call, node: NodeProto) -> bool:
    """Whether op type, domain, number of inputs, outputs and attributes of the node are those of the pattern."""
    if node.op_type != pattern.op and node.op_type not in pattern.alternatives:
        return False
    if not _domain_fits(pattern, node) or len(node.output) <= pattern.index:
        return False
    if not _least(pattern) <= len(_inputs(node)) <= len(pattern.inputs):
        return False
    if not pattern.attributes:
        return True
    attributes = as_call(node).attributes
    return all(name in attributes and attributes[name] == value for name, value in pattern.attributes.items())


def misfit(pattern: Call, node: NodeProto) -> str:
    """Why `fits` is false."""
    name, count, want = describe(node), len(_inputs(node)), len(pattern.inputs)
    if node.op_type not in pattern.ops:
        return f"{name} is no {'|'.join(pattern.ops)}"
    if not _domain_fits(pattern, node):
        return f"{name} is of domain '{node.domain}', want '{pattern.domain}'"
    if len(node.output) <= pattern.index:
        return f"{name} has no output {pattern.index}"
    if not _least(pattern) <= count <= want:
        return f"{name} has {count} inputs, want {want if _least(pattern) == want else f'{_least(pattern)} to {want}'}"
    found = as_call(node).attributes
    wrong = next(key for key, value in pattern.attributes.items() if key not in found or found[key] != value)
    given = f"is {found[wrong]!r}" if wrong in found else "is not set"
    return f"{wrong} of {name} {given}, want {pattern.attributes[wrong]!r}"


def _least(pattern: Call) -> int:
    """The number of inputs up to the last one that is not optional."""
    count = len(pattern.inputs)
    while count and isinstance(pattern.inputs[count - 1], Maybe):
        count -= 1
    return count


def _domain_fits(pattern: Call, node: NodeProto) -> bool:
    """A name that ONNX defines means ONNX's operator, unless the pattern gives a domain."""
    if pattern.domain:
        return node.domain == pattern.domain
    return is_custom_domain(node.domain) != onnx.defs.has(node.op_type)


def _inputs(node: NodeProto) -> list[str]:
    """The inputs without omitted trailing ones."""
    inputs = list(node.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return inputs


def as_call(node: NodeProto) -> Call:
    """The node as rules see it: inputs by name, attributes as plain values."""
    attributes = {a.name: _plain(a) for a in node.attribute}
    return Call(node.op_type, tuple(_inputs(node)), attributes, node.domain, name=node.name)


def _plain(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [item.decode("utf-8") if isinstance(item, bytes) else item for item in value]
    return value
