"""Operator domains: which are custom, and under how many names ours is known."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, helper

from finn.core.index import subgraphs

GENERAL = "finn.custom_op.general"
MICROSOFT = "com.microsoft"
"""Operators that onnxruntime has of its own, among them quantized ones that its quantizer writes."""

STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", MICROSOFT})
"""Domains whose operators onnxruntime computes."""

CHANNELS_LAST = "finn.custom_op.channels_last"
ALIASES = {
    "finn": GENERAL,
    "qonnx.custom_op.general": GENERAL,
    "onnx.brevitas": GENERAL,
    "qonnx.custom_op.channels_last": CHANNELS_LAST,
}
"""Domains of published models, and the domains of ours that they mean."""


def is_custom_domain(domain: str) -> bool:
    """Whether operators of this domain are neither ONNX's nor onnxruntime's own."""
    return domain not in STANDARD_DOMAINS


def canonical_domain(domain: str) -> str:
    """The one name of a domain that has several."""
    return "" if domain == "ai.onnx" else ALIASES.get(domain, domain)


def normalise_domains(model: ModelProto) -> None:
    """Write the one name of our domain in place of its aliases, and import every domain that nodes use."""
    used: set[str] = set()
    nodes = list(model.graph.node)
    while nodes:
        node = nodes.pop()
        if node.domain in ALIASES:
            node.domain = _of_ours(node)
        used.add(node.domain)
        nodes += [inner for body in subgraphs(node) for inner in body.node]
    for entry in model.opset_import:
        entry.domain = ALIASES.get(entry.domain, entry.domain)
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        versions[entry.domain] = max(entry.version, versions.get(entry.domain, 1))
    for domain in sorted(used - versions.keys() - STANDARD_DOMAINS):
        versions[domain] = 1
    if len(versions) != len(model.opset_import):
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())


def _of_ours(node: NodeProto) -> str:
    """Before 2020 all of FINN's operators had the domain "finn"; the hardware layers said so in an attribute."""
    hardware = any(a.name == "backend" and a.s == b"fpgadataflow" for a in node.attribute)
    return "finn.custom_op.fpgadataflow" if node.domain == "finn" and hardware else ALIASES[node.domain]
