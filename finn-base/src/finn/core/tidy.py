"""Structural clean-up of a graph, in place. Each function returns whether it changed something.

`ModelWrapper.cleanup` runs them; `finn.transformation.general` offers them as transformations.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto

from finn.core.errors import ExecutionError, FinnError, ModelError
from finn.core.index import captured, reads, subgraphs

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

COMMUTATIVE = frozenset({"Add", "Mul", "And", "Or", "Xor", "Sum"})


def remove_unused_tensors(model: ModelWrapper) -> bool:
    """Remove constants, shapes and annotations of tensors that nothing reads or writes.

    What subgraphs capture and what the graph returns is in use.
    """
    graph = model.graph
    used = {name for node in graph.node for name in (*reads(node), *node.output)}
    used |= {value.name for value in graph.output}
    dynamic = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    known = [tensor.name for tensor in graph.initializer] + [info.name for info in graph.value_info]
    known += [entry.tensor_name for entry in graph.quantization_annotation]
    unused = [name for name in dict.fromkeys(known) if name not in used and name not in dynamic]
    if unused:
        model.remove_tensors(unused)
    return bool(unused)


def remove_static_graph_inputs(model: ModelWrapper) -> bool:
    """Graph inputs that are constants (as files before IR version 4 list them) become inner values."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    static = [value for value in graph.input if value.name in constants]
    if not static:
        return False
    graph.value_info.extend(static)
    kept = [value for value in graph.input if value.name not in constants]
    del graph.input[:]
    graph.input.extend(kept)
    return True


def node_levels(graph: GraphProto) -> list[int]:
    """The longest distance of each node from a source. ModelError names the nodes of a cycle."""
    writer = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    parents = [sorted({writer[name] for name in reads(node) if name in writer}) for node in graph.node]
    children: list[list[int]] = [[] for _ in parents]
    for child, above in enumerate(parents):
        for parent in above:
            children[parent].append(child)
    waiting = [len(above) for above in parents]
    levels = [0] * len(parents)
    ready = [i for i, count in enumerate(waiting) if not count]
    for i in ready:
        for child in children[i]:
            levels[child] = max(levels[child], levels[i] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(ready) < len(parents):
        cycle = [describe(graph.node[i]) for i, count in enumerate(waiting) if count]
        raise ModelError(f"the graph has a cycle through or before {', '.join(cycle[:6])}")
    return levels


def sort_graph(model: ModelWrapper) -> bool:
    """Sort the nodes by level (longest distance from a source), within a level by their old order.

    Source nodes that feed nothing are dropped.
    """
    graph = model.graph
    levels = node_levels(graph)
    before = list(graph.node)
    level_of = {id(node): level for node, level in zip(before, levels, strict=True)}
    if levels != sorted(levels):
        graph.node.sort(key=lambda node: level_of[id(node)])
        model.nodes_were_reordered()
    dead = [node for node in before if not reads(node) and not _feeds_something(model, node)]
    for node in dead:
        model.remove_node(node)
    return bool(dead) or levels != sorted(levels)


def _feeds_something(model: ModelWrapper, node: NodeProto) -> bool:
    return any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output)


def sort_commutative_inputs(model: ModelWrapper) -> bool:
    """Computed inputs first, constants last, in nodes where the order does not matter."""
    changed = False
    for node in model.graph.node:
        if node.op_type in COMMUTATIVE and not node.domain:
            order = sorted(node.input, key=model.has_initializer)
            for position, name in enumerate(order):
                if node.input[position] != name:
                    model.set_node_input(node, position, name)
                    changed = True
    return changed


