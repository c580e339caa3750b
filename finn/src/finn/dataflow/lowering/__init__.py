"""From the integer graph to layers: each rule is an equation between an ONNX expression and hardware layers."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass

from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DOMAIN, DataflowError
from finn.dataflow.layer import LayerError
from finn.dataflow.lowering import elementwise, matrices, pixels, pools, streams
from finn.transformation.general import GiveUniqueNodeNames
from finn.transformation.rewrite import NoMatch, Rule, apply, match

FUSED = (*pools.FUSED, *matrices.FUSED, *elementwise.FUSED, *pixels.FUSED)
"""Rules of several nodes, tried first."""

SINGLE = (*pools.SINGLE, *matrices.SINGLE, *elementwise.SINGLE, *pixels.SINGLE)
"""Rules of one node."""

ACTIVATIONS = (*pools.FUSED, *matrices.FUSED)
"""Of FUSED, those that put thresholds into the layer in front of them."""


@dataclass(frozen=True)
class LoweringReport:
    """How often each rule fired, and why each node that is left is not a layer."""

    fired: Counter[str]
    host: dict[str, str]


def lower(model: ModelWrapper, standalone_thresholds: bool = False) -> LoweringReport:
    """Turn what can be hardware into layers, in place; nodes are then named <layer>_<number>.

    A layer knows the type of its results better than the annotation of the tensor may: its readers are made for that.
    standalone_thresholds: thresholds become layers of their own instead of the activation of an MVAU.
    Raises DataflowError if nothing became a layer, naming the first node with integer inputs and the reason.
    """
    first = tuple(r for r in FUSED if not (standalone_thresholds and r in ACTIVATIONS))
    for _ in range(len(model.graph.node) + 1):  # each time at least the first layers that disagree come to agree
        lowered = copy.deepcopy(model)
        fired = _apply_all(lowered, first)
        if not streams.settle_types(model, lowered):
            break
    fired["forks"] += streams.duplicate_forks(lowered)
    lowered.transform(GiveUniqueNodeNames(), make_deepcopy=False)
    host = staying(lowered)
    if not any(n.domain == DOMAIN for n in lowered.graph.node):
        reasons = "; ".join(f"{name}: {why}" for name, why in host.items()) or "the graph is empty"
        remedy = "quantize weights and activations, and annotate integer inputs with their data type"
        if any((lowered.get_tensor_shape(i.name) or [1])[0] > 1 for i in lowered.graph.input):
            remedy = "export the network with batch size 1"
        raise DataflowError("no part of the network became hardware", why=reasons, remedy=remedy)
    model.model = lowered.model
    return LoweringReport(+fired, host)


def _apply_all(model: ModelWrapper, first: tuple[Rule, ...]) -> Counter[str]:
    """Apply the rules and procedures in place; how often each one did something."""
    streams.same_types(model)
    fired: Counter[str] = Counter(groups=streams.split_groups(model))
    for phase in (first, SINGLE):
        fired += apply(model, phase)
    for node in list(model.graph.node):
        if not node.domain and node.op_type in streams.PROCEDURES:
            fired[node.op_type] += streams.lower_node(model, node)
    model.set_opset_import(DOMAIN, 1)
    fired["reshapes"] += streams.name_streams(model)
    return fired


def staying(model: ModelWrapper) -> dict[str, str]:
    """Why each node that is no layer is none, by its name."""
    return {n.name: _reason(model, n) for n in model.graph.node if n.domain != DOMAIN}


def _reason(model: ModelWrapper, node: NodeProto) -> str:
    """Why a node stays on the host."""
    inputs = [i for i in node.input if i and not model.has_initializer(i)]
    kinds = {i: model.get_tensor_datatype(i) for i in inputs}
    floats = [f"{i} is {t.name}" for i, t in kinds.items() if not t.is_integer()]
    if not node.domain and node.op_type in streams.SHAPES | streams.SAME and not floats:
        return "at the border of the layers the host gives tensors their shapes"
    if floats:
        return f"{node.op_type} on numbers that are no integers ({', '.join(floats)})"
    declined = [f"{r} declines: {_declined(model, node, r)}" for r in SINGLE if node.op_type in r.pattern.ops]
    if not declined and not node.domain and node.op_type in streams.PROCEDURES:
        declined = [f"it is no layer: {_refused(model, node)}"]
    return "; ".join(declined) or f"there is no hardware layer for {node.op_type}"


def _declined(model: ModelWrapper, node: NodeProto, r: Rule) -> str:
    """What the rule says about the node."""
    try:
        match(model, node, r)
    except NoMatch as reason:
        return str(reason)
    return "the graph needs its output as it is"


def _refused(model: ModelWrapper, node: NodeProto) -> str:
    try:
        streams.PROCEDURES[node.op_type](model, node)
    except (NoMatch, LayerError) as reason:
        return str(reason)
    return "the graph needs its outputs as they are"


__all__ = ["FUSED", "SINGLE", "LoweringReport", "lower", "staying"]
