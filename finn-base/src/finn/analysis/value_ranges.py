"""Interval propagation: the range of every tensor, per channel, from those of the graph inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto

from finn.analysis.interval_rules import RULES, Call
from finn.analysis.intervals import Interval, Shape, Unknown, reason_of, with_rank
from finn.core.domains import CHANNELS_LAST, GENERAL, is_custom_domain
from finn.core.errors import ConfigError, FinnError, nearest
from finn.core.index import has_bodies
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, node_levels

Inputs = Mapping[str, tuple[Any, Any]]
DEFAULT_OPSET = 11
NEVER_CONSTANT = frozenset({"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"})
"""Operators whose outputs are not constant though their inputs are."""


@dataclass(frozen=True)
class Note:
    """Why the range of the outputs of `node` is not derived. op_type : of the node."""

    node: str
    op_type: str
    reason: str

    def __str__(self) -> str:
        return f"node {self.node}: nothing is known of its output, since {self.reason}"


@dataclass
class ValueRanges:
    """intervals : of every tensor, constants included; notes : on the nodes behind which nothing, or only what the
    annotated data type says, is known."""

    intervals: dict[str, Interval] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def value_ranges(model: ModelWrapper, inputs: Inputs | None = None) -> ValueRanges:
    """The interval of every tensor.

    inputs : {graph input: (low, high)}, numbers or arrays that broadcast to the tensor. Where nothing is given, all
    values of the annotated data type; of FLOAT32 all numbers. ConfigError for names that are no graph inputs, and for
    bounds that are NaN, in the wrong order, or of the wrong shape.

    Sound: an execution in exact arithmetic stays within the bounds (float32 may leave them by its rounding). They are
    reached by MatMul, Gemm, Conv and ConvTranspose with constant weights, as long as their inputs are independent. An
    operator without a rule gives a note and the values of its annotated data type.
    """
    return Propagation(model, inputs or {}).run()


class Propagation:
    """The state of one pass over a model, which is only read."""

    def __init__(self, model: ModelWrapper, inputs: Inputs, *, keep_constants: bool = True) -> None:
        """keep_constants : whether initializers are among the results; else each is read when a node needs it."""
        self.model, self.ranges = model, ValueRanges()
        for tensor in model.graph.initializer if keep_constants else ():
            constant = self._constant(tensor.name)
            if constant is not None:
                self.intervals[tensor.name] = constant
        names = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
        for name in inputs:
            if name not in names:
                raise ConfigError(f"the model has no input '{name}'", remedy=nearest(name, names))
        for name in names:
            self.intervals[name] = self._given(name, *inputs[name]) if name in inputs else self.of_datatype(name)

    @property
    def intervals(self) -> dict[str, Interval]:
        return self.ranges.intervals

    def run(self, refine: Callable[[Call], None] = lambda call: None) -> ValueRanges:
        """Walk the nodes in topological order. `refine` sees each call when its outputs have their intervals."""
        nodes = self.model.graph.node
        with self.model.trusted_index(), np.errstate(all="ignore"):  # infinite bounds
            for _, node in sorted(zip(node_levels(self.model.graph), nodes, strict=True), key=lambda pair: pair[0]):
                call = make_call(self.model, node, self._interval)
                self._evaluate(call)
                refine(call)
        return self.ranges

    def shape(self, name: str) -> Shape | None:
        return _shape(self.model, name)

    def of_datatype(self, name: str) -> Interval:
        """All values of the annotated data type."""
        return Interval.of_datatype(self.model.get_tensor_datatype(name), len(self.shape(name) or ()))

    def note(self, node: NodeProto, reason: str) -> None:
        self.ranges.notes.append(Note(describe(node), node.op_type, reason))

    def _given(self, name: str, low: Any, high: Any) -> Interval:
        shape = self.shape(name) or ()
        try:
            low, high = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
            np.broadcast_to(low, [d or 1 for d in shape])
        except ValueError as error:
            raise ConfigError(
                f"the range of input '{name}' does not fit its shape {list(shape)}", why=str(error)
            ) from error
        if not (low <= high).all():
            raise ConfigError(f"the range of input '{name}' is no interval: {low.tolist()} to {high.tolist()}")
        return Interval(with_rank(low, len(shape)), with_rank(high, len(shape)))

    def _interval(self, name: str) -> Interval:
        known = self.intervals.get(name) or self._constant(name)
        return known or Interval.uniform(-np.inf, np.inf, len(self.shape(name) or ()))

    def _constant(self, name: str) -> Interval | None:
        value = self.model.get_initializer(name)
        return Interval.of_constant(value) if value is not None and value.dtype.kind in "fiub" else None

    def _evaluate(self, call: Call) -> None:
        """The intervals of the outputs of a node, from its rule, or else from their data types."""
        node = call.node
        results: Sequence[Interval] = ()
        try:
            results = _results(call)
        except (Unknown, FinnError) as error:
            self.note(node, reason_of(error))
        for i, name in enumerate(node.output):
            if name:
                found = results[i] if i < len(results) else self.of_datatype(name)
                rank = len(call.out_shapes[i] or ())
                self.intervals[name] = found.map(lambda bound: with_rank(bound, rank))  # noqa: B023


def make_call(model: ModelWrapper, node: NodeProto, interval: Callable[[str], Interval]) -> Call:
    """The node with its surroundings, for the rules. interval : of a tensor by its name."""
    domain = node.domain if is_custom_domain(node.domain) else ""
    return Call(
        node=node,
        inputs=tuple(interval(name) if name else None for name in node.input),
        shapes=tuple(_shape(model, name) for name in node.input),
        out_shapes=tuple(_shape(model, name) for name in node.output),
        out_kind=model.get_tensor_elem_type(node.output[0]) if len(node.output) else 0,
        opset=model.get_opset_imports().get(domain, 1 if domain else DEFAULT_OPSET),
        graph=model.graph,
    )


def _shape(model: ModelWrapper, name: str) -> Shape | None:
    shape = model.get_tensor_shape(name) if name else None
    return None if shape is None else tuple(shape)


def _results(call: Call) -> Sequence[Interval]:
    """By the rule of the operator; constants are computed."""
    node = call.node
    fixed = all(x is None or x.constant for x in call.inputs) and node.op_type not in NEVER_CONSTANT
    if fixed and not has_bodies(node):
        try:
            arrays = call.run([None if x is None else x.low for x in call.inputs], dtype=None)
            return [Interval.of_constant(a) for a in arrays]
        except (Unknown, FinnError):
            if node.op_type not in RULES:
                raise
    if node.op_type not in RULES or is_foreign(node):
        raise Unknown(f"there is no rule for {node.op_type}")
    results = RULES[node.op_type](call)
    return [_as_constant(y, s) for y, s in zip(results, call.out_shapes, strict=False)] if fixed else results


def _as_constant(y: Interval, shape: Shape | None) -> Interval:
    """The constant, if there is only one value for each element."""
    fixed = shape is not None and (y.low == y.high).all()
    return Interval.of_constant(np.broadcast_to(y.low, shape or ())) if fixed else y


def is_foreign(node: NodeProto) -> bool:
    """Whether the operator is of a domain of others, where names may mean something else."""
    return is_custom_domain(node.domain) and node.domain not in (GENERAL, CHANNELS_LAST)
