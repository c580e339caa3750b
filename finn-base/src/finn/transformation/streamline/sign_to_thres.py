"""Sign becomes MultiThreshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from finn.transformation.rewrite import Call, Rule, RuleTransformation, TensorRef, Var, op, require, rule

x = Var("x")

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})


@rule(
    op.Sign(x).named("sign"),
    shapes="x:n,c | x:n,c,h,k | x:n,c | x:n,c",
    datatypes=[{}, {"x": "INT4"}, {"x": "BIPOLAR"}, {"x": "FIXED<6,4>"}],
    equivalent={"MultiThreshold twice": "the sign of a sign is that sign"},
)
def sign_to_thresholds(x: TensorRef, sign: Call) -> Call:
    """sign(x) == 2 * count(x >= 0) - 1 if x is never 0, else count(x >= 0) + count(x >= the least x above 0) - 1"""
    kind = x.model.get_tensor_elem_type(x.name)
    require(kind in _FLOATS, "x is not floating-point, but thresholds give floats")
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    declared = sign.result is not None and sign.result.datatype == "BIPOLAR"
    if declared or x.datatype == "BIPOLAR":
        return _thresholds(x, np.zeros((1, 1), dtype), out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0)
    above = dtype.type(1) if x.datatype.is_integer() else np.nextafter(dtype.type(0), dtype.type(1))
    return _thresholds(x, np.array([[0, above]], dtype), out_dtype="TERNARY", out_bias=-1.0)


def _thresholds(x: TensorRef, levels: np.ndarray, out_dtype: str, **attributes: Any) -> Call:
    call: Call = op.MultiThreshold(x, levels, out_dtype=out_dtype, **attributes)
    return call.typed(out_dtype)


SIGN: tuple[Rule, ...] = (sign_to_thresholds,)


class ConvertSignToThres(RuleTransformation):
    """Sign becomes a MultiThreshold that gives the same, 0 for 0 included.

    If the result of Sign is annotated BIPOLAR, or its input is, 0 does not occur: one threshold, at 0, with out_scale 2
    and out_bias -1, which is what FINN makes of every Sign. Otherwise two thresholds with out_bias -1, at 0 and at the
    smallest number above it (1 for integers), and the result is TERNARY. Who wants 1 for an input of 0 says so by
    annotating the result as BIPOLAR before.
    """

    rules = SIGN
