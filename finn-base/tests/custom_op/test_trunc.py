"""Trunc in both versions against the formulas in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from finn.core.errors import AttributeValueError, ExecutionError, UnknownOpError
from finn.custom_op.general.trunc import Trunc, Trunc_v1, trunc, trunc_v1, trunc_v2
from finn.custom_op.registry import get_supported_versions, getCustomOp

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    MODES,
    inferred,
    integer_range,
    one_node,
    rounded,
    run,
)

FLOAT = TensorProto.FLOAT
GENERAL = "finn.custom_op.general"
VALUES = st.lists(st.integers(-1024, 1024).map(lambda n: n / 8), min_size=1, max_size=8)


@settings(deadline=None)
@given(VALUES, st.integers(-3, 2), st.integers(-4, 4), st.integers(1, 8), st.integers(0, 5), st.sampled_from(MODES))
def test_version_1_keeps_the_scale(
    xs: list[float], log_scale: int, zeropt: int, bits: int, dropped: int, mode: str
) -> None:
    scale = 2.0**log_scale
    for dtype in (np.float32, np.float64):
        y = trunc_v1(np.array(xs, dtype), scale, zeropt, bits + dropped, bits, mode)
        assert y.dtype == dtype
        for x, out in zip(xs, y, strict=True):
            whole = rounded(Fraction(x) / Fraction(scale) + zeropt, "ROUND")
            assert Fraction(float(out)) == (rounded(Fraction(whole, 2**dropped), mode) - zeropt) * Fraction(scale)


@settings(deadline=None)
@given(
    VALUES,
    st.integers(-3, 2),
    st.integers(-2, 5),
    st.integers(-4, 4),
    st.integers(2, 8),
    st.booleans(),
    st.booleans(),
    st.sampled_from(MODES),
)
def test_version_2_has_a_scale_of_its_own(
    xs: list[float], log_scale: int, shift: int, zeropt: int, bits: int, signed: bool, narrow: bool, mode: str
) -> None:
    scale, t = 2.0**log_scale, Fraction(2) ** shift
    out_scale = scale * 2.0**shift
    low, high = integer_range(bits, signed, narrow)
    y = trunc_v2(np.array(xs), scale, zeropt, 8, narrow, signed, out_scale, bits, mode)
    for x, out in zip(xs, y, strict=True):
        whole = rounded(Fraction(x) / Fraction(scale) + zeropt, "ROUND") / t
        integer = rounded(min(max(Fraction(whole), Fraction(low)), Fraction(high)), mode)
        assert Fraction(float(out)) == (integer - zeropt / t) * Fraction(out_scale)


def test_by_hand() -> None:
    x = np.array([-9, -8, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 7, 8, 15], dtype=np.float32)
    assert trunc(x, 1, 0, 8, 6, "FLOOR").tolist() == [-3, -2, -1, -1, -1, 0, 0, 0, 0, 0, 0, 1, 2, 3]
    # The scale from 1 to 6 is taken as a shift by 2^round(log2 6) = 8; -9 / 8 is -1.125, floored -2.
    y = trunc_v2(x, 1, 0, 8, False, True, 6, 3, "FLOOR")
    assert y.tolist() == [-12, -6, -6, -6, -6, 0, 0, 0, 0, 0, 0, 0, 6, 6]
    assert trunc is trunc_v1
    assert Trunc is Trunc_v1


def test_bits_are_not_added() -> None:
    with pytest.raises(ExecutionError) as error:
        trunc_v1(np.ones(2), 1, 0, 4, 8, "FLOOR")
    assert str(error.value) == "truncation cannot add bits. Remedy: use at most as many output as input bits"
    with pytest.raises(ExecutionError, match=r"a quantizer cannot have \[2\.5\] bits"):
        trunc_v2(np.ones(2), 1, 0, 4, False, True, 1, 2.5, "FLOOR")


def constants(version: int, scale: object = 1.0) -> dict[str, np.ndarray]:
    names = {1: ["s", "z", "i", "o"], 2: ["s", "z", "i", "t", "o"]}[version]
    values = {"s": scale, "z": 0, "i": 8, "t": 4, "o": 3}
    return {name: np.asarray(values[name], np.float32) for name in names}


@pytest.mark.parametrize("domain", [GENERAL, "qonnx.custom_op.general", "onnx.brevitas"])
def test_the_imported_version_decides(domain: str) -> None:
    x = np.array([[-9, 3], [8, 100]], dtype=np.float32)
    node = one_node("Trunc", {"x": (["N", 2], FLOAT)}, constants(1), domain, 1, rounding_mode="FLOOR").graph.node[0]
    context = {"x": x, **constants(1)}
    getCustomOp(node, 1).execute_node(context, None)
    assert context["y"].tolist() == [[-1, 0], [0, 3]]  # 5 bits fewer
    node = one_node("Trunc", {"x": (["N", 2], FLOAT)}, constants(2), domain, 2, rounding_mode="FLOOR").graph.node[0]
    context = {"x": x, **constants(2)}
    getCustomOp(node, 2).execute_node(context, None)
    assert context["y"].tolist() == [[-12, 0], [8, 12]]  # in steps of 4, 3 bits
    assert get_supported_versions(domain, "Trunc") == [1, 2]
    assert [type(getCustomOp(node, v)).__name__ for v in (1, 2, 11, None)] == ["Trunc_v1", *["Trunc_v2"] * 3]
    with pytest.raises(UnknownOpError) as error:
        getCustomOp(node, 0)
    assert error.value.why == "it exists since version 1"
    assert error.value.remedy == "import the domain at version 1 or newer"


def test_shape_type_and_modes() -> None:
    for scale, shape in ((1.0, ["N", 2]), (np.ones((3, 1, 2)), [3, "N", 2])):
        model = one_node("Trunc", {"x": (["N", 2], FLOAT)}, constants(1, scale), rounding_mode="FLOOR")
        assert inferred(model) == (shape, FLOAT, "FLOAT32")
    assert run(one_node("Trunc", {"x": (["N"], FLOAT)}, constants(1), rounding_mode="ceil"), x=np.float32([33]))[0] == 2
    op = getCustomOp(one_node("Trunc", {"x": (["N"], FLOAT)}, constants(1), rounding_mode="x").graph.node[0])
    with pytest.raises(AttributeValueError, match=r"^node Trunc 'Trunc_0': there is no rounding mode 'x'"):
        op.verify_node()
    op = getCustomOp(one_node("Trunc", {"x": (["N"], FLOAT)}, constants(1)).graph.node[0])
    with pytest.raises(AttributeValueError, match="the required attribute 'rounding_mode' is missing"):
        op.verify_node()
