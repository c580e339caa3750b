# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Where what was computed once is kept between runs. Losing it costs time only."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """$FINN_CACHE_DIR, else $XDG_CACHE_HOME/finn, else ~/.cache/finn."""
    if own := os.environ.get("FINN_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "finn"
