"""Equations that are applied before the layout is changed.

Average pools are what they are to integers: sums, and a division that the scale absorbs. A Gemm that is no layer
becomes its products and sums. Quantizers in front of a fully connected layer stand in front of the Flatten, so that the
layout of what is flattened can go into the weights; those behind a Concat stand in front of it, where each of its parts
is a tail of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.constants import is_fixed, shape_of
from finn.transformation.convolution import Convolution, of_conv
from finn.transformation.normal_forms import gemm_to_matmul
from finn.transformation.rewrite import Call, Const, Rule, TensorRef, Var, maybe, op, require, rule

x, y, z, u, c = Var("x"), Var("y"), Var("z"), Var("u"), Var("c")
k, axes, value = Const("k"), Const("axes"), Const("value")


@rule(
    op.AveragePool(x).named("f"),
    shapes="x:n,c,4,4 | x:n,c,4,5 | x:n,c,4,5 | x:n,c,4,5",
    attributes=[
        {"f": {"kernel_shape": [2, 2], "strides": [2, 1]}},
        {"f": {"kernel_shape": [2, 2], "strides": [2, 3], "ceil_mode": 1}},
        {"f": {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}},
        {"f": {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1}},
    ],
)
def average_pool_to_conv(x: TensorRef, f: Call) -> Call:
    """average_pool(x) == conv(x, ones) / size, channel by channel"""
    kernel = [int(k) for k in f.attributes["kernel_shape"]]
    channels = x.sizes[1]
    kind = helper.tensor_dtype_to_np_dtype(x.model.get_tensor_elem_type(x.name) or TensorProto.FLOAT)
    ones = np.ones((channels, 1, *kernel), kind)
    # The windows of a pool are those of a convolution with weights of that size.
    window = of_conv(f, x, replace(x, shape=ones.shape))
    padded = any((*window.begins, *window.ends))
    require(not f.attributes.get("ceil_mode") or windows_fit(window, x.sizes[2:]), "windows reach beyond the image")
    require(not padded or f.attributes.get("count_include_pad"), "windows of different sizes at the border")
    require(kernel != list(x.sizes[2:]) or padded, "one window: a reduction over the image")
    size = float(np.prod(kernel))
    total = op.Conv(
        x, ones, group=channels, kernel_shape=kernel, strides=list(window.strides), dilations=list(window.dilations),
        pads=[*window.begins, *window.ends],
    )  # fmt: skip
    return op.Div(replace(total, name=f.name), np.array(size, kind))


def windows_fit(window: Convolution, size: Sequence[int]) -> bool:
    """Whether the last windows end where the padded image ends, so that ceil_mode makes no difference."""
    reach = (d * (n - 1) + 1 for n, d in zip(window.kernel, window.dilations, strict=True))
    rest = (n + b + e - r for n, b, e, r in zip(size, window.begins, window.ends, reach, strict=True))
    return all(n % s == 0 for n, s in zip(rest, window.strides, strict=True))


@rule(
    op.Gemm(x, y, maybe(c)).named("gemm"),
    shapes="x:k,n y:m,k c:m | x:n,k y:k,m c:n,1 | x:n,k y:k,m",
    attributes=[{"gemm": {"transA": 1, "transB": 1, "alpha": 2.0, "beta": 0.5}}, {}, {"gemm": {"beta": 3.0}}],
)
def product_to_matmul(x: TensorRef, y: TensorRef, c: TensorRef | None, gemm: Call) -> Call:
    """gemm(x, y, c) == alpha * (x^ta @ y^tb) + beta * c, unless y is constant and c one number per column"""
    require(not _is_layer(x, y, c, gemm), "it is a layer with constant weights and bias")
    call: Call = gemm_to_matmul.body(x, y, c, gemm)
    return call


def _is_layer(x: TensorRef, y: TensorRef, c: TensorRef | None, gemm: Call) -> bool:
    plain = not gemm.attributes.get("transA") and is_fixed(y) and not is_fixed(x)
    return plain and (c is None or (is_fixed(c) and all(n == 1 for n in shape_of(c)[:-1])))


@rule(op.Mean(x, y), shapes="x:n,k y:n,k | x:n,k y:k")
def mean_of_two(x: TensorRef, y: TensorRef) -> Call:
    """mean(x, y) == sum(x, y) / 2"""
    return _mean(x, y)


@rule(op.Mean(x, y, z), shapes="x:n,k y:n,k z:k")
def mean_of_three(x: TensorRef, y: TensorRef, z: TensorRef) -> Call:
    """mean(x, y, z) == sum(x, y, z) / 3"""
    return _mean(x, y, z)


@rule(op.Mean(x, y, z, u), shapes="x:n,k y:n,k z:k u:n,1")
def mean_of_four(x: TensorRef, y: TensorRef, z: TensorRef, u: TensorRef) -> Call:
    """mean(x, y, z, u) == sum(x, y, z, u) / 4"""
    return _mean(x, y, z, u)


def _mean(*parts: TensorRef) -> Call:
    kind = helper.tensor_dtype_to_np_dtype(parts[0].model.get_tensor_elem_type(parts[0].name) or TensorProto.FLOAT)
    return op.Div(op.Sum(*parts), np.array(len(parts), kind))


@rule(
    op.Pad(x, k, maybe(value), axes).named("f"),
    shapes="x:n,c,h value: | x:n,c,h",
    values={"k": [1, 0, 2, 3], "axes": [2, -2]},
)
def pad_all_axes(x: TensorRef, k: np.ndarray, value: np.ndarray | None, axes: np.ndarray, f: Call) -> Call:
    """pad(x, k, value, axes) == pad(x, k at the axes and 0 elsewhere, value)"""
    full = np.zeros((2, len(x.sizes)), np.int64)
    full[:, axes] = k.reshape(2, -1)
    return f.on(x, full.reshape(-1)) if value is None else f.on(x, full.reshape(-1), value)


PREPARATIONS: tuple[Rule, ...] = (
    average_pool_to_conv,
    product_to_matmul,
    mean_of_two,
    mean_of_three,
    mean_of_four,
    pad_all_axes,
)


QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant")


def quantize_before_flattening(model: ModelWrapper) -> bool:
    """quant(flatten(x)) becomes flatten(quant(x)), and quant(concat(x, y)) concat(quant(x), quant(y)).

    The quantizer has one scale and is the only reader. A quantizer of the flattened graph input stays, so that the
    input is flattened first; one behind branches that all have the same quantizer stays, too. Returns whether some
    moved.
    """
    changed = False
    with model.trusted_index():
        waiting = [node for node in reversed(model.graph.node) if node.op_type in QUANTIZERS]
        while waiting:
            node = waiting.pop()
            before = model.find_producer(node.input[0])
            if before is None or not _is_free(model, node, before):
                continue
            if _flattens(model, before):
                _swap(model, before, node)
                changed = True
            elif before.op_type == "Concat" and not _quantized_alike(model, before):
                waiting += _distribute(model, before, node)
                changed = True
    return changed


def _is_free(model: ModelWrapper, quant: NodeProto, before: NodeProto) -> bool:
    """Whether the quantizer has one scale, and nothing else reads what it quantizes."""
    parameters = [model.get_initializer(name) for name in quant.input[1:]]
    only = model.find_consumers(before.output[0]) == [quant] and not model.is_graph_output(before.output[0])
    return only and all(p is not None and p.size == 1 for p in parameters)


def _flattens(model: ModelWrapper, node: NodeProto) -> bool:
    computed = model.find_producer(node.input[0]) is not None
    return node.op_type in ("Flatten", "Reshape") and computed and len(model.get_tensor_shape(node.input[0]) or ()) > 2


def _quantized_alike(model: ModelWrapper, concat: NodeProto) -> bool:
    """Whether all branches come from quantizers with the same parameters: their integers stand side by side."""
    makers = [model.find_producer(name) for name in concat.input]
    quantizers = [node for node in makers if node is not None and node.op_type in QUANTIZERS]
    values = [[np.ravel(np.asarray(model.get_initializer(name))).tolist() for name in n.input[1:3]] for n in quantizers]
    same = all(v == values[0] for v in values)
    return len(quantizers) == len(makers) and same


def _distribute(model: ModelWrapper, concat: NodeProto, quant: NodeProto) -> list[NodeProto]:
    """The quantizer on every input of the Concat, which writes what it wrote. Returns the new quantizers."""
    place, y = model.get_node_index(concat) or 0, quant.output[0]
    joined = NodeProto()
    joined.CopyFrom(concat)
    joined.output[0] = y
    parts: dict[str, NodeProto] = {}
    for i, name in enumerate(concat.input):
        if name not in parts:
            parts[name] = NodeProto()
            parts[name].CopyFrom(quant)
            parts[name].name = quant.name if not i else f"{quant.name}_{i}"
            parts[name].input[0], parts[name].output[0] = name, model.unique_tensor_name(f"{y}_part")
            _as_scalars(model, parts[name])
            model.set_tensor_shape(
                parts[name].output[0], model.get_tensor_shape(name), model.get_tensor_elem_type(name) or None
            )
        joined.input[i] = parts[name].output[0]
    for node in (concat, quant):
        model.remove_node(node)
    model.insert_node(place, joined)
    return [model.insert_node(place, part) for part in reversed(parts.values())]


def _as_scalars(model: ModelWrapper, quant: NodeProto) -> None:
    """Give a quantizer parameters without axes, which fit tensors of any rank."""
    for i, name in enumerate(quant.input[1:], 1):
        quant.input[i] = model.unique_tensor_name(f"{name}_scalar")
        model.set_initializer(quant.input[i], np.reshape(np.asarray(model.get_initializer(name)), ()))


def _swap(model: ModelWrapper, flat: NodeProto, quant: NodeProto) -> None:
    """The two nodes change places; the tensors keep their producers' names."""
    x, y = flat.input[0], quant.output[0]
    inner = model.unique_tensor_name(f"{x}_quantized")
    model.set_tensor_shape(inner, model.get_tensor_shape(x), model.get_tensor_elem_type(x) or None)
    first, second = NodeProto(), NodeProto()
    first.CopyFrom(quant)
    second.CopyFrom(flat)
    first.input[0], first.output[0], second.input[0], second.output[0] = x, inner, inner, y
    _as_scalars(model, first)
    place = model.get_node_index(flat) or 0
    for node in (flat, quant):
        model.remove_node(node)
    model.insert_node(place, second)
    model.insert_node(place, first)
