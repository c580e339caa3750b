# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Frames as bytes: what the bits of a beat are, and that nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.dataflow.layer import Stream
from finn.deploy import DeployError, Port
from finn.util.basic import gen_finn_dt_tensor
from finn.util.errors import PackingError

TYPES = ["BIPOLAR", "BINARY", "TERNARY", "INT2", "UINT3", "INT4", "UINT5", "INT7", "UINT8", "INT12", "UINT16", "INT24"]


def bits_of(beat: np.ndarray, name: str) -> int:
    """The beat as one number, lane 0 lowest, as the published convention has it."""
    width = DataType[name].bitwidth()
    codes = [(int(v) + 1) // 2 if name == "BIPOLAR" else int(v) % (1 << width) for v in beat]
    return sum(code << (lane * width) for lane, code in enumerate(codes))


@given(
    name=st.sampled_from(TYPES),
    outer=st.lists(st.integers(1, 3), max_size=2),
    lanes=st.integers(1, 9),
    beats=st.integers(1, 5),
    frames=st.integers(1, 4),
)
def test_bytes_are_those_of_the_stream(name: str, outer: list[int], lanes: int, beats: int, frames: int) -> None:
    stream = Stream((1, *outer, lanes * beats), DataType[name], lanes)
    port = Port.of("x", stream)
    x = gen_finn_dt_tensor(DataType[name], (frames, *outer, lanes * beats)).astype(np.int64)
    folded = port.fold(x)
    packed = port.pack(folded)
    assert folded.shape == (frames, *port.folded[1:])
    assert packed.shape == (frames, *port.packed[1:])
    assert packed.dtype == np.uint8
    words = packed.reshape(-1, packed.shape[-1])
    for beat, word in zip(stream.to_beats(x), words, strict=True):
        assert int.from_bytes(word.tobytes(), "little") == bits_of(beat, name)
    assert len(words[0]) == stream.padded_width // 8
    np.testing.assert_array_equal(port.unfold(port.unpack(packed)), x)


def test_arrays_that_do_not_fit_are_refused() -> None:
    port = Port.of("pixels", Stream((1, 4, 6), DataType["UINT4"], 3))
    with pytest.raises(DeployError, match=r"pixels: an array of shape \(2, 6, 4\) .*give an array \(N, 4, 6\)"):
        port.fold(np.zeros((2, 6, 4), np.int64))
    with pytest.raises(DeployError, match=r"shape \(0, 4, 6\)"):
        port.fold(np.zeros((0, 4, 6), np.int64))
    with pytest.raises(DeployError, match=r"\(N, 4, 2, 3\)"):
        port.pack(np.zeros((1, 4, 6), np.int64))
    with pytest.raises(DeployError, match=r"\(N, 4, 2, 2\)"):
        port.unpack(np.zeros((1, 4, 2, 3), np.uint8))
    with pytest.raises(PackingError, match="16 is no UINT4"):
        port.pack(np.full((1, 4, 2, 3), 16))


def test_windows_are_not_sent_by_drivers() -> None:
    with pytest.raises(DeployError, match="window by window"):
        Port.of("x", Stream((1, 2, 2, 36), DataType["INT4"], 2, window=9))
