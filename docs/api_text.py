# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings as reStructuredText. They are plain text: all is escaped, but `code`, lists and indented blocks."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

KINDS = {
    "i": "int",
    "f": "float",
    "s": "string",
    "t": "tensor",
    "ints": "ints",
    "floats": "floats",
    "strings": "strings",
}
CODE = re.compile(r"    |>>>|(class|def) \w+.*:$")
"""How code begins in a docstring: indented, but this is lost if all of the docstring but its first line is."""


def process_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc: escape the text, and add the attributes of operators."""
    if what in ("attribute", "data") and "\n".join(lines).strip() == inspect.getdoc(type(obj)):
        lines.clear()  # what Python says of any dict
    lines[:] = as_rst(lines, _parameters(obj))
    attributes = getattr(obj, "attributes", None)
    if what in ("class", "exception") and isinstance(attributes, dict) and attributes:
        lines += _attribute_table(attributes)


def process_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Called by autodoc: as written in the source, where objects would be shown with their addresses."""
    signature = signature and re.sub(r"<function (\w+)>", r"\1", signature.replace("<factory>", "..."))
    if signature is None or " at 0x" not in signature:
        return signature, returns
    written = inspect.signature(obj, eval_str=False)
    texts = []
    for parameter in written.parameters.values():
        default = parameter.default
        text = f"{parameter.name}: {parameter.annotation}"
        if default is not parameter.empty:
            text += f" = {getattr(default, '__name__', '...' if '<' in repr(default) else repr(default))}"
        texts.append(text)
    return f"({', '.join(text for text in texts if not text.startswith('self:'))})", returns


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
            out += ["::", "", *indented(textwrap.dedent("\n".join(block)).splitlines()), ""]
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
        if not line.strip():
            after_blank = True
            continue
        last = blocks[-1][0] if blocks else ""
        continues = blocks and not after_blank
        if last == "literal" and (continues or line.startswith("    ")):
            blocks[-1][1].extend(["", line] if after_blank else [line])
        elif CODE.match(line) and not (last == "item" and continues):
            blocks.append(("literal", [line]))
        elif line.startswith("- "):
            blocks.append(("item", [line[2:].strip()]))
        elif continues:
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


def indented(lines: Iterable[str]) -> list[str]:
    return [f"   {line}" if line else "" for line in lines]
