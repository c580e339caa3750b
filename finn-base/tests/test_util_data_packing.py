"""Packing of tensors into words, against published vectors and against arithmetic on Python integers."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn.core.datatype import ArbPrecFloatType, BaseDataType, DataType, FixedPointType
from finn.core.errors import UnsupportedError
from finn.util.basic import container_dtype, gen_finn_dt_tensor
from finn.util.data_packing import (
    array2hexstring,
    finnpy_to_packed_bytearray,
    hexstring2npbytearray,
    npbytearray2hexstring,
    npy_to_rtlsim_input,
    numpy_to_hls_code,
    pack_innermost_dim_as_hex_string,
    packed_bytearray_to_finnpy,
    rtlsim_output_to_npy,
    unpack_innermost_dim_from_hex_string,
)
from finn.util.errors import PackingError

# ------------------------------------------------------------------------------------------------------ golden vectors


@pytest.mark.parametrize(
    ("values", "name", "bits", "reverse", "expected"),
    [
        ([1, 1, 1, 0], "BINARY", 4, False, "0xe"),
        ([1, 1, 1, 0], "BINARY", 8, False, "0x0e"),
        ([1, 1, 1, 0], "BINARY", 4, True, "0x7"),
        ([1, 1, 1, 0], "BINARY", 8, True, "0x07"),
        ([1, 1, 0, 1], "BINARY", 4, True, "0xb"),
        ([1], "BINARY", 1, False, "0x1"),
        ([1, 1, 1, 1, 1], "BINARY", 5, False, "0x1f"),
        ([1, 1, 1, -1], "BIPOLAR", 8, False, "0x0e"),
        ([1, -1, -1, 1, 1, 1, 1, -1], "BIPOLAR", 8, False, "0x9e"),
        ([1, -1, -1, 1, 1, 1, 1, -1], "BIPOLAR", 8, True, "0x79"),
        ([-1, 0, 1], "TERNARY", 8, False, "0x31"),
        ([3, 3, 3, 3], "UINT2", 8, False, "0xff"),
        ([1, 3, 3, 1], "UINT2", 8, False, "0x7d"),
        ([1, -1, 1, -1], "INT2", 8, False, "0x77"),
        ([1, 1, 1, -1], "INT4", 16, False, "0x111f"),
        ([1, 2, 3], "UINT4", 12, True, "0x321"),
        ([1, 1, 1, 0], "UINT16", 64, True, "0x0000000100010001"),
        ([-(2**63), 2**63 - 1], "INT64", 128, False, "0x80000000000000007fffffffffffffff"),
        ([2**64 - 1, 1], "UINT64", 132, False, "0x0ffffffffffffffff0000000000000001"),
        ([-1, 2**69 + 5], "INT71", 144, False, "0x" + f"{(2**71 - 1) << 71 | 2**69 + 5:036x}"),
        ([-1], "FLOAT32", 32, False, "0xbf800000"),
        ([17.125], "FLOAT32", 32, False, "0x41890000"),
        ([1.0, -2.0], "FLOAT16", 32, False, "0x3c00c000"),
        ([17.125], "FIXED<9,6>", 12, False, "0x089"),
        ([-1.5], "FIXED<4,2>", 4, False, "0xa"),
        ([1.0, -1.125, 2.0**-9], "FLOAT<4,3>", 24, False, "0x38b901"),
        ([], "INT4", 8, False, "0x00"),
    ],
)
def test_words(values: list[float], name: str, bits: int, reverse: bool, expected: str) -> None:
    assert array2hexstring(values, DataType[name], bits, reverse=reverse) == expected
    assert array2hexstring(np.array(values, dtype=object), DataType[name], bits, "", reverse) == expected[2:]


def test_words_of_the_innermost_dimension() -> None:
    a = [[1, 1, 1, 0], [0, 1, 1, 0]]
    assert pack_innermost_dim_as_hex_string(a, DataType["BINARY"], 8).tolist() == ["0x0e", "0x06"]
    b = [[[3, 3], [3, 3]], [[1, 3], [3, 1]]]
    packed = pack_innermost_dim_as_hex_string(b, DataType["UINT2"], 8)
    assert packed.tolist() == [["0x0f", "0x0f"], ["0x07", "0x0d"]]
    packed = pack_innermost_dim_as_hex_string(b, DataType["UINT2"], 8, reverse_inner=True, prefix="")
    assert packed.tolist() == [["0f", "0f"], ["0d", "07"]]


def test_bytes_and_text() -> None:
    assert hexstring2npbytearray("0f01").tolist() == hexstring2npbytearray("0x0f01").tolist() == [15, 1]
    assert hexstring2npbytearray("h0f01", remove_prefix="h").dtype == np.uint8
    assert npbytearray2hexstring(np.array([15, 1], np.uint8)) == "0x0f01"
    assert npbytearray2hexstring([15, 1], prefix="") == "0f01"
    with pytest.raises(PackingError, match="'0x0f0' has no bytes"):
        hexstring2npbytearray("0x0f0")


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ([[1, 1, 1, 0], [0, 1, 1, 0]], "BINARY", [[14], [6]]),
        ([[[3, 3], [3, 3]], [[1, 3], [3, 1]]], "UINT2", [[[15], [15]], [[7], [13]]]),
        ([1, 7, 2, 5], "UINT4", [23, 37]),
        ([[-4, 0]], "INT32", [[255, 255, 255, 252, 0, 0, 0, 0]]),
        ([[17.125, -2.0], [-3.5, 11.25]], "FIXED<9,6>", [[1, 19, 240], [3, 200, 90]]),
    ],
)
def test_packed_bytes(values: list[float], name: str, expected: list[int]) -> None:
    packed = finnpy_to_packed_bytearray(values, DataType[name])
    assert packed.dtype == np.uint8
    assert packed.tolist() == expected
    assert packed_bytearray_to_finnpy(packed, DataType[name], np.shape(values)).tolist() == values


def test_bytes_of_drivers() -> None:
    """Element 0 in the lowest bits, the lowest byte first, every row padded to whole bytes."""
    values = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    packed = finnpy_to_packed_bytearray(values, DataType["UINT4"], reverse_inner=True, reverse_endian=True)
    assert packed.tolist() == [[0x21, 0x03], [0x54, 0x06]]
    back = packed_bytearray_to_finnpy(packed, DataType["UINT4"], (2, 3), reverse_inner=True, reverse_endian=True)
    assert back.tolist() == values.tolist()
    assert npy_to_rtlsim_input(values, DataType["UINT4"], 12) == [0x321, 0x654]
    assert npy_to_rtlsim_input(values, DataType["UINT4"], 16, reverse_inner=False) == [0x123, 0x456]


def test_hls_code() -> None:
    a = [[1, 1, 1, 0], [0, 1, 1, 0]]
    assert numpy_to_hls_code(a, DataType["BINARY"], "test") == (
        'ap_uint<4> test[2] = \n{ap_uint<4>("0xe", 16), ap_uint<4>("0x6", 16)};'
    )
    b = [[[3, 3], [3, 3]], [[1, 3], [3, 1]]]
    assert numpy_to_hls_code(b, DataType["UINT2"], "w", pack_innermost_dim=False) == (
        "ap_uint<2> w[2][2][2] = \n{{{3, 3},\n{3, 3}},\n{{1, 3},\n{3, 1}}};"
    )
    assert numpy_to_hls_code(b, DataType["UINT2"], "w", no_decl=True) == (
        '{{ap_uint<4>("0xf", 16), ap_uint<4>("0xf", 16)},\n{ap_uint<4>("0x7", 16), ap_uint<4>("0xd", 16)}};'
    )
    assert numpy_to_hls_code([-1, 1], DataType["BIPOLAR"], "w", False, True) == "{-1, 1};"
    assert (
        numpy_to_hls_code([0.5, -0.25], DataType["FIXED<4,2>"], "w", False) == "ap_fixed<4, 2> w[2] = \n{0.5, -0.25};"
    )
    assert numpy_to_hls_code(np.float32([0.1]), DataType["FLOAT32"], "w", False, True) == "{0.1};"
    assert numpy_to_hls_code([-(2**63)], DataType["INT64"], "w", False, True) == (
        '{ap_int<64>("-9223372036854775808", 10)};'
    )
    assert numpy_to_hls_code(np.arange(3000) % 16, DataType["UINT4"], "w", False).count(",") == 2999
    assert numpy_to_hls_code(3, DataType["UINT4"], "w", False) == "ap_uint<4> w = \n3;"


def test_weights_of_a_published_layer() -> None:
    """MW = MH = 4, PE = SIMD = 2, INT4, W[i][o] = 4i + o - 8; the packed parameters as FINN writes them."""
    weights = np.arange(-8, 8).reshape(4, 4).T.reshape(2, 2, 2, 2).transpose(1, 0, 2, 3)  # (PE, NF, SF, SIMD)
    words = pack_innermost_dim_as_hex_string(weights.reshape(2, 4, 2), DataType["INT4"], 8, reverse_inner=True)
    assert words.tolist() == [["0xc8", "0x40", "0xea", "0x62"], ["0xd9", "0x51", "0xfb", "0x73"]]


# ---------------------------------------------------------------------------------------------------------- round trips

types = st.one_of(
    st.sampled_from(
        ["BINARY", "BIPOLAR", "TERNARY", "FLOAT32", "FLOAT16", "FLOAT<4,3>", "FLOAT<3,2,9>", "FLOAT<8,23>"]
    ),
    st.integers(1, 64).map("INT{}".format),
    st.integers(2, 64).map("UINT{}".format),
    st.integers(1, 54).flatmap(lambda w: st.integers(-5, w - 1).map(lambda i: f"FIXED<{w},{i}>")),
).map(DataType.__getitem__)
shapes = st.lists(st.integers(1, 4), min_size=0, max_size=3).flatmap(
    lambda outer: st.integers(1, 9).map(lambda inner: (*outer, inner))
)


def code(value: float, datatype: BaseDataType) -> int:
    """The bits of one element, from the definition of the coding."""
    if datatype in ("FLOAT32", "FLOAT16"):
        return int.from_bytes(np.array(value, dtype=f">f{datatype.bitwidth() // 8}").tobytes(), "big")
    if isinstance(datatype, ArbPrecFloatType):
        codes = np.arange(2 ** min(datatype.bitwidth(), 12))
        if datatype.bitwidth() > 12:  # FLOAT<8,23>, finite
            return int.from_bytes(np.array(value, dtype=">f4").tobytes(), "big")
        found = codes[datatype.from_codes(codes) == value]
        return int(found[np.signbit(datatype.from_codes(found)) == np.signbit(value)][0])
    if datatype == "BIPOLAR":
        return int(value == 1)
    exact = Fraction(value) if isinstance(value, float) else Fraction(int(value))
    if isinstance(datatype, FixedPointType):
        exact *= 2 ** datatype.frac_bits()
    assert exact.denominator == 1
    return int(exact) % 2 ** datatype.bitwidth()


def word(row: list[float], datatype: BaseDataType, reverse: bool) -> int:
    result = 0
    for value in reversed(row) if reverse else row:
        result = result << datatype.bitwidth() | code(value, datatype)
    return result


def draw_values(datatype: BaseDataType, shape: tuple[int, ...], seed: int) -> np.ndarray:
    values = gen_finn_dt_tensor(datatype, shape, seed)
    if datatype == "FLOAT<8,23,127>":  # only what single precision has, too
        values = np.where(np.abs(values) < 1e38, values, 1.0)
    return values


@settings(deadline=None)
@given(types, shapes, st.integers(0, 70), st.booleans(), st.integers(0, 2**32 - 1))
def test_text_there_and_back(datatype, shape: tuple[int, ...], more: int, reverse: bool, seed: int) -> None:  # type: ignore[no-untyped-def]
    values = draw_values(datatype, shape, seed)
    bits = max(shape[-1] * datatype.bitwidth() + more, 4)
    packed = pack_innermost_dim_as_hex_string(values, datatype, bits, reverse_inner=reverse)
    assert packed.shape == shape[:-1]
    expected = [word(row.tolist(), datatype, reverse) for row in values.reshape(-1, shape[-1])]
    assert packed.ravel().tolist() == [f"0x{value:0{-(-bits // 4)}x}" for value in expected]
    back = unpack_innermost_dim_from_hex_string(packed, datatype, shape, bits, reverse_inner=reverse)
    assert back.dtype == container_dtype(datatype)
    np.testing.assert_array_equal(back, values)

    words = npy_to_rtlsim_input(values, datatype, bits, reverse_inner=reverse)
    assert words == expected
    assert all(type(value) is int for value in words)
    back = rtlsim_output_to_npy(words, None, datatype, shape, bits, datatype.bitwidth(), reverse_inner=reverse)
    np.testing.assert_array_equal(back, values)


@settings(deadline=None)
@given(types, shapes, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_bytes_there_and_back(
    datatype, shape: tuple[int, ...], inner: bool, endian: bool, fast: bool, seed: int
) -> None:  # type: ignore[no-untyped-def]
    values = draw_values(datatype, shape, seed)
    packed = finnpy_to_packed_bytearray(values, datatype, inner, endian, fast)
    size = -(-shape[-1] * datatype.bitwidth() // 8)
    assert packed.shape == (*shape[:-1], size)
    order = "little" if endian else "big"
    expected = [word(row.tolist(), datatype, inner).to_bytes(size, order) for row in values.reshape(-1, shape[-1])]
    assert [bytes(row) for row in packed.reshape(-1, size)] == expected
    back = packed_bytearray_to_finnpy(packed, datatype, shape, inner, endian, fast)
    np.testing.assert_array_equal(back, values)
    if size * 8 == shape[-1] * datatype.bitwidth():
        back = packed_bytearray_to_finnpy(packed, datatype, None, inner, endian)
        np.testing.assert_array_equal(back, values)


@settings(deadline=None, max_examples=30)
@given(st.integers(65, 200), st.booleans(), st.integers(0, 50), st.booleans(), st.data())
def test_elements_beyond_64_bits(width: int, signed: bool, more: int, reverse: bool, data) -> None:  # type: ignore[no-untyped-def]
    datatype = DataType[f"{'' if signed else 'U'}INT{width}"]
    integers = st.integers(datatype.min(), datatype.max())
    values = np.array(data.draw(st.lists(integers, min_size=6, max_size=6)), dtype=object).reshape(3, 2)
    packed = pack_innermost_dim_as_hex_string(values, datatype, 2 * width + more, reverse)
    assert [int(text, 16) for text in packed] == [word(row, datatype, reverse) for row in values.tolist()]
    back = unpack_innermost_dim_from_hex_string(packed, datatype, (3, 2), 2 * width + more, reverse)
    assert back.tolist() == values.tolist()
    raw = finnpy_to_packed_bytearray(values, datatype, reverse)
    assert packed_bytearray_to_finnpy(raw, datatype, (3, 2), reverse).tolist() == values.tolist()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float64, bool])
def test_any_array_of_numbers(dtype: type) -> None:
    values = np.array([[1, 0, 1], [1, 1, 0]], dtype=dtype)
    for name in ("BINARY", "UINT8", "INT9", "FLOAT32"):
        expected = finnpy_to_packed_bytearray(values.astype(np.float32), DataType[name], True, True)
        np.testing.assert_array_equal(finnpy_to_packed_bytearray(values, DataType[name], True, True, True), expected)


def test_files(tmp_path: Path) -> None:
    values = gen_finn_dt_tensor(DataType["INT5"], (2, 3, 4), 0)
    np.save(tmp_path / "in.npy", values)
    words = npy_to_rtlsim_input(str(tmp_path / "in.npy"), DataType["INT5"], 24)
    out = rtlsim_output_to_npy(words, tmp_path / "out.npy", DataType["INT5"], (2, 3, 4), 24, 5)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), values)
    np.testing.assert_array_equal(out, values)


# ------------------------------------------------------------------------------------------------------------- refusals


def test_values_have_to_be_of_the_type() -> None:
    for values, name in (
        ([4, 1], "INT3"),
        ([0], "BIPOLAR"),
        ([0.5], "UINT2"),
        ([0.1], "FIXED<4,2>"),
        ([0.1], "FLOAT16"),
    ):
        with pytest.raises(PackingError, match=rf"the value .* is no {name}"):
            array2hexstring(values, DataType[name], 32)
    with pytest.raises(PackingError, match="the value 4 is no INT3"):
        numpy_to_hls_code([4], DataType["INT3"], "w", pack_innermost_dim=False)
    with pytest.raises(UnsupportedError, match="SCALEDINT<4> has no set of values"):
        array2hexstring([1], DataType["SCALEDINT<4>"], 8)
    assert finnpy_to_packed_bytearray(np.array([255], np.uint8), DataType["INT8"], fast_mode=True).tolist() == [255]


def test_words_have_to_fit() -> None:
    int4 = DataType["INT4"]
    with pytest.raises(PackingError, match="3 elements of INT4 need 12 bits, the word has 8"):
        array2hexstring([1, 2, 3], int4, 8)
    with pytest.raises(PackingError, match=r"one word is made from 1-D arrays, not from shape \(1, 2\)"):
        array2hexstring([[1, 2]], int4, 8)
    with pytest.raises(PackingError, match=r"2 words of 8 bits do not fit the shape \(2, 3\)") as caught:
        unpack_innermost_dim_from_hex_string(np.array(["0x12", "0x34"]), int4, (2, 3), 8)
    assert caught.value.remedy == "give 2 words of at least 12 bits"
    with pytest.raises(PackingError, match=r"2 words of 8 bits do not fit the shape \(3, 2\)"):
        unpack_innermost_dim_from_hex_string(np.array(["0x12", "0x34"]), int4, (3, 2), 8)
    with pytest.raises(PackingError, match="the word 0x123 has more than 8 bits"):
        unpack_innermost_dim_from_hex_string(np.array(["0x123"]), int4, (1, 2), 8)
    with pytest.raises(PackingError, match="no hexadecimal text"):
        unpack_innermost_dim_from_hex_string(np.array(["0xgg"]), int4, (1, 2), 8)
    with pytest.raises(PackingError, match="words to unpack are texts, not int64"):
        unpack_innermost_dim_from_hex_string(np.array([18]), int4, (1, 2), 8)
    with pytest.raises(PackingError, match="elements of 5 bits are no INT4, which has 4"):
        rtlsim_output_to_npy([1], None, int4, (1, 2), 8, 5)


def test_bytes_have_to_fit() -> None:
    with pytest.raises(PackingError, match=r"8 bits are no whole number of INT3\. Remedy: give output_shape"):
        packed_bytearray_to_finnpy(np.zeros((2, 1), np.uint8), DataType["INT3"])
    for wrong in (np.zeros((2, 1)), [[0], [0]], np.array(0, np.uint8)):
        with pytest.raises(PackingError, match="uint8 array of at least one dimension"):
            packed_bytearray_to_finnpy(wrong, DataType["INT4"])
    for scalar in (finnpy_to_packed_bytearray, lambda x, kind: numpy_to_hls_code(x, kind, "w")):
        with pytest.raises(PackingError, match="a scalar has no innermost dimension"):
            scalar(np.float32(1), DataType["INT4"])
    with pytest.raises(PackingError, match="a scalar has no innermost dimension"):
        packed_bytearray_to_finnpy(np.zeros((1, 1), np.uint8), DataType["INT4"], ())
    with pytest.raises(PackingError, match=r"no such \.npy file"):
        npy_to_rtlsim_input("/no/such/file.npy", DataType["INT4"], 8)


def test_packing_is_vectorised() -> None:
    """A batch of 100 CIFAR images took 8 s in the predecessor; the limit is generous for busy machines."""
    values = gen_finn_dt_tensor(DataType["UINT4"], (100, 32, 32, 3), 0)
    start = time.process_time()
    packed = finnpy_to_packed_bytearray(values, DataType["UINT4"], True, True)
    back = packed_bytearray_to_finnpy(packed, DataType["UINT4"], values.shape, True, True)
    assert time.process_time() - start < 1
    np.testing.assert_array_equal(back, values)
