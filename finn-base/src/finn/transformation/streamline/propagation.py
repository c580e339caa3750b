"""The forward pass: one value per tensor, one rule per op kind, diagnostics instead of a half-done graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from finn.analysis.ranges import Range
from finn.core.datatype import BaseDataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Diagnostic, Fate, Refused, StreamlineReport, TensorFact
from finn.transformation.streamline.thresholds import directions, float_thresholds, level, search
from finn.transformation.streamline.values import (
    Broken,
    Constant,
    Pending,
    QuantizedConstant,
    Scaled,
    Shape,
    Source,
    Value,
    column,
    reshaped,
    steps_reshaped,
)

Array = npt.NDArray[Any]


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

    def __init__(self, model: ModelWrapper, max_bits: int) -> None:
        self.model, self.max_bits = model, max_bits
        self.report = StreamlineReport()
        self.readers: dict[str, list[NodeProto]] = {}
        self.producers: dict[str, NodeProto] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
            for name in node.output:
                self.producers[name] = node
        self.graph = IntegerGraph(taken=_names(model.graph))
        self.values: dict[str, Value] = {}
        self.emitted: dict[tuple[str, Shape | None], Scaled | Broken] = {}  # quantizers, by output and shape
        for tensor in model.graph.initializer:
            self.values[tensor.name] = Constant(numpy_helper.to_array(tensor), tensor.name)
        for graph_input in model.graph.input:
            if graph_input.name not in self.values:
                self.values[graph_input.name] = self._input(graph_input.name, graph_input.type.tensor_type)

    def run(self, rules: Mapping[str, Callable[[Propagation, NodeProto], Value]], default: Any) -> None:
        """Apply the rule of each node in order. What is refused becomes a diagnostic."""
        for node in self.model.graph.node:
            result: Value = Broken()
            try:
                result = rules.get(node.op_type, default)(self, node)
            except Refused as refusal:
                self.refuse(refusal, node)
            except Silent:
                pass
            self.values[node.output[0]] = result
            for name in node.output[1:]:
                self.values.setdefault(name, Broken())

    def refuse(self, refusal: Refused, node: NodeProto | None = None) -> None:
        """Note a diagnostic, at the node unless the refusal knows better."""
        where = refusal.node or (title(node) if node is not None else "")
        tensor = refusal.tensor or (node.output[0] if node is not None else "")
        self.report.diagnostics.append(Diagnostic(where, tensor, refusal.reason, refusal.remedy))

    # --- reading values ---

    def value(self, name: str) -> Value:
        """What is known of a tensor."""
        if name not in self.values:
            raise Refused(f"nothing computes its input {name!r}", "sort the graph, or run cleanup_model", tensor=name)
        return self.values[name]

    def is_constant(self, name: str) -> bool:
        return isinstance(self.value(name), Constant | QuantizedConstant)

    def constant(self, name: str, role: str) -> Array:
        """The array of a constant input. Refused unless it is constant and finite."""
        value = self.value(name)
        if isinstance(value, Broken):
            raise Silent
        if not isinstance(value, Constant | QuantizedConstant):
            raise Refused(f"its {role} is not constant", f"make the {role} an initializer", tensor=name)
        if value.array.dtype.kind == "f" and not np.isfinite(value.array).all():
            raise Refused(f"its {role} contains NaN or Inf", "check the training and the export", tensor=name)
        return value.array

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
            raise Refused(x.source.culprit, "put a quantizer behind it, or move it behind the last layer", tensor=name)
        if x.source.range is None:
            raise Refused(
                "its input is not quantized",
                "put a Quant node in front, or annotate the graph input with an integer datatype",
                tensor=name,
            )
        collapsed = x.collapsed()
        if collapsed is None:
            raise Refused(
                f"its input is not quantized: {x.operators} stands between the integers and this node",
                "put a quantizer behind the activation function",
                tensor=name,
            )
        for step in x.tail:
            self.became(step.node, f"scale and bias of {name}")
        return collapsed

    # --- emitting ---

    def became(self, node: NodeProto, fate: str) -> None:
        """Note what became of an original node."""
        self.report.nodes[title(node)] = Fate("integer", fate)

    def tensor(self, name: str) -> str:
        """The tensor of the new graph with the float value of `name`: Mul, Add, and the tail as it was."""
        value = self.value(name)
        if isinstance(value, Constant | QuantizedConstant):
            return self.graph.original(name, value.array)
        x = self.activation(name)
        out, shape = x.source.name, x.source.shape
        if x.source.range is not None:
            for op_type, c, neutral in (("Mul", x.scale, 1.0), ("Add", x.bias, 0.0)):
                if (c != neutral).any():
                    c = c.reshape(-1)[0] if (c == c.reshape(-1)[0]).all() else c
                    role = "scale" if op_type == "Mul" else "bias"
                    constant = self.graph.constant(f"{name}_{role}", np.asarray(c, np.float32))
                    out = self.graph.node(op_type, [out, constant], f"{name}_{role}d", shape)
        for step in x.tail:
            names = self._constants_of(step.node, step.data, step.constants, step.reshaped)
            inputs = [out if i == step.data else names[i] for i in range(len(step.node.input))]
            out = self.graph.copy(step.node, inputs)[0]
            if shape is not None:
                self.graph.shapes[out] = shape
            self.became(step.node, "kept on the host, behind the integers" if x.source.range else "kept on the host")
        return out

    def _constants_of(
        self, node: NodeProto, data: int, constants: tuple[Array | None, ...], changed: bool
    ) -> dict[int, str]:
        others = [i for i in range(len(node.input)) if i != data]
        names = {}
        for i, c in zip(others, constants, strict=True):
            make = self.graph.constant if changed else self.graph.original
            names[i] = "" if c is None else make(node.input[i], c.astype(np.float32))
        return names

    def host(self, node: NodeProto, reason: str) -> Value:
        """Keep the node as it is, on floats. Integers may not follow behind it, unless none went in."""
        dynamic = [self.activation(n) for n in node.input if n and not self.is_constant(n)]
        culprit = next((x.source.culprit for x in dynamic if x.source.culprit), "")
        if not culprit and any(x.source.range is not None for x in dynamic):
            culprit = f"{title(node)} in front of it cannot become integer: {reason}"
        outputs = self.graph.copy(node, [self.tensor(n) if n else "" for n in node.input])
        for original, name in zip(node.output, outputs, strict=True):
            shape = self.model.get_tensor_shape(original)
            self.values[original] = Scaled(Source(name, None if shape is None else tuple(shape), culprit=culprit))
        self.became(node, f"stays on the host: {reason}")
        return self.values[node.output[0]]

    def reshape(self, x: Scaled, shape: Shape) -> Scaled:
        """The same values in another shape: the Reshape is done on the integers (or the float input)."""
        source, old = x.source, x.source.shape
        if old is None:
            raise Refused("the shape of its input is not known", "run shape inference (cleanup_model)")
        tail = steps_reshaped(x.tail, old, shape)

        def move(c: Array) -> Array:
            return reshaped(c, old, shape)

        target = self.graph.constant("shape", np.array(shape, np.int64))
        name = self.graph.node("Reshape", [source.name, target], f"{source.name}_reshaped", shape)
        if source.name in self.graph.integer_nodes:
            self.graph.integer_nodes.add(name)
        if source.range is not None:
            self.graph.datatypes[name] = self.datatype(source)
        moved = Source(name, shape, source.range and source.range.map(move), culprit=source.culprit)
        return Scaled(moved, move(x.scale), move(x.bias), tail)

    def datatype(self, source: Source) -> BaseDataType:
        """The annotation of an integer tensor of the new graph."""
        return self.graph.datatypes.get(source.name) or self.model.get_tensor_datatype(source.name)

    def _emit(self, pending: Pending) -> Scaled | Broken:
        """The pending quantizer as a MultiThreshold, one for all readers. If refused, go on as if it had worked."""
        name, shape = pending.node.output[0], pending.before.source.shape if pending.before else None
        if (name, shape) not in self.emitted:
            self.emitted[name, shape] = self._quantized_or_refused(pending)
        x = self.emitted[name, shape]
        return replace(x, tail=pending.tail) if isinstance(x, Scaled) else x

    def _quantized_or_refused(self, pending: Pending) -> Scaled | Broken:
        name, q = pending.node.output[0], pending.quantizer
        try:
            if pending.before is not None:
                return self.quantize(pending.before, q, pending.node)
        except Refused as refusal:
            self.refuse(refusal, pending.node)
        except Silent:
            pass
        shape = self.model.get_tensor_shape(name)
        return Scaled(Source(name, tuple(shape), Range.of(q.datatype)), q.scale, q.bias) if shape else Broken()

    def quantize(self, x: Scaled, quantizer: Quantizer, node: NodeProto) -> Scaled:
        """The quantizer on x as a MultiThreshold on the integers, or on the float input, that x is made of."""
        if x.source.culprit:
            raise Refused(x.source.culprit, "quantize in front of it, or move it behind the last layer")
        name, channels = node.output[0], _channels(x, quantizer)
        if x.source.range is None:
            quantizer, thresholds = _of_floats(x, quantizer, channels)
            bounds = Range.of(quantizer.datatype)
        else:
            x, quantizer, low, high = self._rising(x, quantizer, x.source.range, channels)
            offset = _offset(x, quantizer, low, high)
            if offset is not None:
                self.became(node, f"nothing to do on {x.source.name}")
                return Scaled(x.source, quantizer.scale, quantizer.bias + quantizer.scale * offset)
            thresholds = search(lambda q: level(x, quantizer, q), low, high, quantizer.codes)
            bounds = Range(*(level(x, quantizer, column(b))[:, 0] for b in (low, high)))
            if quantizer.three_way_sign and (thresholds[:, 0] == thresholds[:, 1]).all():  # 0 never occurs
                quantizer, thresholds = replace(quantizer, step=2), thresholds[:, :1]
        out = self.graph.multithreshold(
            x.source, thresholds, f"{name}_int", quantizer.datatype, quantizer.step, quantizer.low
        )
        self.became(node, f"MultiThreshold {out}")
        for step in x.tail:
            self.became(step.node, f"thresholds of {out}")
        if len({*zip(bounds.low.ravel().tolist(), bounds.high.ravel().tolist(), strict=True)}) == 1:
            bounds = bounds.map(lambda b: b.reshape(-1)[0])
        return Scaled(Source(out, x.source.shape, bounds), quantizer.scale, quantizer.bias)

    def _rising(
        self, x: Scaled, quantizer: Quantizer, bounds: Range, channels: int
    ) -> tuple[Scaled, Quantizer, Array, Array]:
        """The same with levels that rise in every channel, and the bounds of its integers."""
        low, high = (np.broadcast_to(b, channels) for b in (bounds.low, bounds.high))
        falls = np.broadcast_to(directions(x, quantizer, low, high) < 0, channels)
        if not falls.any() or x.source.product is None:
            return x, _complemented(quantizer, falls), low, high
        return self._negated(x, falls), quantizer, np.where(falls, -high, low), np.where(falls, -low, high)

    def _negated(self, x: Scaled, columns: npt.NDArray[np.bool_]) -> Scaled:
        """The same x, from a product with these columns of weights negated."""
        product = x.source.product
        if product is None:
            return x
        signs = np.where(np.broadcast_to(columns, product.weights.shape[1:]), -1, 1)
        source = self.graph.matmul(product.x, product.bounds, product.weights * signs, product.name)
        return replace(x, source=source, scale=x.scale * signs)

    # --- the ends ---

    def _input(self, name: str, tensor_type: Any) -> Value:
        """A graph input: integer if its datatype says so, else float."""
        dims = list(tensor_type.shape.dim)
        shape = [d.dim_value if d.HasField("dim_value") else None for d in dims]
        if shape[:1] == [None]:
            note = "the batch size is dynamic; it was set to 1"
            self.report.diagnostics.append(Diagnostic("", name, note, fatal=False))
            shape[0] = 1
        known = tuple(d for d in shape if d is not None)
        datatype = self.model.get_tensor_datatype(name)
        if not tensor_type.HasField("shape") or len(known) < len(shape):
            self.refuse(Refused("the shape of the graph input is not static", "export with a fixed shape", tensor=name))
        elif 0 in known:
            self.refuse(
                Refused(f"the graph input has shape {known}, with no elements", "export a real shape", tensor=name)
            )
        else:
            self.graph.shapes[name] = known
            return Scaled(Source(name, known, Range.of(datatype) if datatype.is_integer() else None))
        return Broken()

    def finish(self) -> None:
        """Connect the graph outputs."""
        for output in self.model.graph.output:
            try:
                self.graph.export(self.tensor(output.name), output.name)
            except Silent:
                continue
            except Refused as refusal:
                self.refuse(refusal)
        self._facts()

    def _facts(self) -> None:
        for name, value in self.values.items():
            x = value.collapsed() if isinstance(value, Scaled) else None
            if x is not None and x.source.range is not None:
                low, high = x.source.range.low, x.source.range.high
                integers = self.graph.renamed.get(x.source.name, x.source.name)
                fact = TensorFact(integers, x.scale, x.bias, low, high, self.datatype(x.source))
                self.report.tensors[name] = fact


def _names(graph: GraphProto) -> set[str]:
    tensors = {name for node in graph.node for name in (*node.input, *node.output)}
    return tensors.union(*({v.name for v in values} for values in (graph.input, graph.output, graph.initializer)))


def _channels(x: Scaled, quantizer: Quantizer) -> int:
    """1, or the last dimension if the tail or the quantizer varies along it. Refused if they vary elsewhere."""
    last = x.source.shape[-1] if x.source.shape else 1
    sizes = {quantizer.channels}
    for c in (*x.arrays, quantizer.scale, quantizer.bias, *quantizer.constants):
        sizes.add(c.size)
        if c.size > 1 and (c.shape[-1] != c.size or c.size != last):
            raise Refused(
                f"a constant of shape {c.shape} varies along an axis of {x.source.shape} that is not the last",
                "use one parameter per tensor, or per channel with the channels last",
            )
    return max(sizes)


def _of_floats(x: Scaled, quantizer: Quantizer, channels: int) -> tuple[Quantizer, Array]:
    """The quantizer, complemented where x falls, and its float32 thresholds."""
    slopes = x.slopes()
    if slopes is None:
        raise Refused(f"{x.operators} on the float input is not known to be monotonic", "quantize the input first")
    rising = _complemented(quantizer, slopes.reshape(-1) < 0)
    return rising, float_thresholds(lambda v: level(x, rising, v), channels, rising.codes)


def _offset(x: Scaled, quantizer: Quantizer, low: Array, high: Array) -> int | None:
    """d, if the quantizer only adds d to integers that are quantized already; else None."""
    span = int(high.max() - low.min()) + 1
    if x.source.product is not None or span > 1024 or quantizer.step != 1:
        return None
    q = int(low.min()) + np.arange(span).reshape(1, -1)
    added = np.unique(level(x, quantizer, q) - q)
    return int(added[0]) if added.size == 1 else None


def _complemented(quantizer: Quantizer, falls: npt.NDArray[np.bool_]) -> Quantizer:
    """The same quantizer with codes counted from the other end where x falls, so that every channel rises."""
    if not falls.any():
        return quantizer
    flips = falls.reshape(()) if falls.size == 1 else falls
    ends, code_of = quantizer.low + quantizer.high, quantizer.code_of
    return replace(
        quantizer,
        scale=np.where(flips, -quantizer.scale, quantizer.scale),
        bias=quantizer.bias + np.where(flips, quantizer.scale * ends, 0.0),
        code_of=lambda x, *c: np.where(column(falls), ends - code_of(x, *c), code_of(x, *c)),
    )
