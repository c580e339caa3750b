"""Whatever is in a file: it ends in a result or in one of our errors, never in a crash, a hang or a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("damage.py")


@pytest.mark.parametrize(
    ("first", "count"),
    [(0, 400), *(pytest.param(1000 * k, 1000, marks=pytest.mark.slow) for k in range(1, 21))],
)
def test_damaged_files(first: int, count: int) -> None:
    command = [sys.executable, str(PROGRAM), str(first), str(count)]
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"after seed {lines[-2:]}:\n{done.stderr[-3000:]}"
    assert "'result'" in lines[-1], "some of the models should still run"
    assert "'ModelError'" in lines[-1], "some of the models should be refused"
