"""Every quantizer in one canonical form, the FINN dialect.

other formats           QONNX first (`finn.transformation.qonnx.ingest`)
activation quantizer    MultiThreshold with float32 thresholds, then Mul(scale), Add(bias) where they are not 1 and 0
quantized constant      integer initializer, annotated, and Mul(scale) behind the node that reads it
bias of a convolution   Add behind it
Gemm                    MatMul, then Mul(alpha), Add(beta * C) where there are any
average pool, Trunc     QuantAvgPool2d, Mul(scale)
"""

from __future__ import annotations

from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.base import Transformation
from finn.transformation.extract_conv_bias import ExtractBiasFromConv
from finn.transformation.gemm_to_matmul import GemmToMatMul
from finn.transformation.qonnx._reading import quantizes_constant, unreadable
from finn.transformation.qonnx._refusals import refusals
from finn.transformation.qonnx.fold_quant_weights import FoldQuantWeights
from finn.transformation.qonnx.infer_quant_avg_pool_2d import AvgPoolAndTruncToQuantAvgPool
from finn.transformation.qonnx.ingest import ConvertToQONNX
from finn.transformation.qonnx.quant_act_to_multithreshold import (
    ConvertQuantActToMultiThreshold,
    Filter,
    activation_quantizers,
    default_filter_function_generator,
)
from finn.transformation.quant_constant_folding import FoldTransposeIntoQuantInit
from finn.transformation.remove import RemoveIdentityOps
from finn.transformation.streamline.report import StreamlineError

__all__ = ["ConvertQONNXtoFINN", "Filter", "default_filter_function_generator"]


class ConvertQONNXtoFINN(Transformation):
    """All quantizer formats to MultiThreshold, integer weights, MatMul and QuantAvgPool2d.

    filter_function(model, node) : whether an activation quantizer becomes thresholds; the others stay Quant nodes. By
    default those of at most max_multithreshold_bit_width bits do: b bits take 2^b - 1 thresholds per channel.

    Raises StreamlineError with all reasons if a quantizer cannot be read (parameters that are not constant or not
    finite, scale <= 0, formats without integers); the model is then as it was but for shapes. `declined` says
    afterwards what stayed in another form, and why: {node: reason}. Results are the same, bit by bit where products
    with scales are exact.
    """

    def __init__(self, filter_function: Filter | None = None, max_multithreshold_bit_width: int = 8) -> None:
        super().__init__()
        self.filter_function = filter_function or default_filter_function_generator(max_multithreshold_bit_width)
        self.declined: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self._check(model)
        weights, pools = FoldQuantWeights(), AvgPoolAndTruncToQuantAvgPool()
        passes = (
            ConvertToQONNX(),
            ExtractBiasFromConv(),
            GemmToMatMul(),
            FoldTransposeIntoQuantInit(),
            weights,
            ConvertQuantActToMultiThreshold(self.filter_function),
            pools,
            RemoveIdentityOps(atol=0),
        )
        for step in passes:
            model = model.transform(step, make_deepcopy=False, cleanup=False)
        self.declined = weights.declined | pools.declined
        kept = activation_quantizers(model, lambda model, node: True)
        self.declined |= {describe(node): "the filter keeps it" for node in kept}
        return model, False

    def _check(self, model: ModelWrapper) -> None:
        """StreamlineError before anything is changed."""
        with model.trusted_index():
            constants = [node for node in model.graph.node if quantizes_constant(model, node)]
            activations = activation_quantizers(model, self.filter_function)
            if problems := [*refusals(model), *unreadable(model, [*constants, *activations])]:
                raise StreamlineError(problems)
