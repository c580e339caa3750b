"""Layers of made-up cost for tests of the folding search: any table of numbers, any coupling of streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import (
    Hls,
    IntArray,
    Layer,
    LayerError,
    Reads,
    Resources,
    Rtl,
    Schedule,
    Stream,
    Writes,
    folding,
    folding_option,
    memory_option,
)

BYTE = DataType["UINT8"]


@dataclass(frozen=True, eq=False)
class Toy(Layer):
    """Resources are random numbers that depend on `seed` and the foldings; work / (SIMD PE) cycles."""

    seed: int = 0
    positions: int = 3

    @property
    def parallel(self) -> int:
        return 1

    @property
    def work(self) -> int:
        return 1

    @property
    def cycles(self) -> int:
        return -(-self.work // self.parallel)

    def schedule(self) -> Schedule:
        reads = tuple(Reads(np.arange(s.beats)) for s in self.inputs)
        writes = tuple(Writes(np.arange(s.beats), 1, 2) for s in self.outputs)
        return Schedule(self.cycles, reads, writes)

    def execute(self, *inputs: IntArray) -> IntArray:
        return inputs[0]

    def rtl(self) -> Rtl:
        return Rtl("none", {})

    def hls(self) -> Hls:
        return Hls("none", "None", {})

    def resources(self, part: str | None = None) -> Resources:
        chosen = [str(v) for v in self.config().values()]
        rng = np.random.default_rng([self.seed, *map(ord, "".join(chosen))])
        memory = int(rng.integers(0, 4))
        lut = int(rng.integers(0, 400))
        return Resources(LUT=lut, BRAM_18K=memory if "block" in chosen else 0, DSP=int(rng.integers(0, 3)))


@dataclass(frozen=True, eq=False)
class Matrix(Toy):
    """(pixels, m) to (pixels, n): both sides folded alone."""

    m: int = 1
    n: int = 1
    SIMD: int = folding("m")
    PE: int = folding("n")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ram_style == "block" and self.PE == 1:
            raise LayerError("a memory that does not go with every factor")

    @property
    def parallel(self) -> int:
        return self.SIMD * self.PE

    @property
    def work(self) -> int:
        return self.m * self.n

    @property
    def parameter_width(self) -> int:
        return self.SIMD

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream((1, self.m), BYTE, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((1, self.n), BYTE, self.PE),)


@dataclass(frozen=True, eq=False)
class Windows(Toy):
    """m channels to windows in depthwise order, one position per beat or all."""

    m: int = 1
    SIMD: int = folding("m")
    parallel_window: int = folding_option(0, (0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parallel_window and self.SIMD == 1 and self.m > 1:
            raise LayerError("an option that does not go with every factor")

    @property
    def parallel(self) -> int:
        return self.SIMD * (self.positions if self.parallel_window else 1)

    @property
    def work(self) -> int:
        return self.m * self.positions

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream((1, self.m), BYTE, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        taps = self.positions if self.parallel_window else 1
        return (Stream((1, self.m * self.positions), BYTE, self.SIMD * taps, self.positions, taps),)


@dataclass(frozen=True, eq=False)
class Depthwise(Toy):
    """Windows in depthwise order to m channels: PE channels and SIMD positions of each per beat."""

    m: int = 1
    PE: int = folding("m")
    SIMD: int = folding("positions")

    @property
    def parallel(self) -> int:
        return self.PE * self.SIMD

    @property
    def work(self) -> int:
        return self.m * self.positions

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream((1, self.m * self.positions), BYTE, self.PE * self.SIMD, self.positions, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((1, self.m), BYTE, self.PE),)


@dataclass(frozen=True, eq=False)
class Knot(Toy):
    """`ins` streams of m channels to `outs` streams of them, all with PE lanes."""

    m: int = 1
    ins: int = 1
    outs: int = 1
    PE: int = folding("m")

    @property
    def parallel(self) -> int:
        return self.PE

    @property
    def work(self) -> int:
        return self.m

    @property
    def _stream(self) -> Stream:
        return Stream((1, self.m), self._dtype, self.PE)

    @property
    def _dtype(self) -> BaseDataType:
        return BYTE

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (self._stream,) * self.ins

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (self._stream,) * self.outs
