"""Quantizers and thresholds against golden numbers made by hand and against independent formulas."""

import decimal
import math
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn.core.errors import AttributeValueError, ExecutionError
from finn.custom_op.general.bipolar_quant import binary_quant
from finn.custom_op.general.multithreshold import multithreshold
from finn.custom_op.general.quant import int_quant, max_int, min_int, quant, resolve_rounding_mode

# The columns: a value, then its rounding; by the definitions in the QONNX operator specification.
VALUES = [-2.5, -2.2, -1.5, -0.5, -0.2, 0.2, 0.5, 1.5, 2.2, 2.5]
ROUNDED = {
    "ROUND": [-2, -2, -2, 0, 0, 0, 0, 2, 2, 2],
    "HALF_EVEN": [-2, -2, -2, 0, 0, 0, 0, 2, 2, 2],
    "CEIL": [-2, -2, -1, 0, 0, 1, 1, 2, 3, 3],
    "FLOOR": [-3, -3, -2, -1, -1, 0, 0, 1, 2, 2],
    "UP": [-3, -3, -2, -1, -1, 1, 1, 2, 3, 3],
    "DOWN": [-2, -2, -1, 0, 0, 0, 0, 1, 2, 2],
    "HALF_UP": [-3, -2, -2, -1, 0, 0, 1, 2, 2, 3],
    "HALF_DOWN": [-2, -2, -1, 0, 0, 0, 0, 1, 2, 2],
}
DECIMAL_MODES = {
    "ROUND": decimal.ROUND_HALF_EVEN,
    "HALF_EVEN": decimal.ROUND_HALF_EVEN,
    "CEIL": decimal.ROUND_CEILING,
    "FLOOR": decimal.ROUND_FLOOR,
    "UP": decimal.ROUND_UP,
    "DOWN": decimal.ROUND_DOWN,
    "HALF_UP": decimal.ROUND_HALF_UP,
    "HALF_DOWN": decimal.ROUND_HALF_DOWN,
}


@pytest.mark.parametrize("mode", ROUNDED)
def test_rounding_modes(mode: str) -> None:
    for name in (mode, mode.lower(), mode.title()):
        assert resolve_rounding_mode(name)(np.array(VALUES)).tolist() == ROUNDED[mode]


@pytest.mark.parametrize("mode", DECIMAL_MODES)
@given(st.floats(-1e6, 1e6, width=32))
def test_rounding_is_that_of_decimal_arithmetic(mode: str, value: float) -> None:
    exact = decimal.Decimal(value).quantize(decimal.Decimal(1), rounding=DECIMAL_MODES[mode])
    assert resolve_rounding_mode(mode)(np.array([value], dtype=np.float32))[0] == float(exact)


def test_half_up_just_below_the_half() -> None:
    value = np.nextafter(np.float32(0.5), np.float32(0))
    assert resolve_rounding_mode("HALF_UP")(np.array([value, -value]))[0] == 0


def test_unknown_rounding_mode() -> None:
    with pytest.raises(AttributeValueError) as error:
        resolve_rounding_mode("NEAREST")
    assert str(error.value) == (
        "there is no rounding mode 'NEAREST'. Remedy: use one of: ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP, "
        "HALF_DOWN"
    )


@pytest.mark.parametrize(
    ("signed", "narrow", "bits", "low", "high"),
    [
        (1, 0, 8, -128, 127),
        (1, 1, 8, -127, 127),
        (0, 0, 8, 0, 255),
        (0, 1, 8, 0, 254),
        (1, 0, 2, -2, 1),
        (1, 1, 2, -1, 1),
    ],
)
def test_integer_bounds(signed: bool, narrow: bool, bits: int, low: int, high: int) -> None:
    assert (min_int(signed, narrow, bits), max_int(signed, narrow, bits)) == (low, high)
    array = np.array([bits, bits], dtype=np.float32)
    assert min_int(signed, narrow, array).tolist() == [low, low]
    assert max_int(signed, narrow, array).tolist() == [high, high]


