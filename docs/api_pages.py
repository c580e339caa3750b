# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pages of the API reference of finn-base and of the layers of finn, made of the docstrings; conf.py calls this.

The modules are found by walking the packages. A page has what its module defines, and what it lists in `__all__` of
private modules, each name once. Layers are found as the compiler finds them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import textwrap
import typing
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, TypeVar

from api_text import as_rst, escaped, indented  # beside this file

PACKAGES = {
    "finn.core": "Models, data types, execution",
    "finn.custom_op": "Operators",
    "finn.transformation": "Transformations",
    "finn.analysis": "Analyses",
    "finn.util": "Helpers and command line",
}
SHORT = 72
"""Characters up to which the value of a constant is shown."""


# -------------------------------------------------------------------------------------------------------------- pages


def write_pages(folder: Path) -> None:
    """An index, a page for each package, one for each module, and one for the rewrite rules."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        old.unlink()
    shown: set[tuple[str, str]] = set()
    for package, title in PACKAGES.items():
        pages = {}
        for name in [package, *_modules(package)]:
            lines = list(_module_page(name, shown))
            if lines:
                pages[name] = lines
                _write(folder / f"{name}.rst", lines)
        _write(folder / f"index_{package}.rst", [*_heading(f"{package}: {title}"), *_contents(pages, list(pages))])
    _write(folder / "rules.rst", _rules_page())
    _write(folder / "layers.rst", _layers_page())
    entries = [*(f"index_{package}" for package in PACKAGES), "rules"]
    _write(
        folder / "index.rst", [*_heading("API of finn-base"), ".. toctree::", "   :maxdepth: 1", "", *indented(entries)]
    )


def _modules(package: str) -> list[str]:
    path = importlib.import_module(package).__path__
    names = (module.name for module in pkgutil.walk_packages(path, f"{package}."))
    return sorted(name for name in names if not _is_private(name))


def _is_private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def _contents(pages: dict[str, list[str]], names: list[str]) -> Iterator[str]:
    """A table of the modules with their first sentences, and the hidden toctree behind it."""
    yield from (".. list-table::", "   :widths: 38 62", "")
    for name in pages:
        summary = (importlib.import_module(name).__doc__ or "").strip().partition("\n\n")[0]
        yield from (f"   * - :doc:`{name} <{name}>`", f"     - {escaped(' '.join(summary.split()))}")
    yield from ("", ".. toctree::", "   :hidden:", "", *indented(names))


def _module_page(name: str, shown: set[tuple[str, str]]) -> Iterator[str]:
    """Nothing if the module has no public names of its own. shown: (module of origin, name) on earlier pages."""
    module = importlib.import_module(name)
    _import_for_types(module)
    own = [(public, origin) for public, origin in _names(module) if (origin, public) not in shown]
    rules = [rule for _, rule in _all_rules() if rule.body.__module__ == name]
    shown.update((origin, public) for public, origin in own)
    if not own and not rules:
        return
    yield from (*_heading(name), f".. automodule:: {name}", "   :no-members:", "")
    for public, origin in own:
        yield from (*_directive(f"{name}.{public}", getattr(module, public), _own_text(origin, public)), "")
    if rules:
        yield from ("Rewrite rules", "-------------", "", *(f"- :ref:`{rule} <{_label(rule)}>`" for rule in rules))


def _import_for_types(module: ModuleType) -> None:
    """Give a module what it imports for its annotations only, so that signatures link to the right class."""
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for line in statement.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    for alias in line.names:
                        value = getattr(importlib.import_module(line.module), alias.name)
                        setattr(module, alias.asname or alias.name, value)


def _names(module: ModuleType) -> Iterator[tuple[str, str]]:
    """(public name, module that defines it), in the order of the source."""
    listed = getattr(module, "__all__", None)
    for statement in ast.parse(inspect.getsource(module)).body:
        for name, origin in _bound(statement, module.__name__):
            is_listed = not name.startswith("_") if listed is None else name in listed
            if is_listed and (origin == module.__name__ or (listed is not None and _is_private(origin))):
                value = getattr(module, name)
                if not _is_alias(value) and not _is_rules(value):
                    yield name, origin


def _is_alias(value: Any) -> bool:
    """Whether it is a short name for a type, which signatures spell out."""
    foreign = inspect.isclass(value) and not value.__module__.startswith("finn.")
    return foreign or isinstance(value, TypeVar | UnionType) or typing.get_origin(value) is not None


def _bound(statement: ast.stmt, module: str) -> Iterator[tuple[str, str]]:
    """The names that a statement binds, with the module that they come from."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name, module
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from ((target.id, module) for target in targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.ImportFrom) and statement.module:
        yield from ((alias.asname or alias.name, statement.module) for alias in statement.names)


def _own_text(module: str, name: str) -> str:
    """The docstring behind the assignment of a constant; Python does not keep it."""
    body = ast.parse(inspect.getsource(importlib.import_module(module))).body
    for statement, behind in itertools.pairwise(body):
        text = behind.value if isinstance(behind, ast.Expr) else None
        if isinstance(text, ast.Constant) and (name, module) in _bound(statement, module):
            return inspect.cleandoc(str(text.value))
    return ""


