"""Operators that move elements: what moves is the integers; scale, bias and tail move with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import Range, narrowest_weight_type
from finn.transformation.streamline import layers
from finn.transformation.streamline.propagation import Propagation, attributes_of
from finn.transformation.streamline.regrid import whole
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules_linear import filled
from finn.transformation.streamline.values import (
    Constant,
    Pending,
    QuantizedConstant,
    Scaled,
    Shape,
    Source,
    Value,
    compact,
    is_uniform,
    moved_range,
    reshaped,
    shape_of,
    with_rank,
)

Array = npt.NDArray[Any]
MOVES = (
    "DepthToSpace", "Expand", "Resize", "Slice", "SpaceToDepth", "Split", "Tile", "Upsample",
)  # fmt: skip
"""Operators that copy elements of input 0 from place to place, all or some."""

RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")


def _target(p: Propagation, node: NodeProto, old: Shape) -> Shape:
    """The output shape of a shape-changing node."""
    out = p.run_on(node, {node.input[0]: np.empty(old, np.bool_)})[0]
    return tuple(out.shape)


def reshape(p: Propagation, node: NodeProto) -> Value:
    """Shapes change in front of a quantizer, where the graph input mostly is."""
    value, old = p.value(node.input[0]), shape_of(p.value(node.input[0]))
    if isinstance(value, QuantizedConstant):
        return _constant(p, node, value)
    if old is None:
        raise Refused("the shape of its input is not known", "run shape inference (cleanup_model)")
    new = _target(p, node, old)
    if new == old:
        p.became(node, "dropped", "it changes nothing")
        return value
    p.became(node, "integer", "Reshape of the integers")
    if isinstance(value, Pending) and value.before is not None and value.quantizer.per_tensor:
        before = p.reshape(value.before, new)
        if all(c.size == 1 or c.size == c.shape[-1] for c in before.arrays):
            return replace(value, before=before, tail=value.tail.mapped(lambda c: reshaped(c, old, new)))
    return p.reshape(p.activation(node.input[0]), new)


def _constant(p: Propagation, node: NodeProto, value: QuantizedConstant) -> QuantizedConstant:
    """Quantized weights, moved."""
    full = np.broadcast_to(value.scale, value.integers.shape)
    integers, scales = (p.run_on(node, {node.input[0]: a}) for a in (value.integers, full))
    parts = [QuantizedConstant(q, with_rank(compact(s), q.ndim)) for q, s in zip(integers, scales, strict=True)]
    for name, part in zip(node.output, parts, strict=False):
        p.values[name] = part
    p.became(node, "folded", "integer weights")
    return parts[0]


def transpose(p: Propagation, node: NodeProto) -> Value:
    """Transposes of transposes cancel."""
    value, perm = p.value(node.input[0]), attributes_of(node).get("perm")
    if isinstance(value, QuantizedConstant):
        p.became(node, "folded", "integer weights")
        return QuantizedConstant(value.integers.transpose(perm), value.scale.transpose(perm))
    x = p.activation(node.input[0])
    rank = len(x.source.dims)
    perm = list(range(rank))[::-1] if perm is None else list(perm)
    if perm == sorted(perm):
        p.became(node, "dropped", "it changes nothing")
        return value
    source = p.graph.transpose(x.source, perm)
    p.became(node, "integer" if source.range else "host", f"Transpose {source.name}", source.name)
    return x.moved(source, lambda c: compact(with_rank(c, rank).transpose(perm)))


def moved(p: Propagation, node: NodeProto) -> Value:
    """Slice, Split, Resize to the nearest and their kin."""
    value = p.value(node.input[0])
    if isinstance(value, QuantizedConstant):
        return _constant(p, node, value)
    attributes = attributes_of(node)
    if node.op_type in {"Resize", "Upsample"} and attributes.get("mode", "nearest") != "nearest":
        raise Refused(f"it interpolates (mode {attributes['mode']})", "use mode nearest, or quantize behind it")
    x = p.activation(node.input[0])
    parts = p.moved(node, x)
    names = [part.source.name for part in parts]
    kind = "integer" if x.source.range is not None else "host"
    p.became(node, kind, f"{node.op_type} {', '.join(names)}", *names)
    for name, part in zip([o for o in node.output if o], parts, strict=True):
        p.values[name] = part
    return parts[0]


def gather(p: Propagation, node: NodeProto) -> Value:
    """Constant indices choose among elements; computed ones choose rows of a constant table."""
    table, indices = node.input
    if p.is_constant(indices) and not p.is_constant(table):
        return moved(p, node)
    if not p.is_constant(table) or p.is_constant(indices):
        raise Refused("neither its data nor its indices are constant", "use constant indices")
    value, axis = p.value(table), attributes_of(node).get("axis", 0)
    array = p.constant(table, "table")
    if not isinstance(value, QuantizedConstant):
        if (array != np.rint(array)).any():
            raise Refused("its table is not quantized", "put a Quant node on the table", tensor=table)
        value = QuantizedConstant(array.astype(np.int64), np.ones((1,) * array.ndim))
    rank = value.integers.ndim
    axis %= rank
    if value.scale.shape[axis] > 1:
        raise Refused("the scale of its table varies over the entries", "use one scale per table", tensor=table)
    x, shape = p.activation(indices), p.model.get_tensor_shape(node.output[0])
    if shape is None or x.tail:
        raise Refused("its indices are computed", "give the indices as an input of the graph")
    p.graph.indices.add(x.source.name)
    name = p.graph.constant(f"{table}_int", value.integers.astype(np.int64), narrowest_weight_type(value.integers))
    bounds = Range(np.array(int(value.integers.min())), np.array(int(value.integers.max())))
    source = p.graph.integers("Gather", [name, x.source.name], f"{node.output[0]}_int", tuple(shape), bounds, axis=axis)
    p.became(node, "integer", f"Gather {source.name}", source.name)
    scale = value.scale.reshape(*value.scale.shape[:axis], *([1] * len(x.source.dims)), *value.scale.shape[axis + 1 :])
    return Scaled(source, compact(scale))


def pad(p: Propagation, node: NodeProto) -> Value:
    """The integer that means the value that it pads with."""
    attributes = attributes_of(node)
    if attributes.get("mode", "constant") != "constant":
        return moved(p, node)
    x, name = p.scaled_integer(node.input[0]), node.output[0]
    rank, value = len(x.source.dims), float(attributes.get("value", 0.0))
    pads = p.constant(node.input[1], "pads").tolist() if len(node.input) > 1 else attributes.get("pads")
    if len(node.input) > 2 and node.input[2]:
        value = p.constant(node.input[2], "value").item()
    if pads is None or len(pads) != 2 * rank or (len(node.input) > 3 and node.input[3]):
        raise Refused("it pads some axes only", "give pads for all axes")
    filler = whole((value - x.bias) / x.scale) if x.scale.all() else None
    if filler is None:
        raise Refused(
            f"the {value:g} that it pads with is not one integer at the scale of its input",
            "quantize behind it, or pad with a multiple of the scale",
        )
    filler = compact(filler)
    if filler.size > 1:  # one integer per channel: count from it
        source = layers.with_constant(p.graph, "Sub", x.source, filler, f"{name}_centred")
        x, filler = Scaled(source, x.scale, np.array(value)), np.zeros((), np.int64)
    y = _surrounded(p, cut(p, x, [min(n, 0) for n in pads], name), [max(n, 0) for n in pads], int(filler), name)
    p.became(node, "integer", f"Pad {y.source.name}", y.source.name)
    return y


def _surrounded(p: Propagation, x: Scaled, pads: Sequence[int], value: int, name: str) -> Scaled:
    """x with one integer around it. Its scale and bias go on along padded axes: the integer means the same there."""
    rank = len(x.source.dims)
    if not any(pads):
        return x
    y = filled(p, x, pads, value, name)
    around = list(zip(pads[:rank], pads[rank:], strict=True))

    def wider(c: Array) -> Array:
        full = with_rank(compact(np.asarray(c)), rank)
        return compact(np.pad(full, [a if n > 1 else (0, 0) for a, n in zip(around, full.shape, strict=True)], "edge"))

    source = replace(y.source, range=moved_range(y.source.bounds, wider))
    return Scaled(source, wider(x.scale), wider(x.bias))


def cut(p: Propagation, x: Scaled, pads: Sequence[int], name: str) -> Scaled:
    """x without what negative pads take away. pads : before each axis, then after each, none positive."""
    rank, dims = len(x.source.dims), x.source.dims
    starts = [-n for n in pads[:rank]]
    ends = [n + e for n, e in zip(dims, pads[rank:], strict=True)]
    axes = [a for a in range(rank) if pads[a] or pads[a + rank]]
    if not axes:
        return x
    if any(ends[a] <= starts[a] for a in axes):
        raise Refused(f"it cuts all of its input of shape {dims}", "cut less")

    def part(c: Array) -> Array:
        full = with_rank(compact(np.asarray(c)), rank)
        kept = (slice(s, e) if n > 1 else slice(None) for s, e, n in zip(starts, ends, full.shape, strict=True))
        return compact(full[tuple(kept)])

    limits = [[v[a] for a in axes] for v in (starts, ends)] + [axes]
    shape, bounds = tuple(e - s for s, e in zip(starts, ends, strict=True)), moved_range(x.source.bounds, part)
    if p.opset < 10:
        named: dict[str, Any] = dict(zip(("starts", "ends", "axes"), limits, strict=True))
        source = p.graph.integers("Slice", [x.source.name], f"{name}_cut", shape, bounds, **named)
    else:
        inputs = [x.source.name, *(p.graph.constant("limits", np.array(v, np.int64)) for v in limits)]
        source = p.graph.integers("Slice", inputs, f"{name}_cut", shape, bounds)
    return x.moved(source, part)


def identity(p: Propagation, node: NodeProto) -> Value:
    if any(o in p.readers or o in p.outer for o in node.output[1:] if o):
        raise Refused("its mask is used", "export the network for inference, without Dropout")
    p.became(node, "dropped", "it changes nothing")
    return p.value(node.input[0])


def shape_value(p: Propagation, node: NodeProto) -> Value:
    """Shapes are static here."""
    shape = shape_of(p.value(node.input[0]))
    if shape is None:
        raise Refused("the shape of its input is not known", "run shape inference (cleanup_model)")
    p.became(node, "constant", "the shape is static")
    attributes = attributes_of(node)
    return Constant(np.array(shape[attributes.get("start", 0) : attributes.get("end")], np.int64), node.output[0])


def im2col(p: Propagation, node: NodeProto) -> Value:
    """The columns of the integers. What is padded is 0, so the integers have to count from their zero point."""
    attributes, x = attributes_of(node), p.scaled_integer(node.input[0])
    pads = list(attributes.get("pad_amount", [0, 0, 0, 0]))
    if any(pads) and (attributes.get("pad_value", 0) != 0 or x.bias.any()):
        raise Refused("it pads with another number than the zero point", "use a quantizer with zero point 0 in front")
    if not all(is_uniform(c) for c in (x.scale, x.bias)):
        raise Refused("the scale of its input varies", "use one scale per tensor in front of it")
    shape = p.model.get_tensor_shape(node.output[0])
    if shape is None:
        raise Refused("the shape of its output is not known", "run shape inference (cleanup_model)")
    low, high = x.source.bounds.span
    bounds = Range(np.array(min(low, 0) if any(pads) else low), np.array(max(high, 0) if any(pads) else high))
    out = p.graph.copy(node, [x.source.name])[0]
    p.graph.shapes[out] = tuple(shape)
    p.graph.note(out, bounds, p.datatype(x.source) if not any(pads) else None)
    p.became(node, "integer", f"Im2Col {out}", out)
    return Scaled(Source(out, tuple(shape), bounds), x.scale.reshape(-1)[0], x.bias.reshape(-1)[0])


__all__ = ["MOVES", "Source", "gather", "identity", "im2col", "moved", "pad", "reshape", "shape_value", "transpose"]
