"""Tensors of integers between quantizing operators, and the operators that only move integers.

What DequantizeLinear does, it does to each element: DequantizeLinear(move(q)) == move(DequantizeLinear(q)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from onnx import NodeProto, TensorProto

from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import QDQ
from finn.transformation._qdq import ELEM_TYPES, constant_value, elem_type_of
from finn.transformation.qcdq_to_qonnx import quantized_type
from finn.transformation.qonnx._qoperators import QOPERATORS, SUMS

_FIRST = (
    "Clip", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "MaxPool", "Pad",
    "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
MOVES: Mapping[str, Callable[[NodeProto], Iterable[int]]] = {
    **dict.fromkeys(_FIRST, lambda node: (0,)),
    "Concat": lambda node: range(len(node.input)),
    "Where": lambda node: (1, 2),
}
"""Operators that put elements of their inputs (at these positions) into other places, and Clip."""

ENDS = frozenset({"ArgMax", "ArgMin", "Cast"})
"""Operators that read integers as well as floats, and make something else of them."""

_ADDITIVE = frozenset({"Add", "Sub", "Mul"})
SMALL = frozenset(kind for kind, (bits, _) in ELEM_TYPES.items() if bits <= 16)


def moves(node: NodeProto) -> bool:
    """Whether the node only moves elements (or clips them)."""
    if is_custom_domain(node.domain) or node.op_type not in MOVES:
        return False
    modes = [a.s for a in node.attribute if a.name == "mode"]
    return node.op_type != "Resize" or modes in ([], [b"nearest"])


@dataclass
class IntegerTensors:
    """kinds : {tensor: ONNX element type}; foreign : (node, tensor, whether it reads it) where nothing is known."""

    kinds: dict[str, int] = field(default_factory=dict)
    foreign: list[tuple[NodeProto, str, bool]] = field(default_factory=list)


def integer_tensors(model: ModelWrapper) -> IntegerTensors:
    """The integers that quantizing operators make and read, and the graph inputs that are such integers."""
    found = IntegerTensors()
    _spread(model, found, [item for node in model.graph.node for item in _ends_of(model, node)])
    for value in model.graph.input:
        kind = value.type.tensor_type.elem_type
        if kind in SMALL and value.name not in found.kinds and model.find_consumers(value.name):
            alone = IntegerTensors()
            _spread(model, alone, [(value.name, kind)])
            if not alone.foreign:
                found.kinds |= alone.kinds
    return found


def integer_sums(model: ModelWrapper) -> dict[str, int]:
    """The int32 tensors that ConvInteger and MatMulInteger make, and what is computed of them in integers."""
    found = IntegerTensors()
    sums = (node for node in model.graph.node if not node.domain and node.op_type in SUMS)
    _spread(model, found, [(node.output[0], int(TensorProto.INT32)) for node in sums])
    return found.kinds


def is_qdq(node: NodeProto) -> bool:
    """Whether the node is a QuantizeLinear or DequantizeLinear, of ONNX or of onnxruntime."""
    return node.op_type in QDQ and node.domain in ("", "ai.onnx", "com.microsoft")


def quantizes(node: NodeProto) -> bool:
    """Whether the node makes or reads integers that stand for other numbers, and is no operator of QONNX."""
    return is_qdq(node) or (node.domain, node.op_type) in QOPERATORS or (not node.domain and node.op_type in SUMS)


def _ends_of(model: ModelWrapper, node: NodeProto) -> Iterator[tuple[str, int]]:
    """(tensor, element type) of the integers that a quantizing operator makes or reads."""
    if is_qdq(node) and node.op_type == "QuantizeLinear":
        yield node.output[0], quantized_type(model, node)
    elif is_qdq(node):
        yield node.input[0], elem_type_of(model, node.input[0])
    elif (form := QOPERATORS.get((node.domain, node.op_type))) is not None:
        for part in form.parts(node):
            yield node.input[part.x], _kind(model, node, part.x, part.zeropt)
        out = form.result(node)
        if out is not None:
            yield node.output[0], _kind(model, node, None, out.zeropt)
    elif not node.domain and node.op_type in SUMS:
        yield from ((name, elem_type_of(model, name)) for name in node.input[:2])
        yield node.output[0], TensorProto.INT32


def _kind(model: ModelWrapper, node: NodeProto, x: int | None, zeropt: int | None) -> int:
    """The element type of a tensor of `node`, by its zero point if nothing else tells."""
    kind = elem_type_of(model, node.input[x]) if x is not None else 0
    if not kind and zeropt is not None and zeropt < len(node.input) and node.input[zeropt]:
        kind = elem_type_of(model, node.input[zeropt])
    return kind or int(TensorProto.UINT8)


def _spread(model: ModelWrapper, found: IntegerTensors, waiting: list[tuple[str, int]]) -> None:
    """Add the tensors and all that are connected with them by nodes that only move integers."""
    while waiting:
        name, kind = waiting.pop()
        if name in found.kinds and (found.kinds[name] or not kind):
            continue
        found.kinds[name] = kind
        for node in model.find_consumers(name):
            more = _through(node, name, kind)
            if more is None:
                found.foreign.append((node, name, True))
            waiting += more or []
        producer = model.find_producer(name)
        if producer is not None and constant_value(model, name) is None and not _makes_integers(producer):
            more = _through(producer, None, kind)
            if more is None:
                found.foreign.append((producer, name, False))
            waiting += more or []


def _makes_integers(node: NodeProto) -> bool:
    return quantizes(node) and node.op_type != "DequantizeLinear"


def _through(node: NodeProto, name: str | None, kind: int) -> list[tuple[str, int]] | None:
    """The integer tensors on the other sides of a node that reads `name` (None: makes it); None if it is foreign."""
    if name is not None and name not in node.input:
        return None  # a body of control flow reads it
    if moves(node):
        data = [node.input[i] for i in MOVES[node.op_type](node)]
        outputs = [o for o in node.output if o][: 1 if node.op_type == "MaxPool" else None]
        return [(other, kind) for other in (*data, *outputs)]
    if kind == TensorProto.INT32 and not node.domain and node.op_type in _ADDITIVE:
        return [(other, kind) for other in (*node.input, *node.output)]
    if name is None:
        return None
    ends = not node.domain and node.op_type in ENDS
    return [] if ends or (quantizes(node) and node.op_type != "QuantizeLinear") else None
