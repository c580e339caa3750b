"""The cheapest legal folding of a whole graph: layers and the width converters between them, exactly.

Variables are streams: at each end of an edge, in which form it is sent. A layer costs what its cheapest candidate with
these streams costs; an edge costs its converter, and is illegal if none converts one form into the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import lcm, prod

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow.candidates import KINDS, BoolArray, Candidates, FloatArray, Prices, counts, resources_of
from finn.dataflow.elimination import CostGraph
from finn.dataflow.graph import DataflowError, Instance
from finn.dataflow.layer import IntArray, Layer, Resources, Stream
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter, meeting

MVAU_WWIDTH_MAX = 36
STREAM_WIDTH_MAX = 8191
"""Bits; FINN has the same limits."""

MOST_CELLS = 1 << 12
"""Of the table of a layer's costs by its streams; a layer with more has one variable for all its streams."""


@dataclass(frozen=True)
class Limits:
    """Kept where they can be. mvau_wwidth_max : bits of parameters that one output reads per cycle.

    stream_width_max : bits of a beat between layers, and at the ends.
    """

    mvau_wwidth_max: int = MVAU_WWIDTH_MAX
    stream_width_max: int = STREAM_WIDTH_MAX


@dataclass(frozen=True)
class Solution:
    """layers : by name. converters : how many between them. cost : at the prices. exact : nothing is cheaper.

    by_layer : (layers, KINDS), without converters; used : KINDS, with them. values : of the problem's variables.
    """

    layers: Mapping[str, Layer]
    by_layer: FloatArray
    used: FloatArray
    converters: int
    cost: float
    exact: bool
    values: tuple[int, ...]

    @property
    def resources(self) -> Resources:
        return resources_of(self.used)

    @property
    def cycles(self) -> int:
        return max(layer.cycles for layer in self.layers.values())


@dataclass(frozen=True)
class _Place:
    """A layer in the problem. variables : the first and how many; flat : the cell of each candidate in their table."""

    name: str
    candidates: Candidates
    variables: tuple[int, ...]
    shape: tuple[int, ...]
    flat: IntArray


@dataclass(frozen=True)
class _End:
    """A stream at one end of an edge: its forms, and which of them goes with each value of the variable."""

    place: int
    variable: int
    forms: tuple[Stream, ...]
    form: IntArray


@dataclass(frozen=True)
class _Edge:
    """places : which layers it joins. used : (values of one variable, of the other, KINDS); inf if illegal."""

    places: tuple[int, int]
    variables: tuple[int, int]
    used: FloatArray
    converts: BoolArray


