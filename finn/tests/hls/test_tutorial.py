# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""docs/contribute-a-layer.md, carried out in a copy of the sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "contribute-a-layer.md"
FILE = re.compile(r"^`(finn[^`]*)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("finn/src", "finn/tests/dataflow", "finn-hlslib/include", "finn-hlslib/src")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    files = dict(FILE.findall(PAGE.read_text()))
    assert len(files) == 4
    for name, text in files.items():
        assert not (folder / name).exists(), f"{name} is there already"
        (folder / name).write_text(text)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy, with the copy's packages in front of those that are installed."""
    packages = os.pathsep.join(str(folder / name) for name in ("finn/src", "finn-hlslib/src", "finn/tests/dataflow"))
    environment = {**os.environ, "PYTHONPATH": packages, "PYTHONSAFEPATH": "1"}
    ladder = folder / "finn" / "tests" / "dataflow"
    arguments = [sys.executable, *command]
    return subprocess.run(arguments, cwd=ladder, env=environment, text=True, capture_output=True, check=False)


def test_the_layer_climbs(copy: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-m", "not slow")
    done = run(copy, "-m", "pytest", *options, "test_ladder.py", "-k", "Clip or climbs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout, done.stdout


COMPARE = """
import numpy as np
from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layers.clip import Clip
from finn.hls import CppSimulator

layer = Clip((1, 6), DataType["INT8"], -20, 30, PE=2)
x = np.arange(-128, 124).reshape(-1, 6)
print((CppSimulator(make_model([("clip", layer)])).run(x)[0] == layer.execute(x)).all())
"""


def test_a_wrong_bound_in_cpp_is_found(copy: Path) -> None:
    header = copy / "finn-hlslib" / "include" / "finn" / "clip.hpp"
    assert run(copy, "-c", COMPARE).stdout == "True\n"
    header.write_text(header.read_text().replace("Element(High)", "Element(Low)"))
    assert run(copy, "-c", COMPARE).stdout == "False\n"
