# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pages that show the notebooks with their stored outputs, and the list of their questions. conf.py calls this."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

QUESTIONS = "questions.txt"
LANGUAGES = {".sv": "systemverilog", ".cpp": "cpp", ".hpp": "cpp", ".json": "json"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
QUESTION = re.compile(r"\*\*Question:\*\*\s*(.*?)(?:\n\n|\Z)", re.DOTALL)

Json = Mapping[str, Any]


def write_pages(folder: Path, notebooks: Sequence[Path]) -> None:
    """A page of each notebook beside its pictures, and QUESTIONS, a list that links to the pages from docs/."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    questions = []
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        page = folder / f"{path.stem}.md"
        page.write_text("\n\n".join(part for cell in cells for part in _cell(cell, page)) + "\n", encoding="utf-8")
        questions.append(_entry(_text(cells[0]["source"]), f"{folder.parent.name}/{folder.name}/{page.name}"))
    (folder / QUESTIONS).write_text("".join(questions), encoding="utf-8")


def _entry(first: str, link: str) -> str:
    title = first.partition("\n")[0].lstrip("# ")
    found = QUESTION.search(first)
    question = " ".join(found[1].split()) if found else ""
    return f"- [{title}]({link}): {question}\n"


def _cell(cell: Json, page: Path) -> Iterator[str]:
    source = _text(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield _block(source, _language(source))
    for number, output in enumerate(cell["outputs"]):
        data = output.get("data", {})
        if "image/png" in data:
            picture = page.with_name(f"{page.stem}_{cell['id']}_{number}.png")
            picture.write_bytes(base64.b64decode(_text(data["image/png"])))
            yield f"![What the cell above draws]({picture.name})"
        elif text := COLOUR.sub("", _text(output.get("text", data.get("text/plain", "")))).strip("\n"):
            yield _block(text, "text")


def _language(source: str) -> str:
    """Of a cell: Python, or what it writes into a file."""
    written = re.match(r"%%writefile \S*?(\.\w+)\n", source)
    return LANGUAGES.get(written[1], "text") if written else "text" if source.startswith("%%") else "python"


def _block(text: str, language: str) -> str:
    fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall(r"`+", text)), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _text(lines: str | Sequence[str]) -> str:
    """Notebooks store texts as lists of lines or as one string."""
    return "".join(lines)
