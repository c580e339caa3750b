"""Equations that are applied before the layout is changed.

Average pools are what they are to integers: sums, and a division that the scale absorbs. Quantizers in front of a
fully connected layer stand in front of the Flatten, so that the layout of what is flattened can go into the weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.convolution import of_conv
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, op, require, rule

x = Var("x")


@rule(
    op.AveragePool(x).named("f"),
    shapes="x:n,c,4,4 | x:n,c,4,5",
    attributes=[
        {"f": {"kernel_shape": [2, 2], "strides": [2, 1]}},
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
    require(not f.attributes.get("ceil_mode"), "windows reach beyond the image")
    require(not padded or f.attributes.get("count_include_pad"), "windows of different sizes at the border")
    require(kernel != list(x.sizes[2:]) or padded, "one window: a reduction over the image")
    size = float(np.prod(kernel))
    total = op.Conv(
        x, ones, group=channels, kernel_shape=kernel, strides=list(window.strides), dilations=list(window.dilations),
        pads=[*window.begins, *window.ends],
    )  # fmt: skip
    return op.Div(replace(total, name=f.name), np.array(size, kind))


PREPARATIONS: tuple[Rule, ...] = (average_pool_to_conv,)


def quantize_before_flattening(model: ModelWrapper) -> bool:
    """quant(flatten(x)) becomes flatten(quant(x)) where the quantizer has one scale and x is computed.

    A quantizer of the flattened graph input stays, so that the input is flattened first. Returns whether some moved.
    """
    changed = False
    with model.trusted_index():
        for node in list(model.graph.node):
            flat = model.find_producer(node.input[0]) if node.op_type in ("Quant", "IntQuant", "BipolarQuant") else None
            if flat is not None and _moves_up(model, node, flat):
                _swap(model, flat, node)
                changed = True
    return changed


def _moves_up(model: ModelWrapper, quant: NodeProto, flat: NodeProto) -> bool:
    parameters = [model.get_initializer(name) for name in quant.input[1:]]
    return (
        flat.op_type in ("Flatten", "Reshape")
        and len(model.get_tensor_shape(flat.input[0]) or ()) > 2
        and model.find_producer(flat.input[0]) is not None
        and all(p is not None and p.size == 1 for p in parameters)
        and model.find_consumers(flat.output[0]) == [quant]
        and not model.is_graph_output(flat.output[0])
    )


def _swap(model: ModelWrapper, flat: NodeProto, quant: NodeProto) -> None:
    """The two nodes change places; the tensors keep their producers' names."""
    x, y = flat.input[0], quant.output[0]
    inner = model.unique_tensor_name(f"{x}_quantized")
    model.set_tensor_shape(inner, model.get_tensor_shape(x), model.get_tensor_elem_type(x) or None)
    first, second = NodeProto(), NodeProto()
    first.CopyFrom(quant)
    second.CopyFrom(flat)
    first.input[0], first.output[0], second.input[0], second.output[0] = x, inner, inner, y
    for i, name in enumerate(quant.input[1:], 1):  # scalars fit tensors of any rank
        first.input[i] = model.unique_tensor_name(f"{name}_scalar")
        value = model.get_initializer(name)
        model.set_initializer(first.input[i], np.reshape(np.asarray(value), ()))
    place = model.get_node_index(flat) or 0
    for node in (flat, quant):
        model.remove_node(node)
    model.insert_node(place, second)
    model.insert_node(place, first)
