"""FINN's transformations that move one operator past another, by name, for build scripts that compose their own flow.

`streamline` needs none of them. Each is a table of equations (see docs/rewrites.md) or says itself what it matches.
An operator moves only if nothing but what it moves past reads it, and if it does not make an output of the graph; what
does not fit an equation stays as it is. Constants may stand on either side of Add and Mul, and shared ones stay as
they are for others. Opposite transformations (MoveAddPastMul and MoveMulPastAdd) undo each other: apply one of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.channels_last import (
    MoveAddPastFork,
    MoveLinearPastFork,
    MoveMulPastFork,
    MoveOpPastFork,
    MoveTransposePastFork,
)
from finn.transformation.rewrite import RuleTransformation
from finn.transformation.streamline import _reorder_layout as layout
from finn.transformation.streamline import _reorder_linear as linear
from finn.transformation.streamline._reorder_joins import (
    MoveIdenticalOpPastJoinOp,
    MoveScalarLinearPastSplit,
    MoveTransposePastSplit,
)

__all__ = [
    "MakeMaxPoolNHWC",
    "MakeScaleResizeNHWC",
    "MoveAddPastConv",
    "MoveAddPastFork",
    "MoveAddPastJoinAdd",
    "MoveAddPastJoinConcat",
    "MoveAddPastMatMul",
    "MoveAddPastMul",
    "MoveAffinePastJoinConcat",
    "MoveChannelwiseLinearPastFork",
    "MoveConstMulPastJoinMul",
    "MoveFlattenPastAffine",
    "MoveFlattenPastTopK",
    "MoveIdenticalOpPastJoinOp",
    "MoveLinearPastEltwiseAdd",
    "MoveLinearPastFork",
    "MoveMaxPoolPastMultiThreshold",
    "MoveMulPastAdd",
    "MoveMulPastDWConv",
    "MoveMulPastFork",
    "MoveMulPastJoinAdd",
    "MoveMulPastJoinConcat",
    "MoveMulPastMaxPool",
    "MoveOpPastFork",
    "MoveScalarAddPastMatMul",
    "MoveScalarLinearPastFork",
    "MoveScalarLinearPastInvariants",
    "MoveScalarLinearPastSplit",
    "MoveScalarMulPastConv",
    "MoveScalarMulPastConvTranspose",
    "MoveScalarMulPastMatMul",
    "MoveScalesPastIm2Col",
    "MoveSqueezePastMatMul",
    "MoveSqueezePastMultiThreshold",
    "MoveTransposePastEltwise",
    "MoveTransposePastFork",
    "MoveTransposePastJoinAdd",
    "MoveTransposePastJoinConcat",
    "MoveTransposePastJoinMul",
    "MoveTransposePastScalarMul",
    "MoveTransposePastSplit",
]

# ------------------------------------------------------------------------------------------------ factors and summands


class MoveAddPastMul(RuleTransformation):
    """(x + b) * a becomes x*a + b*a, a and b constants."""

    rules = (linear.move_add_past_mul,)


class MoveMulPastAdd(RuleTransformation):
    """x*a + b becomes (x + b/a) * a, a and b constants, a without zeros. The quotient is rounded once."""

    rules = (linear.move_mul_past_add,)


class MoveScalarMulPastMatMul(RuleTransformation):
    """(x*s) @ y becomes (x @ y) * s, and y @ (x*s) likewise; s a scalar constant, y constant or not."""

    rules = (linear.move_scalar_mul_past_matmul, linear.move_scalar_mul_past_matmul_right)


class MoveScalarAddPastMatMul(RuleTransformation):
    """(x + s) @ w becomes x @ w + s * (sums of the columns of w); s a scalar constant, w constant, also quantized."""

    rules = (linear.move_scalar_add_past_matmul,)


class MoveAddPastMatMul(RuleTransformation):
    """(x + b) @ w becomes x @ w + (b @ w); b any constant that fits x, w constant, also quantized."""

    rules = (linear.move_add_past_matmul,)


class MoveAddPastConv(RuleTransformation):
    """conv(x + b, w) becomes conv(x, w) + (1, M, 1, ...); b a scalar or per channel, w constant, also quantized.

    Any group, strides, dilations, and a bias. A padded Conv stays: its borders would need another summand.
    """

    rules = (linear.move_add_past_conv,)


class MoveScalarMulPastConv(RuleTransformation):
    """conv(x*s, w) becomes conv(x, w) * s; s a scalar constant. A Conv with a bias stays, see ExtractBiasFromConv."""

    rules = (linear.move_scalar_mul_past_conv,)


class MoveScalarMulPastConvTranspose(RuleTransformation):
    """conv_transpose(x*s, w) becomes conv_transpose(x, w) * s; s a scalar constant. One with a bias stays."""

    rules = (linear.move_scalar_mul_past_conv_transpose,)


class MoveMulPastDWConv(RuleTransformation):
    """conv(x*a, w) becomes conv(x, w) * a for as many groups as channels; a a scalar or per channel. No bias."""

    rules = (linear.move_mul_past_depthwise_conv,)


class MoveScalesPastIm2Col(RuleTransformation):
    """im2col(x*a) becomes im2col(x) * (a repeated); a a scalar or per channel, the padding 0."""

    rules = (linear.move_mul_past_im2col,)


class MoveMulPastMaxPool(RuleTransformation):
    """max_pool(x*a) becomes max_pool(x) * a; a a scalar or per channel, without negative factors."""

    rules = (linear.move_mul_past_max_pool,)


class MoveLinearPastEltwiseAdd(RuleTransformation):
    """x*a + y*a becomes (x + y) * a for equal a; (x + a) + (y + b) becomes (x + y) + (a + b); a and b constants."""

    rules = (linear.move_mul_past_join_add, linear.move_add_past_join_add)


class MoveConstMulPastJoinMul(RuleTransformation):
    """(x*a) * y becomes (x*y) * a; a constant, y computed."""

    rules = (linear.move_const_mul_past_join_mul,)


class MoveScalarLinearPastInvariants(RuleTransformation):
    """g(f(x, s)) becomes f(g(x), s); f one of x*s, x+s, x/s, x-s with a scalar constant s.

    g: GlobalAveragePool, Reshape, Transpose, Flatten, Slice, Squeeze, Unsqueeze, Resize or Upsample to the nearest.
    """

    rules = linear.INVARIANTS


# -------------------------------------------------------------------------------------------------------------- layout


class MakeMaxPoolNHWC(RuleTransformation):
    """A MaxPool between channels-first images with a Transpose in front or behind becomes MaxPoolNHWC.

    The Transpose to channels last, [0, 2, 3, 1], goes in front of it; the one to channels first, [0, 3, 1, 2], behind.
    """

    rules = layout.MAX_POOL_NHWC


class MakeScaleResizeNHWC(RuleTransformation):
    """A nearest or linear Resize, or Upsample, with a Transpose in front or behind resizes channels-last images.

    The Transpose to channels last, [0, 2, 3, 1], goes in front of it; the one to channels first, [0, 3, 1, 2], behind.
    Constant scales or sizes.
    """

    rules = layout.RESIZE_NHWC


class MoveMaxPoolPastMultiThreshold(RuleTransformation):
    """thresholds(max_pool(x)) becomes max_pool(thresholds(x)).

    Channels first; out_scale not negative; no padding if out_bias is negative, since hardware pads with zeros.
    """

    rules = (layout.move_max_pool_past_multithreshold,)


class MoveFlattenPastTopK(RuleTransformation):
    """topk(flatten(x)) becomes flatten(topk(x)) for x (N, 1, ..., 1, C); only one output of TopK may be in use."""

    rules = layout.FLATTEN_PAST_TOPK


class MoveFlattenPastAffine(RuleTransformation):
    """flatten(x) * a, + a, @ w become flatten(x * a), ... for x (N, 1, ..., 1, C); a a scalar or per channel.

    A Reshape to (N, C) counts as Flatten, and becomes one.
    """

    rules = layout.FLATTEN_PAST_AFFINE


class MoveSqueezePastMultiThreshold(RuleTransformation):
    """thresholds(squeeze(x)) becomes squeeze(thresholds(x)), the channels on the second axis of x or on its last."""

    rules = layout.SQUEEZE_PAST_MULTITHRESHOLD


class MoveSqueezePastMatMul(RuleTransformation):
    """squeeze(x) @ w becomes squeeze(x @ w); w (K, M), the last axis of x stays."""

    rules = layout.SQUEEZE_PAST_MATMUL


class MoveTransposePastScalarMul(RuleTransformation):
    """transpose(x) * s becomes transpose(x * s); s a scalar constant."""

    rules = (layout.move_transpose_past_scalar_mul,)


class MoveTransposePastEltwise(RuleTransformation):
    """f(transpose(x)) becomes transpose(f(x)), and f(transpose(x), a) transpose(f(x, a')); a constant.

    f: Add, Sub, Mul, Div, Min, Max, and functions of one tensor.
    """

    rules = layout.TRANSPOSE_PAST_ELTWISE


# --------------------------------------------------------------------------------------------------------------- joins


class MoveTransposePastJoinAdd(MoveIdenticalOpPastJoinOp):
    """transpose(x) + transpose(y) becomes transpose(x + y), for one perm."""

    def __init__(self) -> None:
        super().__init__(["Transpose"], ["Add"])


class MoveTransposePastJoinMul(MoveIdenticalOpPastJoinOp):
    """transpose(x) * transpose(y) becomes transpose(x * y), for one perm."""

    def __init__(self) -> None:
        super().__init__(["Transpose"], ["Mul"])


class MoveTransposePastJoinConcat(MoveIdenticalOpPastJoinOp):
    """concat(transpose(x), ...) becomes transpose(concat(x, ...)), for one perm."""

    def __init__(self) -> None:
        super().__init__(["Transpose"], ["Concat"])


class MoveMulPastJoinAdd(MoveIdenticalOpPastJoinOp):
    """x*a + y*a becomes (x + y) * a, for equal constants a."""

    def __init__(self) -> None:
        super().__init__(["Mul"], ["Add"])


class MoveAddPastJoinAdd(MoveIdenticalOpPastJoinOp):
    """(x + a) + (y + b) becomes (x + y) + (a + b), a and b constants."""

    def __init__(self) -> None:
        super().__init__(["Add"], ["Add"])


class MoveAffinePastJoinConcat(MoveIdenticalOpPastJoinOp):
    """concat(f(x, a), f(y, b), ...) becomes f(concat(x, y, ...), c) for constants a, b, ...

    c is a, if all are equal and do not vary along the axis of Concat, else they are joined along it. linear_ops: the
    op types of f, among Mul, Add, Div and Sub; all of one Concat have to be the same.
    """

    def __init__(self, linear_ops: Iterable[str] = ("Mul", "Add")) -> None:
        super().__init__(linear_ops, ["Concat"])


class MoveMulPastJoinConcat(MoveAffinePastJoinConcat):
    """concat(x*a, y*b, ...) becomes concat(x, y, ...) * c."""

    def __init__(self) -> None:
        super().__init__(["Mul"])


class MoveAddPastJoinConcat(MoveAffinePastJoinConcat):
    """concat(x + a, y + b, ...) becomes concat(x, y, ...) + c."""

    def __init__(self) -> None:
        super().__init__(["Add"])


# --------------------------------------------------------------------------------------------------------------- forks


class MoveScalarLinearPastFork(MoveLinearPastFork):
    """An Add or Mul for every reader, if it adds or multiplies a constant of one element."""

    def accepts(self, model: ModelWrapper, node: NodeProto) -> bool:
        return _constant_extent(model, node) == []


class MoveChannelwiseLinearPastFork(MoveLinearPastFork):
    """An Add or Mul for every reader, if its constant is a scalar or per channel: along axis 1 or the last one."""

    def accepts(self, model: ModelWrapper, node: NodeProto) -> bool:
        extent = _constant_extent(model, node)
        return extent == [] or extent in ([-1], [1 - len(model.get_tensor_shape(node.output[0]) or ())])


def _constant_extent(model: ModelWrapper, node: NodeProto) -> list[int] | None:
    """The axes, counted from the end, along which the constant of an Add or Mul of something computed extends."""
    x, c = sorted(node.input, key=model.has_initializer)
    constant = model.get_initializer(c)
    if constant is None or model.has_initializer(x):
        return None
    return [axis for axis in range(-constant.ndim, 0) if constant.shape[axis] != 1]
