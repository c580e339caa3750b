"""Layers that move pixels, and tables: examples worked out by hand, what they refuse, real sizes, and their costs."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from test_ladder import climb

from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer, LayerError
from finn.dataflow.layers.crop import Crop
from finn.dataflow.layers.down_sampler import DownSampler
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.fm_padding_pixel import FMPadding_Pixel
from finn.dataflow.layers.lookup import Lookup
from finn.dataflow.layers.upsample_nearest_neighbour import UpsampleNearestNeighbour
from finn.rtl import Simulator, stitch

BIPOLAR, INT4, INT8, UINT4, UINT8 = (DataType[name] for name in ("BIPOLAR", "INT4", "INT8", "UINT4", "UINT8"))
TABLE = np.array([5, -6, 7])
ROWS = np.array([[1, 2], [3, 4], [5, 6]])

# One channel: an image as its rows, a sequence as a list. (layer, input, output).
EXAMPLES: dict[str, tuple[Layer, list[object], list[object]]] = {
    "pads": (
        FMPadding((1, 2, 2, 1), INT4, (1, 0, 0, 2), -8),
        [[1, 2], [3, 4]],
        [[-8, -8, -8, -8], [1, 2, -8, -8], [3, 4, -8, -8]],
    ),
    "pads of a sequence": (FMPadding((1, 3, 1), BIPOLAR, (2, 1), -1), [1, 1, -1], [-1, -1, 1, 1, -1, -1]),
    "zeros between pixels": (
        FMPadding_Pixel((1, 2, 3, 1), INT4, (3, 2)),
        [[1, 2, 3], [4, 5, 6]],
        [[1, 0, 2, 0, 3], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [4, 0, 5, 0, 6]],
    ),
    "zeros behind them, too": (FMPadding_Pixel((1, 2, 1), INT4, (3,), tail=1), [1, 2], [1, 0, 0, 2, 0, 0]),
    "crop": (
        Crop((1, 3, 4, 1), UINT4, (1, 2, 0, 1)),
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        [[6], [10]],
    ),
    "every third row, every second column": (
        DownSampler((1, 4, 3, 1), UINT4, (3, 2)),
        [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]],
        [[0, 2], [9, 11]],
    ),
    "twice the rows, five thirds of the columns": (
        UpsampleNearestNeighbour((1, 1, 3, 1), UINT4, (2, 5)),
        [[7, 8, 9]],
        [[7, 7, 8, 8, 9], [7, 7, 8, 8, 9]],
    ),
    "one more": (UpsampleNearestNeighbour((1, 4, 1), UINT4, (5,)), [1, 2, 3, 4], [1, 1, 2, 3, 4]),
    "table": (Lookup((1, 5, 1), INT4, TABLE, INT8, offset=1), [-8, -1, 0, 1, 7], [5, 5, -6, 7, 7]),
    "embedding": (Lookup((1, 4), UINT8, ROWS, UINT4), [2, 0, 1, 255], [[5, 6], [1, 2], [3, 4], [5, 6]]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    layer, x, y = EXAMPLES[name]
    frame = np.array(x, np.int64).reshape(layer.inputs[0].shape)
    expected = np.array(y, np.int64)
    assert expected.size == np.prod(layer.outputs[0].shape)
    two = layer.execute(np.concatenate([frame, frame]))
    np.testing.assert_array_equal(two, [expected.reshape(layer.outputs[0].shape[1:])] * 2)


def image(shape: tuple[int, ...]) -> Callable[[], Layer]:
    return lambda: DownSampler(shape, INT4, (1, 1))


ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "no image": (
        image((1, 8)),
        "DownSampler: an input of shape (1, 8) (images have one or two spatial axes). "
        "Remedy: use (1, H, W, C) or (1, T, C)",
    ),
    "three axes": (
        image((1, 2, 2, 2, 8)),
        "DownSampler: an input of shape (1, 2, 2, 2, 8) (images have one or two spatial axes). "
        "Remedy: use (1, H, W, C) or (1, T, C)",
    ),
    "an axis less": (
        image((1, 8, 3)),
        "DownSampler: strides=[1, 1] for the shape (1, 8, 3). Remedy: give 1 integers of 1 or more",
    ),
    "stride of 0": (
        lambda: DownSampler((1, 4, 4, 3), INT4, (1, 0)),
        "DownSampler: strides=[1, 0] for the shape (1, 4, 4, 3). Remedy: give 2 integers of 1 or more",
    ),
    "SIMD": (
        lambda: DownSampler((1, 4, 4, 3), INT4, (1, 1), SIMD=2),
        "DownSampler: SIMD=2 does not divide channels=3 (each cycle has to do the same number of channels elements). "
        "Remedy: use one of 1, 3",
    ),
    "negative pad": (
        lambda: FMPadding((1, 4, 4, 3), INT4, (1, -1, 0, 0)),
        "FMPadding: pads=[1, -1, 0, 0] for the shape (1, 4, 4, 3). Remedy: give 4 integers of 0 or more",
    ),
    "value": (
        lambda: FMPadding((1, 4, 4, 3), INT4, (1, 1, 1, 1), 8),
        "FMPadding: value=8 (the type INT4 does not have it). "
        "Remedy: pad with a value of the type, or use a wider type",
    ),
    "bipolar zeros": (
        lambda: FMPadding_Pixel((1, 4, 4, 3), BIPOLAR, (2, 2)),
        "FMPadding_Pixel: zeros between pixels of the type BIPOLAR (the type does not have 0). "
        "Remedy: use a wider type",
    ),
    "tail": (
        lambda: FMPadding_Pixel((1, 4, 4, 3), INT4, (2, 2), 2),
        "FMPadding_Pixel: tail=2. Remedy: use 1 for zeros behind the last pixels, too, or 0",
    ),
    "crop": (
        lambda: Crop((1, 4, 4, 3), INT4, (2, 0, 2, 0)),
        "Crop: crops=[2, 0, 2, 0] for the shape (1, 4, 4, 3) (no pixel would be left). "
        "Remedy: crop less than the whole image",
    ),
    "smaller": (
        lambda: UpsampleNearestNeighbour((1, 4, 4, 3), INT4, (8, 3)),
        "UpsampleNearestNeighbour: sizes=[8, 3] for the shape (1, 4, 4, 3) (an axis would become shorter). "
        "Remedy: use DownSampler for fewer pixels",
    ),
    "table": (
        lambda: Lookup((1, 3), INT4, np.zeros((0,), np.int64), INT4),
        "Lookup: a table of shape (0,). Remedy: give (N,) for a value per index or (N, D) for a row of D values",
    ),
    "entries": (
        lambda: Lookup((1, 3), INT4, np.array([8]), INT4),
        "Lookup: a table with values outside INT4. Remedy: annotate their true type",
    ),
    "offset": (
        lambda: Lookup((1, 3), INT4, TABLE, INT4, offset=-8),
        "Lookup: offset=-8 for inputs of INT4 (the indices -16 to -1 miss a table of 3 entries). "
        "Remedy: choose the offset so that the smallest input is index 0",
    ),
    "PE of a row": (
        lambda: Lookup((1, 3), INT4, ROWS, INT4, offset=8, PE=3),
        "Lookup: PE=3 does not divide lanes_of=2 (each cycle has to do the same number of lanes_of elements). "
        "Remedy: use one of 1, 2",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused(name: str) -> None:
    make, message = ERRORS[name]
    with pytest.raises(LayerError) as error:
        make()
    assert str(error.value) == message


def table(entries: int, *row: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, (entries, *row))


# (layer, cycles per frame)
REAL: tuple[tuple[Layer, int], ...] = (
    (FMPadding((1, 32, 32, 64), INT4, (1, 1, 1, 1), SIMD=16), 34 * 34 * 4),
    (FMPadding_Pixel((1, 16, 16, 64), INT4, (2, 2), SIMD=16), 31 * 31 * 4),
    (Crop((1, 32, 32, 64), INT4, (2, 2, 3, 3), SIMD=16), 32 * 32 * 4),
    (DownSampler((1, 32, 32, 64), INT4, (2, 2), SIMD=64), 32 * 32),
    (UpsampleNearestNeighbour((1, 16, 16, 64), INT4, (32, 32), SIMD=16), 32 * 32 * 4),
    (UpsampleNearestNeighbour((1, 20, 15, 64), INT4, (32, 32), SIMD=64), 32 * 32),
    (Lookup((1, 32, 32, 4), INT8, table(256), INT8, offset=128, PE=2), 32 * 32 * 2),
    (Lookup((1, 100), DataType["INT16"], table(1000, 96), INT8, PE=8), 100 * 12),
)


def test_real_sizes_take_the_cycles_they_say() -> None:
    for layer, cycles in REAL:
        assert layer.cycles == cycles
    climb([layer for layer, _ in REAL], seed=1)


def test_schedules_of_large_images_are_quick() -> None:
    large = (1, 224, 224, 64)
    layers = [
        FMPadding(large, INT4, (1, 1, 1, 1), SIMD=8),
        FMPadding_Pixel((1, 112, 112, 64), INT4, (2, 2), SIMD=8),
        Crop(large, INT4, (1, 1, 1, 1), SIMD=8),
        DownSampler(large, INT4, (2, 2), SIMD=8),
        UpsampleNearestNeighbour((1, 150, 150, 64), INT4, (224, 224), SIMD=8),
    ]
    for layer in layers:
        start = perf_counter()
        schedule = layer.schedule()
        assert perf_counter() - start < 0.5
        assert schedule.steps * schedule.periods == layer.cycles


@pytest.mark.parametrize("value", [-(2**31), -(2**61), 2**32 + 5, -1])
def test_value_of_a_wide_type(value: int) -> None:
    """The module gets it in two halves."""
    layer = FMPadding((1, 1, 1), DataType["INT62"], (1, 0), value)
    halves = layer.rtl().parameters
    assert (int(halves["ValueHigh"]) << 32 | int(halves["ValueLow"])) == value % 2**62


def test_ring_holds_no_more_than_it_has_to() -> None:
    """A row if rows are repeated, a pixel if not, and what the memory's latency asks for."""

    def depth(shape: tuple[int, ...], sizes: tuple[int, ...], simd: int) -> object:
        return UpsampleNearestNeighbour(shape, INT4, sizes, SIMD=simd).rtl().parameters["Depth"]

    assert depth((1, 8, 8, 6), (16, 16), 2) == 8 * 3
    assert depth((1, 8, 8, 6), (8, 16), 1) == 6
    assert depth((1, 8, 8, 6), (8, 16), 6) == 3
    assert depth((1, 8, 1, 1), (16, 9), 1) == 3


