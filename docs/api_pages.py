# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pages of the API reference of finn-base, made of the docstrings; conf.py calls this.

The modules are found by walking the packages. A page has what its module defines, and what it lists in `__all__` of
private modules, each name once. Docstrings are plain text: they are escaped, `code` and indented blocks excepted.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

PACKAGES = {
    "finn.core": "Models, data types, execution",
    "finn.custom_op": "Operators",
    "finn.transformation": "Transformations",
    "finn.analysis": "Analyses",
    "finn.util": "Helpers and command line",
}
KINDS = {
    "i": "int",
    "f": "float",
    "s": "string",
    "t": "tensor",
    "ints": "ints",
    "floats": "floats",
    "strings": "strings",
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
    entries = [*(f"index_{package}" for package in PACKAGES), "rules"]
    _write(
        folder / "index.rst", [*_heading("API of finn-base"), ".. toctree::", "   :maxdepth: 1", "", *_indent(entries)]
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
    yield from ("", ".. toctree::", "   :hidden:", "", *_indent(names))


def _module_page(name: str, shown: set[tuple[str, str]]) -> Iterator[str]:
    """Nothing if the module has no public names of its own. shown: (module of origin, name) on earlier pages."""
    module = importlib.import_module(name)
    own = [(public, origin) for public, origin in _names(module) if (origin, public) not in shown]
    rules = [rule for _, rule in _all_rules() if rule.body.__module__ == name]
    shown.update((origin, public) for public, origin in own)
    if not own and not rules:
        return
    yield from (*_heading(name), f".. automodule:: {name}", "   :no-members:", "")
    for public, _ in own:
        yield from (*_directive(f"{name}.{public}", getattr(module, public)), "")
    if rules:
        yield from ("Rewrite rules", "-------------", "", *(f"- :ref:`{rule} <{_label(rule)}>`" for rule in rules))


def _names(module: ModuleType) -> Iterator[tuple[str, str]]:
    """(public name, module that defines it), in the order of the source."""
    listed = getattr(module, "__all__", None)
    for statement in ast.parse(inspect.getsource(module)).body:
        for name, origin in _bound(statement, module.__name__):
            is_listed = not name.startswith("_") if listed is None else name in listed
            if is_listed and (origin == module.__name__ or (listed is not None and _is_private(origin))):
                value = getattr(module, name)
                if not isinstance(value, TypeVar) and not _is_rules(value):
                    yield name, origin


def _bound(statement: ast.stmt, module: str) -> Iterator[tuple[str, str]]:
    """The names that a statement binds, with the module that they come from."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name, module
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from ((target.id, module) for target in targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.ImportFrom) and statement.module:
        yield from ((alias.asname or alias.name, statement.module) for alias in statement.names)


def _directive(path: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        members = ["   :members:", "   :member-order: bysource", "   :exclude-members: attributes"]
        inherits = [] if value.__bases__ == (object,) else ["   :show-inheritance:"]
        return [f".. autoclass:: {path}", *members, *inherits]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}"]
    # Addresses in memory, and sets, whose order changes, would make pages differ from run to run.
    plain = isinstance(value, str | int | float | list | tuple | dict) and len(repr(value)) <= SHORT
    return [f".. autodata:: {path}", *([] if plain and " at 0x" not in repr(value) else ["   :no-value:"])]


def _heading(title: str, line: str = "=") -> list[str]:
    return [escaped(title), line * (len(escaped(title)) + 1), ""]


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"   {line}" for line in lines]


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
            *_indent(inspect.getdoc(rule.body).splitlines()),
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


# --------------------------------------------------------------------------------------------------------- docstrings


def process_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc: escape the text, and add the attributes of operators."""
    lines[:] = as_rst(lines, _parameters(obj))
    attributes = getattr(obj, "attributes", None)
    if what in ("class", "exception") and isinstance(attributes, dict) and attributes:
        lines += _attribute_table(attributes)


def process_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Called by autodoc: Sphinx can read signatures with defaults that are made for each object, too."""
    return signature and signature.replace("<factory>", "..."), returns


def _parameters(obj: Any) -> list[str]:
    if is_dataclass(obj):
        return [field.name for field in fields(obj)]
    try:
        return [name for name in inspect.signature(obj).parameters if name != "self"]
    except (TypeError, ValueError):
        return []


def as_rst(lines: list[str], parameters: list[str]) -> list[str]:
    """A docstring as reStructuredText: paragraphs, lists of `- `, indented blocks, and `name: text` of parameters."""
    out: list[str] = []
    for kind, block in _blocks(lines):
        if kind == "literal":
            out += ["::", "", *(f"    {line}" for line in block), ""]
        elif kind == "item":
            out += [f"- {escaped(' '.join(block))}", ""]
        else:
            out += _paragraph(" ".join(block), parameters)
    return out


def _blocks(lines: list[str]) -> list[tuple[str, list[str]]]:
    """(kind, lines) of each piece: "literal", "item" or "text"."""
    blocks: list[tuple[str, list[str]]] = []
    after_blank = True
    for line in lines:
        last = blocks[-1][0] if blocks else ""
        indented = line.startswith("    ") or line.startswith(">>>") or (last == "literal" and not after_blank)
        if not line.strip():
            after_blank = True
            continue
        if last == "literal" and (indented or (line.startswith("    ") and after_blank)):
            blocks[-1][1].extend(([""] if after_blank else []) + [line.removeprefix("    ")])
        elif indented and not (last == "item" and not after_blank):
            blocks.append(("literal", [line.removeprefix("    ")]))
        elif line.startswith("- "):
            blocks.append(("item", [line[2:].strip()]))
        elif blocks and not after_blank:
            blocks[-1][1].append(line.strip())
        else:
            blocks.append(("text", [line.strip()]))
        after_blank = False
    return blocks


def _paragraph(text: str, parameters: list[str]) -> list[str]:
    """A paragraph; from where it explains parameters, a list of them."""
    if not parameters:
        return [escaped(text), ""]
    names = "|".join(re.escape(name) for name in sorted(parameters, key=len, reverse=True))
    group = rf"(?:{names})(?:(?:, | and )(?:{names}))*"
    starts = [m.start() for m in re.finditer(rf"(?:(?<=^)|(?<=\. )|(?<=; )){group} ?: ", text)]
    if not starts:
        return [escaped(text), ""]
    ends = [
        m.start()
        for m in re.finditer(r"(?<=\. )(?=[A-Z]\w*Error\b|Returns\b|Raises\b)", text)
        if m.start() > starts[-1]
    ]
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], ends[0] if ends else len(text)], strict=True)]
    items = [re.sub(rf"^({group}) ?: (.*?);?$", r"- `\1`: \2", piece.strip()) for piece in pieces]
    before, after = text[: starts[0]].strip(), text[ends[0] :] if ends else ""
    listed = [line for item in items for line in (escaped(item), "")]
    return [*([escaped(before), ""] if before else []), *listed, *([escaped(after), ""] if after else [])]


def escaped(text: str) -> str:
    """Plain text with `code` as reStructuredText."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lonely backquote
        return re.sub(r"([\\`*_|])", r"\\\1", text)
    pieces = [re.sub(r"([\\*_|])", r"\\\1", part) for part in parts]
    for i in range(1, len(parts), 2):
        code = parts[i].strip()
        # inline literals have to stand apart from letters
        pieces[i] = f"\\ ``{code}``\\ " if code else ""
    return "".join(pieces)


def _attribute_table(attributes: dict[str, Any]) -> list[str]:
    rows = [".. list-table:: Attributes", "   :header-rows: 1", "", "   * - name", "     - type", "     - default"]
    rows += ["     - meaning"]
    for name, attribute in attributes.items():
        default = "required" if attribute.required else f"``{attribute.default!r}``"
        allowed = "" if attribute.allowed is None else f"; one of {', '.join(map(repr, sorted(attribute.allowed)))}"
        cells = (f"``{name}``", KINDS.get(attribute.kind, attribute.kind), default, escaped(attribute.doc + allowed))
        rows += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(cells)]
    return ["", *rows, ""]
