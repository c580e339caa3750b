"""FloatQuant against the list of all numbers of a format."""

from __future__ import annotations

import bisect
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from finn.core.errors import AttributeValueError, ExecutionError
from finn.custom_op.general.floatquant import compute_default_exponent_bias, compute_max_val, float_quant
from finn.custom_op.registry import getCustomOp

from .helpers import MODES, inferred, one_node, run  # noqa: TID252 - test helpers are no installed package

FLOAT = TensorProto.FLOAT


def magnitudes(e: int, m: int, bias: int) -> list[Fraction]:
    """All magnitudes of a format by their code, and the one that would come next: the first that is too large."""
    codes = []
    for exponent in range(2**e):
        for mantissa in range(2**m):
            leading = 2**m if exponent else 0
            codes.append(Fraction(leading + mantissa, 2**m) * Fraction(2) ** (max(exponent, 1) - bias))
    return [*codes, Fraction(2) ** (2**e - bias)]


def nearest(value: Fraction, codes: list[Fraction], mode: str) -> Fraction:
    """The number of the format to which `mode` rounds; a tie goes to the even code."""
    size, sign = abs(value), -1 if value < 0 else 1
    at = bisect.bisect_right(codes, size) - 1
    low, rest = codes[at], size - codes[at]
    if rest == 0 or at == len(codes) - 1:
        return sign * low
    half = (codes[at + 1] - low) / 2
    upwards = {
        "ROUND": rest > half or (rest == half and at % 2 == 1),
        "HALF_EVEN": rest > half or (rest == half and at % 2 == 1),
        "CEIL": sign > 0,
        "FLOOR": sign < 0,
        "UP": True,
        "DOWN": False,
        "HALF_UP": rest >= half,
        "HALF_DOWN": rest > half,
    }[mode]
    return sign * codes[at + upwards]


@settings(deadline=None)
@given(
    st.lists(st.floats(width=32, allow_infinity=False, allow_nan=False), min_size=1, max_size=6),
    st.integers(-3, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(-2, 9)),
    st.sampled_from(MODES),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
    st.data(),
)
def test_float_quant_is_rounding_to_the_numbers_of_the_format(
    values: list[float],
    log_scale: int,
    e: int,
    m: int,
    bias: int | None,
    mode: str,
    signed: bool,
    dtype: type,
    data: st.DataObject,
) -> None:
    codes = magnitudes(e, m, 2 ** (e - 1) - 1 if bias is None else bias)
    scale = 2.0**log_scale
    # Numbers of the format, ties, and their neighbours in float32 are where it can go wrong.
    for _ in range(4):
        at = data.draw(st.integers(0, len(codes) - 2))
        edge = np.float32((codes[at] + codes[at + 1]) / 2) if data.draw(st.booleans()) else np.float32(codes[at])
        values.append(
            float(np.nextafter(edge, np.float32(data.draw(st.sampled_from([-np.inf, edge, np.inf]))))) * scale
        )
    y = float_quant(np.array(values, dtype), scale, e, m, bias, signed=signed, rounding_mode=mode.lower())
    assert y.dtype == dtype
    for x, q in zip(values, y, strict=True):
        exact = nearest(Fraction(float(dtype(x))) / Fraction(scale), codes, mode)
        if not signed:
            exact = max(exact, Fraction(0))
        assert Fraction(float(q)) == max(min(exact, codes[-2]), -codes[-2]) * Fraction(scale)


def test_fp8_by_hand() -> None:
    x = np.array([0.0, 1e-3, 0.002, 0.3, 1.0625, 1.1, 300, 464, 480, 500, 1e9, -2.5, -1e9], dtype=np.float32)
    # e4m3, bias 7: the least subnormal is 2^-9, the step between 256 and 512 is 32; 1.0625 is a tie, as is 464.
    expected = [0, 2**-9, 2**-9, 0.3125, 1, 1.125, 288, 448, 480, 480, 480, -2.5, -480]
    assert float_quant(x, 1.0, 4, 3).tolist() == expected
    assert float_quant(x, 1.0, 4, 3, has_subnormal=True).tolist() == expected
    assert float_quant(x, 1.0, 4, 3, max_val=448).tolist() == [*expected[:8], *[448] * 3, -2.5, -448]
    assert float_quant(x, 1.0, 4, 3, signed=False).tolist() == [*expected[:11], 0, 0]
    # Without a mantissa there are powers of two only.
    assert float_quant(np.array([0.7, 1.4, 1.5, 3.1]), 1.0, 4, 0).tolist() == [0.5, 1, 2, 4]


