"""The guides of finn-base: their Python code runs, top to bottom, their links lead somewhere, and the API is complete.

docs/rewrites.md and docs/custom-ops.md have tests of their own, which do more with their examples.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finn.transformation.proof import find_rules

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ["execution.md", "formats.md", "migration.md", "streamlining.md"]
GUIDES = [*RUN, "custom-ops.md", "decisions.md", "rewrites.md", "topologies.md", "use-in-your-compiler.md"]


def blocks(text: str) -> list[tuple[int, str]]:
    """(line in the file, code) of each block that is marked as Python; other languages are not run."""
    return [(text.count("\n", 0, found.start(1)), found[1]) for found in BLOCK.finditer(text)]


@pytest.mark.parametrize("name", RUN)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = DOCS / name
    names: dict[str, Any] = {"__name__": "guide"}
    for line, code in blocks(path.read_text(encoding="utf-8")):
        exec(compile("\n" * line + code, str(path), "exec"), names)  # errors have the line numbers of the guide


def test_blocks_are_found() -> None:
    text = "a\n```python\nx = 1\n```\n```\nnot = run\n```\n```python\ny = x\n```\n"
    assert blocks(text) == [(2, "x = 1\n"), (8, "y = x\n")]
    assert blocks((DOCS / "execution.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GUIDES)
def test_links_lead_somewhere(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (DOCS / target).exists(), target


@pytest.mark.parametrize("name", GUIDES)
def test_names_in_imports_exist(name: str) -> None:
    """Also in blocks that are not run."""
    for _, code in blocks((DOCS / name).read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "finn":
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


# -------------------------------------------------------------------------------------------------- the API reference


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    sys.path.insert(0, str(DOCS))
    return importlib.import_module("api_pages")


@pytest.fixture(scope="module")
def written(pages: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages by name."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "stale.rst").write_text("of a module that is gone")
    pages.write_pages(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_public_module_has_a_page(written: dict[str, str]) -> None:
    src = Path(str(importlib.import_module("finn.core").__file__)).parents[2]
    for path in src.glob("finn/**/*.py"):
        parts = path.relative_to(src).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if "._" in name:
            assert name not in written, "private modules have no page"
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_" for node in body):
            assert f".. automodule:: {name}\n" in written[name]
    assert "stale" not in written


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("finn.core.modelwrapper.ModelWrapper", "finn.core.modelwrapper"),
        ("finn.transformation.rewrite.apply", "finn.transformation.rewrite"),  # of a private module
        ("finn.util.basic.gen_finn_dt_tensor", "finn.util.basic"),
        ("finn.custom_op.general.intquant.IntQuant", "finn.custom_op.general.intquant"),  # imported elsewhere, too
    ],
)
def test_each_name_once(written: dict[str, str], path: str, page: str) -> None:
    name = path.rpartition(".")[2]
    found = {
        title: line
        for title, text in written.items()
        for line in text.splitlines()
        if re.match(rf"\.\. auto\w+:: \S+\.{name}$", line)
    }
    assert found.keys() == {page}
    assert path in found[page]


def test_every_rule_is_shown(written: dict[str, str]) -> None:
    page = written["rules"]
    for rule in find_rules("finn.transformation").values():
        for line in (inspect.getdoc(rule.body) or "").splitlines():
            assert line in page
        assert f":Left side: ``{rule.pattern}``" in page
    assert ":Declined: the scale is 1 and the zero point 0; the scale is 0 somewhere" in page


def test_same_sources_same_pages(pages: ModuleType, written: dict[str, str], tmp_path: Path) -> None:
    pages.write_pages(tmp_path)
    assert {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == written
    assert not [name for name, text in written.items() if " at 0x" in text]


@pytest.mark.parametrize(
    ("docstring", "rst"),
    [
        ("a * b_ | `c * d`.", "a \\* b\\_ \\| \\ ``c * d``\\ ."),
        ("One `lonely * backquote", "One \\`lonely \\* backquote"),
        (
            "Adds. x: the first. y : the\nsecond. ModelError if not.",
            "Adds.\n\n- \\ ``x``\\ : the first.\n\n- \\ ``y``\\ : the second.\n\nModelError if not.",
        ),
        ("Text\n\n    code * here\n\n        more\n\nText", "Text\n\n::\n\n   code * here\n\n       more\n\nText"),
        ("Text:\n- one\n  more\n- two", "Text:\n\n- one more\n\n- two"),
        ("class A(B):\n\n    x = 1", "::\n\n   class A(B):\n\n       x = 1"),
    ],
)  # fmt: skip
def test_docstrings(pages: ModuleType, docstring: str, rst: str) -> None:
    assert "\n".join(pages.as_rst(docstring.split("\n"), ["x", "y"])).strip() == rst
