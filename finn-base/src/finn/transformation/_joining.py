"""What two models have to agree on before the nodes of one can be put into the other."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import FunctionProto, GraphProto, NodeProto

from finn.core.domains import is_custom_domain
from finn.core.errors import UnknownOpError, UnsupportedError
from finn.core.index import subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, fresh_name
from finn.custom_op.registry import getCustomOp
from finn.transformation._opsets import require_same_meaning, set_standard_opset


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


def common_opsets(models: Iterable[ModelWrapper], purpose: str) -> dict[str, int]:
    """{domain: the highest version that one of the models imports}.

    UnsupportedError that names a node to which that version gives another meaning than the one its model imports.
    purpose: for the message, "... which <purpose>".
    """
    models = list(models)
    common: dict[str, int] = {}
    for model in models:
        for domain, version in model.get_opset_imports().items():
            common[domain] = max(version, common.get(domain, 1))
    for model in models:
        own = model.get_opset_imports()
        if "" in own:
            require_same_meaning(model, model.graph.node, own[""], common[""], purpose)
        for node in model.graph.node:
            if is_custom_domain(node.domain) and own.get(node.domain, 1) != common.get(node.domain, 1):
                _require_same_operator(node, own.get(node.domain, 1), common[node.domain], purpose)
    return common


def _require_same_operator(node: NodeProto, old: int, new: int, purpose: str) -> None:
    try:
        same = type(getCustomOp(node, old)) is type(getCustomOp(node, new))
    except UnknownOpError:
        return  # nobody here knows what the node means; a function of the model perhaps
    if not same:
        raise UnsupportedError(
            f"cannot raise domain '{node.domain}' from version {old} to {new}, which {purpose}",
            where=f"node {describe(node)}",
            why=f"{node.op_type} is another operator there",
            remedy=f"export both models for version {new} of the domain",
        )


def import_opsets(model: ModelWrapper, versions: dict[str, int]) -> None:
    """Let `model` import these versions."""
    for domain, version in versions.items():
        if domain:
            model.set_opset_import(domain, version)
        else:
            set_standard_opset(model.model, version)


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
