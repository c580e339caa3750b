"""Lookup: integers are replaced by the entries of a table, or by its rows (an embedding)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import pipeline
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
    folding,
    memory_option,
)
from finn.dataflow.packing import from_bits, hex_words, to_bits
from finn.dataflow.pixels import counters

LATENCY = 3
"""Cycles from the acceptance of an index to the push of its word: its address, the memory, a register."""

FURTHEST = 2**30
"""Offsets that the module's parameters can hold."""


@dataclass(frozen=True, eq=False)
class Lookup(Layer):
    """y = table[x + offset], where an index below 0 means the first entry and one above the last entry the last.

    table : (N,), then the output has the shape of the input, (..., C), and PE of the elements are looked up per cycle,
    each in a memory of its own. Or (N, D), then an input (..., T) becomes (..., T, D); it comes one index per beat, and
    PE of the D elements are sent per cycle. A row of D / PE words of memory takes a power of two of them.
    """

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    table: IntArray
    output_dtype: BaseDataType
    offset: int = 0
    PE: int = folding("lanes_of")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        if self.table.ndim not in (1, 2) or not self.table.size:
            raise LayerError(
                f"Lookup: a table of shape {self.table.shape}",
                remedy="give (N,) for a value per index or (N, D) for a row of D values",
            )
        super().__post_init__()
        if not self.output_dtype.allowed(self.table).all():
            raise LayerError(
                f"Lookup: a table with values outside {self.output_dtype.name}", remedy="annotate their true type"
            )
        low, high = (int(end()) + self.offset for end in (self.input_dtype.min, self.input_dtype.max))
        if high < 0 or low >= len(self.table) or abs(self.offset) > FURTHEST:
            raise LayerError(
                f"Lookup: offset={self.offset} for inputs of {self.input_dtype.name}",
                why=f"the indices {low} to {high} miss a table of {len(self.table)} entries",
                remedy="choose the offset so that the smallest input is index 0",
            )

    @property
    def embeds(self) -> bool:
        """Whether an index means a row."""
        return self.table.ndim == 2

    @property
    def lanes_of(self) -> int:
        """Elements that PE divides: of a row of the table, or of the last axis."""
        return int(self.table.shape[1]) if self.embeds else self.shape[-1]

    @property
    def _folds(self) -> int:
        """Output beats per input beat."""
        return self.lanes_of // self.PE if self.embeds else 1

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, 1 if self.embeds else self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        shape = (*self.shape, self.lanes_of) if self.embeds else self.shape
        return (Stream(shape, self.output_dtype, self.PE),)

    def schedule(self) -> Schedule:
        out = Writes(np.arange(self._folds), LATENCY + pipeline.CREDIT_FIFO, self._output_depth)
        return Schedule(self._folds, (Reads(np.zeros(1, np.int64)),), (out,), periods=self.inputs[0].beats)

    @property
    def _output_depth(self) -> int:
        return pipeline.credit_depth(LATENCY, 1)

    def execute(self, *inputs: IntArray) -> IntArray:
        return np.asarray(self.table[self._index(inputs[0])])

    def _index(self, x: IntArray) -> IntArray:
        return np.clip(x + self.offset, 0, len(self.table) - 1)

    # Hardware

    @property
    def _clamps(self) -> bool:
        """Whether indices are computed. Else memory has a word for each code of the input, which are not many more."""
        return self.input_dtype.bitwidth() > max(1, (len(self.table) - 1).bit_length())

    @property
    def _stored(self) -> IntArray:
        """The table as it stands in memory: (entries, folds, values per word)."""
        if self._clamps:
            entries = self.table
        else:
            bits = self.input_dtype.bitwidth()
            codes = np.arange(2**bits)[:, None] >> np.arange(bits) & 1
            entries = self.table[self._index(from_bits(codes.astype(np.uint8), self.input_dtype))]
        return entries.reshape(len(entries), self._folds, -1)

    @property
    def _lanes(self) -> int:
        """Memories."""
        return 1 if self.embeds else self.PE

    @property
    def _row(self) -> int:
        """Words from entry to entry."""
        return 1 << (self._folds - 1).bit_length()

    def resources(self, part: str | None = None) -> Resources:
        """A memory per lane, comparisons of indices with their bounds, the counter of folds, and the output buffer."""
        fab, out, bits = fabric(part), self.outputs[0].width, self.input_dtype.bitwidth()
        depth = (len(self._stored) - 1) * self._row + self._folds
        memory = fab.rom(out // self._lanes, depth, self.ram_style)
        lut = self._lanes * (memory.LUT + round(2 * fab.adder * bits + bits) * self._clamps)
        tables = Resources(LUT=lut, BRAM_18K=self._lanes * memory.BRAM_18K, BRAM_efficiency=memory.BRAM_efficiency)
        return tables + counters([self._folds] * 2) + fab.credit_fifo(out, self._output_depth)

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memories in each style, as far as that makes a difference."""
        styles = [self.with_config(ram_style=s).resources(part) for s in ("block", "distributed")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    def op_and_param_counts(self) -> dict[str, int]:
        return {f"param_table_{self.output_dtype.bitwidth()}b": prod(self.table.shape)}

    def hls(self) -> Hls:
        low, high = (int(end()) + self.offset for end in (self.input_dtype.min, self.input_dtype.max))
        entries = len(self.table)
        index = DataType.spanning(min(low, self.offset, -1), max(high, self.offset, entries - 1))
        sizes = {"PE": self.PE, "Embeds": int(self.embeds), "Entries": entries, "Folds": self._folds}
        types = {"Index": index, "Output": self.output_dtype}
        words = self.table.reshape(entries, self._folds, -1)
        table = CppObject("LookupTable", (self.output_dtype, *words.shape), words, self.output_dtype)
        return Hls("lookup", "Lookup", {**sizes, "Offset": self.offset}, types, (table,))

    def rtl(self) -> Rtl:
        low, high = (int(end()) + self.offset for end in (self.input_dtype.min, self.input_dtype.max))
        stored = self._stored
        words = np.zeros((len(stored), self._row, stored.shape[2]), np.int64)
        words[:, : self._folds] = stored
        bits = to_bits(words.reshape(-1, stored.shape[2]), self.output_dtype)
        used = (len(stored) - 1) * self._row + self._folds
        return Rtl(
            "lookup",
            {
                "Lanes": self._lanes,
                "InBits": self.input_dtype.bitwidth(),
                "InSigned": int(self.input_dtype.signed()),
                "Entries": len(stored),
                "Folds": self._folds,
                "WordBits": self.outputs[0].width // self._lanes,
                "Clamp": int(self._clamps),
                "Offset": self.offset,
                "CheckLow": int(low < 0),
                "CheckHigh": int(high >= len(self.table)),
                "OutDepth": self._output_depth,
                "RamStyle": self.ram_style,
            },
            {"_table.dat": hex_words(bits.reshape(len(bits), -1)[:used])},
        )
