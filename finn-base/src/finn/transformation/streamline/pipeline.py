"""The phases of streamlining, in their order."""

from __future__ import annotations

from onnx import TensorProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.channels_last import ConvertToChannelsLastAndClean
from finn.transformation.constants import rewrite_with_constants
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qonnx.ingest import ConvertToQONNX
from finn.transformation.streamline.ends import begin, finish, keep_living_facts, tell_others
from finn.transformation.streamline.optimise import optimise
from finn.transformation.streamline.options import StreamlineOptions
from finn.transformation.streamline.preparations import PREPARATIONS, quantize_before_flattening
from finn.transformation.streamline.propagation import Propagation
from finn.transformation.streamline.report import Diagnostic, StreamlineError, StreamlineReport
from finn.transformation.streamline.rules import DEFAULT, QUANTIZERS, RULES
from finn.transformation.streamline.workspace import workspace


def streamline(model: ModelWrapper, options: StreamlineOptions | None = None) -> StreamlineReport:
    """Make a quantized network integer between its first and its last quantized layer, in place.

    The model is a cleaned graph in any dialect that `finn.transformation.qonnx` reads. Integer tensors are exact in
    their container (float32, or float64 if sums can exceed 2**24) and annotated with their datatype; images have their
    channels last. A float input is quantized on the host by a MultiThreshold with float32 thresholds; behind the last
    integers stand Mul, Add and the original float operators. What cannot become integer stays on the host, and the
    report says why. Raises StreamlineError with all diagnostics if nothing is quantized, if the model is damaged, or,
    with `options.partial` off, if anything but the ends stays on the host; the model is then as it was.
    """
    work, weights = prepared(model)
    if not _has_quantizers(work, options or StreamlineOptions()):
        raise StreamlineError([Diagnostic("", "", "nothing is quantized", "train and export with quantizers (QONNX)")])
    p = Propagation(work, options, weights)
    begin(p)
    p.run(RULES, DEFAULT)
    finish(p)
    fatal = [d for d in p.report.diagnostics if d.fatal]
    if fatal:
        raise StreamlineError(fatal)
    tell_others(p, model)
    p.graph.commit(model, work, set(p.initializers))
    keep_living_facts(p.report, model)
    p.report.removals += optimise(model, p.options, p.report)
    return p.report


def prepared(model: ModelWrapper) -> tuple[ModelWrapper, dict[str, TensorProto]]:
    """A copy with QONNX quantizers only, and with the channels last; and the weights that it does not contain."""
    work, weights = workspace(model)
    work = ConvertToQONNX().apply(work)[0]
    work = InferShapes().apply(work)[0]
    rewrite_with_constants(work, PREPARATIONS)
    quantize_before_flattening(work)
    return ConvertToChannelsLastAndClean().apply(work)[0], weights


def _has_quantizers(model: ModelWrapper, options: StreamlineOptions) -> bool:
    quantizers = any(node.op_type in QUANTIZERS for node in model.graph.node)
    return (
        quantizers
        or bool(options.inputs)
        or any(model.get_tensor_datatype(i.name).is_integer() for i in model.graph.input)
    )
