"""Quantization to integers of any width: the QONNX operator Quant, also called IntQuant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import AttributeValueError, ExecutionError
from finn.custom_op.base import Attribute, CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

Rounding = Callable[[np.ndarray], np.ndarray]


def _half_up(x: np.ndarray) -> np.ndarray:
    whole = np.trunc(x)  # x - whole is exact, |x| + 0.5 would round: 0.49999997 + 0.5 == 1 in float32
    return np.asarray(np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole))


def _half_down(x: np.ndarray) -> np.ndarray:
    whole = np.trunc(x)
    return np.asarray(np.where(np.abs(x - whole) > 0.5, whole + np.sign(x), whole))


_ROUNDING: dict[str, Rounding] = {
    "ROUND": np.round,  # halves to the even neighbour
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),  # away from zero
    "DOWN": np.trunc,  # towards zero
    "HALF_UP": _half_up,  # halves away from zero
    "HALF_DOWN": _half_down,  # halves towards zero
}


def resolve_rounding_mode(mode_string: str) -> Rounding:
    """The rounding function of this name, in any case. AttributeValueError (a ValueError) for other names."""
    try:
        return _ROUNDING[mode_string.upper()]
    except KeyError as error:
        raise AttributeValueError(
            f"there is no rounding mode '{mode_string}'", remedy=f"use one of: {', '.join(_ROUNDING)}"
        ) from error


def min_int(signed: bool, narrow_range: bool, bit_width: Any) -> Any:
    """The least integer of `bit_width` bits: -2^(b-1), one more if narrow, 0 if unsigned. Elementwise for arrays."""
    return -_power(bit_width, 1) + int(bool(narrow_range)) if signed else bit_width * 0


def max_int(signed: bool, narrow_range: bool, bit_width: Any) -> Any:
    """The greatest integer of `bit_width` bits: 2^(b-1) - 1 if signed, else 2^b - 1 (one less if narrow)."""
    return _power(bit_width, 1) - 1 if signed else _power(bit_width, 0) - 1 - int(bool(narrow_range))


def _power(bit_width: Any, less: int) -> Any:
    if isinstance(bit_width, np.ndarray | np.generic):
        return np.exp2(np.asarray(bit_width, dtype=np.float64) - less)
    return 2 ** (bit_width - less)


def int_quant(
    inp_tensor: np.ndarray,
    scale: Any,
    zeropt: Any,
    bitwidth: Any,
    signed: bool,
    narrow: bool,
    rounding_mode: str,
) -> np.ndarray:
    """Quantize and dequantize: (round(clip(x/scale + zeropt)) - zeropt) * scale.

    Clips to the integers of `bitwidth` bits, before rounding; 1 bit signed is the sign, +1 for 0. All parameters
    broadcast to x. Computes in the type of x (float32 for integer x).
    """
    x = np.asarray(inp_tensor)
    if x.dtype.kind != "f":
        x = x.astype(np.float32)
    scale, zeropt = np.asarray(scale, dtype=x.dtype), np.asarray(zeropt, dtype=x.dtype)
    bits = np.asarray(bitwidth, dtype=np.float64)
    if not (np.all(bits >= 1) and np.all(bits == np.round(bits))):
        raise ExecutionError(f"a quantizer cannot have {bits.ravel()[:4].tolist()} bits", remedy="use whole bits >= 1")
    q = x / scale + zeropt
    low = min_int(signed, narrow, bits).astype(x.dtype)
    high = max_int(signed, narrow, bits).astype(x.dtype)
    rounded = resolve_rounding_mode(rounding_mode)(np.clip(q, low, high))
    if signed:
        one, minus_one = x.dtype.type(1), x.dtype.type(-1)
        rounded = np.where(bits == 1, np.where(q >= 0, one, minus_one), rounded)
    return np.asarray((rounded - zeropt) * scale, dtype=x.dtype)


quant = int_quant


class IntQuant(CustomOp):
    """Inputs x, scale, zero point, bit width; output: `int_quant` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "signed": Attribute("i", allowed=frozenset({0, 1}), doc="whether the integers have a sign"),
        "narrow": Attribute("i", allowed=frozenset({0, 1}), doc="whether the least (unsigned: greatest) is left out"),
        "rounding_mode": Attribute("s", "ROUND", doc="a name that resolve_rounding_mode knows"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("Identity", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def get_integer_datatype(self, model: ModelWrapper) -> BaseDataType | None:
        """The type of the integers inside; None if the bit width is not one constant."""
        bits = model.get_initializer(self.onnx_node.input[3])
        if bits is None or len(np.unique(bits)) != 1:
            return None
        width, signed = int(bits.ravel()[0]), bool(self.get_nodeattr("signed"))
        if width == 1 and signed:
            return DataType["BIPOLAR"]
        return DataType[f"{'' if signed else 'U'}INT{width}"]

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The integer type if scale is 1 and zero point 0, else FLOAT32."""
        scale, zeropt = (model.get_initializer(name) for name in self.onnx_node.input[1:3])
        integer = self.get_integer_datatype(model)
        plain = scale is not None and zeropt is not None and bool(np.all(scale == 1) and np.all(zeropt == 0))
        result = integer if plain and integer is not None else DataType["FLOAT32"]
        model.set_tensor_datatype(self.onnx_node.output[0], result)

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale, zeropt, bits = (context[name] for name in self.onnx_node.input)
        mode = self.get_nodeattr("rounding_mode")
        signed, narrow = bool(self.get_nodeattr("signed")), bool(self.get_nodeattr("narrow"))
        context[self.onnx_node.output[0]] = int_quant(x, scale, zeropt, bits, signed, narrow, mode)

    def verify_node(self) -> list[str]:
        resolve_rounding_mode(self.get_nodeattr("rounding_mode"))
        return super().verify_node()


class Quant(IntQuant):
    """The name under which QONNX exporters write IntQuant."""
