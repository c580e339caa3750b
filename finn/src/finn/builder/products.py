"""Files and directories that appear only when they are complete.

Everything a build hands over is written beside its final place under a name that starts with a dot and ends in
`.partial`, and renamed when it is finished. An error or Ctrl-C removes the partial one and leaves the old one; what a
killed process leaves behind is removed by `remove_partial` at the start of the next build.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from finn.core.modelwrapper import ModelWrapper

PARTIAL = ".partial"


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """Give a place to write the file `path` to; it becomes `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def directory(path: Path) -> Iterator[Path]:
    """Give an empty directory that replaces `path`, with all it holds, when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    _remove(partial)
    partial.mkdir()
    try:
        yield partial
        _swap(partial, path)
    finally:
        _remove(partial)


def write_text(path: Path, text: str) -> None:
    with file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` as FINN writes its reports: two spaces of indentation, keys in the given order."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_model(path: Path, model: ModelWrapper) -> None:
    with file(path) as partial:
        model.save(str(partial))


def write_array(path: Path, array: np.ndarray) -> None:
    """Write `array` as `.npy`."""
    import numpy as np

    with file(path) as partial, partial.open("wb") as stream:
        np.save(stream, array)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named `arrays` as `.npz`."""
    import numpy as np

    with file(path) as partial, partial.open("wb") as stream:
        save: Callable[..., None] = np.savez  # its own type takes no arrays of unknown names
        save(stream, **arrays)


def remove_partial(root: Path) -> None:
    """Remove what a killed build left half-written below `root`."""
    for left in sorted(root.rglob(f".*{PARTIAL}*")):
        _remove(left)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")


def _swap(new: Path, path: Path) -> None:
    """Put `new` in the place of `path`. No directory can be renamed over a filled one: the old one steps aside."""
    old = path.with_name(f".{path.name}.{os.getpid()}.old{PARTIAL}")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(new, path)
    except BaseException:
        if old.exists():
            os.replace(old, path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
