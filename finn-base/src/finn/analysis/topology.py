"""Questions about the wiring of a graph."""

from __future__ import annotations

from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper


def is_linear(model: ModelWrapper) -> dict[str, bool]:
    """{"is_linear": no computed tensor is used twice}."""
    fanouts = get_per_tensor_fanouts(model)
    return {"is_linear": all(count <= 1 for count in fanouts.values())}


def get_per_tensor_fanouts(model: ModelWrapper) -> dict[str, int]:
    """{tensor: number of nodes that read it}, without constants."""
    with model.trusted_index():
        names = [name for name in model.get_all_tensor_names() if not model.has_initializer(name)]
        return {name: model.get_tensor_fanout(name) for name in names}


def nodes_topologically_sorted(model: ModelWrapper) -> dict[str, bool]:
    """{"nodes_topologically_sorted": every node comes after those it reads from}."""
    made = {name for node in model.graph.node for name in node.output if name}
    for node in model.graph.node:
        if any(name in made for name in reads(node)):
            return {"nodes_topologically_sorted": False}
        made.difference_update(node.output)
    return {"nodes_topologically_sorted": True}
