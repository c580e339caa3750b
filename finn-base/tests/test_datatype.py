"""Data types: ranges by independent formulas, look-ups, membership."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.core.errors import ModelError, UnsupportedError


@pytest.mark.parametrize(
    ("name", "bits", "low", "high", "count", "hls", "numpy"),
    [
        ("BIPOLAR", 1, -1, 1, 2, "ap_int<1>", np.int8),
        ("BINARY", 1, 0, 1, 2, "ap_uint<1>", np.uint8),
        ("TERNARY", 2, -1, 1, 3, "ap_int<2>", np.int8),
        ("INT1", 1, -1, 0, 2, "ap_int<1>", np.int8),
        ("INT2", 2, -2, 1, 4, "ap_int<2>", np.int8),
        ("UINT4", 4, 0, 15, 16, "ap_uint<4>", np.uint8),
        ("INT8", 8, -128, 127, 256, "ap_int<8>", np.int8),
        ("INT9", 9, -256, 255, 512, "ap_int<9>", np.int16),
        ("UINT33", 33, 0, 8589934591, 8589934592, "ap_uint<33>", np.uint64),
    ],
)
def test_golden_table(name: str, bits: int, low: int, high: int, count: int, hls: str, numpy: type) -> None:
    datatype = DataType[name]
    assert (datatype.bitwidth(), datatype.min(), datatype.max()) == (bits, low, high)
    assert datatype.get_num_possible_values() == count
    assert datatype.get_hls_datatype_str() == hls
    assert datatype.to_numpy_dt() is numpy
    assert datatype.is_integer()
    assert datatype.signed() == (low < 0)
    assert datatype.name == str(datatype) == repr(datatype) == name
    assert datatype == name
    assert hash(datatype) == hash(DataType[name])


def test_uint1_is_binary() -> None:
    assert DataType["UINT1"] == DataType["BINARY"]
    assert DataType["UINT1"].name == "BINARY"


def test_float32() -> None:
    datatype = DataType["FLOAT32"]
    assert datatype.bitwidth() == 32
    assert not datatype.is_integer()
    assert datatype.allowed(0.3) is True
    assert datatype.get_hls_datatype_str() == "float"
    with pytest.raises(UnsupportedError):
        datatype.get_num_possible_values()


@pytest.mark.parametrize("name", ["INT0", "UINT0", "UINT-3", "INT", "INT4 ", "int4", "INT04", "", "INT4.0", "BOOL"])
def test_strict_names(name: str) -> None:
    with pytest.raises(KeyError, match="is no data type"):
        DataType[name]


def test_lookup_by_something_else() -> None:
    with pytest.raises(TypeError, match="looked up by its name, not by a int: 4"):
        DataType[4]  # type: ignore[index]


def test_allowed_gives_bool_for_scalars_and_arrays_for_arrays() -> None:
    assert DataType["BIPOLAR"].allowed(0) is False
    assert DataType["TERNARY"].allowed(0) is True
    assert DataType["INT4"].allowed(np.float32(-8)) is True
    assert DataType["INT4"].allowed(1.5) is False
    assert DataType["INT4"].allowed(float("nan")) is False
    inside = DataType["UINT2"].allowed(np.array([[-1, 0], [3, 4]], dtype=np.float32))
    assert inside.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "BINARY"),
        (1, "BINARY"),
        (2, "UINT2"),
        (-1, "BIPOLAR"),
        (-2, "INT2"),
        (255, "UINT8"),
        (-129, "INT9"),
        (0.5, "FLOAT32"),
        (3.0, "UINT2"),
        (float("inf"), "FLOAT32"),
    ],
)
def test_smallest_possible(value: float, name: str) -> None:
    assert DataType.get_smallest_possible(value) == name


def test_smallest_possible_has_a_limit() -> None:
    with pytest.raises(ModelError, match="more than 64 bits"):
        DataType.get_smallest_possible(2**64)


def test_accumulator_candidates() -> None:
    names = DataType.get_accumulator_dt_cands()
    assert len(names) == 131
    assert names[:3] == ["BINARY", "UINT1", "UINT2"]
    assert names[65:69] == ["BIPOLAR", "TERNARY", "INT1", "INT2"]


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_spanning_is_the_narrowest(a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    datatype = DataType.spanning(a, b)
    assert datatype.min() <= low <= high <= datatype.max()
    assert datatype != "BIPOLAR"
    if datatype.name not in ("BINARY", "INT1", "TERNARY"):
        narrower = datatype.bitwidth() - 1
        bounds = (0, 2**narrower - 1) if low >= 0 else (-(2 ** (narrower - 1)), 2 ** (narrower - 1) - 1)
        assert low < bounds[0] or high > bounds[1]


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0, 1, "BINARY"), (-1, 1, "TERNARY"), (0, 0, "BINARY"), (-1, 0, "INT1"), (-2, 1, "INT2")]
)
def test_spanning_of_small_ranges(low: int, high: int, name: str) -> None:
    assert DataType.spanning(low, high) == name


def test_spanning_needs_integers() -> None:
    with pytest.raises(ModelError, match="no integers"):
        DataType.spanning(0, 0.5)
