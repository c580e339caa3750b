"""qonnx in an interpreter of its own, as long as a test session lasts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import both  # noqa: TID252 - test helpers are no installed package
from .worker import read, write  # noqa: TID252

VERSION = "1.0.0"
VARIABLE = "FINN_QONNX_PYTHON"


class PeerError(Exception):
    """qonnx raised an error of the kind `kind`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def interpreter() -> str:
    """The Python that has qonnx; "" if there is none."""
    return os.environ.get(VARIABLE, sys.executable if find_spec("qonnx") else "")


class Peer:
    """Calls functions of `both` for the package qonnx: `peer.execute(data, inputs)`. PeerError if they raise or do not
    end in time."""

    def __init__(self, python: str, seconds: float = 60) -> None:
        self._python, self._seconds = python, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONSAFEPATH": "1"}
            self._process = subprocess.Popen(
                [self._python, "-m", f"{Path(__file__).parent.name}.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)
            self._process = None

    def ask(self, name: str, *arguments: Any) -> Any:
        process = self._running()
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            write(process.stdin, (name, arguments))
            kind, *rest = read(process.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise PeerError("ended", f"no answer from {self._python}, or none in {self._seconds:g} s") from error
        finally:
            timer.cancel()
        if kind == "raised":
            raise PeerError(*rest)
        return rest[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(both, name):
            raise AttributeError(name)
        return lambda *arguments: self.ask(name, *arguments)


class Ours:
    """The same for finn, in this interpreter."""

    def __getattr__(self, name: str) -> Any:
        run = getattr(both, name)
        return lambda *arguments: both.quietly(run, "finn", *arguments)
