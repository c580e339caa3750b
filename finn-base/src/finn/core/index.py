"""Look-up tables over a GraphProto: by tensor name, in constant time.

The tables belong to a `ModelWrapper`. Other code may edit the GraphProto directly, at any time, so every look-up first
checks that its answer still describes the graph. What was found is checked alone: it has to be where it was, under the
same name. That something is absent, or that a list of readers is complete, needs a walk over the identities and tensor
names of all nodes, at the speed of C loops (0.4 us per node). Code that edits only through the wrapper saves all these
checks with `ModelWrapper.trusted_index()`.
"""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

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


def has_bodies(node: NodeProto) -> bool:
    """Whether the node has subgraphs."""
    return any(attribute.type in _BODIES for attribute in node.attribute)


_BODIES = frozenset({AttributeProto.GRAPH, AttributeProto.GRAPHS})


def reads(node: NodeProto) -> list[str]:
    """Every tensor that `node` reads: its inputs in order, then what its subgraphs capture, each once."""
    inputs = [name for name in node.input if name]
    if not has_bodies(node):
        return inputs
    for body in subgraphs(node):
        inputs += [name for name in captured(body) if name not in inputs]
    return inputs


def captured(body: GraphProto) -> list[str]:
    """Names that the nodes and outputs of `body` read from the graphs around it."""
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {name for node in body.node for name in node.output}
    wanted = [name for node in body.node for name in reads(node)] + [value.name for value in body.output]
    return list(dict.fromkeys(name for name in wanted if name not in own))


class Places:
    """Where the entries of a list are, while it grows and shrinks.

    An entry is looked for near where it was when the places were noted, moved as far as the entry found last: edits
    that walk through a graph find their entries at once, wherever they insert and remove. When all searches together
    have cost as much as to note the places again, that is done.
    """

    def __init__(self) -> None:
        self._noted: dict[int, int] = {}
        self._drift = 0
        self._spent = 0

    def forget(self) -> None:
        """Note the places again at the next search."""
        self._noted = {}

    def note(self, entry: object, index: int) -> None:
        """Remember where a new entry is."""
        self._noted[id(entry)] = index - self._drift

    def of(self, entry: object, entries: Sequence[object]) -> int | None:
        """The index of this very entry (not of an equal one) in `entries`, or None."""
        if id(entry) not in self._noted or self._spent > len(entries):
            self._noted = {id(e): i for i, e in enumerate(entries)}
            self._drift = self._spent = 0
        noted = self._noted.get(id(entry))
        if noted is None:
            return None
        start = min(max(noted + self._drift, 0), len(entries))
        for index in _outwards(start, len(entries)):
            if entries[index] is entry:
                self._drift = index - noted
                self._spent += abs(index - start)
                return index
        return None


def _outwards(start: int, stop: int) -> Iterator[int]:
    """The indices below `stop`, nearest to `start` first."""
    for offset in range(max(start, stop - start) + 1):
        if start + offset < stop:
            yield start + offset
        if offset and offset <= start:
            yield start - offset


class Table(Generic[T]):
    """Entries of one repeated field by name."""

    def __init__(self, container: Callable[[], Repeated[T]], key: Callable[[T], str]) -> None:
        self._container, self._key = container, key
        self._entries: list[T] = []
        self._names: list[str] = []
        self._by_name: dict[str, T] = {}
        self._places = Places()

    def _rebuild(self) -> None:
        entries = list(self._container())
        names = list(map(self._key, entries))
        by_name = dict(zip(reversed(names), reversed(entries), strict=True))
        self._places.forget()
        self._by_name, self._names, self._entries = by_name, names, entries  # at once: other threads may be reading

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
        if trust:
            if len(self._container()) != len(self._entries):
                self._rebuild()
        elif not self._still_there(name):
            self.refresh(trust)
        return self._by_name.get(name)

    def _still_there(self, name: str) -> bool:
        """Whether the graph holds the known entry of this name where it was."""
        entry, container = self._by_name.get(name), self._container()
        if entry is None or len(container) != len(self._entries):
            return False
        place = self._places.of(entry, self._entries)
        return place is not None and container[place] is entry and self._key(entry) == name

    def names(self, trust: bool) -> list[str]:
        """All names, in the order of the graph."""
        self.refresh(trust)
        return list(self._names)

    def add(self, name: str) -> T:
        """A new entry at the end; the caller gives it that name."""
        self.refresh(trust=True)
        entry = self._container().add()
        self._places.note(entry, len(self._entries))
        self._entries.append(entry)
        self._names.append(name)
        self._by_name.setdefault(name, entry)
        return entry

    def remove(self, names: Iterable[str], trust: bool) -> None:
        """Remove every entry that has one of these names."""
        self.refresh(trust)
        unique = len(self._by_name) == len(self._entries)
        for name in names:
            while (entry := self._by_name.pop(name, None)) is not None:
                place = self._places.of(entry, self._entries)
                if place is not None:
                    del self._container()[place], self._entries[place], self._names[place]
                if not unique and name in self._names:
                    self._by_name[name] = self._entries[self._names.index(name)]


class Wires(NamedTuple):
    """What a node reads and writes. reads: `reads(node)`, with what bodies of control flow capture."""

    inputs: list[str]
    outputs: list[str]
    reads: list[str]
    has_body: bool

    @classmethod
    def of(cls, node: NodeProto) -> Wires:
        inputs = list(node.input)
        has_body = has_bodies(node)
        wanted = reads(node) if has_body else [name for name in inputs if name]
        return cls(inputs, list(node.output), wanted, has_body)


