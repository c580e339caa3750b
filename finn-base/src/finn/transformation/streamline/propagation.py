"""The forward pass: one value per tensor, one rule per op kind, diagnostics instead of a half-done graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.analysis.ranges import Range
from finn.core.datatype import BaseDataType
from finn.core.errors import ExecutionError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.numpy_ops import run_node
from finn.core.tidy import rename_captured
from finn.transformation.standard_ops import opset_of
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.moves import permuted, reshaped_origin, unpermuted
from finn.transformation.streamline.options import StreamlineOptions
from finn.transformation.streamline.pairs import quantized_pair
from finn.transformation.streamline.quantize import quantized, varying_axes
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.regrid import regridded
from finn.transformation.streamline.report import Diagnostic, Fate, Refused, StreamlineReport
from finn.transformation.streamline.tail import Requantized, Step
from finn.transformation.streamline.values import (
    Broken,
    Constant,
    Pending,
    QuantizedConstant,
    Scaled,
    Shape,
    Source,
    Value,
    compact,
    moved_range,
    reshaped,
    with_rank,
)

Array = npt.NDArray[Any]
LAYERS = frozenset({
    "BipolarQuant", "Conv", "ConvTranspose", "FloatQuant", "Gemm", "IntQuant", "MatMul", "MultiThreshold", "Quant",
    "Trunc",
})  # fmt: skip
"""Operators that may not stay on the host if the whole network is to be integer."""

MOST_THRESHOLDS = 1 << 20
"""Of one quantizer."""

Rule = Callable[["Propagation", NodeProto], Value]


class Silent(Exception):
    """The input of a rule is the output of a node that was refused already."""


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """The attributes as Python values; bytes become str, tensors become arrays."""
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    values = {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
    return {k: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for k, v in values.items()}


def title(node: NodeProto) -> str:
    """How messages call a node."""
    return f"{node.name or '->'.join(node.output[:1])} ({node.op_type})"


class Propagation:
    """The state of one pass over `model`, which is only read."""

    def __init__(
        self,
        model: ModelWrapper,
        options: StreamlineOptions | None = None,
        weights: Mapping[str, TensorProto] | None = None,
    ) -> None:
        """weights : constants that the model has as graph inputs."""
        self.model, self.options = model, options or StreamlineOptions()
        self.opset = opset_of(model)
        self.report = StreamlineReport()
        self.readers: dict[str, list[NodeProto]] = {}
        self.producers: dict[str, NodeProto] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
            for name in node.output:
                self.producers[name] = node
        self.graph = IntegerGraph(taken=_names(model))
        self.values: dict[str, Value] = {}
        self.emitted: dict[tuple[str, Shape | None], Scaled | Broken] = {}  # quantizers, by output and shape
        self.tensors: dict[str, tuple[Value, str]] = {}  # what `tensor` made of a value
        self.outer = {o.name for o in model.graph.output}
        self.initializers = {tensor.name: tensor for tensor in model.graph.initializer} | dict(weights or {})

    def run(self, rules: Mapping[str, Rule], default: Rule) -> None:
        """Apply the rule of each node in order. What is refused stays on the host, or becomes a fatal diagnostic."""
        for node in self.model.graph.node:
            result: Value = Broken()
            try:
                result = rules.get(node.op_type, default)(self, node)
                self.report.passes[f"{node.op_type} propagated"] += 1
            except Refused as refusal:
                result = self._refused(node, refusal)
            except Silent:
                pass
            if node.output:
                self.values[node.output[0]] = result
            for name in filter(None, node.output[1:]):
                self.values.setdefault(name, Broken())

    def _refused(self, node: NodeProto, refusal: Refused) -> Value:
        if refusal.fatal or (not self.options.partial and node.op_type in LAYERS):
            self.refuse(refusal, node)
            return Broken()
        try:
            return self.host(node, refusal.reason, refusal.remedy)
        except Silent:
            return Broken()
        except Refused as again:
            self.refuse(again, node)
            return Broken()

    def refuse(self, refusal: Refused, node: NodeProto | None = None) -> None:
        """Note a fatal diagnostic, at the node unless the refusal knows better."""
        where = refusal.node or (title(node) if node is not None else "")
        tensor = refusal.tensor or (node.output[0] if node is not None else "")
        self.report.diagnostics.append(Diagnostic(where, tensor, refusal.reason, refusal.remedy))

    # --- reading values ---

    def value(self, name: str) -> Value:
        """What is known of a tensor."""
        if name in self.values:
            return self.values[name]
        if name in self.initializers:
            return Constant(numpy_helper.to_array(self.initializers[name]), name)  # a view, not kept
        raise Refused(
            f"nothing computes its input {name!r}", "sort the graph, or run cleanup_model", tensor=name, fatal=True
        )

    def is_constant(self, name: str) -> bool:
        return isinstance(self.value(name), Constant | QuantizedConstant)

    def dynamic(self, node: NodeProto) -> list[int]:
        """The positions of the inputs that are computed."""
        return [i for i, name in enumerate(node.input) if name and not self.is_constant(name)]

    def constant(self, name: str, role: str) -> Array:
        """The array of a constant input. Refused unless it is constant and finite."""
        value = self.value(name)
        if isinstance(value, Broken):
            raise Silent
        if not isinstance(value, Constant | QuantizedConstant):
            raise Refused(f"its {role} is not constant", f"make the {role} an initializer", tensor=name)
        array = value.array
        if isinstance(value, Constant) and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused(
                f"its {role} contains NaN or Inf", "check the training and the export", tensor=name, fatal=True
            )
        return array

    def activation(self, name: str) -> Scaled:
        """The value of a tensor that is not constant; a pending quantizer is emitted."""
        value = self.value(name)
        if isinstance(value, Pending):
            value = self.values[name] = self._emit(value)
        if not isinstance(value, Scaled):
            raise Silent if isinstance(value, Broken) else Refused(f"its input {name!r} is constant", tensor=name)
        return value

    def scaled_integer(self, name: str) -> Scaled:
        """The activation as scale * q + bias. Refused if it is not."""
        x = self.activation(name)
        if x.source.culprit:
            remedy = x.source.cure or "put a quantizer behind it, or move it behind the last layer"
            raise Refused(x.source.culprit, remedy, tensor=name)
        if x.source.range is None:
            raise Refused(
                "its input is not quantized",
                "put a Quant node in front, or annotate the graph input with an integer datatype",
                tensor=name,
            )
        collapsed = x.collapsed() or regridded(self.graph, x, name)
        if collapsed is None:
            raise Refused(
                f"its input is not quantized: {x.operators} stands between the integers and this node",
                "put a quantizer behind the activation function",
                tensor=name,
            )
        for step in x.tail.steps:
            self.became(step.node, "folded", f"scale and bias of {name}", collapsed.source.name)
        if x.collapsed() is None:
            self.values[name] = collapsed
        return collapsed

    def run_on(self, node: NodeProto, arrays: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs of a standard operator on arrays, by input; other inputs are constants."""
        inputs = [None if not n else arrays[n] if n in arrays else self.constant(n, "parameter") for n in node.input]
        return run_node(node, inputs, self.opset)

    # --- emitting ---

    def became(self, node: NodeProto, kind: str, text: str, *tensors: str, reason: str = "", remedy: str = "") -> None:
        """Note what became of an original node."""
        self.report.nodes[title(node)] = Fate(kind, text, tensors, reason, remedy)

    def tensor(self, name: str) -> str:
        """The tensor of the new graph with the float value of `name`: Mul, Add, and the tail as it was."""
        value = self.value(name)
        if isinstance(value, Constant | QuantizedConstant):
            if name in self.outer:  # the name belongs to what the graph returns
                return self.graph.constant(f"{name}_value", value.array)
            return self.graph.original(name, value.array)
        x = self.activation(name)
        known, made = self.tensors.get(name, (None, ""))
        if known is x:
            return made
        out = self._dequantized(x, name)
        self.tensors[name] = (x, out)
        return out

    def _dequantized(self, x: Scaled, name: str) -> str:
        out, shape = x.source.name, x.source.shape
        if x.source.range is not None:
            for op_type, c, neutral in (("Mul", x.scale, 1.0), ("Add", x.bias, 0.0)):
                if (c != neutral).any():
                    c = c.reshape(-1)[0] if (c == c.reshape(-1)[0]).all() else c
                    role = "scale" if op_type == "Mul" else "bias"
                    constant = self.graph.constant(f"{name}_{role}", np.asarray(c, np.float32))
                    out = self.graph.node(op_type, [out, constant], f"{name}_{role}d", shape)
        values = [out]
        for step in x.tail.steps:
            values.append(self._step(step, values, shape))
            self._kept(step.node, x, values[-1])
        return values[-1]

    def _kept(self, node: NodeProto, x: Scaled, tensor: str) -> None:
        """A step of a tail is computed on floats."""
        if x.source.range is not None:
            self.became(node, "host", "kept on the host, behind the integers", tensor)
            return
        reason = x.source.culprit or "nothing in front of it is quantized"
        remedy = x.source.cure or "quantize in front of it"
        self.became(node, "host", "kept on the host", tensor, reason=reason, remedy=remedy)

    def _step(self, step: Step, values: Sequence[str], shape: Shape | None) -> str:
        if isinstance(step, Requantized):
            return self._quantizer_step(step, values, shape)
        make = self.graph.constant if step.reshaped else self.graph.original
        inputs = []
        for name, operand in zip(step.node.input, step.operands, strict=True):
            if operand is None:
                inputs.append("")
            elif isinstance(operand, int):
                inputs.append(values[operand])
            else:
                inputs.append(make(name, operand.astype(np.float32) if operand.dtype.kind == "f" else operand))
        if step.op_type == "BatchNormalization" and step.reshaped:
            return self._affine_step(step, values, shape)
        out = self.graph.copy(step.node, inputs)[0]
        if shape is not None:
            self.graph.shapes[out] = shape
            self.graph.kinds[out] = self.model.get_tensor_elem_type(step.node.output[0])
        return out

    def _quantizer_step(self, step: Requantized, values: Sequence[str], shape: Shape | None) -> str:
        if step.reshaped:
            raise Refused("its quantizer has one scale per channel, and its output is reshaped", "use one scale")
        inputs = [values[step.read[0]], *(self.tensor(n) for n in step.node.input[1:] if n)]
        out = self.graph.copy(step.node, inputs)[0]
        if shape is not None:
            self.graph.shapes[out] = shape
        return out

    def _affine_step(self, step: Step, values: Sequence[str], shape: Shape | None) -> str:
        a, b = step.affine([(1.0, 0.0)] * len(values)) or (1.0, 0.0)
        out = values[step.read[0]]
        for op_type, c in (("Mul", a), ("Add", b)):
            constant = self.graph.constant(f"{step.node.output[0]}_{op_type.lower()}", np.asarray(c, np.float32))
            out = self.graph.node(op_type, [out, constant], f"{step.node.output[0]}_{op_type}", shape)
        return out

    def host(self, node: NodeProto, reason: str, remedy: str = "") -> Value:
        """Keep the node as it is, on floats. Integers behind it begin with a quantizer, or not at all."""
        inner = [n for n in reads(node) if n not in node.input and (n in self.values or n in self.initializers)]
        dynamic = [self.activation(n) for n in (*node.input, *inner) if n and not self.is_constant(n)]
        culprit, cure = next(((x.source.culprit, x.source.cure) for x in dynamic if x.source.culprit), ("", ""))
        if not culprit and any(x.source.range is not None for x in dynamic):
            culprit, cure = f"{title(node)} in front of it cannot become integer: {reason}", remedy
        names = {n: self.tensor(n) for n in (*node.input, *inner) if n}
        outputs = self.graph.copy(node, [names[n] if n else "" for n in node.input])
        rename_captured(self.graph.nodes[-1], {n: names[n] for n in inner})
        for original, name in zip(node.output, outputs, strict=True):
            if original:
                shape = self.model.get_tensor_shape(original)
                known = None if shape is None else tuple(shape)
                if known is not None:
                    self.graph.shapes[name] = known
                    self.graph.kinds[name] = self.model.get_tensor_elem_type(original)
                self.values[original] = Scaled(Source(name, known, culprit=culprit, cure=cure))
        self.became(node, "host", "stays on the host", *filter(None, outputs), reason=reason, remedy=remedy)
        return self.values[node.output[0]]

    def moved(self, node: NodeProto, x: Scaled, position: int = 0) -> list[Scaled]:
        """Copy a node that moves elements of one activation; scale, bias and tail move alike."""
        old, outputs = x.source.dims, [o for o in node.output if o]
        shapes = [self.model.get_tensor_shape(o) for o in outputs]
        if any(s is None for s in shapes):
            raise Refused("the shape of its output is not known", "run shape inference (cleanup_model)")
        inputs = [x.source.name if i == position else n and self.tensor(n) for i, n in enumerate(node.input)]
        names = [n for n in self.graph.copy(node, inputs) if n]
        moves: dict[int, Sequence[Array]] = {}

        def move(c: Array, which: int) -> Array:
            if c.size == 1:
                return c.reshape(())
            if id(c) not in moves:
                full = np.ascontiguousarray(np.broadcast_to(c, old))
                try:
                    outputs = self.run_on(node, {node.input[position]: full})
                except ExecutionError as error:
                    remedy = "use one scale per tensor in front of it"
                    raise Refused("how it moves a scale that varies is not known", remedy) from error
                moves[id(c)] = [compact(o) for o in outputs if o.ndim or o.size]
                kept.append(c)
            return moves[id(c)][which]

        kept: list[Array] = []
        values = []
        for i, (name, shape) in enumerate(zip(names, shapes, strict=True)):
            self.graph.shapes[name] = tuple(shape or ())
            bounds = x.source.range and moved_range(x.source.range, lambda b, i=i: move(b, i))  # type: ignore[misc]
            if bounds is not None:
                self.graph.note(name, bounds, self.datatype(x.source))
            source = Source(name, tuple(shape or ()), bounds, culprit=x.source.culprit, cure=x.source.cure)
            values.append(x.moved(source, lambda c, i=i: move(c, i)))  # type: ignore[misc]
        return values

    def reshape(self, x: Scaled, shape: Shape) -> Scaled:
        """The same values in another shape: the Reshape is done on the integers (or the float input)."""
        ahead = reshaped_origin(self, x, shape)
        if ahead is not None:
            return ahead
        source, old = x.source, x.source.dims

        def move(c: Array) -> Array:
            return reshaped(c, old, shape)

        target = self.graph.constant("shape", np.array(shape, np.int64))
        name = self.graph.node("Reshape", [source.name, target], f"{source.name}_reshaped", shape)
        bounds = source.range and moved_range(source.range, move)
        if bounds is not None:
            self.graph.note(name, bounds, self.datatype(source))
        return x.moved(Source(name, shape, bounds, culprit=source.culprit, cure=source.cure), move)

    def datatype(self, source: Source) -> BaseDataType:
        """The annotation of an integer tensor of the new graph."""
        return self.graph.datatypes.get(source.name) or self.model.get_tensor_datatype(source.name)

    # --- quantizers ---

    def _emit(self, pending: Pending) -> Scaled | Broken:
        """The pending quantizer, computed once for all readers. If refused, go on as if it had worked."""
        name, shape = pending.node.output[0], pending.before.source.shape if pending.before else None
        if (name, shape) not in self.emitted:
            self.emitted[name, shape] = self._quantized_or_refused(pending)
        x = self.emitted[name, shape]
        return replace(x, tail=pending.tail) if isinstance(x, Scaled) else x

    def _quantized_or_refused(self, pending: Pending) -> Scaled | Broken:
        name, q, node = pending.node.output[0], pending.quantizer, pending.node
        try:
            self._require_few_bits(q)
            if pending.before is not None:
                return self.quantize(pending.before, q, node)
        except Refused as refusal:
            if self.options.partial and not refusal.fatal and pending.before is not None:
                return self.on_host(pending.before, q, node, refusal)
            self.refuse(refusal, node)
        except Silent:
            pass
        shape = self.model.get_tensor_shape(name)
        return Scaled(Source(name, tuple(shape), Range.of(q.datatype)), q.scale, q.bias) if shape else Broken()

    def quantize(self, x: Scaled, q: Quantizer, node: NodeProto) -> Scaled:
        """The quantizer on x, from the integers, or from the float input, that x is made of."""
        self._require_few_bits(q)
        moved = self._quantized_elsewhere(x, q, node)
        if moved is not None:
            return moved
        if x.source.culprit and not self.options.partial:
            raise Refused(x.source.culprit, x.source.cure or "move it behind the last layer")
        if not x.source.dims:
            raise Refused("it quantizes a scalar", "give the tensor an axis")
        y = quantized(self.graph, x, q, node.output[0])
        if y.what:
            self.became(node, "integer", f"{y.what} {y.source.name}", y.source.name)
        else:
            self.became(node, "dropped", f"nothing to do on {y.source.name}", y.source.name)
        for step in x.tail.steps:
            self.became(step.node, "folded", f"thresholds of {y.source.name}", y.source.name)
        return Scaled(y.source, compact(np.asarray(y.scale)), compact(np.asarray(y.bias)))

    def _quantized_elsewhere(self, x: Scaled, q: Quantizer, node: NodeProto) -> Scaled | None:
        """From the two tensors that x is the sum of, or of x with its elements in another order; None if not needed."""
        if x.source.pair is not None:
            source = quantized_pair(self.graph, x.source.pair, x, q, node.output[0])
            if source is not None:
                return self._from_pair(x, q, node, source)
        if x.source.name in self.graph.permuted and q.channels == 1:
            y = self.quantize(unpermuted(self, x), q, node)
            return permuted(self, y, self.graph.permuted[x.source.name][1])
        axes = varying_axes(x, q)
        if not axes or axes == [len(x.source.dims) - 1] or q.channels > 1:
            return None
        if len(axes) == 1:
            return self._quantize_along(x, q, node, axes[0])
        return self._quantize_flat(x, q, node, x.source.dims[0] if axes[0] > 0 else 1)

    def _from_pair(self, x: Scaled, q: Quantizer, node: NodeProto, source: Source) -> Scaled:
        added = x.source.pair.node
        self.became(added, "integer", f"{added.op_type} of multiples in front of {source.name}", source.name)
        for step in x.tail.steps:
            self.became(step.node, "folded", f"thresholds of {source.name}", source.name)
        self.became(node, "integer", f"MultiThreshold {source.name}", source.name)
        return Scaled(source, compact(np.asarray(q.scale)), compact(np.asarray(q.bias)))

    def _require_few_bits(self, q: Quantizer) -> None:
        most = self.options.max_multithreshold_bit_width
        if q.bits > most:
            raise Refused(
                f"it has {q.bits} output bits: {q.levels - 1} thresholds per channel",
                f"use at most {most} bits, or raise max_multithreshold_bit_width",
            )

    def _quantize_along(self, x: Scaled, q: Quantizer, node: NodeProto, axis: int) -> Scaled:
        """The quantizer on x with the channels on another axis than the last: between two Transposes."""
        rank = len(x.source.dims)
        perm = [a for a in range(rank) if a != axis] + [axis]

        def move(c: Array, moves: Sequence[int] = perm) -> Array:
            return compact(with_rank(c, rank).transpose(moves))

        inner = x.moved(self.graph.transpose(x.source, perm), move)
        constants = tuple(move(c) for c in q.constants)
        y = self.quantize(inner, replace(q, scale=move(q.scale), bias=move(q.bias), constants=constants), node)
        back = [int(a) for a in np.argsort(perm)]
        return y.moved(self.graph.transpose(y.source, back), lambda c: move(c, back))

    def _quantize_flat(self, x: Scaled, q: Quantizer, node: NodeProto, batch: int) -> Scaled:
        """The quantizer on x whose tail varies along several axes: every element has thresholds of its own."""
        shape = x.source.dims
        flat = (batch, int(np.prod(shape)) // batch)
        if flat[1] * len(q.codes) > MOST_THRESHOLDS:
            raise Refused(
                f"its input varies along several axes, so it needs {flat[1] * len(q.codes)} thresholds",
                "use one scale per tensor or channel in front of it",
            )

        def move(c: Array) -> Array:
            return reshaped(c, shape, flat)

        constants = tuple(move(c) for c in q.constants)
        inner = replace(q, scale=move(q.scale), bias=move(q.bias), constants=constants)
        return self.reshape(self.quantize(self.reshape(x, flat), inner, node), shape)

    def quantize_channels(self, x: Scaled, q: Quantizer, node: NodeProto, axis: int) -> Scaled:
        """A quantizer that itself distinguishes the channels on this axis."""
        return self.quantize(x, q, node) if axis == len(x.source.dims) - 1 else self._quantize_along(x, q, node, axis)

    def on_host(self, x: Scaled, q: Quantizer, node: NodeProto, refusal: Refused) -> Scaled:
        """The quantizer as a float operator, and its codes as integers."""
        name = node.output[0]
        self.values[f"{name} before"] = x
        inputs = [self.tensor(f"{name} before"), *(self.tensor(n) for n in node.input[1:] if n)]
        out = self.graph.copy(node, inputs)[0]
        shape = x.source.shape
        if shape is not None:
            self.graph.shapes[out] = shape
        for op_type, c, neutral in (("Sub", q.bias, 0.0), ("Div", q.scale, 1.0)):
            if (np.asarray(c) != neutral).any():
                constant = self.graph.constant(f"{name}_{op_type.lower()}", np.asarray(c, np.float32))
                out = self.graph.node(op_type, [out, constant], f"{name}_{op_type}", shape)
        # Quotients of floats: whole again
        out = self.graph.node("Round", [out], f"{name}_int", shape)
        bounds = Range(np.array(q.low), np.array(q.high))
        self.graph.datatypes[out] = q.datatype
        self.became(node, "host", "quantizes on the host", out, reason=refusal.reason, remedy=refusal.remedy)
        return Scaled(Source(out, shape, bounds), q.scale, q.bias)


def _names(model: ModelWrapper) -> set[str]:
    graph = model.graph
    tensors = {name for node in graph.node for name in (*node.input, *node.output)}
    return tensors.union(*({v.name for v in values} for values in (graph.input, graph.output, graph.initializer)))
