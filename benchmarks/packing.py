# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure how fast a driver packs its inputs, beside joining bit strings; `make bench` prints the figures.

    pip install 'bitstring<5'

In bit strings, a word is made element by element: each becomes a string of bits, the strings are joined with element 0
last, and the result is padded to bytes and turned round. Both ways have to give the same bytes, and the same values
back. Milliseconds are CPU time, the least of some runs; of bit strings, of one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from bitstring import BitArray

from finn.core.datatype import BaseDataType, DataType
from finn.util.data_packing import finnpy_to_packed_bytearray, packed_bytearray_to_finnpy

FASTER = 100
"""How many times the packing of batches shall be faster than bit strings."""
RUNS = 7


@dataclass(frozen=True)
class Batch:
    """Frames of a type, folded: the last axis is one word."""

    shape: tuple[int, ...]
    dtype: BaseDataType

    def values(self) -> np.ndarray:
        """Always the same ones."""
        generator = np.random.default_rng(0)
        low, high = int(self.dtype.min()), int(self.dtype.max())
        if self.dtype == "BIPOLAR":
            return generator.choice(np.array([-1, 1], np.int8), self.shape)
        return generator.integers(low, high, self.shape, endpoint=True, dtype=np.int16).astype(np.int8)


BATCHES = (
    Batch((100, 16, 49), DataType["INT2"]),
    Batch((100, 32, 32, 3), DataType["UINT4"]),
    Batch((100, 15, 40), DataType["BIPOLAR"]),
    Batch((100, 16, 49), DataType["INT3"]),
)


def joined(word: np.ndarray, dtype: BaseDataType) -> list[int]:
    """The bytes of one word, by bit strings."""
    bits, kind = BitArray(), "int" if dtype.signed() and dtype != "BIPOLAR" else "uint"
    for value in word[::-1].tolist():
        code = (value + 1) // 2 if dtype == "BIPOLAR" else value
        bits.append(BitArray(**{kind: code, "length": dtype.bitwidth()}))
    bits.prepend(BitArray(length=-len(bits) % 8))
    bits.byteswap()
    return list(bits.bytes)


def split(word: np.ndarray, dtype: BaseDataType, elements: int) -> list[int]:
    """The values in the bytes of one word, by bit strings."""
    bits, width = BitArray(bytes=bytes(word)), dtype.bitwidth()
    bits.byteswap()
    found = []
    for k in range(elements):
        piece = bits[len(bits) - (k + 1) * width : len(bits) - k * width]
        if dtype == "BIPOLAR":
            found.append(2 * piece.uint - 1)
        else:
            found.append(piece.int if dtype.signed() else piece.uint)
    return found


def milliseconds(run: Callable[[], np.ndarray], runs: int = RUNS) -> tuple[float, np.ndarray]:
    """Of the fastest run, and what it returns."""
    found = []
    for _ in range(runs):
        start = time.process_time()
        result = run()
        found.append(time.process_time() - start)
    return 1e3 * min(found), result


def measure(batch: Batch) -> float:
    """Print the figures; return how many times faster packing is than by bit strings."""
    x, dtype, elements = batch.values(), batch.dtype, batch.shape[-1]
    words = x.reshape(-1, elements)
    slow_pack, expected = milliseconds(lambda: np.array([joined(word, dtype) for word in words], np.uint8), runs=1)
    pack, packed = milliseconds(lambda: finnpy_to_packed_bytearray(x, dtype, reverse_inner=True, reverse_endian=True))
    rows = packed.reshape(len(words), -1)
    slow_unpack, back = milliseconds(lambda: np.array([split(row, dtype, elements) for row in rows]), runs=1)
    unpack, values = milliseconds(
        lambda: packed_bytearray_to_finnpy(packed, dtype, batch.shape, reverse_inner=True, reverse_endian=True)
    )
    if not (np.array_equal(rows, expected) and np.array_equal(back, words) and np.array_equal(values, x)):
        raise SystemExit(f"{batch}: bit strings give something else")
    print(
        f"{batch.shape} {dtype}: packed in {pack:.2f} ms, {slow_pack / pack:,.0f} times faster than by bit strings; ",
        end="",
    )
    print(f"unpacked in {unpack:.2f} ms, {slow_unpack / unpack:,.0f} times")
    return slow_pack / pack


def main() -> None:
    slowest = min(measure(batch) for batch in BATCHES)
    if slowest < FASTER:
        raise SystemExit(f"slower than the goal of {FASTER} times faster than bit strings")


if __name__ == "__main__":
    main()
