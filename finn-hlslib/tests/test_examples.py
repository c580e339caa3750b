# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The examples, as a user without Python runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from compilers import Cxx

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/Makefile")))
def test_example(example: str, cxx: Cxx, tmp_path: Path) -> None:
    command = ["make", "-s", "test", f"CXX={cxx.command}", f"BUILD={tmp_path}"]
    done = subprocess.run(command, cwd=EXAMPLES / example, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "347 of 359 digits are right; 0 answers differ from NumPy's\n"
