"""Scale and bias of MultiThreshold become operators of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from finn.core.datatype import DataType
from finn.transformation.rewrite import Call, Parameter, Rule, RuleTransformation, TensorRef, Var, op, require, rule

x, levels = Var("x"), Parameter("levels")

_INTEGERS = frozenset({TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8})


@rule(
    op.MultiThreshold(x, levels).named("mt"),
    shapes="x:n,c levels:c,t | x:n,c levels:c,t | x:n,h,c levels:1,t | x:n,c levels:c,t",
    attributes=[
        {"mt": {"out_scale": 0.5, "out_bias": -2.0}},
        {"mt": {"out_bias": -4.0, "out_dtype": "INT4"}},
        {"mt": {"out_scale": 2.0, "data_layout": "NWC"}},
        {},
    ],
    equivalent={
        "without require(x.model.get_tensor_elem_type(x.name) not in _INTEGERS)": "the evaluator mixes element types"
    },
)
def extract_multithreshold_scale_bias(x: TensorRef, levels: TensorRef, mt: Call) -> Any:
    """thresholds(x, scale, bias) == thresholds(x, 1, 0) * scale + bias"""
    scale, bias = mt.attributes.get("out_scale", 1.0), mt.attributes.get("out_bias", 0.0)
    require((scale, bias) != (1, 0), "the scale is 1 and the bias 0")
    require(
        x.model.get_tensor_elem_type(x.name) not in _INTEGERS, "x is not floating-point, but thresholds give floats"
    )
    counts = DataType.spanning(0, np.asarray(levels.value).shape[-1])
    plain = {"out_scale": None, "out_bias": None, "out_dtype": counts.name}
    result: Any = op.MultiThreshold(x, levels, like=mt, **plain).typed(counts)
    if scale != 1:
        result = op.Mul(result, scale)
    return result if bias == 0 else op.Add(result, bias)


EXTRACTION: tuple[Rule, ...] = (extract_multithreshold_scale_bias,)


class ExtractMultiThresholdScaleBias(RuleTransformation):
    """MultiThreshold with out_scale and out_bias becomes one that counts, a Mul and an Add.

    out_dtype becomes the unsigned type of the counts. The inverse of AbsorbScalarBiasIntoMultiThreshold.
    """

    rules = EXTRACTION
