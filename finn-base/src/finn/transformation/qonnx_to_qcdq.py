"""From Quant to QuantizeLinear, Clip and DequantizeLinear, which every ONNX runtime executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto

from finn.core.domains import GENERAL, is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import int_quant, max_int, min_int
from finn.transformation._qdq import (
    check_scale,
    constant_value,
    elem_type_of,
    quantize_dequantize,
    zero_point_commutes,
)
from finn.transformation.base import Transformation
from finn.transformation.raise_opset import raise_opset
from finn.transformation.rewrite import Call, NoMatch, Rule, TensorRef, Var, apply, op, require, rule

_OPSET = 10  # of QuantizeLinear and DequantizeLinear
_OPSET_OF_CLIP_AND_AXIS = 13  # Clip of 8-bit integers came with 12, scales along an axis with 13


@dataclass(frozen=True)
class _Known(Var):
    """Binds an initializer, or what a Constant node makes; the rule gets the array."""

    constant: ClassVar[bool] = True

    def bind(self, tensor: TensorRef) -> Any:
        value = constant_value(tensor.model, tensor.name)
        if value is None:
            raise NoMatch(f"its {self.name} '{tensor.name}' is not a constant")
        return value


x = Var("x")
_PARAMETERS = scale, zeropt, bits = _Known("scale"), _Known("zeropt"), _Known("bits")
_X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(2, 3, 4)
_ALL = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
_NARROW = {"signed": 1, "narrow": 1, "rounding_mode": "HALF_EVEN"}
_UNSIGNED = {"signed": 0, "narrow": 0}
_SCALES = np.asarray([[0.5], [0.3], [2]], np.float32)


@rule(
    op.any_of("Quant", "IntQuant")(x, scale, zeropt, bits).named("quant"),
    shapes="|||",
    attributes=[{"quant": _ALL}, {"quant": _NARROW}, {"quant": _UNSIGNED}, {"quant": _ALL}],
    values=[
        {"x": _X, "scale": np.float32(0.3), "zeropt": np.float32(0), "bits": np.float32(8)},
        {"x": _X, "scale": _SCALES, "zeropt": np.float32(0), "bits": np.float32(4)},
        {"x": _X, "scale": np.float32(0.5), "zeropt": np.zeros(4, np.float32), "bits": np.float32(3)},
        {"x": _X, "scale": np.float32(0.3), "zeropt": np.float32(0), "bits": np.float32(4)},  # a Clip, in any opset
    ],
)
def quant_to_qcdq(x: TensorRef, scale: np.ndarray, zeropt: np.ndarray, bits: np.ndarray, quant: Call) -> Call:
    """Quant(x, s, z, b) == DequantizeLinear(Clip(QuantizeLinear(x, s, z), min_int(b), max_int(b)), s, z)"""
    nodes = _qcdq(x, scale, zeropt, bits, quant.attributes)
    needed = _opset_of(nodes)
    require(x.model.get_opset_imports().get("", 1) >= needed, f"it needs opset {needed}")
    return nodes


def _qcdq(x: TensorRef, scale: np.ndarray, zeropt: np.ndarray, bits: np.ndarray, attributes: Mapping[str, Any]) -> Call:
    """The nodes that take the place of Quant, without Clip if it would change nothing. NoMatch if there are none."""
    require(elem_type_of(x.model, x.name) in (TensorProto.UNDEFINED, TensorProto.FLOAT), "its input is not float32")
    mode = str(attributes.get("rounding_mode", "ROUND"))
    require(mode.upper() in ("ROUND", "HALF_EVEN"), f"its rounding mode is {mode}, QuantizeLinear rounds to even")
    check_scale(scale)
    low, high = _limits(bits, attributes)
    dtype = np.dtype(np.int8 if low < 0 else np.uint8)
    inside = (zeropt == np.round(zeropt)) & (zeropt >= np.iinfo(dtype).min) & (zeropt <= np.iinfo(dtype).max)
    require(np.all(inside), f"its zero point is no {dtype.name}")
    _check_zero_point(x, scale, zeropt, bits, (low, high), attributes)
    axis, scale, zeropt = _along_axis(x, scale, zeropt, bits)
    parameters = (scale, zeropt.astype(dtype))
    q = op.QuantizeLinear(x, *parameters, axis=axis)
    if (low, high) != (np.iinfo(dtype).min, np.iinfo(dtype).max):
        q = op.Clip(q, np.asarray(low, dtype), np.asarray(high, dtype))
    return op.DequantizeLinear(q, *parameters, axis=axis)


def _limits(bits: np.ndarray, attributes: Mapping[str, Any]) -> tuple[int, int]:
    """The least and the greatest integer."""
    width = float(bits.reshape(-1)[0]) if bits.size else 0.0
    require(bits.size and np.all(bits == width), "its bit widths differ")
    require(width in range(1, 9), f"it has {width:g} bits, QuantizeLinear has up to 8")
    require({"signed", "narrow"} <= set(attributes), "it does not say whether it is signed and narrow")
    signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
    require(width > signed, "one bit with sign is bipolar, QuantizeLinear has a zero")
    low, high = int(min_int(signed, narrow, int(width))), int(max_int(signed, narrow, int(width)))
    require(low < high, "it has one integer only")
    return low, high


def _check_zero_point(
    x: TensorRef,
    scale: np.ndarray,
    zeropt: np.ndarray,
    bits: np.ndarray,
    limits: tuple[int, int],
    attributes: Mapping[str, Any],
) -> None:
    """NoMatch unless it does not matter that QuantizeLinear rounds before it adds the zero point."""
    value = constant_value(x.model, x.name)
    if value is None:
        same = zero_point_commutes(x.model, x.name, scale, zeropt)
        require(same, "its zero point is not 0: QuantizeLinear adds it after rounding, ties come out differently")
        return
    signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
    with np.errstate(all="ignore"):
        wanted = int_quant(value, scale, zeropt, bits, signed, narrow, "ROUND")
    same = np.array_equal(wanted, quantize_dequantize(value, scale, zeropt, *limits))
    require(same, "its constant has values that QuantizeLinear rounds to other integers")


def _along_axis(
    x: TensorRef, scale: np.ndarray, zeropt: np.ndarray, bits: np.ndarray
) -> tuple[int | None, np.ndarray, np.ndarray]:
    """(axis, scale, zero point) as vectors along one axis of x, or (None, number, number)."""
    shape = np.broadcast_shapes(scale.shape, zeropt.shape, bits.shape)
    if not shape:
        return None, scale, zeropt
    require(len(shape) <= x.rank, f"its parameters have {len(shape)} axes, its input has {x.rank}")
    axes = [i for i, size in enumerate(shape) if size != 1]
    if not axes:
        return None, scale.reshape(()), zeropt.reshape(())
    require(len(axes) == 1, f"its parameters of shape {list(shape)} vary along {len(axes)} axes")
    axis, size = axes[0] + x.rank - len(shape), shape[axes[0]]
    dim = (x.shape or ())[axis]
    require(
        dim == size, f"its parameters have {size} elements, axis {axis} of its input has {dim or 'no fixed length'}"
    )
    vectors = (np.broadcast_to(value, shape).reshape(-1).copy() for value in (scale, zeropt))
    return axis, *vectors


QUANT_TO_QCDQ: tuple[Rule, ...] = (quant_to_qcdq,)


class QuantToQCDQ(Transformation):
    """Quant and IntQuant become QuantizeLinear, Clip (unless the range is that of 8 bits), DequantizeLinear.

    Converted are quantizers, of weights as well, with constant parameters: up to 8 bits, rounding mode ROUND, scale and
    zero point one for all or along one axis. A zero point other than 0 has to be exact (`_qdq`): for constants this is
    tried, for integers it follows from the scale. Results are the same but for NaN, which becomes the least integer.
    `declined` says afterwards why others stayed: {node: reason}.

    The model gets opset 13 if a Clip or an axis is needed, else 10, unless its own is newer; its other operators are
    adapted (`raise_opset`). The domain of Quant is not imported any more if no node needs it. Shapes have to be known
    for scales along an axis (InferShapes).

    A runtime may still differ elsewhere: onnxruntime fuses the new nodes with their neighbours into integer operators
    (unless its session has `session.disable_quant_qdq` set to 1), and sums floats in an order that depends on them.
    """

    def __init__(self) -> None:
        self.declined: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        needed = self._needed_opset(model)
        if needed:
            raise_opset(model, needed)
            apply(model, QUANT_TO_QCDQ)
            _forget_domain(model)
        return model, False

    def _needed_opset(self, model: ModelWrapper) -> int:
        """0 if nothing can be converted."""
        self.declined, needed = {}, 0
        op_types = {op_type for r in QUANT_TO_QCDQ for op_type in r.pattern.ops}
        with model.trusted_index():
            for node in model.graph.node:
                if node.op_type in op_types and is_custom_domain(node.domain):
                    try:
                        needed = max(needed, _opset_of(_planned(model, node)))
                    except NoMatch as reason:
                        self.declined[node.name or node.output[0]] = str(reason)
        return needed


def _planned(model: ModelWrapper, node: NodeProto) -> Call:
    """What will take the place of `node` once the opset is new enough."""
    require(len(node.input) == 4, "it has not four inputs")
    x, *parameters = (TensorRef.of(model, name) for name in node.input)
    scale, zeropt, bits = (known.bind(tensor) for known, tensor in zip(_PARAMETERS, parameters, strict=True))
    attributes = {a.name: a.i if a.type == AttributeProto.INT else a.s.decode() for a in node.attribute}
    return _qcdq(x, scale, zeropt, bits, attributes)


def _opset_of(dequantize: Any) -> int:
    plain = dequantize.inputs[0].op == "QuantizeLinear" and dequantize.attributes["axis"] is None
    return _OPSET if plain else _OPSET_OF_CLIP_AND_AXIS


def _forget_domain(model: ModelWrapper) -> None:
    if not any(is_custom_domain(node.domain) for node in model.graph.node):
        for entry in [entry for entry in model.model.opset_import if entry.domain == GENERAL]:
            model.model.opset_import.remove(entry)
