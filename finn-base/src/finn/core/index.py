"""Look-up tables over a GraphProto: by tensor name, in constant time.

The tables belong to a `ModelWrapper`. Other code may edit the GraphProto directly, at any time, so every look-up first
checks that its answer still describes the graph. What was found is checked alone: it has to be where it was, under the
same name. That something is absent, or that a list of readers is complete, needs a walk over identities and hashes of
all entries, at the speed of C loops (0.2 us per node). Code that edits only through the wrapper saves all these checks
with `ModelWrapper.trusted_index()`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from onnx import AttributeProto, GraphProto, NodeProto

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Repeated(Protocol[T_co]):
    """What the tables need of a repeated protobuf field."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T_co]: ...
    def __getitem__(self, index: int) -> T_co: ...
    def __delitem__(self, index: int) -> None: ...
    def add(self) -> T_co: ...


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The bodies of control flow operators such as If and Loop."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def reads(node: NodeProto) -> list[str]:
    """Every tensor that `node` reads: its inputs in order, then what its subgraphs capture, each once."""
    inputs = [name for name in node.input if name]
    for body in subgraphs(node):
        inputs += [name for name in captured(body) if name not in inputs]
    return inputs


def captured(body: GraphProto) -> list[str]:
    """Names that the nodes and outputs of `body` read from the graphs around it."""
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {name for node in body.node for name in node.output}
    wanted = [name for node in body.node for name in reads(node)] + [value.name for value in body.output]
    return list(dict.fromkeys(name for name in wanted if name not in own))


class Table(Generic[T]):
    """Entries of one repeated field by name."""

    def __init__(self, container: Callable[[], Repeated[T]], key: Callable[[T], str]) -> None:
        self._container, self._key = container, key
        self._entries: list[T] = []
        self._names: list[str] = []
        self._by_name: dict[str, T] = {}
        self._place: dict[str, int] = {}  # empty: to be made again

    def _rebuild(self) -> None:
        self._entries = list(self._container())
        self._names = list(map(self._key, self._entries))
        self._by_name = dict(zip(reversed(self._names), reversed(self._entries), strict=True))
        self._place = {}

    def refresh(self, trust: bool) -> None:
        """Make the table describe the graph; `trust` says that only appends and deletions have to be noticed."""
        container = self._container()
        same = len(container) == len(self._entries)
        if same and not trust:
            same = all(map(operator.is_, container, self._entries)) and list(map(self._key, container)) == self._names
        if not same:
            self._rebuild()

    def get(self, name: str, trust: bool) -> T | None:
        """The first entry of this name, or None."""
        if trust or not self._still_there(name):
            self.refresh(trust)
        return self._by_name.get(name)

    def _still_there(self, name: str) -> bool:
        """Whether the graph holds the known entry of this name where it was."""
        entry, container = self._by_name.get(name), self._container()
        if entry is None or len(container) != len(self._entries):
            return False
        if not self._place:
            self._place = {n: len(self._names) - 1 - i for i, n in enumerate(reversed(self._names))}
        return container[self._place[name]] is entry and self._key(entry) == name

    def names(self, trust: bool) -> list[str]:
        """All names, in the order of the graph."""
        self.refresh(trust)
        return list(self._names)

    def add(self, name: str) -> T:
        """A new entry at the end; the caller gives it that name."""
        self.refresh(trust=True)
        entry = self._container().add()
        if self._place:
            self._place.setdefault(name, len(self._entries))
        self._entries.append(entry)
        self._names.append(name)
        self._by_name.setdefault(name, entry)
        return entry

    def remove(self, names: Iterable[str], trust: bool) -> None:
        """Remove every entry that has one of these names."""
        self.refresh(trust)
        container = self._container()
        for name in names:
            while name in self._by_name:
                position = self._names.index(name)
                del container[position], self._entries[position], self._names[position]
                self._place = {}
                if name not in self._names:
                    del self._by_name[name]


