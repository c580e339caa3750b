"""Quantization to small floating-point formats: the QONNX operator FloatQuant."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import ExecutionError
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.general.intquant import computing_type, resolve_rounding_mode, result_type
from finn.custom_op.shapes import broadcast_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def compute_default_exponent_bias(exponent_bitwidth: Any) -> Any:
    """2^(e-1) - 1, as IEEE 754 has it."""
    return 2.0 ** (exponent_bitwidth - 1) - 1


def compute_max_val(exponent_bitwidth: Any, mantissa_bitwidth: Any, exponent_bias: Any = None) -> Any:
    """(2 - 2^-m) * 2^(2^e - 1 - bias): the largest value if no codes are kept for infinity and NaN."""
    bias = compute_default_exponent_bias(exponent_bitwidth) if exponent_bias is None else exponent_bias
    return (2.0 - 2.0 ** (-mantissa_bitwidth)) * 2.0 ** (2.0**exponent_bitwidth - 1 - bias)


def float_quant(
    X: np.ndarray,
    scale: Any,
    exponent_bitwidth: Any,
    mantissa_bitwidth: Any,
    exponent_bias: Any = None,
    signed: bool = True,
    max_val: Any = None,
    has_inf: bool = False,
    has_nan: bool = False,
    has_subnormal: bool = False,
    rounding_mode: str = "ROUND",
    saturation: bool = True,
) -> np.ndarray:
    """Round X / scale to a float of e exponent and m mantissa bits, and scale back.

    With v = X / scale: the step is s = 2^(max(floor(log2|v|), 1 - bias) - m), the result s * round(v / s), so there are
    subnormal numbers whatever has_subnormal says (as Brevitas has it). What exceeds the limit min(max_val, that of the
    format) becomes the limit, or without saturation infinity (has_inf) or NaN (has_nan). Unsigned: negative values
    become 0. NaN stays NaN. All parameters broadcast. The result has the type of a float X.

    ExecutionError for bit widths and biases that are not whole, and for values that exceed the limit if there is
    neither saturation nor infinity nor NaN.
    """
    x = np.asarray(X)
    dtype = computing_type(x)
    e, m, bias = _format(exponent_bitwidth, mantissa_bitwidth, exponent_bias)
    scale = np.asarray(scale, dtype=dtype)
    with np.errstate(over="ignore"):  # what exceeds all numbers exceeds the limit of the format as well
        v = (x / scale).astype(dtype, copy=False)
    exponent = np.frexp(v)[1] - 1  # floor(log2|v|), exactly, for every v but 0
    step = np.maximum(np.where(v == 0, 1 - bias, exponent), 1 - bias) - m
    finite = np.where(np.isfinite(v), v, dtype.type(0))
    limit = compute_max_val(e.astype(np.float64), m.astype(np.float64), bias.astype(np.float64))
    limit = np.asarray(limit if max_val is None else np.minimum(limit, max_val))
    with np.errstate(over="ignore"):  # what rounds up to infinity is beyond the limit, which may be infinite, too
        rounded = np.ldexp(resolve_rounding_mode(rounding_mode)(np.ldexp(finite, -step)), step)
        limit = limit.astype(dtype)
    q = np.where(np.isfinite(v), rounded, v)
    if not signed:
        q = np.where(q < 0, dtype.type(0), q)
    exceeding = np.abs(q) > limit
    q = np.where(exceeding, np.copysign(_beyond(limit, exceeding, has_inf, has_nan, saturation), q), q)
    with np.errstate(over="ignore"):  # as above
        return np.asarray(q * scale, dtype=result_type(x))


def _format(e: Any, m: Any, bias: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three parameters as integers."""
    if bias is None:
        bias = compute_default_exponent_bias(np.asarray(e, dtype=np.float64))
    whole = []
    for name, given, least in (("exponent bits", e, 1), ("mantissa bits", m, 0), ("exponent bias", bias, None)):
        values = np.asarray(given, dtype=np.float64)
        if not np.all(values == np.round(values)) or (least is not None and np.any(values < least)):
            raise ExecutionError(
                f"a float format cannot have {values.ravel()[:4].tolist()} as {name}",
                remedy="use whole numbers" + ("" if least is None else f", at least {least}"),
            )
        whole.append(values.astype(np.int32))
    return whole[0], whole[1], whole[2]


def _beyond(limit: np.ndarray, exceeding: np.ndarray, has_inf: bool, has_nan: bool, saturation: bool) -> Any:
    """What stands for values beyond the limit."""
    if saturation:
        return limit
    if has_inf:
        return np.inf
    if not has_nan and np.any(exceeding):
        raise ExecutionError(
            "values exceed the largest float of the format, which has neither infinity nor NaN",
            remedy="set saturation, has_inf or has_nan",
        )
    return np.nan


class FloatQuant(CustomOp):
    """Inputs x, scale, exponent bits, mantissa bits, exponent bias, greatest value; output: `float_quant` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "rounding_mode": Attribute("s", "ROUND", doc="a name that resolve_rounding_mode knows"),
        "has_inf": Attribute("i", allowed=frozenset({0, 1}), doc="whether the format has infinities"),
        "has_nan": Attribute("i", allowed=frozenset({0, 1}), doc="whether the format has NaN"),
        "has_subnormal": Attribute("i", allowed=frozenset({0, 1}), doc="a mark: there are subnormal numbers anyway"),
        "saturation": Attribute("i", allowed=frozenset({0, 1}), doc="whether too large values become the greatest"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return broadcast_stand_in(self, model)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """FLOAT<e,m,bias> if the scale is 1 and the format constant, and the same everywhere; else FLOAT32."""
        model.set_tensor_datatype(self.onnx_node.output[0], self._datatype(model))

    def _datatype(self, model: ModelWrapper) -> BaseDataType:
        constants = [model.get_initializer(name) for name in self.onnx_node.input[1:5]]
        values = [np.unique(constant) for constant in constants if constant is not None]
        if len(values) < 4 or any(len(value) != 1 for value in values) or values[0][0] != 1:
            return DataType["FLOAT32"]
        with self.named():
            e, m, bias = (int(part) for part in _format(*(value[0] for value in values[1:])))
        return DataType[f"FLOAT<{e},{m},{bias}>"]

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale, e, m, bias, max_val = (context[name] for name in self.onnx_node.input)
        flags = {name: bool(self.get_nodeattr(name)) for name in ("has_inf", "has_nan", "has_subnormal", "saturation")}
        mode = self.get_nodeattr("rounding_mode")
        context[self.onnx_node.output[0]] = float_quant(
            x, scale, e, m, bias, True, max_val, rounding_mode=mode, **flags
        )

    def verify_node(self) -> list[str]:
        with self.named():
            resolve_rounding_mode(self.get_nodeattr("rounding_mode"))
        return super().verify_node()
