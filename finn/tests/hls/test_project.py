# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""HLS projects of layers: the top function passes its own test bench. No Vitis HLS is here that could synthesize it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from strategies import LAYERS

from finn.core.datatype import DataType
from finn.dataflow.layer import Layer
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.native import compiler
from finn.hls.errors import HlsError
from finn.hls.project import project_of
from finn_hlslib import sim_dir

PART, CLOCK = "xczu3eg-sbva484-1-e", 5.0
FLAGS = ("-std=c++14", "-Wall", "-Wextra", "-Werror")
DRAWN = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def run(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Compile top and test bench as csim would, and run them."""
    sources = [str(folder / f"{name}.cpp"), str(folder / f"{name}_tb.cpp")]
    includes = (f"-I{folder / 'include'}", f"-I{sim_dir()}")
    subprocess.run([compiler(), *FLAGS, *includes, *sources, "-o", str(folder / "csim")], check=True)
    return subprocess.run([folder / "csim"], text=True, capture_output=True, check=False)


@pytest.mark.parametrize("name", LAYERS)
def test_top_passes_its_test_bench(name: str, tmp_path: Path) -> None:
    count = 0

    def check(layer: Layer) -> None:
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        project_of("layer", layer, PART, CLOCK).write(folder)
        done = run(folder, "layer")
        assert (done.returncode, done.stdout) == (0, "layer: 0 elements differ\n"), layer

    DRAWN(given(LAYERS[name]())(check))()
    assert count > 0


def one(name: str, folder: Path) -> None:
    """The project of one layer of this kind."""

    def write(layer: Layer) -> None:
        project_of(name, layer, PART, CLOCK).write(folder)

    settings(DRAWN, max_examples=1)(given(LAYERS[name]())(write))()


def test_tops_can_become_hardware(tmp_path: Path) -> None:
    """As far as the lint of finn-hlslib knows: one of each kind of layer."""
    for name in LAYERS:
        one(name, tmp_path / name)
    tops = [str(tmp_path / name / f"{name}.cpp") for name in LAYERS]
    command = [sys.executable, "-m", "finn_hlslib.lint", *tops]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mvau(**options: object) -> MVAU:
    rng = np.random.default_rng(1)
    weights = rng.integers(-4, 4, (8, 6))
    thresholds = np.sort(rng.integers(-60, 60, (6, 3)), axis=1)
    types = DataType["UINT4"], weights, DataType["INT3"], DataType["UINT2"]
    return MVAU((1, 2, 8), *types, thresholds, SIMD=4, PE=3, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"runtime_writeable_weights": 1}, {"mem_mode": "external"}], ids=str)
def test_a_wrong_weight_is_found(options: dict[str, object], tmp_path: Path) -> None:
    project = project_of("fc0", mvau(**options), PART, CLOCK)
    project.write(tmp_path)
    assert run(tmp_path, "fc0").returncode == 0
    name = "fc0_data.hpp" if options else "fc0_tables.hpp"
    declared = "weights_V_data[" if "mem_mode" in options else "fc0_weights_values"
    before = project.files[name]
    start = before.index("=", before.index(declared))
    end = before.index(";", start)
    wrong = before[:start] + re.sub(r"-?\d+", "1", before[start:end]) + before[end:]
    assert wrong != before
    (tmp_path / name).write_text(wrong)
    done = run(tmp_path, "fc0")
    assert done.returncode == 1
    assert "instead of" in done.stdout


def test_ports_have_the_names_of_finn() -> None:
    text = project_of("fc0", mvau(mem_mode="external"), PART, CLOCK).files["fc0.cpp"]
    assert re.findall(r"port = (\w+)", text) == ["in0_V", "weights_V", "out0_V", "return"]
    assert (
        "s_axilite port = weights" in project_of("fc0", mvau(runtime_writeable_weights=1), PART, CLOCK).files["fc0.cpp"]
    )


def test_script_is_a_tcl_script(tmp_path: Path) -> None:
    """Run by a Tcl interpreter, with commands that note how they are called in place of those of Vitis HLS."""
    tkinter = pytest.importorskip("tkinter", reason="no Tcl: Debian's python3 has it in python3-tk")
    (tmp_path / "hls.tcl").write_text(project_of("fc0", mvau(), PART, CLOCK).files["hls.tcl"])
    called = commands(tkinter.Tcl(), tmp_path, "csim csynth")
    assert [words[0] for words in called] == [
        *("open_project", "set_top", "add_files", "add_files", "open_solution", "set_part", "create_clock"),
        *("csim_design", "csynth_design"),
    ]
    assert ("set_part", PART) in called
    assert ("create_clock", "-period", "5", "-name", "default") in called
    assert [words[0] for words in commands(tkinter.Tcl(), tmp_path, None)][-2:] == ["cosim_design", "export_design"]


def commands(tcl: Any, folder: Path, stages: str | None) -> list[tuple[str, ...]]:
    called: list[tuple[str, ...]] = []
    names = ("open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock")
    for name in (*names, "csim_design", "csynth_design", "cosim_design", "export_design"):
        tcl.createcommand(name, lambda *words, name=name: called.append((name, *words)))
    tcl.createcommand("exit", lambda: None)
    tcl.eval(f"set ::env(HLS_STAGES) {{{stages}}}" if stages else "unset -nocomplain ::env(HLS_STAGES)")
    tcl.evalfile(str(folder / "hls.tcl"))
    return called


def test_what_hls_does_not_have_is_refused() -> None:
    with pytest.raises(HlsError, match="words of 8192 bits"):
        project_of("wide", StreamingFIFO((1, 1024), DataType["INT8"], 1024), PART, CLOCK)
    with pytest.raises(HlsError, match="no name for a C"):
        project_of("0/x", mvau(), PART, CLOCK)
    assert (
        "-DAP_INT_MAX_W=4096"
        in project_of("wide", StreamingFIFO((1, 512), DataType["INT8"], 512), PART, CLOCK).files["hls.tcl"]
    )
