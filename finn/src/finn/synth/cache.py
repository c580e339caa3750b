"""A directory of results by digest of everything that determines them. Losing it costs time only."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from finn.util.cache import cache_root


def digest(files: Iterable[Path], texts: Iterable[str]) -> str:
    """Hexadecimal digest of names and contents of `files` (in any order) and of `texts` (in order)."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(b"T%d:" % len(text.encode()) + text.encode())
    for file in sorted(files, key=lambda file: file.name):
        content = file.read_bytes()
        whole.update(f"F{file.name}:{len(content)}:".encode() + content)
    return whole.hexdigest()


def fetch(kind: str, key: str, directory: Path) -> bool:
    """Copy the files stored under `key` into `directory`; False if there are none."""
    stored = cache_root() / kind / key
    if not stored.is_dir():
        return False
    for file in stored.iterdir():
        shutil.copyfile(file, directory / file.name)
    return True


def store(kind: str, key: str, files: Iterable[Path]) -> None:
    """Keep copies of `files` under `key`: all of them or nothing. A cache that cannot be written is left alone."""
    target = cache_root() / kind / key
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-", ignore_cleanup_errors=True) as temporary:
            complete = Path(temporary) / "entry"
            complete.mkdir()
            for file in files:
                shutil.copyfile(file, complete / file.name)
            complete.rename(target)
    except OSError:
        return  # another process stored the same entry first, or the directory is read-only or full
