"""Streams that are duplicated, joined and parted: examples by hand, messages, real sizes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow import timing
from finn.dataflow.layer import Layer, LayerError
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.streaming_split import StreamingSplit

BIPOLAR, BINARY, TERNARY, INT4, UINT4 = (DataType[n] for n in ("BIPOLAR", "BINARY", "TERNARY", "INT4", "UINT4"))


@pytest.mark.parametrize(
    ("dtypes", "output"),
    [
        ((BIPOLAR, BIPOLAR), BIPOLAR),
        ((BIPOLAR, BINARY), TERNARY),
        ((BIPOLAR, UINT4), DataType["INT5"]),
        ((INT4, UINT4), DataType["INT5"]),
        ((UINT4, BINARY), UINT4),
        ((INT4, TERNARY), INT4),
    ],
)
def test_type_of_a_concatenation(dtypes: tuple[BaseDataType, ...], output: BaseDataType) -> None:
    assert StreamingConcat((1, 4), dtypes, (2, 2)).outputs[0].dtype == output


def test_split_undoes_concat_along_any_axis() -> None:
    for axis in (1, 2, 3, -1, -3):
        shape = [1, 4, 6, 8]
        sizes = (1, shape[axis] - 1)
        x = np.arange(3 * 4 * 6 * 8).reshape(3, 4, 6, 8)
        parts = StreamingSplit(tuple(shape), DataType["INT16"], sizes, axis).results(x)
        assert [p.shape[axis] for p in parts] == list(sizes)
        joined = StreamingConcat(tuple(shape), (DataType["INT16"],) * 2, sizes, axis).execute(*parts)
        np.testing.assert_array_equal(joined, x)


def test_lanes_divide_every_part() -> None:
    """Along the channels every part's, along a row all channels."""
    assert StreamingSplit((1, 6, 24), INT4, (8, 12, 4)).common == 4
    assert StreamingSplit((1, 6, 24), INT4, (1, 5), 1).common == 24


def test_beats_take_turns() -> None:
    """Pixel by pixel along the channels, row by row along the height: when the beats of each input are taken."""
    channels = StreamingConcat((1, 2, 2, 4), (INT4, INT4), (1, 3))
    rows = StreamingConcat((1, 3, 2, 1), (INT4, INT4), (1, 2), 1)
    assert (channels.parts.beats(1), channels.parts.rounds) == ((1, 3), 4)
    assert (rows.parts.beats(1), rows.parts.rounds) == ((2, 4), 1)
    assert channels.cycles == 16
    assert timing.of_layer(rows, 4).interval == 6


def test_large_layers_are_described_quickly() -> None:
    """Along a row or the height, too, where a round is a frame."""
    shape = (1, 224, 224, 64)
    layers: list[Layer] = [
        DuplicateStreams(shape, INT4, 3),
        StreamingConcat(shape, (INT4, BIPOLAR), (32, 32)),
        StreamingSplit(shape, INT4, (100, 124), 1),
    ]
    start = time.process_time()
    for layer in layers:
        assert layer.cycles == 224 * 224 * 64
        layer.schedule()
    assert time.process_time() - start < 0.1


TOGETHER = "each has to be 1 or more, and together they have to be 8"
ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "copies": (lambda: DuplicateStreams((1, 4), INT4, 0), "DuplicateStreams: 0 copies. Remedy: use 1 or more"),
    "sizes": (
        lambda: StreamingSplit((1, 8), INT4, (4, 5)),
        f"parts of sizes (4, 5) along axis -1 of the shape (1, 8) ({TOGETHER})",
    ),
    "an empty part": (
        lambda: StreamingConcat((1, 8), (INT4, INT4), (8, 0)),
        f"parts of sizes (8, 0) along axis -1 of the shape (1, 8) ({TOGETHER})",
    ),
    "frames": (
        lambda: StreamingSplit((1, 8), INT4, (4, 4), 0),
        "axis 0 of the shape (1, 8) (the first axis counts frames, and frames are not joined). "
        "Remedy: use 1 to 1, or -1 for the last",
    ),
    "types": (
        lambda: StreamingConcat((1, 8), (INT4,), (4, 4)),
        "StreamingConcat: 1 types for 2 inputs",
    ),
    "SIMD": (
        lambda: StreamingConcat((1, 8), (INT4, INT4), (2, 6), SIMD=4),
        "StreamingConcat: SIMD=4 does not divide common=2 (each cycle has to do the same number of common elements). "
        "Remedy: use one of 1, 2",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_message(name: str) -> None:
    make, text = ERRORS[name]
    with pytest.raises(LayerError) as refused:
        make()
    assert str(refused.value) == text
