# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Where what was computed once is kept between runs. Losing it costs time only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def cache_root() -> Path:
    """$FINN_CACHE_DIR, else $XDG_CACHE_HOME/finn, else ~/.cache/finn."""
    if own := os.environ.get("FINN_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "finn"


def content_key(*parts: str | bytes) -> str:
    """A name for these contents."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]
