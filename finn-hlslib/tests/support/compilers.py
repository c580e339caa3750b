# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A C++ compiler with the warnings and sanitizers that the headers are tested with."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finn_hlslib import include_dir, sim_dir

WARNINGS = ("-std=c++14", "-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1")
INCLUDES = (f"-I{include_dir()}", f"-I{sim_dir()}")
HOW_TO_INSTALL = "run ci/setup-tools.sh, or: sudo apt-get install -y"


@dataclass(frozen=True)
class Cxx:
    """A C++ compiler with the flags of the tests."""

    command: str
    warnings: tuple[str, ...] = WARNINGS
    sanitizers: tuple[str, ...] = SANITIZERS
    includes: tuple[str, ...] = INCLUDES

    def object(self, source: Path, target: Path, *flags: str) -> Path:
        """Compile one file to an object; what the compiler says is the failure."""
        self.said_of(source, target, *flags)
        return target

    def said_of(self, source: Path, target: Path, *flags: str) -> str:
        """The same, for what the compiler says all the same."""
        done = self._run(*self.warnings, *self.sanitizers, *self.includes, *flags, "-c", str(source), "-o", str(target))
        assert done.returncode == 0, done.stderr
        return done.stderr

    def program(self, target: Path, *objects: Path) -> Path:
        """Link objects to a program."""
        done = self._run(*self.sanitizers, *map(str, objects), "-o", str(target))
        assert done.returncode == 0, done.stderr
        return target

    def check(self, text: str) -> str:
        """Compile a text without a product; what the compiler says, nothing if all is well."""
        done = self._run(*self.warnings, *self.includes, "-fsyntax-only", "-x", "c++", "-", text=text)
        return done.stderr if done.returncode != 0 else ""

    def _run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.command, *arguments], input=text, text=True, capture_output=True, check=False)


def once(target: Path, make: Callable[[], object]) -> Path:
    """What `make` makes, made by the first process that asks for it. Why it cannot be made is told to all."""
    error = Path(f"{target}.error")
    with Path(f"{target}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists() and not error.exists():
            try:
                make()
            except AssertionError as failure:
                error.write_text(str(failure))
    assert not error.exists(), error.read_text()
    return target


def output_of(program: Path, *arguments: str, text: str = "") -> str:
    """What a program prints; an error, or what a sanitizer found, is the failure."""
    done = subprocess.run([program, *arguments], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
