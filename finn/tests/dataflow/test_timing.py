"""The compiled recurrences against the reference, and both against simulated RTL."""

from __future__ import annotations

from math import gcd

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.dataflow import timing
from finn.dataflow.layer import Reads, Schedule, Writes
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.recurrences import Member, Plan, Recurrences

FRAMES = 4
BEATS = (1, 2, 3, 4, 6, 12)
FEW = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def reads(draw: st.DrawFn, steps: int, beats: int) -> Reads:
    if draw(st.booleans()):
        chosen = sorted(draw(st.sets(st.integers(0, steps - 1), min_size=beats, max_size=beats)))
        return Reads(np.array(chosen))
    uses = sorted(draw(st.lists(st.integers(0, steps), min_size=beats, max_size=beats)))
    delays = sorted(draw(st.lists(st.integers(0, 2), min_size=beats, max_size=beats)))
    frees = np.minimum(np.array(uses) + delays, steps) if draw(st.booleans()) else None
    return Reads(np.array(uses), draw(st.integers(1, 2 * beats)), draw(st.integers(0, 3)), frees)


@st.composite
def writes(draw: st.DrawFn, steps: int, beats: int) -> Writes:
    made = np.array(sorted(draw(st.lists(st.integers(0, steps - 1), min_size=beats, max_size=beats))))
    claims = np.maximum(made - draw(st.integers(0, 3)), 0) if draw(st.booleans()) else None
    return Writes(made, draw(st.integers(1, 5)), draw(st.integers(1, 3 * beats)), claims)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Layers that take one or two open streams and open one or two; some are FIFOs."""
    beats: list[int] = []
    unread: list[int] = []
    members: list[Member] = []

    def edge(size: int) -> int:
        beats.append(size)
        return len(beats) - 1

    for k in range(draw(st.integers(1, 7))):
        while len(unread) < 1 or draw(st.integers(0, 5)) == 0:
            unread.append(edge(draw(st.sampled_from(BEATS))))
        inputs = [
            unread.pop(draw(st.integers(0, len(unread) - 1))) for _ in range(min(len(unread), draw(st.integers(1, 2))))
        ]
        if draw(st.integers(0, 2)) == 0:
            source, *others = inputs
            unread += others
            fifo = StreamingFIFO(
                (1, beats[source]), DataType["BINARY"], 1, draw(st.sampled_from([2, 3, 5, timing.UNLIMITED]))
            )
            members.append(Member(f"n{k}", fifo.schedule(), (source,), (edge(beats[source]),), True))
            unread.append(members[-1].outputs[0])
            continue
        outputs = [edge(draw(st.sampled_from(BEATS))) for _ in range(draw(st.integers(1, 2)))]
        common = gcd(*(beats[e] for e in (*inputs, *outputs)))
        periods = draw(st.sampled_from([p for p in BEATS if common % p == 0]))
        sizes = [[beats[e] // periods for e in side] for side in (inputs, outputs)]
        steps = max(*sizes[0], *sizes[1]) + draw(st.integers(0, 4))
        taken = tuple(draw(reads(steps, n)) for n in sizes[0])
        made = tuple(draw(writes(steps, n)) for n in sizes[1])
        members.append(Member(f"n{k}", Schedule(steps, taken, made, periods), tuple(inputs), tuple(outputs)))
        unread += outputs
    made = {e for m in members for e in m.outputs}
    read = {e for m in members for e in m.inputs}
    sources = tuple(e for e in range(len(beats)) if e not in made)
    sinks = tuple(e for e in range(len(beats)) if e not in read and e in made)
    return Plan(tuple(members), tuple(beats), sources, sinks, draw(st.sampled_from([0, 0, 7, 30])))


@FEW
@given(plans())
def test_compiled_is_the_reference(plan: Plan) -> None:
    """Every beat of every frame, how full the FIFOs are, and what waits for what if it stops."""
    reference, compiled = Recurrences(plan), timing._engine(plan, every=True)
    assert not isinstance(compiled, Recurrences)
    for _ in range(FRAMES):
        finished = reference.frame()
        assert compiled.frame() == finished
        assert compiled.waits() == reference.waits()
        for e, edge in enumerate(reference.edges):
            assert compiled.times(e).tolist() == edge.taken
        if not finished:
            return
    assert compiled.levels() == reference.levels()
