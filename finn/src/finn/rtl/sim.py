"""RTL simulation: a stitched design as a function on batches of integers, with cycle counts.

The model and its driver are one shared object (harness.cpp); Python touches arrays, never cycles.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from finn.core.datatype import DataType
from finn.dataflow.layer import IntArray
from finn.dataflow.packing import pack_beats, unpack_beats
from finn.rtl.errors import DeadlockError, RtlError
from finn.rtl.stitch import Design, Port
from finn.rtl.verilator import Model

_DIRECTORY = threading.Lock()  # the model's constructor reads memories relative to the working directory of the process
_PROBABILITY = 1 << 32
_Words = npt.NDArray[np.uint32]
MOST_STALLS = 0.99


class _Stream(ctypes.Structure):
    _fields_ = (
        ("words", ctypes.c_void_p),
        ("beats", ctypes.c_int64),
        ("cycles", ctypes.c_void_p),
        ("done", ctypes.c_int64),
    )


@dataclass(frozen=True)
class LinkStats:
    """What happened on one stream: beats taken, cycles in which a valid beat waited, cycles in which the reader did."""

    beats: int
    blocked: int
    starved: int
    valid: bool
    ready: bool


@dataclass(frozen=True)
class Passage:
    """The cycles in which each frame's first and last beat passed some ports."""

    first: IntArray
    last: IntArray

    @classmethod
    def of(cls, ports: Sequence[Passage]) -> Passage:
        """Through all of these ports."""
        return cls(np.min([p.first for p in ports], axis=0), np.max([p.last for p in ports], axis=0))

    @property
    def interval(self) -> float:
        """Mean distance of the frames' last beats once the pipeline is full (from the middle of the run on)."""
        start = len(self.last) // 2 if len(self.last) > 2 else 0
        frames = len(self.last) - 1 - start
        return float(self.last[-1] - self.last[start]) / frames if frames >= 1 else float("nan")


@dataclass(frozen=True)
class SimResult:
    """A finished run of N frames.

    outputs : one integer array (N, …) per output port. Cycles count from the first input beat that was taken.
    entered, left : when the frames passed each input port and each output port.
    checksums : of each CheckSum the word of the last frame, see `finn.dataflow.layers.checksum`.
    registers : per node the words that were read at the addresses asked for.
    """

    outputs: tuple[IntArray, ...]
    cycles: int
    entered: tuple[Passage, ...]
    left: tuple[Passage, ...]
    links: dict[str, LinkStats] = field(default_factory=dict)
    fifo_high_water: dict[str, int] = field(default_factory=dict)
    checksums: dict[str, int] = field(default_factory=dict)
    registers: dict[str, list[int]] = field(default_factory=dict)

    @property
    def input(self) -> Passage:
        """Through all input ports."""
        return Passage.of(self.entered)

    @property
    def output(self) -> Passage:
        """Through all output ports."""
        return Passage.of(self.left)

    @property
    def latency_cycles(self) -> int:
        """Of the first frame: from its first input beat to its last output beat, both cycles counted."""
        return int(self.output.last[0] - self.input.first[0]) + 1

    @property
    def interval_cycles(self) -> float:
        """Cycles from frame to frame at the outputs, see `Passage.interval`; the latency if there is one frame only."""
        found = self.output.interval
        return found if found == found else float(self.latency_cycles)


