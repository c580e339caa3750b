"""The SystemVerilog library: Verilator with all warnings, and Yosys' own frontend."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from finn.rtl import RtlError
from finn.rtl.library import library, sources_of
from finn.rtl.lint import lint, lint_library


def test_library_is_clean() -> None:
    assert lint_library() == len(library()) >= 12


def test_one_module_per_file() -> None:
    for name, path in library().items():
        lines = [line for line in path.read_text().splitlines() if line.startswith("module ")]
        assert [line.split()[1] for line in lines] == [name]


def test_no_sign_in_front_of_a_sized_cast() -> None:
    """Yosys 0.70 reads -N'(x) as (-N)'(x), without a word if that makes a width."""
    for name, path in library().items():
        text = re.sub(r"//.*", "", path.read_text())
        assert not re.search(r"[(=?:,&|^+*{-]\s*[-~!]\w+'\(", text), name


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("assign y_o = x_i;", "%Warning-WIDTH"),
        ("assign y_o = x_i[3:0]", "%Error: "),
        ("always_comb if (x_i[0]) y_o = x_i[3:0];", "%Warning-LATCH"),
        ("assign y_o = {x_i[2:0], unknown};", "%Error: "),
        ("assign y_o = x_i[3:0]; logic unused;", "%Warning-UNUSED"),
    ],
)
def test_broken_module(body: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.sv"
    path.write_text(f"module broken (input logic [4:0] x_i, output logic [3:0] y_o);\n  {body}\nendmodule\n")
    with pytest.raises(RtlError) as error:
        lint("broken", [path], tmp_path)
    assert error.value.what == "Verilator lint of broken"
    assert found in error.value.why


@pytest.mark.parametrize("module", library())
def test_yosys_reads_it_without_warnings(module: str) -> None:
    """In a child process: Yosys ends the process at an error."""
    pytest.importorskip("pyosys")
    code = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"
    sources = " ".join(str(path) for path in sources_of(module))
    commands = [f"read_verilog -sv {sources}", f"hierarchy -check -top {module}", "proc", "check -assert"]
    done = subprocess.run([sys.executable, "-c", code, *commands], capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line or "ERROR" in line]
    assert said == []
    assert done.returncode == 0
