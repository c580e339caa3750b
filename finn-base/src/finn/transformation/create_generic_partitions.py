"""Partitions of a graph, each as a model in a file of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorAnnotation,
    TensorProto,
    ValueInfoProto,
    helper,
)

from finn.core import tidy
from finn.core.domains import GENERAL
from finn.core.errors import ConfigError, ModelError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, node_levels
from finn.transformation.base import Transformation

_STAYS = -1


class PartitionFromLambda(Transformation):
    """Move nodes into partitions: partitioning(node) is the number of the partition, -1 for a node that stays.

    The nodes of partition i become the model `<partition_dir>/partition_<i>.onnx`, with their constants, annotations
    and metadata, the imports and the functions; a node GenericPartition_<i> takes their place. partition_dir: a new
    folder in FINN_BUILD_DIR, or in the temporary one, if None. A relative one stays relative, to the working directory.

    Results stay the same, but for the last bit of float sums whose weights come from another partition than the sum:
    onnxruntime adds in another order if it does not know them before.

    ModelError if a partition would feed itself, naming the nodes on the way, with nothing changed or written.
    """

    def __init__(
        self,
        partitioning: Callable[[NodeProto], int] = lambda node: _STAYS,
        partition_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.partitioning = partitioning
        self.partition_dir = partition_dir

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        _partition(model, [_number(self.partitioning(node)) for node in model.graph.node], self.partition_dir)
        return model, False


class PartitionFromDict(Transformation):
    """`PartitionFromLambda` from {number of the partition: indices of its nodes in the graph}.

    ConfigError for an index that is not there, or in two partitions.
    """

    def __init__(
        self,
        partitioning: Mapping[int, Iterable[int]] | None = None,
        partition_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.partitioning = {_number(i): list(indices) for i, indices in (partitioning or {}).items()}
        self.partition_dir = partition_dir

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        nodes = model.graph.node
        numbers: dict[int, int] = {}
        for number, indices in self.partitioning.items():
            for index in indices:
                if not 0 <= index < len(nodes):
                    raise ConfigError(
                        f"partition {number} has the node index {index}", remedy=f"use 0 to {len(nodes) - 1}"
                    )
                if numbers.setdefault(index, number) != number:
                    raise ConfigError(
                        f"node {index}, {describe(nodes[index])}, is in partition {numbers[index]} and in {number}"
                    )
        _partition(model, [numbers.get(index, _STAYS) for index in range(len(nodes))], self.partition_dir)
        return model, False


def _number(value: object) -> int:
    if isinstance(value, int | np.integer) and value >= _STAYS:
        return int(value)
    raise ConfigError(f"the partition of a node is {value!r}", remedy="use 0, 1, ..., or -1 for a node that stays")


@dataclass(frozen=True)
class _Part:
    """One partition: its nodes and the names of the tensors that enter and leave it."""

    number: int
    nodes: list[NodeProto]
    inputs: list[str]
    outputs: list[str]


def _partition(model: ModelWrapper, numbers: Sequence[int], folder: str | os.PathLike[str] | None) -> None:
    """Check everything, then write the files, then change the graph."""
    if all(number == _STAYS for number in numbers):
        return
    node_levels(model.graph)  # a cycle of the graph itself
    _refuse_loops(model.graph, numbers)
    with model.trusted_index():
        parts = _parts(model, numbers)
        lookup = _Lookup(model)
        submodels = [lookup.submodel(part) for part in parts]
        names = _write(parts, submodels, folder)
        _replace(model, numbers, parts, names)


# ---------------------------------------------------------------------------------------------------------- checking


def _refuse_loops(graph: GraphProto, numbers: Sequence[int]) -> None:
    """ModelError if the graph has a cycle when every partition is one node."""
    group = [("partition", n) if n != _STAYS else ("node", i) for i, n in enumerate(numbers)]
    writer = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    edges: dict[tuple[str, int], dict[tuple[str, int], tuple[int, int]]] = {g: {} for g in group}
    for i, node in enumerate(graph.node):
        for name in reads(node):
            source = writer.get(name)
            if source is not None and group[source] != group[i]:
                edges[group[source]].setdefault(group[i], (source, i))
    waiting = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for target in targets:
            waiting[target] += 1
    ready = [g for g, count in waiting.items() if not count]
    for g in ready:
        for target in edges[g]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    stuck = {g for g, count in waiting.items() if count}
    if stuck:
        _raise_loop(graph, numbers, {g: {t: e for t, e in edges[g].items() if t in stuck} for g in stuck})


def _raise_loop(
    graph: GraphProto,
    numbers: Sequence[int],
    edges: Mapping[tuple[str, int], Mapping[tuple[str, int], tuple[int, int]]],
) -> None:
    """Walk against the edges, which all groups that wait allow, until a group comes again."""
    before = {target: source for source in sorted(edges) for target in edges[source]}
    walk = [min(edges)]
    while before[walk[-1]] not in walk:
        walk.append(before[walk[-1]])
    loop = walk[walk.index(before[walk[-1]]) :][::-1]
    start = loop.index(min(g for g in loop if g[0] == "partition"))
    loop = loop[start:] + loop[:start]
    steps: list[int] = []
    for source, target in zip(loop, [*loop[1:], loop[0]], strict=True):
        steps += [i for i in edges[source][target] if i not in steps[-1:]]
    way = " -> ".join(f"{describe(graph.node[i])} ({_home(numbers[i])})" for i in steps)
    raise ModelError(
        f"partition {loop[0][1]} would feed itself",
        why=way,
        remedy="put the nodes on the way into the partition, or cut it in two",
    )


def _home(number: int) -> str:
    return "no partition" if number == _STAYS else f"partition {number}"


# ----------------------------------------------------------------------------------------------------------- cutting


def _parts(model: ModelWrapper, numbers: Sequence[int]) -> list[_Part]:
    members: dict[int, list[NodeProto]] = {}
    readers: dict[str, set[int]] = {}
    for node, number in zip(model.graph.node, numbers, strict=True):
        members.setdefault(number, []).append(node)
        for name in reads(node):
            readers.setdefault(name, set()).add(number)
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    parts = []
    for number in sorted(members.keys() - {_STAYS}):
        nodes = members[number]
        made = list(dict.fromkeys(name for node in nodes for name in node.output if name))
        own = {*made, *constants}
        inputs = list(dict.fromkeys(name for node in nodes for name in reads(node) if name not in own))
        leaving = [n for n in made if readers.get(n, set()) - {number} or model.is_graph_output(n)]
        # What nothing reads is kept, if it is all that there is: a node has to have an output.
        parts.append(_Part(number, nodes, inputs, leaving or [n for n in made if n not in readers]))
    return parts


class _Lookup:
    """The entries of a graph by name."""

    def __init__(self, model: ModelWrapper) -> None:
        graph = model.graph
        self.model = model
        values = (*graph.output, *graph.input, *graph.value_info)
        self.values: dict[str, ValueInfoProto] = {value.name: value for value in values}
        self.tensors: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self.sparse: dict[str, SparseTensorProto] = {s.values.name: s for s in graph.sparse_initializer}
        self.annotations: dict[str, list[TensorAnnotation]] = {}
        for annotation in graph.quantization_annotation:
            self.annotations.setdefault(annotation.tensor_name, []).append(annotation)

    def submodel(self, part: _Part) -> ModelWrapper:
        proto = ModelProto(ir_version=self.model.model.ir_version)
        for field in ("opset_import", "functions", "metadata_props"):
            getattr(proto, field).extend(getattr(self.model.model, field))
        graph = proto.graph
        graph.name = f"partition_{part.number}"
        graph.metadata_props.extend(self.model.graph.metadata_props)
        graph.node.extend(part.nodes)
        used = [*part.inputs, *(name for node in part.nodes for name in (*reads(node), *node.output) if name)]
        names = list(dict.fromkeys(used))
        graph.input.extend(self._value(name) for name in part.inputs)
        graph.output.extend(self._value(name) for name in part.outputs)
        ports = {*part.inputs, *part.outputs}
        graph.value_info.extend(self.values[name] for name in names if name in self.values and name not in ports)
        graph.initializer.extend(self.tensors[name] for name in names if name in self.tensors)
        graph.sparse_initializer.extend(self.sparse[name] for name in names if name in self.sparse)
        graph.quantization_annotation.extend(entry for name in names for entry in self.annotations.get(name, ()))
        return ModelWrapper(proto)

    def _value(self, name: str) -> ValueInfoProto:
        return self.values.get(name) or ValueInfoProto(name=name)


# --------------------------------------------------------------------------------------------------------- replacing


def _write(
    parts: Sequence[_Part], submodels: Sequence[ModelWrapper], folder: str | os.PathLike[str] | None
) -> list[str]:
    """Returns the file names; if one cannot be written, none is left."""
    try:
        if folder is None:
            home = os.environ.get("FINN_BUILD_DIR") or tempfile.gettempdir()
            os.makedirs(home, exist_ok=True)
            folder = tempfile.mkdtemp(prefix="partitioning_", dir=home)
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ConfigError("there can be no folder for the partitions", where=str(folder), why=str(error)) from error
    names = [os.path.join(folder, f"partition_{part.number}.onnx") for part in parts]
    for i, (name, submodel) in enumerate(zip(names, submodels, strict=True)):
        try:
            submodel.save(name)
        except ModelError:
            for written in names[:i]:
                Path(written).unlink(missing_ok=True)
            raise
    return names


def _replace(model: ModelWrapper, numbers: Sequence[int], parts: Sequence[_Part], names: Sequence[str]) -> None:
    """Put each partition's node where its first node is, then sort."""
    stand_in = {
        part.number: helper.make_node(
            "GenericPartition", part.inputs, part.outputs, f"GenericPartition_{part.number}", domain=GENERAL, model=name
        )
        for part, name in zip(parts, names, strict=True)
    }
    graph = model.graph
    nodes = []
    for node, number in zip(list(graph.node), numbers, strict=True):
        if number == _STAYS:
            nodes.append(node)
        elif number in stand_in:
            nodes.append(stand_in.pop(number))
    replace_nodes(model, nodes)
    if GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
    tidy.remove_unused_tensors(model)


def replace_nodes(model: ModelWrapper, nodes: Sequence[NodeProto]) -> None:
    """Let `nodes`, some of them in the graph already, be all nodes of the graph, sorted by level."""
    graph = GraphProto()
    graph.node.extend(nodes)
    levels = node_levels(graph)
    order = sorted(range(len(nodes)), key=lambda i: levels[i])
    del model.graph.node[:]
    model.graph.node.extend(graph.node[i] for i in order)
    model.nodes_were_reordered()
