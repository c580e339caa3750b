"""Integers as bits: the lane order of streams and the words of memory files.

Element 0 stands in the least significant bits; values are two's complement; a bipolar value is one bit, -1 as 0 (FINN's
conventions).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import IntArray, Stream

Bits = npt.NDArray[np.uint8]


def to_bits(values: IntArray, dtype: BaseDataType) -> Bits:
    """The bits of each value on a new last axis, least significant first."""
    width = dtype.bitwidth()
    if width == 1:
        one = values > 0 if dtype == DataType["BIPOLAR"] else values != 0  # -1 of INT1 is a one
        return one.view(np.uint8)[..., None]
    bytes_per_value = 1 if width <= 8 else 2 if width <= 16 else 4 if width <= 32 else 8
    raw = np.ascontiguousarray(values.astype(f"<i{bytes_per_value}")).view(np.uint8)
    raw = raw.reshape(*values.shape, bytes_per_value)
    return np.unpackbits(raw, axis=-1, count=width, bitorder="little")


def from_bits(bits: Bits, dtype: BaseDataType) -> IntArray:
    """The inverse of `to_bits`."""
    width = bits.shape[-1]
    raw = np.zeros((*bits.shape[:-1], 8), dtype=np.uint8)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    raw[..., : packed.shape[-1]] = packed
    codes = raw.view("<i8")[..., 0].astype(np.int64)
    if dtype == DataType["BIPOLAR"]:
        return np.asarray(2 * codes - 1)
    if dtype.signed():
        codes = codes << (64 - width) >> (64 - width)  # the sign into all higher bits
    return np.asarray(codes)


def pack_beats(values: IntArray, stream: Stream) -> npt.NDArray[np.uint32]:
    """Frames (N, *shape[1:]...) in C order as (beats, 32-bit words per beat), little-endian words."""
    lanes = stream.to_beats(values)
    if stream.dtype.bitwidth() in (8, 16, 32):  # whole bytes need no bits
        packed = np.ascontiguousarray(lanes.astype(f"<i{stream.dtype.bitwidth() // 8}")).view(np.uint8)
    else:
        packed = np.packbits(to_bits(lanes, stream.dtype).reshape(-1, stream.width), axis=-1, bitorder="little")
    words = -(-stream.padded_width // 32)
    raw = np.zeros((len(lanes), words * 4), dtype=np.uint8)
    raw[:, : packed.shape[1]] = packed
    return raw.view("<u4")


def unpack_beats(words: npt.NDArray[np.uint32], stream: Stream) -> IntArray:
    """The inverse of `pack_beats`: (beats, words) -> (values,) in C order."""
    raw = np.ascontiguousarray(words).view(np.uint8)
    bits = np.unpackbits(raw, axis=-1, count=stream.width, bitorder="little")
    return stream.from_beats(from_bits(bits.reshape(-1, stream.lanes, stream.dtype.bitwidth()), stream.dtype))


def hex_words(bits: Bits) -> list[str]:
    """Rows of bits (words, width), least significant first, as hexadecimal words for $readmemh."""
    width = bits.shape[-1]
    digits = -(-width // 4)
    raw = np.packbits(bits, axis=-1, bitorder="little")[:, ::-1].tobytes().hex()
    per_word = 2 * (-(-width // 8))
    return [raw[i + per_word - digits : i + per_word] for i in range(0, len(raw), per_word)]
