"""What quantizers cannot be read, and why. The model is only looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnx import NodeProto, TensorProto

from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation._qdq import ELEM_TYPES, elem_type_of
from finn.transformation.qcdq_to_qonnx import Linear, quantized_type
from finn.transformation.qonnx._integer_tensors import integer_tensors, is_qdq, quantizes
from finn.transformation.qonnx._qoperators import MICROSOFT, check
from finn.transformation.rewrite import NoMatch, require

if TYPE_CHECKING:
    from finn.transformation.streamline.report import Diagnostic

_STATIC = "quantize the network statically: with onnxruntime quantize_static, not quantize_dynamic"
_INTEGERS = "quantize to integers of 4, 8 or 16 bits, with constant float32 scales, one per tensor or per channel"
_QUANTIZES = re.compile(r"Q[A-Z]|.*(Quant|NBits|Bnb4|Integer|BFP)")
"""Names of operators of com.microsoft that compute on quantized numbers."""


def refusals(model: ModelWrapper) -> list[Diagnostic]:
    """Everything that has no form in QONNX, in the order of the graph; [] if all has one."""
    from finn.transformation.streamline.report import Diagnostic  # late: streamlining reads formats first

    found = [
        Diagnostic(describe(node), node.output[0] if len(node.output) else "", reason, remedy)
        for node in model.graph.node
        for reason, remedy in _problem(model, node)
    ]
    if found:
        return found  # what surrounds operators that cannot be read is of no interest
    for node, tensor, reads in integer_tensors(model).foreign:
        verb = "computes on" if reads else "makes"
        reason = f"it {verb} the quantized integers '{tensor}', and is not known to"
        found.append(Diagnostic(describe(node), tensor, reason, "dequantize in front of it, and quantize behind it"))
    return found


def _problem(model: ModelWrapper, node: NodeProto) -> Iterator[tuple[str, str]]:
    """(reason, remedy) if the node cannot be read."""
    if node.op_type == "FloatQuant" and is_custom_domain(node.domain):
        yield "it quantizes to floating-point numbers of few bits, which no integers stand for", _INTEGERS
    elif node.op_type.startswith("DynamicQuantize"):
        yield "it finds its scale at run time, so that integers have no fixed meaning", _STATIC
    elif is_qdq(node):
        yield from _reason(lambda: _check_qdq(model, node))
    elif quantizes(node):
        yield from _reason(lambda: check(model, node))
    elif node.domain == MICROSOFT and _QUANTIZES.match(node.op_type):
        yield f"{MICROSOFT}.{node.op_type} is not among the operators that can be read", _STATIC


def _reason(examine: object) -> Iterator[tuple[str, str]]:
    try:
        examine()  # type: ignore[operator]
    except NoMatch as reason:
        yield str(reason), _INTEGERS


def _check_qdq(model: ModelWrapper, node: NodeProto) -> None:
    """NoMatch if a QuantizeLinear or DequantizeLinear cannot be read."""
    Linear.of(model, node, model.get_tensor_shape(node.input[0]) or model.get_tensor_shape(node.output[0]))
    kind = elem_type_of(model, node.input[0])
    name = TensorProto.DataType.Name(kind)
    if node.op_type == "QuantizeLinear":
        require(kind in (TensorProto.UNDEFINED, TensorProto.FLOAT), f"what it quantizes is {name}, not float32")
        made = quantized_type(model, node)
        require(made in ELEM_TYPES, f"it quantizes to {TensorProto.DataType.Name(made)}, no integer type")
    else:
        require(kind in (TensorProto.UNDEFINED, *ELEM_TYPES), f"what it dequantizes is {name}, no integer type")
