"""Conv becomes Im2Col and MatMul.

    conv(x, w) == nchw(im2col(nhwc(x)) @ w')

w' has shape (kh * kw * IFM, OFM), its rows in the order (kh, kw, ifm) of Im2Col's innermost axis. A group g of output
channels sees the rows of its own input channels only: w' is block-diagonal, the rest are zeros. Depthwise weights
(group == IFM == OFM) say so in an annotation of their sparsity.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.base import Transformation
from finn.transformation.constants import Fixed, annotated, rearranged, rewrite_with_constants, shape_of
from finn.transformation.convolution import Convolution, of_conv, spatial_size
from finn.transformation.extract_conv_bias import over_channels_of
from finn.transformation.rewrite import Call, NoMatch, Rule, TensorRef, Var, match, op, require, rule
from finn.transformation.standard_ops import squeeze, unsqueeze
from finn.util.basic import auto_pad_to_explicit_padding

x, b = Var("x"), Var("b")
w = Fixed("w")


@rule(
    op.Conv(x, w).named("conv"),
    shapes="x:n,c,k,h w:m,c,3,2 | x:n,c,7,1 w:m,c,2,1",
    attributes={"conv": {"strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}},
)
def conv_2d_to_matmul(x: TensorRef, w: TensorRef, conv: Call) -> Call:
    """conv(x, w) == nchw(im2col(nhwc(x)) @ w')"""
    require(len(shape_of(w)) == 4, f"the kernel has {len(shape_of(w)) - 2} axes, only 1 and 2 are supported")
    c = _lowerable(x, w, conv)
    return op.Transpose(_product(x, x, w, c), perm=[0, 3, 1, 2])


@rule(
    op.Conv(x, w).named("conv"),
    shapes="x:n,c,t w:m,c,3",
    attributes={"conv": {"strides": [2], "pads": [1, 0], "dilations": [2]}},
)
def conv_1d_to_matmul(x: TensorRef, w: TensorRef, conv: Call) -> Call:
    """conv(x, w) == squeeze(nchw(im2col(nhwc(unsqueeze(x))) @ w')), without the axis of length 1 if w is pointwise"""
    require(len(shape_of(w)) == 3, "the kernel has no single axis")
    c = _lowerable(x, w, conv)
    if c.is_pointwise:
        return op.Transpose(_product(x, x, w, c), perm=[0, 2, 1])
    (k,), (s,), (d,), (begin, end) = c.kernel, c.strides, c.dilations, c.pads
    flat = Convolution((k, 1), (s, 1), (d, 1), (begin, 0, end, 0), c.group)
    lifted = annotated(unsqueeze(x.model, x, [3]), x.datatype)
    return squeeze(x.model, op.Transpose(_product(lifted, x, w, flat), perm=[0, 3, 1, 2]), [3])


@rule(
    op.Conv(x, w, b).named("conv"),
    shapes="x:n,c,t w:m,1,3 b:m",
    attributes={"conv": {"strides": [2], "pads": [1, 0], "group": 3}},
)
def conv_bias_to_add_if_lowerable(x: TensorRef, w: TensorRef, b: TensorRef, conv: Call) -> Call:
    """conv(x, w, b) == conv(x, w) + b"""
    _lowerable(x, w, conv)
    return op.Add(op.Conv(x, w, like=conv), over_channels_of(b, len(shape_of(w))))


LOWER_CONVS: tuple[Rule, ...] = (conv_bias_to_add_if_lowerable, conv_1d_to_matmul, conv_2d_to_matmul)


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
        require(not padded or x.datatype.allowed(0), f"it is padded by 0, but its input '{x.name}' is {x.datatype}")
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


@dataclass(frozen=True)
class _Before:
    """What is annotated at a Conv and has to be found at its MatMul."""

    output: str
    weights: str
    depthwise_kernel: list[int] | None


class LowerConvsToMatMul(Transformation):
    """Conv with constant weights (plain, or behind a quantizer) as Transpose, Im2Col, MatMul, Transpose.

    1-D convolutions get a second spatial axis of length 1; a bias becomes an Add behind; pointwise convolutions need no
    Im2Col. The weights keep their name, data type and quantizer. Warns about each Conv that stays, with the reason.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            before = [_before(model, node.output[0]) for node in model.graph.node if node.op_type == "Conv"]
            changed = rewrite_with_constants(model, LOWER_CONVS)
            if changed:
                _annotate(model, before)
            else:
                _warn_about_rest(model)
        return model, changed


def _before(model: ModelWrapper, output: str) -> _Before:
    node = model.find_producer(output)
    assert node is not None
    shape = model.get_tensor_shape(node.input[1]) or [0, 0]
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    return _Before(output, node.input[1], list(shape[2:]) if _is_depthwise(shape, group) else None)


def _annotate(model: ModelWrapper, before: Sequence[_Before]) -> None:
    """Data types of the products, sparsity of depthwise weights, the old names of the weights."""
    names: dict[str, str] = {}
    for conv in before:
        node = model.find_producer(conv.output)
        has_bias = node is not None and node.op_type == "Add"
        while node is not None and node.op_type in ("Add", "Squeeze", "Transpose"):
            if not has_bias:
                model.copy_annotations(node.output[0], node.input[0])
            node = model.find_producer(node.input[0])
        if node is None or node.op_type != "MatMul":
            continue
        if conv.depthwise_kernel is not None:
            model.set_tensor_sparsity(node.input[1], {"dw": {"kernel_shape": conv.depthwise_kernel}})
        names[node.input[1]] = conv.weights
    taken = set(model.get_all_tensor_names())
    free = {new: old for new, old in names.items() if old not in taken}
    once = {old: new for new, old in free.items()}
    model.rename_tensors({new: old for old, new in once.items()})


def _warn_about_rest(model: ModelWrapper) -> None:
    for node in model.graph.node:
        if node.op_type == "Conv" and not node.domain:
            r = conv_1d_to_matmul if len(model.get_tensor_shape(node.input[1]) or ()) == 3 else conv_2d_to_matmul
            r = conv_bias_to_add_if_lowerable if len(node.input) > 2 and node.input[2] else r
            try:
                match(model, node, r)
            except NoMatch as reason:
                warnings.warn(f"{describe(node)} is not lowered to MatMul: {reason}", stacklevel=3)


_auto_pad_to_explicit_padding = auto_pad_to_explicit_padding
"""The name under which FINN imports it from here."""
