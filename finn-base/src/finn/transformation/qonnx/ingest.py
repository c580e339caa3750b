"""Every quantizer format becomes that of QONNX: Quant, BipolarQuant, Trunc, MultiThreshold between float operators.

QONNX                Quant, IntQuant, BipolarQuant, Trunc (both versions) and MultiThreshold stay
QDQ, QCDQ            QuantizeLinear, (Clip,) DequantizeLinear become a Quant, the DequantizeLinear of a constant as well
QOperator            QLinearConv and the like become float operators between QuantizeLinear and DequantizeLinear first
integer inputs       become float32 inputs annotated with their integer type, their DequantizeLinear Add and Mul
integer outputs      become float32 outputs with the same integers, annotated

What is computed stays the same bit by bit, rounding of ties included, as far as the original operators compute in
float32 (QOperator computes some of it in integers). docs/formats.md is the guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from finn.core.datatype import DataType
from finn.core.domains import is_custom_domain
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._qdq import ELEM_TYPES, constant_value, quantizer_range, range_of
from finn.transformation.base import Transformation
from finn.transformation.constants import idle_nodes, remove_idle
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qcdq_to_qonnx import Linear, QuantForm, quant_form, quantized_type, read, replace_readings
from finn.transformation.qonnx._chains import Step, constant, insert_chain
from finn.transformation.qonnx._exact_forms import ExactForm, dequantize_steps, quantize_steps
from finn.transformation.qonnx._hoisting import hoist
from finn.transformation.qonnx._integer_tensors import integer_sums, integer_tensors, is_qdq, quantizes
from finn.transformation.qonnx._qoperators import MICROSOFT, decompose
from finn.transformation.qonnx._refusals import refusals
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, apply, maybe, op, require, rule

x, bits = Var("x"), Const("bits")
scale, zeropt, low, high = Const("scale"), Const("zeropt"), Const("low"), Const("high")
_SIGNED, _PLAIN = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}, {"signed": 0, "narrow": 0}


@rule(
    op.any_of("Quant", "IntQuant")(op.Clip(x, maybe(low), maybe(high)).named("clip"), scale, zeropt, bits).named(
        "quant"
    ),
    shapes="x:n,k low: high: scale: zeropt: bits: | x:n,k low: high: scale: zeropt: bits: | "
    "x:n,k low: high: scale: zeropt: bits:",
    attributes=[{"quant": _SIGNED}, {"quant": _SIGNED}, {"quant": _PLAIN}],
    values=[
        {"low": -2.0, "high": 1.75, "scale": 0.25, "zeropt": 0.0, "bits": 8.0},
        {"low": -1.75, "high": 1.75, "scale": 0.25, "zeropt": 0.0, "bits": 6.0},
        {"low": -3.0, "high": 0.75, "scale": 0.25, "zeropt": 0.0, "bits": 5.0},
    ],
)
def clip_into_quant(
    x: TensorRef,
    low: np.ndarray | None,
    high: np.ndarray | None,
    scale: np.ndarray,
    zeropt: np.ndarray,
    bits: np.ndarray,
    clip: Call,
    quant: Call,
) -> Call:
    """quant(clip(x, low, high), s, 0, b) == quant(x, s, 0, b'), if round(low/s)..round(high/s) is a range of b' bits"""
    require(not clip.attributes, "before opset 11 the bounds are attributes")
    require(scale.size == bits.size == 1 and np.all(zeropt == 0), "it has a zero point, or parameters that vary")
    require(str(quant.attributes.get("rounding_mode", "ROUND")).upper() in ("ROUND", "HALF_EVEN"), "another rounding")
    signed, narrow = (bool(quant.attributes.get(name, 0)) for name in ("signed", "narrow"))
    width, s = int(bits.reshape(-1)[0]), scale.reshape(-1)[0]
    require(width > signed, "one bit is the sign")
    limits = [int(value) for value in _limits(width, signed, narrow)]
    for place, bound in enumerate((low, high)):
        if bound is not None:
            require(bound.size == 1 and bound.dtype == scale.dtype and not np.isnan(bound).any(), "no plain bound")
            limits[place] = int(min(max(np.round(bound.reshape(-1)[0] / s), limits[0]), limits[1]))
    found = quantizer_range(*limits)
    if found is None:
        raise NoMatch(f"{limits[0]}..{limits[1]} is the range of no quantizer")
    new = {**quant.attributes, "signed": int(found[1]), "narrow": int(found[2])}
    return Call(quant.op, (x, scale, zeropt, np.asarray(found[0], scale.dtype).reshape(bits.shape)), new, quant.domain)


def _limits(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    least, greatest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return (least + narrow, greatest) if signed else (least, greatest - narrow)


CLIPS: tuple[Rule, ...] = (clip_into_quant,)


class ConvertToQONNX(Transformation):
    """Bring the quantizers of all formats, also mixed ones, into the form of QONNX; the rest of the model stays.

    Raises StreamlineError with all reasons for what has no such form (quantizers whose parameters are computed at run
    time, float8, blocks, FloatQuant, operators that compute on the integers in an unknown way); the model is then as
    it was but for shapes. Run InferShapes before, or let this do it.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        _infer_shapes(model)
        with model.trusted_index():
            problems = refusals(model)
            if problems:
                from finn.transformation.streamline.report import StreamlineError  # late: streamlining reads formats

                raise StreamlineError(problems)
            idle, quantizing = idle_nodes(model), any(map(quantizes, model.graph.node))
            _use_standard_names(model)
            sums = integer_sums(model)
            if decompose(model):
                _keep_in_floats(model, sums)
                _infer_shapes(model)
            moved = hoist(model)
            remove_idle(model, idle)
            _name(model, moved)
            _pairs(model)
            _keep_in_floats(model, integer_tensors(model).kinds)
            remove_idle(model, idle)
            if quantizing:
                _forget(model, MICROSOFT)
        apply(model, CLIPS)
        return model, False


def _infer_shapes(model: ModelWrapper) -> None:
    """Where they can be inferred: foreign operators are no reason to give up."""
    if any(is_qdq(node) for node in model.graph.node):
        with suppress(FinnError):
            InferShapes().apply(model)


def _use_standard_names(model: ModelWrapper) -> None:
    """onnxruntime has operators of its own for types that old opsets lack; they compute the same."""
    for node in model.graph.node:
        if is_qdq(node):
            node.domain = ""


def _name(model: ModelWrapper, moved: Sequence[tuple[str, NodeProto]]) -> None:
    """The names of the nodes that these stand for, unless those are still there."""
    taken = {node.name for node in model.graph.node}
    for name, node in moved:
        if name not in taken:
            node.name = name
            taken.add(name)


def _pairs(model: ModelWrapper) -> None:
    """Quantizers of activations and of constants that consist of two nodes next to each other, or of one."""
    found: list[QuantForm | ExactForm] = []
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or is_custom_domain(node.domain):
            continue
        try:
            reading = read(model, node)
        except NoMatch:
            continue
        try:
            form = quant_form(model, reading)
        except NoMatch:
            form = None
        if form is not None and form.exact:
            found.append(form)
        else:
            shape = model.get_tensor_shape(node.output[0])
            found.append(ExactForm(reading, None if shape is None else len(shape)))
    replace_readings(model, found)


def _keep_in_floats(model: ModelWrapper, kinds: Mapping[str, int]) -> None:
    """These integers become float32 numbers, with the same names, annotated with their type. kinds : of the tensors."""
    for node in list(model.graph.node):
        if is_qdq(node) and not kinds.keys().isdisjoint((node.input[0], node.output[0])):
            _in_floats(model, node)
        elif node.op_type in ("Clip", "Pad") and node.input[0] in kinds:
            _float_operands(model, node)
    for name, kind in kinds.items():
        value = model.get_initializer(name)
        if value is not None:
            model.set_initializer(name, value.astype(np.float32))
        elif (info := model.get_tensor_valueinfo(name)) is not None:
            info.type.tensor_type.elem_type = TensorProto.FLOAT
        if kind in ELEM_TYPES:
            model.set_tensor_datatype(name, DataType[TensorProto.DataType.Name(kind)])


def _in_floats(model: ModelWrapper, node: NodeProto) -> None:
    shape = model.get_tensor_shape(node.input[0])
    linear = Linear.of(model, node, shape)
    if node.op_type == "QuantizeLinear":
        limits = range_of(quantized_type(model, node))
        steps: Sequence[Step] = quantize_steps(linear, limits, None if shape is None else len(shape))
    else:
        steps = dequantize_steps(linear)
    index = model.get_node_index(node) or 0
    x, output = node.input[0], node.output[0]
    parameters = list(node.input[1:])
    model.remove_node(node)
    insert_chain(model, index, x, steps, output)
    model.remove_tensors([n for n in parameters if n and model.has_initializer(n) and not model.find_consumers(n)])


def _float_operands(model: ModelWrapper, node: NodeProto) -> None:
    """The bounds of a Clip and the number that a Pad writes, as floats."""
    for position in (1, 2) if node.op_type == "Clip" else (2,):
        value: Any = constant_value(model, node.input[position]) if position < len(node.input) else None
        if value is not None:
            model.set_node_input(node, position, constant(model, f"{node.input[position]}_float", value))


def _forget(model: ModelWrapper, domain: str) -> None:
    """Import the domain no more, unless nodes need it."""
    if not any(node.domain == domain for node in model.graph.node):
        for entry in [entry for entry in model.model.opset_import if entry.domain == domain]:
            model.model.opset_import.remove(entry)
