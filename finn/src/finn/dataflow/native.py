"""C++ that is compiled when it is first needed, and the directory where what was made is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from finn.core.errors import FinnError
from finn.util.cache import cache_root, content_key


class ToolMissing(FinnError):
    """An external tool that is needed is not on this machine, or too old."""


class NativeError(FinnError):
    """Something cannot be compiled, or there is no place for it."""


def cache_entry(kind: str, key: str) -> Path:
    """The directory for what is stored under `key`, made if it is not there. Raises NativeError if it cannot be."""
    place = cache_root() / kind / key
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NativeError(
            f"the cache directory {place} cannot be made",
            why=error.strerror or str(error),
            remedy="set FINN_CACHE_DIR to a directory that can be written",
        ) from error
    return place


@lru_cache
def compiler() -> str:
    """The C++ compiler: $CXX, else g++, else clang++. Raises ToolMissing."""
    chosen = os.environ.get("CXX")
    program = shutil.which(chosen) if chosen else shutil.which("g++") or shutil.which("clang++")
    if not program:
        raise ToolMissing(
            f"$CXX={chosen} is no program" if chosen else "no C++ compiler was found",
            why="simulators are compiled",
            remedy="run `apt-get install g++`",
        )
    return program


@lru_cache
def compiler_version() -> str:
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else compiler()


def compile_cxx(arguments: Sequence[str], cwd: Path) -> None:
    """Call the compiler. Raises NativeError with its first message."""
    done = subprocess.run([compiler(), *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NativeError("the C++ compiler failed on a simulator", why=first_error(done.stderr))


def first_error(text: str) -> str:
    """The line of a tool's messages that says what is wrong."""
    lines = text.splitlines()
    errors = [line for line in lines if "rror" in line]
    return (errors or lines or ["it gave no message"])[0].strip()


def shared_object(source: Path, flags: Sequence[str]) -> Path:
    """`source` compiled, from the cache if it is there. Raises ToolMissing, NativeError."""
    key = content_key(source.read_bytes(), *flags, compiler_version())
    product = cache_entry(source.stem, key) / f"{source.stem}.so"
    if not product.is_file():
        with tempfile.TemporaryDirectory(dir=product.parent) as work:
            compile_cxx([*flags, "-fPIC", "-shared", str(source), "-o", product.name], Path(work))
            os.replace(Path(work, product.name), product)
    return product