def test_quant_by_hand() -> None:
    x = np.array([-10.0, -0.75, -0.25, 0.25, 0.75, 10.0], dtype=np.float32)
    # scale 0.5: -20, -1.5, -0.5, 0.5, 1.5, 20; 3 bits signed: -4..3; halves to even
    assert quant(x, 0.5, 0, 3, True, False, "ROUND").tolist() == [-2, -1, 0, 0, 1, 1.5]
    assert quant(x, 0.5, 0, 3, True, True, "ROUND").tolist() == [-1.5, -1, 0, 0, 1, 1.5]
    assert quant(x, 0.5, 0, 3, False, False, "ROUND").tolist() == [0, 0, 0, 0, 1, 3.5]
    # zero point 2: -18, 0.5, 1.5, 2.5, 3.5, 22; clipped to -4..3 before rounding
    assert quant(x, 0.5, 2, 3, True, False, "CEIL").tolist() == [-3, -0.5, 0, 0.5, 0.5, 0.5]


def test_one_bit_signed_is_the_sign() -> None:
    x = np.array([-3.0, -0.0, 0.0, 0.1], dtype=np.float32)
    assert quant(x, 0.25, 0, 1, True, False, "ROUND").tolist() == [-0.25, 0.25, 0.25, 0.25]
    assert quant(x, 1, 0, 1, True, True, "FLOOR").tolist() == [-1, 1, 1, 1]
    assert quant(x, 1, 0, 1, False, False, "ROUND").tolist() == [0, 0, 0, 0]


def test_scale_per_channel_and_bits_per_channel() -> None:
    x = np.array([[5.0, 5.0], [-5.0, -5.0]], dtype=np.float32)
    assert quant(x, np.array([1.0, 2.0]), 0, 3, True, False, "ROUND").tolist() == [[3, 4], [-4, -4]]
    assert quant(x, 1.0, 0, np.array([2, 4]), True, False, "ROUND").tolist() == [[1, 5], [-2, -5]]


def test_quant_keeps_the_float_type() -> None:
    for dtype in (np.float32, np.float64):
        assert quant(np.ones(2, dtype), np.float64(0.1), 0, 8, True, False, "ROUND").dtype == dtype
        assert binary_quant(np.ones(2, dtype), np.float64(0.1)).dtype == dtype
        assert multithreshold(np.ones((1, 2), dtype), np.ones((1, 1))).dtype == dtype
    assert quant(np.ones(2, np.int16), 1, 0, 8, True, False, "ROUND").dtype == np.float32
    assert quant(np.ones(2, np.int64), 1, 0, 8, True, False, "ROUND").dtype == np.float64


@pytest.mark.parametrize("bits", [0, -1, 2.5])
def test_impossible_bit_widths(bits: float) -> None:
    with pytest.raises(ExecutionError, match="a quantizer cannot have"):
        quant(np.ones(2), 1, 0, bits, True, False, "ROUND")


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8),
    st.sampled_from([2.0**k for k in range(-6, 4)]),
    st.integers(-4, 4),
    st.integers(2, 8),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(DECIMAL_MODES)),
)
def test_quant_is_the_exact_formula(
    xs: list[float], scale: float, zeropt: int, bits: int, signed: bool, narrow: bool, mode: str
) -> None:
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    out = int_quant(np.array(xs, dtype=np.float64), scale, zeropt, bits, signed, narrow, mode)
    for x, y in zip(xs, out, strict=True):
        # x/scale + zeropt is a float64 operation; from there on the arithmetic is exact.
        q = min(max(Fraction(float(x) / scale + zeropt), Fraction(low)), Fraction(high))
        with decimal.localcontext(decimal.Context(prec=1200)):
            rounded = (decimal.Decimal(q.numerator) / decimal.Decimal(q.denominator)).quantize(
                decimal.Decimal(1), rounding=DECIMAL_MODES[mode]
            )
        assert y == (int(rounded) - zeropt) * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bits", [2, 8, 24, 25, 26, 32, 53, 54, 64])
@pytest.mark.parametrize("narrow", [False, True])
def test_wide_integers_stay_in_their_range(bits: int, narrow: bool, dtype: type) -> None:
    # float32 has no 2^31 - 1: the result is the greatest integer below that it has.
    far = np.array([-1e30, 1e30, -np.inf, np.inf], dtype=dtype)
    low, high, *_ = quant(far, 1, 0, bits, True, narrow, "ROUND")
    assert quant(far, 1, 0, bits, True, narrow, "ROUND").tolist() == [low, high] * 2
    least, greatest = -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    assert least <= int(low)
    assert int(high) <= greatest
    assert float(np.nextafter(dtype(low), dtype(-np.inf))) < least
    assert float(np.nextafter(dtype(high), dtype(np.inf))) > greatest
    zero, top = quant(far[:2], 1, 0, bits, False, narrow, "ROUND")
    assert zero == 0
    assert int(top) <= 2**bits - 1 - narrow < float(np.nextafter(dtype(top), dtype(np.inf)))


