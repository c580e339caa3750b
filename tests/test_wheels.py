# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What pip installs is what the repository has: a wheel holds every file of its sources, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FURTHER = {"finn-hlslib": ["include"], "finn-examples": ["build", "notebooks"]}
"""Folders beside src/ that the wheel holds, inside the package."""
PRODUCTS = shutil.ignore_patterns("output", "__pycache__", "*.egg-info", "_build", ".*", "ruff.toml")


def held(name: str, tree: Path) -> Iterator[str]:
    """The names in the wheel of distribution `name` that the files in `tree` should have."""
    package = name.replace("-", "_")
    for folder in ["src", *FURTHER.get(name, [])]:
        for path in (tree / folder).rglob("*"):
            if path.is_file():
                inside = path.relative_to(tree / folder).as_posix()
                yield inside if folder == "src" else f"{package}/{folder}/{inside}"


@pytest.mark.parametrize("name", ["finn-base", "finn-hlslib", "finn", "finn-examples", "brevitas-export"])
def test_wheel_is_complete(name: str, tmp_path: Path) -> None:
    tree = tmp_path / name
    shutil.copytree(ROOT / name, tree, ignore=PRODUCTS)
    expected = set(held(name, tree))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        ".",
    ]
    done = subprocess.run([*command, "-w", str(tmp_path)], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {file for file in archive.namelist() if ".dist-info/" not in file}
    assert found == expected
