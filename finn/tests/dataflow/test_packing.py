"""Bits of streams and memory words. The numbers are FINN's, from its documentation and its hardware."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.dataflow.layer import Stream
from finn.dataflow.packing import from_bits, hex_words, pack_beats, to_bits, unpack_beats

TYPES = (
    "BIPOLAR",
    "BINARY",
    "TERNARY",
    *(f"INT{n}" for n in (1, 2, 3, 8, 17, 32, 33, 63, 64)),
    *(f"UINT{n}" for n in (2, 5, 8, 24)),
)


@pytest.mark.parametrize(
    ("dtype", "rows", "words"),
    [
        ("UINT4", [[1, 2, 3], [4, 5, 6]], [0x321, 0x654]),
        ("BIPOLAR", [[1, -1, -1, 1, 1, 1, 1, -1]], [0x79]),
        ("BINARY", [[1, 0, 0, 1, 1, 1, 1, 0]], [0x79]),
        ("INT1", [[-1, 0, 0, -1, -1, -1, -1, 0]], [0x79]),
        ("INT4", [[-1, 2, -3]], [0xD2F]),
        ("TERNARY", [[-1, 0, 1]], [0b010011]),
        ("INT8", [[-128, 127, -1, 0]], [0x00FF7F80]),
        ("UINT8", [[0, 255]], [0xFF00]),
    ],
)
def test_element_0_is_in_the_low_bits(dtype: str, rows: list[list[int]], words: list[int]) -> None:
    stream = Stream((1, len(rows) * len(rows[0])), DataType[dtype], len(rows[0]))
    assert pack_beats(np.array(rows), stream)[:, 0].tolist() == words


def test_wide_beats_are_little_endian_words() -> None:
    stream = Stream((1, 5), DataType["UINT16"], 5)
    packed = pack_beats(np.array([[0x1111, 0x2222, 0x3333, 0x4444, 0x5555]]), stream)
    assert packed.tolist() == [[0x22221111, 0x44443333, 0x00005555]]


@pytest.mark.parametrize(("lanes", "width", "padded"), [(1, 3, 8), (2, 6, 8), (3, 9, 16), (8, 24, 24), (11, 33, 40)])
def test_padded_to_whole_bytes(lanes: int, width: int, padded: int) -> None:
    stream = Stream((1, lanes), DataType["INT3"], lanes)
    assert (stream.width, stream.padded_width) == (width, padded)


def test_folded_shape() -> None:
    stream = Stream((1, 3, 12), DataType["INT3"], 4)
    assert stream.folded_shape == (1, 3, 3, 4)
    assert stream.beats == 9


def test_hexadecimal_words() -> None:
    assert hex_words(to_bits(np.array([[1, 2, 3], [4, 5, 6]]), DataType["UINT4"]).reshape(2, 12)) == ["321", "654"]
    assert hex_words(to_bits(np.array([-1, 2]), DataType["INT3"])) == ["7", "2"]
    assert hex_words(to_bits(np.array([-2]), DataType["INT9"])) == ["1fe"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(TYPES), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_round_trip(name: str, lanes: int, beats: int, seed: int) -> None:
    dtype, rng = DataType[name], np.random.default_rng(seed)
    values = rng.integers(int(dtype.min()), int(dtype.max()), (3, beats * lanes), endpoint=True)
    if name == "BIPOLAR":
        values = np.where(values >= 0, 1, -1)
    stream = Stream((1, beats * lanes), dtype, lanes)
    packed = pack_beats(values, stream)
    assert packed.shape == (3 * beats, -(-stream.padded_width // 32))
    np.testing.assert_array_equal(unpack_beats(packed, stream), values.reshape(-1))
    np.testing.assert_array_equal(from_bits(to_bits(values, dtype), dtype), values)
