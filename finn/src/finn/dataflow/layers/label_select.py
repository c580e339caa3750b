"""LabelSelect: the indices of the k largest values, best first."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
from finn.dataflow.cost import fabric
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
)
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.dataflow.pixels import counters


@dataclass(frozen=True, eq=False)
class LabelSelect(Layer):
    """Top-k along the last axis; of equal values the lower index wins, as in ONNX TopK and ArgMax.

    shape : (..., labels) -> (..., K), one index per output beat. PE values per input beat.
    """

    former_names = ("LabelSelect_Batch",)

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    K: int = 1
    PE: int = folding("labels")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.K <= self.labels:
            raise LayerError(f"LabelSelect: K={self.K} of {self.labels} labels", remedy=f"use 1 to {self.labels}")

    @property
    def labels(self) -> int:
        return self.shape[-1]

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((*self.shape[:-1], self.K), DataType.spanning(0, max(1, self.labels - 1))),)

    def schedule(self) -> Schedule:
        folds, serial = self.labels // self.PE, int(self.K > 1)
        out = Writes(
            np.full(self.K, folds - 1),
            self._latency + pipeline.CREDIT_FIFO + serial,
            self.K * (self._output_depth + serial),
        )
        return Schedule(folds, (Reads(np.arange(folds)),), (out,), periods=prod(self.shape[:-1]))

    @property
    def cycles(self) -> int:
        return prod(self.shape[:-1]) * max(self.labels // self.PE, self.K)

    @property
    def _latency(self) -> int:
        """Cycles from the last input beat to the push of the result."""
        return 4

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(self._latency, self.labels // self.PE)

    def execute(self, *inputs: IntArray) -> IntArray:
        order = np.argsort(-inputs[0], axis=-1, kind="stable")
        return np.asarray(order[..., : self.K], dtype=np.int64)

    def resources(self, part: str | None = None) -> Resources:
        """Comparators: PE (PE - 1) / 2 between the lanes, K min(K, PE) to merge with the best so far; list selectors.

        A vector that comes in one beat has no best so far. A list of one needs no selector, but a clock enable. Behind
        `best` new values a place of the list gets one of these or of the best + 1 that were there or before.
        """
        fab, bits, best = fabric(part), self.input_dtype.bitwidth(), min(self.K, self.PE)
        index = self.outputs[0].dtype.bitwidth()
        held = 0 if self.labels == self.PE and fab.prunes else self.K
        comparators = fab.rank * (self.PE * (self.PE - 1) // 2 * bits + fab.merge * held * best * bits)
        used = fab.credit_fifo(self.K * index, self._output_depth) + counters([self.labels // self.PE])
        if self.K > 1:
            candidates = min(held + best, 2 * best + 1) if fab.prunes else held + best
            comparators += fab.select * self.K * candidates * (bits + index)
            used += StreamingDataWidthConverter((1, self.K), self.outputs[0].dtype, self.K, 1).resources(part)
        return used + Resources(LUT=round(comparators))

    def hls(self) -> Hls:
        config = {"Labels": self.labels, "PE": self.PE, "K": self.K}
        types = {"Input": self.input_dtype, "Output": self.outputs[0].dtype}
        return Hls("label_select", "LabelSelect", config, types)

    def rtl(self) -> Rtl:
        return Rtl(
            module="label_select",
            parameters={
                "Labels": self.labels,
                "PE": self.PE,
                "K": self.K,
                "InBits": self.input_dtype.bitwidth(),
                "InSigned": int(self.input_dtype.signed() and self.input_dtype != DataType["BIPOLAR"]),
                "OutBits": self.outputs[0].dtype.bitwidth(),
                "OutDepth": self._output_depth,
            },
        )
