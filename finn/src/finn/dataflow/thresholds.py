"""Multi-thresholds: a quantizer or activation as ascending numbers, their memories and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.cost import Fabric
from finn.dataflow.layer import CppObject, IntArray, LayerError, Resources
from finn.dataflow.packing import hex_words, to_bits
from finn.dataflow.registers import Image, lines_of, writes

MOST_STAGES = 10
"""Of threshold_search.sv."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Ascending thresholds of the channels and what their count means.

    values : (C, N) integers, or (1, N) for all channels alike.
    bias : added to the count 0..N. A bipolar output has N = 1; its bit is the count.
    writable : there may be others some time, so the memory has to be wide enough for any.
    """

    values: IntArray
    bias: int
    output_dtype: BaseDataType
    input_dtype: BaseDataType
    writable: bool = False

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or np.any(np.diff(self.values, axis=1) < 0):
            raise LayerError(
                f"thresholds of shape {self.values.shape}",
                why="they have to be a matrix (channels, steps) that ascends along the steps",
                remedy="sort them, or let streamlining make them",
            )
        if self.values.shape[1] >= 1 << MOST_STAGES:
            raise LayerError(
                f"{self.values.shape[1]} thresholds per channel",
                why=f"the search has {MOST_STAGES} stages at most, for {(1 << MOST_STAGES) - 1}",
                remedy="quantize to fewer bits",
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
        return DataType.spanning(low, high + 1 if self.writable else max(high, int(self.stored.max())))

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

    def hls(self, channels: int, pe: int) -> CppObject:
        """The activation of `pe` lanes. Thresholds that no input reaches are clipped to just above all inputs.

        Its array is (folds, steps, lanes).
        """
        steps = self.values.shape[1]
        low, high = int(self.input_dtype.min()), int(self.input_dtype.max())
        folds, lanes = (1, 1) if self.values.shape[0] == 1 else (channels // pe, pe)
        dtype = DataType.spanning(low, high + 1)
        bias = 0 if self.bipolar else self.bias
        return CppObject(
            "Thresholds",
            (dtype, self.output_dtype, folds, lanes, steps, bias),
            np.clip(self.values, low, high + 1).reshape(folds, lanes, steps).swapaxes(1, 2),
            dtype,
            writable=self.writable,
        )

    def _tree(self, channels: int) -> IntArray:
        """(channels, 2^stages - 1), full."""
        tree = np.broadcast_to(self.stored, (channels, self.stored.shape[1]))
        return np.pad(tree, ((0, 0), (self.missing, 0)), constant_values=int(self.dtype.min()))

    def memories(self, channels: int, pe: int) -> dict[str, list[str]]:
        """Memory files of `threshold_search` for `pe` lanes."""
        tree = self._tree(channels)
        files = {}
        for lane in range(pe):
            for stage in range(self.stages):
                half = 2 ** (self.stages - 1 - stage)
                words = tree[lane::pe, half - 1 :: 2 * half].reshape(-1)
                files[f"_threshs_{lane:04}_{stage}.dat"] = hex_words(to_bits(words, self.dtype))
        return files

    def image(self, channels: int, pe: int) -> Image:
        """Writes (byte address, 32-bit word) of all thresholds, see `Thresholding`."""
        tree = np.pad(self._tree(channels), ((0, 0), (0, 1)))  # (channels, 2^stages)
        lanes = np.pad(tree.reshape(channels // pe, pe, -1), ((0, 0), (0, _slots(pe) - pe), (0, 0)))
        lines = lines_of(to_bits(lanes.reshape(-1), self.dtype))
        used = np.pad(np.ones((channels // pe, pe, tree.shape[1] - 1), bool), ((0, 0), (0, _slots(pe) - pe), (0, 1)))
        return writes(lines, used.reshape(-1))

    def address_bits(self, channels: int, pe: int) -> int:
        """Of a line of the image."""
        return (channels // pe - 1).bit_length() + (pe - 1).bit_length() + self.stages

    def resources(self, fab: Fabric, channels: int, pe: int, style: str = "auto") -> Resources:
        """Per lane and stage a memory and a comparator."""
        bits, folds = self.dtype.bitwidth(), channels // pe
        if self.writable:
            return self._writable_resources(fab, folds, pe, style)
        memories = [self._memory(fab, folds, stage, pe, style) for stage in range(self.stages)]
        lut, bram = sum(m.LUT for m in memories), sum(m.BRAM_18K for m in memories)
        stored = sum(m.BRAM_18K * m.BRAM_efficiency for m in memories)
        return Resources(
            LUT=lut + round(fab.threshold * pe * bits * self.stages),
            BRAM_18K=bram,
            BRAM_efficiency=stored / bram if bram else 1.0,
        )

    def _writable_resources(self, fab: Fabric, folds: int, pe: int, style: str) -> Resources:
        """As above, of memories that can be written; each stands alone, and what is read back is chosen from all."""
        bits = self.dtype.bitwidth()
        stages = [fab.ram(bits, folds << stage, style) for stage in range(self.stages)]
        bram = sum(m.BRAM_18K for m in stages)
        stored = sum(m.BRAM_18K * m.BRAM_efficiency for m in stages)
        compared = round((fab.threshold + fab.choose) * pe * bits * self.stages)
        return Resources(
            LUT=pe * sum(m.LUT for m in stages) + compared,
            BRAM_18K=pe * bram,
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


def _slots(pe: int) -> int:
    """Lanes in an image: a power of two."""
    return 1 << (pe - 1).bit_length()
