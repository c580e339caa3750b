"""Integer operators as floating-point operators between DequantizeLinear and QuantizeLinear.

    QLinearConv(x, w, b)  ==  QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w), DequantizeLinear(b)))

and the others alike. Operators of ONNX: https://onnx.ai/onnx/operators/; those of com.microsoft, which onnxruntime's
static quantizer writes: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation._qdq import ADDS_FIRST, constant_value, scale_and_zero_point, zero_point_of
from finn.transformation.qonnx._chains import constant, shape_like
from finn.transformation.rewrite import require
from finn.transformation.standard_ops import opset_of

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Part:
    """Where the node has a quantized tensor, its scale and its zero point. axis : along which a scale may vary."""

    x: int
    scale: int
    zeropt: int
    axis: int | None = None


@dataclass(frozen=True)
class QOperator:
    """op_type(dequantized parts), quantized with the parameters `out`.

    out : scale and zero point (its `x` means nothing). bias : position of integers whose scale is the product of the
    others, times alpha. dropped : attributes that the floating-point operator does not have. adds_first : its kernel
    adds the zero point before it rounds, as Quant does.
    """

    op_type: str
    inputs: tuple[Part, ...]
    out: Part
    plain: tuple[int, ...] = ()
    bias: int | None = None
    dropped: tuple[str, ...] = ()
    optional_out: bool = False
    variadic: bool = False
    adds_first: bool = False

    def parts(self, node: NodeProto) -> tuple[Part, ...]:
        """Its quantized inputs, without the bias."""
        if self.variadic:
            return tuple(Part(i, i + 1, i + 2) for i in range(2, len(node.input), 3))
        if node.op_type == "QGemm":  # the axis of the columns depends on how B is stored
            a, b = self.inputs
            return a, Part(b.x, b.scale, b.zeropt, 0 if _attributes(node).get("transB", 0) else 1)
        return self.inputs

    def result(self, node: NodeProto) -> Part | None:
        """The parameters of its output; None if that is float."""
        return self.out if len(node.input) > self.out.scale and node.input[self.out.scale] else None


def _unary(op_type: str, *dropped: str, adds_first: bool = False) -> QOperator:
    return QOperator(op_type, (Part(0, 1, 2),), Part(-1, 3, 4), dropped=dropped, adds_first=adds_first)


def _binary(op_type: str) -> QOperator:
    return QOperator(op_type, (Part(0, 1, 2), Part(3, 4, 5)), Part(-1, 6, 7), adds_first=True)


QOPERATORS: Mapping[tuple[str, str], QOperator] = {
    ("", "QLinearConv"): QOperator("Conv", (Part(0, 1, 2), Part(3, 4, 5, 0)), Part(-1, 6, 7), bias=8),
    ("", "QLinearMatMul"): QOperator("MatMul", (Part(0, 1, 2, -2), Part(3, 4, 5, -1)), Part(-1, 6, 7)),
    (MICROSOFT, "QGemm"): QOperator("Gemm", (Part(0, 1, 2), Part(3, 4, 5)), Part(-1, 7, 8), bias=6, optional_out=True),
    (MICROSOFT, "QLinearAdd"): _binary("Add"),
    (MICROSOFT, "QLinearMul"): _binary("Mul"),
    (MICROSOFT, "QLinearConcat"): QOperator("Concat", (), Part(-1, 0, 1), variadic=True),
    (MICROSOFT, "QLinearGlobalAveragePool"): _unary("GlobalAveragePool", "channels_last"),
    (MICROSOFT, "QLinearAveragePool"): _unary("AveragePool", "channels_last", adds_first=True),
    (MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (MICROSOFT, "QLinearSoftmax"): _unary("Softmax", "opset"),
    (MICROSOFT, "QLinearWhere"): QOperator("Where", (Part(1, 2, 3), Part(4, 5, 6)), Part(-1, 7, 8), plain=(0,)),
}
"""By domain and op type."""

SUMS: Mapping[str, str] = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
"""Operators of ONNX that give int32 sums, and what they are without zero points."""


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _name(node: NodeProto, position: int) -> str:
    return node.input[position] if position < len(node.input) else ""


def check(model: ModelWrapper, node: NodeProto) -> None:
    """NoMatch if a quantizing operator of the tables cannot be expressed by floating-point ones."""
    if not node.domain and node.op_type in SUMS:
        for position in (2, 3):
            if name := _name(node, position):
                require(zero_point_of(model, name).size == 1, "its zero points vary")
        return
    form, attributes = QOPERATORS[node.domain, node.op_type], _attributes(node)
    require(not attributes.get("channels_last"), "its channels are last, though ONNX has them on axis 1")
    old = attributes.get("opset", 13) < 13 and node.op_type == "QLinearSoftmax"
    require(not old or opset_of(model) < 13 or attributes.get("axis", 1) == -1, "its softmax is that of opset 12")
    out = form.result(node)
    require(out is not None or form.optional_out, "it has no output scale")
    for part in (*form.parts(node), *([out] if out else [])):
        scale, _ = scale_and_zero_point(model, _name(node, part.scale), _name(node, part.zeropt))
        require(scale.ndim <= 1, "its scale has more than one axis")
        along = part.axis is not None and constant_value(model, _name(node, part.x)) is not None
        require(scale.size == 1 or along, f"the scale of its input {part.x} varies, and it is no constant")


def decompose(model: ModelWrapper) -> bool:
    """Replace all operators of the tables, which are known to pass `check`. Returns whether there were any."""
    found = [n for n in model.graph.node if (n.domain, n.op_type) in QOPERATORS or (not n.domain and n.op_type in SUMS)]
    for node in found:
        _Decomposition(model, node).run()
    return bool(found)


class _Decomposition:
    """What takes the place of one node."""

    def __init__(self, model: ModelWrapper, node: NodeProto) -> None:
        self.model, self.node, self.new = model, node, list[NodeProto]()

    def run(self) -> None:
        integers = not self.node.domain and self.node.op_type in SUMS
        self._sum() if integers else self._operator(QOPERATORS[self.node.domain, self.node.op_type])
        index = self.model.get_node_index(self.node) or 0
        self.model.remove_node(self.node)
        for offset, node in enumerate(self.new):
            self.model.insert_node(index + offset, node)
        unread = [n for n in dict.fromkeys(self.node.input) if n and not self.model.find_consumers(n)]
        self.model.remove_tensors([n for n in unread if self.model.has_initializer(n)])

    def _sum(self) -> None:
        """The same sums, of float32 numbers that hold the integers."""
        one = constant(self.model, f"{self.node.output[0]}_one", np.ones(()))
        x, w = (self._dequantized(p, one, _name(self.node, 2 + p), None) for p in (0, 1))
        self._float(SUMS[self.node.op_type], [x, w], self.node.output[0], ())

    def _operator(self, form: QOperator) -> None:
        node, out = self.node, form.result(self.node)
        inputs = [node.input[i] for i in form.plain]
        for p in form.parts(node):
            inputs.append(self._dequantized(p.x, _name(node, p.scale), _name(node, p.zeropt), p.axis))
        if form.bias is not None and _name(node, form.bias):
            inputs.append(self._dequantized(form.bias, self._bias_scale(form), "", -1))
        if out is None:
            self._float(form.op_type, inputs, node.output[0], form.dropped)
            return
        result = self.model.unique_tensor_name(f"{node.output[0]}_float")
        shape_like(self.model, result, node.output[0])
        self._float(form.op_type, inputs, result, form.dropped)
        parameters = [n for n in (_name(node, out.scale), _name(node, out.zeropt)) if n]
        quantize = helper.make_node("QuantizeLinear", [result, *parameters], [node.output[0]])
        if form.adds_first:
            quantize.attribute.append(helper.make_attribute(ADDS_FIRST, 1))
        self.new.append(quantize)

    def _bias_scale(self, form: QOperator) -> str:
        scales = (constant_value(self.model, _name(self.node, p.scale)) for p in form.inputs)
        a, b = (np.asarray(s, np.float32) for s in scales)
        alpha = np.float32(_attributes(self.node).get("alpha", 1.0))
        product = (a.reshape(-1)[0] * b * alpha).astype(np.float32)
        return constant(self.model, f"{_name(self.node, form.bias or 0)}_scale", product)

    def _dequantized(self, position: int, scale: str, zeropt: str, axis: int | None) -> str:
        x = _name(self.node, position)
        y = self.model.unique_tensor_name(f"{x}_dequantized")
        shape_like(self.model, y, x)
        dequantize = helper.make_node("DequantizeLinear", [x, scale, *([zeropt] if zeropt else [])], [y])
        if axis is not None:
            dequantize.attribute.append(helper.make_attribute("axis", axis))
        self.new.append(dequantize)
        return y

    def _float(self, op_type: str, inputs: list[str], output: str, dropped: tuple[str, ...]) -> None:
        node = helper.make_node(op_type, inputs, [output], self.node.name)
        kept = [a for a in self.node.attribute if a.name not in dropped]
        if op_type == "Gemm":
            kept = [a for a in kept if a.name in ("alpha", "transA", "transB")]
        node.attribute.extend(kept)
        self.new.append(node)
