"""Requant: integers scaled per channel, rounded and clipped to a narrower type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
from finn.dataflow.arithmetic import BIPOLAR, MOST_BITS, ends, kind, multiplier
from finn.dataflow.cost import fabric
from finn.dataflow.layer import (
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
)
from finn.dataflow.packing import hex_words, to_bits
from finn.dataflow.pixels import counters

LATENCY = 5
"""Cycles from the acceptance of a beat to the push of its result: the memory, operands, product, sum, result."""


@dataclass(frozen=True, eq=False)
class Requant(Layer):
    """y = clip(floor((x m[c] + b[c]) / 2^shift + 1/2), low, high): scaled, rounded half up, clipped.

    On integers: (x m + b + 2^(shift - 1)) >> shift, arithmetically; nothing is added if shift is 0. m : `multipliers`,
    b : `offsets` at the scale of the product, each (C,) or (1,) for all channels. low, high : the ends of
    `output_dtype`; narrow=1 takes one off the lower end, so that those of a signed type are symmetric.
    shape : (1, …, C); PE channels per cycle. ram_style : of the memory of multipliers and offsets.
    """

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    multipliers: IntArray
    shift: int
    offsets: IntArray
    output_dtype: BaseDataType
    narrow: int = 0
    PE: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("multipliers", self.multipliers), ("offsets", self.offsets)):
            if values.shape not in ((1,), (self.channels,)):
                raise LayerError(
                    f"Requant: {name} of shape {values.shape} for {self.channels} channels",
                    remedy="give one for all channels or one per channel",
                )
        if self.narrow not in (0, 1):
            raise LayerError(f"Requant: narrow={self.narrow!r}", why="it is a mark", remedy="use 0 or 1")
        if type(self.shift) is not int or not 0 <= self.shift <= MOST_BITS:
            raise LayerError(f"Requant: shift={self.shift!r}", remedy=f"use 0 to {MOST_BITS}")
        whole = self.output_dtype.is_integer() and not self.output_dtype.is_fixed_point()
        if not whole or self.output_dtype in (BIPOLAR, DataType["TERNARY"]):
            raise LayerError(
                f"Requant: output type {self.output_dtype.name}",
                why="results are clipped to the ends of a range of whole bits",
                remedy="use INT2 or wider, UINT1 or wider, or a Thresholding layer",
            )
        _ = self.sums

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def added(self) -> IntArray:
        """The offsets and a half, at the scale of the product."""
        return self.offsets + (1 << self.shift >> 1)

    @fixed
    def sums(self) -> BaseDataType:
        """Holds what is shifted, and the product and the results with a sign. Raises LayerError if it is too wide."""
        # In floats first: they tell whether the integers overflow.
        x = ends(self.input_dtype)[:, None]
        largest = float(np.abs(x).max()) * np.abs(self.multipliers.astype(float)).max()
        if largest + np.abs(self.offsets.astype(float)).max() + 2.0**self.shift >= 2.0**MOST_BITS:
            raise LayerError(f"Requant: sums of more than {MOST_BITS} bits", remedy="use narrower multipliers")
        found = x * self.multipliers + self.added
        low, high = min(int(found.min()), -1), int(found.max())
        bits = max(
            DataType.spanning(low, high).bitwidth(),
            self.input_dtype.bitwidth() + (kind(self.input_dtype) != 1) + _stored(self.multipliers).bitwidth(),
            _stored(self.added).bitwidth(),
            self.output_dtype.bitwidth() + 1,
        )
        return DataType[f"INT{bits}"]

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.output_dtype, self.PE),)

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest result."""
        return int(self.output_dtype.min()) + self.narrow, int(self.output_dtype.max())

    def schedule(self) -> Schedule:
        step = np.zeros(1, np.int64)
        out = Writes(step, LATENCY + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(1, (Reads(step),), (out,), periods=self.inputs[0].beats)

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(LATENCY, 1)

    def execute(self, *inputs: IntArray) -> IntArray:
        return np.asarray(np.clip(inputs[0] * self.multipliers + self.added >> self.shift, *self.bounds))

    @property
    def _lanes(self) -> int:
        """Channels per word of constants: one if all are alike."""
        return 1 if self.multipliers.size == self.offsets.size == 1 else self.PE

    @property
    def _words(self) -> int:
        return max(self.multipliers.size, self.offsets.size) // self._lanes

    def resources(self, part: str | None = None) -> Resources:
        """Per lane a multiplier, an adder and two comparisons; constants, what waits for them, the output buffer."""
        fab, bits, out = fabric(part), self.sums.bitwidth(), self.output_dtype.bitwidth()
        multipliers, added = (_stored(values).bitwidth() for values in (self.multipliers, self.added))
        product = multiplier(fab, self.input_dtype.bitwidth(), multipliers)
        lut = product.LUT + bits + round(fab.adder * 2 * max(0, bits - self.shift) + fab.clip * out)
        lanes = Resources(LUT=self.PE * lut, DSP=self.PE * product.DSP)
        memory = fab.rom(self._lanes * (multipliers + added), self._words, self.ram_style)
        # Of a few words there are few different columns, also to be delayed until the product is there.
        columns = min(self._lanes * added, 2 ** min(self._words - 1, 16)) if self._words > 1 else 0
        delays = Resources(LUT=fab.delay * (self.inputs[0].width + columns) if columns else 0)
        used = memory + lanes + delays
        return used + counters([self._words]) + fab.credit_fifo(self.outputs[0].width, self._output_depth)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memory in each style, as far as that makes a difference."""
        styles = [self.with_config(ram_style=s).resources(part) for s in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def op_and_param_counts(self) -> dict[str, int]:
        m, x = _stored(self.multipliers).bitwidth(), self.input_dtype.bitwidth()
        return {
            f"op_mul_{min(m, x)}bx{max(m, x)}b": self.inputs[0].beats * self.PE,
            f"param_scale_{m}b": self.multipliers.size,
            f"param_offset_{_stored(self.added).bitwidth()}b": self.offsets.size,
        }

    def hls(self) -> Hls:
        low, high = self.bounds
        config = {"PE": self.PE, "Words": self._words, "Shift": self.shift, "Low": low, "High": high}
        tables = []
        for values in np.broadcast_arrays(self.multipliers, self.added):
            words, dtype = values.reshape(self._words, self._lanes), _stored(values)
            tables.append(CppObject("Table", (dtype, *words.shape), words, dtype))
        types = {"Sum": self.sums, "Output": self.output_dtype}
        return Hls("requant", "Requant", config, types, tuple(tables))

    def rtl(self) -> Rtl:
        m, b = np.broadcast_arrays(self.multipliers, self.added)
        bits = np.concatenate([to_bits(m, _stored(m)), to_bits(b, _stored(b))], axis=-1)
        return Rtl(
            "requant",
            {
                "PE": self.PE,
                "InBits": self.input_dtype.bitwidth(),
                "Kind": kind(self.input_dtype),
                "CLanes": self._lanes,
                "Groups": self._words,
                "MulBits": _stored(self.multipliers).bitwidth(),
                "AddBits": _stored(self.added).bitwidth(),
                "SumBits": self.sums.bitwidth(),
                "Shift": self.shift,
                "OutBits": self.output_dtype.bitwidth(),
                "OutSigned": int(self.output_dtype.signed()),
                "Narrow": self.narrow,
                "OutDepth": self._output_depth,
                "RamStyle": self.ram_style,
            },
            {"_constants.dat": hex_words(bits.reshape(self._words, -1))},
        )


def _stored(values: IntArray) -> BaseDataType:
    """Two's complement for constants."""
    return DataType[f"INT{max(2, DataType.spanning(min(-1, int(values.min())), int(values.max())).bitwidth())}"]
