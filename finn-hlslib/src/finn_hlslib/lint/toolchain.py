# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""libclang, and the standard headers, which it does not bring along: those of the C++ compiler that is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import lru_cache

from clang import cindex

from finn_hlslib import include_dir, sim_dir

COMPILERS = ("g++", "clang++")
WARNINGS = ("-Wall", "-Wextra", "-Wno-unknown-pragmas")


class LintError(Exception):
    """The lint itself cannot work: what, why, and what to do."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what} ({why}): {remedy}")


@lru_cache
def system_directories() -> tuple[str, ...]:
    """The directories of <cstdint>, <stddef.h> and so on, in the order of the search. Raises LintError."""
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if found is None:
        raise LintError(
            "no standard headers of C++ are found",
            "libclang brings none, and none of " + ", ".join(COMPILERS) + " is on the PATH",
            "install a compiler, on Debian or Ubuntu with apt-get install g++",
        )
    command = [found, "-E", "-v", "-x", "c++", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    listed = re.search(r"#include <\.\.\.> search starts here:\n(.*?)End of search list", done.stderr, re.DOTALL)
    if done.returncode or listed is None:
        raise LintError(
            f"{' '.join(command)} names no directories",
            f"its exit status is {done.returncode}: {done.stderr.strip()[-300:]}",
            "look whether the compiler is completely installed (on Debian or Ubuntu: apt-get install g++)",
        )
    return tuple(line.strip() for line in listed[1].splitlines())


def arguments(synthesis: bool, *folders: str) -> list[str]:
    """The command line for libclang: C++14 as the HLS compiler sees it, or as a simulation does.

    folders : where included files are looked for besides the library. Raises LintError.
    """
    system = [part for path in (str(sim_dir()), *system_directories()) for part in ("-isystem", path)]
    own = [f"-I{path}" for path in (*folders, include_dir())]
    define = ["-D__SYNTHESIS__"] if synthesis else []
    return ["-x", "c++", "-std=c++14", "-nostdinc", "-nostdinc++", *define, *WARNINGS, *own, *system]


def parse(path: str, contents: Mapping[str, str], command: list[str]) -> cindex.TranslationUnit:
    """The translation unit of a file; `contents` stand in place of those of files. Raises LintError."""
    try:
        index = cindex.Index.create()
        unsaved = list(contents.items())
        record = cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD  # what the preprocessor leaves out
        return index.parse(path, args=command, unsaved_files=unsaved, options=record)
    except cindex.LibclangError as error:
        raise LintError("libclang cannot be loaded", str(error), "pip install 'finn-hlslib[lint]'") from error
    except cindex.TranslationUnitLoadError as error:
        raise LintError(f"clang cannot read {path}", str(error), "look whether the file is there and is C++") from error
