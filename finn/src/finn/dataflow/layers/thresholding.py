"""Thresholding: y[..., c] = bias + number of thresholds t with x[..., c] >= T[c, t]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
)
from finn.dataflow.packing import hex_words, to_bits


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Ascending thresholds of the channels and what their count means.

    values : (C, N) integers, or (1, N) for all channels alike.
    bias : added to the count 0..N. A bipolar output has N = 1; its bit is the count.
    """

    values: IntArray
    bias: int
    output_dtype: BaseDataType
    input_dtype: BaseDataType

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or np.any(np.diff(self.values, axis=1) < 0):
            raise LayerError(
                f"thresholds of shape {self.values.shape}",
                why="they have to be a matrix (channels, steps) that ascends along the steps",
                remedy="sort them, or let streamlining make them",
            )
        low, high = self.bias, self.bias + self.values.shape[1]
        if not self.bipolar and not (self.output_dtype.allowed(float(low)) and self.output_dtype.allowed(float(high))):
            raise LayerError(
                f"output type {self.output_dtype.name} for results {low} to {high}",
                why="it cannot hold all of them",
                remedy=f"use {DataType.spanning(low, high).name}",
            )

    def __call__(self, x: IntArray) -> IntArray:
        """x (..., C) -> results of the same shape."""
        channels = [np.searchsorted(t, x[..., c], side="right") for c, t in enumerate(self.values)]
        if len(channels) == 1 and x.shape[-1] != 1:
            count = np.searchsorted(self.values[0], x, side="right")
        else:
            count = np.stack(channels, axis=-1)
        return np.asarray(2 * count - 1 if self.bipolar else count + self.bias, dtype=np.int64)

    @property
    def bipolar(self) -> bool:
        return self.output_dtype == DataType["BIPOLAR"]

    @cached_property
    def stored(self) -> IntArray:
        """The thresholds as they stand in memory: what no input reaches or every input reaches is clipped.

        A bipolar input is compared as its bit: x >= t for x in {-1, 1} is (x + 1) / 2 >= ceil((t + 1) / 2).
        """
        if self.input_dtype == DataType["BIPOLAR"]:
            return np.asarray(np.clip(-(-(self.values + 1) // 2), 0, 2))
        return np.asarray(np.clip(self.values, int(self.input_dtype.min()), int(self.input_dtype.max()) + 1))

    @cached_property
    def dtype(self) -> BaseDataType:
        """Holds every input and every stored threshold, so that both sides of >= have one type."""
        if self.input_dtype == DataType["BIPOLAR"]:
            return DataType["UINT2"]
        low, high = int(self.input_dtype.min()), int(self.input_dtype.max())
        return DataType.spanning(low, max(high, int(self.stored.max())))

    @property
    def stages(self) -> int:
        """Steps of a binary search among them."""
        return int(self.values.shape[1]).bit_length()

    @property
    def missing(self) -> int:
        """How many more a full binary tree has. Thresholds below every input fill it up; each adds 1 to the count."""
        return int(2**self.stages - 1 - self.values.shape[1])

    def parameters(self) -> dict[str, int | str]:
        """Parameters of `threshold_search` that do not depend on the folding."""
        return {
            "ThresholdBits": self.dtype.bitwidth(),
            "Stages": self.stages,
            "OutBits": self.output_dtype.bitwidth(),
            "Bias": (0 if self.bipolar else self.bias) - self.missing,
        }

    def memories(self, channels: int, pe: int) -> dict[str, list[str]]:
        """Memory files of `threshold_search` for `pe` lanes."""
        tree = np.broadcast_to(self.stored, (channels, self.stored.shape[1]))
        tree = np.pad(tree, ((0, 0), (self.missing, 0)), constant_values=int(self.dtype.min()))
        files = {}
        for lane in range(pe):
            for stage in range(self.stages):
                half = 2 ** (self.stages - 1 - stage)
                words = tree[lane::pe, half - 1 :: 2 * half].reshape(-1)
                files[f"_threshs_{lane:04}_{stage}.dat"] = hex_words(to_bits(words, self.dtype))
        return files

    def resources(self, fab: Fabric, channels: int, pe: int, style: str = "auto") -> Resources:
        """Per lane and stage a memory and a comparator."""
        bits, folds = self.dtype.bitwidth(), channels // pe
        memories = [self._memory(fab, folds, stage, pe, style) for stage in range(self.stages)]
        lut, bram = sum(m.LUT for m in memories), sum(m.BRAM_18K for m in memories)
        stored = sum(m.BRAM_18K * m.BRAM_efficiency for m in memories)
        return Resources(
            LUT=lut + round(fab.threshold * pe * bits * self.stages),
            BRAM_18K=bram,
            BRAM_efficiency=stored / bram if bram else 1.0,
        )

    def _memory(self, fab: Fabric, folds: int, stage: int, pe: int, style: str) -> Resources:
        """The memories of one stage. Channels alike need none in the first; their words repeat in the others."""
        bits, alike = self.dtype.bitwidth(), self.values.shape[0] == 1
        if alike and stage == 0:
            return Resources()
        memory = fab.rom(bits, folds << stage, style, pe)
        return fab.rom(bits, 1 << stage, "distributed") if alike and not memory.BRAM_18K else memory

    def counts(self, channels: int) -> dict[str, int]:
        """Thresholds stored, with FINN's key."""
        return {f"param_threshold_{self.dtype.bitwidth()}b": int(self.values.shape[0]) * int(self.values.shape[1])}


@dataclass(frozen=True, eq=False)
class Thresholding(Layer):
    """Count, per channel, the thresholds that the input has reached (a multi-threshold activation or quantizer).

    shape : (..., C); thresholds : (C, N) or (1, N); bias (FINN's ActVal) is added to the count 0..N.
    PE : channels per cycle; beat i carries channels i * PE .. i * PE + PE - 1.
    """

    former_names = ("Thresholding_Batch",)

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    thresholds: IntArray
    output_dtype: BaseDataType
    bias: int = 0
    PE: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thresholds.shape[0] not in (1, self.channels):
            raise LayerError(
                f"Thresholding: thresholds for {self.thresholds.shape[0]} channels, input has {self.channels}",
                remedy="give one row for all channels or one row per channel",
            )
        _ = self.function  # checks the thresholds

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @fixed
    def function(self) -> Thresholds:
        return Thresholds(self.thresholds, self.bias, self.output_dtype, self.input_dtype)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.output_dtype, self.PE),)

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        out = Writes(step, 1 + self._latency + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(1, (Reads(step),), (out,), periods=self.inputs[0].beats)

    @property
    def _latency(self) -> int:
        return pipeline.threshold_search(self.function.stages)

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency + 1, 1)

    def execute(self, *inputs: IntArray) -> IntArray:
        return self.function(inputs[0])

    def resources(self, part: str | None = None) -> Resources:
        """The search, the input registers and the output buffer."""
        fab = fabric(part)
        search = self.function.resources(fab, self.channels, self.PE, self.ram_style)
        delays = Resources(LUT=fab.delay * self.inputs[0].width)
        return search + delays + fab.credit_fifo(self.outputs[0].width, self._output_depth)

    def op_and_param_counts(self) -> dict[str, int]:
        return self.function.counts(self.channels)

    def rtl(self) -> Rtl:
        function = self.function
        return Rtl(
            module="thresholding",
            parameters={
                "PE": self.PE,
                "Folds": self.channels // self.PE,
                "InBits": self.input_dtype.bitwidth(),
                "InSigned": int(function.dtype.signed()),
                **function.parameters(),
                "OutDepth": self._output_depth,
                "RamStyle": self.ram_style,
            },
            memories=function.memories(self.channels, self.PE),
        )
