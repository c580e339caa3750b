# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules of the workspace that no linter knows: one namespace, one-way imports, sizes, errors."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import finn

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = ("finn-base", "finn-hlslib", "finn", "finn-examples", "brevitas-export")
MODULE_LINES = 600
FUNCTION_LINES = 40

BASE = frozenset({"finn.core", "finn.custom_op", "finn.transformation", "finn.analysis", "finn.util"})
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "finn.dataflow": BASE,
    "finn.rtl": BASE | {"finn.dataflow"},
    "finn.hls": BASE | {"finn.dataflow", "finn_hlslib"},
    "finn.synth": BASE | {"finn.dataflow", "finn.rtl"},
    "finn.report": BASE | {"finn.dataflow", "finn.rtl", "finn.synth"},
    "finn.deploy": BASE | {"finn.dataflow", "finn.hls", "finn.rtl", "finn.synth"},
    "finn.builder": BASE | {"finn.dataflow", "finn.hls", "finn.rtl", "finn.synth", "finn.report", "finn.deploy"},
    "finn.rtllib": frozenset(),  # SystemVerilog; its __init__ makes it a package that can be found
    "finn_hlslib": frozenset(),
    "finn_examples": BASE | {"finn.dataflow", "finn.deploy", "finn.builder"},
    "brevitas_export": BASE,
}
"""Who may import whom, of ours. Nothing flows back; a package that is not a key here has no place yet."""

SOURCES = sorted(
    path for name in DISTRIBUTIONS for path in (ROOT / name / "src").rglob("*.py") if ".egg-info" not in str(path)
)


def package_of(module: str) -> str:
    """Return the unit that the arrows speak of: ``finn.core`` for ``finn.core.datatype``."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "finn" else parts[0]


def module_of(path: Path) -> str:
    """Return the dotted name of a file under some ``src/``."""
    parts = path.with_suffix("").parts
    parts = parts[len(parts) - parts[::-1].index("src") :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of all imports, also of those inside functions; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def wrong_arrows(tree: ast.AST, module: str) -> Iterator[str]:
    here = package_of(module)
    for line, name in imports(tree):
        there = package_of(name)
        if there == here or (there not in MAY_IMPORT and not name.startswith("finn.")):
            continue
        if there not in MAY_IMPORT[here]:
            yield f"line {line}: {here} must not import {name}"
        elif any(part.startswith("_") for part in name.split(".")):
            yield f"line {line}: {name} is private to {there}"


def bare_exceptions(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raised, ast.Name) and raised.id in ("Exception", "BaseException"):
                yield f"line {node.lineno}: raise a subclass of FinnError that says what, where, why and the remedy"


def long_functions(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
            if lines > FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines; {FUNCTION_LINES} fit a screen"


@pytest.mark.parametrize("check", [wrong_arrows, bare_exceptions, long_functions])
@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_source(path: Path, check: Callable[[ast.AST, str], Iterator[str]]) -> None:
    assert list(check(ast.parse(path.read_text(encoding="utf-8")), module_of(path))) == []


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_module_is_one_concept(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES, f"{path} has {lines} lines; split it by concept"


def test_finn_is_a_namespace() -> None:
    assert not [path for name in DISTRIBUTIONS for path in (ROOT / name).glob("**/finn/__init__.py")]
    assert getattr(finn, "__file__", None) is None
    portions = {Path(path).resolve() for path in finn.__path__}
    assert ROOT / "finn-base/src/finn" in portions
    assert ROOT / "finn/src/finn" in portions
    assert ROOT / "finn" not in portions, "the repository root is on sys.path: set PYTHONSAFEPATH=1"


def test_every_package_has_one_home_and_types() -> None:
    homes: dict[str, Path] = {}
    for distribution in DISTRIBUTIONS:
        for init in (ROOT / distribution / "src").rglob("__init__.py"):
            package = package_of(module_of(init))
            home = homes.setdefault(package, init.parents[len(module_of(init).split(".")) - len(package.split("."))])
            assert home.is_relative_to(ROOT / distribution), f"{package} is in two distributions"
            assert (home / "__init__.py").is_file(), home
            assert (home / "py.typed").is_file(), home
    assert set(homes) == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("check", "module", "source", "found"),
    [
        (wrong_arrows, "finn.core.x", "import finn.dataflow", "finn.core must not import finn.dataflow"),
        (wrong_arrows, "finn.core.x", "def f():\n from finn.rtl import sim", "finn.core must not import finn.rtl.sim"),
        (wrong_arrows, "finn.dataflow.x", "from finn.builder import steps", "must not import finn.builder.steps"),
        (wrong_arrows, "finn_examples.x", "import finn.rtl", "finn_examples must not import finn.rtl"),
        (
            wrong_arrows,
            "finn.rtl.x",
            "from finn.core._plan import Plan",
            "finn.core._plan.Plan is private to finn.core",
        ),
        (bare_exceptions, "finn.core.x", "raise Exception('no')", "subclass of FinnError"),
        (long_functions, "finn.core.x", "def f():\n" + " x = 1\n" * 41, "f has 41 lines"),
    ],
)
def test_violations_are_found(
    check: Callable[[ast.AST, str], Iterator[str]], module: str, source: str, found: str
) -> None:
    (message,) = check(ast.parse(source), module)
    assert found in message