class Simulator:
    """A compiled model of `design`. Building takes seconds, from the cache milliseconds.

    trace: can write waveforms; assertions: the handshake rules are checked in each cycle (a violation ends the process
    with a message, as Verilator does).
    """

    def __init__(self, design: Design, trace: bool = False, assertions: bool = False) -> None:
        self.design = design
        self.trace = trace
        with ExitStack() as unfinished:
            self._folder = unfinished.enter_context(tempfile.TemporaryDirectory(prefix="finn_sim_"))
            top = Path(self._folder, f"{design.name}.sv")
            top.write_text(design.top)
            design.write_memories(top.parent)
            model = Model(design.name, (*design.sources, top), _ports_header(design), trace, assertions)
            self._library = _load(model.build())
            self._stack = unfinished.pop_all()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()

    def run(
        self,
        *inputs: IntArray,
        input_gaps: float = 0.0,
        back_pressure: float = 0.0,
        seed: int = 0,
        max_cycles: int | None = None,
        trace_file: str | os.PathLike[str] | None = None,
        registers: Mapping[str, Sequence[tuple[int, int]]] | None = None,
        read: Mapping[str, Sequence[int]] | None = None,
    ) -> SimResult:
        """Send frames, one array (N, *shape[1:] or *shape) per input port, and collect all results.

        input_gaps, back_pressure : probability that an input is not valid, an output not ready, in a cycle.
        registers : per node, writes (byte address, word) to its registers after reset, before the first frame; by
        default its layer's `first_writes`.
        read : per node, byte addresses of its registers to read after the last frame.
        Raises RtlError for arrays that do not fit or after max_cycles, DeadlockError if nothing moves any more.
        """
        _check_probabilities(input_gaps=input_gaps, back_pressure=back_pressure)
        beats = [_checked(x, port) for x, port in zip(inputs, self.design.inputs, strict=True)]
        frames = _frames(beats, self.design.inputs)
        if trace_file is not None:
            self._check_trace(Path(trace_file))
        ins = [_Buffer(words) for words in beats]
        constants = [_Buffer(pack_beats(p.constant.values, p.stream)) for p in self.design.constants if p.constant]
        outs = [_Buffer.empty(frames * p.stream.beats, p) for p in self.design.outputs]
        slowdown = (1 - input_gaps) * (1 - back_pressure)
        idle = int((2 * self._busy + 1000) / slowdown)
        limit = max_cycles if max_cycles is not None else 1 << 60
        first = {i.name: writes for i in self.design.instances if (writes := i.layer.first_writes)}
        accesses = self._accesses({**first, **(registers or {})})
        reads = self._accesses({node: [(a, 0) for a in addresses] for node, addresses in (read or {}).items()})
        handle = self._new(trace_file)
        try:
            self._access(handle, accesses, write=True)
            streams = [(_Stream * len(b))(*(x.stream for x in b)) for b in ([*ins, *constants], outs)]
            thresholds = [ctypes.c_uint32(int(p * _PROBABILITY)) for p in (input_gaps, back_pressure)]
            cycles = self._library.finn_sim_run(handle, *streams, *thresholds, seed, limit, idle)
            links, fifos = self._stats(handle)
            checksums = self._checksums(handle)
            self._access(handle, reads if cycles >= 0 else {}, write=False)
        finally:
            self._library.finn_sim_free(handle)
        done = [s.done for s in streams[1]]
        if cycles < 0:
            self._explain(cycles == -2, limit if cycles == -1 else idle, done, outs, links, fifos)
        peaks = {name: peak for name, (peak, _) in fifos.items()}
        found = {node: words[:, 1].tolist() for node, words in reads.items()}
        return replace(self._result(cycles, frames, ins, outs, links, peaks), checksums=checksums, registers=found)

    def _accesses(self, given: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, _Words]:
        """(address, word) pairs per node as (accesses, 2). Raises RtlError if a node has no such register."""
        bits = {port.node: port.address_bits for port in self.design.registers}
        for node, pairs in given.items():
            if node not in bits:
                raise RtlError(
                    f"{node} has no registers", where=self.design.name,
                    remedy=f"use one of {', '.join(bits)}" if bits else "set runtime_writeable_weights=1 for a layer",
                )  # fmt: skip
            wrong = [a for a, _ in pairs if a % 4 or not 0 <= a < 1 << bits[node]]
            if wrong:
                raise RtlError(
                    f"{node} has no register at {wrong[0]:#x}", where=self.design.name,
                    why="addresses are multiples of 4", remedy=f"use 0 to {(1 << bits[node]) - 4:#x}",
                )  # fmt: skip
        return {node: np.array(pairs, np.uint32).reshape(-1, 2) for node, pairs in given.items()}

    def _access(self, handle: ctypes.c_void_p, accesses: Mapping[str, _Words], write: bool) -> None:
        """Write, or read into the second column."""
        ports = [port.node for port in self.design.registers]
        for node, words in accesses.items():
            if not self._library.finn_sim_access(handle, ports.index(node), write, _address(words), len(words)):
                raise RtlError(f"a register of {node} does not answer", where=self.design.name)

    @property
    def _busy(self) -> int:
        """Cycles of a frame if no two layers work at a time: nothing that moves pauses longer."""
        return sum(i.layer.cycles for i in self.design.instances)

    def _check_trace(self, file: Path) -> None:
        """Raise RtlError if no waveforms can be written there; the model would end the process."""
        if not self.trace:
            raise RtlError("this simulator was made without waveforms", remedy="use Simulator(design, trace=True)")
        try:
            file.open("wb").close()
        except OSError as error:
            raise RtlError(f"cannot write waveforms to {file}", why=str(error.strerror)) from error

    def _new(self, trace_file: str | os.PathLike[str] | None) -> ctypes.c_void_p:
        trace = os.fsencode(Path(trace_file).absolute()) if trace_file is not None else None
        with _DIRECTORY:
            handle = self._library.finn_sim_new(os.fsencode(self._folder), trace)
        if not handle:
            raise RtlError(f"the simulator could not enter {self._folder}", remedy="check the temporary directory")
        return ctypes.c_void_p(handle)

    def _stats(self, handle: ctypes.c_void_p) -> tuple[dict[str, LinkStats], dict[str, tuple[int, int]]]:
        links, fifos = self.design.links, self.design.fifos
        probes = np.zeros((len(links), 4), np.uint32)
        levels = np.zeros((max(1, len(fifos)), 2), np.uint32)
        self._library.finn_sim_stats(handle, _address(probes), _address(levels))
        stats = {
            link.name: LinkStats(int(b), int(w), int(s), bool(state & 2), bool(state & 1))
            for link, (b, w, s, state) in zip(links, probes, strict=True)
        }
        return stats, {name: (int(peak), int(level)) for name, (peak, level) in zip(fifos, levels, strict=False)}

    def _checksums(self, handle: ctypes.c_void_p) -> dict[str, int]:
        names = self.design.checksums
        words = np.zeros(len(names), np.uint32)
        if names:
            self._library.finn_sim_checksums(handle, _address(words))
        return dict(zip(names, words.tolist(), strict=True))

    def _explain(
        self,
        stuck: bool,
        limit: int,
        done: list[int],
        outs: list[_Buffer],
        links: dict[str, LinkStats],
        fifos: dict[str, tuple[int, int]],
    ) -> None:
        """Raise: which FIFOs are full, which layers wait for input, which cannot get rid of their output."""
        layers = {i.name: i.layer for i in self.design.instances}
        full = [n for n, (_, level) in fifos.items() if level >= layers[n].config()["depth"]]
        ends = [(link, links[link.name]) for link in self.design.links]
        starving = [link.consumer for link, s in ends if s.ready and not s.valid and link.consumer]
        blocked = [link.producer for link, s in ends if s.valid and not s.ready and link.producer]
        state = "; ".join(
            f"{text}: {', '.join(names)}"
            for text, names in (("full FIFOs", full), ("starving", starving), ("blocked", blocked))
            if names
        )
        have = f"{sum(done)} of {sum(len(o.words) for o in outs)} output beats"
        if stuck:
            raise DeadlockError(
                f"deadlock: {have}, then nothing moved for {limit} cycles", where=self.design.name, why=state,
                remedy="deepen the full FIFOs, or look at the first layer that is neither starving nor blocked",
            )  # fmt: skip
        raise RtlError(f"time-out: {have} after {limit} cycles", where=self.design.name, why=state)

    def _result(
        self,
        cycles: int,
        frames: int,
        ins: list[_Buffer],
        outs: list[_Buffer],
        links: dict[str, LinkStats],
        high_water: dict[str, int],
    ) -> SimResult:
        outputs = tuple(
            unpack_beats(o.words, p.stream).reshape(_batch(frames, p.stream.shape))
            for o, p in zip(outs, self.design.outputs, strict=True)
        )
        start = min(b.cycles[0] for b in ins)
        into, out = (tuple(b.passage(frames, start) for b in side) for side in (ins, outs))
        return SimResult(outputs, cycles, into, out, links, high_water)


