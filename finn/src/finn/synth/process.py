"""Running a tool in a child process: arguments and directory given, everything it says in a log, exit code returned."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from finn.synth.errors import ToolMissing


@dataclass(frozen=True)
class ToolStatus:
    """What `finn doctor` prints of a tool. version and path are empty if it was not found."""

    name: str
    found: bool
    version: str
    path: str
    needed_for: str
    install: str


class Toolchain(Protocol):
    """A tool that this package can call."""

    @property
    def name(self) -> str: ...

    def status(self) -> ToolStatus:
        """Whether it is there; never raises."""
        ...


@dataclass(frozen=True)
class PythonTool:
    """A tool that comes as a Python package and runs in a child process of this Python."""

    name: str
    package: str
    module: str
    minimum: tuple[int, ...]
    needed_for: str

    @property
    def install(self) -> str:
        return f"{Path(sys.executable).name} -m pip install '{self.package}>={'.'.join(map(str, self.minimum))}'"

    def status(self) -> ToolStatus:
        spec = find_spec(self.module)
        found = spec is not None and _numbers(self.version()) >= self.minimum
        path = str(Path(spec.origin).parent) if spec is not None and spec.origin else ""
        return ToolStatus(self.name, found, self.version(), path, self.needed_for, self.install)

    def version(self) -> str:
        """Empty if the package is not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""

    def require(self) -> str:
        """The version. Raises `ToolMissing` if the tool is missing or too old."""
        status = self.status()
        if not status.found:
            wanted = ".".join(map(str, self.minimum))
            raise ToolMissing(
                f"{self.name} {'is not installed' if not status.version else f'{status.version} is too old'}",
                where=self.needed_for,
                why=f"version {wanted} or later of the Python package {self.package} is needed",
                remedy=self.install,
            )
        return status.version

    def run(self, code: str, arguments: list[str], directory: Path, log: Path) -> int:
        """Run Python `code` in `directory`, output to `log`; gives the exit code (negative: killed by a signal)."""
        clean = "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "  # -c puts the directory first
        with log.open("wb") as out:
            child = subprocess.run(
                [sys.executable, "-c", clean + code, *arguments],
                cwd=directory,
                env=os.environ.copy(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return child.returncode


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: '0.11.1.0.post826' -> (0, 11, 1, 0)."""
    numbers = []
    for field in version.split("."):
        if not field.isdigit():
            break
        numbers.append(int(field))
    return tuple(numbers)
