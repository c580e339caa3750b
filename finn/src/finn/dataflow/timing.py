"""When beats pass in a graph of layers, from the layers' schedules alone: no data, and no RTL.

`recurrences` says what a schedule means; timing.cpp computes the same fast, compiled on first use. Without a C++
compiler the recurrences are run as they are.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DataflowError, Instance, instances, make_model
from finn.dataflow.layer import ConstantInput, IntArray, Layer, Reads, Stream, Writes
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.native import shared_object
from finn.dataflow.recurrences import Member, Plan, Recurrences

log = logging.getLogger(__name__)

UNLIMITED = 1 << 40
"""Depth of a FIFO that never fills."""

PERIODS = (1, 2, 3, 4)
"""Frames after which a steady state may repeat: an interval of 10.5 cycles alternates between 10 and 11."""

FALLS = 3
"""Frames that have to come later than the interval allows, one after the other, the last no less so than the first, for
a design to be too slow: a pipeline that fills is late for some frames, too, and less and less."""

FLAGS = ("-std=c++17", "-O3")


@dataclass(frozen=True)
class Timing:
    """A run of some frames.

    passed : per tensor, the cycle in which the first and the last beat of each frame pass, (frames, 2); or each beat,
    (frames, beats).
    high_water : per FIFO, the most beats that it held at once. needed : the depth without which a beat had waited.
    blocked : per tensor, the cycles in which a beat waited for its reader.
    period : the frames after which everything repeats, if it is known. beats : how many passed, of all tensors.
    """

    passed: Mapping[str, IntArray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    high_water: Mapping[str, int] = field(default_factory=dict)
    needed: Mapping[str, int] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    period: int | None = None
    beats: int = 0

    @property
    def latency(self) -> int:
        """Cycles from the first input to the last output beat of the first frame, both counted."""
        last = max(int(self.passed[t][0, -1]) for t in self.outputs)
        return last - min(int(self.passed[t][0, 0]) for t in self.inputs) + 1

    @property
    def interval(self) -> float:
        """Mean distance of the last output beats of the frames: of a period, or from the middle of the run on."""
        return self._distance(np.max([self.passed[t][:, -1] for t in self.outputs], axis=0))

    @property
    def slowest(self) -> float:
        """The largest such distance of any tensor, within or at the border of the graph."""
        return max(self._distance(times[:, -1]) for times in self.passed.values())

    def _distance(self, last: IntArray) -> float:
        start = len(last) - 1 - self.period if self.period else len(last) // 2 if len(last) > 2 else 0
        return float(last[-1] - last[start]) / (len(last) - 1 - start)


@dataclass(frozen=True)
class Follower:
    """Compiled code that follows a run: `Follow` of timing.cpp, and what it is called with.

    tensors : the tensors in its order, which has to be that of the run. reasons : why it cannot go on, from 1.
    """

    function: int
    context: int
    tensors: tuple[str, ...]
    reasons: tuple[str, ...]


class Engine(Protocol):
    """What runs a plan, see `Recurrences`."""

    def frame(self) -> bool: ...
    def waits(self) -> list[int]: ...
    def passed(self, edge: int) -> IntArray: ...
    def levels(self) -> Mapping[str, tuple[int, int]]: ...
    def blocked(self) -> Sequence[int]: ...


class Network:
    """Layers that are run several times; their schedules are made once."""

    def __init__(self, placed: Sequence[Instance]) -> None:
        self.placed = tuple(placed)
        self._schedules = {i.name: i.layer.schedule() for i in placed}

    def with_fifos(self, depths: Mapping[str, int]) -> Network:
        """With FIFOs of these depths in these tensors, called like them; UNLIMITED is a depth, too."""
        found = Network(())
        found._schedules = dict(self._schedules)
        behind = {t: f"{t} behind its FIFO" for t in depths}
        placed: list[Instance] = []
        for i in self.placed:
            placed.append(replace(i, inputs=tuple(behind.get(t, t) for t in i.inputs)))
            for t, s in zip(i.outputs, i.layer.outputs, strict=True):
                if t in depths:
                    fifo = StreamingFIFO(s.shape, s.dtype, s.lanes, depths[t], window=s.window, taps=s.taps)
                    placed.append(Instance(t, fifo, (t,), (behind[t],)))
                    found._schedules[t] = fifo.schedule()
        found.placed = tuple(placed)
        return found

    def border(self, tensor: str) -> int:
        """Beats that the layers at both ends of a tensor hold."""
        held = 0
        for i in self.placed:
            schedule = self._schedules[i.name]
            reads = schedule.reads[: len(i.inputs)]
            ends: list[tuple[str, Reads | Writes]] = [
                *zip(i.outputs, schedule.writes, strict=True),
                *zip(i.inputs, reads, strict=True),
            ]
            held += sum(end.depth for t, end in ends if t == tensor)
        return held

    def run(
        self,
        frames: int,
        *,
        interval: int = 0,
        until_steady: bool = False,
        every: bool = False,
        follower: Follower | None = None,
    ) -> Timing:
        """Send `frames` frames; `until_steady`: at most so many after the buffers can have been full.

        Then it ends, too, if a tensor falls behind the interval in FALLS frames one after the other.
        interval : cycles over which the beats of a frame are spread at the inputs; 0 for one beat per cycle.
        every : tell the times of all beats. follower : is called for each step that makes something.
        Raises DataflowError if the layers deadlock, or cannot be followed; ToolMissing for a follower without compiler.
        """
        names, plan = self._plan(interval)
        engine = _engine(plan, every) if follower is None else _followed(plan, every, names, follower)
        period = None
        least = _held(plan) if until_steady else 0
        for count in range(1, least + frames + 1):
            if not engine.frame():
                raise _stopped(plan, names, engine)
            if count > least > 0:
                last = [engine.passed(e)[:, -1] for e in range(len(names))]
                if (period := _period(last, count)) or (interval and _falls_back(last, interval)):
                    break
        passed = {t: engine.passed(e) for e, t in enumerate(names) if e not in plan.constants}
        if not every:
            passed = {t: times[:, [0, -1]] for t, times in passed.items()}
        levels = engine.levels()
        return Timing(
            passed,
            tuple(names[e] for e in plan.sources if e not in plan.constants),
            tuple(names[e] for e in plan.sinks),
            {name: peak for name, (peak, _) in levels.items()},
            {name: needed for name, (_, needed) in levels.items()},
            {t: n for (e, t), n in zip(enumerate(names), engine.blocked(), strict=True) if e not in plan.constants},
            period,
            sum(plan.beats) * len(passed[names[0]]),
        )

    def _plan(self, interval: int) -> tuple[tuple[str, ...], Plan]:
        """The names of the edges, and the graph in numbers."""
        streams: dict[str, Stream | ConstantInput] = {}
        for i in self.placed:
            streams |= zip((*i.inputs, *i.outputs), (*i.layer.inputs, *i.layer.outputs), strict=True)
        fed = {
            i.name: [(f"{i.name} constant {k}", c) for k, c in enumerate(i.layer.constant_inputs)] for i in self.placed
        }
        constants = {name: c for found in fed.values() for name, c in found}
        streams |= constants
        number = {t: k for k, t in enumerate(streams)}
        members = tuple(
            Member(
                i.name,
                self._schedules[i.name],
                tuple(number[t] for t in (*i.inputs, *(name for name, _ in fed[i.name]))),
                tuple(number[t] for t in i.outputs),
                isinstance(i.layer, StreamingFIFO),
            )
            for i in self.placed
        )
        made, read = {e for m in members for e in m.outputs}, {e for m in members for e in m.inputs}
        sources, sinks = (tuple(e for e in number.values() if e not in other) for other in (made, read))
        beats, always = tuple(s.beats for s in streams.values()), frozenset(number[name] for name in constants)
        return tuple(number), Plan(members, beats, sources, sinks, interval, always)


def _held(plan: Plan) -> int:
    """Frames that the largest buffer holds: it can limit nothing before it was full."""
    ends = [(r.depth, e) for m in plan.members for r, e in zip(m.schedule.reads, m.inputs, strict=True)]
    ends += [(w.depth, e) for m in plan.members for w, e in zip(m.schedule.writes, m.outputs, strict=True)]
    return max(-(-depth // plan.beats[e]) for depth, e in ends if depth < UNLIMITED)


def _period(last: Sequence[IntArray], frames: int) -> int | None:
    """The number of frames after which all tensors repeat, seen twice; None if they do not."""
    for period in PERIODS:
        if frames > 2 * period and all(t[-1] - t[-1 - period] == t[-1 - period] - t[-1 - 2 * period] for t in last):
            return period
    return None


def _falls_back(last: Sequence[IntArray], interval: int) -> bool:
    for times in last:
        distances = np.diff(times[-1 - FALLS :])
        if len(distances) == FALLS and (distances > interval).all() and distances[-1] >= distances[0]:
            return True
    return False


# Deadlocks


def _stopped(plan: Plan, names: Sequence[str], engine: Engine) -> DataflowError:
    """Why a run has not come to its end."""
    if isinstance(engine, _Compiled) and (lost := engine.lost()):
        member, why = lost
        return DataflowError(
            "the kernel and the schedule of a layer contradict each other",
            where=f"node {member.name}",
            why=why,
            remedy="compare schedule() of the layer with its kernel in finn-hlslib",
        )
    return _deadlock(plan, names, engine.waits())


def _deadlock(plan: Plan, names: Sequence[str], waits: Sequence[int]) -> DataflowError:
    """Which layers wait for each other; the shortest circle of them."""
    writer = {e: k for k, m in enumerate(plan.members) for e in m.outputs}
    reader = {e: k for k, m in enumerate(plan.members) for e in m.inputs}
    reasons: dict[int, tuple[int, str]] = {}
    for k, (m, end) in enumerate(zip(plan.members, waits, strict=True)):
        if end < 0:
            continue
        edge = (*m.inputs, *m.outputs)[end]
        other = (writer if end < len(m.inputs) else reader).get(edge, -1)
        if other >= 0:
            kind = "a beat of" if end < len(m.inputs) else "room towards"
            reasons[k] = other, f"{m.name} waits for {kind} {plan.members[other].name}"
    circle = min((_circle(k, reasons) for k in reasons), key=len, default=[])
    stuck = [m.name for m, end in zip(plan.members, waits, strict=True) if end >= 0]
    return DataflowError(
        f"the schedules of {', '.join(plan.members[k].name for k in circle) or ', '.join(stuck)} deadlock",
        why="; ".join(reasons[k][1] for k in circle),
        remedy="put a deeper FIFO where a layer waits for room",
    )


def _circle(start: int, reasons: Mapping[int, tuple[int, str]]) -> list[int]:
    """The circle that following the reasons from `start` ends in."""
    seen: list[int] = []
    k = start
    while k in reasons and k not in seen:
        seen.append(k)
        k = reasons[k][0]
    circle = seen[seen.index(k) :] if k in seen else seen
    first = circle.index(min(circle))
    return circle[first:] + circle[:first] if k in seen else circle


# The compiled recurrences


class _End(ctypes.Structure):
    _fields_ = (
        ("edge", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("steps", ctypes.c_void_p),
        ("other", ctypes.c_void_p),
        ("depth", ctypes.c_int64),
        ("delay", ctypes.c_int64),
    )


class _Layer(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in ("steps", "periods", "inputs", "outputs", "is_fifo"))


class _Compiled:
    """`Recurrences` in C++."""

    def __init__(self, library: ctypes.CDLL, plan: Plan, every: bool, follower: Follower | None = None) -> None:
        self._library, self._plan, self._follower = library, plan, follower
        self._frames = 0
        self._held: list[IntArray] = []  # the library keeps pointers to them
        layers = [
            _Layer(m.schedule.steps, m.schedule.periods, len(m.inputs), len(m.outputs), m.is_fifo) for m in plan.members
        ]
        ends = [end for m in plan.members for end in self._ends(m)]
        spread = [0 if e in plan.constants else plan.interval for e in plan.sources]
        beats, sources, intervals = (self._keep(x) for x in (plan.beats, plan.sources, spread))
        self._handle = ctypes.c_void_p(
            library.finn_timing_new(
                len(plan.beats), beats, len(layers), (_Layer * len(layers))(*layers), (_End * len(ends))(*ends),
                len(plan.sources), sources, intervals, int(every),
                *((follower.function, follower.context) if follower else (None, None)),
            )
        )  # fmt: skip

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._library.finn_timing_free(self._handle)

    def _keep(self, numbers: Iterable[int] | IntArray) -> int:
        array = np.ascontiguousarray(numbers if isinstance(numbers, np.ndarray) else list(numbers), np.int64)
        self._held.append(array)
        return int(array.ctypes.data)

    def _ends(self, m: Member) -> Iterable[_End]:
        for e, r in zip(m.inputs, m.schedule.reads, strict=True):
            steps = self._keep(r.steps)
            frees = steps if r.frees is None else self._keep(r.frees)
            yield _End(e, len(r.steps), steps, frees, r.depth, r.delay)
        for e, w in zip(m.outputs, m.schedule.writes, strict=True):
            steps = self._keep(w.steps)
            claims = steps if w.claims is None else self._keep(w.claims)
            yield _End(e, len(w.steps), steps, claims, -1 if w.depth >= UNLIMITED else w.depth, w.delay)

    def frame(self) -> bool:
        self._frames += 1
        return bool(self._library.finn_timing_frame(self._handle))

    def waits(self) -> list[int]:
        found = np.zeros(len(self._plan.members), np.int64)
        self._library.finn_timing_waits(self._handle, found.ctypes.data)
        return [int(k) for k in found]

    def times(self, edge: int) -> IntArray:
        found = np.zeros(self._library.finn_timing_count(self._handle, edge), np.int64)
        self._library.finn_timing_passed(self._handle, edge, found.ctypes.data)
        return found

    def passed(self, edge: int) -> IntArray:
        return self.times(edge).reshape(self._frames, -1)

    def lost(self) -> tuple[Member, str] | None:
        """The layer that could not be followed, and why."""
        if self._follower is None:
            return None
        reason = ctypes.c_int64()
        layer = self._library.finn_timing_lost(self._handle, ctypes.byref(reason))
        return (self._plan.members[layer], self._follower.reasons[reason.value - 1]) if layer >= 0 else None

    def blocked(self) -> Sequence[int]:
        found = np.zeros(len(self._plan.beats), np.int64)
        self._library.finn_timing_blocked(self._handle, found.ctypes.data)
        return [int(n) for n in found]

    def levels(self) -> Mapping[str, tuple[int, int]]:
        fifos = [m.name for m in self._plan.members if m.is_fifo]
        found = np.zeros((len(fifos), 2), np.int64)
        self._library.finn_timing_levels(self._handle, found.ctypes.data)
        return {name: (int(peak), int(needed)) for name, (peak, needed) in zip(fifos, found, strict=True)}


@lru_cache
def _library_or_none() -> ctypes.CDLL | None:
    """The compiled recurrences; None, with a warning, if they cannot be compiled."""
    try:
        return _library()
    except (FinnError, OSError) as error:
        log.warning("schedules run in Python, which takes some hundred times longer: %s", error)
        return None


@lru_cache
def _library() -> ctypes.CDLL:
    """The compiled recurrences. Raises ToolMissing, NativeError."""
    library = ctypes.CDLL(str(shared_object(Path(__file__).with_suffix(".cpp"), FLAGS)))
    word, pointer = ctypes.c_int64, ctypes.c_void_p
    library.finn_timing_new.restype = pointer
    numbers, pairs = (word, pointer), (word, pointer, pointer)
    library.finn_timing_new.argtypes = [*numbers, *pairs, *pairs, word, pointer, pointer]
    library.finn_timing_free.argtypes = [pointer]
    library.finn_timing_frame.argtypes = [pointer]
    for name in ("waits", "levels", "blocked", "lost"):
        getattr(library, f"finn_timing_{name}").argtypes = [pointer, pointer]
    library.finn_timing_count.argtypes = [pointer, word]
    library.finn_timing_passed.argtypes = [pointer, word, pointer]
    for name in ("frame", "count", "lost"):
        getattr(library, f"finn_timing_{name}").restype = word
    for name in ("free", "waits", "passed", "levels", "blocked"):
        getattr(library, f"finn_timing_{name}").restype = None
    return library


def _engine(plan: Plan, every: bool) -> Engine:
    library = _library_or_none()
    return Recurrences(plan) if library is None else _Compiled(library, plan, every)


def _followed(plan: Plan, every: bool, names: Sequence[str], follower: Follower) -> Engine:
    tensors = tuple(name for e, name in enumerate(names) if e not in plan.constants)
    if follower.tensors != tensors or tensors != tuple(names[: len(tensors)]):
        raise DataflowError("a follower of another graph", why=f"it has {follower.tensors}, the run {tensors}")
    return _Compiled(_library(), plan, every, follower)


# Runs


def simulate(placed: Sequence[Instance], frames: int, *, every: bool = False) -> Timing:
    """Run `frames` frames, offered at one beat per cycle and input, through these layers; see `Network.run`."""
    return Network(placed).run(frames, every=every)


def of_layer(layer: Layer, frames: int) -> Timing:
    """The layer alone."""
    return simulate(instances(make_model([("layer", layer)])), frames)


def of_graph(model: ModelWrapper, frames: int) -> Timing:
    """The layers of a dataflow graph."""
    return simulate(instances(model), frames)
