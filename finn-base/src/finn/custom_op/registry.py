"""From a node to its `CustomOp`.

A domain is an importable Python module, or an alias of one, that lists its operators in a dict `custom_op`
{op_type: class}, in `__all__`, or simply by defining them. `add_op_to_domain` adds more. A name that ends with `_v<n>`
is the operator as it is since version n of the domain; without ending it is version 1.
"""

from __future__ import annotations

import importlib
import inspect
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from onnx import NodeProto

from finn.core.domains import ALIASES, is_custom_domain
from finn.core.errors import FinnError, ModelError, UnknownOpError, nearest
from finn.core.tidy import describe
from finn.custom_op.base import CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

Versions = dict[int, type[CustomOp]]
Ops = dict[str, Versions]

FIRST_VERSION = 1
_VERSIONED = re.compile(r"(.+)_v([1-9][0-9]*)")

# These two are replaced, never edited: readers need no lock, and no lock is held while a module is imported.
_aliases: dict[str, str] = dict(ALIASES)
_added: dict[str, Ops] = {}
_changes = 0
_lock = threading.Lock()
_listed: dict[str, tuple[dict[str, Any], Ops]] = {}  # a cache: module, what it listed, the same by version


class RegistrationError(FinnError, ValueError):
    """A class that cannot be an operator."""


# ------------------------------------------------------------------------------------------------------------ look-up


def getCustomOp(node: NodeProto, onnx_opset_version: int | None = None) -> CustomOp:  # the published name
    """The operator of `node`: the latest one that is not newer than version onnx_opset_version of its domain.

    None takes the latest one of all; `op_for` takes the version that a model imports. UnknownOpError (a KeyError) if
    there is none, ModelError if its class cannot be instantiated.
    """
    since, op_class = _choose(_versions(node.domain, node.op_type, node), node, onnx_opset_version)
    return _instance(op_class, node, since if onnx_opset_version is None else onnx_opset_version)


def op_for(model: ModelWrapper, node: NodeProto) -> CustomOp:
    """The operator of `node` at the version of its domain that `model` imports, 1 if it does not import it."""
    return getCustomOp(node, imported_version(model.get_opset_imports(), node.domain))


def imported_version(imports: Mapping[str, int], domain: str) -> int:
    """The version of `domain` in {domain: version}, whatever alias of the domain is imported; 1 if none is."""
    if domain in imports:
        return imports[domain]
    path = resolve_domain(domain)
    return max((version for other, version in imports.items() if resolve_domain(other) == path), default=FIRST_VERSION)


def is_custom_op(domain: str, op_type: str | None = None) -> bool:
    """Whether `domain` holds custom operators; with op_type: whether it holds this one."""
    if not is_custom_domain(domain):
        return False
    try:
        ops = _ops_of(domain)
    except UnknownOpError:
        return False
    return bool(ops) if op_type is None else op_type in ops


def hasCustomOp(domain: str, op_type: str) -> bool:  # the published name
    """Former name of `is_custom_op`."""
    warnings.warn("hasCustomOp is called is_custom_op now", DeprecationWarning, stacklevel=2)
    return is_custom_op(domain, op_type)


def get_supported_versions(domain: str, op_type: str) -> list[int]:
    """The versions of `domain` in which an operator was introduced or changed, ascending. UnknownOpError."""
    return sorted(_versions(domain, op_type))


def get_ops_in_domain(domain: str) -> list[tuple[str, type[CustomOp]]]:
    """(op_type, class) of every operator of `domain`, in its latest version. UnknownOpError if there is none."""
    return [(op_type, versions[max(versions)]) for op_type, versions in _ops_of(domain).items()]


# ------------------------------------------------------------------------------------------------------- registration


def add_domain_alias(domain: str, module_path: str) -> None:
    """Let `domain` mean the operators of the module `module_path`."""
    global _aliases, _changes
    with _lock:
        _aliases = {**_aliases, domain: module_path}
        _changes += 1


def resolve_domain(domain: str) -> str:
    """The module that holds the operators of `domain`."""
    return _aliases.get(domain, domain)


def add_op_to_domain(domain: str, op_class: type[CustomOp]) -> None:
    """Add an operator to `domain`, which need not be a module; its class name gives op type and version.

    It takes the place of an operator of the same op type and version. RegistrationError (a ValueError) if it is no
    CustomOp, or if methods are missing.
    """
    global _added, _changes
    if not (isinstance(op_class, type) and issubclass(op_class, CustomOp)):
        raise RegistrationError(f"{op_class!r} is no operator", remedy="derive it from finn.custom_op.base.CustomOp")
    if missing := sorted(getattr(op_class, "__abstractmethods__", ())):
        raise RegistrationError(f"operator {op_class.__name__} lacks {', '.join(missing)}", remedy="define them")
    op_type, version = _split(op_class.__name__)
    path = resolve_domain(domain)
    with _lock:
        ops = _added.get(path, {})
        _added = {**_added, path: {**ops, op_type: {**ops.get(op_type, {}), version: op_class}}}
        _changes += 1


