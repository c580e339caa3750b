"""What a schedule means, beat by beat: the reference of timing.cpp, some thousand times slower.

Every beat has a time at which its producer can first offer it and a time at which its reader takes it. A layer's steps
follow from the times of its inputs and from the room in its output buffers; so all times follow from each other, and
where they do not, the graph deadlocks. (A timed marked graph, Baccelli et al., Synchronization and Linearity, 1992.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finn.dataflow.layer import IntArray, Reads, Schedule, Writes


@dataclass
class Edge:
    """A stream: of each beat, when it can first be taken and when it is."""

    offered: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Member:
    """A layer in a graph: its schedule and the numbers of the edges at its inputs and outputs.

    is_fifo : how full it is shall be counted.
    """

    name: str
    schedule: Schedule
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_fifo: bool = False


@dataclass(frozen=True)
class Plan:
    """A graph to run. beats : per edge, in a frame. sources, sinks : edges that no layer writes, or reads.

    interval : cycles over which the beats of a frame are spread at the sources; 0 for one beat per cycle.
    constants : sources that always offer one beat per cycle.
    """

    members: tuple[Member, ...]
    beats: tuple[int, ...]
    sources: tuple[int, ...]
    sinks: tuple[int, ...]
    interval: int = 0
    constants: frozenset[int] = frozenset()


class _In:
    """One input of a layer during a run."""

    def __init__(self, reads: Reads, edge: Edge) -> None:
        self.edge, self.depth, self.delay, self.reads = edge, reads.depth, reads.delay, reads
        self.steps: list[int] = []
        self.frees: list[int] = []
        self.used = 0
        self.freed: list[int] = []

    def extend(self, starts: IntArray) -> None:
        reads = self.reads
        self.steps += (starts + reads.steps).reshape(-1).tolist()
        self.frees += (starts + (reads.steps if reads.frees is None else reads.frees)).reshape(-1).tolist()

    def accept(self) -> bool:
        """Take what a holding input can take; whether it took anything."""
        if not self.depth:
            return False
        edge, before = self.edge, len(self.edge.taken)
        while (i := len(edge.taken)) < len(edge.offered) and i - self.depth < len(self.freed):
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

    def __init__(self, writes: Writes, edge: Edge) -> None:
        self.edge, self.depth, self.delay, self.writes = edge, writes.depth, writes.delay, writes
        self.steps: list[int] = []
        self.claims: list[int] = []
        self.claimed = 0

    def extend(self, starts: IntArray) -> None:
        writes = self.writes
        self.steps += (starts + writes.steps).reshape(-1).tolist()
        self.claims += (starts + (writes.steps if writes.claims is None else writes.claims)).reshape(-1).tolist()

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

    def __init__(self, member: Member, edges: Sequence[Edge]) -> None:
        self.schedule = member.schedule
        self.inputs = [_In(r, edges[e]) for r, e in zip(member.schedule.reads, member.inputs, strict=True)]
        self.outputs = [_Out(w, edges[e]) for w, e in zip(member.schedule.writes, member.outputs, strict=True)]
        self.ends: list[_In | _Out] = [*self.inputs, *self.outputs]
        self.total, self.step, self.time = 0, 0, -1

    def extend(self) -> None:
        """There is one more frame to do."""
        starts = self.total + np.arange(self.schedule.periods)[:, None] * self.schedule.steps
        for end in self.ends:
            end.extend(starts)
        self.total += self.schedule.periods * self.schedule.steps

    def waits(self) -> int:
        """Index of the end that the next step waits for; -1 if it waits for none."""
        return next((k for k, end in enumerate(self.ends) if end.ready(self.step) is None), -1)

    def advance(self) -> bool:
        """Go as far as the times that are known allow; whether anything happened."""
        moved = any([i.accept() for i in self.inputs])
        while self.step < self.total:
            times = [end.ready(self.step) for end in self.ends]
            if None in times:
                return moved
            self.time = max(self.time + 1, *(t for t in times if t is not None))
            for end in self.ends:
                end.done(self.step, self.time)
            for i in self.inputs:
                i.accept()
            self.step, moved = self.step + 1, True
        return moved


class Recurrences:
    """A run of a plan, frame by frame."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.frames = plan, 0
        self.edges = [Edge() for _ in plan.beats]
        self.runs = [_Run(m, self.edges) for m in plan.members]

    def frame(self) -> bool:
        """Send one more frame and compute as far as possible; whether all layers have finished it."""
        for e in self.plan.sources:
            beats, each = self.plan.beats[e], np.arange(self.plan.beats[e])
            spread = 0 if e in self.plan.constants else self.plan.interval
            times = self.frames * spread + each * spread // beats if spread else self.frames * beats + each
            self.edges[e].offered += times.tolist()
        for run in self.runs:
            run.extend()
        self.frames += 1
        while any([r.advance() for r in self.runs] + [_sink(self.edges[e]) for e in self.plan.sinks]):
            pass
        return all(r.step >= r.total for r in self.runs)

    def waits(self) -> list[int]:
        """Of each layer the index of the input, or of the output behind the inputs, that it waits for; or -1."""
        return [r.waits() if r.step < r.total else -1 for r in self.runs]

    def passed(self, edge: int) -> IntArray:
        """When each beat passed, (frames, beats). Only of finished frames."""
        return np.array(self.edges[edge].taken, np.int64).reshape(self.frames, -1)

    def blocked(self) -> Sequence[int]:
        """Per edge, the cycles in which a beat waited for its reader."""
        return [_blocked(np.array(e.offered[: len(e.taken)]), np.array(e.taken)) for e in self.edges]

    def levels(self) -> Mapping[str, tuple[int, int]]:
        """Of each FIFO the most beats held at the end of a cycle, and the places without which a beat had waited."""
        return {
            m.name: _levels(*(np.array(self.edges[e].taken) for e in (m.inputs[0], m.outputs[0])))
            for m in self.plan.members
            if m.is_fifo
        }


def _levels(entered: IntArray, left: IntArray) -> tuple[int, int]:
    """Times at which beats entered and left. A place can be used again in the cycle after its beat left."""
    count = np.arange(1, len(entered) + 1)
    held = count - np.searchsorted(left, entered, "right")
    needed = count - np.searchsorted(left, entered, "left")
    return int(held.max()), int(needed.max())


def _blocked(offered: IntArray, taken: IntArray) -> int:
    """A beat waits from when it is offered, or the one before it was taken, until it is taken."""
    valid = np.maximum(offered, np.concatenate([[0], taken[:-1] + 1]))
    return int((taken - valid).sum())


def _sink(edge: Edge) -> bool:
    before = len(edge.taken)
    for time in edge.offered[before:]:
        edge.taken.append(max(time, edge.taken[-1] + 1 if edge.taken else 0))
    return len(edge.taken) > before
