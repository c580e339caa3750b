"""Constants and Transposes disappear into the operators behind or before them.

Each class applies its equations until none holds any more, to the whole graph. None of them touches a value that has
another reader or is an output of the graph, and where one does not apply it says why through
`finn.transformation.rewrite.why_not`. For all of them at once, and for every other operator, see
`finn.transformation.streamline.Streamline`.
"""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.transformation._layout_regions import merge_transposes, split_forks
from finn.transformation._layout_rules import (
    drop_transpose_before_flatten,
    drop_transpose_before_reshape,
    move_transpose_past_thresholds,
)
from finn.transformation.base import Transformation
from finn.transformation.rewrite import RuleTransformation, apply
from finn.transformation.streamline import _absorb_rules as rules
from finn.transformation.streamline._reorder_layout import (
    make_resize_after_transpose_nhwc,
    make_upsample_after_transpose_nhwc,
)

__all__ = [
    "Absorb1BitMulIntoConv",
    "Absorb1BitMulIntoMatMul",
    "AbsorbAddIntoMultiThreshold",
    "AbsorbConsecutiveTransposes",
    "AbsorbMulIntoMultiThreshold",
    "AbsorbScalarBiasIntoMultiThreshold",
    "AbsorbScalarMulAddIntoTopK",
    "AbsorbSignBiasIntoMultiThreshold",
    "AbsorbTransposeIntoFlatten",
    "AbsorbTransposeIntoMultiThreshold",
    "AbsorbTransposeIntoResize",
    "FactorOutMulSignMagnitude",
]


class AbsorbScalarBiasIntoMultiThreshold(Transformation):
    """MultiThreshold and the Add of a scalar behind it become one MultiThreshold: out_bias grows by the scalar.

    out_dtype, and the annotation of the result, become the narrowest integer type of the new range. The Add stays if
    an integer result would get fractions, or a type of more than max_bitwidth_increase bits more than out_dtype has.
    Results that are not integers keep their type.
    """

    def __init__(self, max_bitwidth_increase: int = 0) -> None:
        self.max_bitwidth_increase = max_bitwidth_increase

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [rules.scalar_bias_rule(self.max_bitwidth_increase)]))


class AbsorbSignBiasIntoMultiThreshold(AbsorbScalarBiasIntoMultiThreshold):
    """The older name of AbsorbScalarBiasIntoMultiThreshold."""


class AbsorbAddIntoMultiThreshold(RuleTransformation):
    """count(x + a >= T) becomes count(x >= T - a), a a scalar or a constant along the channels of the MultiThreshold.

    data_layout says which axis these are. Thresholds for all channels become thresholds for each. They are computed in
    float64 and rounded up, so that no number of their element type changes sides.
    """

    rules = (rules.absorb_add_into_thresholds,)


class AbsorbMulIntoMultiThreshold(RuleTransformation):
    """count(x*a >= T) becomes count(x >= T/a), as AbsorbAddIntoMultiThreshold does it for sums.

    Negative factors stay: see FactorOutMulSignMagnitude. With a factor of 0, thresholds that 0 reaches become the least
    value of the type of x, others one more than the greatest, if x is annotated as an integer, else infinities.
    """

    rules = (rules.absorb_mul_into_thresholds,)


class FactorOutMulSignMagnitude(RuleTransformation):
    """x*a with negative elements in a becomes (x * signs) * magnitudes; the signs, -1 or 1, are annotated BIPOLAR.

    The sign of 0 is 1. Factors that are signs already stay.
    """

    rules = rules.SIGNS


class Absorb1BitMulIntoMatMul(RuleTransformation):
    """(x @ w) * a becomes x @ (w*a), for a of {-1, 1} or of {0, 1}, a scalar or a constant along the output channels.

    The Mul stays if the data type of w lacks one of the products, as -8 * -1 in INT4.
    """

    rules = (rules.absorb_1bit_mul_into_matmul,)


class Absorb1BitMulIntoConv(RuleTransformation):
    """conv(x, w, bias) * a becomes conv(x, w*a, bias*a), as Absorb1BitMulIntoMatMul does it for products."""

    rules = (rules.absorb_1bit_mul_into_conv,)


class AbsorbTransposeIntoMultiThreshold(RuleTransformation):
    """Transpose to channels first and MultiThreshold become MultiThreshold with the channels last, then the Transpose.

    data_layout becomes NHWC, NWC or NDHWC. The Transpose then goes if all it does before a Flatten or Reshape is to
    move axes of length 1, as AbsorbTransposeIntoFlatten has it.
    """

    rules = (move_transpose_past_thresholds, drop_transpose_before_flatten, drop_transpose_before_reshape)


class AbsorbTransposeIntoFlatten(RuleTransformation):
    """Flatten or Reshape of a Transpose that moves only axes of length 1 becomes that of its input.

    The batch stays first, and a Reshape must not copy one of the axes behind it.
    """

    rules = (drop_transpose_before_flatten, drop_transpose_before_reshape)


class AbsorbScalarMulAddIntoTopK(RuleTransformation):
    """Mul by a positive scalar and Add of a scalar in front of TopK go, if only its indices are used.

    As in the equation topk(x*s).indices == topk(x).indices; floats that rounding made equal become different again.
    """

    rules = rules.INTO_TOPK


class AbsorbConsecutiveTransposes(Transformation):
    """transpose(transpose(x)) becomes x where the outer one undoes the inner one, whatever else reads the inner one."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        split_forks(model, ["Transpose"])
        changed = bool(apply(model, rules.OPPOSITE))
        merge_transposes(model)
        return model, changed


class AbsorbTransposeIntoResize(RuleTransformation):
    """Resize or Upsample of a Transpose [0, 3, 1, 2] becomes the Transpose of a Resize with the channels last.

    The scales or sizes are constants and move with the axes. Nearest and linear interpolation.
    """

    rules = (make_resize_after_transpose_nhwc, make_upsample_after_transpose_nhwc)
