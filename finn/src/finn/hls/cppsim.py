# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""C++ simulation: a graph of layers, compiled to one shared object, as a function on batches of integers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.layer import IntArray, Stream
from finn.dataflow.timing import Follower, Timing
from finn.dataflow.timing import Network as Layers
from finn.hls import cpp
from finn.hls.compilation import compiled
from finn.hls.errors import HlsError
from finn.hls.network import source_of

FAULTS = (
    "its kernel leaves beats that the layer has read by then",
    "its kernel sends more beats than the layer",
    "its kernel waits for a beat that has not come by then",
)
"""What `Fault` in runtime.hpp means, behind None."""


@dataclass(frozen=True)
class CycleResult:
    """A run of N frames, cycle by cycle.

    outputs : integers (N, …) per output of the graph. times : when frames passed, how full FIFOs were, how long beats
    waited. held : per tensor, the most beats that the simulation kept: those on the way in hardware at the most.
    """

    outputs: tuple[IntArray, ...]
    times: Timing
    held: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """From the first input beat to the last output beat."""
        return max(int(self.times.passed[t][-1, -1]) for t in self.times.outputs) + 1


class CppSimulator:
    """The layers of a dataflow graph in C++, bit by bit as in hardware, as fast as the processor goes.

    Raises HlsError if the graph cannot be compiled, ToolMissing without a C++ compiler.
    """

    def __init__(self, model: ModelWrapper) -> None:
        self.source = source_of(model)
        self._library = _load(compiled(self.source))
        self._data = [_contiguous(cpp.stored(values, dtype)) for values, dtype in self.source.tables]
        self._tables = _pointers([d.ctypes.data for d in self._data])

    def run(self, *inputs: IntArray, threads: int | None = None) -> tuple[IntArray, ...]:
        """Frames (N, …) per input of the graph -> the same of its outputs.

        threads : over which the frames are spread; as many as there are processors by default.
        Raises HlsError for inputs that do not fit, or if a kernel asks for a beat that nobody sends.
        """
        frames, beats = self._beats(inputs)
        outs = self._room(frames)
        count = min(frames, threads or len(os.sched_getaffinity(0)))
        starts = [frames * k // count for k in range(count + 1)]
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda a, b: self._part(beats, outs, a, b), starts[:-1], starts[1:]))
        return self._meant(outs)

    def run_cycles(self, *inputs: IntArray, interval: int = 0) -> CycleResult:
        """As `run`, cycle by cycle: streams and FIFOs are bounded as in hardware, and time passes.

        When each beat passes follows from the layers' schedules (`finn.dataflow.timing`), which are as RTL; the kernels
        are stepped in that order, and may use what has passed by then.
        interval : cycles over which the beats of a frame are spread at the inputs; 0 for one beat per cycle.
        Raises HlsError as `run`; DataflowError if the layers deadlock, or a kernel needs what has not passed.
        """
        frames, beats = self._beats(inputs)
        outs = self._room(frames)
        with self._network() as network:
            self._library.finn_network_send(network, _pointers([b.ctypes.data for b in beats]), frames)
            address = ctypes.cast(self._library.finn_network_follow, ctypes.c_void_p).value
            follower = Follower(address or 0, network, self.source.tensors, FAULTS)
            times = Layers(self.source.instances).run(frames, interval=interval, follower=follower)
            self._library.finn_network_receive(network, _pointers([o.ctypes.data for o in outs]), frames)
            held = {t: self._library.finn_network_most(network, k) for k, t in enumerate(self.source.tensors)}
        return CycleResult(self._meant(outs), times, held)

    def steps(self, *inputs: IntArray) -> dict[str, int]:
        """Node name -> the clock cycles in which its kernel does something, if all frames are there from the beginning.

        Raises HlsError as `run`.
        """
        frames, beats = self._beats(inputs)
        with self._network() as network:
            self._library.finn_network_send(network, _pointers([b.ctypes.data for b in beats]), frames)
            self._step(network, frames)
            return {i.name: self._library.finn_network_steps(network, k) for k, i in enumerate(self.source.instances)}

    def _beats(self, inputs: Sequence[IntArray]) -> tuple[int, list[cpp.Bytes]]:
        """The number of frames, and the elements of their beats. Raises HlsError if they do not fit."""
        streams = [stream for _, stream in self.source.inputs]
        frames = _frames(inputs, streams)
        return frames, [_contiguous(cpp.stored(s.to_beats(x), s.dtype)) for x, s in zip(inputs, streams, strict=True)]

    def _room(self, frames: int) -> list[cpp.Bytes]:
        """For the elements of the outputs' beats."""
        return [np.zeros((frames * s.beats, s.lanes), cpp.storage(s.dtype)) for _, s in self.source.outputs]

    def _meant(self, outs: Sequence[cpp.Bytes]) -> tuple[IntArray, ...]:
        return tuple(
            s.from_beats(cpp.meant(out, s.dtype)).reshape(-1, *s.shape[1:])
            for out, (_, s) in zip(outs, self.source.outputs, strict=True)
        )

    @contextmanager
    def _network(self) -> Iterator[int]:
        network = self._library.finn_network_new(self._tables)
        try:
            yield network
        finally:
            self._library.finn_network_free(network)

    def _step(self, network: int, frames: int) -> None:
        """All kernels, one after the other. Raises HlsError if one of them goes wrong."""
        fault = ctypes.c_int64()
        failed = self._library.finn_network_run(network, frames, ctypes.byref(fault))
        if failed >= 0:
            raise HlsError(
                "the C++ simulation has stopped",
                where=f"node {self.source.instances[failed].name}",
                why=FAULTS[fault.value - 1],
                remedy="compare the layer with its kernel in finn-hlslib",
            )

    def _part(self, inputs: Sequence[cpp.Bytes], outputs: Sequence[cpp.Bytes], start: int, stop: int) -> None:
        """Frames `start` to `stop` on one thread."""
        streams = [s for _, s in (*self.source.inputs, *self.source.outputs)]
        sizes = [s.beats * array.strides[0] for array, s in zip((*inputs, *outputs), streams, strict=True)]
        places = [array.ctypes.data for array in (*inputs, *outputs)]
        with self._network() as network:
            for frame in range(start, stop):
                at = [p + frame * n for p, n in zip(places, sizes, strict=True)]
                self._library.finn_network_send(network, _pointers(at[: len(inputs)]), 1)
                self._step(network, 1)
                self._library.finn_network_receive(network, _pointers(at[len(inputs) :]), 1)