def test_infinity_clips_and_nan_stays() -> None:
    x = np.array([np.inf, -np.inf, np.nan], dtype=np.float32)
    np.testing.assert_array_equal(quant(x, 0.5, 1, 4, True, False, "FLOOR"), [3, -4.5, np.nan])
    assert quant(x, 0.5, 0, 1, True, False, "FLOOR").tolist() == [0.5, -0.5, -0.5]
    assert binary_quant(x, 2.0).tolist() == [2, -2, -2]


def test_integers_are_quantized_in_a_type_that_holds_them() -> None:
    x = np.array([2**24 + 1, -(2**52) - 1], dtype=np.int64)
    assert quant(x, 1, 0, 60, True, False, "ROUND").tolist() == x.tolist()
    assert quant(x.astype(np.float64), 1, 0, 60, True, False, "ROUND").tolist() == x.tolist()
    assert binary_quant(x, 0.1).dtype == np.float64


def test_half_precision_is_computed_in_single_precision() -> None:
    x = np.array([1000.0, -3.0], dtype=np.float16)
    y = quant(x, np.float16(0.1), 0, 16, True, False, "ROUND")
    assert y.dtype == np.float16
    # 1000 / 0.1 is beyond what float16 counts in ones.
    assert y.tolist() == [1000, -3]


def test_one_home_for_two_names() -> None:
    homes = [import_module(f"finn.custom_op.general.{name}") for name in ("quant", "intquant")]
    for name in ("IntQuant", "Quant", "int_quant", "min_int", "max_int", "resolve_rounding_mode"):
        assert getattr(homes[0], name) is getattr(homes[1], name)
    assert homes[0].quant is homes[1].int_quant


def test_binary_quant() -> None:
    assert binary_quant(np.array([-1.0, -0.0, 0.0, 2.0]), 0.5).tolist() == [-0.5, 0.5, 0.5, 0.5]


def _count_by_definition(v: np.ndarray, thresholds: np.ndarray, axis: int) -> np.ndarray:
    out = np.zeros(v.shape)
    for index in np.ndindex(*v.shape):
        row = thresholds[index[axis] % thresholds.shape[0]]
        out[index] = sum(bool(v[index] >= t) for t in row)
    return out


@pytest.mark.parametrize(
    ("shape", "last", "axis"),
    [((2, 3), False, 1), ((2, 3, 4), False, 1), ((2, 4, 3), True, 2), ((1, 3, 2, 2), False, 1)],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_multithreshold_by_definition(shape: tuple[int, ...], last: bool, axis: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    v = rng.integers(-8, 8, shape).astype(np.float32)
    thresholds = np.sort(rng.integers(-8, 8, (rows, 5)), axis=1).astype(np.float32)
    expected = _count_by_definition(v, thresholds, axis)
    np.testing.assert_array_equal(multithreshold(v, thresholds, channels_last=last), expected)
    np.testing.assert_array_equal(multithreshold(v, thresholds, 2.0, -5.0, last), 2 * expected - 5)


def test_multithreshold_is_exact_for_wide_integers() -> None:
    t = np.array([[2.0**24 + 1, 2.0**60]])
    v = np.array([[2**24, 2**24 + 1, 2**60 - 1, 2**60]], dtype=np.int64).T
    assert multithreshold(v, t).ravel().tolist() == [0, 1, 1, 2]
    assert multithreshold(v[:2].astype(np.float64), t).ravel().tolist() == [0, 1]
    assert multithreshold(v, np.array([[-math.inf, 0.5, math.inf]])).ravel().tolist() == [2, 2, 2, 2]


def test_multithreshold_wants_matching_channels() -> None:
    with pytest.raises(ExecutionError) as error:
        multithreshold(np.zeros((1, 3)), np.zeros((2, 4)))
    assert str(error.value) == (
        "thresholds of shape (2, 4) do not fit an input of shape (1, 3) with 3 channels on axis 1. "
        "Remedy: use (3, T) or (1, T)"
    )
