"""Compute units: sums of products with weights, then thresholds if there are any. What MVAU and VVAU have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import ceil, prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
from finn.dataflow.arithmetic import MOST_BITS
from finn.dataflow.cost import Fabric, fabric, has_ultra_ram, in_ultra, plane_adders
from finn.dataflow.layer import (
    ConstantInput,
    CppObject,
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
    fixed,
    folding,
    memory_option,
    option,
)
from finn.dataflow.packing import hex_words, to_bits
from finn.dataflow.registers import Image, access_resources, lines_of, request_bits, word_address_bits, writes
from finn.dataflow.thresholds import Thresholds

BIPOLAR = DataType["BIPOLAR"]


@dataclass(frozen=True, eq=False)
class MatrixUnit(Layer):
    """`terms` products per result, `channels` results per vector; SIMD products of PE results per cycle.

    weights : (terms, channels) integers. thresholds : (channels, N) or (1, N), or None; then the result is the
    accumulator. bias (FINN's ActVal) is added to the count of thresholds.
    mem_mode : "internal_decoupled" (or "decoupled") and "internal_embedded" (or "const") keep the weights in a memory
    of `ram_style`, or in the logic if all are used in each cycle, which the folding decides. "external": they are a
    second input stream, all tiles again for each vector, one beat of PE * SIMD weights per tile, SIMD weights of PE 0
    in the least significant bits.
    runtime_writeable_weights : of "internal_decoupled" only: the memory, one line per tile in that order, can be
    written and read on AXI4-Lite (FINN's images). The accumulator, and a result without activation, is wide enough for
    all weights of the type. ram_style "ultra" needs it, as UltraRAM has no initial contents: the weights have to be
    written before the first frame.
    resType is FINN's attribute; products are made of LUTs.
    """

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    weights: IntArray
    weight_dtype: BaseDataType
    output_dtype: BaseDataType
    thresholds: IntArray | None = None
    bias: int = 0
    SIMD: int = folding("terms")
    PE: int = folding("channels")
    ram_style: str = memory_option(("auto", "block", "distributed", "ultra"))
    resType: str = option("lut", ("auto", "lut"))
    mem_mode: str = option(
        "internal_decoupled", ("internal_decoupled", "internal_embedded", "external", "const", "decoupled")
    )
    runtime_writeable_weights: int = option(0, (0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if not self._weights_fit:
            raise LayerError(f"{name}: weights outside {self.weight_dtype.name}", remedy="annotate their true type")
        self._check_memory(name)
        if self.thresholds is None and not _holds(self.output_dtype, self._accumulator):
            given, needed = self.output_dtype.name, self._accumulator.name
            raise LayerError(
                f"{name}: output type {given} is narrower than the accumulator {needed}",
                remedy="use the accumulator's type",
            )
        if self.thresholds is not None and self.thresholds.shape[0] not in (1, self.channels):
            rows = self.thresholds.shape[0]
            raise LayerError(f"{name}: thresholds for {rows} channels, the matrix has {self.channels}")
        _ = self.activation  # checks the thresholds

    def _check_memory(self, name: str) -> None:
        if self.runtime_writeable_weights and not self.mem_mode.endswith("decoupled"):
            raise LayerError(
                f"{name}: runtime_writeable_weights=1 with mem_mode={self.mem_mode!r}",
                why="there is no memory that could be written",
                remedy="use mem_mode='internal_decoupled'",
            )
        if self.ram_style == "ultra" and not self.runtime_writeable_weights:
            raise LayerError(
                f"{name}: ram_style='ultra' without runtime_writeable_weights=1",
                why="UltraRAM has no initial contents",
                remedy="use another ram_style, or runtime_writeable_weights=1 and write the weights first",
            )

    @property
    def vectors(self) -> int:
        """Input vectors per frame."""
        return prod(self.shape[:-1])

    @property
    def terms(self) -> int:
        return int(self.weights.shape[0])

    @property
    def channels(self) -> int:
        """Results per vector."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> tuple[Stream, ...]:
        dtype = self.accumulator if self.activation is None else self.output_dtype
        return (Stream((*self.shape[:-1], self.channels), dtype, self.PE),)

    @property
    def external(self) -> bool:
        """Whether the weights come as a stream."""
        return self.mem_mode == "external"

    @property
    def parameter_width(self) -> int:
        return self.SIMD * self.weight_dtype.bitwidth()

    @fixed
    def _weights_fit(self) -> bool:
        return bool(self.weight_dtype.allowed(self.weights).all())

    # Types

    @property
    def accumulator(self) -> BaseDataType:
        """Holds the result of every column: each weight meets the input that pulls its column furthest.

        Sums are kept modulo a power of two, so partial sums need no room of their own.
        """
        return self._widest_accumulator if self.runtime_writeable_weights else self._accumulator

    @fixed
    def _accumulator(self) -> BaseDataType:
        low, high = int(self.input_dtype.min()), int(self.input_dtype.max())
        most = max(-low, high) * int(np.abs(self.weights).sum(0, dtype=np.float64).max(initial=0))
        if most >= 1 << MOST_BITS:
            raise LayerError(
                f"{type(self).__name__}: sums of more than {MOST_BITS} bits", remedy="use narrower inputs or weights"
            )
        extremes = np.stack([self.weights * low, self.weights * high])
        return DataType.spanning(int(extremes.min(0).sum(0).min()), int(extremes.max(0).sum(0).max()))

    @fixed
    def _widest_accumulator(self) -> BaseDataType:
        """For all weights of the type."""
        ends = [int(x) * int(w) for x in _ends(self.input_dtype) for w in _ends(self.weight_dtype)]
        return DataType.spanning(self.terms * min(ends), self.terms * max(ends))

    @property
    def activation(self) -> Thresholds | None:
        return self._widest_activation if self.runtime_writeable_weights else self._activation

    @fixed
    def _activation(self) -> Thresholds | None:
        if self.thresholds is None:
            return None
        return Thresholds(self.thresholds, self.bias, self.output_dtype, self._accumulator)

    @fixed
    def _widest_activation(self) -> Thresholds | None:
        return self._activation and replace(self._activation, input_dtype=self._widest_accumulator)

    # Time

    @property
    def constant_inputs(self) -> tuple[ConstantInput, ...]:
        if not self.external:
            return ()
        lanes = self.PE * self.SIMD
        stream = Stream((self._tiles, lanes), self.weight_dtype, lanes)
        return (ConstantInput(stream, self._tiled(self.weights).reshape(self._tiles, lanes), self.vectors),)

    @abstractmethod
    def _reads(self) -> Reads:
        """Of the inputs of one vector."""

    def schedule(self) -> Schedule:
        sf, nf = self._input_folds, self._output_folds
        weights = Reads(np.arange(sf * nf), pipeline.STREAM_REGISTER_DEPTH, pipeline.STREAM_REGISTER)
        out = Writes(np.arange(1, nf + 1) * sf - 1, self._latency + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(sf * nf, (self._reads(), *[weights] * self.external), (out,), periods=self.vectors)

    def _activated(self, accumulated: IntArray) -> IntArray:
        return accumulated if self.activation is None else self.activation(accumulated)

    # Cost

    @abstractmethod
    def _input_rows(self) -> int:
        """Rows of SIMD inputs per cycle: one for all PEs, or one for each."""

    def _buffers(self, fab: Fabric) -> Resources:
        """What holds the inputs."""
        return Resources()

    def resources(self, part: str | None = None) -> Resources:
        """Weight memory, buffers, population counts and adders of PE rows, thresholds, output buffer."""
        fab = fabric(part)
        used = self._memory(fab, part) + self._buffers(fab)  # memory first: its efficiency is that of the sum
        if self.activation:
            used += self.activation.resources(fab, self.channels, self.PE)
        used += fab.credit_fifo(self.outputs[0].width, self._output_depth)
        delays = fab.delay * (self.inputs[0].width + (0 if self._constant else self._line_width))
        return used + Resources(LUT=fab.control + delays + self._arithmetic(fab))

    def _memory(self, fab: Fabric, part: str | None) -> Resources:
        """Of the weights; the register in front of them if they are a stream."""
        width, depth = self._line_width, self._tiles
        if self.external:
            return Resources(LUT=width)
        if not self.runtime_writeable_weights:
            return fab.rom(width, depth, self.ram_style)
        if self.ram_style == "ultra":
            memory = in_ultra(width, depth) if has_ultra_ram(part) else fab.in_blocks(width, depth)
        else:
            memory = fab.ram(width, depth, self.ram_style)
        return memory + access_resources(fab, width, self._address_bits)

    def _arithmetic(self, fab: Fabric) -> int:
        """LUTs of PE dot products, plane pair by plane pair, and of the accumulators.

        A bipolar weight that meets another type has a plane of ones; its population count is the same for all rows.
        """
        of_inputs, of_weights = self._planes
        pairs = of_inputs * of_weights
        if self._xnor:
            position = fab.xnor_constant if self._constant else fab.xnor
        else:
            position = fab.product_constant if self._constant else fab.product
        shared = self.weight_dtype == BIPOLAR and not self._xnor
        counts = of_inputs * (self.PE + self._input_rows()) if shared else pairs * self.PE
        chunks, bits = ceil(self.SIMD / self._chunk), self.SIMD.bit_length()
        within, total = pairs * (chunks - 1) * bits, self.accumulator.bitwidth()
        signed = (self.input_dtype.signed() and not self._xnor, self.weight_dtype.signed() and not self._xnor)
        across = plane_adders((of_inputs, of_weights), signed, bits, total)
        across += total if self._input_folds > 1 else 0
        return round(position * counts * (self.SIMD - 0.5) + self.PE * (fab.adder * within + fab.total * across))

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its weights in block RAM and in LUTs, as far as that makes a difference."""
        styles = [self.with_config(ram_style=style).resources(part) for style in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def op_and_param_counts(self) -> dict[str, int]:
        low, high = sorted((self.input_dtype.bitwidth(), self.weight_dtype.bitwidth()))
        counts = {
            f"op_mac_{low}bx{high}b": self.vectors * self.weights.size,
            f"param_weight_{self.weight_dtype.bitwidth()}b": self.weights.size,
        }
        return counts | (self.activation.counts(self.channels) if self.activation else {})

    # Hardware

    @property
    def _xnor(self) -> bool:
        return self.input_dtype == BIPOLAR and self.weight_dtype == BIPOLAR

    @property
    def _planes(self) -> tuple[int, int]:
        """Bit planes of input and weights: a bipolar operand that meets another type is two's complement of 2 bits."""
        if self._xnor:
            return 1, 1
        return tuple(2 if t == BIPOLAR else t.bitwidth() for t in (self.input_dtype, self.weight_dtype))  # type: ignore[return-value]

    @property
    def _input_folds(self) -> int:
        return self.terms // self.SIMD

    @property
    def _output_folds(self) -> int:
        return self.channels // self.PE

    @property
    def _tiles(self) -> int:
        return self._output_folds * self._input_folds

    @property
    def _line_width(self) -> int:
        """Bits of the weights of a tile."""
        return self.PE * self.parameter_width

    @property
    def _address_bits(self) -> int:
        """Of a tile's line in a memory that can be written."""
        return max(1, (self._tiles - 1).bit_length())

    @property
    def _constant(self) -> bool:
        """Whether the weights are part of the logic."""
        return self._tiles == 1 and not self.external and not self.runtime_writeable_weights

    @property
    def _chunk(self) -> int:
        return pipeline.UNFOLDED_CHUNK if self._constant else pipeline.CHUNK

    @property
    def _dot(self) -> pipeline.DotProduct:
        return pipeline.dot_product(self.SIMD, self._planes[0] * self._planes[1], self._chunk)

    @property
    def _products_latency(self) -> int:
        """Cycles from the issue of a tile to its dot products."""
        return (pipeline.STREAMED_OPERANDS if self.external else pipeline.OPERANDS) + self._dot.latency

    @property
    def _latency(self) -> int:
        """Cycles from the issue of a result's last tile to the result."""
        stages = self.activation.stages if self.activation else 0
        return self._products_latency + 1 + pipeline.threshold_search(stages)

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency, self._input_folds)

    def _kernel(self, header: str, name: str, **config: int) -> Hls:
        """The kernel with these parameters, weights and activation."""
        types = {"Input": self.input_dtype, "Accumulator": self.accumulator, "Output": self.outputs[0].dtype}
        shape = (self._tiles, self.PE, self.SIMD)
        if self.external:
            weights = CppObject("streamed_weights", (self.weight_dtype, *shape[1:]), stream=len(self.inputs))
        else:
            tiles = self._tiled(self.weights).reshape(shape)
            writable = bool(self.runtime_writeable_weights)
            arguments = (self.weight_dtype, *shape)
            weights = CppObject("Weights", arguments, tiles, self.weight_dtype, writable=writable, structs=1)
        activation = (
            self.activation.hls(self.channels, self.PE)
            if self.activation
            else CppObject("PassThrough", (types["Output"],))
        )
        return Hls(header, name, {**config, "SIMD": self.SIMD, "PE": self.PE}, types, (weights, activation))

    def _instance(self, module: str, **parameters: int) -> Rtl:
        """The module with these parameters and those of matrix_unit.sv."""
        dot, writable = self._dot, bool(self.runtime_writeable_weights)
        activation = self.activation.parameters() if self.activation else {}
        return Rtl(
            module,
            {
                **parameters,
                "PE": self.PE,
                "SIMD": self.SIMD,
                "XBits": self.input_dtype.bitwidth(),
                "XSigned": int(self.input_dtype.signed()),
                "XBipolar": int(self.input_dtype == BIPOLAR),
                "WBits": self.weight_dtype.bitwidth(),
                "WSigned": int(self.weight_dtype.signed()),
                "WBipolar": int(self.weight_dtype == BIPOLAR),
                "AccBits": self.accumulator.bitwidth(),
                "AccSigned": int(self.accumulator.signed()),
                "Chunk": self._chunk,
                "CountLevels": dot.count_levels,
                "SumLevels": dot.sum_levels,
                "Latency": self._products_latency,
                "OutDepth": self._output_depth,
                "OutBits": self.outputs[0].dtype.bitwidth(),
                "External": int(self.external),
                "RequestBits": request_bits(self._line_width, self._address_bits) if writable else 0,
                "RamStyle": self.ram_style,
                **activation,
            },
            {
                **({} if self.external else {"_weights.dat": self._weight_words()}),
                **(self.activation.memories(self.channels, self.PE) if self.activation else {}),
            },
            word_address_bits(self._line_width, self._address_bits) + 2 if writable else 0,
        )

    def _tiled(self, weights: IntArray) -> IntArray:
        """(output folds, input folds, PE, SIMD): the tiles of one group of PE results together."""
        folded = weights.reshape(self._input_folds, self.SIMD, self._output_folds, self.PE)
        return np.asarray(folded.transpose(2, 0, 3, 1))

    def _weight_words(self) -> list[str]:
        """One word per tile; planes of SIMD bits per PE (see matrix_unit.sv)."""
        planes = np.moveaxis(to_bits(self._tiled(self.weights), self.weight_dtype), -1, -2)  # (nf, sf, pe, bit, simd)
        return hex_words(planes.reshape(self.PE if self._constant else self._tiles, -1))

    @property
    def first_writes(self) -> Image:
        """The weights, of a memory that has no contents at first."""
        ultra = self.runtime_writeable_weights and self.ram_style == "ultra"
        return self.register_image(self.weights) if ultra else []

    def register_image(self, weights: IntArray) -> Image:
        """Writes that give the layer these weights, of the shape and type of `weights`."""
        if weights.shape != self.weights.shape or not self.weight_dtype.allowed(weights).all():
            raise LayerError(
                f"{type(self).__name__}: new weights of shape {weights.shape}",
                why=f"the hardware has {self.weights.shape}, of type {self.weight_dtype.name}",
                remedy="give weights of that shape and type",
            )
        return writes(lines_of(to_bits(self._tiled(weights), self.weight_dtype).reshape(self._tiles, -1)))


def _holds(outer: BaseDataType, inner: BaseDataType) -> bool:
    return outer.min() <= inner.min() and outer.max() >= inner.max()


def _ends(dtype: BaseDataType) -> tuple[int, int]:
    return int(dtype.min()), int(dtype.max())