class FoldingProblem:
    """The foldings of the layers of a graph, in topological order, on `part`. folds : else only memories are chosen.

    Raises DataflowError if some stream has no form that both its ends accept.
    """

    def __init__(
        self, placed: Sequence[Instance], part: str | None = None, limits: Limits | None = None, folds: bool = True
    ) -> None:
        self.limits = limits or Limits()
        self._part = part
        self._places: list[_Place] = []
        self._sizes: list[int] = []
        self._edges: list[_Edge] = []
        read = {t for i in placed for t in i.inputs}
        ends: dict[str, _End] = {}
        for i in placed:
            candidates = Candidates(i.layer, part, self.limits.stream_width_max, folds)
            tensors = (*i.inputs, *i.outputs)
            joined = {k: t for k, t in enumerate(tensors) if (t in ends if k < len(i.inputs) else t in read)}
            for k, end in self._place(i.name, candidates, list(joined)).items():
                if k < len(i.inputs):
                    self._edges.append(self._edge(joined[k], ends[joined[k]], end))
                else:
                    ends[joined[k]] = end

    def _place(self, name: str, candidates: Candidates, ports: list[int]) -> dict[int, _End]:
        """Add a layer; its ends at the ports of these numbers."""
        forms = {p: _distinct([streams[p] for streams in candidates.streams]) for p in ports}
        labels = {p: label for p, (_, label) in forms.items()}
        variables = _independent(list(labels.values()), len(candidates.layers))
        first = len(self._sizes)
        shape = tuple(int(v.max()) + 1 for v in variables)
        self._sizes += shape
        flat = np.ravel_multi_index(tuple(variables), shape)
        numbers = tuple(range(first, len(self._sizes)))
        self._places.append(_Place(name, candidates, numbers, shape, np.asarray(flat, np.int64)))
        ends = {}
        for p, label in labels.items():
            v = next(v for v, values in enumerate(variables) if _refines(values, label))
            form = np.zeros(shape[v], np.int64)
            form[variables[v]] = label
            ends[p] = _End(len(self._places) - 1, first + v, forms[p][0], form)
        return ends

    def _edge(self, tensor: str, out: _End, into: _End) -> _Edge:
        used = np.full((len(out.forms), len(into.forms), len(KINDS)), np.inf)
        for a, source in enumerate(out.forms):
            for b, sink in enumerate(into.forms):
                if meeting(source, sink) is not None:
                    used[a, b] = _converter(source.dtype, source.lanes, sink.lanes, source.order, self._part)
        if np.isinf(used).all():
            raise DataflowError(
                f"no folding of the layers at both ends of {tensor} lets them be joined",
                why=f"{_told(out.forms[0])} is sent, {_told(into.forms[0])} is expected",
                remedy="correct the layers' shapes, types and orders",
            )
        lanes = [np.array([s.lanes for s in end.forms]) for end in (out, into)]
        cells = np.ix_(out.form, into.form)
        converts = lanes[0][:, None] != lanes[1]
        places, variables = (out.place, into.place), (out.variable, into.variable)
        return _Edge(places, variables, used[cells], converts[cells])

    @cached_property
    def _graph(self) -> CostGraph:
        scopes = (*(p.variables for p in self._places), *(e.variables for e in self._edges))
        return CostGraph(tuple(self._sizes), scopes)

    @cached_property
    def cycles(self) -> IntArray:
        """What a layer can take per frame, of all layers, from what all of them can reach; ascending."""
        least = max(int(p.candidates.cycles.min()) for p in self._places)
        every = np.unique(np.concatenate([p.candidates.cycles for p in self._places]))
        return np.asarray(every[every >= least])

    def solve(self, cycles: int, prices: Prices) -> Solution | None:
        """The cheapest folding in which no layer takes more cycles per frame; None if there is none."""
        widths = (self.limits.mvau_wwidth_max, np.iinfo(np.int64).max)
        found = (self._solve([p.candidates.within(cycles, w) for p in self._places], prices) for w in widths)
        return next((solution for solution in found if solution is not None), None)

    def fastest(self, at_least: int) -> int:
        """The least cycles per frame, from `at_least`, for which there is a legal folding, whatever it costs."""
        goals = [at_least, *self.cycles[self.cycles > at_least].tolist()]
        low, high = 0, len(goals) - 1
        while low < high:
            middle = (low + high) // 2 if low else 0  # the first is nearly always it
            if self._is_legal(goals[middle]):
                high = middle
            else:
                low = middle + 1
        return int(goals[low])

    def _is_legal(self, cycles: int) -> bool:
        tables = []
        for p in self._places:
            table = np.full(prod(p.shape), np.inf)
            table[p.flat[p.candidates.cycles <= cycles]] = 0
            tables.append(table.reshape(p.shape))
        tables += [np.where(np.isinf(e.used[..., 0]), np.inf, 0.0) for e in self._edges]
        return self._graph.minimum(tables) is not None

    def _solve(self, wanted: list[BoolArray], prices: Prices) -> Solution | None:
        tables, best, memories = [], [], []
        for place, mask in zip(self._places, wanted, strict=True):
            cost, memory = place.candidates.costs(mask, prices)
            cheapest = np.full(prod(place.shape), -1)
            order = np.argsort(cost, kind="stable")[::-1]
            cheapest[place.flat[order]] = order  # of equal cells the last assignment holds
            tables.append(np.where(cheapest < 0, np.inf, cost[cheapest]).reshape(place.shape))
            best.append(cheapest.reshape(place.shape))
            memories.append(memory)
        tables += [prices.cost(e.used) for e in self._edges]
        found = self._graph.minimum(tables)
        if found is None:
            return None
        layers: dict[str, Layer] = {}
        used: list[FloatArray] = []
        for place, cells, memory in zip(self._places, best, memories, strict=True):
            k = cells[tuple(found.values[v] for v in place.variables)]
            layers[place.name], counted = place.candidates.chosen(int(k), int(memory[k]))
            used.append(counted)
        return self._solution(layers, np.array(used), found.values, found.cost, found.exact)

    def _solution(
        self, layers: Mapping[str, Layer], by_layer: FloatArray, values: tuple[int, ...], cost: float, exact: bool
    ) -> Solution:
        taken = [(e, tuple(values[v] for v in e.variables)) for e in self._edges]
        used = by_layer.sum(0) + sum((e.used[cell] for e, cell in taken), np.zeros(len(KINDS)))
        converters = sum(bool(e.converts[cell]) for e, cell in taken)
        return Solution(layers, by_layer, used, converters, cost, exact, values)

    def crossings(self, one: Solution, other: Solution) -> FloatArray:
        """(layers + 1, KINDS): what is used if the first so many layers are as in `one`, the others as in `other`.

        Of those that are illegal, inf.
        """
        start = np.zeros((1, len(KINDS)))
        heads = np.concatenate([start, one.by_layer.cumsum(0)])
        total = heads + np.concatenate([start, other.by_layer[::-1].cumsum(0)])[::-1]
        for e in self._edges:
            (a, b), (u, v) = e.places, e.variables
            total[: a + 1] += e.used[other.values[u], other.values[v]]
            total[a + 1 : b + 1] += e.used[one.values[u], other.values[v]]
            total[b + 1 :] += e.used[one.values[u], one.values[v]]
        return np.asarray(total)

    def crossed(self, one: Solution, other: Solution, count: int, prices: Prices) -> Solution:
        """The first `count` layers as in `one`, the others as in `other`, which has to be legal."""
        first = sum(len(p.variables) for p in self._places[:count])
        values = (*one.values[:first], *other.values[first:])
        layers = {p.name: (one if k < count else other).layers[p.name] for k, p in enumerate(self._places)}
        by_layer = np.concatenate([one.by_layer[:count], other.by_layer[count:]])
        found = self._solution(layers, by_layer, values, 0.0, False)
        return replace(found, cost=float(prices.cost(found.used)))


