"""Quantization to integers of any width: the QONNX operator Quant, also called IntQuant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import AttributeValueError, ExecutionError
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.expansion import Expansion
from finn.custom_op.general._standard_forms import int_quant_form
from finn.custom_op.shapes import broadcast_stand_in

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


def computing_type(x: np.ndarray) -> np.dtype[np.generic]:
    """The float type to quantize `x` in: its own, but float32 at least; float64 for integers of 32 bits and more."""
    return np.result_type(x.dtype, np.float32)


def result_type(x: np.ndarray) -> np.dtype[np.generic]:
    """The type of `x` quantized: its own if it is a float, else the one it is computed in."""
    return x.dtype if x.dtype.kind == "f" else computing_type(x)


def whole_bits(bitwidth: Any) -> np.ndarray:
    """Bit widths as float64. ExecutionError unless they are whole and at least 1."""
    bits = np.asarray(bitwidth, dtype=np.float64)
    if not (np.all(bits >= 1) and np.all(bits == np.round(bits))):
        raise ExecutionError(f"a quantizer cannot have {bits.ravel()[:4].tolist()} bits", remedy="use whole bits >= 1")
    return bits


def clip_to_integers(q: np.ndarray, bits: np.ndarray, signed: bool, narrow: bool) -> np.ndarray:
    """Clip to the integers of these widths that the type of q has: float32 has no 2^31 - 1, and 2^31 is too much."""
    power = np.exp2(bits - bool(signed)).astype(q.dtype)

    def below(distance: int) -> np.ndarray:
        less = power - q.dtype.type(distance)
        return np.asarray(np.where(less < power, less, np.nextafter(power, q.dtype.type(0))))

    if signed:
        return np.asarray(np.clip(q, -below(1) if narrow else -power, below(1)))
    return np.asarray(np.clip(q, q.dtype.type(0), below(2 if narrow else 1)))


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

    Clips to the integers of `bitwidth` bits, before rounding; infinities clip, NaN stays NaN. 1 bit signed is the sign:
    +1 for 0, -1 for NaN. All parameters broadcast with x. The result has the type of a float x; integers of up to
    16 bits give float32, wider ones float64.
    """
    x = np.asarray(inp_tensor)
    dtype = computing_type(x)
    scale, zeropt = np.asarray(scale, dtype=dtype), np.asarray(zeropt, dtype=dtype)
    bits = whole_bits(bitwidth)
    q = x / scale + zeropt
    rounded = resolve_rounding_mode(rounding_mode)(clip_to_integers(q, bits, signed, narrow))
    if signed and np.any(bits == 1):
        one, minus_one = dtype.type(1), dtype.type(-1)
        rounded = np.where(bits == 1, np.where(q >= 0, one, minus_one), rounded)
    return np.asarray((rounded - zeropt) * scale, dtype=result_type(x))


class IntQuant(CustomOp):
    """Inputs x, scale, zero point, bit width; output: `int_quant` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "signed": Attribute("i", allowed=frozenset({0, 1}), doc="whether the integers have a sign"),
        "narrow": Attribute("i", allowed=frozenset({0, 1}), doc="whether the least (unsigned: greatest) is left out"),
        "rounding_mode": Attribute("s", "ROUND", doc="a name that resolve_rounding_mode knows"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return broadcast_stand_in(self, model)

    def get_integer_datatype(self, model: ModelWrapper) -> BaseDataType | None:
        """The type of the integers inside; None if the bit width is not one constant."""
        bits = model.get_initializer(self.onnx_node.input[3])
        if bits is None or len(np.unique(bits)) != 1:
            return None
        with self.named():
            width, signed = int(whole_bits(bits).ravel()[0]), bool(self.get_nodeattr("signed"))
        if width == 1 and signed:
            return DataType["BIPOLAR"]
        return DataType[f"{'' if signed else 'U'}INT{width}"]

    def get_scaled_integer_datatype(self, model: ModelWrapper) -> BaseDataType | None:
        """SCALEDINT of the bit width; None if that is not one constant."""
        integer = self.get_integer_datatype(model)
        return None if integer is None else DataType[f"SCALEDINT<{integer.bitwidth()}>"]

    def get_output_dtype(self, model: ModelWrapper) -> BaseDataType:
        """The integer type if scale is 1 and zero point 0, SCALEDINT for another constant scale, else FLOAT32."""
        scale, zeropt = (model.get_initializer(name) for name in self.onnx_node.input[1:3])
        integer = self.get_integer_datatype(model)
        if integer is None or scale is None or zeropt is None or np.any(zeropt != 0):
            return DataType["FLOAT32"]
        return integer if np.all(scale == 1) else DataType[f"SCALEDINT<{integer.bitwidth()}>"]

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Annotate `get_output_dtype`."""
        model.set_tensor_datatype(self.onnx_node.output[0], self.get_output_dtype(model))

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale, zeropt, bits = (context[name] for name in self.onnx_node.input)
        mode = self.get_nodeattr("rounding_mode")
        signed, narrow = bool(self.get_nodeattr("signed")), bool(self.get_nodeattr("narrow"))
        context[self.onnx_node.output[0]] = int_quant(x, scale, zeropt, bits, signed, narrow, mode)

    def expand(self, e: Expansion) -> list[str] | None:
        mode = self.get_nodeattr("rounding_mode")
        return int_quant_form(e, bool(self.get_nodeattr("signed")), bool(self.get_nodeattr("narrow")), mode)

    def verify_node(self) -> list[str]:
        with self.named():
            resolve_rounding_mode(self.get_nodeattr("rounding_mode"))
        return super().verify_node()


class Quant(IntQuant):
    """The name under which QONNX exporters write IntQuant."""
