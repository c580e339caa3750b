# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Where the headers of finn-hlslib are."""

from __future__ import annotations

from pathlib import Path

__all__ = ["include_dir", "sim_dir"]


def include_dir() -> Path:
    """Return the directory to give to a C++ compiler as ``-I``: it holds ``finn/*.hpp``.

    In an installed package the headers are inside it, in a source tree (editable install) they are beside ``src/``.
    """
    package = Path(__file__).resolve().parent
    installed = package / "include"
    return installed if installed.is_dir() else package.parent.parent / "include"


def sim_dir() -> Path:
    """Return the directory of the library's own ``ap_int.h`` and ``hls_stream.h``, where no vendor tool is."""
    return include_dir() / "finn" / "sim"
