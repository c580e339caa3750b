"""What two models have to agree on before the nodes of one can be put into the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnx import FunctionProto, GraphProto, NodeProto

from finn.core.domains import is_custom_domain
from finn.core.errors import UnknownOpError, UnsupportedError
from finn.core.index import subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, fresh_name
from finn.custom_op.registry import getCustomOp
from finn.transformation._opsets import import_standard_opset, require_same_meaning


def all_names(graph: GraphProto) -> set[str]:
    """Every tensor name of the graph and of the bodies in it."""
    names = {value.name for value in (*graph.input, *graph.output, *graph.value_info)}
    names |= {tensor.name for tensor in graph.initializer}
    names |= {sparse.values.name for sparse in graph.sparse_initializer}
    for node in graph.node:
        names.update(node.input, node.output)
        for body in subgraphs(node):
            names |= all_names(body)
    return names


def agree_on_opsets(models: Sequence[ModelWrapper]) -> None:
    """Let all models, and their functions, import the highest version that one of them imports of each domain.

    Nodes are adapted where the standard operators have changed. UnsupportedError that names a node to which the new
    version gives another meaning; the models, which should be copies, may be changed in part then.
    """
    common: dict[str, int] = {}
    for model in models:
        for domain, version in (*model.get_opset_imports().items(), *_of_functions(model)):
            common[domain] = max(version, common.get(domain, 1))
    for model in models:
        for function in model.model.functions:
            _raise_function(function, common)
        own = model.get_opset_imports()
        for node in model.graph.node:
            _require_same_operator(node, own, common)
        import_standard_opset(model, common.get("", 1))
        for domain, version in common.items():
            if domain and own.get(domain) != version:
                model.set_opset_import(domain, version)


def _of_functions(model: ModelWrapper) -> list[tuple[str, int]]:
    return [(_standard(o.domain), o.version) for function in model.model.functions for o in function.opset_import]


def _standard(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _raise_function(function: FunctionProto, common: dict[str, int]) -> None:
    own = {_standard(entry.domain): entry.version for entry in function.opset_import}
    if "" in own:
        require_same_meaning(function.node, own[""], common[""])
    for node in function.node:
        _require_same_operator(node, own, common)
    for entry in function.opset_import:
        entry.version = common[_standard(entry.domain)]


def _require_same_operator(node: NodeProto, own: dict[str, int], common: dict[str, int]) -> None:
    """UnsupportedError if a custom node is another operator in the common version of its domain."""
    old, new = own.get(node.domain, 1), common.get(node.domain, 1)
    if old == new or not is_custom_domain(node.domain):
        return
    try:
        same = type(getCustomOp(node, old)) is type(getCustomOp(node, new))
    except UnknownOpError:
        return  # nobody here knows what the node means; a function of the model perhaps
    if not same:
        raise UnsupportedError(
            f"domain '{node.domain}' cannot be raised from version {old} to {new}",
            where=f"node {describe(node)}",
            why=f"{node.op_type} is another operator there",
            remedy="export both models with the same version of the domain",
        )


def take_functions(target: ModelWrapper, source: ModelWrapper) -> None:
    """Give `target` the functions of `source`. Those that `target` defines otherwise are renamed, in `source` too."""
    known = {_key(function): function for function in target.model.functions}
    taken = {function.name for function in (*target.model.functions, *source.model.functions)}
    renamed: dict[tuple[str, str, str], str] = {}
    for function in source.model.functions:
        if known.get(_key(function), function) != function:
            renamed[_key(function)] = fresh_name(function.name, taken)
            taken.add(renamed[_key(function)])
    if renamed:
        _rename_calls(source.graph.node, renamed)
        for function in source.model.functions:
            _rename_calls(function.node, renamed)
            function.name = renamed.get(_key(function), function.name)
    target.model.functions.extend(f for f in source.model.functions if _key(f) not in known)


def _key(item: FunctionProto | NodeProto) -> tuple[str, str, str]:
    name = item.name if isinstance(item, FunctionProto) else item.op_type
    return item.domain, name, item.overload


def _rename_calls(nodes: Iterable[NodeProto], renamed: dict[tuple[str, str, str], str]) -> None:
    for node in nodes:
        node.op_type = renamed.get(_key(node), node.op_type)
        for body in subgraphs(node):
            _rename_calls(body.node, renamed)
