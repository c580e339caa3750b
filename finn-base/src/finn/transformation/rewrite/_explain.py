"""Why a rule does not fire."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto

from finn.core.errors import nearest
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.rewrite._driver import declines
from finn.transformation.rewrite._matching import Decline
from finn.transformation.rewrite._patterns import RewriteError, Rule


@dataclass(frozen=True)
class Explanation:
    """What a rule says about a node. declines: the ways of matching that failed, the one that got farthest first."""

    rule: str
    pattern: str
    node: str
    fires: bool
    declines: tuple[Decline, ...]

    @property
    def reason(self) -> str:
        """What stopped the way that got farthest; "" if the rule fires."""
        return "" if self.fires else self.declines[0].reason

    @property
    def fitted(self) -> int:
        """How many nodes of the pattern the best way found."""
        return max((len(d.nodes) for d in self.declines), default=0)

    def __str__(self) -> str:
        if self.fires:
            return f"{self.rule} fires at {self.node}"
        lines = [f"{self.rule}, {self.pattern}, declines at {self.node}: {self.reason}"]
        for decline in self.declines:
            found = f"after {', '.join(decline.nodes)}: " if decline.nodes else ""
            lines.append(f"  {found}{decline.reason}")
        return "\n".join(lines if len(lines) > 2 else lines[:1])


def why_not(model: ModelWrapper, node: NodeProto | str, r: Rule) -> Explanation:
    """Why the rule does not fire at a node (given itself, by its name or by a tensor that it makes), or that it does.

    RewriteError if there is no such node, or if the rule fails.
    """
    root = _find(model, node) if isinstance(node, str) else node
    log = declines(model, root, r)
    farthest = sorted(dict.fromkeys(log or ()), key=lambda d: (-d.all_fitted, -len(d.nodes)))
    return Explanation(str(r), str(r.pattern), describe(root), log is None, tuple(farthest))


def near_misses(model: ModelWrapper, r: Rule) -> list[Explanation]:
    """An explanation for every node at which the pattern could end but the rule does not fire, closest first."""
    with model.trusted_index():
        roots = [node for node in model.graph.node if node.op_type in r.pattern.ops]
        found = [why_not(model, node, r) for node in roots]
    missed = [e for e in found if not e.fires]
    return sorted(missed, key=lambda e: (-e.declines[0].all_fitted, -e.fitted))


def _find(model: ModelWrapper, name: str) -> NodeProto:
    node = model.get_node_from_name(name) or model.find_producer(name)
    if node is None:
        known = [n.name or n.output[0] for n in model.graph.node]
        raise RewriteError(f"there is no node '{name}'", remedy=nearest(name, known))
    return node
