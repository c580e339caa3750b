# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The tests that are written in C++: every file in cpp/ is a program of its own, with doctest's main.

Each test case is a test here; what doctest or a sanitizer says is the failure.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compilers import HOW_TO_INSTALL, Cxx, once, output_of

FILES = sorted(Path(__file__).with_name("cpp").glob("*.cpp"))
CASE = re.compile(r'^\s*(?:TEST_CASE|SCENARIO|TEST_CASE_TEMPLATE)\s*\(\s*"([^"]+)"', re.MULTILINE)
MAIN = "#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN\n#include <doctest/doctest.h>\n"


def cases() -> list[tuple[Path, str]]:
    return [(path, name) for path in FILES for name in CASE.findall(path.read_text(encoding="utf-8"))]


@pytest.fixture(scope="session")
def main(cxx: Cxx, built: Path) -> Path:
    """The part of doctest that takes its time, compiled once."""
    if (error := cxx.check("#include <doctest/doctest.h>\n")) and "doctest/doctest.h" in error:
        pytest.skip(f"no doctest: {HOW_TO_INSTALL} doctest-dev")

    def make() -> None:
        source = built / "main.cpp"
        source.write_text(MAIN)
        cxx.object(source, built / "main.o", "-O0")

    return once(built / "main.o", make)


def program(cxx: Cxx, built: Path, main: Path, source: Path) -> Path:
    # A folder of its own: a file here may be called main.cpp, too.
    folder = built / "cpp"
    folder.mkdir(exist_ok=True)
    target = folder / source.stem
    return once(target, lambda: cxx.program(target, cxx.object(source, folder / f"{source.stem}.o"), main))


@pytest.mark.parametrize(("source", "case"), cases(), ids=[f"{path.stem}-{name}" for path, name in cases()])
def test_case(cxx: Cxx, built: Path, main: Path, source: Path, case: str) -> None:
    # doctest takes a comma for the end of a pattern; cases of a template have the type behind their name.
    pattern = re.sub(r"[,\\]", "?", case)
    printed = output_of(program(cxx, built, main, source), f"--test-case={pattern},{pattern}<*", "--no-colors")
    assert re.search(r"test cases: +[1-9]", printed), f"no test case of that name ran:\n{printed}"


def test_every_file_has_cases() -> None:
    assert FILES
    assert {path for path, _ in cases()} == set(FILES)
