"""Transposes of quantized constants move in front of the quantizer, where they cost nothing."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import Fixed, is_quantizer, rewrite_with_constants, shape_of, transposed
from finn.transformation.rewrite import Call, Rule, TensorRef, op, rule

w = Fixed("w")


@rule(op.Transpose(w).named("transpose"), shapes="w:n,c,h", attributes={"transpose": {"perm": [1, 2, 0]}})
def transpose_constant(w: TensorRef, transpose: Call) -> Any:
    """transpose(w) == w', for a constant w; transpose(quant(w, s)) == quant(w', s')"""
    return transposed(w, transpose.attributes.get("perm", range(len(shape_of(w)))[::-1]))


CONSTANT_TRANSPOSES: tuple[Rule, ...] = (transpose_constant,)


def is_quant_init(node: NodeProto, model: ModelWrapper) -> bool:
    """Whether `node` is a quantizer all of whose inputs are constants."""
    return is_quantizer(node) and all(model.has_initializer(name) for name in node.input if name)


class FoldTransposeIntoQuantInit(Transformation):
    """A Transpose of a quantized constant becomes the quantizer of the transposed constant.

    The parameters of the quantizer are transposed along. Transposes of plain constants are computed at once.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        rewrite_with_constants(model, CONSTANT_TRANSPOSES)
        return model, False  # the rules have settled: another pass would only look again
