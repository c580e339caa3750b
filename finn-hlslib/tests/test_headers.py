# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each header compiles alone without warnings, in a checkout and as installed from a wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compilers import Cxx

from finn_hlslib import include_dir, sim_dir

HEADERS = sorted([*(include_dir() / "finn").glob("*.hpp"), *sim_dir().glob("*.h")])
PROJECT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("header", [str(path.relative_to(include_dir())) for path in HEADERS])
def test_header_compiles_alone(cxx: Cxx, header: str) -> None:
    assert cxx.check(f"#include <{header}>\n#include <{header}>\n") == ""


def test_wheel_has_all_headers(tmp_path: Path) -> None:
    # Not from where the sources are: setuptools leaves its build folder beside them.
    copy = tmp_path / "finn-hlslib"
    for path in ("pyproject.toml", "README.md", *(str(p.relative_to(PROJECT)) for p in tracked())):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes((PROJECT / path).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", str(copy), "--no-deps", "--no-build-isolation", "-q"]
    done = subprocess.run([*command, "-w", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("finn_hlslib/include/")}
        archive.extractall(tmp_path / "installed")
    assert found == {f"finn_hlslib/include/{path.relative_to(include_dir())}" for path in HEADERS}
    script = "import finn_hlslib as f; print(f.include_dir(), f.sim_dir())"
    printed = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    package = tmp_path / "installed" / "finn_hlslib"
    assert printed == [str(package / "include"), str(package / "include" / "finn" / "sim")]


def tracked() -> list[Path]:
    """The files that go into the wheel, and whatever else is in their folders."""
    return [p for folder in ("src", "include") for p in (PROJECT / folder).rglob("*") if is_source(p)]


def is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
