"""From floats to integers: scales are pushed forward once, tails become integer thresholds.

    report = streamline(model)

One pass in topological order describes every tensor as x == tail(scale * q + bias) with integers q of known range.
Linear layers compute on q; elementwise operators lengthen the tail; a quantizer turns tail and quantizer into
thresholds on q. The idea, for affine tails, is that of Umuroglu & Jahre, "Streamlined Deployment for Quantized Neural
Networks", arXiv:1709.04060.
"""

from __future__ import annotations

from finn.core.domains import GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import QDQ
from finn.transformation.base import Transformation
from finn.transformation.streamline.propagation import Propagation
from finn.transformation.streamline.report import Diagnostic, StreamlineError, StreamlineReport, TensorFact
from finn.transformation.streamline.rules import DEFAULT, QUANTIZERS, RULES

__all__ = ["Diagnostic", "Streamline", "StreamlineError", "StreamlineReport", "TensorFact", "streamline"]


def streamline(model: ModelWrapper, max_multithreshold_bit_width: int = 8) -> StreamlineReport:
    """Make a quantized network integer between its first and its last quantized layer, in place.

    The model is a cleaned QONNX graph, or what ConvertQONNXtoFINN makes of one. Integer tensors are exact in their
    container (float32, or float64 if sums can exceed 2**24) and annotated with the narrowest datatype. A float input is
    quantized on the host by a MultiThreshold with float32 thresholds; behind the last integers stand Mul, Add and the
    original float operators. Raises StreamlineError with all diagnostics, and leaves the model as it was.
    """
    p = Propagation(model, max_multithreshold_bit_width)
    quantizers = any(n.op_type in QUANTIZERS for n in model.graph.node)
    if any(n.op_type in QDQ for n in model.graph.node):
        why, remedy = "QuantizeLinear and DequantizeLinear are not supported yet", "export the network as QONNX"
        raise StreamlineError([Diagnostic("", "", why, remedy)])
    if not quantizers and not any(model.get_tensor_datatype(i.name).is_integer() for i in model.graph.input):
        raise StreamlineError([Diagnostic("", "", "nothing is quantized", "train and export with quantizers (QONNX)")])
    p.run(RULES, DEFAULT)
    p.finish()
    fatal = [d for d in p.report.diagnostics if d.fatal]
    if fatal:
        raise StreamlineError(fatal)
    if GENERAL not in {o.domain for o in model.model.opset_import}:
        model.model.opset_import.add(domain=GENERAL, version=1)
    p.graph.commit(model)
    return p.report


class Streamline(Transformation):
    """`streamline` as a transformation; the report of the last model is in `report`."""

    def __init__(self, max_multithreshold_bit_width: int = 8) -> None:
        super().__init__()
        self.max_multithreshold_bit_width = max_multithreshold_bit_width
        self.report: StreamlineReport | None = None

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.report = streamline(model, self.max_multithreshold_bit_width)
        return model, False
