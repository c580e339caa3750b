"""One rule per op kind: what becomes of the scaled integers that enter it."""

from __future__ import annotations

from onnx import NodeProto

from finn.core.numpy_ops import run_node
from finn.transformation.streamline.propagation import Propagation, Rule, Silent
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules_join import concat, elementwise
from finn.transformation.streamline.rules_linear import (
    average_pool,
    conv,
    conv_transpose,
    gemm,
    matmul,
    max_pool,
    reduced,
)
from finn.transformation.streamline.rules_quant import QUANTIZERS, quantized_constant, quantizer, scaled_weights, trunc
from finn.transformation.streamline.rules_select import EXTREMES, extreme, select
from finn.transformation.streamline.rules_shape import (
    MOVES,
    RESHAPES,
    gather,
    identity,
    im2col,
    moved,
    pad,
    reshape,
    shape_value,
    transpose,
)
from finn.transformation.streamline.tail import ELEMENTWISE
from finn.transformation.streamline.values import Broken, Constant, QuantizedConstant, Value

REMEDIES = {
    "FloatQuant": "export with integer quantizers: floats of few bits have no integer form",
    "LayerNormalization": "use BatchNormalization, or accept that it runs on the host",
    "LogSoftmax": "leave it to the host, behind the last layer, or remove it: the order of the classes is the same",
    "Softmax": "leave it to the host; at the end of a classifier it can be removed: the order is the same",
}


def unsupported(p: Propagation, node: NodeProto) -> Value:
    """No rule knows the operator."""
    raise Refused(
        f"{node.op_type} has no integer form here",
        REMEDIES.get(node.op_type, "quantize in front of and behind it, or move it behind the last layer"),
    )


def fold(rule: Rule) -> Rule:
    """The rule, unless all inputs are constant: then the node is computed."""

    def folded(p: Propagation, node: NodeProto) -> Value:
        values = [p.value(name) for name in node.input if name]
        if any(isinstance(v, Broken) for v in values) and node.op_type not in QUANTIZERS:
            raise Silent
        constants = [v for v in values if isinstance(v, Constant | QuantizedConstant)]
        if len(constants) < len(values) or node.domain or not node.output:
            return rule(p, node)
        if any(isinstance(v, QuantizedConstant) for v in values):
            if node.op_type in {*MOVES, *RESHAPES, "Transpose"}:
                return rule(p, node)
            rescaled = scaled_weights(p, node)
            if rescaled is not None:
                return rescaled
        arrays = iter([v.array for v in constants])
        outputs = run_node(node, [next(arrays) if name else None for name in node.input], p.opset)
        p.became(node, "constant", "all its inputs are")
        for name, array in zip(node.output, outputs, strict=False):
            if name:
                p.values[name] = Constant(array, name)
        return Constant(outputs[0], node.output[0])

    return folded


RULES: dict[str, Rule] = {
    **dict.fromkeys(sorted(ELEMENTWISE), fold(elementwise)),
    **dict.fromkeys(QUANTIZERS, quantizer),
    "Trunc": trunc,
    **dict.fromkeys(RESHAPES, fold(reshape)),
    **dict.fromkeys(("Identity", "Dropout", "DebugMarker"), identity),
    **dict.fromkeys(("TopK", "ArgMax"), select),
    **dict.fromkeys(MOVES, fold(moved)),
    **dict.fromkeys(EXTREMES, fold(extreme)),
    **dict.fromkeys(("MaxPool", "MaxPoolNHWC"), fold(max_pool)),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "GlobalAveragePool"), fold(reduced)),
    "AveragePool": fold(average_pool),
    "Concat": fold(concat),
    "Conv": fold(conv),
    "ConvTranspose": fold(conv_transpose),
    "Gather": fold(gather),
    "Gemm": gemm,
    "Im2Col": im2col,
    "MatMul": fold(matmul),
    "Pad": fold(pad),
    "Shape": fold(shape_value),
    "Transpose": fold(transpose),
}
DEFAULT = fold(unsupported)

__all__ = ["DEFAULT", "QUANTIZERS", "RULES", "quantized_constant"]
