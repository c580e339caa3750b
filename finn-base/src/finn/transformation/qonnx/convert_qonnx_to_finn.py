"""Every quantizer in one canonical form, the FINN dialect.

activation quantizer    MultiThreshold with float32 thresholds, then Mul(scale), Add(bias) where they are not 1 and 0
weight quantizer        integer initializer, annotated, and Mul(scale) behind the MatMul
Gemm                    MatMul, then Mul(alpha), Add(beta * C) where there are any

The thresholds are found by evaluating the quantizer on float32 numbers, so that all rounding modes, ties and zero
points give the same results bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from finn.analysis.ranges import narrowest_weight_type
from finn.core.datatype import BaseDataType
from finn.core.domains import GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import QONNX_QUANTIZERS
from finn.transformation.base import Transformation
from finn.transformation.streamline.propagation import Propagation, attributes_of
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused, StreamlineError
from finn.transformation.streamline.rules import QUANTIZERS, quantized_constant
from finn.transformation.streamline.thresholds import float_thresholds
from finn.transformation.streamline.values import QuantizedConstant, column

Array = npt.NDArray[Any]
Filter = Callable[[ModelWrapper, NodeProto], bool]


def default_filter_function_generator(max_multithreshold_bit_width: int = 8) -> Filter:
    """Accepts the activation quantizers with at most so many bits; the others stay as they are."""

    def accept(model: ModelWrapper, node: NodeProto) -> bool:
        if node.op_type == "BipolarQuant":
            return True
        bits = model.get_initializer(node.input[3])
        return bits is not None and bool((bits <= max_multithreshold_bit_width).all())

    return accept


class ConvertQONNXtoFINN(Transformation):
    """Quant, IntQuant, BipolarQuant and Gemm to MultiThreshold, integer weights and MatMul.

    filter_function(model, node) : whether an activation quantizer is converted. By default those of at most
    max_multithreshold_bit_width bits are. Raises StreamlineError with all reasons if a quantizer cannot be converted
    (parameters that are not constant or not finite, scale <= 0); the model is then as it was.
    """

    def __init__(self, filter_function: Filter | None = None, max_multithreshold_bit_width: int = 8) -> None:
        super().__init__()
        self.filter_function = filter_function or default_filter_function_generator(max_multithreshold_bit_width)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        conversion = _Conversion(model, self.filter_function)
        conversion.run()
        conversion.commit()
        return model, False


class _Conversion:
    """The new nodes and initializers of one model, which is only read before `commit`."""

    def __init__(self, model: ModelWrapper, accept: Filter) -> None:
        self.model, self.accept = model, accept
        self.view = Propagation(model, max_bits=0)  # reads and checks constants
        self.view.report.diagnostics.clear()  # what the inputs look like does not matter here
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.datatypes: dict[str, BaseDataType] = {}
        self.shapes: dict[str, list[int]] = {}
        self.weights: dict[str, QuantizedConstant] = {}

    def run(self) -> None:
        for node in self.model.graph.node:
            try:
                self._convert(node)
            except Refused as refusal:
                self.view.refuse(refusal, node)
        if self.view.report.diagnostics:
            raise StreamlineError(self.view.report.diagnostics)

    def _convert(self, node: NodeProto) -> None:
        if node.op_type in QONNX_QUANTIZERS and self.model.get_initializer(node.input[0]) is not None:
            array = self.view.constant(node.input[0], "weight tensor")
            self.weights[node.output[0]] = quantized_constant(array, QUANTIZERS[node.op_type](self.view, node))
        elif node.op_type in QONNX_QUANTIZERS and self.accept(self.model, node):
            self._activation(node, QUANTIZERS[node.op_type](self.view, node))
        elif node.op_type == "Transpose" and node.input[0] in self.weights:
            w, perm = self.weights[node.input[0]], attributes_of(node).get("perm")
            self.weights[node.output[0]] = QuantizedConstant(w.integers.transpose(perm), w.scale.transpose(perm))
        elif node.op_type == "Gemm" and not attributes_of(node).get("transA", 0):
            self._gemm(node)
        elif node.op_type == "MatMul":
            self._matmul(node.input[0], node.input[1], node.output[0])
        else:
            self._keep(node)

    def _keep(self, node: NodeProto) -> None:
        """The node as it is; quantized constants that it reads become float initializers."""
        for name in node.input:
            if name in self.weights:
                self.constants[name] = self.weights[name].array.astype(np.float32)
        kept = NodeProto()
        kept.CopyFrom(node)
        if node.op_type in QUANTIZERS and node.op_type != "Sign":
            kept.domain = GENERAL
        self.nodes.append(kept)

    def _constant(self, name: str, array: Array, datatype: BaseDataType | None = None) -> str:
        name = self.view.graph.fresh(name)
        self.constants[name] = np.asarray(array, np.float32)
        if datatype is not None:
            self.datatypes[name] = datatype
        return name

    def _chain(self, x: str, steps: Iterable[tuple[str, str, dict[str, Any]]], output: str) -> None:
        """The nodes op(x, operand) one behind the other; the last one computes `output`."""
        steps = list(steps)
        shape = self.model.get_tensor_shape(output)
        for i, (op_type, operand, attributes) in enumerate(steps):
            y = output if i == len(steps) - 1 else self.view.graph.fresh(f"{output}_{op_type.lower()}")
            domain = GENERAL if op_type == "MultiThreshold" else ""
            self.nodes.append(helper.make_node(op_type, [x, operand], [y], domain=domain, **attributes))
            if shape is not None:
                self.shapes[y] = list(shape)
            x = y

    def _affine(self, output: str, scale: Array, bias: Array) -> list[tuple[str, str, dict[str, Any]]]:
        """Mul(scale) and Add(bias), where they do something."""
        steps: list[tuple[str, str, dict[str, Any]]] = []
        if (scale != 1).any():
            steps.append(("Mul", self._constant(f"{output}_scale", scale), {}))
        if (bias != 0).any():
            steps.append(("Add", self._constant(f"{output}_bias", bias), {}))
        return steps

    def _activation(self, node: NodeProto, q: Quantizer) -> None:
        output = node.output[0]
        constants = [column(c, np.float32) for c in q.constants]
        channels = max([len(c) for c in constants], default=1)
        shape = self.model.get_tensor_shape(node.input[0])
        for c in q.constants if channels > 1 else ():
            if shape is None:
                raise Refused("the shape of its input is not known", "run cleanup_model first")
            full = (1,) * (len(shape) - c.ndim) + c.shape
            if c.size > 1 and (len(full) < 2 or full[1] != c.size):
                raise Refused(f"its scale of shape {c.shape} does not vary along axis 1 of {tuple(shape)}")
        thresholds = float_thresholds(lambda x: q.code_of(x, *constants), channels, q.codes)
        attributes = {"out_dtype": q.datatype.name, "out_scale": float(q.step), "out_bias": float(q.low)}
        first = ("MultiThreshold", self._constant(f"{output}_thresholds", thresholds), attributes)
        steps = [first, *self._affine(output, q.scale, q.bias)]
        start = len(self.nodes)
        self._chain(node.input[0], steps, output)
        self.datatypes[self.nodes[start].output[0]] = q.datatype

    def _weights_of(self, w: str) -> tuple[str, Array, Array]:
        """(initializer (MW, MH), scale of its rows, of its columns) of quantized weights."""
        integers, scale = self.weights[w].integers, self.weights[w].scale
        if integers.ndim != 2 or min(scale.shape) > 1:
            raise Refused(
                f"the scale of its weights has shape {scale.shape}", "use one scale, or one per output", tensor=w
            )
        name = self._constant(f"{w}_int", integers, narrowest_weight_type(integers))
        one = np.ones(())
        rows = scale[:, 0] if len(scale) > 1 else one
        return name, rows, one if len(scale) > 1 else scale[0] if scale.size > 1 else scale[0, 0]

    def _matmul(self, x: str, w: str, output: str, more: Iterable[tuple[str, str, dict[str, Any]]] = ()) -> None:
        """x @ w as [Mul(row scale)], MatMul, [Mul(column scale)], and then `more`."""
        before: list[tuple[str, str, dict[str, Any]]] = []
        after = list(more)
        if w in self.weights:
            w, rows, columns = self._weights_of(w)
            before, after = self._affine(f"{output}_rows", rows, np.zeros(())), [
                *self._affine(output, columns, np.zeros(())), *after,
            ]  # fmt: skip
        if before:
            scaled = self.view.graph.fresh(f"{x}_scaled")
            self.nodes.append(helper.make_node("Mul", [x, before[0][1]], [scaled]))
            x = scaled
        self._chain(x, [("MatMul", w, {}), *after], output)

    def _gemm(self, node: NodeProto) -> None:
        attributes, (x, w, *bias) = attributes_of(node), node.input
        if attributes.get("transB", 0):
            if w in self.weights:
                value = self.weights[w]
                transposed = self.view.graph.fresh(f"{w}_transposed")
                self.weights[transposed] = QuantizedConstant(value.integers.T, value.scale.T)
            else:
                transposed = self._constant(f"{w}_transposed", self.view.constant(w, "weight tensor").T)
            w = transposed
        more = []
        if attributes.get("alpha", 1.0) != 1.0:
            more += self._affine(node.output[0], np.array(attributes["alpha"]), np.zeros(()))
        if bias and bias[0]:
            beta = attributes.get("beta", 1.0)
            name = bias[0]
            if name in self.weights:
                name = self._constant(f"{name}_float", self.weights[name].array * beta)
            elif beta != 1.0:
                name = self._constant(f"{name}_times_beta", self.view.constant(name, "bias") * np.float32(beta))
            more.append(("Add", name, {}))
        self._matmul(x, w, node.output[0], more)

    def commit(self) -> None:
        model = self.model
        needed = {name for node in self.nodes for name in node.input}
        del model.graph.node[:]
        model.graph.node.extend(self.nodes)
        for name in sorted(needed & self.constants.keys()):
            model.set_initializer(name, self.constants[name])
        for name, shape in self.shapes.items():
            model.set_tensor_shape(name, shape)
        for name, datatype in self.datatypes.items():
            if name in needed or name in self.shapes:
                model.set_tensor_datatype(name, datatype)
        if GENERAL not in {o.domain for o in model.model.opset_import}:
            model.model.opset_import.add(domain=GENERAL, version=1)
        unused = {t.name for t in model.graph.initializer} - needed - {o.name for o in model.graph.output}
        for i in reversed(range(len(model.graph.initializer))):
            if model.graph.initializer[i].name in unused:
                del model.graph.initializer[i]
        for i in reversed(range(len(model.graph.input))):
            if model.graph.input[i].name in unused:
                del model.graph.input[i]
