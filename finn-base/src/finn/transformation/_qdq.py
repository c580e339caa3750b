"""What QuantizeLinear and DequantizeLinear compute, and when Quant computes the same.

ONNX rounds before it adds the zero point, Quant (like its predecessors) after: with v = x / scale in float32

    DequantizeLinear(Clip(QuantizeLinear(x)))  ==  clip(round(v), low - z, high - z) * scale
    Quant(x)                                   ==  (round(clip(v + z, low, high)) - z) * scale

Both are the same, bit by bit but for the sign of zeros and for NaN, if z is 0. If it is not, they differ where v is a
tie and z odd, and where v is so near a tie that v + z in float32 becomes one. Operators:
https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import re

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from finn.core.errors import UnsupportedError
from finn.core.exactness import FLOAT32_LIMIT
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import max_int, min_int
from finn.transformation.rewrite import NoMatch, require

_INTEGER = re.compile(r"(U?)INT([0-9]+)")
ELEM_TYPES: dict[int, tuple[int, bool]] = {
    number: (int(match[2]), not match[1])
    for name, number in TensorProto.DataType.items()
    if (match := _INTEGER.fullmatch(name))
}
"""(bits, signed) of the integer element types of ONNX."""


ADDS_FIRST = "adds_zero_point_first"
"""An attribute that marks, within a transformation, a QuantizeLinear that rounds x / scale + zero point, as Quant."""


def range_of(elem_type: int) -> tuple[int, int]:
    """The least and the greatest integer of an ONNX element type. UnsupportedError for other types."""
    if elem_type not in ELEM_TYPES:
        known = elem_type in TensorProto.DataType.values()
        name = TensorProto.DataType.Name(elem_type) if known else str(elem_type)
        raise UnsupportedError(f"element type {name} is no integer type")
    bits, signed = ELEM_TYPES[elem_type]
    return int(min_int(signed, False, bits)), int(max_int(signed, False, bits))


def quantizer_range(low: int, high: int) -> tuple[int, bool, bool] | None:
    """(bit width, signed, narrow) of the quantizer to low..high, None if there is none. Signed 1 bit is bipolar."""
    signed = low < 0
    bits = high.bit_length() + signed
    for narrow in (False, True):
        if high > 0 and (low, high) == (min_int(signed, narrow, bits), max_int(signed, narrow, bits)):
            return bits, signed, narrow
    return None


def constant_value(model: ModelWrapper, name: str) -> np.ndarray | None:
    """The value of an initializer or of a Constant node, None for other tensors."""
    value = model.get_initializer(name)
    node = model.find_producer(name)
    if value is not None or node is None or node.op_type != "Constant" or node.domain:
        return value
    attribute = node.attribute[0]
    if attribute.name == "value":
        return numpy_helper.to_array(attribute.t)
    if attribute.name in ("value_float", "value_floats"):
        return np.asarray(helper.get_attribute_value(attribute), np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.asarray(helper.get_attribute_value(attribute), np.int64)
    return None


def elem_type_of(model: ModelWrapper, name: str) -> int:
    """The element type of a tensor, also if only the Constant node that makes it tells."""
    kind, value = model.get_tensor_elem_type(name), constant_value(model, name)
    return kind if kind or value is None else int(helper.np_dtype_to_tensor_dtype(value.dtype))


def quantize_dequantize(x: np.ndarray, scale: np.ndarray, zeropt: np.ndarray, low: int, high: int) -> np.ndarray:
    """clip(round(x/scale), low - zeropt, high - zeropt) * scale in float32, as ONNX has it; all broadcast to x."""
    with np.errstate(all="ignore"):
        rounded = np.round(x.astype(np.float32) / scale)
        return np.asarray(np.clip(rounded, low - zeropt, high - zeropt).astype(np.float32) * scale, np.float32)


def zero_point_commutes(model: ModelWrapper, x: str, scale: np.ndarray, zeropt: np.ndarray) -> bool:
    """Whether round(x/scale + zeropt) == round(x/scale) + zeropt in float32 for all values that x is known to have.

    It is if zeropt is 0; and if x is an integer by annotation and the scale a power of two, so that no sum is rounded
    and, where there are ties, zeropt is even.
    """
    if not np.any(zeropt):
        return True
    datatype = model.get_tensor_datatype(x)
    fraction, exponent = np.frexp(scale)
    if not datatype.is_integer() or np.any(fraction != 0.5):
        return False
    unit = np.maximum(scale.astype(np.float64), 1)  # x/scale + zeropt == (x * unit/scale + zeropt * unit) / unit
    largest = max(abs(datatype.min()), abs(datatype.max())) * np.maximum(1 / scale.astype(np.float64), 1)
    exact = np.all(largest + np.abs(zeropt) * unit <= FLOAT32_LIMIT)
    return bool(exact and np.all((exponent <= 1) | (zeropt % 2 == 0)))


def check_scale(scale: np.ndarray) -> None:
    """NoMatch unless the scale is float32, finite and positive."""
    require(scale.dtype == np.float32, f"its scale is {scale.dtype}, not float32")
    require(np.all(np.isfinite(scale)) and np.all(scale > 0), "its scale is not finite and positive")


def zero_point_of(model: ModelWrapper, name: str) -> np.ndarray:
    """A zero point as int64. NoMatch if it is no constant integer."""
    zero = constant_value(model, name)
    if zero is None:
        raise NoMatch(f"its zero point '{name}' is not a constant")
    require(elem_type_of(model, name) in ELEM_TYPES, "its zero point is no integer")
    return zero.astype(np.int64)


def scale_and_zero_point(model: ModelWrapper, scale: str, zeropt: str) -> tuple[np.ndarray, np.ndarray]:
    """(scale, zero point as int64) of the same shape; no zero point ("") is 0. NoMatch if they are no parameters."""
    value = constant_value(model, scale)
    if value is None:
        raise NoMatch(f"its scale '{scale}' is not a constant")
    check_scale(value)
    zero = zero_point_of(model, zeropt) if zeropt else np.zeros(value.shape, np.int64)
    require(zero.shape == value.shape or zero.size == value.size == 1, "scale and zero point differ in shape")
    return value, zero.reshape(value.shape)