@dataclass
class _Buffer:
    """Beats as 32-bit words and the cycles in which they passed."""

    words: npt.NDArray[np.uint32]
    cycles: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.words = np.ascontiguousarray(self.words)
        self.cycles = np.zeros(len(self.words), np.int64)

    @classmethod
    def empty(cls, beats: int, port: Port) -> _Buffer:
        return cls(np.zeros((beats, -(-port.stream.padded_width // 32)), np.uint32))

    def passage(self, frames: int, start: int) -> Passage:
        cycles = self.cycles.reshape(frames, -1) - start
        return Passage(cycles[:, 0], cycles[:, -1])

    @property
    def stream(self) -> _Stream:
        return _Stream(_address(self.words), len(self.words), _address(self.cycles), 0)


def _frames(beats: Sequence[npt.NDArray[np.uint32]], ports: Sequence[Port]) -> int:
    """How many frames the inputs have. Raises RtlError if one has another number."""
    counts = [len(words) // port.stream.beats for words, port in zip(beats, ports, strict=True)]
    if len(set(counts)) != 1:
        text = ", ".join(f"{n} for {p.prefix}" for n, p in zip(counts, ports, strict=True))
        raise RtlError(f"{text}", why="each input needs the same number of frames", remedy="give equally many")
    return counts[0]


def _batch(frames: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Frames of a stream shape (1, …) are stacked along its first axis; other shapes get a new one."""
    return (frames, *shape[1:]) if shape[0] == 1 else (frames, *shape)


def _check_probabilities(**given: float) -> None:
    for name, value in given.items():
        if not 0 <= value <= MOST_STALLS:
            raise RtlError(f"{name}={value}", why="it is the probability of a stall", remedy=f"use 0 to {MOST_STALLS}")


def _checked(x: IntArray, port: Port) -> npt.NDArray[np.uint32]:
    stream = port.stream
    size = prod(stream.shape)
    if x.dtype.kind not in "iu":
        raise RtlError(
            f"values of type {x.dtype}", where=port.prefix, why="streams carry integers", remedy="round them"
        )
    if x.size == 0 or x.size % size or x.shape[-1] != stream.shape[-1]:
        raise RtlError(
            f"input of shape {x.shape}", where=port.prefix, why=f"one frame of tensor {port.tensor} is {stream.shape}",
            remedy=f"give an array of shape {('N', *_batch(1, stream.shape)[1:])}",
        )  # fmt: skip
    low, high = x.min(), x.max()
    fits = stream.dtype.min() <= low and high <= stream.dtype.max()
    if not fits or (stream.dtype == DataType["BIPOLAR"] and not x.all()):
        raise RtlError(f"values outside {stream.dtype.name}", where=port.prefix, why=f"they range from {low} to {high}")
    return pack_beats(x.reshape(-1, size), stream)


def _address(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.finn_sim_new.restype = ctypes.c_void_p
    library.finn_sim_new.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    library.finn_sim_free.argtypes = [ctypes.c_void_p]
    library.finn_sim_stats.argtypes = [ctypes.c_void_p] * 3
    library.finn_sim_checksums.argtypes = [ctypes.c_void_p] * 2
    library.finn_sim_access.restype = ctypes.c_bool
    library.finn_sim_access.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_bool, ctypes.c_void_p, ctypes.c_int64]
    library.finn_sim_run.restype = ctypes.c_int64
    library.finn_sim_run.argtypes = (
        [ctypes.c_void_p] * 3 + [ctypes.c_uint32] * 2 + [ctypes.c_uint64] + [ctypes.c_int64] * 2
    )
    return library


def _ports_header(design: Design) -> str:
    """The generated part of the driver: which ports, probes and FIFOs there are."""
    inside = f"{design.name}__DOT__"
    lists = {
        "FINN_INPUTS": _entries(design.inputs),
        "FINN_CONSTANTS": _entries(design.constants, len(design.inputs)),
        "FINN_OUTPUTS": _entries(design.outputs),
        "FINN_REGISTERS": [f"P({k}, {r.prefix})" for k, r in enumerate(design.registers)],
        "FINN_PROBES": [f"P({k}, {inside}probe_{link.name})" for k, link in enumerate(design.links)],
        "FINN_FIFOS": [f"P({k}, {inside}{name})" for k, name in enumerate(design.fifos)],
        "FINN_CHECKSUMS": [f"P({k}, {inside}{name})" for k, name in enumerate(design.checksums)],
    }
    counts = {"FINN_INPUT_COUNT": len(design.inputs) + len(design.constants), "FINN_OUTPUT_COUNT": len(design.outputs)}
    lines = [f"#define {name} {count}" for name, count in counts.items()]
    lines += [f"#define {name}(P) {' '.join(entries)}" for name, entries in lists.items()]
    return "\n".join(lines) + "\n"


def _entries(ports: Sequence[Port], first: int = 0) -> list[str]:
    return [f"P({k}, {p.prefix}, {-(-p.stream.padded_width // 32)})" for k, p in enumerate(ports, first)]
