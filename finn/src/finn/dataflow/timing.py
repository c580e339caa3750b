"""When beats pass in a graph of layers, from the layers' schedules alone: no data, and no RTL.

Every beat has a time at which its producer can first offer it and a time at which its reader takes it. A layer's steps
follow from the times of its inputs and from the room in its output buffers; so all times follow from each other, and
where they do not, the graph deadlocks. (A timed marked graph, Baccelli et al., Synchronization and Linearity, 1992.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DataflowError, Instance, instances, make_model
from finn.dataflow.layer import IntArray, Layer, Reads, Writes


@dataclass
class _Edge:
    """A stream: of each beat, when it can first be taken and when it is."""

    offered: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Timing:
    """Per tensor, the cycle in which each beat of all frames passes, (frames, beats)."""

    passed: Mapping[str, IntArray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def latency(self) -> int:
        """Cycles from the first input to the last output beat of the first frame, both counted."""
        last = max(int(self.passed[t][0, -1]) for t in self.outputs)
        return last - min(int(self.passed[t][0, 0]) for t in self.inputs) + 1

    @property
    def interval(self) -> float:
        """Mean distance of the last output beats of the frames, from the middle of the run on."""
        last = np.max([self.passed[t][:, -1] for t in self.outputs], axis=0)
        start = len(last) // 2 if len(last) > 2 else 0
        return float(last[-1] - last[start]) / (len(last) - 1 - start)


class _In:
    """One input of a layer during a run."""

    def __init__(self, reads: Reads, edge: _Edge, steps: int, frames: int) -> None:
        self.edge, self.depth, self.delay = edge, reads.depth, reads.delay
        starts = np.arange(frames)[:, None] * steps
        self.steps = (starts + reads.steps).reshape(-1).tolist()
        self.frees = (starts + (reads.steps if reads.frees is None else reads.frees)).reshape(-1).tolist()
        self.used = 0
        self.freed: list[int] = []

    def accept(self) -> bool:
        """Take what a holding input can take; whether it took anything."""
        if not self.depth:
            return False
        edge, before = self.edge, len(self.edge.taken)
        while (i := len(edge.taken)) < len(edge.offered) and i < len(self.steps) and i - self.depth < len(self.freed):
            time = max(edge.offered[i], edge.taken[-1] + 1 if i else 0)
            edge.taken.append(max(time, self.freed[i - self.depth] + 1) if i >= self.depth else time)
        return len(edge.taken) > before

    def ready(self, step: int) -> int | None:
        """From when on `step` has its beats, None if that is not known yet."""
        time, i = 0, self.used
        times = self.edge.taken if self.depth else self.edge.offered
        while i < len(self.steps) and self.steps[i] <= step:
            if i >= len(times):
                return None
            time, i = max(time, times[i] + self.delay), i + 1
        return time

    def done(self, step: int, time: int) -> None:
        while self.used < len(self.steps) and self.steps[self.used] <= step:
            self.used += 1
            if not self.depth:
                self.edge.taken.append(time)
        while self.depth and len(self.freed) < len(self.frees) and self.frees[len(self.freed)] <= step:
            self.freed.append(time)


class _Out:
    """One output of a layer during a run."""

    def __init__(self, writes: Writes, edge: _Edge, steps: int, frames: int) -> None:
        self.edge, self.depth, self.delay = edge, writes.depth, writes.delay
        starts = np.arange(frames)[:, None] * steps
        self.steps = (starts + writes.steps).reshape(-1).tolist()
        self.claims = (starts + (writes.steps if writes.claims is None else writes.claims)).reshape(-1).tolist()
        self.claimed = 0

    def ready(self, step: int) -> int | None:
        time, j = 0, self.claimed
        while j < len(self.claims) and self.claims[j] <= step:
            if j >= self.depth:
                if j - self.depth >= len(self.edge.taken):
                    return None
                time = max(time, self.edge.taken[j - self.depth] + 1)
            j += 1
        return time

    def done(self, step: int, time: int) -> None:
        while self.claimed < len(self.claims) and self.claims[self.claimed] <= step:
            self.claimed += 1
        while len(self.edge.offered) < len(self.steps) and self.steps[len(self.edge.offered)] <= step:
            self.edge.offered.append(time + self.delay)


class _Run:
    """One layer during a run."""

    def __init__(self, instance: Instance, edges: Mapping[str, _Edge], frames: int) -> None:
        schedule = instance.layer.schedule()
        periods = frames * schedule.periods
        self.name = instance.name
        self.total = schedule.steps * periods
        ins, outs = (
            zip(schedule.reads, instance.inputs, strict=True),
            zip(schedule.writes, instance.outputs, strict=True),
        )
        self.inputs = [_In(r, edges[t], schedule.steps, periods) for r, t in ins]
        self.outputs = [_Out(w, edges[t], schedule.steps, periods) for w, t in outs]
        self.step, self.time = 0, -1

    def advance(self) -> bool:
        """Go as far as the times that are known allow; whether anything happened."""
        moved = any([i.accept() for i in self.inputs])
        ends: list[_In | _Out] = [*self.inputs, *self.outputs]
        while self.step < self.total:
            times = [end.ready(self.step) for end in ends]
            if None in times:
                return moved
            self.time = max(self.time + 1, *(t for t in times if t is not None))
            for end in ends:
                end.done(self.step, self.time)
            for i in self.inputs:
                i.accept()
            self.step, moved = self.step + 1, True
        return moved


def simulate(placed: Sequence[Instance], frames: int) -> Timing:
    """Run `frames` frames, offered at one beat per cycle and input, through these layers.

    Raises DataflowError if they deadlock.
    """
    names = dict.fromkeys(t for i in placed for t in (*i.inputs, *i.outputs))
    edges = {t: _Edge() for t in names}
    made, read = {t for i in placed for t in i.outputs}, {t for i in placed for t in i.inputs}
    sources, sinks = (tuple(t for t in names if t not in other) for other in (made, read))
    streams = {
        t: s for i in placed for t, s in zip((*i.inputs, *i.outputs), (*i.layer.inputs, *i.layer.outputs), strict=True)
    }
    for t in sources:
        edges[t].offered = list(range(frames * streams[t].beats))
    runs = [_Run(i, edges, frames) for i in placed]
    while any([r.advance() for r in runs] + [_sink(edges[t]) for t in sinks]):
        pass
    stuck = [r.name for r in runs if r.step < r.total]
    if stuck:
        raise DataflowError(f"the schedules of {', '.join(stuck)} deadlock")
    return Timing({t: np.array(e.taken).reshape(frames, -1) for t, e in edges.items()}, sources, sinks)


def _sink(edge: _Edge) -> bool:
    before = len(edge.taken)
    for time in edge.offered[before:]:
        edge.taken.append(max(time, edge.taken[-1] + 1 if edge.taken else 0))
    return len(edge.taken) > before


def of_layer(layer: Layer, frames: int) -> Timing:
    """The layer alone."""
    return simulate(instances(make_model([("layer", layer)])), frames)


def of_graph(model: ModelWrapper, frames: int) -> Timing:
    """The layers of a dataflow graph."""
    return simulate(instances(model), frames)