class Links:
    """Producer and consumers of every tensor."""

    def __init__(self, graph: Callable[[], GraphProto]) -> None:
        self._graph = graph
        self._nodes: list[NodeProto] = []
        self._inputs: list[Iterable[str]] = []  # the containers themselves: comparing them is the cheapest check
        self._outputs: list[Iterable[str]] = []
        self._wiring: list[Wires] = []
        self._places = Places()
        self._producers: dict[str, NodeProto] = {}
        self._consumers: dict[str, list[NodeProto]] = {}

    def forget(self) -> None:
        """Read the graph again at the next look-up."""
        self._nodes = []

    def refresh(self, trust: bool) -> None:
        """Make the tables describe the graph; `trust` as for `Table.refresh`."""
        if not self._same_nodes(trust) or not (trust or (self._same_inputs() and self._same_outputs())):
            self._rebuild()

    def _same_nodes(self, trust: bool) -> bool:
        nodes = self._graph().node
        return len(nodes) == len(self._nodes) and (trust or all(map(operator.is_, nodes, self._nodes)))

    def _same_inputs(self) -> bool:
        same = self._inputs == [wires.inputs for wires in self._wiring]
        return same and all(reads(n) == w.reads for n, w in zip(self._nodes, self._wiring, strict=True) if w.has_body)

    def _same_outputs(self) -> bool:
        return self._outputs == [wires.outputs for wires in self._wiring]

    def _rebuild(self) -> None:
        nodes = list(self._graph().node)
        wiring = list(map(Wires.of, nodes))
        producers: dict[str, NodeProto] = {}
        consumers: dict[str, list[NodeProto]] = {}
        for node, wires in zip(nodes, wiring, strict=True):
            for name in wires.outputs:
                if name:
                    producers.setdefault(name, node)
            for name in wires.reads:
                consumers.setdefault(name, []).append(node)
        self._places.forget()
        self._producers, self._consumers, self._wiring = producers, consumers, wiring
        self._inputs, self._outputs = [node.input for node in nodes], [node.output for node in nodes]
        self._nodes = nodes  # last: another thread that finds it up to date may read the rest

    def producer(self, tensor: str, trust: bool) -> NodeProto | None:
        """The node that writes `tensor`, or None."""
        if not self._same_nodes(trust) or not (trust or self._same_outputs()):
            self._rebuild()
        return self._producers.get(tensor)

    def still_made(self, tensor: str) -> NodeProto | None:
        """The known producer of `tensor` if it is in the graph where it was, and still writes it."""
        node = self._producers.get(tensor)
        return node if node is not None and self.place(node) is not None and tensor in node.output else None

    def place(self, node: NodeProto) -> int | None:
        """The index of this very node if it is in the graph where it was known to be."""
        nodes = self._graph().node
        place = self._places.of(node, self._nodes) if len(nodes) == len(self._nodes) else None
        return place if place is not None and nodes[place] is node else None

    def consumers(self, tensor: str, trust: bool) -> list[NodeProto]:
        """The readers of `tensor` in the order of the graph, once per use."""
        if not self._same_nodes(trust) or not (trust or self._same_inputs()):
            self._rebuild()
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
        wires = Wires.of(new)
        self._nodes.insert(index, new)
        self._places.note(new, index)
        self._inputs.insert(index, new.input)
        self._outputs.insert(index, new.output)
        self._wiring.insert(index, wires)
        for name in filter(None, wires.outputs):
            self._producers.setdefault(name, new)
        for name in wires.reads:
            self._add_reader(name, new)
        return new

    def remove(self, node: NodeProto) -> None:
        """Take this very node out of the graph."""
        self.refresh(trust=True)
        index = self.position(node)
        wires = self._wiring[index]
        for name in wires.outputs:
            if self._producers.get(name) is node:
                del self._producers[name]
        for name in wires.reads:
            self._drop_reader(name, node)
        del self._graph().node[index], self._nodes[index], self._wiring[index]
        del self._inputs[index], self._outputs[index]

    def set_input(self, node: NodeProto, position: int, tensor: str) -> None:
        """Let `node` read `tensor` at `position`."""
        self.refresh(trust=True)
        index = self.position(node)
        for name in self._wiring[index].reads:
            self._drop_reader(name, node)
        node.input[position] = tensor
        self._wiring[index] = Wires.of(node)
        for name in self._wiring[index].reads:
            self._add_reader(name, node)

    def set_output(self, node: NodeProto, position: int, tensor: str) -> None:
        """Let `node` write `tensor` at `position`."""
        self.refresh(trust=True)
        index = self.position(node)
        if self._producers.get(node.output[position]) is node:
            del self._producers[node.output[position]]
        node.output[position] = tensor
        self._wiring[index] = Wires.of(node)
        self._producers[tensor] = node

    def position(self, node: NodeProto) -> int:
        """The index of this very node. ValueError if it is not in the graph."""
        index = self._places.of(node, self._nodes)
        if index is None:
            raise ValueError(f"node '{node.name}' ({node.op_type}) is not in this graph")
        return index

    def _add_reader(self, tensor: str, node: NodeProto) -> None:
        bisect.insort(self._consumers.setdefault(tensor, []), node, key=self.position)

    def _drop_reader(self, tensor: str, node: NodeProto) -> None:
        readers = self._consumers.get(tensor, [])
        for i, reader in enumerate(readers):
            if reader is node:
                del readers[i]
                break
        if not readers:
            self._consumers.pop(tensor, None)
