# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The examples of docs/export.md run, and print what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas.nn", exc_type=ImportError)
pytest.importorskip("onnxoptimizer")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 6
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, example {number}", "exec"), names)
    printed = [_without_digits(line) for line in capsys.readouterr().out.splitlines()]
    shown = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [_without_digits(line) for block in shown for line in block.splitlines()]
    assert len(lines) >= 12
    assert [line for line in lines if line not in printed] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finn.onnx", "model.onnx"]


def _without_digits(line: str) -> str:
    """The last bits of a float are those of the machine."""
    return re.sub(r" [-+.0-9e]+ ", " # ", re.sub(r" +", " ", line.strip()))
