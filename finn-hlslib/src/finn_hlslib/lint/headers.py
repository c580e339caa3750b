# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about files: what is included, and what clang itself says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clang.cindex import Diagnostic

from finn_hlslib import include_dir
from finn_hlslib.lint.text import Include
from finn_hlslib.lint.unit import Found, Unit, is_ours

ALLOWED = (
    *("array", "cstddef", "cstdint", "limits", "tuple", "type_traits", "utility"),
    *("ap_axi_sdata.h", "ap_int.h", "hls_stream.h", "hls_vector.h"),
)
"""Headers of the standard library whose contents exist at compile time or are plain data, and those of Vitis HLS."""


def header(unit: Unit) -> Iterator[Found]:
    """Included are the library, files beside the source, and a few headers whose contents have hardware.

    These are <array>, <cstddef>, <cstdint>, <limits>, <tuple>, <type_traits>, <utility>, <ap_axi_sdata.h>, <ap_int.h>,
    <hls_stream.h> and <hls_vector.h>. All others promise functions that cannot be synthesized, or are not the same in
    every release of Vitis HLS; headers below finn/sim/ are for simulation alone.
    """
    for path in unit.files:
        for include in unit.text(path).includes:
            if not _is_allowed(include, Path(path).parent):
                what = f"#include {include.written}"
                remedy = f"use {', '.join(f'<{name}>' for name in ALLOWED)}, headers of the library or beside this file"
                yield Found(path, include.offset, what, "its contents may have no hardware", remedy)


def _is_allowed(include: Include, folder: Path) -> bool:
    if include.name in ALLOWED:
        return not include.quoted
    if include.name.startswith("finn/"):
        return "sim" not in include.name.split("/") and (include_dir() / include.name).is_file()
    return include.quoted and (folder / include.name).is_file() and is_ours(str((folder / include.name).resolve()))


def compiler(unit: Unit) -> Iterator[Found]:
    """clang has no warnings, with -Wall -Wextra; it is asked twice, as an HLS compiler and as one for simulation.

    Conversions (-Wconversion) are none of them: arithmetic of arbitrary precision is meant to be cut off.
    """
    for diagnostic in unit.parsed.diagnostics:
        file = diagnostic.location.file
        is_placed = file is not None and (file.name != unit.main or unit.main in unit.files)
        path = str(file.name) if is_placed else unit.files[0]
        is_error = diagnostic.severity >= Diagnostic.Error
        if is_error or (diagnostic.severity == Diagnostic.Warning and is_ours(path)):
            why = "clang's error" if is_error else f"clang's {diagnostic.option}"
            offset = diagnostic.location.offset if is_placed else 0
            yield Found(path, offset, diagnostic.spelling, why, "change what it points to")


RULES = (header, compiler)
