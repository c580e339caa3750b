"""Operators of ONNX that are bound to channels first, by those of `finn.custom_op.channels_last`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from finn.core.domains import CHANNELS_LAST
from finn.core.numpy_ops import BATCHNORM_EPSILON
from finn.transformation._layout_rules import to_first, to_last
from finn.transformation.constants import annotated, is_fixed, rearranged, shape_of
from finn.transformation.convolution import Convolution, of_conv
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, op, require, rule

x, w, b = Var("x"), Var("w"), Var("b")
gamma, beta, mean, var = Var("gamma"), Var("beta"), Var("mean"), Var("var")
MOMENTUM = 0.9
"""The default of BatchNormalization."""


def _around(f: Call, x: TensorRef, *others: Any, **attributes: Any) -> Call:
    """transpose(f_channels_last(transpose(x), others))"""
    require(x.rank in (3, 4, 5), "only for 1-D, 2-D and 3-D images")
    last = annotated(op.Transpose(x, perm=to_last(x.rank)), x.datatype)
    inner = Call(f.op, (last, *others), attributes, CHANNELS_LAST, name=f.name)
    typed = inner if f.result is None else annotated(inner, f.result.datatype)
    return op.Transpose(typed, perm=to_first(x.rank))


def _conv(f: Call, x: TensorRef, w: TensorRef, *bias: TensorRef) -> Call:
    geometry = of_conv(f, x, w)
    perm = to_last(x.rank)
    if is_fixed(w):
        shape = shape_of(w)
        weights = rearranged(w, np.arange(int(np.prod(shape))).reshape(shape).transpose(perm))
    else:
        weights = annotated(op.Transpose(w, perm=perm), w.datatype)
    return _around(f, x, weights, *bias, group=geometry.group, **_explicit(geometry))


def _explicit(c: Convolution) -> dict[str, list[int]]:
    window = {"kernel_shape": c.kernel, "strides": c.strides, "dilations": c.dilations, "pads": c.pads}
    return {name: list(values) for name, values in window.items()}


@rule(op.Conv(x, w).named("f"), shapes="x:n,c,t,m w:k,c,3,2 | x:n,c,t w:k,c,3")
def conv_channels_last(x: TensorRef, w: TensorRef, f: Call) -> Call:
    """conv(x, w) == first(conv_last(last(x), last(w)))"""
    return _conv(f, x, w)


@rule(
    op.Conv(x, w, b).named("f"),
    shapes="x:n,h,t,m w:m,2,3,2 b:m",
    attributes={"f": {"group": 2, "strides": [2, 1], "auto_pad": "SAME_LOWER"}},
)
def conv_with_bias_channels_last(x: TensorRef, w: TensorRef, b: TensorRef, f: Call) -> Call:
    """conv(x, w, b) == first(conv_last(last(x), last(w), b))"""
    return _conv(f, x, w, b)


@rule(
    op.MaxPool(x).named("f"),
    shapes="x:n,c,t,m | x:n,c,t,t",
    attributes={"f": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 0]}},
)
def max_pool_channels_last(x: TensorRef, f: Call) -> Call:
    """max_pool(x) == first(max_pool_last(last(x)))"""
    kernel = f.attributes["kernel_shape"]
    # The windows of a pool are those of a convolution with weights of that size.
    geometry = of_conv(f, x, replace(x, shape=(1, 1, *kernel)))
    window = _explicit(geometry)
    reach = [d * (k - 1) + 1 for k, d in zip(geometry.kernel, geometry.dilations, strict=True)]
    require(all(pad < size for pad, size in zip(geometry.pads, reach * 2, strict=True)), "a window of padding only")
    if max(geometry.dilations) == 1:
        del window["dilations"]
    return _around(f, x, ceil_mode=1 if f.attributes.get("ceil_mode") else None, **window)


@rule(
    op.BatchNormalization(x, gamma, beta, mean, var).named("f"),
    shapes="x:n,c,h,k gamma:c beta:c mean:c var:c | x:n,c,k gamma:c beta:c mean:c var:c",
    equivalent={"another momentum of BatchNormalization": "only training reads it"},
)
def batchnorm_channels_last(
    x: TensorRef, gamma: TensorRef, beta: TensorRef, mean: TensorRef, var: TensorRef, f: Call
) -> Call:
    """batchnorm(x) == first(batchnorm_last(last(x)))"""
    attributes = f.attributes
    require(not attributes.get("training_mode") and attributes.get("spatial", 1), "statistics of its own")
    epsilon, momentum = attributes.get("epsilon", BATCHNORM_EPSILON), attributes.get("momentum", MOMENTUM)
    return _around(f, x, gamma, beta, mean, var, epsilon=epsilon, momentum=momentum)


CHANNELS_LAST_FORMS: tuple[Rule, ...] = (
    conv_channels_last,
    conv_with_bias_channels_last,
    max_pool_channels_last,
    batchnorm_channels_last,
)
