"""Width converters and FIFOs between the layers, and the depths that the FIFOs need."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import ceil, isinf
from typing import NamedTuple

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DataflowError, add_layer, instances
from finn.dataflow.layer import Layer, Stream
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.width_converter import between, meeting
from finn.dataflow.timing import UNLIMITED, Network, Timing


class Edge(NamedTuple):
    """A stream between two layers: the names of both, and of the tensor as the producer knows it."""

    producer: str
    consumer: str
    tensor: str

    def __str__(self) -> str:
        return f"{self.producer} -> {self.consumer}"


BORDER = 2
"""Beats that the layers hold at a border without a FIFO; a configured FIFO that needs no more is left out."""

SMALLEST = 3
"""The least depth that passes one beat per cycle; one that needs no more is probably not needed at all."""


@dataclass(frozen=True)
class FifoSizing:
    """depths : by edge, only of the FIFOs that are needed.

    interval_generous : cycles per frame with FIFOs that never fill; interval, latency : with these depths, input at
    full rate. runs : simulations that it took, of `beats` beats in all, in `seconds`.
    """

    depths: dict[Edge, int]
    interval_generous: float
    interval: float
    latency: int = 0
    runs: int = 0
    beats: int = 0
    seconds: float = 0.0

    @property
    def unchanged(self) -> bool:
        return self.interval <= self.interval_generous


# Streams between layers


def edges(model: ModelWrapper) -> dict[Edge, tuple[Stream, Stream]]:
    """The streams between two layers -> what the producer sends and what the consumer wants.

    Raises DataflowError for a tensor or an input of the graph that several layers read.
    """
    found: dict[Edge, tuple[Stream, Stream]] = {}
    made = {t: (i.name, s) for i in instances(model) for t, s in zip(i.outputs, i.layer.outputs, strict=True)}
    readers: dict[str, str] = {}
    for i in instances(model):
        for t, into in zip(i.inputs, i.layer.inputs, strict=True):
            if t in readers:
                raise DataflowError(
                    f"{t} is read by {readers[t]} and by {i.name}",
                    why="a stream has one reader",
                    remedy="put a DuplicateStreams layer in front of them",
                )
            readers[t] = i.name
            if t in made:
                producer, out = made[t]
                found[Edge(producer, i.name, t)] = (out, into)
    return found


def insert_width_converters(model: ModelWrapper) -> int:
    """Put a StreamingDataWidthConverter where the lanes of two neighbours differ, in place. Returns how many.

    Raises DataflowError if neighbours send the elements in different orders.
    """
    names, inserted = _free_names(model, "StreamingDataWidthConverter"), 0
    for edge, (out, into) in edges(model).items():
        at = meeting(out, into)
        if at is None:
            raise DataflowError(
                f"{edge.producer} sends {_text(out)}, {edge.consumer} wants {_text(into)}",
                where=f"tensor {edge.tensor}",
                why="their elements come in different orders, which no width converter changes",
                remedy="choose the same PE and SIMD for both layers",
            )
        if out.lanes != into.lanes:
            _insert(model, edge, next(names), between(out, into), at is out)
            inserted += 1
    return inserted


def _text(s: Stream) -> str:
    order = "" if s.order is None else f", {s.order[1]} channels of all {s.order[0]} positions after the other"
    return f"{s.dtype.name} {s.shape} in beats of {s.lanes}{order}"


def insert_fifos(
    model: ModelWrapper,
    depths: Mapping[Edge, int],
    style: Callable[[int, int], str] = lambda width, depth: "auto",
    parts: Callable[[int, int], Sequence[int]] = lambda width, depth: (depth,),
) -> dict[str, Edge]:
    """Put FIFOs of these depths on these edges, in place. Returns the edge of each FIFO by its name.

    From the bits of a beat and the depth: style, the ram_style of a FIFO; parts, the depths of the FIFOs in its place.
    """
    names = _free_names(model, "StreamingFIFO")
    found: dict[str, Edge] = {}
    present = edges(model)
    for edge, depth in depths.items():
        out, _ = present[edge]
        chain = [(next(names), part) for part in parts(out.width, depth)]
        for name, part in reversed(chain):
            _insert(model, edge, name, replace(fifo(out, part), ram_style=style(out.width, part)))
        found |= dict.fromkeys((name for name, _ in chain), edge)
    return found


def _free_names(model: ModelWrapper, kind: str) -> Iterator[str]:
    taken = {node.name for node in model.graph.node}
    return (name for n in count() if (name := f"{kind}_{n}") not in taken)


def fifo(stream: Stream, depth: int) -> StreamingFIFO:
    """A FIFO for this stream."""
    s = stream
    return StreamingFIFO(s.shape, s.dtype, s.lanes, depth, window=s.window, taps=s.taps)


def configured_depths(model: ModelWrapper) -> dict[Edge, int]:
    """Depths from the layers' inFIFODepths and outFIFODepths: the larger of both ends, if it is more than 2."""
    found = {i.name: i for i in instances(model)}
    depths = {}
    for edge in edges(model):
        producer, consumer = found[edge.producer], found[edge.consumer]
        out = _depth(producer.layer.outFIFODepths, producer.outputs.index(edge.tensor))
        into = _depth(consumer.layer.inFIFODepths, consumer.inputs.index(edge.tensor))
        if max(out, into) > BORDER:
            depths[edge] = max(out, into)
    return depths


