"""Quantizers of plain integers: scale and zero point become operators of their own around Quant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, apply, op, require, rule

x, scale, zeropt, bits = Var("x"), Var("scale"), Var("zeropt"), Var("bits")
_SIGNED = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
_UNSIGNED = {"signed": 0, "narrow": 0, "rounding_mode": "FLOOR"}


@rule(
    op.any_of("Quant", "IntQuant")(x, scale, zeropt, bits).named("quant"),
    shapes="x:n,k | x:n,c,h | x:n,c | x:n,k",
    attributes=[{"quant": a} for a in (_SIGNED, _UNSIGNED, _SIGNED, _SIGNED)],
    values=[
        {"scale": np.float64(0.25), "zeropt": np.float64(2), "bits": np.float64(4)},
        {"scale": np.float64(0.5), "zeropt": np.float64(0), "bits": np.float64(3)},
        {"scale": np.float64(1), "zeropt": np.float64(-1), "bits": np.float64(1)},
        {"scale": np.ones(1), "zeropt": np.full(1, 0.5), "bits": np.full(1, 5.0)},
    ],
)
def extract_scale_and_zero_point(
    x: TensorRef, scale: TensorRef, zeropt: TensorRef, bits: TensorRef, quant: Call
) -> Call:
    """Quant(x, s, z, b) == (Quant(x/s + z, 1, 0, b) - z) * s, without what changes nothing; s has no 0"""
    scaled, shifted = not _is(scale, 1), not _is(zeropt, 0)
    require(scaled or shifted, "the scale is 1 and the zero point 0")
    require(scale.value is None or np.all(scale.value != 0), "the scale is 0 somewhere")
    _check_types(x, scale, zeropt)
    inner: Any = op.Div(x, scale) if scaled else x
    inner = op.Add(inner, zeropt) if shifted else inner
    result = replace(quant.on(inner, 1.0, 0.0, bits), datatype=_integer_type(bits, quant))
    result = op.Sub(result, zeropt) if shifted else result
    return op.Mul(result, scale) if scaled else result


def _check_types(*tensors: TensorRef) -> None:
    """Quant converts its parameters to the type of x, and computes float16 in float32; Div and Mul do neither."""
    kinds = {t.model.get_tensor_elem_type(t.name) or TensorProto.FLOAT for t in tensors}
    require(len(kinds) == 1 and kinds <= {TensorProto.FLOAT, TensorProto.DOUBLE}, "not all are float32, or float64")


def _is(parameter: TensorRef, neutral: float) -> bool:
    return parameter.value is not None and bool(np.all(parameter.value == neutral))


def _integer_type(bits: TensorRef, quant: Call) -> Any:
    """The data type of the integers, None if it is not known."""
    if bits.value is None or len(np.unique(bits.value)) != 1:
        return None
    width = int(bits.value.reshape(-1)[0])
    if width < 1:
        return None
    if width == 1 and quant.attributes.get("signed"):
        return DataType["BIPOLAR"]
    return DataType[f"{'' if quant.attributes.get('signed') else 'U'}INT{width}"]


EXTRACT_SCALE_AND_ZERO_POINT: tuple[Rule, ...] = (extract_scale_and_zero_point,)


class ExtractQuantScaleZeroPt(Transformation):
    """Quant and IntQuant with a scale other than 1 or a zero point other than 0: Div and Add before them, Sub and Mul
    behind, and in the middle a quantizer with scale 1 and zero point 0, annotated with its integer type.

    Parameters that are computed stay computed. Results are the same bit by bit.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        apply(model, EXTRACT_SCALE_AND_ZERO_POINT)
        return model, False