def _distinct(streams: list[Stream]) -> tuple[tuple[Stream, ...], IntArray]:
    """The different ones, and which each is."""
    numbers: dict[tuple[int, int, int], int] = {}
    labels = [numbers.setdefault((s.lanes, s.window, s.taps), len(numbers)) for s in streams]
    first = {label: k for k, label in reversed(list(enumerate(labels)))}
    return tuple(streams[first[label]] for label in range(len(numbers))), np.array(labels)


def _independent(labels: list[IntArray], candidates: int) -> list[IntArray]:
    """Labels of the candidates of which the others are functions; one if their table would be large. At least one."""
    chosen: list[IntArray] = []
    for label in sorted(labels, key=lambda values: -int(values.max())):
        if not any(_refines(other, label) for other in chosen):
            chosen.append(label)
    if prod(int(label.max()) + 1 for label in chosen) <= MOST_CELLS:
        return chosen or [np.zeros(candidates, np.int64)]
    _, joint = np.unique(np.stack(chosen), axis=1, return_inverse=True)
    return [np.asarray(joint.reshape(-1), np.int64)]


def _refines(fine: IntArray, coarse: IntArray) -> bool:
    """Whether `coarse` is a function of `fine`."""
    return len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == int(fine.max()) + 1


@lru_cache(maxsize=1 << 16)
def _converter(dtype: BaseDataType, out: int, into: int, order: tuple[int, int] | None, part: str | None) -> FloatArray:
    """What it takes to connect streams of `out` and of `into` lanes: the rest of their shapes is no hardware."""
    if out == into:
        return np.zeros(len(KINDS))
    window, channels = order or (1, 1)
    shape = (1, lcm(out, into) if order is None else lcm(out, into, window * channels))
    return counts(StreamingDataWidthConverter(shape, dtype, out, into, window, channels).resources(part))


def _told(stream: Stream) -> str:
    return f"{stream.dtype.name} {list(stream.shape)}"
