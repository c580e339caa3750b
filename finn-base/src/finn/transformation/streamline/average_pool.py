"""Average pools as what they are to integers: sums, and a division that the scale absorbs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
    ones = np.ones((channels, 1, *kernel), np.float32)
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
    return op.Div(replace(total, name=f.name), np.array(size, np.float32))


AVERAGE_POOLS: tuple[Rule, ...] = (average_pool_to_conv,)
