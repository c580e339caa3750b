# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pages of the API reference of finn-base, made of the docstrings; conf.py calls this.

The modules are found by walking the packages; names with a leading underscore stay out. Docstrings are plain text: they
are escaped, `code` and indented blocks excepted.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = {
    "finn.core": "Models, data types, execution",
    "finn.custom_op": "Operators",
    "finn.transformation": "Transformations",
    "finn.analysis": "Analyses",
    "finn.util": "Helpers",
}


def write_pages(folder: Path) -> None:
    """An index, a page for each package, and one for each module."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        old.unlink()
    for package, title in PACKAGES.items():
        modules = [package, *_modules(package)]
        shown = [name for name in modules if _public(importlib.import_module(name))]
        for name in shown:
            _write(folder / f"{name}.rst", _module_page(name))
        lines = [f"{package}: {title}", "=" * 60, "", ".. toctree::", "   :maxdepth: 1", ""]
        _write(folder / f"index_{package}.rst", [*lines, *(f"   {name}" for name in shown)])
    lines = ["API of finn-base", "=" * 16, "", ".. toctree::", "   :maxdepth: 2", ""]
    _write(folder / "index.rst", [*lines, *(f"   index_{package}" for package in PACKAGES)])


def _modules(package: str) -> list[str]:
    path = importlib.import_module(package).__path__
    names = (module.name for module in pkgutil.walk_packages(path, f"{package}."))
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def _public(module: ModuleType) -> list[str]:
    """Names that a module defines or lists in `__all__`."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _module_page(name: str) -> list[str]:
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :members:", "   :member-order: bysource"]
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        lines.append("   :imported-members:")
    rules = _rules(module)
    if rules:
        lines += ["", "Rules", "-----", ""]
    for rule in rules:
        text = " ".join((rule.body.__doc__ or "").split())
        lines += [f"**{rule}**: ``{rule.pattern}``", "", f"   {escaped(text)}", ""]
    return lines


def _rules(module: ModuleType) -> list[Any]:
    """The rewrite rules that a module defines, in the order of its tables."""
    from finn.transformation.rewrite import Rule

    tables = [value for value in vars(module).values() if isinstance(value, tuple)]
    rules = [rule for table in tables for rule in table if isinstance(rule, Rule)]
    own = [rule for rule in rules if rule.body.__module__ == module.__name__]
    return list({str(rule): rule for rule in own}.values())


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def process_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc: escape the text, and add the attributes of operators."""
    lines[:] = _as_rst(lines)
    attributes = getattr(obj, "attributes", None)
    if what == "class" and isinstance(attributes, dict) and attributes:
        lines += _attribute_table(attributes)


def _as_rst(lines: list[str]) -> list[str]:
    out: list[str] = []
    literal = False
    for line in lines:
        before = out[-1].strip() if out else ""
        if re.match(r"    \S|>>>", line) and (literal or not before or before.endswith(":")):
            out += [] if literal else ["", "::", ""]
            literal = True
            out.append(f"    {line.strip()}" if line.startswith(">>>") else line)
            continue
        if literal and line.strip():
            out.append("")
            literal = False
        is_item = bool(re.match(r"- ", line))
        if is_item and out and out[-1].strip() and not out[-1].startswith(("- ", "  ")):
            out.append("")
        out.append(("- " + escaped(line[2:])) if is_item else escaped(line) if line.strip() else "")
    return [*out, ""]


def escaped(line: str) -> str:
    """Plain text with `code` as reStructuredText."""
    parts = line.split("`")
    if len(parts) % 2 == 0:  # a lonely backquote
        return re.sub(r"([\\`*_|])", r"\\\1", line)
    texts = [re.sub(r"([\\*_|])", r"\\\1", part) for part in parts]
    codes = [f"``{part}``" if part.strip() == part and part else part for part in parts]
    return "".join(code if i % 2 else text for i, (text, code) in enumerate(zip(texts, codes, strict=True)))


def _attribute_table(attributes: dict[str, Any]) -> list[str]:
    rows = [".. list-table:: Attributes", "   :header-rows: 1", "", "   * - name", "     - type", "     - default"]
    rows += ["     - meaning"]
    for name, attribute in attributes.items():
        default = "required" if attribute.required else repr(attribute.default)
        allowed = "" if attribute.allowed is None else f" One of {', '.join(map(repr, sorted(attribute.allowed)))}."
        cells = (f"``{name}``", f"``{attribute.kind}``", f"``{default}``", escaped(f"{attribute.doc}.{allowed}"))
        rows += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(cells)]
    return ["", *rows, ""]