class Links:
    """Producer and consumers of every tensor."""

    def __init__(self, graph: Callable[[], GraphProto]) -> None:
        self._graph = graph
        self._nodes: list[NodeProto] = []
        self._wiring: list[tuple[list[str], list[str]]] = []
        self._signatures: list[int] = []
        self._place: dict[int, int] = {}  # empty: to be made again
        self._producers: dict[str, NodeProto] = {}
        self._consumers: dict[str, list[NodeProto]] = {}

    def forget(self) -> None:
        """Read the graph again at the next look-up."""
        self._nodes = []

    def refresh(self, trust: bool) -> None:
        """Make the tables describe the graph; `trust` as for `Table.refresh`."""
        nodes = self._graph().node
        same = len(nodes) == len(self._nodes)
        if same and not trust:
            same = all(map(operator.is_, nodes, self._nodes)) and self._wires_are_the_same()
        if not same:
            self._rebuild()

    def _wires_are_the_same(self) -> bool:
        """Hashing the serialized nodes is ten times faster than reading the names of their tensors."""
        now = self._sign(self._nodes)
        if now != self._signatures:
            changed = [i for i, (new, old) in enumerate(zip(now, self._signatures, strict=True)) if new != old]
            if any(self._wires([self._nodes[i]])[0] != self._wiring[i] for i in changed):
                return False
            self._signatures = now  # attributes or names of nodes are other, the wires are not
        return True

    @staticmethod
    def _sign(nodes: Iterable[NodeProto]) -> list[int]:
        return list(map(hash, map(NodeProto.SerializePartialToString, nodes)))

    @staticmethod
    def _wires(nodes: Iterable[NodeProto]) -> list[tuple[list[str], list[str]]]:
        return [(reads(node) if len(node.attribute) else list(node.input), list(node.output)) for node in nodes]

    def _rebuild(self) -> None:
        self._nodes = list(self._graph().node)
        self._wiring = self._wires(self._nodes)
        self._signatures = self._sign(self._nodes)
        self._place = {}
        self._producers, self._consumers = {}, {}
        for node, (inputs, outputs) in zip(self._nodes, self._wiring, strict=True):
            for name in outputs:
                if name:
                    self._producers.setdefault(name, node)
            for name in inputs:
                if name:
                    self._consumers.setdefault(name, []).append(node)

    def producer(self, tensor: str, trust: bool) -> NodeProto | None:
        """The node that writes `tensor`, or None."""
        if trust or not self._still_made(tensor):
            self.refresh(trust)
        return self._producers.get(tensor)

    def _still_made(self, tensor: str) -> bool:
        """Whether the known producer of `tensor` is in the graph where it was, and still writes it."""
        nodes, node = self._graph().node, self._producers.get(tensor)
        if node is None or len(nodes) != len(self._nodes):
            return False
        if not self._place:
            self._place = {id(n): i for i, n in enumerate(self._nodes)}
        return nodes[self._place[id(node)]] is node and tensor in node.output

    def consumers(self, tensor: str, trust: bool) -> list[NodeProto]:
        """The readers of `tensor` in the order of the graph, once per use."""
        self.refresh(trust)
        return list(self._consumers.get(tensor, ()))

    def tensors(self, trust: bool) -> list[str]:
        """Every tensor that a node reads or writes."""
        self.refresh(trust)
        return [*self._consumers, *self._producers]

    # Edits: the graph and the tables change together.

    def insert(self, index: int, node: NodeProto) -> NodeProto:
        """Copy `node` into the graph at `index`; returns the copy, which is the one in the graph."""
        self.refresh(trust=True)
        nodes = self._graph().node
        nodes.insert(index, node)
        new = nodes[index]
        wires = self._wires([new])[0]
        self._nodes.insert(index, new)
        self._place = {}
        self._wiring.insert(index, wires)
        self._signatures.insert(index, self._sign([new])[0])
        for name in filter(None, wires[1]):
            self._producers.setdefault(name, new)
        for name in filter(None, wires[0]):
            self._add_reader(name, new)
        return new

    def remove(self, node: NodeProto) -> None:
        """Take this very node out of the graph."""
        self.refresh(trust=True)
        index = self.position(node)
        inputs, outputs = self._wiring[index]
        for name in outputs:
            if self._producers.get(name) is node:
                del self._producers[name]
        for name in filter(None, inputs):
            self._drop_reader(name, node)
        del self._graph().node[index], self._nodes[index], self._wiring[index], self._signatures[index]
        self._place = {}

    def set_input(self, node: NodeProto, position: int, tensor: str) -> None:
        """Let `node` read `tensor` at `position`."""
        self.refresh(trust=True)
        index = self.position(node)
        for name in filter(None, self._wiring[index][0]):
            self._drop_reader(name, node)
        node.input[position] = tensor
        self._note(index, node)
        for name in filter(None, self._wiring[index][0]):
            self._add_reader(name, node)

    def set_output(self, node: NodeProto, position: int, tensor: str) -> None:
        """Let `node` write `tensor` at `position`."""
        self.refresh(trust=True)
        index = self.position(node)
        if self._producers.get(node.output[position]) is node:
            del self._producers[node.output[position]]
        node.output[position] = tensor
        self._note(index, node)
        self._producers[tensor] = node

    def _note(self, index: int, node: NodeProto) -> None:
        self._wiring[index] = self._wires([node])[0]
        self._signatures[index] = self._sign([node])[0]

    def position(self, node: NodeProto) -> int:
        """The index of this very node. ValueError if it is not in the graph."""
        for index, other in enumerate(self._nodes):
            if other is node:
                return index
        raise ValueError(f"node '{node.name}' ({node.op_type}) is not in this graph")

    def _add_reader(self, tensor: str, node: NodeProto) -> None:
        readers = self._consumers.setdefault(tensor, [])
        readers.append(node)
        if len(readers) > 1:
            place = {id(n): i for i, n in enumerate(self._nodes)}
            readers.sort(key=lambda reader: place[id(reader)])

    def _drop_reader(self, tensor: str, node: NodeProto) -> None:
        readers = self._consumers.get(tensor, [])
        for i, reader in enumerate(readers):
            if reader is node:
                del readers[i]
                break
        if not readers:
            self._consumers.pop(tensor, None)
