"""If, Loop and Scan whose bodies hold custom operators, which onnxruntime does not know.

Meanings: https://onnx.ai/onnx/operators/onnx__If.html, __Loop.html, __Scan.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core._steps import Context, Plan
from finn.core.errors import ExecutionError, UnsupportedError
from finn.core.index import captured, reads, subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe

Compile = Callable[[ModelWrapper], Plan]


class Body:
    """A subgraph, compiled as a model of its own that takes what it captures as further inputs."""

    def __init__(self, graph: GraphProto, model: ModelWrapper, compile_body: Compile) -> None:
        wrapped = model.make_subgraph_modelwrapper(graph)
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        self.captured = captured(graph)
        for name in self.captured:
            if (info := model.get_tensor_valueinfo(name)) is not None and not model.has_initializer(name):
                wrapped.graph.input.append(info)
            elif (constant := model.get_initializer(name)) is not None:
                wrapped.set_initializer(name, constant)
            else:
                wrapped.graph.input.append(helper.make_empty_tensor_value_info(name))
            wrapped.copy_annotations_from(model, name)
        self.graph = wrapped.graph
        self.plan = compile_body(wrapped)

    def run(self, arguments: Sequence[np.ndarray], outer: Context) -> list[np.ndarray]:
        """The outputs of the body for its own inputs, in their order."""
        context: Context = {name: outer[name] for name in self.captured if name in outer}
        context.update(self.plan.constants)
        context.update(zip(self.inputs, arguments, strict=True))
        for step in self.plan.steps:
            step.run(context, self.graph)
        return [context[name] for name in self.outputs]


class ControlFlowStep:
    """One node with bodies."""

    def __init__(self, node: NodeProto, model: ModelWrapper, compile_body: Compile) -> None:
        if node.op_type not in _RUNNERS:
            raise UnsupportedError(
                f"operator {node.op_type} cannot have custom operators in its body",
                where=f"node {describe(node)}",
                remedy=f"use {', '.join(_RUNNERS)}, or standard operators in the body",
            )
        self.node = NodeProto()
        self.node.CopyFrom(node)
        self.inputs = reads(node)
        self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute if not a.HasField("g")}
        self.bodies = {a.name: Body(a.g, model, compile_body) for a in node.attribute if a.HasField("g")}

    def run(self, context: Context, graph: GraphProto) -> None:
        for name, value in zip(self.node.output, _RUNNERS[self.node.op_type](self, context), strict=True):
            if name:
                context[name] = np.asarray(value)


def has_custom_body(node: NodeProto, is_custom_domain: Callable[[str], bool]) -> bool:
    """Whether a body of the node, at any depth, holds a custom operator."""
    inner = (n for body in subgraphs(node) for n in body.node)
    return any(is_custom_domain(n.domain) or has_custom_body(n, is_custom_domain) for n in inner)


def _if(step: ControlFlowStep, context: Context) -> list[np.ndarray]:
    condition = bool(np.asarray(context[step.node.input[0]]).reshape(-1)[0])
    return step.bodies["then_branch" if condition else "else_branch"].run([], context)


def _loop(step: ControlFlowStep, context: Context) -> list[np.ndarray]:
    body = step.bodies["body"]
    limit, condition = (_optional(context, step.node, position) for position in (0, 1))
    state = [context[name] for name in step.node.input[2:]]
    rows: list[list[np.ndarray]] = []
    go_on = condition is None or bool(condition.reshape(-1)[0])
    while go_on and (limit is None or len(rows) < int(limit.reshape(-1)[0])):
        keep, *results = body.run([np.asarray(len(rows), np.int64), np.asarray(True), *state], context)
        state, scanned = results[: len(state)], results[len(state) :]
        rows.append(scanned)
        go_on = bool(np.asarray(keep).reshape(-1)[0])
    return [*state, *_stacked(rows, body, 1 + len(state), [])]


def _scan(step: ControlFlowStep, context: Context) -> list[np.ndarray]:
    body, count = step.bodies["body"], int(step.attributes["num_scan_inputs"])
    values = [context[name] for name in step.node.input]
    state, sequences = values[: len(values) - count], values[len(values) - count :]
    rows: list[list[np.ndarray]] = []
    for elements in _elements(step, sequences):
        results = body.run([*state, *elements], context)
        state, scanned = results[: len(state)], results[len(state) :]
        rows.append(scanned)
    axes = step.attributes.get("scan_output_axes", [])
    stacked = _stacked(rows, body, len(state), axes)
    backwards = step.attributes.get("scan_output_directions", [])
    for i, flag in enumerate(backwards):
        stacked[i] = np.flip(stacked[i], axes[i] if axes else 0) if flag else stacked[i]
    return [*state, *stacked]


def _elements(step: ControlFlowStep, sequences: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """What each iteration of a Scan takes of its sequences."""
    axes = step.attributes.get("scan_input_axes") or [0] * len(sequences)
    backwards = step.attributes.get("scan_input_directions") or [0] * len(sequences)
    lengths = {x.shape[axis] for x, axis in zip(sequences, axes, strict=True)}
    if len(lengths) != 1:
        raise ExecutionError(f"the scanned inputs have lengths {sorted(lengths)}", where=f"node {describe(step.node)}")
    (length,) = lengths
    for i in range(length):
        picks = (length - 1 - i if flag else i for flag in backwards)
        yield [np.take(x, pick, axis) for x, axis, pick in zip(sequences, axes, picks, strict=True)]


def _stacked(rows: list[list[np.ndarray]], body: Body, first: int, axes: Sequence[int]) -> list[np.ndarray]:
    """Scan outputs of all iterations along a new axis; of none, empty arrays of the declared types."""
    if rows:
        columns = zip(*rows, strict=True)
        return [np.stack(column, axes[i] if axes else 0) for i, column in enumerate(columns)]
    return [_empty(body, name) for name in body.outputs[first:]]


def _empty(body: Body, name: str) -> np.ndarray:
    kind: Any = next(value.type.tensor_type for value in body.graph.output if value.name == name)
    shape = [dim.dim_value for dim in kind.shape.dim]
    return np.zeros([0, *shape], helper.tensor_dtype_to_np_dtype(kind.elem_type or 1))


def _optional(context: Context, node: NodeProto, position: int) -> np.ndarray | None:
    name = node.input[position] if position < len(node.input) else ""
    return np.asarray(context[name]) if name else None


_RUNNERS: dict[str, Callable[[ControlFlowStep, Context], list[np.ndarray]]] = {
    "If": _if,
    "Loop": _loop,
    "Scan": _scan,
}
