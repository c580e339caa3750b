# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Every notebook runs, asks and answers a question, and is stored with pictures, and texts that name no machine."""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finn_examples.notebook_files import copy_notebooks, notebooks

PICTURE_BYTES = 60_000
SECONDS = 90
SLOW_SECONDS = 600
OF_A_MACHINE = re.compile(r"""(?:^|[\s'"(=:])(?:/\w[\w.-]*/|[A-Z]:\\|~/)|\bat 0x[0-9a-f]+|\.venv|site-packages""")
"""Absolute paths and addresses. A path has two levels at least: "/ 255" and "images/s" are none."""

Cell = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def is_slow(path: Path) -> bool:
    return bool(read(path)["metadata"].get("slow"))


ALL = pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
RUNS = pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if is_slow(path) else []) for path in notebooks()],
)


def cells(path: Path, kind: str) -> list[Cell]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def outputs(path: Path) -> Iterator[Cell]:
    for cell in cells(path, "code"):
        yield from cell["outputs"]


def texts(output: Cell) -> Iterator[str]:
    """What a reader sees as text, HTML included."""
    parts = [output["text"]] if "text" in output else []
    parts += [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    yield from ("".join(part) for part in parts)


def missing_modules(path: Path) -> set[str]:
    """Top-level packages that the notebook imports and that are not installed, such as PyTorch."""
    sources = ["".join(cell["source"]) for cell in cells(path, "code")]
    names = set()
    for node in (node for source in sources if source[0] not in "%!" for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {top for top in (name.split(".")[0] for name in names) if importlib.util.find_spec(top) is None}


def runner() -> ModuleType:
    """The script ``run.py`` of the folder, which is in no package."""
    spec = importlib.util.spec_from_file_location("run_notebooks", notebooks()[0].with_name("run.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@RUNS
def test_runs(path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if missing := missing_modules(path):
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    done = runner().execute(path, SLOW_SECONDS if is_slow(path) else SECONDS)
    messages = [output for cell in done.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"]
    assert messages == []
    kinds = [[output["output_type"] for output in cell.get("outputs", ())] for cell in done.cells]
    stored = [[output["output_type"] for output in cell.get("outputs", ())] for cell in read(path)["cells"]]
    assert kinds == stored, "the stored outputs are not of this code: python finn-examples/notebooks/run.py"


@ALL
def test_asks_and_answers(path: Path) -> None:
    first, last = read(path)["cells"][0], read(path)["cells"][-1]
    assert {first["cell_type"], last["cell_type"]} == {"markdown"}
    assert first["source"][0].startswith("# ")
    assert "**Question:**" in "".join(first["source"])
    assert "**Answer:**" in "".join(last["source"])


@ALL
def test_is_stored_with_a_complete_run(path: Path) -> None:
    assert [cell["execution_count"] for cell in cells(path, "code")] == [*range(1, len(cells(path, "code")) + 1)]
    assert {output["output_type"] for output in outputs(path)} <= {"stream", "display_data", "execute_result"}
    assert [output for output in outputs(path) if output.get("name") == "stderr"] == []
    assert {key for cell in read(path)["cells"] for key in cell["metadata"]} <= {"tags"}


@ALL
def test_pictures_are_there_and_small(path: Path) -> None:
    pictures = [output["data"]["image/png"] for output in outputs(path) if "image/png" in output.get("data", {})]
    assert pictures
    assert max(len(base64.b64decode("".join(picture))) for picture in pictures) <= PICTURE_BYTES


@ALL
def test_texts_say_nothing_of_a_machine(path: Path) -> None:
    assert [text for output in outputs(path) for text in texts(output) if OF_A_MACHINE.search(text)] == []


@pytest.mark.parametrize("text", ["saved /tmp/x/net.onnx", "'/home/me'", r"C:\net", "<f at 0x7f01>", "x=/a/b", "~/x/y"])
def test_texts_of_a_machine_are_found(text: str) -> None:
    assert OF_A_MACHINE.search(text)


@pytest.mark.parametrize("text", ["12 images/s", "x / 255", "1/255", "output/report/a.json", "and/or", "0x7f"])
def test_other_texts_are_none(text: str) -> None:
    assert not OF_A_MACHINE.search(text)


def test_numbers_are_unique() -> None:
    numbers = [path.name[:2] for path in notebooks()]
    assert numbers == sorted(set(numbers))


def test_copies_for_users(tmp_path: Path) -> None:
    names = [path.name for path in copy_notebooks(tmp_path / "mine")]
    assert names == [path.name for path in notebooks()]
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == names
    with pytest.raises(FileExistsError):
        copy_notebooks(tmp_path / "mine")


def test_copies_on_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "finn_examples", "notebooks", str(tmp_path / "mine")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [Path(line).name for line in done.stdout.splitlines()] == [path.name for path in notebooks()]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr.endswith(f"error: {tmp_path / 'mine'} exists already: choose a new directory\n")
