# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each test of the headers runs with every compiler that is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from compilers import HOW_TO_INSTALL, Cxx


@pytest.fixture(scope="session", params=[("g++",), ("clang++", "clang++-14")], ids=lambda names: names[0])
def cxx(request: pytest.FixtureRequest) -> Cxx:
    """g++, and clang++ where it is installed."""
    found = next(filter(None, map(shutil.which, request.param)), None)
    if found is None and request.param[0] != "g++":
        pytest.skip(f"no {request.param[0]}: {HOW_TO_INSTALL} clang libclang-rt-dev")
    assert found is not None, f"a C++ compiler is needed: {HOW_TO_INSTALL} g++"
    return Cxx(found)


@pytest.fixture(scope="session")
def built(cxx: Cxx, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is compiled with one compiler; all workers of pytest-xdist have the same."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / Path(cxx.command).name
    folder.mkdir(exist_ok=True)
    return folder
