"""Where results are kept that can be made again: compiled simulators, netlists, placements."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from finn.rtl.errors import RtlError


def cache_root() -> Path:
    """$FINN_CACHE_DIR, else $XDG_CACHE_HOME/finn, else ~/.cache/finn."""
    if own := os.environ.get("FINN_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "finn"


def cache_entry(kind: str, key: str) -> Path:
    """The directory for what is stored under `key`, made if it is not there. Raises RtlError if it cannot be made."""
    place = cache_root() / kind / key
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RtlError(
            f"the cache directory {place} cannot be made",
            why=error.strerror or str(error),
            remedy="set FINN_CACHE_DIR to a directory that can be written",
        ) from error
    return place


def content_key(*parts: str | bytes) -> str:
    """A name for these contents."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]
