# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The list of examples needs NumPy only."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("finn", "onnx", "ray", "rich", "torch", "typer")


def test_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, finn_examples.models; print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
