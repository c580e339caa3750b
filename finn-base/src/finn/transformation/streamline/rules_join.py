"""Elementwise operators: on one tensor they lengthen its tail, several tensors are brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.core.numpy_ops import BATCHNORM_EPSILON
from finn.transformation.streamline import layers
from finn.transformation.streamline.pairs import Pair, paired
from finn.transformation.streamline.propagation import Propagation, Silent, attributes_of, title
from finn.transformation.streamline.regrid import whole
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules_linear import operand
from finn.transformation.streamline.rules_quant import constant_as_scaled
from finn.transformation.streamline.tail import Tail
from finn.transformation.streamline.values import (
    Pending,
    Scaled,
    Shape,
    Source,
    Value,
    common,
    compact,
    same_origin,
    shape_of,
    with_rank,
)

Array = npt.NDArray[Any]
JOINS = frozenset({"Add", "Max", "Min", "Mul", "Sub", "Sum"})


def elementwise(p: Propagation, node: NodeProto) -> Value:
    """Append the node to the tail of the one tensor that it reads, or join several tensors."""
    dynamic = p.dynamic(node)
    values = [p.value(node.input[i]) for i in dynamic]
    if any(not isinstance(v, Scaled | Pending) for v in values):
        raise Silent
    first = values[0]
    if all(same_origin(first, v) for v in values[1:]):
        return _longer(p, node, dynamic, values)
    if any(isinstance(v, Scaled) and v.source.range is None and not v.source.culprit for v in values):
        raise Refused("it combines several tensors that are not quantized", "quantize them first")
    if node.op_type not in JOINS:
        raise Refused(f"{node.op_type} of several tensors has no integer form", "quantize in front of and behind it")
    return join(p, node)


def _longer(p: Propagation, node: NodeProto, dynamic: Sequence[int], values: Sequence[Value]) -> Value:
    first = values[0]
    if not isinstance(first, Scaled | Pending):
        raise Silent
    constants = {i: p.constant(n, "parameter") for i, n in enumerate(node.input) if n and i not in dynamic}
    shape = shape_of(first)
    reason = _not_elementwise(p, node, dynamic, shape, constants)
    if reason:
        raise Refused(reason, "quantize in front of it and behind it, or move it behind the last layer")
    tail, numbers = first.tail, [len(first.tail.steps)]
    for value in values[1:]:
        if isinstance(value, Scaled | Pending):
            tail, _, number = tail.joined(value.tail)
            numbers.append(number)
    places = dict(zip(dynamic, numbers, strict=True))
    operands = [places.get(i, constants.get(i)) for i in range(len(node.input))]
    return replace(first, tail=tail.then(node, operands, p.opset))


def _not_elementwise(
    p: Propagation, node: NodeProto, dynamic: Sequence[int], shape: Shape | None, constants: dict[int, Array]
) -> str:
    """Why the node cannot be part of a tail; "" if it can."""
    if shape is None:
        return "the shape of its input is not known"
    if node.op_type == "BatchNormalization":
        fits = list(dynamic) == [0] and len(constants) == 4 and (bool(node.domain) or len(shape) == 2)
        if fits:
            _require_finite(node, constants)
        return "" if fits else "its channels are not on the last axis"
    if node.op_type == "Cast" and attributes_of(node)["to"] not in (1, 10, 11, 16):
        return "it casts to integers"
    if np.broadcast_shapes(shape, *(c.shape for c in constants.values())) != shape:
        return "it broadcasts its activation"
    if node.op_type == "Div" and 1 in constants and not constants[1].all():
        raise Refused("it divides by zero", "check the training and the export", tensor=node.input[1], fatal=True)
    return ""


def _require_finite(node: NodeProto, constants: dict[int, Array]) -> None:
    epsilon = attributes_of(node).get("epsilon", BATCHNORM_EPSILON)
    if not (constants[4] + epsilon > 0).all():
        remedy = "check the training and the export"
        raise Refused("its variance is not positive", remedy, tensor=node.input[4], fatal=True)


# -------------------------------------------------------------------------------------------------------------- joins


def join(p: Propagation, node: NodeProto) -> Value:
    """Several tensors: a product of the integers, or their sum, difference or extreme at one scale."""
    if node.op_type == "Mul":
        x, y = (operand(p, name) for name in node.input)
        source = layers.of_two(p.graph, "Mul", x.source, y.source, f"{node.output[0]}_int")
        result = Scaled(source, compact(x.scale * y.scale))
    else:
        operands = [_operand(p, node, name) for name in node.input]
        if len(operands) == 2 and node.op_type in {"Add", "Sub"} and common(*(v.scale for v in operands)) is None:
            return _without_common_measure(p, node, *operands)
        result = reduce(lambda a, b: _combined(p, node, a, b), operands[1:], operands[0])
    p.became(node, "integer", f"{node.op_type} {result.source.name}", result.source.name)
    return result


def _without_common_measure(p: Propagation, node: NodeProto, x: Scaled, y: Scaled) -> Value:
    """A float sum on the host; a quantizer behind it may bring it back."""
    reason, remedy = _incommensurable(p, node, x, y)
    value = p.host(node, reason, remedy)
    return paired(value, Pair(x, y, -1 if node.op_type == "Sub" else 1, node)) if isinstance(value, Scaled) else value


def _operand(p: Propagation, node: NodeProto, name: str) -> Scaled:
    if not p.is_constant(name):
        return p.scaled_integer(name)
    scales = [p.scaled_integer(n).scale for n in node.input if not p.is_constant(n)]
    x = constant_as_scaled(p, name, scales[0])
    if x is None:
        raise Refused("its constant operand is no multiple of the scale of the others", "quantize it", tensor=name)
    return x


def _combined(p: Propagation, node: NodeProto, x: Scaled, y: Scaled) -> Scaled:
    """x + y, x - y, or the greater or lesser of both, elementwise."""
    op_type = {"Sum": "Add"}.get(node.op_type, node.op_type)
    scales = common(x.scale, y.scale)
    if scales is None:
        raise Refused(*_incommensurable(p, node, x, y))
    base, m, n = scales
    name = f"{node.output[0]}_int"
    a, b = (_times(p, v.source, k, name) for v, k in ((x, m), (y, n)))
    if op_type in {"Max", "Min"}:
        shift = whole((y.bias - x.bias) / base)
        if shift is None:
            raise Refused("its inputs have zero points that no integer separates", "quantize them with one zero point")
        if shift.any():
            b = layers.with_constant(p.graph, "Add", b, compact(shift), name)
        bias = x.bias
    else:
        bias = x.bias + y.bias if op_type == "Add" else x.bias - y.bias
    return Scaled(layers.of_two(p.graph, op_type, a, b, name), compact(base), compact(np.asarray(bias)))


def _times(p: Propagation, x: Source, factor: Array, name: str) -> Source:
    if (factor == 1).all():
        return x
    return layers.with_constant(p.graph, "Mul", x, compact(factor), f"{name}_aligned")


def _incommensurable(p: Propagation, node: NodeProto, x: Scaled, y: Scaled) -> tuple[str, str]:
    """Names both branches, and the quantizers that would have to share a scale."""
    names = [n for n in node.input if not p.is_constant(n)][:2]
    makers = [_quantizers_in_front(p, n) for n in names]
    scales = " and ".join(f"{n!r} has {_words(v.scale)}" for n, v in zip(names, (x, y), strict=False))
    both = " and ".join(dict.fromkeys(title(q) for found in makers for q in found)) or "quantizers in front of it"
    return (
        f"its inputs have scales whose ratio is not that of small integers: {scales}",
        f"let {both} share one scale (in Brevitas: the same QuantIdentity in front of the {node.op_type})",
    )


def _words(scale: Array) -> str:
    low, high = float(np.min(scale)), float(np.max(scale))
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _quantizers_in_front(p: Propagation, name: str) -> list[NodeProto]:
    """The nearest quantizer on the way to each input of a tensor."""
    found, waiting, seen = [], [name], set()
    while waiting:
        node = p.producers.get(waiting.pop())
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if "Quant" in node.op_type or node.op_type == "MultiThreshold":
            found.append(node)
        else:
            waiting += [n for n in node.input if n and not p.is_constant(n)]
    return found


# ------------------------------------------------------------------------------------------------------------- concat


def concat(p: Propagation, node: NodeProto) -> Value:
    """The integers side by side. Scales that differ are aligned, unless they can stay different along the axis."""
    dynamic = [n for n in node.input if not p.is_constant(n)]
    values = [p.activation(n) for n in dynamic]
    if all(v.source.range is None for v in values):
        raise Refused("its inputs are not quantized", "quantize them first")
    known = [p.scaled_integer(n) for n in dynamic]
    parts = [known[dynamic.index(n)] if n in dynamic else _constant_part(p, n, known[0]) for n in node.input]
    rank = len(parts[0].source.dims)
    axis = attributes_of(node)["axis"] % rank
    if axis != rank - 1 and _is_commensurable(parts):
        parts = _same_scale(p, node, parts)

    def beside(arrays: Sequence[Array]) -> Array:
        if all(a.size == 1 for a in arrays) and len({a.item() for a in arrays}) == 1:
            return arrays[0].reshape(())
        full = [with_rank(a, rank) for a in arrays]
        shapes = [np.broadcast_shapes(*(tuple(1 if i == axis else n for i, n in enumerate(f.shape)) for f in full))]
        wide = [
            np.broadcast_to(f, tuple(v.source.dims[axis] if i == axis else n for i, n in enumerate(shapes[0])))
            for f, v in zip(full, parts, strict=True)
        ]
        return compact(np.concatenate(wide, axis))

    bounds = layers.simplified(*(beside(ends) for ends in _ends(parts)))
    shape = list(parts[0].source.dims)
    shape[axis] = sum(v.source.dims[axis] for v in parts)
    inputs = [v.source.name for v in parts]
    source = p.graph.integers("Concat", inputs, f"{node.output[0]}_int", tuple(shape), bounds, axis=axis)
    p.became(node, "integer", f"Concat {source.name}", source.name)
    return Scaled(source, beside([v.scale for v in parts]), beside([v.bias for v in parts]))


def _ends(parts: Sequence[Scaled]) -> list[list[Array]]:
    return [[np.asarray(v.source.bounds.low) for v in parts], [np.asarray(v.source.bounds.high) for v in parts]]


def _constant_part(p: Propagation, name: str, other: Scaled) -> Scaled:
    x = constant_as_scaled(p, name, np.asarray(np.abs(other.scale).min()))
    if x is None:
        raise Refused("its constant input is no multiple of the scale of the others", "quantize it", tensor=name)
    return x


def _is_commensurable(parts: Sequence[Scaled]) -> bool:
    return all(common(parts[0].scale, part.scale) is not None for part in parts[1:])


def _same_scale(p: Propagation, node: NodeProto, parts: Sequence[Scaled]) -> list[Scaled]:
    """All parts with the scale and the bias of the first, or one that divides all."""
    base = parts[0].scale
    for part in parts[1:]:
        scales = common(base, part.scale)
        if scales is None:
            raise Refused(*_incommensurable(p, node, parts[0], part))
        base = scales[0]
    out = []
    for part in parts:
        factor = whole(part.scale / base)
        shift = whole((part.bias - parts[0].bias) / base)
        if factor is None or shift is None:
            raise Refused("its inputs have zero points that no integer separates", "quantize them with one zero point")
        source = _times(p, part.source, factor, f"{node.output[0]}_int")
        if shift.any():
            source = layers.with_constant(p.graph, "Add", source, compact(shift), f"{node.output[0]}_shifted")
        out.append(Scaled(source, compact(base), parts[0].bias, Tail()))
    return out
