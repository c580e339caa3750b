"""The whole way, on a small network: from ONNX to every product that is asked for."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from finn.builder import products
from finn.builder.build_dataflow import build_dataflow_directory
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow import folding
from finn.dataflow.search import BudgetError
from finn.rtl.verilator import compiler
from finn.util.cleanup import cleanup_model

ESTIMATES = (
    "estimate_layer_cycles",
    "estimate_layer_resources",
    "estimate_layer_config_alternatives",
    "estimate_network_performance",
    "op_and_param_counts",
)
SAMPLES = 20


def samples(build_dir: Any) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and what the network, as exported, makes of them."""
    inputs = np.random.default_rng(3).normal(size=(SAMPLES, 8)).astype(np.float32)
    model = cleanup_model(ModelWrapper(str(build_dir.path / "model.onnx")))
    name, output = model.get_first_global_in(), model.get_first_global_out()
    return inputs, np.concatenate([execute_onnx(model, {name: x[np.newaxis]})[output] for x in inputs])


def test_estimates(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert {path.stem for path in (build_dir.out / "report").iterdir()} == {*ESTIMATES, "explanation"}
    cycles = build_dir.report("estimate_layer_cycles")
    slowest = max(cycles, key=lambda name: cycles[name])
    assert build_dir.report("estimate_network_performance")["max_cycles_node_name"] == slowest
    assert set(build_dir.report("estimate_layer_resources")) == {*cycles, "total"}
    assert not (build_dir.out / "stitched_ip").exists()
    assert not (build_dir.out / "final_hw_config.json").exists()
    shown = capsys.readouterr().out
    assert all(name in shown for name in cycles)
    assert "frames/s" in shown
    assert "fmax not determined" in shown


def test_same_input_same_bytes(build_dir: Any) -> None:
    def reports() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (build_dir.out / "report").iterdir()}

    assert build_dataflow_directory(str(build_dir.path)) == 0
    first = reports()
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert reports() == first


