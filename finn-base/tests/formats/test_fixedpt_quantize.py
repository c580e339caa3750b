"""Constants in fixed point, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.fixedpt_quantize import (
    FixedPointQuantizeParams,
    FixedPointQuantizeParamsFromDict,
    default_op_filter,
)

from .helpers import f32, make  # noqa: TID252 - helpers are no package


def scale_and_shift(c: Any, d: Any = 1.5) -> ModelWrapper:
    nodes = [
        helper.make_node("Mul", ["x", "c"], ["a"]),
        helper.make_node("Add", ["a", "d"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["m"]),
        helper.make_node("Reshape", ["m", "shape"], ["y"]),
    ]
    constants = {"c": np.asarray(c), "d": f32(d), "w": f32(np.full((3, 3), 0.3)), "shape": np.array([-1])}
    return make(nodes, {"x": [2, 3]}, constants)


@given(
    st.lists(st.floats(-2000, 2000, width=32), min_size=3, max_size=3),
    st.integers(1, 40).flatmap(lambda w: st.tuples(st.just(w), st.integers(w - 12, w - 1))),
    st.sampled_from([np.float32, np.float64]),
)
def test_nearest_value_of_the_type(values: list[float], bits: tuple[int, int], dtype: Any) -> None:
    width, whole = bits
    step = FixedPointQuantizeParamsFromDict({"c": f"FIXED<{width},{whole}>"})
    model = scale_and_shift(np.asarray(values, dtype))
    after = model.transform(step)
    new = after.get_initializer("c")
    assert new.dtype == dtype
    assert after.get_tensor_datatype("c") == f"FIXED<{width},{whole}>"
    assert np.all(after.get_tensor_datatype("c").allowed(new))
    unit = Fraction(2) ** (whole - width)
    low, high = -(Fraction(2) ** (whole - 1)), Fraction(2) ** (whole - 1) - unit
    errors = []
    for old, value in zip(values, new.tolist(), strict=True):
        wanted = min(max(round(Fraction(old) / unit) * unit, low), high)
        slack = 0 if Fraction(float(dtype(float(wanted)))) == wanted else abs(wanted) / 2**23
        assert abs(Fraction(value) - wanted) <= slack
        errors.append(float(abs(Fraction(value) - Fraction(old))))
    assert step.max_err == {"c": pytest.approx(max(errors), abs=1e-12)}


def test_clipping_and_rounding_modes() -> None:
    """FIXED<4,1>: -1 to 0.875 in steps of 1/8."""
    values = [1.7, -5, 0.3]
    for mode, wanted in {"ROUND": 0.25, "CEIL": 0.375, "floor": 0.25}.items():
        step = FixedPointQuantizeParamsFromDict({"c": DataType["FIXED<4,1>"]}, rounding_mode=mode)
        after = scale_and_shift(f32(values)).transform(step)
        assert after.get_initializer("c").tolist() == [0.875, -1, wanted]
        assert step.max_err == {"c": 4.0}
    assert scale_and_shift(f32([np.inf, -np.inf, 0])).transform(step).get_initializer("c").tolist() == [0.875, -1, 0]
    assert step.max_err == {"c": np.inf}


def test_outermost_value_that_float32_lacks() -> None:
    """2^31 - 2^-1 is no float32; 2^31 is no FIXED<33,32>."""
    after = scale_and_shift(f32([1e30, -1e30, 1])).transform(FixedPointQuantizeParamsFromDict({"c": "FIXED<33,32>"}))
    assert after.get_initializer("c").tolist() == [2.0**31 - 128, -(2.0**31), 1]


def test_all_constants_of_chosen_nodes() -> None:
    model = scale_and_shift(f32([0.3, 1.7, -0.123]))
    step = FixedPointQuantizeParams("FIXED<8,3>")
    after = model.transform(step)
    assert step.max_err == {"c": pytest.approx(0.0125, abs=1e-6), "d": 0}
    assert after.get_initializer("c").tolist() == [0.3125, 1.6875, -0.125]
    assert after.get_tensor_datatype("d") == "FIXED<8,3>"
    assert after.get_tensor_datatype("w") == "FLOAT32"
    assert model.get_initializer("c").tolist() == f32([0.3, 1.7, -0.123]).tolist()
    everything = FixedPointQuantizeParams(DataType["FIXED<8,3>"], op_filter=lambda node: True, rounding_mode="FLOOR")
    after = model.transform(everything)
    assert list(everything.max_err) == ["c", "d", "w"]
    assert after.get_initializer("shape").tolist() == [-1]
    assert after.get_initializer("w").max() == 0.28125


def test_default_filter() -> None:
    chosen = [op for op in ("Add", "Mul", "Sub", "MatMul") if default_op_filter(helper.make_node(op, [], []))]
    assert chosen == ["Add", "Mul"]


WRONG = {
    "fixedpt_dict['c']: INT4 is no fixed point type": {"c": "INT4"},
    "fixedpt_dict['c']: FLOAT32 is no fixed point type": {"c": DataType["FLOAT32"]},
    "fixedpt_dict['c']: 'FIXED' is no data type": {"c": "FIXED"},
    "fixedpt_dict['cc']: the model has no constant 'cc'. Remedy: did you mean 'c'?": {
        "c": "FIXED<8,3>",
        "cc": "FIXED<8,3>",
    },
    "fixedpt_dict['shape']: 'shape' is int64, no float": {"c": "FIXED<8,3>", "shape": "FIXED<8,3>"},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_entries(message: str) -> None:
    model = scale_and_shift(f32([0.3, 1.7, -0.123]))
    before = model.model.SerializeToString()
    with pytest.raises(ConfigError) as error:
        model.transform(FixedPointQuantizeParamsFromDict(WRONG[message]), make_deepcopy=False)
    assert str(error.value).startswith(message)
    assert model.model.SerializeToString() == before


def test_other_wrong_input() -> None:
    with pytest.raises(ConfigError, match="fixedpt_dtype: INT8 is no fixed point type"):
        FixedPointQuantizeParams("INT8")
    with pytest.raises(AttributeValueError, match="there is no rounding mode 'NEAREST'"):
        FixedPointQuantizeParams("FIXED<8,3>", rounding_mode="NEAREST")
    with pytest.raises(ModelError, match="constant 'c': it has values that are no numbers"):
        scale_and_shift(f32([np.nan, 1, 2])).transform(FixedPointQuantizeParamsFromDict({"c": "FIXED<8,3>"}))