def _directive(path: str, value: Any, text: str) -> list[str]:
    """text: what a constant means."""
    if inspect.isclass(value):
        members = ["   :members:", "   :member-order: bysource", "   :exclude-members: attributes"]
        inherits = [] if value.__bases__ == (object,) else ["   :show-inheritance:"]
        return [f".. autoclass:: {path}", *members, *inherits]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}"]
    # Addresses in memory, and sets, whose order changes, would make pages differ from run to run.
    plain = isinstance(value, str | int | float | list | tuple | dict) and len(repr(value)) <= SHORT
    shown = f"   :value: {value!r}" if plain and " at 0x" not in repr(value) else ""
    lines = [
        f".. py:data:: {path.rpartition('.')[2]}",
        *filter(None, [shown]),
        "",
        *indented(as_rst(text.splitlines(), [])),
    ]
    if isinstance(value, dict) and value and all(map(inspect.isclass, value.values())):
        links = {key: f":class:`~{item.__module__}.{item.__qualname__}`" for key, item in value.items()}
        lines += indented(["", *(f"- ``{key}``: {link}" for key, link in links.items())])
    return lines


def _heading(title: str, line: str = "=") -> list[str]:
    return [escaped(title), line * (len(escaped(title)) + 1), ""]


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# -------------------------------------------------------------------------------------------------------------- rules


def _all_rules() -> list[tuple[str, Any]]:
    """(full name, rule) of every rule, those of private modules included."""
    from finn.transformation.proof import find_rules

    return list(find_rules("finn.transformation").items())


def _is_rules(value: Any) -> bool:
    from finn.transformation.rewrite import Rule

    table = value if isinstance(value, list | tuple) else (value,)
    return len(table) > 0 and all(isinstance(item, Rule) for item in table)


def _label(rule: Any) -> str:
    return f"rule-{rule.body.__module__}-{rule}".replace("_", "-").replace(".", "-").lower()


def _rules_page() -> Iterator[str]:
    """Every rule with its equation, its left side, and what it wants."""
    yield from _heading("Rewrite rules")
    yield from (
        "Every rule of :mod:`finn.transformation`: its equation, the pattern that is its left side, the variables",
        "that bind constants or certain tensors only, and for what reasons a place that fits is declined.",
        "How rules are read and written: :doc:`../rewrites`.",
        "",
    )
    before, labels = "", set()
    for _, rule in _all_rules():
        module = rule.body.__module__
        if module != before:
            summary = (importlib.import_module(module).__doc__ or module).strip().partition("\n\n")[0].rstrip(".")
            yield from _heading(" ".join(summary.split()), "-")
            before = module
        if _label(rule) not in labels:  # two rules of the same name, made by one function
            yield from (f".. _{_label(rule)}:", "")
            labels.add(_label(rule))
        yield from (
            *_heading(str(rule), "~"),
            ".. code-block:: text",
            "",
            *indented((inspect.getdoc(rule.body) or "").splitlines()),
            "",
        )
        yield from (f":Left side: ``{rule.pattern}``", *_variables(rule), *_declines(rule), "")


def _variables(rule: Any) -> list[str]:
    """The variables of a pattern that do not bind any tensor."""
    kinds: dict[str, str] = {}
    waiting = [rule.pattern]
    while waiting:
        for item in waiting.pop(0).inputs:
            if hasattr(item, "inputs"):
                waiting.append(item)
            elif hasattr(item, "bind"):
                optional, inner = hasattr(item, "inner"), getattr(item, "inner", item)
                kinds[item.name] = ("optional " if optional else "") + type(inner).__name__
    return [f":{name}: {kind}" for name, kind in kinds.items() if kind != "Var"]


def _declines(rule: Any) -> list[str]:
    """The reasons that the rule itself gives to `require`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(rule.body)))
    except (OSError, TypeError, SyntaxError):
        return []  # made by a function, not written down
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "require"]
    reasons = [_text(call.args[1]) for call in calls if len(call.args) > 1]
    return [f":Declined: {'; '.join(escaped(reason) for reason in reasons)}"] if reasons else []


def _text(node: ast.expr) -> str:
    """A string literal; the expressions of an f-string as `code`."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"`{ast.unparse(node.value)}`"
    return str(node.value) if isinstance(node, ast.Constant) else f"`{ast.unparse(node)}`"


# ------------------------------------------------------------------------------------------------------------- layers


def _layers_page() -> Iterator[str]:
    """What each layer says of itself, and what a folding configuration can set of it."""
    from finn.dataflow.layers import LAYERS

    yield from _heading("Layers")
    yield from (
        "Every layer of ``finn.dataflow.layers``, as its file declares it, and what a folding configuration can set.",
        "What they have in common: :doc:`../hardware`.",
        "",
    )
    for layer in sorted(LAYERS, key=lambda layer: layer.__name__):
        shown = [field.name for field in fields(layer)]
        text = as_rst((inspect.getdoc(layer) or "").splitlines(), shown)
        yield from (*_heading(layer.__name__, "-"), *text, *_settings(layer))


def _settings(layer: Any) -> Iterator[str]:
    """A table of what a folding configuration can set, beside what it can of every layer."""
    from finn.dataflow.layer import Layer

    common = {f.name for f in fields(Layer)}
    own = [f for f in fields(layer) if f.metadata.get("config") and f.name not in common]
    if own:
        yield from (".. list-table::", "   :header-rows: 1", "", "   * - can be set", "     - to", "     - default")
    for field in own:
        choices = field.metadata.get("choices")
        values = ", ".join(f"``{choice}``" for choice in choices or ())
        of = field.metadata.get("of")
        to = f"a divisor of {escaped(of.replace('_', ' '))}" if of else values or "a number"
        yield from (f"   * - ``{field.name}``", f"     - {to}", f"     - ``{field.default}``")
    yield ""
