"""Floating and fixed point types, names and exact membership, against enumeration and exact rational arithmetic."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finn.core.datatype import (
    ArbPrecFloatType,
    BaseDataType,
    DataType,
    DataTypeMeta,
    FixedPointType,
    Float16Type,
    ScaledIntType,
    resolve_datatype,
)
from finn.core.errors import ModelError, UnsupportedError

names = st.one_of(
    st.sampled_from(["BINARY", "BIPOLAR", "TERNARY", "FLOAT32", "FLOAT16"]),
    st.integers(2, 9999).map("UINT{}".format),
    st.integers(1, 9999).map("INT{}".format),
    st.integers(1, 9999).map("SCALEDINT<{}>".format),
    st.integers(1, 64).flatmap(lambda w: st.integers(-40, w - 1).map(lambda i: f"FIXED<{w},{i}>")),
    st.tuples(st.integers(1, 8), st.integers(0, 30), st.integers(-10, 200)).map("FLOAT<{0[0]},{0[1]},{0[2]}>".format),
)


@given(names)
def test_names_lead_to_types_and_back(name: str) -> None:
    datatype = DataType[name]
    assert datatype.name == name
    assert resolve_datatype(datatype.name) == datatype
    assert datatype == name


@pytest.mark.parametrize(
    ("name", "bits", "low", "high", "count", "hls", "numpy"),
    [
        ("FIXED<4,2>", 4, -2.0, 1.75, 16, "ap_fixed<4, 2>", np.float32),
        ("FIXED<9,6>", 9, -32.0, 31.875, 512, "ap_fixed<9, 6>", np.float32),
        ("FIXED<4,0>", 4, -0.5, 0.4375, 16, "ap_fixed<4, 0>", np.float32),
        ("FIXED<25,8>", 25, -128.0, 128 - 2.0**-17, 2**25, "ap_fixed<25, 8>", np.float32),
        ("FIXED<26,8>", 26, -128.0, 128 - 2.0**-18, 2**26, "ap_fixed<26, 8>", np.float64),
        ("FLOAT<4,3>", 8, -480.0, 480.0, 256, None, np.float32),
        ("FLOAT<4,3,0>", 8, -61440.0, 61440.0, 256, None, np.float32),
        ("FLOAT<5,10>", 16, -131008.0, 131008.0, 65536, None, np.float32),
        ("FLOAT<8,23>", 32, -(2 - 2.0**-23) * 2.0**128, (2 - 2.0**-23) * 2.0**128, 2**32, None, np.float64),
    ],
)
def test_golden_table(name: str, bits: int, low: float, high: float, count: int, hls: str | None, numpy: type) -> None:
    datatype = DataType[name]
    assert (datatype.bitwidth(), datatype.min(), datatype.max()) == (bits, low, high)
    assert datatype.get_num_possible_values() == count
    assert datatype.to_numpy_dt() is numpy
    assert datatype.signed()
    assert not datatype.is_integer()
    assert datatype.is_fixed_point() == name.startswith("FIXED")
    if hls is not None:
        assert datatype.get_hls_datatype_str() == hls
    else:
        with pytest.raises(UnsupportedError, match="has no C\\+\\+ type"):
            datatype.get_hls_datatype_str()


def test_parameters() -> None:
    fixed = DataType["FIXED<9,6>"]
    assert isinstance(fixed, FixedPointType)
    assert (fixed.int_bits(), fixed.frac_bits(), fixed.scale_factor()) == (6, 3, 0.125)
    tiny = DataType["FLOAT<4, 3>"]
    assert isinstance(tiny, ArbPrecFloatType)
    assert (tiny.exponent_bits(), tiny.mantissa_bits(), tiny.exponent_bias()) == (4, 3, 7)
    assert tiny.name == "FLOAT<4,3,7>"
    assert DataType["FLOAT<4,3,0>"] != tiny
    assert isinstance(DataType, DataTypeMeta)


def test_half_precision() -> None:
    half = DataType["FLOAT16"]
    assert isinstance(half, Float16Type)
    assert (half.bitwidth(), half.min(), half.max()) == (16, -65504.0, 65504.0)
    assert (half.get_hls_datatype_str(), half.to_numpy_dt()) == ("half", np.float16)
    assert half.allowed(np.array([0.5, 2.0**-24, np.inf, np.nan, 0.1, 65505, 1e9])).tolist() == [True] * 4 + [False] * 3
    with pytest.raises(UnsupportedError, match="no useful number of values"):
        half.get_num_possible_values()


def test_scaled_integers_have_no_values() -> None:
    scaled = DataType["SCALEDINT<8>"]
    assert isinstance(scaled, ScaledIntType)
    assert (scaled.bitwidth(), scaled.signed(), scaled.is_integer()) == (8, True, False)
    assert scaled.to_numpy_dt() is np.float32
    for ask in (scaled.min, scaled.max, scaled.get_num_possible_values, scaled.get_hls_datatype_str):
        with pytest.raises(UnsupportedError, match=r"SCALEDINT<8> has no .* \(its scale is not known\)"):
            ask()
    with pytest.raises(UnsupportedError, match="SCALEDINT<8> has no set of values"):
        scaled.allowed(1)


@pytest.mark.parametrize(
    "name",
    [
        *("FIXED<4,4>", "FIXED<4,5>", "FIXED<0,-1>", "FIXED<4>", "FIXED<4,  2>", "FIXED<4 ,2>", "FIXED< 4,2>"),
        *("FIXED<4,02>", "FIXED<4,-0>", "fixed<4,2>", "FIXED<4,2> ", "FIXED<9999,1>", "SCALEDINT<0>", "SCALEDINT8"),
        *("FLOAT<0,3>", "FLOAT<4>", "FLOAT<4,3,>", "FLOAT<4,3,1.5>", "FLOAT<12,3>", "FLOAT<11,52>", "FLOAT<4,53>"),
        *("FLOAT", "FLOAT64", "FLOAT 16", "BFLOAT16", "INT4\n", "INT99999"),
    ],
)
def test_strict_names(name: str) -> None:
    with pytest.raises(KeyError) as caught:
        DataType[name]
    message = caught.value.args[0]
    assert message.startswith(f"'{name}' is no data type")
    assert message.endswith("SCALEDINT<n>, FLOAT<e,m[,bias]>")


def test_a_refused_name_says_why() -> None:
    with pytest.raises(KeyError, match="a fixed point type of 4 bits cannot have 4 before the point"):
        DataType["FIXED<4,4>"]
    with pytest.raises(ModelError, match="0 exponent bits"):
        ArbPrecFloatType(0, 3)


# --------------------------------------------------------------------------------------------------------- membership


def members(datatype: BaseDataType) -> set[Fraction]:
    """Every value of a small type, by the definition of the type."""
    if isinstance(datatype, FixedPointType):
        w = datatype.bitwidth()
        return {Fraction(k, 2 ** datatype.frac_bits()) for k in range(-(2 ** (w - 1)), 2 ** (w - 1))}
    if isinstance(datatype, ArbPrecFloatType):
        e, m, bias = datatype.exponent_bits(), datatype.mantissa_bits(), datatype.exponent_bias()
        two = Fraction(2)
        found = {Fraction(f, 2**m) * two ** (1 - bias) for f in range(2**m)}
        found |= {(1 + Fraction(f, 2**m)) * two ** (x - bias) for x in range(1, 2**e) for f in range(2**m)}
        return found | {-value for value in found}
    if datatype == "BIPOLAR":
        return {Fraction(-1), Fraction(1)}
    return {Fraction(k) for k in range(int(datatype.min()), int(datatype.max()) + 1)}


SMALL = [
    *("BINARY", "BIPOLAR", "TERNARY", "INT1", "INT3", "UINT4", "INT8", "FIXED<1,0>", "FIXED<4,2>", "FIXED<5,-2>"),
    *("FIXED<8,7>", "FLOAT<1,0>", "FLOAT<1,3>", "FLOAT<3,0>", "FLOAT<4,3>", "FLOAT<3,2,0>", "FLOAT<2,4,5>"),
    *("FLOAT<3,2,-4>", "FLOAT<5,2>"),
]


@pytest.mark.parametrize("name", SMALL)
def test_members_by_enumeration(name: str) -> None:
    datatype = DataType[name]
    inside = members(datatype)
    assert (min(inside), max(inside)) == (datatype.min(), datatype.max())
    step = min(abs(a) for a in inside if a) / 2
    ordered = sorted(inside)
    between = [(a + b) / 2 for a, b in itertools.pairwise(ordered)]
    outside = [ordered[0] - step, ordered[-1] + step, ordered[-1] * 2 + 1, *between]
    candidates = [*ordered, *(value for value in outside if value not in inside)]
    as_float = np.array([float(value) for value in candidates])
    assert [Fraction(x) for x in as_float.tolist()] == candidates  # the candidates are exact
    expected = [value in inside for value in candidates]
    assert datatype.allowed(as_float).tolist() == expected
    assert datatype.allowed(np.array(as_float.tolist(), dtype=object)).tolist() == expected
    assert [datatype.allowed(x) for x in as_float.tolist()] == expected
    assert datatype.allowed(as_float.reshape(1, -1)).shape == (1, len(candidates))
    for odd in (np.nan, np.inf, -np.inf):
        assert datatype.allowed(odd) is False


numbers = st.one_of(
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.floats(width=32),
    st.integers(0, 80).flatmap(lambda n: st.sampled_from([2**n, 2**n - 1, 2**n + 1, -(2**n), -(2**n) - 1])),
)
wide = [
    *("UINT25", "INT25", "UINT53", "UINT54", "INT54", "UINT64", "INT64", "INT65", "UINT100", "INT2000", "FIXED<30,20>"),
    *("FIXED<64,32>", "FIXED<60,-3>", "FLOAT<8,23>", "FLOAT<4,3>", "FLOAT<10,52,700>"),
]


@given(st.sampled_from(wide), numbers)
@example("UINT25", float(2**25))
@example("UINT64", float(2**64))
@example("INT64", float(2**63))
@example("UINT100", 2**70 + 1)
@example("FIXED<64,32>", 2**31 - 1)
def test_wide_members_by_exact_arithmetic(name: str, value: float) -> None:
    datatype = DataType[name]
    expected = value == value and abs(value) != float("inf") and exact_member(datatype, Fraction(value))
    assert datatype.allowed(value) is expected
    if isinstance(value, float):
        assert datatype.allowed(np.float64(value)) is expected
        single = np.array([value, 1.0]).astype(np.float32) if abs(value) < 1e38 else np.ones(2, np.float32)
        assert datatype.allowed(single)[0] == exact_member(datatype, Fraction(float(single[0])))
    elif -(2**63) <= value < 2**63:
        assert datatype.allowed(np.array([value], dtype=np.int64)).tolist() == [expected]
    elif 0 <= value < 2**64:
        assert datatype.allowed(np.array([value], dtype=np.uint64)).tolist() == [expected]


def exact_member(datatype: BaseDataType, value: Fraction) -> bool:
    if isinstance(datatype, FixedPointType):
        k = value * 2 ** datatype.frac_bits()
        return k.denominator == 1 and -(2 ** (datatype.bitwidth() - 1)) <= k < 2 ** (datatype.bitwidth() - 1)
    if isinstance(datatype, ArbPrecFloatType):
        exponent = 1 - datatype.exponent_bias()
        last = 2 ** datatype.exponent_bits() - 1 - datatype.exponent_bias()
        while exponent < last and abs(value) >= Fraction(2) ** (exponent + 1):
            exponent += 1
        k = value / Fraction(2) ** (exponent - datatype.mantissa_bits())
        return k.denominator == 1 and abs(k) < 2 ** (datatype.mantissa_bits() + 1)
    return value.denominator == 1 and datatype.min() <= value <= datatype.max()


def test_what_is_no_number() -> None:
    with pytest.raises(TypeError, match="INT4 has numbers as values"):
        DataType["INT4"].allowed("3")
    assert DataType["BINARY"].allowed(np.array([True, False])).all()
    assert DataType["INT4"].allowed(np.array([[]])).shape == (1, 0)


# -------------------------------------------------------------------------------------------------------- float codes


def test_codes_are_those_of_ieee_754() -> None:
    """FLOAT<5,10> and FLOAT<8,23> agree with NumPy's half and single precision, where those have finite numbers."""
    half, single = ArbPrecFloatType(5, 10), ArbPrecFloatType(8, 23)
    codes = np.arange(2**16, dtype=np.uint16)
    finite = np.isfinite(codes.view(np.float16))
    np.testing.assert_array_equal(half.from_codes(codes)[finite], codes.view(np.float16)[finite])
    np.testing.assert_array_equal(half.to_codes(codes.view(np.float16)[finite]), codes[finite])
    x = np.array([0.0, -0.0, 1.0, -1.0, 17.125, 2.0**-149, 2.0**-126, 3.4028234663852886e38], np.float32)
    np.testing.assert_array_equal(single.to_codes(x), x.view(np.uint32))


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith("FLOAT")])
def test_every_code_has_its_value(name: str) -> None:
    datatype = DataType[name]
    assert isinstance(datatype, ArbPrecFloatType)
    codes = np.arange(2 ** datatype.bitwidth())
    values = datatype.from_codes(codes)
    assert {Fraction(value) for value in values.tolist()} == members(datatype)
    np.testing.assert_array_equal(datatype.to_codes(values), codes)


def test_the_import_stays_light() -> None:
    code = "import sys, finn.core.datatype; sys.exit(any(name in sys.modules for name in ('onnx', 'onnxruntime')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
