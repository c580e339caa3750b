"""Operator domains: which are custom, and under how many names ours is known."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, helper

from finn.core.index import subgraphs

GENERAL = "finn.custom_op.general"
STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"})
ALIASES = {"finn": GENERAL, "qonnx.custom_op.general": GENERAL, "onnx.brevitas": GENERAL}
"""Domains of published models that mean the operators of `finn.custom_op.general`."""


def is_custom_domain(domain: str) -> bool:
    """Whether operators of this domain are not ONNX's own."""
    return domain not in STANDARD_DOMAINS


def normalise_domains(model: ModelProto) -> None:
    """Write the one name of our domain in place of its aliases, and import every domain that nodes use."""
    used: set[str] = set()
    nodes = list(model.graph.node)
    while nodes:
        node = nodes.pop()
        if node.domain in ALIASES:
            node.domain = _fpgadataflow_or_general(node)
        used.add(node.domain)
        nodes += [inner for body in subgraphs(node) for inner in body.node]
    for entry in [entry for entry in model.opset_import if entry.domain in ALIASES]:
        model.opset_import.remove(entry)
    imported = {entry.domain for entry in model.opset_import}
    for domain in sorted(used - imported - STANDARD_DOMAINS):
        model.opset_import.append(helper.make_opsetid(domain, 1))


def _fpgadataflow_or_general(node: NodeProto) -> str:
    """Before 2020 all of FINN's operators had the domain "finn"; the hardware layers said so in an attribute."""
    hardware = any(a.name == "backend" and a.s == b"fpgadataflow" for a in node.attribute)
    return "finn.custom_op.fpgadataflow" if node.domain == "finn" and hardware else GENERAL