def test_beyond_the_largest_number() -> None:
    x = np.array([479.0, 496.0, 1e9, -1e9, np.inf, -np.inf, np.nan], dtype=np.float32)
    nan, inf = math.nan, math.inf
    for flags, expected in (
        ({}, [480, 480, 480, -480, 480, -480, nan]),
        ({"saturation": False, "has_inf": True}, [480, inf, inf, -inf, inf, -inf, nan]),
        ({"saturation": False, "has_nan": True}, [480, nan, nan, nan, nan, nan, nan]),
        ({"saturation": False, "has_inf": True, "has_nan": True}, [480, inf, inf, -inf, inf, -inf, nan]),
    ):
        np.testing.assert_array_equal(float_quant(x, 1.0, 4, 3, **flags), expected)
    assert float_quant(x[:1], 1.0, 4, 3, saturation=False).tolist() == [480]
    with pytest.raises(ExecutionError) as error:
        float_quant(x, 1.0, 4, 3, saturation=False)
    assert str(error.value) == (
        "values exceed the largest float of the format, which has neither infinity nor NaN. "
        "Remedy: set saturation, has_inf or has_nan"
    )


def test_formats() -> None:
    assert [compute_default_exponent_bias(e) for e in (1, 4, 5)] == [0, 7, 15]
    assert compute_max_val(4, 3) == 480
    assert compute_max_val(5, 2) == 114688
    assert compute_max_val(4, 3, 0) == 61440
    assert compute_max_val(np.array([4.0, 5.0]), np.array([3.0, 2.0])).tolist() == [480, 114688]


def test_formats_per_channel() -> None:
    x = np.array([[1000.0, 1000.0], [0.3, 0.3]], dtype=np.float32)
    e, m = np.array([4.0, 3.0]), np.array([3.0, 1.0])
    y = float_quant(x, np.float32(1), e, m)
    assert y.tolist() == [[480, 24], [0.3125, 0.25]]


def test_float16_and_wide_formats() -> None:
    x = np.array([1.1, 1e4], dtype=np.float16)
    assert float_quant(x, np.float16(1), 4, 3).dtype == np.float16
    # bfloat16 reaches as far as float32.
    y = float_quant(np.array([3e38, 1.003], dtype=np.float32), 1.0, 8, 7)
    assert y.tolist() == [226 * 2.0**120, 1.0]  # 3e38 is 225.69 * 2^120


@pytest.mark.parametrize(
    ("e", "m", "bias", "message"),
    [
        (0, 3, 1, "a float format cannot have [0.0] as exponent bits. Remedy: use whole numbers, at least 1"),
        (4, 2.5, 1, "a float format cannot have [2.5] as mantissa bits. Remedy: use whole numbers, at least 0"),
        (4, 3, 0.5, "a float format cannot have [0.5] as exponent bias. Remedy: use whole numbers"),
    ],
)
def test_impossible_formats(e: float, m: float, bias: float, message: str) -> None:
    with pytest.raises(ExecutionError) as error:
        float_quant(np.ones(2), 1.0, e, m, bias)
    assert str(error.value) == message


FLAGS = {"has_inf": 0, "has_nan": 0, "has_subnormal": 1, "saturation": 1}


def node(scale: object = 1.0, e: object = 4.0, **attributes: object) -> object:
    parameters = {"scale": scale, "e": e, "m": 3.0, "bias": 7.0, "max_val": 448.0}
    constants = {name: np.asarray(value, np.float32) for name, value in parameters.items()}
    return one_node("FloatQuant", {"x": (["N", 2], FLOAT)}, constants, **(FLAGS | attributes))


def test_node() -> None:
    x = np.array([[0.3, 1e9], [-2.6, -1e9]], dtype=np.float32)
    assert run(node(), x=x).tolist() == [[0.3125, 448], [-2.5, -448]]
    assert run(node(rounding_mode="floor"), x=x).tolist() == [[0.28125, 448], [-2.75, -448]]
    assert run(node([[1.0, 2.0]]), x=x).tolist() == [[0.3125, 896], [-2.5, -896]]


@pytest.mark.parametrize(
    ("scale", "e", "shape", "datatype"),
    [
        (1.0, 4.0, ["N", 2], "FLOAT<4,3,7>"),
        ([1.0, 1.0], 4.0, ["N", 2], "FLOAT<4,3,7>"),
        (0.5, 4.0, ["N", 2], "FLOAT32"),
        (1.0, [4.0, 5.0], ["N", 2], "FLOAT32"),
        (np.ones((3, 1, 2)), 4.0, [3, "N", 2], "FLOAT<4,3,7>"),
    ],
)
def test_shape_and_type(scale: object, e: object, shape: list[object], datatype: str) -> None:
    assert inferred(node(scale, e)) == (shape, FLOAT, datatype)


def test_node_refuses_unknown_modes() -> None:
    assert getCustomOp(node().graph.node[0]).verify_node()
    with pytest.raises(
        AttributeValueError, match=r"^node FloatQuant 'FloatQuant_0': there is no rounding mode 'UPPER'"
    ):
        getCustomOp(node(rounding_mode="UPPER").graph.node[0]).verify_node()