def give_unique_parameter_tensors(model: ModelWrapper) -> bool:
    """Every use of a constant by a node gets its own copy, annotations included, if there are several uses."""
    copies: dict[str, int] = {}
    changed = False
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if not name or not model.has_initializer(name):
                continue
            if name in copies or model.is_graph_output(name):
                number = copies.get(name, 0)
                wish = f"{name}_copy_{number}" if number else f"{name}_copy"  # where unique_tensor_name would get to
                copy_name = model.unique_tensor_name(wish)
                value = model.get_initializer(name)
                model.set_initializer(copy_name, np.asarray(value))
                model.copy_annotations(name, copy_name)
                model.set_node_input(node, position, copy_name)
                copies[name] = number + 1
                changed = True
            copies.setdefault(name, 0)
    return changed


def float64_to_float32(model: ModelWrapper) -> bool:
    """Constants of type float64 become float32."""
    doubles = [t.name for t in model.graph.initializer if t.data_type == TensorProto.DOUBLE]
    for name in doubles:
        model.set_initializer(name, np.asarray(model.get_initializer(name), np.float32))
    return bool(doubles)


def rename_in_graph(graph: GraphProto, mapping: Mapping[str, str], taken: Iterable[str] = ()) -> None:
    """Rename tensors everywhere in `graph` and in what the subgraphs of its nodes capture.

    A tensor of a subgraph that would hide one of the new names, or one of `taken`, gets another name.
    """
    _rename(graph, mapping, {*mapping.values(), *taken})


def rename_captured(node: NodeProto, mapping: Mapping[str, str]) -> None:
    """Rename what the subgraphs of `node` read from the graph around it."""
    for body in subgraphs(node):
        _rename_in_body(body, mapping, set(mapping.values()))


def _rename(graph: GraphProto, mapping: Mapping[str, str], new: set[str]) -> None:
    for node in graph.node:
        _rename_list(node.input, mapping)
        _rename_list(node.output, mapping)
        for body in subgraphs(node):
            _rename_in_body(body, mapping, new)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = mapping.get(value.name, value.name)
    for tensor in graph.initializer:
        tensor.name = mapping.get(tensor.name, tensor.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = mapping.get(sparse.values.name, sparse.values.name)
    for annotation in graph.quantization_annotation:
        annotation.tensor_name = mapping.get(annotation.tensor_name, annotation.tensor_name)


def _rename_in_body(body: GraphProto, mapping: Mapping[str, str], new: set[str]) -> None:
    outer = captured(body)
    inner = {name: mapping[name] for name in outer if name in mapping}
    own = _owned(body)
    used = {*own, *outer, *new}
    for name in own:
        if name in new:
            inner[name] = fresh_name(name, used)
            used.add(inner[name])
    _rename(body, inner, new)


def _owned(body: GraphProto) -> list[str]:
    """Names that `body` gives itself."""
    names = [value.name for value in body.input] + [tensor.name for tensor in body.initializer]
    return list(dict.fromkeys(names + [name for node in body.node for name in node.output if name]))


def fresh_name(wish: str, used: Container[str]) -> str:
    """`wish` if it is not used, else `wish` with the first number that makes it new."""
    name, number = wish, 0
    while name in used:
        number += 1
        name = f"{wish}_{number}"
    return name


def _rename_list(names: Iterable[str], mapping: Mapping[str, str]) -> None:
    for i, name in enumerate(list(names)):
        if name in mapping:
            names[i] = mapping[name]  # type: ignore[index]  # a repeated protobuf field


def describe(node: NodeProto) -> str:
    """How messages name a node: its name and op type, or its output if it has no name."""
    if node.name:
        return f"{node.op_type} '{node.name}'"
    return f"{node.op_type} that makes '{node.output[0] if len(node.output) else ''}'"


@contextmanager
def blaming(node: NodeProto, doing: str) -> Iterator[None]:
    """Errors within name `node`; those of the operator's code become an ExecutionError "cannot be <doing>"."""
    where = f"node {describe(node)}"
    try:
        yield
    except FinnError as error:
        error.where = error.where or where
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise ExecutionError(f"cannot be {doing}: {type(error).__name__}", where=where, why=str(error)) from error
