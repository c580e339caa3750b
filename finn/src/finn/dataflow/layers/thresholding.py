"""Thresholding: y[..., c] = bias + number of thresholds t with x[..., c] >= T[c, t]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from finn.core.datatype import BaseDataType
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
    fixed,
    folding,
    memory_option,
    option,
)
from finn.dataflow.registers import Image, access_resources, request_bits, word_address_bits
from finn.dataflow.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class Thresholding(Layer):
    """Count, per channel, the thresholds that the input has reached (a multi-threshold activation or quantizer).

    shape : (..., C); thresholds : (C, N) or (1, N); bias (FINN's ActVal) is added to the count 0..N.
    PE : channels per cycle; beat i carries channels i * PE .. i * PE + PE - 1.
    runtime_writeable_weights : thresholds can be written and read on AXI4-Lite; 2^s - 1 per channel, s the least for N,
    of which the first ones, if N is smaller, are the least value. Threshold t of channel f * PE + p is line
    ((f * P + p) * 2^s + t) of the image (see `registers`), P the least power of two >= PE (FINN's address map).
    """

    former_names = ("Thresholding_Batch",)

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    thresholds: IntArray
    output_dtype: BaseDataType
    bias: int = 0
    PE: int = folding("channels")
    ram_style: str = memory_option()
    runtime_writeable_weights: int = option(0, (0, 1))

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

    @property
    def function(self) -> Thresholds:
        return self._writable if self.runtime_writeable_weights else self._constant

    @fixed
    def _constant(self) -> Thresholds:
        return Thresholds(self.thresholds, self.bias, self.output_dtype, self.input_dtype)

    @fixed
    def _writable(self) -> Thresholds:
        return replace(self._constant, writable=True)

    def register_image(self, thresholds: IntArray) -> Image:
        """Writes that give the layer these thresholds, of a shape as `thresholds`."""
        if thresholds.shape[-1:] != self.thresholds.shape[-1:] or len(thresholds) not in (1, self.channels):
            raise LayerError(
                f"Thresholding: new thresholds of shape {thresholds.shape}, the layer has {self.thresholds.shape}",
                why="their number is part of the hardware",
                remedy="give as many for one row or for each channel",
            )
        return replace(self.function, values=thresholds).image(self.channels, self.PE)

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
        if self.runtime_writeable_weights:
            search += access_resources(fab, self.function.dtype.bitwidth(), self._address_bits)
        return search + delays + fab.credit_fifo(self.outputs[0].width, self._output_depth)

    def op_and_param_counts(self) -> dict[str, int]:
        return self.function.counts(self.channels)

    @property
    def _address_bits(self) -> int:
        return self.function.address_bits(self.channels, self.PE)

    def hls(self) -> Hls:
        config = {"PE": self.PE, "Folds": self.channels // self.PE}
        activation = self.function.hls(self.channels, self.PE)
        return Hls("thresholding", "Thresholding", config, {"Output": self.output_dtype}, (activation,))

    def rtl(self) -> Rtl:
        function = self.function
        width, writable = function.dtype.bitwidth(), bool(self.runtime_writeable_weights)
        return Rtl(
            module="thresholding",
            parameters={
                "PE": self.PE,
                "Folds": self.channels // self.PE,
                "InBits": self.input_dtype.bitwidth(),
                "InSigned": int(function.dtype.signed()),
                **function.parameters(),
                "OutDepth": self._output_depth,
                "RequestBits": request_bits(width, self._address_bits) if writable else 0,
                "RamStyle": self.ram_style,
            },
            memories=function.memories(self.channels, self.PE),
            axilite=word_address_bits(width, self._address_bits) + 2 if writable else 0,
        )
