"""What a hardware layer declares once, and what every tool derives from that.

A layer is a frozen dataclass in one file: what the network fixes, the foldings, its streams, its schedule, its cost,
its meaning on NumPy integers and the SystemVerilog module that implements it. This module imports no layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cached_property, lru_cache
from math import prod
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType
from finn.core.errors import FinnError

IntArray = npt.NDArray[np.int64]
L = TypeVar("L", bound="Layer")
T = TypeVar("T")


class LayerError(FinnError):
    """A layer was given values that do not fit together."""


@dataclass(frozen=True)
class Stream:
    """A tensor sent beat by beat; each beat carries `lanes` elements of the last axis.

    Lane 0 is in the least significant bits; a value is two's complement, or one bit (-1 as 0) if bipolar.
    Beats go in C order, unless window > 1: then the last axis is `window` positions of a kernel by channels (as Im2Col
    makes it, channels innermost), and all positions of a few channels are sent before those of the next, as depthwise
    layers want them: (..., channels / c, window / taps) beats of (taps, c) lanes, c being lanes / taps.
    """

    shape: tuple[int, ...]
    dtype: BaseDataType
    lanes: int = 1
    window: int = 1
    taps: int = 1

    def __post_init__(self) -> None:
        last = self.shape[-1]
        if last % self.lanes or last % self.window or self.lanes % self.taps or self.window % self.taps:
            raise LayerError(
                f"a stream of {self.lanes} lanes ({self.taps} of {self.window} positions) for the shape {self.shape}",
                why="each beat has to hold the same part of the last axis",
                remedy="use a folding that divides it",
            )

    @property
    def folded_shape(self) -> tuple[int, ...]:
        """(..., beats per vector, lanes)"""
        return (*self.shape[:-1], self.shape[-1] // self.lanes, self.lanes)

    @property
    def beats(self) -> int:
        """Beats per frame."""
        return prod(self.folded_shape[:-1])

    @property
    def width(self) -> int:
        """Bits per beat."""
        return self.lanes * self.dtype.bitwidth()

    @property
    def padded_width(self) -> int:
        """Bits per beat on an AXI4-Stream, which counts whole bytes."""
        return -(-self.width // 8) * 8

    @property
    def order(self) -> tuple[int, int] | None:
        """(positions, channels of a beat) if elements go depthwise, None if they go in C order."""
        channels = self.lanes // self.taps
        return None if self.window == 1 or channels * self.window == self.shape[-1] else (self.window, channels)

    def converts_to(self, other: Stream) -> bool:
        """Whether the same elements come in the same order, so that a width converter can connect both."""
        return (self.shape, self.dtype, self.order) == (other.shape, other.dtype, other.order)

    def to_beats(self, values: IntArray) -> IntArray:
        """Frames in C order, of any leading shape -> (beats, lanes)."""
        if self.order is None:
            return values.reshape(-1, self.lanes)
        positions, c = self.order
        folds = values.reshape(-1, positions // self.taps, self.taps, self.shape[-1] // positions // c, c)
        return np.asarray(folds.transpose(0, 3, 1, 2, 4).reshape(-1, self.lanes))

    def from_beats(self, beats: IntArray) -> IntArray:
        """The inverse of `to_beats`, as one axis."""
        if self.order is None:
            return beats.reshape(-1)
        positions, c = self.order
        folds = beats.reshape(-1, self.shape[-1] // positions // c, positions // self.taps, self.taps, c)
        return np.asarray(folds.transpose(0, 2, 3, 1, 4).reshape(-1))


@dataclass(frozen=True)
class Resources:
    """Estimated resources. Efficiency: stored bits per bit of the memories that hold them; 1 where there are none."""

    LUT: int = 0
    BRAM_18K: int = 0
    URAM: int = 0
    DSP: int = 0
    BRAM_efficiency: float = 1.0
    URAM_efficiency: float = 1.0

    @property
    def area(self) -> int:
        """One number to compare designs by: LUTs, and for a block of memory or a DSP block its share of a device.

        Devices have 160 to 400 LUTs per 18-kbit block and about 200 per DSP block; an UltraRAM is 16 blocks.
        """
        return self.LUT + 200 * (self.BRAM_18K + 16 * self.URAM + self.DSP)

    def __add__(self, other: Resources) -> Resources:
        """The sum of the counts; efficiencies have no sum and are those of `self`."""
        return replace(
            self,
            LUT=self.LUT + other.LUT,
            BRAM_18K=self.BRAM_18K + other.BRAM_18K,
            URAM=self.URAM + other.URAM,
            DSP=self.DSP + other.DSP,
        )


@dataclass(frozen=True)
class Rtl:
    """An instance of a module of the SystemVerilog library.

    Its ports are clk_i, rst_ni, and per side {in,out}_{data,valid,ready}_{i,o}. Several streams on a side share them:
    the data of stream k stand above those of stream k - 1, valid and ready have a bit for each.
    parameters : by name; a string is passed as a string, a tuple as a vector of 32 bits each, the first in the lowest.
    memories : lines of hexadecimal words by file name suffix; the module gets the common stem as its parameter `File`.
    axilite : bits of byte addresses, if it has registers that are reached on AXI4-Lite: then its last input takes
    requests and its last output gives replies, for axi_lite.sv; they are no streams of the graph.
    """

    module: str
    parameters: Mapping[str, int | str | tuple[int, ...]]
    memories: Mapping[str, list[str]] = field(default_factory=dict)
    axilite: int = 0


@dataclass(frozen=True, eq=False)
class CppObject:
    """An object that a kernel of the C++ library works with: weights, thresholds, a table, or a function without data.

    type : name of its class in namespace finn, with template arguments. values : the one array that it holds, in the
    shape of its C++ array; None if it holds nothing.
    stream : the number of the input stream that it reads, counted with constant inputs, if it is made of a stream;
    then `type` is the function that makes it. writable : whether the array can be written at run time.
    structs : dimensions of the array whose elements are structs, which hold the dimensions behind; 0 if there are none.
    """

    type: str
    arguments: tuple[int | BaseDataType, ...] = ()
    values: IntArray | None = None
    dtype: BaseDataType | None = None
    stream: int | None = None
    writable: bool = False
    structs: int = 0


@dataclass(frozen=True, eq=False)
class Hls:
    """A kernel of the C++ library: a class template of namespace finn with a member function `step`, one clock cycle.

    header : in finn-hlslib/include/finn, without suffix. config, types : members of the struct that is its argument:
    numbers and lists of numbers; element types. objects : what `step` gets behind its input and output streams.
    """

    header: str
    kernel: str
    config: Mapping[str, int | tuple[int, ...]]
    types: Mapping[str, BaseDataType] = field(default_factory=dict)
    objects: tuple[CppObject, ...] = ()


@dataclass(frozen=True, eq=False)
class ConstantInput:
    """A stream that a layer's module gets from outside, but from no tensor of the graph: always the same values.

    values : of one pass, an array of `stream.shape`. passes : how often they are read per frame.
    """

    stream: Stream
    values: IntArray
    passes: int

    @property
    def beats(self) -> int:
        """Beats per frame."""
        return self.stream.beats * self.passes


@dataclass(frozen=True)
class Reads:
    """When beats of one input are needed, in steps of a period.

    steps : ascending; of each beat, the first step that needs it or a later one. The length of the period means the
    first step of the next.
    depth : 0 if that step takes the beat from the stream; else the beats that the layer holds, and a beat can be used
    `delay` cycles after it was accepted.
    frees : if it holds beats, the last step that needs this or an earlier one; its place can be filled in the next
    cycle. By default the step that needs it first.
    """

    steps: IntArray
    depth: int = 0
    delay: int = 0
    frees: IntArray | None = None


@dataclass(frozen=True)
class Writes:
    """When beats of one output are made, in steps of a period.

    steps : ascending; of each beat, the step that makes it; it is offered `delay` cycles later, or when those before it
    have been taken.
    depth : the beats that can be on the way or wait; the step `claims` (by default the one that makes the beat) waits
    for a place, which can be claimed again in the cycle after its beat was taken.
    """

    steps: IntArray
    delay: int
    depth: int
    claims: IntArray | None = None


@dataclass(frozen=True)
class Schedule:
    """When a layer reads and writes one frame: `periods` times the same `steps` steps.

    reads : of the inputs, then of the constant inputs.
    A layer does one step per cycle; it waits in front of a step whose input has not come or whose output has no place.
    `finn.dataflow.timing` runs the schedules of a graph.
    """

    steps: int
    reads: tuple[Reads, ...]
    writes: tuple[Writes, ...]
    periods: int = 1


class Role(Enum):
    """What a search may choose an option for."""

    FOLDING = "folding"
    MEMORY = "memory"


def folding(of: str) -> Any:
    """A field for a folding factor: any divisor of the attribute `of`; 1 unless the designer says so."""
    return field(default=1, metadata={"of": of, "config": True})


def option(default: Any, choices: Iterable[Any] | None = None, role: Role | None = None) -> Any:
    """A field that a configuration file may set, one of `choices` if they are given."""
    metadata = {"config": True, "choices": tuple(choices) if choices else None, "role": role}
    return field(default=default, metadata=metadata)


def folding_option(default: Any, choices: Iterable[Any]) -> Any:
    """An option that is part of the folding: streams and time may depend on it; some choices may need some factors."""
    return option(default, choices, Role.FOLDING)


def memory_option(choices: Iterable[Any] = ("auto", "block", "distributed")) -> Any:
    """What a memory is made of, the first of `choices` by default; only resources depend on it."""
    first, *others = choices
    return option(first, (first, *others), Role.MEMORY)


class fixed(cached_property[T]):
    """A cached property, or check, that depends on no folding and no option: copies by `with_config` keep it."""


@dataclass(frozen=True, eq=False)  # arrays have no ==
class Layer(ABC):
    """A hardware layer with one input and one output stream, or several. The rest follows from the fields.

    Subclasses give the abstract members below. Fields made by `folding` and `option` are what a user may configure.
    Raises LayerError when made with a folding that does not divide its dimension or an option that is not a choice.
    """

    former_names: ClassVar[tuple[str, ...]] = ()
    """What FINN called nodes of this layer; accepted in configuration files."""

    joins: ClassVar[bool] = False
    """Whether it only joins other layers, as FIFOs and width converters do."""

    inFIFODepths: tuple[int, ...] = field(default=(2,), kw_only=True, metadata={"config": True})
    outFIFODepths: tuple[int, ...] = field(default=(2,), kw_only=True, metadata={"config": True})
    preferred_impl_style: str = field(
        default="", kw_only=True, metadata={"config": True, "choices": ("", "rtl", "hls")}
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if "of" in f.metadata:
                self._check_folding(f.name, value, f.metadata["of"])
            elif f.name in ("inFIFODepths", "outFIFODepths"):
                self._check_depths(f.name, value)
            elif f.metadata.get("choices") and value not in f.metadata["choices"]:
                raise LayerError(
                    f"{type(self).__name__}: {f.name}={value!r}",
                    why="it is not one of the choices",
                    remedy=f"use one of {', '.join(map(repr, f.metadata['choices']))}",
                )

    def _check_depths(self, name: str, depths: object) -> None:
        if not isinstance(depths, tuple) or not depths or not all(type(d) is int and d >= 0 for d in depths):
            raise LayerError(
                f"{type(self).__name__}: {name}={list(depths) if isinstance(depths, tuple) else depths!r}",
                why="it is not a list of one depth in beats per stream",
                remedy="write for example [2]",
            )

    def _check_folding(self, name: str, factor: int, of: str) -> None:
        size = getattr(self, of)
        if type(factor) is not int:
            raise LayerError(
                f"{type(self).__name__}: {name}={factor!r} is no integer",
                remedy=f"use one of {', '.join(map(str, divisors(size)))}",
            )
        if factor < 1 or size % factor:
            raise LayerError(
                f"{type(self).__name__}: {name}={factor} does not divide {of}={size}",
                why=f"each cycle has to do the same number of {of} elements",
                remedy=f"use one of {', '.join(map(str, divisors(size)))}",
            )

    @classmethod
    def foldings(cls) -> dict[str, str]:
        """Name of each folding factor -> name of the attribute that it divides, in the order in which to raise them."""
        return {f.name: f.metadata["of"] for f in fields(cls) if "of" in f.metadata}

    @classmethod
    def options(cls, role: Role) -> dict[str, tuple[Any, ...]]:
        """Name of each option of this role -> its choices."""
        return {f.name: f.metadata["choices"] for f in fields(cls) if f.metadata.get("role") is role}

    def config(self) -> dict[str, Any]:
        """What a configuration file may say about this layer, with the present values."""
        present = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata.get("config")}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in present.items()}

    def with_config(self: L, **values: Any) -> L:
        """A copy with other foldings or options. LayerError for a name that is none of them."""
        allowed = self.config()
        for name in values:
            if name not in allowed:
                raise LayerError(
                    f"{type(self).__name__} has no configurable attribute {name!r}",
                    remedy=f"use {', '.join(allowed)}",
                )
        chosen = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        kept = _kept(type(self), all(name in self.options(Role.MEMORY) for name in chosen))
        copy = object.__new__(type(self))  # not `replace`: it would check and derive anew what stays as it is
        copy.__dict__.update({n: v for n, v in vars(self).items() if n in kept} | chosen)
        copy.__post_init__()
        return copy

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]: ...

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]: ...

    @property
    def constant_inputs(self) -> tuple[ConstantInput, ...]:
        """What the module reads on streams behind those of `inputs`, and no other layer sends."""
        return ()

    @property
    def first_writes(self) -> Sequence[tuple[int, int]]:
        """(byte address, word) of the registers that have to be written before the first frame."""
        return ()

    @abstractmethod
    def schedule(self) -> Schedule:
        """How one frame is read and written."""

    @property
    def cycles(self) -> int:
        """The initiation interval: clock cycles from one frame to the next at full throughput."""
        schedule = self.schedule()
        return schedule.steps * schedule.periods

    @abstractmethod
    def execute(self, *inputs: IntArray) -> IntArray | tuple[IntArray, ...]:
        """What the layer means: integers of the shapes of `inputs`, with N frames along the first axis, to `outputs`.

        A layer with several outputs returns a tuple.
        """

    def results(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """`execute` with its outputs always as a tuple."""
        found = self.execute(*inputs)
        return found if isinstance(found, tuple) else (found,)

    @abstractmethod
    def resources(self, part: str | None = None) -> Resources:
        """Estimate for an FPGA part."""

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """Estimates of the other ways in which this layer could be built, this one included."""
        return [self.resources(part)]

    @property
    def parameter_width(self) -> int:
        """Bits of parameters that one output reads per cycle; 0 if it reads none."""
        return 0

    def op_and_param_counts(self) -> dict[str, int]:
        """Operations and parameters per frame, with FINN's keys: op_mac_<lo>bx<hi>b, param_weight_<b>b, …"""
        return {}

    @abstractmethod
    def rtl(self) -> Rtl:
        """The SystemVerilog instance."""

    def hls(self) -> Hls:
        """The C++ kernel.

        Raises LayerError: the layer is in SystemVerilog only, so C++ simulation and HLS projects cannot have it.
        """
        raise LayerError(
            f"the layer {type(self).__name__} has no C++ kernel",
            why="its class does not define hls()",
            remedy="define it (docs/contribute-a-layer.md), or use RTL simulation and preferred_impl_style rtl",
        )


@lru_cache
def _kept(cls: type[Layer], cached: bool) -> frozenset[str]:
    """What a copy takes over: fields and `fixed` properties, all cached ones if only memories change."""
    kind = cached_property if cached else fixed
    found = {name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, kind)}
    return frozenset(found | {f.name for f in fields(cls)})


def divisors(n: int) -> list[int]:
    """All divisors of n >= 1, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]