def registrations() -> int:
    """How often operators or aliases were added: what was looked up before is outdated when it grows."""
    return _changes


# ------------------------------------------------------------------------------------------------------------- tables


def _versions(domain: str, op_type: str, node: NodeProto | None = None) -> Versions:
    ops = _ops_of(domain, node)
    if op_type not in ops:
        raise UnknownOpError(
            f"domain '{domain}' has no operator '{op_type}'", where=_where(node), remedy=nearest(op_type, sorted(ops))
        )
    return ops[op_type]


def _where(node: NodeProto | None) -> str:
    return "" if node is None else f"node {describe(node)}"


def _ops_of(domain: str, node: NodeProto | None = None) -> Ops:
    path = resolve_domain(domain)
    added = _added.get(path)
    try:
        listed = _ops_in(_module(path, node))
    except UnknownOpError:
        if added is None:
            raise
        return added
    if added is None:
        return listed
    return listed | {op_type: listed.get(op_type, {}) | versions for op_type, versions in added.items()}


def _ops_in(module: ModuleType) -> Ops:
    """What a module lists. Read again when its dict has changed: packages fill it while they are imported."""
    table = getattr(module, "custom_op", None)
    found: dict[str, Any] = table if isinstance(table, dict) and table else _defined(module)
    known = _listed.get(module.__name__)
    if known is not None and known[0] == found:
        return known[1]
    ops: Ops = {}
    for name, op_class in found.items():
        op_type, version = _split(name)
        ops.setdefault(op_type, {})[version] = op_class
    _listed[module.__name__] = (dict(found), ops)
    return ops


def _defined(module: ModuleType) -> dict[str, Any]:
    """The operators among the names that a module exports: those of `__all__`, or all of its own public ones."""
    content = vars(module)
    names: Iterable[str] = content.get("__all__") or [name for name in content if not name.startswith("_")]
    return {
        name: content[name]
        for name in names
        if isinstance(content.get(name), type)
        and CustomOp in content[name].__mro__
        and not inspect.isabstract(content[name])
    }


def _split(name: str) -> tuple[str, int]:
    """Op type and version that a class name stands for."""
    match = _VERSIONED.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, FIRST_VERSION)


def _module(path: str, node: NodeProto | None) -> ModuleType:
    missing = path
    if path and not path.startswith("."):  # that would mean a relative import
        try:
            return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name is None or not (path == error.name or path.startswith(error.name + ".")):
                raise  # the module is there, but something that it needs is not
            missing = error.name
    raise UnknownOpError(
        f"the operator domain '{path}' is not known",
        where=_where(node),
        why=f"there is no Python module '{missing}'",
        remedy="install the package that defines this domain",
    )


# ---------------------------------------------------------------------------------------------------------- instances


def _choose(versions: Versions, node: NodeProto, wanted: int | None) -> tuple[int, type[CustomOp]]:
    fitting = [version for version in versions if wanted is None or version <= wanted]
    if not fitting:
        raise UnknownOpError(
            f"domain '{node.domain}' has no operator '{node.op_type}' at version {wanted}",
            where=_where(node),
            why=f"it exists since version {min(versions)}",
            remedy=f"import the domain at version {min(versions)} or newer",
        )
    return max(fitting), versions[max(fitting)]


def _instance(op_class: type[CustomOp], node: NodeProto, version: int) -> CustomOp:
    try:
        if _takes_version(op_class):
            return op_class(node, onnx_opset_version=version)
        op = op_class(node)
        op.onnx_opset_version = version
        return op
    except FinnError as error:
        error.where = error.where or _where(node)
        raise
    except Exception as error:  # whatever the constructor of another package does
        raise ModelError(
            f"operator class {op_class.__module__}.{op_class.__qualname__} cannot be instantiated",
            where=_where(node),
            why=f"{type(error).__name__}: {error}",
            remedy="its constructor has to take (onnx_node) or (onnx_node, onnx_opset_version)",
        ) from error


@cache
def _takes_version(op_class: type[CustomOp]) -> bool:
    """Operators written for finn-base may take the node alone."""
    parameters = inspect.signature(op_class).parameters.values()
    return any(p.name == "onnx_opset_version" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
