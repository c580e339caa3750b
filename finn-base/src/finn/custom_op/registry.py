"""From a node to its `CustomOp`: the domain is an importable module with a dict `custom_op` {op_type: class}."""

from __future__ import annotations

import importlib
from types import ModuleType

from onnx import NodeProto

from finn.core.domains import ALIASES, is_custom_domain
from finn.core.errors import UnknownOpError, nearest
from finn.core.tidy import describe
from finn.custom_op.base import CustomOp

_aliases = dict(ALIASES)


def add_domain_alias(domain: str, module_path: str) -> None:
    """Let `domain` mean the operators of the module `module_path`."""
    _aliases[domain] = module_path


def resolve_domain(domain: str) -> str:
    """The module that holds the operators of `domain`."""
    return _aliases.get(domain, domain)


def getCustomOp(node: NodeProto, onnx_opset_version: int | None = None) -> CustomOp:  # the published name
    """The operator of `node`. UnknownOpError (a KeyError) if its domain or op type is not known."""
    ops = _ops_of(node.domain, f"node {describe(node)}")
    if node.op_type not in ops:
        raise UnknownOpError(
            f"domain '{node.domain}' has no operator '{node.op_type}'",
            where=f"node {describe(node)}",
            remedy=nearest(node.op_type, sorted(ops)),
        )
    return ops[node.op_type](node, 1 if onnx_opset_version is None else onnx_opset_version)


def is_custom_op(domain: str, op_type: str | None = None) -> bool:
    """Whether `domain` holds custom operators; with op_type: whether it holds this one."""
    if not is_custom_domain(domain):
        return False
    try:
        ops = _ops_of(domain, "")
    except UnknownOpError:
        return False
    return op_type is None or op_type in ops


def get_ops_in_domain(domain: str) -> list[tuple[str, type[CustomOp]]]:
    """(op_type, class) of every operator of `domain`. UnknownOpError if there is no such domain."""
    return list(_ops_of(domain, "").items())


def _ops_of(domain: str, where: str) -> dict[str, type[CustomOp]]:
    ops = getattr(_module(resolve_domain(domain), where), "custom_op", None)
    if not isinstance(ops, dict):
        raise UnknownOpError(f"module '{resolve_domain(domain)}' has no dict 'custom_op'", where=where)
    return ops


def _module(path: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not (path == error.name or path.startswith(error.name + ".")):
            raise  # the module is there, but something that it needs is not
        raise UnknownOpError(
            f"the operator domain '{path}' is not known",
            where=where,
            why=f"there is no Python module '{error.name}'",
            remedy="install the package that defines this domain",
        ) from error