def _depth(depths: Sequence[int], stream: int) -> int:
    """A list that is too short, like the default of a layer with several streams, says nothing of the others."""
    return depths[stream] if stream < len(depths) else BORDER


def _insert(model: ModelWrapper, edge: Edge, name: str, layer: Layer, behind: bool = True) -> None:
    """Put `layer` behind the producer, or in front of the consumer."""
    if behind:
        (reader,) = model.find_consumers(edge.tensor)
        tensor = edge.tensor
    else:
        (reader,) = (n for n in model.graph.node if n.name == edge.consumer)
        streams = next(i for i in instances(model) if i.name == edge.consumer).inputs
        tensor = reader.input[streams.index(edge.tensor)]
    new = model.make_new_valueinfo_name(name)
    index = list(reader.input).index(tensor)
    add_layer(model, model.get_node_index(reader) or 0, name, layer, [tensor], [new])
    model.set_node_input(reader, index, new)


# Depths


FRAMES = 12
"""Frames until a design is steady at the latest, beyond those that its buffers hold."""

BUDGET = 1_000_000_000
"""Beats that a search may simulate, in about a minute. Not seconds: the same network gets the same FIFOs."""

SAVING = 0.05
"""The part of a FIFO's area that is worth a simulation."""


def size_fifos(model: ModelWrapper, part: str | None = None, budget: int = BUDGET) -> FifoSizing:
    """Depths that keep the throughput, by running the schedules; `model` (with width converters) is not changed.

    Times are sums and maxima of others, so nothing becomes later if something else becomes earlier or a FIFO deeper.
    Therefore the frame interval of FIFOs that never fill is the best there is, and depths that hold it for frames that
    come evenly in that interval hold it at full rate, too, which a last run confirms. The depths that frames at that
    interval fill are enough; a search, in the order of area saved, leaves FIFOs out, then bisects the depths of those
    that are left. Raises DataflowError if the layers deadlock even with unlimited FIFOs.
    """
    started = time.monotonic()
    search = _Search(model, part, budget)
    ideal, needed = search.unlimited()
    depths, proof = search.prove(search.reduce(needed), needed, ideal)
    seconds = time.monotonic() - started
    return FifoSizing(depths, ideal, proof.interval, proof.latency, search.runs, search.beats, seconds)


