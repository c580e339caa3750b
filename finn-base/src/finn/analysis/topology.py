"""Questions about the wiring of a graph."""

from __future__ import annotations

from onnx import GraphProto, TensorProto

from finn.core.index import reads, subgraphs
from finn.core.modelwrapper import ModelWrapper

_DYNAMIC_FIRST = frozenset({"Add", "Conv", "MatMul", "Mul"})


def is_linear(model: ModelWrapper) -> dict[str, bool]:
    """{"is_linear": no computed tensor is used twice}."""
    with model.trusted_index():
        fanouts = get_per_tensor_fanouts(model)
        return {"is_linear": all(n <= 1 for name, n in fanouts.items() if not model.has_initializer(name))}


def get_per_tensor_fanouts(model: ModelWrapper) -> dict[str, int]:
    """{tensor: number of nodes that read it}, constants included."""
    with model.trusted_index():
        return {name: model.get_tensor_fanout(name) for name in model.get_all_tensor_names()}


def all_tensors_f32(model: ModelWrapper) -> dict[str, bool]:
    """{"all_tensors_f32": no tensor, constants included, is stored in another element type than float32}.

    Annotated data types do not matter: an INT4 tensor is stored in float32. Unknown element types do not count.
    """
    with model.trusted_index():
        kinds = {model.get_tensor_elem_type(name) for name in model.get_all_tensor_names()}
    return {"all_tensors_f32": kinds <= {TensorProto.FLOAT, TensorProto.UNDEFINED}}


def node_inputs_in_expected_order(model: ModelWrapper) -> dict[str, bool]:
    """{"node_inputs_in_expected_order": every MatMul, Conv, Add and Mul has two inputs, a computed and a constant one}.

    The second input of Add may be computed as well. A Conv with a bias has three inputs: extract its bias first.
    """

    def in_order(op_type: str, inputs: list[str]) -> bool:
        if len(inputs) != 2 or model.has_initializer(inputs[0]):
            return False
        return op_type == "Add" or model.has_initializer(inputs[1])

    with model.trusted_index():
        nodes = [node for node in model.graph.node if node.op_type in _DYNAMIC_FIRST]
        return {"node_inputs_in_expected_order": all(in_order(node.op_type, list(node.input)) for node in nodes)}


def nodes_topologically_sorted(model: ModelWrapper) -> dict[str, bool]:
    """{"nodes_topologically_sorted": every node comes after those it reads from}, in subgraphs as well."""
    bodies = [model.graph]
    for body in bodies:  # grows while it is walked
        bodies += [inner for node in body.node for inner in subgraphs(node)]
    return {"nodes_topologically_sorted": all(map(_sorted, bodies))}


def _sorted(graph: GraphProto) -> bool:
    to_come = {name for node in graph.node for name in node.output if name}
    for node in graph.node:
        if any(name in to_come for name in reads(node)):
            return False
        to_come.difference_update(node.output)
    return True