def test_no_table_is_larger_for_narrow_inputs() -> None:
    """What an input cannot name is not stored, and an input that names all entries needs no comparison."""
    narrow = Lookup((1, 4), DataType["UINT2"], table(100), INT8).rtl()
    assert len(narrow.memories["_table.dat"]) == 4
    assert (narrow.parameters["Clamp"], narrow.parameters["Entries"]) == (0, 4)
    wide = Lookup((1, 4), INT8, table(100), INT8, offset=50).rtl()
    assert len(wide.memories["_table.dat"]) == 100
    assert [wide.parameters[name] for name in ("Clamp", "CheckLow", "CheckHigh")] == [1, 1, 1]


@pytest.mark.parametrize("part", [None, "xczu3eg-sbva484-1-e", "LFE5U-25F-6BG381C"])
def test_costs(part: str | None) -> None:
    """All lanes cost more than one, each its own table; a memory is where its style says."""
    for layer, _ in REAL:
        ((fold, of),) = layer.foldings().items()
        one, all_ = (layer.with_config(**{fold: n}).resources(part) for n in (1, getattr(layer, of)))
        assert 0 < one.LUT < all_.LUT
    single, four = (Lookup((1, 4), INT8, table(256), INT8, 128, PE=n, ram_style="block") for n in (1, 4))
    assert (single.resources(part).BRAM_18K, four.resources(part).BRAM_18K) == (1, 4)
    upsample = UpsampleNearestNeighbour((1, 16, 16, 64), INT4, (32, 32), SIMD=16)
    assert {r.BRAM_18K for r in upsample.alternatives(part)} == {0, 2}


def test_pixels_behind_the_last_result_are_taken() -> None:
    """The last rows of an image are cropped; a run ends when they have come in, too."""
    layer = Crop((1, 6, 3, 2), INT4, (0, 0, 4, 0), SIMD=2)
    design = stitch(make_model([("crop", layer)]))
    x = np.random.default_rng(0).integers(-8, 8, (2, 6, 3, 2))
    with Simulator(design) as simulator:
        found = simulator.run(x)
    assert found.input.last[1] > found.output.last[1]
    assert found.cycles == found.input.last[1] + 1