def test_target_fps(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(target_fps=5_000_000)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    auto = json.loads((build_dir.out / "auto_folding_config.json").read_text())
    assert "Defaults" in auto
    assert build_dir.report("estimate_network_performance")["estimated_throughput_fps"] >= 5_000_000
    assert "target_fps=5e+06 is met" in capsys.readouterr().out
    # What was found can be used as it is.
    (build_dir.path / "folding_config.json").write_text(json.dumps(auto))
    cycles = build_dir.report("estimate_layer_cycles")
    build_dir.write(target_fps=None)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert build_dir.report("estimate_layer_cycles") == cycles


def test_target_fps_that_no_folding_meets(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(target_fps=2_000_000_000)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert "target_fps=2e+09 is missed" in capsys.readouterr().out


def test_target_fps_max(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A budget of all four kinds needs no part. Half of it gives fewer frames per second."""
    budget = {"LUT": 2000, "BRAM_18K": 4, "URAM": 0, "DSP": 0}
    throughputs = []
    for lut in (2000, 1000):
        build_dir.write(target_fps="max", folding_budget=budget | {"LUT": lut})
        assert build_dataflow_directory(str(build_dir.path)) == 0
        shown = capsys.readouterr().out
        assert "target_fps=max: " in shown
        throughputs.append(build_dir.report("estimate_network_performance")["estimated_throughput_fps"])
        total = build_dir.report("estimate_layer_resources")["total"]
        assert total["LUT"] <= lut
        assert total["BRAM_18K"] <= 4
    assert throughputs[0] > throughputs[1]


def test_target_fps_max_with_fifos(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """No block RAM, no memory of it. If layers and FIFOs together are too large it is told, and the build goes on."""
    budget = {"LUT": 2000, "BRAM_18K": 0, "URAM": 0, "DSP": 0}
    build_dir.write(target_fps="max", folding_budget=budget, generate_outputs=["stitched_ip"])
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert "do not fit" not in capsys.readouterr().out
    config = json.loads((build_dir.out / "final_hw_config.json").read_text())
    assert "block" not in {entry.get("ram_style") for entry in config.values()}
    layers = json.loads((build_dir.out / "auto_folding_config.json").read_text())
    assert {name: config[name]["PE"] for name in layers if "PE" in layers[name]} == {
        name: entry["PE"] for name, entry in layers.items() if "PE" in entry
    }


def test_layers_and_fifos_that_do_not_fit(
    build_dir: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BudgetError("no folding was found that fits into LUT 1", why="the smallest needs about LUT 2")

    monkeypatch.setattr(folding, "set_memories", refuse)
    budget = {"LUT": 2000, "BRAM_18K": 0, "URAM": 0, "DSP": 0}
    build_dir.write(target_fps="max", folding_budget=budget, generate_outputs=["stitched_ip"])
    assert build_dataflow_directory(str(build_dir.path)) == 0
    text = "layers and FIFOs do not fit: no folding was found that fits into LUT 1; the smallest needs about LUT 2"
    assert text in capsys.readouterr().out


def test_target_fps_max_without_room(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(target_fps="max", folding_budget={"LUT": 10, "BRAM_18K": 0, "URAM": 0, "DSP": 0})
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert "no folding was found that fits into LUT 10, BRAM_18K 0, URAM 0, DSP 0" in capsys.readouterr().err


def test_target_fps_max_of_no_part(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before the first step."""
    build_dir.write(target_fps="max")
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert "no FPGA part is given" in capsys.readouterr().err
    assert not (build_dir.out / "intermediate_models").exists()


@pytest.fixture
def hardware(build_dir: Any) -> Any:
    """Asks for all that simulation gives, with a data set of which the network knows all labels but one."""
    inputs, outputs = samples(build_dir)
    np.save(build_dir.path / "input.npy", inputs[:4])
    np.save(build_dir.path / "expected_output.npy", outputs[:4])
    labels = outputs.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 4
    np.savez(build_dir.path / "validation.npz", x=inputs, y=labels)
    build_dir.write(
        target_fps=10_000_000,
        generate_outputs=["estimate_reports", "stitched_ip", "rtlsim_performance"],
        verify_steps=["folded_hls_cppsim", "node_by_node_rtlsim", "stitched_ip_rtlsim"],
        verification_atol=0.0,
        validation_dataset="validation.npz",
    )
    return build_dir


@pytest.mark.slow
def test_simulated_hardware(hardware: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_dataflow_directory(str(hardware.path)) == 0
    verified = {path.name for path in (hardware.out / "verification_output").iterdir()}
    steps = ("folded_hls_cppsim", "node_by_node_rtlsim", "stitched_ip_rtlsim")
    assert verified == {f"verify_{step}_{k}_SUCCESS.npy" for step in steps for k in range(4)}
    performance = hardware.report("rtlsim_performance")
    expected = hardware.report("estimate_network_performance")["max_cycles"]
    assert performance["interval_cycles"] == pytest.approx(expected, rel=0.01)
    assert hardware.report("accuracy")["correct"] == SAMPLES - 1
    stitched = hardware.out / "stitched_ip"
    names = (stitched / "all_verilog_srcs.txt").read_text().split()
    assert all((stitched / name).is_file() for name in names)
    assert "finn_design.sv" in names
    assert (hardware.out / "final_hw_config.json").is_file()
    shown = capsys.readouterr().out
    assert "measured by RTL simulation" in shown
    assert "accuracy 95.00% on 20 samples" in shown
    for path in [*stitched.iterdir(), *(hardware.out / "report").iterdir()]:
        assert str(hardware.path) not in path.read_text()


@pytest.mark.slow
def test_resume_of_hardware(hardware: Any) -> None:
    hardware.write(stop_step="step_set_fifo_depths", verify_steps=None)
    assert build_dataflow_directory(str(hardware.path)) == 0
    hardware.write(stop_step=None, start_step="step_create_stitched_ip", verify_steps=["stitched_ip_rtlsim"])
    assert build_dataflow_directory(str(hardware.path)) == 0
    assert hardware.report("accuracy")["correct"] == SAMPLES - 1


@pytest.mark.slow
def test_final_configuration_builds_the_same_hardware(hardware: Any) -> None:
    hardware.write(generate_outputs=["stitched_ip"], verify_steps=None, validation_dataset=None)
    assert build_dataflow_directory(str(hardware.path)) == 0
    first = (hardware.out / "stitched_ip" / "finn_design.sv").read_text()
    final = hardware.path / "final.json"
    final.write_text((hardware.out / "final_hw_config.json").read_text())
    hardware.write(target_fps=None, folding_config_file="final.json", auto_fifo_depths=False, output_dir="again")
    assert build_dataflow_directory(str(hardware.path)) == 0
    assert (hardware.path / "again" / "stitched_ip" / "finn_design.sv").read_text() == first


def _can_trace() -> bool:
    """Whether the headers of the waveform writer's libraries are here."""
    headers = "#include <lz4.h>\n#include <zlib.h>\n"
    command = [compiler(), "-x", "c++", "-E", "-"]
    return subprocess.run(command, input=headers, capture_output=True, text=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _can_trace(), reason="lz4.h or zlib.h is missing")
def test_waveforms(hardware: Any) -> None:
    hardware.write(verify_steps=["stitched_ip_rtlsim"], verify_save_rtlsim_waveforms=True)
    assert build_dataflow_directory(str(hardware.path)) == 0
    assert (hardware.out / "verification_output" / "verify_stitched_ip_rtlsim.fst").stat().st_size > 0


@pytest.mark.slow
def test_amd_part(hardware: Any, capsys: pytest.CaptureFixture[str]) -> None:
    hardware.write(board="Pynq-Z1", generate_outputs=["out_of_context_synth", "bitfile"], verify_steps=None)
    assert build_dataflow_directory(str(hardware.path)) == 0
    found = hardware.report("ooc_synth_and_timing")
    assert found["LUT"] > 0
    assert found["fmax_mhz"] is None
    assert re.search("no open place and route", found["fmax_reason"])
    assert not (hardware.out / "bitfile").exists()
    assert "bitfile is not made: there is no open place and route for xc7z020clg400-1" in capsys.readouterr().out


@pytest.mark.slow
def test_ecp5_board(hardware: Any, capsys: pytest.CaptureFixture[str]) -> None:
    hardware.write(board="ULX3S-25F", generate_outputs=["out_of_context_synth", "bitfile"], verify_steps=None)
    assert build_dataflow_directory(str(hardware.path)) == 0
    found = hardware.report("ooc_synth_and_timing")
    assert found["fmax_mhz"] > 10
    assert found["WNS"] == pytest.approx(10 - 1000 / found["fmax_mhz"])
    assert (hardware.out / "bitfile" / "finn-accel.bit").stat().st_size > 1000
    used = hardware.report("post_synth_resources")
    assert used["(top)"]["LUT"] == found["LUT"]
    assert f"fmax {found['fmax_mhz']:.1f} MHz" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 8))}, "cannot read the data set"),
        ({"x": np.zeros((3, 7)), "y": np.zeros(3)}, "the array has shape (3, 7), expected (N, 8)"),
        ({"x": np.zeros((3, 8)), "y": np.zeros(2)}, "3 samples, but labels of shape (2,)"),
    ],
)
def test_bad_data_set(
    build_dir: Any, capsys: pytest.CaptureFixture[str], arrays: dict[str, np.ndarray], message: str
) -> None:
    products.write_arrays(build_dir.path / "validation.npz", arrays)
    build_dir.write(validation_dataset="validation.npz")
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert message in capsys.readouterr().err
    assert not (build_dir.out / "intermediate_models").exists()


def test_intermediate_models_are_onnx(build_dir: Any) -> None:
    assert build_dataflow_directory(str(build_dir.path)) == 0
    saved: Path = build_dir.out / "intermediate_models"
    assert (saved / "dataflow_parent.onnx").is_file()
    assert (saved / "supported_op_partitions" / "partition_0.onnx").is_file()
    for path in saved.rglob("*.onnx"):
        assert onnx.load(path).graph.node
