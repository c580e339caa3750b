"""One rule per op kind: what becomes of the scaled integers that enter it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx.reference
from onnx import NodeProto, OperatorSetIdProto, helper

from finn.analysis.ranges import IntArray
from finn.transformation.streamline.propagation import Propagation, Silent, attributes_of
from finn.transformation.streamline.quantizers import Quantizer, bipolar_quant, multithreshold, quant, sign
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import ELEMENTWISE, Step
from finn.transformation.streamline.thresholds import ENUMERABLE
from finn.transformation.streamline.values import (
    Broken,
    Constant,
    Pending,
    QuantizedConstant,
    Scaled,
    Shape,
    Value,
    aligned,
    steps_reshaped,
)

Array = npt.NDArray[Any]


# --- quantizers ---


def _positive(p: Propagation, name: str) -> Array:
    scale = p.constant(name, "scale")
    if not (scale > 0).all():
        raise Refused("its scale is not positive", "export the quantizer with a positive scale", tensor=name)
    return scale


def _whole(p: Propagation, name: str, role: str) -> int:
    array = p.constant(name, role)
    value = float(array.reshape(-1)[0]) if array.size == 1 else 0.0
    if value < 1 or value != round(value):
        raise Refused(f"its {role} is not one positive integer", f"export a whole {role}", tensor=name)
    return int(value)


def read_quant(p: Propagation, node: NodeProto) -> Quantizer:
    attributes = attributes_of(node)
    return quant(
        _positive(p, node.input[1]),
        p.constant(node.input[2], "zero point"),
        _whole(p, node.input[3], "bit width"),
        signed=bool(attributes.get("signed", 1)),
        narrow=bool(attributes.get("narrow", 0)),
        rounding_mode=attributes.get("rounding_mode", "ROUND"),
    )


def read_multithreshold(p: Propagation, node: NodeProto) -> Quantizer:
    attributes = attributes_of(node)
    thresholds = p.value(node.input[1])
    if not isinstance(thresholds, Constant) or np.isnan(thresholds.array).any():
        p.constant(node.input[1], "threshold matrix")  # says what is wrong
    table = np.asarray(p.values[node.input[1]].array)  # type: ignore[union-attr]
    scale, layout = attributes.get("out_scale", 1.0), attributes.get("data_layout", "NCHW")
    if scale == 0 or not np.isfinite(scale):
        raise Refused(f"its out_scale is {scale}", "use a finite out_scale other than 0")
    shape = _shape(p, node.input[0])
    if len(table) > 1 and shape is not None and len(shape) > 2 and not layout.endswith("C"):
        raise Refused(
            f"its channels are not on the last axis (data_layout {layout})", "convert the model to channels last"
        )
    return multithreshold(table, scale, attributes.get("out_bias", 0.0))


QUANTIZERS: dict[str, Callable[[Propagation, NodeProto], Quantizer]] = {
    "Quant": read_quant,
    "IntQuant": read_quant,
    "BipolarQuant": lambda p, node: bipolar_quant(_positive(p, node.input[1])),
    "MultiThreshold": read_multithreshold,
    "Sign": lambda p, node: sign(),
}


def quantizer(p: Propagation, node: NodeProto) -> Value:
    """A constant becomes integers and a scale; an activation waits for its reader."""
    q = QUANTIZERS[node.op_type](p, node)
    x = p.value(node.input[0])
    if isinstance(x, Constant | QuantizedConstant):
        p.became(node, "integer weights")
        return quantized_constant(p.constant(node.input[0], "weight tensor"), q)
    if q.bits > p.max_bits:
        raise Refused(
            f"it has {q.bits} output bits: {len(q.codes)} thresholds per channel",
            f"use at most {p.max_bits} bits, or raise max_multithreshold_bit_width",
        )
    try:
        before = p.activation(node.input[0])
    except Silent:
        before = None
    return Pending(before, q, node)


def quantized_constant(array: Array, q: Quantizer) -> QuantizedConstant:
    """Weights in the precision they have. Refused if their zero point is not an integer."""
    zero_point = -q.bias / q.scale
    offset = np.rint(zero_point).astype(np.int64)
    if not np.allclose(offset, zero_point, rtol=0, atol=1e-6):
        raise Refused("the zero point of its weights is not an integer", "use an integer zero point")
    integers = q.code_of(array, *q.constants).astype(np.int64) - offset
    scale = q.scale.astype(np.float64)
    return QuantizedConstant(integers, scale.reshape((1,) * (integers.ndim - scale.ndim) + scale.shape))


# --- linear layers ---


@dataclass(frozen=True, eq=False)
class Weights:
    """integers * row[:, None] * column, (MW, MH); row and column have one element where they do not vary."""

    integers: IntArray
    row: Array
    column: Array


def weights(p: Propagation, name: str, *, transposed: bool = False) -> Weights:
    """The constant second input of a MatMul. Refused unless it is quantized, or integer as it is."""
    array, value = p.constant(name, "weight tensor"), p.value(name)
    if array.ndim != 2 or 0 in array.shape:
        raise Refused(f"its weights have shape {array.shape}, not (inputs, outputs)", "use a plain matrix", tensor=name)
    if not isinstance(value, QuantizedConstant):
        if (array != np.rint(array)).any():
            raise Refused("its weights are not quantized", "put a Quant node on the weights", tensor=name)
        value = QuantizedConstant(array.astype(np.int64), np.ones((1, 1)))
    integers, scale = (a.T if transposed else a for a in (value.integers, value.scale))
    if min(scale.shape) > 1:
        raise Refused(
            f"the scale of its weights has shape {value.scale.shape}", "use one scale, or one per output", tensor=name
        )
    one = np.ones(1)
    return Weights(integers, scale[:, 0], one) if len(scale) > 1 else Weights(integers, one, scale[0])


def linear(p: Propagation, node: NodeProto, w: Weights, alpha: float = 1.0) -> Scaled:
    """(scale * q + bias) @ (row * W * column) == column * base * (q @ (m * W)) + ..., with scale * row == base * m."""
    x = p.scaled_integer(node.input[0])
    if x.source.shape is None or x.source.shape[-1:] != w.integers.shape[:1]:
        raise Refused(f"its input of shape {x.source.shape} does not fit weights of shape {w.integers.shape}")
    size = w.integers.shape[0]
    for c in (x.scale, x.bias):
        if c.size > 1 and c.reshape(-1).size != c.shape[-1]:
            raise Refused(
                "the scale of its input varies along an axis that is not the last", "use one scale per tensor"
            )
    base, multipliers = aligned(x.scale.reshape(-1) * w.row)
    integers = w.integers * multipliers.reshape(-1, 1)
    bias = np.broadcast_to(x.bias.reshape(-1) * w.row, size) @ w.integers * w.column * alpha
    bounds = x.source.range.map(lambda b: b.reshape(-1)[0] if b.size == 1 else b.reshape(-1))  # type: ignore[union-attr]
    source = p.graph.matmul(x.source, bounds, integers, f"{node.output[0]}_int")
    p.became(node, f"MatMul {source.name}")
    scale = base * w.column * alpha
    return Scaled(source, scale[0] if scale.size == 1 else scale, bias if bias.any() else np.zeros(()))


def matmul(p: Propagation, node: NodeProto) -> Value:
    if not p.is_constant(node.input[1]) or p.is_constant(node.input[0]):
        return p.host(node, "it does not multiply an activation with constant weights on its right")
    return linear(p, node, weights(p, node.input[1]))


def gemm(p: Propagation, node: NodeProto) -> Value:
    """alpha * (x @ W) + beta * C"""
    attributes = attributes_of(node)
    if attributes.get("transA", 0):
        raise Refused("it transposes its activation (transA=1)", "export the layer as x @ W")
    if not p.is_constant(node.input[1]):
        return p.host(node, "its weights are not constant")
    w = weights(p, node.input[1], transposed=bool(attributes.get("transB", 0)))
    y = linear(p, node, w, attributes.get("alpha", 1.0))
    if len(node.input) < 3 or not node.input[2]:
        return y
    name, beta = node.input[2], attributes.get("beta", 1.0)
    c = p.constant(name, "bias")
    if np.broadcast_shapes(y.source.dims, c.shape) != y.source.dims:
        raise Refused(f"its bias of shape {c.shape} does not fit an output of shape {y.source.shape}", tensor=name)
    if beta != 1.0:
        name, c = p.graph.fresh(f"{name}_times_beta"), c * c.dtype.type(beta)
    add = helper.make_node("Add", [node.output[0], name], [node.output[0]], name=node.name)
    return replace(y, tail=(Step(add, 0, ELEMENTWISE["Add"]({}, 0), (c,)),))


# --- elementwise ---


def elementwise(p: Propagation, node: NodeProto) -> Value:
    """Append the node to the tail of its one activation."""
    dynamic = [i for i, name in enumerate(node.input) if name and not p.is_constant(name)]
    if len(dynamic) != 1:
        return p.host(node, "it combines several activations")
    data = dynamic[0]
    x = p.value(node.input[data])
    if not isinstance(x, Scaled | Pending):
        raise Silent
    names = [name for i, name in enumerate(node.input) if i != data]
    constants = tuple(p.constant(name, "parameter") if name else None for name in names)
    reason = _not_elementwise(node, data, _shape(p, node.input[data]), [c for c in constants if c is not None])
    if reason:
        return p.host(node, reason)
    step = Step(node, data, ELEMENTWISE[node.op_type](attributes_of(node), data), constants)
    return replace(x, tail=(*x.tail, step))


def _not_elementwise(node: NodeProto, data: int, shape: Shape | None, constants: list[Array]) -> str:
    """Why the node cannot be part of a tail; "" if it can."""
    if shape is None:
        return "the shape of its input is not known"
    if node.op_type == "BatchNormalization":
        return "" if data == 0 and len(shape) == 2 and len(constants) == 4 else "its channels are not on the last axis"
    if np.broadcast_shapes(shape, *(c.shape for c in constants)) != shape:
        return "it broadcasts its activation"
    if node.op_type == "Div" and data == 1:
        return "it divides by an activation"
    if node.op_type == "Div" and not constants[0].all():
        raise Refused("it divides by zero", "check the training and the export", tensor=node.input[1])
    return ""


# --- shapes ---


def _shape(p: Propagation, name: str) -> Shape | None:
    value = p.value(name)
    if isinstance(value, Pending):
        return value.before.source.shape if value.before else None
    return value.source.shape if isinstance(value, Scaled) else None


def _target(p: Propagation, node: NodeProto, old: Shape) -> Shape:
    """The output shape of a shape-changing node."""
    attributes = attributes_of(node)
    if node.op_type == "Reshape":
        dims = [int(d) for d in p.constant(node.input[1], "target shape")]
        keep = not attributes.get("allowzero", 0)
        dims = [old[i] if d == 0 and keep else d for i, d in enumerate(dims)]
        return np.empty(old, np.bool_).reshape(dims).shape
    if node.op_type == "Flatten":
        axis = attributes.get("axis", 1)
        return int(np.prod(old[:axis])), int(np.prod(old[axis:]))
    axes = attributes.get("axes")
    if len(node.input) > 1:
        axes = p.constant(node.input[1], "axes").tolist()
    if node.op_type == "Unsqueeze" and axes is not None:
        return np.expand_dims(np.empty(old, np.bool_), tuple(axes)).shape
    return np.squeeze(np.empty(old, np.bool_), None if axes is None else tuple(axes)).shape


def reshape(p: Propagation, node: NodeProto) -> Value:
    """Shapes change in front of a quantizer, where the graph input mostly is."""
    value, old = p.value(node.input[0]), _shape(p, node.input[0])
    if old is None:
        return p.host(node, "the shape of its input is not known")
    new = _target(p, node, old)
    if new == old:
        p.became(node, "dropped: it changes nothing")
        return value
    p.became(node, "Reshape of the integers")
    if isinstance(value, Pending) and value.before is not None and value.quantizer.per_tensor:
        return replace(value, before=p.reshape(value.before, new), tail=steps_reshaped(value.tail, old, new))
    return p.reshape(p.activation(node.input[0]), new)


def shape_of(p: Propagation, node: NodeProto) -> Value:
    """Shapes are static here."""
    shape = _shape(p, node.input[0])
    return (
        p.host(node, "the shape is not known") if shape is None else Constant(np.array(shape, np.int64), node.output[0])
    )


def transpose(p: Propagation, node: NodeProto) -> Value:
    """Of quantized weights; an activation only if nothing moves."""
    value, perm = p.value(node.input[0]), attributes_of(node).get("perm")
    if isinstance(value, QuantizedConstant):
        p.became(node, "integer weights")
        return QuantizedConstant(value.integers.transpose(perm), value.scale.transpose(perm))
    if perm is not None and perm == sorted(perm):
        return value
    return p.host(node, "it moves the axes of an activation")


def identity(p: Propagation, node: NodeProto) -> Value:
    p.became(node, "dropped: it changes nothing")
    return p.value(node.input[0])


# --- the end ---


def select(p: Propagation, node: NodeProto) -> Value:
    """TopK or ArgMax of increasing functions of integers is that of the integers."""
    attributes, name = attributes_of(node), node.input[0]
    k = p.constant(node.input[1], "k") if len(node.input) > 1 else np.array(attributes.get("k", 1))
    producer = p.producers.get(name)
    if producer is not None and producer.op_type in {"Softmax", "LogSoftmax"} and k.max() == 1:
        name = producer.input[0]
    x = p.activation(name)
    reason = _not_selectable(p, node, attributes, x)
    if reason:
        return p.host(node, reason)
    others = [p.tensor(n) for n in node.input[1:]]
    outputs = p.graph.copy(node, [x.source.name, *others])
    p.graph.integer_nodes.update(outputs)
    for step in x.tail:
        p.became(step.node, f"dropped: {node.op_type} sees only the order")
    p.became(node, f"{node.op_type} of {x.source.name}")
    culprit = "it reads indices"
    for original, new in zip(node.output, outputs, strict=True):
        p.values[original] = Scaled(replace(x.source, name=new, range=None, product=None, shape=None, culprit=culprit))
    return p.values[node.output[0]]


def _not_selectable(p: Propagation, node: NodeProto, attributes: dict[str, Any], x: Scaled) -> str:
    """Why the node must see floats; "" if the integers do."""
    if x.source.range is None or x.source.shape is None:
        return "its input is not an integer"
    axis = attributes.get("axis", -1 if node.op_type == "TopK" else 0)
    if axis not in (-1, len(x.source.shape) - 1) or not attributes.get("largest", 1):
        return "it does not select the greatest along the last axis"
    values = node.output[0] if node.op_type == "TopK" else ""
    if values in p.readers or values in {o.name for o in p.model.graph.output}:
        return "its values are used, not only the indices"
    low, high = x.source.range.span
    if any(c.size > 1 and (c != c.reshape(-1)[0]).any() for c in x.arrays[1:]) or high - low > ENUMERABLE:
        return "the tail in front of it differs between channels"
    constants = tuple(
        replace(s, constants=tuple(c if c is None else c.reshape(-1)[:1] for c in s.constants)) for s in x.tail
    )
    uniform = replace(x, scale=x.scale.reshape(-1)[:1], bias=x.bias.reshape(-1)[:1], tail=constants)
    rises = (np.diff(uniform.evaluate(np.arange(low, high + 1).reshape(1, -1))) > 0).all()
    return "" if rises else "the tail in front of it does not rise strictly"


def unsupported(p: Propagation, node: NodeProto) -> Value:
    return p.host(node, f"{node.op_type} has no integer form here")


# --- constants ---


def fold(rule: Callable[[Propagation, NodeProto], Value]) -> Callable[[Propagation, NodeProto], Value]:
    """The rule, unless all inputs are constant: then the node is computed."""

    def folded(p: Propagation, node: NodeProto) -> Value:
        values = {name: p.value(name) for name in node.input if name}
        if any(isinstance(v, Broken) for v in values.values()) and node.op_type not in QUANTIZERS:
            raise Silent
        if not all(isinstance(v, Constant) for v in values.values()):
            return rule(p, node)
        inputs = {name: v.array for name, v in values.items() if isinstance(v, Constant)}
        result = _compute(node, inputs, p.model.model.opset_import)
        p.became(node, "constant")
        return Constant(result, node.output[0])

    return folded


def _compute(node: NodeProto, inputs: dict[str, Array], opsets: Iterable[OperatorSetIdProto]) -> Array:
    """The first output of one node, by ONNX's reference implementation."""
    value_infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()
    ]
    output = helper.make_empty_tensor_value_info(node.output[0])
    model = helper.make_model(helper.make_graph([node], "constant", value_infos, [output]), opset_imports=opsets)
    results: Any = onnx.reference.ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(results[0])


RULES: dict[str, Callable[[Propagation, NodeProto], Value]] = {
    **dict.fromkeys(ELEMENTWISE, fold(elementwise)),
    **dict.fromkeys(QUANTIZERS, quantizer),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), fold(reshape)),
    **dict.fromkeys(("Identity", "Dropout"), identity),
    **dict.fromkeys(("TopK", "ArgMax"), select),
    "MatMul": fold(matmul),
    "Gemm": gemm,
    "Transpose": fold(transpose),
    "Shape": fold(shape_of),
}
DEFAULT = fold(unsupported)
