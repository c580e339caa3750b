# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From the sources of a simulation to a shared object, compiled once for each content."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from finn.dataflow.native import cache_entry, compile_cxx, compiler, compiler_version
from finn.hls.network import Source
from finn.util.cache import content_key
from finn_hlslib import include_dir, sim_dir

RUNTIME = Path(__file__).with_name("runtime.hpp")
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fPIC", "-w"),
    *("-fno-tree-slp-vectorize", "--param=max-completely-peel-times=7"),
)
"""GCC 12 makes wrong code of sums of comparisons where it looks for vectors outside of loops: short ones stay loops."""


def compiled(source: Source) -> Path:
    """The shared object, from the cache if it is there. Raises ToolMissing, NativeError."""
    flags = (*FLAGS, *(f"-I{path}" for path in (include_dir(), sim_dir(), RUNTIME.parent)))
    texts = (source.header, *source.parts)
    key = content_key(*texts, *FLAGS, library(), processor())
    product = cache_entry("cppsim", key) / "network.so"
    if not product.is_file():
        with tempfile.TemporaryDirectory(dir=product.parent) as work:
            _compile(texts, flags, Path(work))
            os.replace(Path(work, product.name), product)
    return product


def _compile(texts: Sequence[str], flags: Sequence[str], work: Path) -> None:
    header, *parts = texts
    (work / "network.hpp").write_text(header)
    units = [f"part_{k}" for k in range(len(parts))]
    for unit, text in zip(units, parts, strict=True):
        (work / f"{unit}.cpp").write_text(text)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda unit: compile_cxx([*flags, "-c", f"{unit}.cpp"], work), units))
    compile_cxx(["-shared", *(f"{unit}.o" for unit in units), "-o", "network.so"], work)


@lru_cache
def library() -> bytes:
    """The headers that every simulation is made of."""
    files = sorted(p for folder in (include_dir() / "finn", sim_dir()) for p in folder.glob("*.h*"))
    return b"".join(p.read_bytes() for p in (*files, RUNTIME))


@lru_cache
def processor() -> str:
    """The compiler, and what it makes of this processor: a cache may be shared between machines."""
    command = [compiler(), "-march=native", "-E", "-dM", "-x", "c++", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return compiler_version() + done.stdout
