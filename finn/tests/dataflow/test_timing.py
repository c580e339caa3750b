"""The compiled recurrences against the reference, and both against simulated RTL."""

from __future__ import annotations

from math import gcd

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.dataflow import timing
from finn.dataflow.graph import DataflowError, Instance, make_graph
from finn.dataflow.layer import Layer, Reads, Schedule, Writes, divisors
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.dataflow.recurrences import Member, Plan, Recurrences
from finn.rtl import Simulator, stitch

FRAMES = 4
RTL_FRAMES = 12
GRAPHS = 6
UINT2 = DataType["UINT2"]
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
    assert list(compiled.blocked()) == list(reference.blocked())


# RTL


def chain(rng: np.random.Generator, tensor: str, shape: tuple[int, ...], lanes: int) -> tuple[list[Instance], str, int]:
    """A few random layers that keep the shape, each of its own folding, with width converters and FIFOs between."""
    placed: list[Instance] = []

    def add(layer: Layer) -> None:
        nonlocal tensor
        name = f"{tensor}_{len(placed)}"
        placed.append(Instance(f"{type(layer).__name__}_{name}", layer, (tensor,), (name,)))
        tensor = name

    channels = shape[-1]
    for _ in range(rng.integers(1, 4)):
        fold = int(rng.choice(divisors(channels)))
        if lanes != fold:
            add(StreamingDataWidthConverter(shape, UINT2, lanes, fold))
            lanes = fold
        if rng.integers(2):
            add(StreamingFIFO(shape, UINT2, lanes, int(rng.integers(2, 9))))
        if rng.integers(2):
            add(Thresholding(shape, UINT2, np.array([[0, 1, 3]]), UINT2, PE=lanes))
        else:
            weights, lanes = rng.integers(-2, 2, (channels, channels)), int(rng.choice(divisors(channels)))
            add(MVAU(shape, UINT2, weights, DataType["INT2"], UINT2, np.array([[0, 2, 5]]), SIMD=fold, PE=lanes))
        if rng.integers(3) == 0:
            add(StreamingFIFO(shape, UINT2, lanes, int(rng.integers(2, 40))))
    return placed, tensor, lanes


def random_graph(seed: int) -> list[Instance]:
    """A chain, or one that forks and is joined again by a StreamingConcat."""
    rng = np.random.default_rng(seed)
    shape = (1, int(rng.integers(1, 13)), int(rng.choice([2, 4, 6, 8])))
    lanes = int(rng.choice(divisors(shape[-1])))
    placed, tensor, lanes = chain(rng, f"s{seed}", shape, lanes)
    if rng.integers(3) == 0:
        return placed
    copies = (f"{tensor}_a", f"{tensor}_b")
    placed.append(Instance(f"fork_{seed}", DuplicateStreams(shape, UINT2, PE=lanes), (tensor,), copies))
    ends = []
    for copy in copies:
        more, end, width = chain(rng, copy, shape, lanes)
        placed += more
        if width != shape[-1]:
            whole = StreamingDataWidthConverter(shape, UINT2, width, shape[-1])
            placed.append(Instance(f"last_{end}", whole, (end,), (f"{end}_w",)))
            end = f"{end}_w"
        depth = int(rng.integers(4, 64))
        placed.append(Instance(f"skip_{end}", StreamingFIFO(shape, UINT2, shape[-1], depth), (end,), (f"{end}_q",)))
        ends.append(f"{end}_q")
    joined = (*shape[:-1], 2 * shape[-1])
    join = StreamingConcat(joined, (UINT2, UINT2), (shape[-1], shape[-1]), SIMD=shape[-1])
    return [*placed, Instance(f"join_{seed}", join, tuple(ends), (f"y{seed}",))]


def test_rtl_passes_beats_when_the_schedules_say() -> None:
    """Random graphs side by side: the first and last beat of each frame, and the most beats in each FIFO."""
    graphs, seed = [], 0
    while len(graphs) < GRAPHS:
        try:
            timing.simulate(placed := random_graph(seed := seed + 1), RTL_FRAMES)
            graphs += [placed]
        except DataflowError:
            pass  # forks whose ends are too short for their difference
    model = make_graph([i for placed in graphs for i in placed])
    said = timing.of_graph(model, RTL_FRAMES)
    design = stitch(model)
    rng = np.random.default_rng(1)
    with Simulator(design, assertions=True) as simulator:
        found = simulator.run(*(rng.integers(0, 4, (RTL_FRAMES, *p.stream.shape[1:])) for p in design.inputs))
    for ports, passages in ((design.inputs, found.entered), (design.outputs, found.left)):
        for port, passage in zip(ports, passages, strict=True):
            expected = said.passed[port.tensor]
            np.testing.assert_array_equal(passage.first, expected[:, 0], port.tensor)
            np.testing.assert_array_equal(passage.last, expected[:, -1], port.tensor)
    assert found.fifo_high_water == said.high_water
