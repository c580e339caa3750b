"""The self-checking testbench runs in an unmodified simulator, and notices a wrong response."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.rtl import Design, stitch, verilator, write_testbench
from finn.rtl.verilator import compiler

RUNTIME = ("verilated.cpp", "verilated_timing.cpp", "verilated_threads.cpp")


@pytest.fixture
def folder(design: Design, x: np.ndarray, y: np.ndarray, tmp_path: Path) -> Path:
    design.write(tmp_path)
    write_testbench(design, tmp_path, [x], [y])
    return tmp_path


def compiled(folder: Path) -> Path:
    """The testbench as a program (what `verilator --binary` does, without make)."""
    tool = verilator()
    sources = (folder / "all_verilog_srcs.txt").read_text().split()
    flags = ["--cc", "--exe", "--main", "--timing", "-Wno-fatal", "--Mdir", "obj", "--prefix", "Vtb"]
    done = tool.run([*flags, "--top-module", "demo_tb", *sources, "demo_tb.sv"], folder)
    assert done.returncode == 0, done.stderr
    assert "demo_tb.sv" not in done.stderr  # no warning about the testbench itself
    include = [f"-I{folder}/obj", f"-I{tool.root}/include", f"-I{tool.root}/include/vltstd"]
    units = [*(folder / "obj").glob("*.cpp"), *(tool.root / "include" / name for name in RUNTIME)]
    (folder / "all.cpp").write_text("".join(f'#include "{unit}"\n' for unit in sorted(units)))
    defines = ["-DVM_SC=0", "-DVM_COVERAGE=0", "-DVM_TRACE=0", "-DVM_TIMING=1"]
    command = [compiler(), "-std=c++20", "-fcoroutines", "-O0", "-w", "-pthread", *defines, *include]
    subprocess.run([*command, "all.cpp", "-o", "tb"], cwd=folder, check=True, capture_output=True)
    return folder / "tb"


def run(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program)], cwd=program.parent, capture_output=True, text=True, timeout=60, check=False)


def test_passed_and_failed(folder: Path) -> None:
    program = compiled(folder)
    good = run(program)
    assert good.returncode == 0, good.stderr
    assert "PASSED: 16 beats in" in good.stdout

    response = folder / "demo_m_axis_0.dat"
    words = response.read_text().split()
    words[5] = f"{int(words[5], 16) ^ 1:02x}"
    response.write_text("\n".join(words) + "\n")
    bad = run(program)
    said = bad.stdout + bad.stderr
    assert bad.returncode != 0
    assert "FAILED: 1 of 16 beats differ" in said
    assert "beat 5: got" in said
    assert "PASSED" not in said


def test_weights_from_outside_come_again_and_again(tmp_path: Path) -> None:
    """And registers are left alone."""
    weights, (int3, int2) = np.random.default_rng(1).integers(-2, 2, (6, 4)), (DataType["INT3"], DataType["INT2"])
    first = MVAU((1, 3, 6), int3, weights, int2, DataType["INT9"], SIMD=3, PE=2, mem_mode="external")
    steps = np.arange(-1, 2)[None]
    second = Thresholding((1, 3, 4), first.accumulator, steps, DataType["UINT2"], PE=2, runtime_writeable_weights=1)
    design = stitch(make_model([("first", first), ("second", second)]), "demo")
    x = np.random.default_rng(2).integers(-4, 4, (5, 3, 6))
    design.write(tmp_path)
    write_testbench(design, tmp_path, [x], [second.execute(first.execute(x))])
    good = run(compiled(tmp_path))
    assert good.returncode == 0, good.stderr
    assert "PASSED: 30 beats in" in good.stdout


def test_files_are_plain_words(folder: Path, x: np.ndarray, y: np.ndarray) -> None:
    """Three beats of three 3-bit values per frame in, two labels of 3 bits out, padded to bytes."""
    stimulus = (folder / "demo_s_axis_0.dat").read_text().split()
    expected = [sum((int(v) & 7) << 3 * k for k, v in enumerate(beat)) for beat in x.reshape(-1, 3)]
    assert stimulus == [f"{word:04x}" for word in expected]
    assert (folder / "demo_m_axis_0.dat").read_text().split() == [f"{v:02x}" for v in y.reshape(-1)]


def test_the_text_says_how_to_run_it(folder: Path) -> None:
    text = (folder / "demo_tb.sv").read_text()
    assert "verilator --binary --timing -Wno-fatal --top-module demo_tb $(cat all_verilog_srcs.txt) demo_tb.sv" in text
    assert "$ xvlog -sv $(cat all_verilog_srcs.txt) demo_tb.sv && xelab demo_tb -R" in text


def test_wide_layers_elaborate_without_optimisation(tmp_path: Path) -> None:
    """Several levels of sums in many PEs: Verilator inlines differently below -O3."""
    weights, bipolar = np.ones((98, 16), dtype=np.int64), DataType["BIPOLAR"]
    layer = MVAU((1, 98), bipolar, weights, bipolar, DataType["INT9"], SIMD=49, PE=16)
    design = stitch(make_model([("MVAU_0", layer)]), "wide")
    design.write(tmp_path)
    sources = (tmp_path / "all_verilog_srcs.txt").read_text().split()
    done = verilator().run(["--cc", "-Wno-fatal", "--Mdir", "obj", "--top-module", "wide", *sources], tmp_path)
    assert done.returncode == 0, done.stderr
