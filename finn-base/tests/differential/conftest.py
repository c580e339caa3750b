"""qonnx for the tests of this folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from .peer import VARIABLE, VERSION, Peer, interpreter  # noqa: TID252 - test helpers are no installed package


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """qonnx, for as long as the tests run."""
    python = interpreter()
    if not python:
        pytest.skip(f"qonnx {VERSION} is not here; `make differential` installs it, or let {VARIABLE} name a Python")
    source = "import importlib.metadata as m; print(m.version('qonnx'), m.version('onnx'))"
    found = subprocess.run([python, "-c", source], capture_output=True, text=True, check=True).stdout.split()
    if found[0] != VERSION or tuple(map(int, found[1].split(".")[:2])) >= (1, 23):
        pytest.skip(f"{python} has qonnx {found[0]} and onnx {found[1]}; qonnx {VERSION} and onnx < 1.23 are needed")
    running = Peer(python)
    yield running
    running.close()
