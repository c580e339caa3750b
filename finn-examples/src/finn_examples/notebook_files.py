# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks that are there, and copies of them to work in. Adding one touches no list."""

from __future__ import annotations

import shutil
from pathlib import Path

from finn_examples.catalogue import shipped

__all__ = ["copy_notebooks", "notebooks"]


def notebooks() -> tuple[Path, ...]:
    """Return the files of all notebooks, in the order in which to read them."""
    return tuple(sorted(shipped("notebooks").glob("*.ipynb")))


def copy_notebooks(directory: Path) -> tuple[Path, ...]:
    """Copy all notebooks to a new ``directory`` and return the copies.

    Raises FileExistsError if it is there.
    """
    directory.mkdir(parents=True)
    return tuple(Path(shutil.copyfile(path, directory / path.name)) for path in notebooks())