class _Search:
    """The simulations of one sizing."""

    def __init__(self, model: ModelWrapper, part: str | None, budget: int) -> None:
        placed = instances(model)
        self.streams = {edge: out for edge, (out, _) in edges(model).items()}
        self.network, self.part, self.budget = Network(placed), part, budget
        self.interval = max(i.layer.cycles for i in placed)
        self.runs = self.beats = self.last = 0

    def run(self, depths: Mapping[Edge, int], interval: int) -> Timing:
        self.runs += 1
        self.beats += self.last  # of a run that deadlocks there is no count
        fifos = {edge.tensor: depth for edge, depth in depths.items()}
        timing = self.network.with_fifos(fifos).run(FRAMES, interval=interval, until_steady=True)
        self.beats += timing.beats - self.last
        self.last = timing.beats
        return timing

    def keeps(self, depths: Mapping[Edge, int]) -> bool:
        """Whether frames at the interval pass without ever falling back."""
        try:
            timing = self.run(depths, self.interval)
        except DataflowError:
            return False
        return timing.period is not None and timing.slowest <= self.interval

    @property
    def spent(self) -> bool:
        return self.beats + self.last > self.budget

    def unlimited(self) -> tuple[float, dict[Edge, int]]:
        """The best frame interval, and the depths that are enough for it."""
        generous = dict.fromkeys(self.streams, UNLIMITED)
        timing, ideal = self.run(generous, self.interval), float(self.interval)
        if timing.slowest > self.interval:
            ideal = self.run(generous, 0).interval
            self.interval = ceil(ideal)
            timing = self.run(generous, self.interval)
        return ideal, {edge: max(SMALLEST, timing.needed[edge.tensor]) for edge in self.streams}

    def reduce(self, depths: dict[Edge, int]) -> dict[Edge, int]:
        """Less of them as long as the interval is kept and the budget lasts."""
        if self.keeps({}):
            return {}
        order = sorted(depths, key=depths.__getitem__)
        idle = [edge for edge in order if depths[edge] <= SMALLEST]
        short = [edge for edge in order[len(idle) :] if depths[edge] <= self.network.border(edge.tensor)]
        for group in (idle, short, [edge for edge in order[len(idle) :] if edge not in set(short)]):
            depths = self.without(depths, group)
        areas = {edge: self.area(edge, depth) for edge, depth in depths.items()}
        for edge in sorted(depths, key=areas.__getitem__, reverse=True):
            depths = {**depths, edge: self.shrunk(depths, edge)}
        return depths

    def without(self, depths: dict[Edge, int], group: list[Edge], refused: bool = False) -> dict[Edge, int]:
        """As many FIFOs of the group left out as possible. refused : not all of them."""
        if not group or self.spent:
            return depths
        fewer = {edge: depth for edge, depth in depths.items() if edge not in set(group)}
        if not refused and self.keeps(fewer):
            return fewer
        if len(group) == 1:
            return depths
        half = len(group) // 2
        found = self.without(depths, group[:half])
        return self.without(found, group[half:], refused=len(found) == len(depths) - half)

    def shrunk(self, depths: dict[Edge, int], edge: Edge) -> int:
        """The least depth of this FIFO with the others as they are; not where it saves no area."""
        low, high = SMALLEST - 1, depths[edge]
        while not self.spent and self.area(edge, high) - self.area(edge, low + 1) > SAVING * self.area(edge, high):
            middle = (low + high) // 2
            if self.keeps({**depths, edge: middle}):
                high = middle
            else:
                low = middle
        return high

    def area(self, edge: Edge, depth: int) -> int:
        return fifo(self.streams[edge], depth).resources(self.part).area

    def prove(
        self, depths: dict[Edge, int], needed: Mapping[Edge, int], ideal: float
    ) -> tuple[dict[Edge, int], Timing]:
        """The depths, deeper where they do not keep the interval with input at full rate, and that run."""
        proof = self.run(depths, 0)
        while proof.interval > ideal and any(depths.get(edge, 0) < needed[edge] for edge in needed):
            depths = {edge: min(depth, 2 * depths.get(edge, BORDER)) for edge, depth in needed.items()}
            proof = self.run(depths, 0)
        return depths, proof


# Depths from measurements


@dataclass(frozen=True)
class Measurement:
    """What a simulation says: cycles from frame to frame (infinite if they stop), and the most beats of each FIFO."""

    interval: float
    high_water: Mapping[str, int]


def measured_fifos(model: ModelWrapper, measure: Callable[[ModelWrapper], Measurement]) -> FifoSizing:
    """The depths that keep the throughput, from `measure`, for example of simulated RTL; `model` is not changed.

    First every stream gets a FIFO that holds two frames, and `measure` tells the throughput and the most that each one
    held. Then the design without FIFOs is measured: if it is as fast, none is needed. If not, the high-water marks are
    the depths, and a last run proves them; if it is slower after all, they are doubled until it is not.
    Raises DataflowError if the layers deadlock even with two frames in each FIFO.
    """
    generous = {edge: max(SMALLEST, 2 * out.beats) for edge, (out, _) in edges(model).items()}
    first, names = _with_fifos(model, generous, measure)
    if isinf(first.interval):
        raise DataflowError(
            "the simulated layers deadlock with FIFOs of two frames between them",
            remedy="use auto_fifo_strategy schedule, which names those that wait for each other",
        )
    bare = measure(model)
    if bare.interval <= first.interval:
        return FifoSizing({}, first.interval, bare.interval)
    depths = {names[n]: max(SMALLEST, peak) for n, peak in first.high_water.items() if peak > BORDER}
    while True:
        proof, _ = _with_fifos(model, depths, measure)
        if proof.interval <= first.interval or depths == generous:
            return FifoSizing(depths, first.interval, proof.interval)
        depths = {e: min(generous[e], 2 * depths.get(e, SMALLEST)) for e in generous}


def _with_fifos(
    model: ModelWrapper, depths: Mapping[Edge, int], measure: Callable[[ModelWrapper], Measurement]
) -> tuple[Measurement, dict[str, Edge]]:
    trial = copy.deepcopy(model)
    names = insert_fifos(trial, depths)
    return measure(trial), names
