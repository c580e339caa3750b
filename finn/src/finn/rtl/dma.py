"""DMA engines between the streams of a design and memory: how `iodma.sv` is instantiated and driven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import pairwise
from math import gcd, lcm

from finn.core.datatype import DataType
from finn.dataflow.cost import fabric
from finn.dataflow.layer import Resources, Stream
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl.errors import RtlError

NARROWEST = 32
"""Bits of the narrowest data port that AMD's interconnects take (SmartConnect, PG247)."""
BORDER = 4096
"""Bytes: a burst of AXI4 does not cross a multiple of this (ARM IHI 0022, A3.4.1)."""
BURST = 64
"""Words of the longest burst that is used: more takes memory, and no faster bus comes of it."""


class Direction(Enum):
    """Which way the data go, seen from the engine."""

    READ = "memory to stream"
    WRITE = "stream to memory"


class Register(IntEnum):
    """Byte addresses on the engine's AXI4-Lite port; iodma_control.sv says what their bits mean."""

    CONTROL = 0x00
    ADDRESS_LOW = 0x10
    ADDRESS_HIGH = 0x14
    REPETITIONS = 0x1C
    STATUS = 0x20


@dataclass(frozen=True)
class IODMA:
    """The engine of one stream at the border of a design. A repetition is a frame.

    In memory, beats follow each other without gaps, each padded to whole bytes.
    port_width : of the platform's memory ports, in bits: 64 on Zynq-7000, 128 on Zynq UltraScale+, 512 on Alveo.
    """

    stream: Stream
    direction: Direction
    port_width: int = 64

    def __post_init__(self) -> None:
        widths = [32 << k for k in range(6)]
        if self.port_width not in widths:
            raise RtlError(
                f"a memory port of {self.port_width} bits",
                why="AXI4 has ports of a power of two",
                remedy=f"use one of {', '.join(map(str, widths))}",
            )

    @property
    def data_width(self) -> int:
        """Bits of the bus: as FINN has it, what divides a beat and the port, but never below NARROWEST."""
        return max(NARROWEST, gcd(self.stream.padded_width, self.port_width))

    @property
    def frame_bytes(self) -> int:
        """Bytes per frame in memory."""
        return self.stream.beats * self.stream.padded_width // 8

    @property
    def burst(self) -> int:
        """Words of the longest burst."""
        return min(BURST, BORDER * 8 // self.data_width)

    @property
    def cycles(self) -> int:
        """Clock cycles per frame, if the memory keeps up."""
        return self.frame_bytes * 8 // self._unit

    @property
    def _unit(self) -> int:
        """Bits that pass per cycle."""
        return gcd(self.stream.padded_width, self.data_width)

    def parameters(self) -> dict[str, int]:
        """Of the module iodma."""
        return {
            "Write": int(self.direction is Direction.WRITE),
            "DataWidth": self.data_width,
            "StreamWidth": self.stream.padded_width,
            "Bytes": self.frame_bytes,
            "Burst": self.burst,
            "Bursts": 2,
        }

    def resources(self, part: str | None = None) -> Resources:
        """The buffer of two bursts, the converters of width, and the registers and counters."""
        fab = fabric(part)
        buffer = fab.fifo(self.data_width, 2 * self.burst, "auto")
        parts = [self.stream.padded_width, self._unit, self.data_width]
        converters = sum((_converter(a, b).resources(part) for a, b in pairwise(parts) if a != b), Resources())
        return buffer + converters + Resources(LUT=_CONTROL * fab.control)


_CONTROL = 15
"""Registers, burst generator and counters, with addresses of 64 bits, in units of the control of a layer."""


def _converter(into: int, out: int) -> StreamingDataWidthConverter:
    return StreamingDataWidthConverter((1, lcm(into, out)), DataType["BINARY"], into, out)
