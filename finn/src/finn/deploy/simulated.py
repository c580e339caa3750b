# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Simulated devices: the layers of a network in NumPy, in C++ or as RTL, behind the interface of a board."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from finn.core.errors import nearest
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import evaluate, instances
from finn.dataflow.layer import IntArray, Stream
from finn.dataflow.timing import Network
from finn.deploy.device import BackgroundDevice
from finn.deploy.errors import DeployError
from finn.deploy.ports import Bytes, Port
from finn.hls import CppSimulator
from finn.rtl.sim import Simulator
from finn.rtl.stitch import stitch
from finn.synth.boards import board_names

STARTING_S = 60.0
"""A simulation may wait so long for a processor."""


class SimulatedDevice(BackgroundDevice):
    """A device that simulates `model`, a graph of layers with width converters and FIFOs, with one frame as its batch.

    clk_ns : period of the clock that the design is made for. Raises DeployError for ports that a driver cannot feed.
    """

    slowest: ClassVar[float]
    """Clock cycles per second that it simulates at least, on any machine."""

    def __init__(self, model: ModelWrapper, clk_ns: float) -> None:
        super().__init__()
        self.model = model
        self.fclk_mhz = 1e3 / clk_ns
        self.inputs, self.outputs = _ports(model)
        self._frames = 0

    @abstractmethod
    def simulate(self, frames: Sequence[IntArray]) -> Sequence[IntArray]:
        """Frames (N, ...) of each input to those of each output, in int64."""

    def compute(self, inputs: Sequence[Bytes]) -> list[Bytes]:
        given = [port.unfold(port.unpack(x)) for port, x in zip(self.inputs, inputs, strict=True)]
        self._frames = len(inputs[0])
        made = self.simulate([x.astype(np.int64) for x in given])
        return [p.pack(p.fold(y.reshape(-1, *p.normal[1:]))) for p, y in zip(self.outputs, made, strict=True)]

    def patience_s(self, frames: int) -> float:
        busy = sum(i.layer.cycles for i in instances(self.model))
        return STARTING_S + busy * (frames + 1) / self.slowest

    def counter(self) -> Callable[[], int]:
        """As the layers' schedules say, which RTL keeps to."""
        return partial(self._scheduled, self._frames)

    def _scheduled(self, frames: int) -> int:
        times = self._schedules.run(frames)
        return max(int(times.passed[t][-1, -1]) for t in times.outputs) + 1

    @cached_property
    def _schedules(self) -> Network:
        return Network(instances(self.model))


class PythonDevice(SimulatedDevice):
    """What the layers mean, in NumPy."""

    platform = "python"
    slowest = 1e3

    def simulate(self, frames: Sequence[IntArray]) -> Sequence[IntArray]:
        values = evaluate(self.model, *frames)
        return [values[port.name] for port in self.outputs]


class CppDevice(SimulatedDevice):
    """The layers in C++. Raises HlsError, ToolMissing as `CppSimulator`."""

    platform = "cppsim"
    slowest = 1e4

    def __init__(self, model: ModelWrapper, clk_ns: float) -> None:
        super().__init__(model, clk_ns)
        self._simulator = CppSimulator(model)

    def simulate(self, frames: Sequence[IntArray]) -> Sequence[IntArray]:
        return self._simulator.run(*frames)


class RtlDevice(SimulatedDevice):
    """The stitched design, cycle by cycle. Raises RtlError, ToolMissing as `Simulator`."""

    platform = "rtlsim"
    slowest = 1e3

    def __init__(self, model: ModelWrapper, clk_ns: float) -> None:
        super().__init__(model, clk_ns)
        self._simulator = Simulator(stitch(model))
        weakref.finalize(self, self._simulator.__exit__, None, None, None)  # its files go when the device does
        self._cycles = 0

    def simulate(self, frames: Sequence[IntArray]) -> Sequence[IntArray]:
        result = self._simulator.run(*frames)
        self._cycles = result.cycles
        return result.outputs

    def counter(self) -> Callable[[], int]:
        cycles = self._cycles
        return lambda: cycles


PLATFORMS: dict[str, type[SimulatedDevice]] = {kind.platform: kind for kind in (RtlDevice, CppDevice, PythonDevice)}


def platform(name: str) -> type[SimulatedDevice]:
    """The kind of device of that name. Raises DeployError if there is none, as for boards until now."""
    if name in board_names():
        raise DeployError(
            f"there is no driver for the board {name} yet",
            remedy=f"use {' or '.join(PLATFORMS)}; `finn build` makes the bitstream where the board has open tools",
        )
    if name not in PLATFORMS:
        raise DeployError(
            f"there is no device {name!r}",
            why=f"simulated ones are {', '.join(PLATFORMS)}",
            remedy=nearest(name, list(PLATFORMS)),
        )
    return PLATFORMS[name]


def _ports(model: ModelWrapper) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of a graph of layers."""
    streams: dict[str, Stream] = {}
    for i in instances(model):
        streams |= zip(i.inputs, i.layer.inputs, strict=False)
        streams |= zip(i.outputs, i.layer.outputs, strict=True)
    graph = model.graph
    ins, outs = (tuple(Port.of(t.name, streams[t.name]) for t in side) for side in (graph.input, graph.output))
    return ins, outs
