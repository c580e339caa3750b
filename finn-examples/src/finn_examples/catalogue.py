# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The examples that are there. An example is a directory with a build configuration: adding one touches no list."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Example", "UnknownExampleError", "example", "examples"]

CONFIG = "dataflow_build_config.json"


class UnknownExampleError(ValueError):
    """A name that no example has."""


@dataclass(frozen=True)
class Example:
    """One trained network with all that a build needs; ``directory`` is the one to give to ``finn build``."""

    directory: Path

    @property
    def name(self) -> str:
        """The name of the directory, such as ``tfc_w1a1_mnist``."""
        return self.directory.name

    @property
    def title(self) -> str:
        """The first line of the example's README, without the heading mark."""
        with (self.directory / "README.md").open(encoding="utf-8") as readme:
            return readme.readline().lstrip("# ").strip()

    @property
    def model(self) -> Path:
        """The network: ONNX with QONNX quantizers."""
        return self.directory / "model.onnx"

    def test_set(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return pictures (N, channels, height, width) and labels (N,) that training never saw.

        Raises FileNotFoundError if the example has no test set.
        """
        with np.load(self.directory / "test_set.npz") as data:
            return data["x"], data["y"]

    def copy_to(self, directory: Path) -> Path:
        """Copy the files (no output of a build) to a new ``directory`` and return it.

        Raises FileExistsError if it is there.
        """
        directory.mkdir(parents=True)
        for path in self.directory.iterdir():
            if path.is_file():
                shutil.copyfile(path, directory / path.name)
        return directory


def examples() -> tuple[Example, ...]:
    """Return all examples, sorted by name."""
    return tuple(Example(path.parent) for path in sorted(shipped("build").glob(f"*/{CONFIG}")))


def example(name: str) -> Example:
    """Return the example of that name; raises UnknownExampleError, which lists the names there are."""
    for candidate in examples():
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in examples())
    raise UnknownExampleError(f"there is no example {name!r}; there are: {known}")


def shipped(name: str) -> Path:
    """Return a directory that comes with the package: inside it once installed, or beside ``src/`` in a source tree."""
    package = Path(__file__).resolve().parent
    installed = package / name
    return installed if installed.is_dir() else package.parent.parent / name
