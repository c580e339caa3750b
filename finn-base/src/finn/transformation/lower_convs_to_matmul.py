"""Conv becomes Im2Col and MatMul.

    conv(x, w) == nchw(im2col(nhwc(x)) @ w')

w' has shape (kh * kw * IFM, OFM), its rows in the order (kh, kw, ifm) of Im2Col's innermost axis. A group g of output
channels sees the rows of its own input channels only: w' is block-diagonal, the rest are zeros. Depthwise weights
(group == IFM == OFM) say so in an annotation of their sparsity.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import Fixed, annotated, rearranged, rewrite_with_constants, shape_of
from finn.transformation.convolution import Convolution, of_conv, spatial_size
from finn.transformation.extract_conv_bias import over_channels_of
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, maybe, near_misses, op, require, rule
from finn.transformation.standard_ops import squeeze, unsqueeze
from finn.util.basic import auto_pad_to_explicit_padding

x, b = Var("x"), Var("b")
w = Fixed("w")


@rule(
    op.Conv(x, w, maybe(b)).named("conv"),
    shapes="x:n,c,k,h w:m,c,3,2 b:m | x:n,c,t w:m,c,3 | x:n,c,t w:m,c,1 b:m "
    "| x:n,6,k,1 w:6,1,2,1 b:6 | x:n,4,t w:6,2,2",
    attributes=[
        {"conv": {"strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}},
        {"conv": {"strides": [2], "pads": [1, 0], "dilations": [2]}},
        {},
        {"conv": {"group": 6, "auto_pad": "SAME_LOWER"}},
        {"conv": {"group": 2, "kernel_shape": [2]}},
    ],
    equivalent={"another depthwise of Im2Col": "it is a mark for what reads the columns, and changes no value"},
)
def conv_to_matmul(x: TensorRef, w: TensorRef, b: TensorRef | None, conv: Call) -> Call:
    """conv(x, w, b) == nchw(im2col(nhwc(x)) @ w') + b; in 1-D with a second axis of length 1, and without im2col where
    each output depends on one place"""
    c = _lowerable(x, w, conv)
    result = conv.result.datatype if b is None and conv.result is not None else DataType["FLOAT32"]
    if c.axes == 1 and not c.is_pointwise:
        image = annotated(unsqueeze(x.model, x, [3]), x.datatype)
        product = annotated(_product(image, x, w, c.with_axis()), result)
        lowered = squeeze(x.model, annotated(op.Transpose(product, perm=[0, 3, 1, 2]), result), [3])
    else:
        product = annotated(_product(x, x, w, c), result)
        lowered = op.Transpose(product, perm=[0, c.axes + 1, *range(1, c.axes + 1)])
    return lowered if b is None else op.Add(lowered, over_channels_of(b, c.axes + 2))


LOWER_CONVS: tuple[Rule, ...] = (conv_to_matmul,)


def _lowerable(x: TensorRef, w: TensorRef, conv: Call) -> Convolution:
    """The geometry of the convolution. NoMatch if it cannot become Im2Col and MatMul."""
    c = of_conv(conv, x, w)
    require(c.axes <= 2, f"the kernel has {c.axes} axes, only 1 and 2 are supported")
    outputs, inputs = shape_of(w)[:2]
    require(outputs % c.group == 0, f"{outputs} output channels cannot be split into {c.group} groups")
    channels = (x.shape or (0, 0))[1]
    require(channels in (0, inputs * c.group), f"x has {channels} channels, the weights want {inputs * c.group}")
    if not c.is_pointwise:
        spatial_size(x)
        padded = any(c.pads)
        zero = not x.datatype.is_integer() or x.datatype.allowed(0)  # SCALEDINT cannot tell, and has 0
        require(not padded or zero, f"it is padded by 0, but its input '{x.name}' is {x.datatype}")
    return c


def _product(image: Any, x: TensorRef, w: TensorRef, c: Convolution) -> Call:
    """im2col(nhwc(image)) @ w'. image: x, or an expression of the same channels, with as many axes as c wants."""
    shape = shape_of(w)
    rank = c.axes + 2
    rows = annotated(op.Transpose(image, perm=[0, *range(2, rank), 1]), x.datatype)
    if not c.is_pointwise:
        height, width = (*spatial_size(x), 1)[:2]
        unfolded = op.Im2Col(
            rows, kernel_size=list(c.kernel), stride=list(c.strides), pad_amount=list(c.pads),
            dilations=list(c.dilations), input_shape=f"(1,{height},{width},{shape[1] * c.group})",
            depthwise=int(_is_depthwise(shape, c.group)),
        )  # fmt: skip
        rows = annotated(unfolded, x.datatype)
    return op.MatMul(rows, rearranged(w, _matrix_index(shape, c.group)))


def _is_depthwise(shape: Sequence[int], group: int) -> bool:
    """Whether each channel is convolved with one kernel of its own. shape: (OFM, IFM / group, *kernel)."""
    return shape[1] == 1 and shape[0] == group


def _matrix_index(shape: Sequence[int], group: int) -> np.ndarray:
    """Places of the weights (OFM, IFM/group, *kernel) in the matrix (prod(kernel) * IFM, OFM); -1 off the blocks."""
    ofm, ifm = shape[:2]
    rows = np.arange(int(np.prod(shape))).reshape(shape)
    place: np.ndarray = np.moveaxis(rows, (0, 1), (-1, -2))  # (*kernel, IFM/group, OFM)
    if group > 1:
        dense = np.full((*shape[2:], ifm * group, ofm), -1)
        for g in range(group):
            columns = slice(g * ofm // group, (g + 1) * ofm // group)
            dense[..., g * ifm : (g + 1) * ifm, columns] = place[..., columns]
        place = dense
    return place.reshape(-1, ofm)


# ------------------------------------------------------------------------------------------------------ transformation


class LowerConvsToMatMul(Transformation):
    """Conv with constant weights (plain, or behind a quantizer) as Transpose, Im2Col, MatMul, Transpose.

    1-D convolutions get a second spatial axis of length 1; a bias becomes an Add behind; pointwise convolutions need no
    Im2Col. The weights keep their name, data type and quantizer. Warns about each Conv that stays, with the reason.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            before = {n.output[0]: n.input[1] for n in model.graph.node if n.op_type == "Conv" and not n.domain}
            depthwise = {output: kernel for output in before if (kernel := _depthwise_kernel(model, output))}
            changed = rewrite_with_constants(model, LOWER_CONVS)
            if changed:
                _name_weights(model, before, depthwise)
            else:
                for miss in near_misses(model, conv_to_matmul):
                    warnings.warn(f"{miss.node} is not lowered to MatMul: {miss.reason}", stacklevel=2)
        return model, changed


def _depthwise_kernel(model: ModelWrapper, output: str) -> list[int] | None:
    """The kernel of the Conv that makes `output`, if it is depthwise."""
    node = model.find_producer(output)
    shape = (node and model.get_tensor_shape(node.input[1])) or [0, 0]
    group = next((a.i for a in node.attribute if a.name == "group"), 1) if node is not None else 1
    return list(shape[2:]) if _is_depthwise(shape, group) else None


def _name_weights(model: ModelWrapper, weights: Mapping[str, str], depthwise: Mapping[str, list[int]]) -> None:
    """Give the matrices the names of the weights of the Conv that made the same output, if these are gone.

    Annotate the sparsity of those that were depthwise.
    """
    names: dict[str, str] = {}
    for output, old in weights.items():
        node = model.find_producer(output)
        while node is not None and node.op_type in ("Add", "Squeeze", "Transpose"):
            node = model.find_producer(node.input[0])
        if node is not None and node.op_type == "MatMul":
            names[old] = node.input[1]
            if output in depthwise:
                model.set_tensor_sparsity(node.input[1], {"dw": {"kernel_shape": depthwise[output]}})
    taken = set(model.get_all_tensor_names())
    model.rename_tensors({new: old for old, new in names.items() if old not in taken})


_auto_pad_to_explicit_padding = auto_pad_to_explicit_padding
"""The name under which FINN imports it from here."""
