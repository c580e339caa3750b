"""Linear layers and pools: sums of products are computed on the integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import IntArray, Range, narrowest_weight_type
from finn.core.domains import CHANNELS_LAST
from finn.transformation._axes import call_of
from finn.transformation._layout_rules import to_first, to_last
from finn.transformation.convolution import of_conv, of_conv_transpose
from finn.transformation.rewrite import NoMatch, TensorRef
from finn.transformation.streamline import layers
from finn.transformation.streamline.moves import unpermuted
from finn.transformation.streamline.preparations import windows_fit
from finn.transformation.streamline.propagation import Propagation, attributes_of
from finn.transformation.streamline.quantize import negated
from finn.transformation.streamline.regrid import whole
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules_quant import constant_as_scaled, narrow
from finn.transformation.streamline.values import (
    QuantizedConstant,
    Scaled,
    Source,
    Value,
    aligned,
    compact,
    with_rank,
)

Array = npt.NDArray[Any]
ZERO_PADDING = "the 0 that it pads with is not a multiple of the scale of its input, counted from the zero point"


def quantized_weights(p: Propagation, name: str) -> QuantizedConstant:
    """The constant weights of a layer. Refused unless they are quantized, or integer as they are."""
    value = p.value(name)
    if isinstance(value, QuantizedConstant) and value.integers.size:
        return value
    array = p.constant(name, "weight tensor")
    if 0 in array.shape:
        raise Refused(f"its weights have shape {array.shape}, without elements", "use real weights", tensor=name)
    if (array != np.rint(array)).any():
        raise Refused("its weights are not quantized", "put a Quant node on the weights", tensor=name)
    return QuantizedConstant(narrow(array.astype(np.int64)), np.ones((1,) * array.ndim))


def per_input(c: Array, x: Source) -> Array:
    """The array as one element or one per channel. Refused if it varies along another axis."""
    c = compact(c)
    if c.size > 1 and c.shape[-1] != c.size:
        raise Refused("the scale of its input varies along an axis that is not the last", "use one scale per tensor")
    return c.reshape(-1)


def one_scale_per_channel(p: Propagation, x: Scaled, name: str) -> Scaled:
    """The same value with a scale that varies along the last axis at most. Refused if the ratios are not integers."""
    scale = compact(x.scale)
    if scale.size == 1 or scale.shape[-1] == scale.size:
        return x
    base, multipliers = aligned(scale)
    source = layers.with_constant(p.graph, "Mul", x.source, multipliers.reshape(scale.shape), f"{name}_aligned")
    return Scaled(source, np.array(base), x.bias)


# ------------------------------------------------------------------------------------------------------------- matmul


@dataclass(frozen=True, eq=False)
class Weights:
    """integers * row[:, None] * column, (MW, MH); row and column have one element where they do not vary."""

    integers: IntArray
    row: Array
    column: Array


def weights(p: Propagation, name: str, *, transposed: bool = False) -> Weights:
    """The constant second input of a MatMul."""
    value = quantized_weights(p, name)
    if value.integers.ndim != 2:
        shape = value.integers.shape
        raise Refused(f"its weights have shape {shape}, not (inputs, outputs)", "use a plain matrix", tensor=name)
    integers, scale = (a.T if transposed else a for a in (value.integers, value.scale))
    if min(scale.shape) > 1:
        raise Refused(
            f"the scale of its weights has shape {value.scale.shape}", "use one scale, or one per output", tensor=name
        )
    one = np.ones(1)
    return Weights(integers, scale[:, 0], one) if len(scale) > 1 else Weights(integers, one, scale[0])


def linear(p: Propagation, node: NodeProto, position: int, w: Weights, alpha: float = 1.0) -> Scaled:
    """(scale * q + bias) @ (row * W * column) == column * base * (q @ (m * W)) + ..., with scale * row == base * m."""
    x = p.scaled_integer(node.input[position])
    if x.source.dims[-1:] != w.integers.shape[:1]:
        raise Refused(f"its input of shape {x.source.shape} does not fit weights of shape {w.integers.shape}")
    if x.source.name in p.graph.permuted:  # the weights move instead
        order = np.argsort(p.graph.permuted[x.source.name][1])
        x = unpermuted(p, x)
        w = Weights(w.integers[order], w.row[order] if w.row.size > 1 else w.row, w.column)
    outer, inner = np.ones(()), compact(x.scale)
    if inner.size > 1 and inner.shape[-1] == 1:  # it does not vary along the axis of the sums
        outer, inner = inner, np.ones(1)
    elif inner.size > 1 and inner.shape[-1] != inner.size:
        x = one_scale_per_channel(p, x, node.input[position])
        inner = x.scale
    base, multipliers = aligned(per_input(inner, x.source) * w.row)
    integers = w.integers if multipliers.ndim == 0 else w.integers * multipliers.reshape(-1, 1)
    bias = np.zeros(())
    if x.bias.any():
        b = np.broadcast_to(x.bias, (*x.bias.shape[:-1], w.integers.shape[0]))
        bias = compact((b * w.row) @ w.integers * w.column * alpha)
    source = layers.matmul(p.graph, x.source, integers, f"{node.output[0]}_int")
    p.became(node, "integer", f"MatMul {source.name}", source.name)
    return Scaled(source, compact(outer * base * w.column * alpha), bias)


def matmul(p: Propagation, node: NodeProto) -> Value:
    """Constant weights on the right are a layer; everything else is a product of two tensors."""
    x, w = node.input
    if p.is_constant(w) and not p.is_constant(x) and p.constant(w, "weight tensor").ndim == 2:
        return linear(p, node, 0, weights(p, w))
    return _of_two(p, node)


def _centred(p: Propagation, x: Scaled, name: str) -> Scaled:
    """The same value with bias 0. Refused if the bias is no multiple of the scale."""
    if not x.bias.any():
        return x
    if not x.scale.all() or (offset := whole(x.bias / x.scale)) is None:
        raise Refused(
            "the zero point of its input is not an integer",
            "use a quantizer with an integer zero point in front",
            tensor=name,
        )
    source = layers.with_constant(p.graph, "Add", x.source, compact(offset), f"{name}_centred")
    return Scaled(source, x.scale)


def operand(p: Propagation, name: str) -> Scaled:
    """An operand of a product, computed or constant, with bias 0."""
    if not p.is_constant(name):
        return _centred(p, p.scaled_integer(name), name)
    x = constant_as_scaled(p, name, np.ones(()))
    if x is None:
        raise Refused("its constant operand is not quantized", "put a Quant node on it", tensor=name)
    return x


def _of_two(p: Propagation, node: NodeProto) -> Value:
    """(sx * qx) @ (sy * qy) == sx * sy * (qx @ qy) if the scales do not vary along the axis of the sum."""
    x, y = (operand(p, name) for name in node.input)
    rank = max(len(x.source.dims), len(y.source.dims))
    if min(len(x.source.dims), len(y.source.dims)) < 2:
        left, form = (True, "row") if len(x.source.dims) < 2 else (False, "column")
        where = node.input[0 if left else 1]
        raise Refused("it multiplies a vector", f"use a matrix with one {form}", tensor=where)
    sx, sy = with_rank(compact(x.scale), rank), with_rank(compact(y.scale), rank)
    if sx.shape[-1] > 1 or sy.shape[-2] > 1:
        raise Refused("the scale of an input varies along the axis of its sums", "use one scale per tensor")
    terms = x.source.dims[-1]
    spans = [Range(*(np.array(b) for b in v.source.bounds.span)) for v in (x, y)]
    product = layers.product_range(*spans)
    bounds = Range(product.low * terms, product.high * terms)
    batch = np.broadcast_shapes(x.source.dims[:-2], y.source.dims[:-2])
    shape = (*batch, x.source.dims[-2], y.source.dims[-1])
    inputs = [x.source.name, y.source.name]
    source = p.graph.integers("MatMul", inputs, f"{node.output[0]}_int", shape, bounds)
    p.became(node, "integer", f"MatMul {source.name}", source.name)
    return Scaled(source, compact(sx * sy))


def gemm(p: Propagation, node: NodeProto) -> Value:
    """alpha * (x @ W) + beta * C; what has another form is a MatMul by now, see `product_to_matmul`."""
    attributes = attributes_of(node)
    if attributes.get("transA", 0):
        raise Refused("it transposes its activation (transA=1)", "export the layer as x @ W")
    if not p.is_constant(node.input[1]):
        raise Refused("its weights are not constant", "export the product as MatMul, or quantize the weights")
    w = weights(p, node.input[1], transposed=bool(attributes.get("transB", 0)))
    if len(node.input) < 3 or not node.input[2]:
        return linear(p, node, 0, w, attributes.get("alpha", 1.0))
    c = p.constant(node.input[2], "bias") * np.float64(attributes.get("beta", 1.0))
    wanted = (1, w.integers.shape[1])
    if np.broadcast_shapes(wanted, c.shape) != wanted and c.ndim > 1:
        remedy = "use one number per output, or an Add behind the layer"
        raise Refused(f"its bias of shape {c.shape} does not fit {wanted}", remedy, tensor=node.input[2])
    y = linear(p, node, 0, w, attributes.get("alpha", 1.0))
    if c.size > 1 and c.shape[-1] != y.source.dims[-1]:
        raise Refused(
            f"its bias of shape {c.shape} does not fit an output of shape {y.source.shape}",
            "use one number per output",
            tensor=node.input[2],
        )
    return replace(y, bias=y.bias + compact(c))


# -------------------------------------------------------------------------------------------------------- convolution


def padded(p: Propagation, x: Scaled, pads: Sequence[int], name: str) -> Scaled:
    """The integers of channels-last x with 0 around the image. pads : before each spatial axis, then after each."""
    filler = np.zeros((), np.int64)
    if x.bias.any():
        found = whole(-x.bias / x.scale) if x.scale.all() else None
        if found is None:
            raise Refused(
                ZERO_PADDING, "use a quantizer with an integer zero point in front, or no padding", tensor=name
            )
        filler = compact(found)
    if filler.size > 1:  # one zero point per channel: count from it
        source = layers.with_constant(p.graph, "Sub", x.source, filler, f"{name}_centred")
        x, filler = Scaled(source, x.scale), np.zeros((), np.int64)
    value, half = int(filler.reshape(-1)[0]), len(pads) // 2
    whole_pads = [0, *pads[:half], 0, 0, *pads[half:], 0]
    return filled(p, x, whole_pads, value, name)


def filled(p: Propagation, x: Scaled, pads: Sequence[int], value: int, name: str) -> Scaled:
    """x with `value` among the integers around it. pads : before each axis, then after each."""
    rank = len(pads) // 2
    shape = tuple(n + a + b for n, a, b in zip(x.source.dims, pads[:rank], pads[rank:], strict=True))
    bounds = layers.widened(x.source.bounds, value)
    attributes: dict[str, Any] = {}
    if p.opset < 11:
        inputs, attributes = [x.source.name], {"pads": list(pads), "value": float(value)}
    else:
        fill = p.graph.constant(f"{name}_fill", np.array(value), narrowest_weight_type(np.array([value])))
        inputs = [x.source.name, p.graph.constant("pads", np.array(pads, np.int64)), fill]
    source = p.graph.integers("Pad", inputs, f"{name}_padded", shape, bounds, **attributes)
    return replace(x, source=source)


def conv(p: Propagation, node: NodeProto) -> Value:
    """A convolution of channels-last data. Weights are (O, *kernel, I / group)."""
    if node.domain != CHANNELS_LAST:
        raise Refused("its layout could not be changed to channels last", "use 1 to 3 spatial axes of static size")
    if not p.is_constant(node.input[1]):
        raise Refused("its weights are not constant", "make the weights an initializer")
    w, attributes = quantized_weights(p, node.input[1]), attributes_of(node)
    x = one_scale_per_channel(p, p.scaled_integer(node.input[0]), node.input[0])
    shape = p.model.get_tensor_shape(node.output[0])
    if shape is None:
        raise Refused("the shape of its output is not known", "run shape inference (cleanup_model)")
    bias = p.constant(node.input[2], "bias").astype(np.float64) if len(node.input) > 2 and node.input[2] else None
    group, pads = int(attributes.get("group", 1)), attributes["pads"]
    if any(pads) and x.bias.any():
        x = padded(p, x, pads, node.input[0])
        attributes = {**attributes, "pads": [0] * len(pads)}
    return convolution(p, node, x, w, bias, shape, {**attributes, "group": group})


def convolution(
    p: Propagation,
    node: NodeProto,
    x: Scaled,
    w: QuantizedConstant,
    bias: Array | None,
    shape: Sequence[int],
    attributes: dict[str, Any],
) -> Scaled:
    """(scale * q + b) * (row * W * column) + bias, where any padding is 0 and then b is, too."""
    group, out, width = attributes["group"], len(w.integers), w.integers.shape[-1]
    if w.scale.size != w.scale.shape[0] and w.scale.size != w.scale.shape[-1]:
        raise Refused(
            f"the scale of its weights has shape {w.scale.shape}",
            "use one scale, or one per output",
            tensor=node.input[1],
        )
    per_output = w.scale.shape[0] > 1
    row = np.ones(1) if per_output else w.scale.reshape(-1)
    column = w.scale.reshape(-1) if per_output else np.ones(1)
    scales = np.broadcast_to(per_input(x.scale, x.source), width * group).reshape(group, width) * row
    base, multipliers = _aligned_in_groups(scales)
    groups = np.arange(out) // (out // group)
    tall = (-1,) + (1,) * (w.integers.ndim - 2) + (width,)
    integers = w.integers if multipliers is None else w.integers * multipliers[groups].reshape(tall)
    offset = np.zeros(()) if bias is None else compact(bias.reshape(-1))
    if x.bias.any():
        inner = np.broadcast_to(per_input(x.bias, x.source), width * group).reshape(group, width) * row
        sums = w.integers.reshape(out, -1, width).sum(1, dtype=np.int64)
        offset = offset + (inner[groups] * sums).sum(1) * column
    source = layers.conv(p.graph, x.source, integers, f"{node.output[0]}_int", shape, attributes)
    p.became(node, "integer", f"Conv {source.name}", source.name)
    return Scaled(source, compact(base[groups] * column), compact(offset))


def _aligned_in_groups(scales: Array) -> tuple[Array, IntArray | None]:
    """(base per group, integers per group and input) with scales == base * integers; None if they are all 1."""
    if (scales == scales[:, :1]).all():
        return scales[:, 0], None
    pairs = [aligned(row) for row in scales]
    multipliers = np.stack([np.broadcast_to(m, scales.shape[1]) for _, m in pairs])
    return np.array([base for base, _ in pairs]), multipliers


def conv_transpose(p: Propagation, node: NodeProto) -> Value:
    """A convolution of the image with zeros between its elements, see `lower_conv_transpose`."""
    if not p.is_constant(node.input[1]):
        raise Refused("its weights are not constant", "make the weights an initializer")
    x, w = p.scaled_integer(node.input[0]), quantized_weights(p, node.input[1])
    rank, shape = len(x.source.dims), p.model.get_tensor_shape(node.output[0])
    if shape is None or rank < 3:
        raise Refused("the shape of its output is not known", "run shape inference (cleanup_model)")
    last = to_last(rank)
    try:
        refs = [TensorRef.of(p.model, name) for name in node.input[:2]]
        c, extra = of_conv_transpose(call_of(node), *refs)
    except NoMatch as why:
        raise Refused(str(why), "export it with standard attributes") from why
    y = x.moved(p.graph.transpose(x.source, last), lambda a: compact(with_rank(a, rank).transpose(last)))
    reach = [d * (k - 1) for k, d in zip(c.kernel, c.dilations, strict=True)]
    begins = [r - b for r, b in zip(reach, c.begins, strict=True)]
    ends = [r - b + e - (s - 1) for r, b, e, s in zip(reach, c.ends, extra, c.strides, strict=True)]
    y = _cropped(
        p,
        padded(p, _spread(p, y, c.strides, node.input[0]), [max(a, 0) for a in (*begins, *ends)], node.input[0]),
        begins,
        ends,
    )
    bias = p.constant(node.input[2], "bias").astype(np.float64) if len(node.input) > 2 and node.input[2] else None
    attributes = {
        "kernel_shape": list(c.kernel), "strides": [1] * c.axes, "dilations": list(c.dilations),
        "pads": [0] * (2 * c.axes), "group": c.group,
    }  # fmt: skip
    out = convolution(p, node, y, _flipped(w, c.group), bias, [shape[i] for i in last], attributes)
    first = to_first(rank)
    return out.moved(p.graph.transpose(out.source, first), lambda a: compact(with_rank(a, rank).transpose(first)))


def _flipped(w: QuantizedConstant, group: int) -> QuantizedConstant:
    """Weights (I, O / group, *kernel) as (O, *kernel, I / group), the kernel backwards."""

    def flip(a: Array, parts: int) -> Array:
        a = a.reshape(parts, a.shape[0] // parts, *a.shape[1:])
        a = a[(slice(None),) * 3 + (slice(None, None, -1),) * (a.ndim - 3)]
        a = np.moveaxis(a, 1, -1)
        return np.asarray(a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]))

    scale = w.scale
    if scale.shape[0] > 1 and group > 1:
        raise Refused("the scale of its weights varies over the inputs of its groups", "use one scale per output")
    per_output = scale.shape[1] > 1
    scale = np.repeat(scale, group, axis=0) if per_output else scale
    return QuantizedConstant(flip(w.integers, group), flip(scale, group if per_output else 1))


def _spread(p: Propagation, x: Scaled, strides: Sequence[int], name: str) -> Scaled:
    """stride - 1 zeros behind each element of channels-last x: each becomes the first of an axis padded to stride."""
    if max(strides) == 1:
        return x
    batch, *size, channels = x.source.dims
    apart = [n for pair in zip(size, [1] * len(size), strict=True) for n in pair]
    pads = [0, *([0, 0] * len(size)), 0, 0, *(n for s in strides for n in (0, s - 1)), 0]
    if x.bias.any() and compact(x.bias / x.scale).size > 1:
        x = _centred(p, x, name)
    filler = whole(-x.bias / x.scale)
    if filler is None:
        raise Refused(ZERO_PADDING, "use a quantizer with an integer zero point in front", tensor=name)
    y = filled(p, p.reshape(x, (batch, *apart, channels)), pads, int(filler.reshape(-1)[0]), name)
    return p.reshape(y, (batch, *(n * s for n, s in zip(size, strides, strict=True)), channels))


def _cropped(p: Propagation, x: Scaled, begins: Sequence[int], ends: Sequence[int]) -> Scaled:
    """Without the elements that negative padding takes away from channels-last x."""
    cut = [(i + 1, max(-b, 0), max(-e, 0)) for i, (b, e) in enumerate(zip(begins, ends, strict=True)) if min(b, e) < 0]
    for axis, front, back in cut:
        dims = list(x.source.dims)
        limits = [np.array([v], np.int64) for v in (front, dims[axis] - back, axis)]
        dims[axis] -= front + back
        if p.opset < 10:
            inputs = [x.source.name]
            attributes: dict[str, Any] = {"starts": [front], "ends": [int(limits[1][0])], "axes": [axis]}
        else:
            inputs = [x.source.name, *(p.graph.constant("limits", v) for v in limits)]
            attributes = {}
        source = p.graph.integers("Slice", inputs, f"{x.source.name}_cut", tuple(dims), x.source.bounds, **attributes)
        x = replace(x, source=source)
    return x


# -------------------------------------------------------------------------------------------------------------- pools


def rising(p: Propagation, name: str) -> Scaled:
    """The activation with integers that rise with it, whatever the channel. Refused if its tail may rise and fall."""
    x = p.activation(name)
    if x.source.range is None:
        raise Refused(x.source.culprit or "its input is not quantized", "put a quantizer in front", tensor=name)
    slopes = x.slopes()
    if slopes is None:
        x = p.scaled_integer(name)
        slopes = np.sign(compact(x.scale)).reshape(-1)
    falls = slopes < 0
    if not falls.any():
        return x
    if falls.size > 1 and falls.size != x.source.dims[-1]:
        raise Refused("its input falls along an axis that is not the last", "use positive scales", tensor=name)
    if x.source.rescaled is not None:
        return negated(p.graph, x, falls)
    signs = np.where(falls, -1, 1)
    signs = signs.reshape(()) if signs.size == 1 else signs
    source = layers.with_constant(p.graph, "Mul", x.source, signs, f"{name}_rising")
    return replace(x, source=source, scale=x.scale * signs)


def max_pool(p: Propagation, node: NodeProto) -> Value:
    """The greatest of increasing functions of integers is that of the greatest integer."""
    if len(node.output) > 1 and node.output[1]:
        raise Refused("its indices are used", "use MaxPool without indices")
    x = rising(p, node.input[0])
    shape = p.model.get_tensor_shape(node.output[0])
    axes = len(x.source.dims) - 2
    varying = any(with_rank(compact(c), axes + 2).shape[1:-1] != (1,) * axes for c in x.arrays)
    if shape is None or (varying and node.domain):
        raise Refused("its input has a scale that varies over the image", "use one scale per tensor or channel")
    out = p.graph.copy(node, [x.source.name])[0]
    p.graph.shapes[out] = tuple(shape)
    p.graph.note(out, x.source.bounds, p.datatype(x.source))
    p.became(node, "integer", f"{node.op_type} {out}", out)
    return replace(x, source=Source(out, tuple(shape), x.source.bounds))


def reduced(p: Propagation, node: NodeProto) -> Value:
    """ReduceMean, ReduceSum and GlobalAveragePool: the sum of the integers."""
    x = p.scaled_integer(node.input[0])
    rank = len(x.source.dims)
    axes, keep = reduced_axes(p, node, rank)
    if not axes:
        p.became(node, "dropped", "it changes nothing")
        return x
    for c in (x.scale, x.bias):
        if any(with_rank(compact(c), rank).shape[a] > 1 for a in axes):
            raise Refused("the scale of its input varies along an axis of its sums", "use one scale per tensor")
    count = int(np.prod([x.source.dims[a] for a in axes]))
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.source.dims) if keep or a not in axes)

    def drop(c: Array) -> Array:
        full = with_rank(compact(c), rank)
        return compact(full if keep else full.squeeze(tuple(axes)))

    given = ((x.source.bounds.low, np.min), (x.source.bounds.high, np.max))
    bounds = layers.simplified(*(_of_axes(b, rank, axes, keep, extreme) * count for b, extreme in given))
    if p.opset < 13:
        source = p.graph.integers(
            "ReduceSum", [x.source.name], f"{node.output[0]}_int", shape, bounds, axes=axes, keepdims=int(keep)
        )
    else:
        inputs = [x.source.name, p.graph.constant("axes", np.array(axes, np.int64))]
        source = p.graph.integers("ReduceSum", inputs, f"{node.output[0]}_int", shape, bounds, keepdims=int(keep))
    p.became(node, "integer", f"ReduceSum {source.name}", source.name)
    parts = 1 if node.op_type == "ReduceSum" else count
    return Scaled(source, drop(x.scale) / parts, drop(x.bias) * (count / parts))


def reduced_axes(p: Propagation, node: NodeProto, rank: int) -> tuple[list[int], bool]:
    """The axes that a reduction takes away, ascending, none if it changes nothing; and whether they stay with length 1.

    They are an attribute or an input. Without any they are all of them, unless noop_with_empty_axes is set.
    """
    attributes = attributes_of(node)
    axes = attributes.get("axes")
    if len(node.input) > 1 and node.input[1]:
        axes = p.constant(node.input[1], "axes").tolist()
    if node.op_type in {"AveragePool", "GlobalAveragePool", "GlobalMaxPool"}:
        axes = list(range(2, rank))
    if not axes:
        axes = [] if attributes.get("noop_with_empty_axes") else list(range(rank))
    return sorted(a % rank for a in axes), bool(attributes.get("keepdims", 1))


def average_pool(p: Propagation, node: NodeProto) -> Value:
    """One window, the whole image; others are convolutions by now, see `average_pool_to_conv`."""
    attributes, shape = attributes_of(node), p.model.get_tensor_shape(node.input[0]) or []
    bordered = attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or any(attributes.get("pads", ()))
    if not bordered and list(shape[2:]) == list(attributes["kernel_shape"]):
        return reduced(p, node)
    why, remedy = "count_include_pad=0 with padding", "use count_include_pad=1, or no padding"
    if attributes.get("ceil_mode") and not _windows_fit(p, node):
        why, remedy = "ceil_mode=1: the last ones reach beyond it", "use ceil_mode=0, or another size of the image"
    raise Refused(f"its windows at the border of the image have different sizes ({why})", remedy)


def _windows_fit(p: Propagation, node: NodeProto) -> bool:
    x = TensorRef.of(p.model, node.input[0])
    weights_like = replace(x, shape=(1, 1, *attributes_of(node)["kernel_shape"]))
    try:
        return windows_fit(of_conv(call_of(node), x, weights_like), x.sizes[2:])
    except NoMatch:
        return False


def _of_axes(b: Array, rank: int, axes: Sequence[int], keep: bool, f: Any) -> Array:
    """The extreme of bounds over the axes that are summed."""
    full = with_rank(compact(np.asarray(b)), rank)
    full = f(full, axis=tuple(axes), keepdims=True)
    return compact(full if keep else full.squeeze(tuple(axes)))