def _frames(inputs: Sequence[IntArray], streams: Sequence[Stream]) -> int:
    """How many frames there are. Raises HlsError."""
    if len(inputs) != len(streams):
        raise HlsError(f"{len(inputs)} inputs", why=f"the graph has {len(streams)}")
    counts = set()
    for x, s in zip(inputs, streams, strict=True):
        if x.size % prod(s.shape[1:]) or not x.size:
            raise HlsError(f"an input of shape {x.shape}", why=f"a frame is {s.shape}", remedy="give whole frames")
        if not s.dtype.allowed(x).all():
            raise HlsError(f"values outside {s.dtype.name}", why=f"they range from {x.min()} to {x.max()}")
        counts.add(x.size // prod(s.shape[1:]))
    if len(counts) != 1:
        raise HlsError(f"inputs of {sorted(counts)} frames", remedy="give as many of each")
    return counts.pop()


def _pointers(addresses: Sequence[int]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(addresses)))(*addresses)


def _contiguous(array: cpp.Bytes) -> cpp.Bytes:
    return np.ascontiguousarray(array)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    library.finn_network_new.restype = pointer
    library.finn_network_new.argtypes = [pointer]
    library.finn_network_free.argtypes = [pointer]
    library.finn_network_run.restype = ctypes.c_int64
    for function in (library.finn_network_steps, library.finn_network_most):
        function.restype = ctypes.c_uint64
        function.argtypes = [pointer, ctypes.c_int64]
    library.finn_network_run.argtypes = [pointer, ctypes.c_uint64, pointer]
    library.finn_network_send.argtypes = library.finn_network_receive.argtypes = [pointer, pointer, ctypes.c_uint64]
    return library
