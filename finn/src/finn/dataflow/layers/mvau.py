"""Matrix-vector-activation unit: y = x @ W, then thresholds if it has any."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
from finn.dataflow.cost import Fabric, fabric
from finn.dataflow.layer import (
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
from finn.dataflow.layers.thresholding import Thresholds
from finn.dataflow.packing import hex_words, to_bits

BIPOLAR = DataType["BIPOLAR"]


@dataclass(frozen=True, eq=False)
class MVAU(Layer):
    """Multiply each input vector with a constant matrix and apply a multi-threshold activation.

    shape : (..., MW). weights : (MW, MH) integers, the orientation of ONNX MatMul. thresholds : (MH, N) or (1, N), or
    None; then the result is the accumulator. bias (FINN's ActVal) is added to the count of thresholds.
    SIMD inputs and PE outputs per cycle (Blott et al. 2018, arXiv:1809.04570); bipolar times bipolar is XNOR and
    popcount.
    ram_style : of the weight memory. resType, mem_mode and runtime_writeable_weights are FINN's attributes; only the
    values that describe this implementation (LUTs, constants on the chip) are accepted.
    """

    former_names = ("MatrixVectorActivation", "StreamingFCLayer_Batch")

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    weights: IntArray
    weight_dtype: BaseDataType
    output_dtype: BaseDataType
    thresholds: IntArray | None = None
    bias: int = 0
    SIMD: int = folding("MW")
    PE: int = folding("MH")
    ram_style: str = memory_option()
    resType: str = option("lut", ("auto", "lut"))
    mem_mode: str = option("internal_decoupled", ("internal_decoupled", "internal_embedded", "const", "decoupled"))
    runtime_writeable_weights: int = option(0, (0,))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.ndim != 2 or self.shape[-1] != self.MW:
            raise LayerError(
                f"MVAU: input {self.shape} and weights {self.weights.shape}",
                why="the last axis of the input is the first of the weights",
            )
        if not self._weights_fit:
            raise LayerError(f"MVAU: weights outside {self.weight_dtype.name}", remedy="annotate their true type")
        if self.thresholds is None and not _holds(self.output_dtype, self.accumulator):
            raise LayerError(
                f"MVAU: output type {self.output_dtype.name} is narrower than the accumulator {self.accumulator.name}",
                remedy="use the accumulator's type",
            )
        if self.thresholds is not None and self.thresholds.shape[0] not in (1, self.MH):
            raise LayerError(f"MVAU: thresholds for {self.thresholds.shape[0]} channels, the matrix has {self.MH}")
        _ = self.activation  # checks the thresholds

    @property
    def MW(self) -> int:
        return int(self.weights.shape[0])

    @property
    def MH(self) -> int:
        return int(self.weights.shape[1])

    @property
    def vectors(self) -> int:
        """Input vectors per frame."""
        return prod(self.shape[:-1])

    @property
    def parameter_width(self) -> int:
        return self.SIMD * self.weight_dtype.bitwidth()

    @fixed
    def _weights_fit(self) -> bool:
        return bool(self.weight_dtype.allowed(self.weights).all())

    @fixed
    def accumulator(self) -> BaseDataType:
        """Holds the result of every column: each weight meets the input that pulls its column furthest.

        Sums are kept modulo a power of two, so partial sums need no room of their own.
        """
        low, high = int(self.input_dtype.min()), int(self.input_dtype.max())
        extremes = np.stack([self.weights * low, self.weights * high])
        return DataType.spanning(int(extremes.min(0).sum(0).min()), int(extremes.max(0).sum(0).max()))

    @fixed
    def activation(self) -> Thresholds | None:
        if self.thresholds is None:
            return None
        return Thresholds(self.thresholds, self.bias, self.output_dtype, self.accumulator)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        dtype = self.accumulator if self.activation is None else self.output_dtype
        return (Stream((*self.shape[:-1], self.MH), dtype, self.PE),)

    def schedule(self) -> Schedule:
        sf, nf = self.MW // self.SIMD, self._folds
        beats = np.arange(sf)
        replayed = Reads(beats, self._input_depth, pipeline.MEMORY, beats + (nf - 1) * sf)
        out = Writes(np.arange(1, nf + 1) * sf - 1, self._latency + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(sf * nf, (replayed if nf > 1 else Reads(beats),), (out,), periods=self.vectors)

    def execute(self, *inputs: IntArray) -> IntArray:
        acc = inputs[0] @ self.weights
        return acc if self.activation is None else self.activation(acc)

    # Cost

    def resources(self, part: str | None = None) -> Resources:
        """Weight memory, replay buffer, population counts and adders of PE rows, thresholds, output buffer."""
        fab = fabric(part)
        weights = self.PE * self.parameter_width
        used = fab.rom(weights, self._tiles, self.ram_style)  # first: its efficiency is that of the sum
        if self._folds > 1:
            used += fab.replay_buffer(self.inputs[0].width, self._input_depth)
        if self.activation:
            used += self.activation.resources(fab, self.MH, self.PE)
        used += fab.credit_fifo(self.outputs[0].width, self._output_depth)
        delays = fab.delay * (self.inputs[0].width + (weights if self._tiles > 1 else 0))
        return used + Resources(LUT=fab.control + delays + self._arithmetic(fab))

    def _arithmetic(self, fab: Fabric) -> int:
        """LUTs of PE dot products, plane pair by plane pair, and of the accumulators.

        A bipolar weight that meets another type has a plane of ones; its population count is the same for all rows.
        """
        of_inputs, of_weights = self._planes
        pairs, constant = of_inputs * of_weights, self._tiles == 1
        if self._xnor:
            position = fab.xnor_constant if constant else fab.xnor
        else:
            position = fab.product_constant if constant else fab.product
        shared = self.weight_dtype == BIPOLAR and not self._xnor
        counts = of_inputs * (self.PE + 1) if shared else pairs * self.PE
        chunks, bits = ceil(self.SIMD / self._chunk), self.SIMD.bit_length()
        sums = pairs if self.SIMD < self.MW else pairs - 1
        adders = pairs * (chunks - 1) * bits + sums * self.accumulator.bitwidth()
        return round(position * counts * self.SIMD + fab.adder * self.PE * adders)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its weights in block RAM and in LUTs, as far as that makes a difference."""
        styles = [self.with_config(ram_style=style).resources(part) for style in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def op_and_param_counts(self) -> dict[str, int]:
        low, high = sorted((self.input_dtype.bitwidth(), self.weight_dtype.bitwidth()))
        counts = {
            f"op_mac_{low}bx{high}b": self.vectors * self.MW * self.MH,
            f"param_weight_{self.weight_dtype.bitwidth()}b": self.MW * self.MH,
        }
        return counts | (self.activation.counts(self.MH) if self.activation else {})

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
    def _folds(self) -> int:
        return self.MH // self.PE

    @property
    def _tiles(self) -> int:
        return self._folds * self.MW // self.SIMD

    @property
    def _chunk(self) -> int:
        return pipeline.CHUNK if self._tiles > 1 else pipeline.UNFOLDED_CHUNK

    @property
    def _dot(self) -> pipeline.DotProduct:
        return pipeline.dot_product(self.SIMD, self._planes[0] * self._planes[1], self._chunk)

    @property
    def _latency(self) -> int:
        """Cycles from the issue of a result's last tile to the result."""
        stages = self.activation.stages if self.activation else 0
        return pipeline.OPERANDS + self._dot.latency + 1 + pipeline.threshold_search(stages)

    @property
    def _input_depth(self) -> int:
        """Beats in the replay buffer: the vector in work and the next."""
        return 2 * self.MW // self.SIMD

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency, self.MW // self.SIMD)

    def rtl(self) -> Rtl:
        dot = self._dot
        activation = self.activation.parameters() if self.activation else {}
        return Rtl(
            module="mvau",
            parameters={
                "MW": self.MW,
                "MH": self.MH,
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
                "Latency": pipeline.OPERANDS + dot.latency,
                "OutDepth": self._output_depth,
                "InDepth": self._input_depth,
                "OutBits": self.outputs[0].dtype.bitwidth(),
                "RamStyle": self.ram_style,
                **activation,
            },
            memories={
                "_weights.dat": self._weight_words(),
                **(self.activation.memories(self.MH, self.PE) if self.activation else {}),
            },
        )

    def _weight_words(self) -> list[str]:
        """One word per tile, tiles of one output fold together; planes of SIMD bits per PE (see mvau.sv)."""
        sf, nf = self.MW // self.SIMD, self._folds
        tiles = self.weights.reshape(sf, self.SIMD, nf, self.PE).transpose(2, 0, 3, 1)  # (nf, sf, pe, simd)
        planes = np.moveaxis(to_bits(tiles, self.weight_dtype), -1, -2)  # (nf, sf, pe, bit, simd)
        return hex_words(planes.reshape(self._tiles if self._tiles > 1 else self.PE, -1))


def _holds(outer: BaseDataType, inner: BaseDataType) -> bool:
    return outer.min() <= inner.min() and outer.max() >= inner.max()
