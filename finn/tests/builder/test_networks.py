"""Convolutional networks through a whole build: PyTorch's outputs from simulated hardware, and what is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn.builder.build_dataflow import build_dataflow_directory
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers

ROOT = Path(__file__).resolve().parents[3]
RESNET = ROOT / "finn-examples" / "build" / "resnet8_w4a4_digits"
TRAINED = ROOT / "finn-base" / "tests" / "models"


class Directory:
    """A copy of a build directory that tests may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config: dict[str, Any] = json.loads((path / "dataflow_build_config.json").read_text())

    def build(self, **config: object) -> int:
        chosen = {key: value for key, value in (self.config | config).items() if value is not None}
        (self.path / "dataflow_build_config.json").write_text(json.dumps(chosen))
        return build_dataflow_directory(str(self.path))

    def report(self, name: str, output: str = "output") -> Any:
        return json.loads((self.path / output / "report" / f"{name}.json").read_text())


@pytest.fixture
def resnet(tmp_path: Path) -> Directory:
    shutil.copytree(RESNET, tmp_path / "resnet8", ignore=shutil.ignore_patterns("output*"))
    return Directory(tmp_path / "resnet8")


@pytest.fixture
def encoder(tmp_path: Path) -> Directory:
    """A transformer encoder: the host multiplies activations between three accelerators."""
    name = "encoder_no_norm_w6a6"
    shutil.copyfile(TRAINED / f"{name}.onnx", tmp_path / "model.onnx")
    with np.load(TRAINED / f"{name}.npz") as arrays:
        x = (arrays["x"].astype(np.float32) * arrays["scale"] - arrays["mean"]) / arrays["std"]
        np.save(tmp_path / "input.npy", x[:2].astype(np.float32))
        np.save(tmp_path / "expected_output.npy", arrays["scores"][:2])
        pixels = {"datatype": "UINT8"} | {key: float(arrays[key]) for key in ("scale", "mean", "std")}
    config = {
        "output_dir": "output",
        "synth_clk_period_ns": 10.0,
        "generate_outputs": ["estimate_reports"],
        "input_formats": {"": pixels},
        "verification_atol": 1e-4,
        "verify_steps": ["streamlined_python", "folded_hls_cppsim"],
    }
    (tmp_path / "dataflow_build_config.json").write_text(json.dumps(config))
    return Directory(tmp_path)


def test_residual_network_as_simulated_hardware(resnet: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    """The example as it is: 20 pictures through the stitched design give the answers of PyTorch."""
    assert resnet.build() == 0
    saved = sorted((resnet.path / "output" / "verification_output").glob("verify_stitched_ip_rtlsim_*.npy"))
    assert len(saved) == 20
    expected = np.load(resnet.path / "expected_output.npy")
    for path in saved:
        sample = int(path.stem.split("_")[-2])
        np.testing.assert_array_equal(np.load(path)[0], expected[sample])
    measured, estimated = resnet.report("rtlsim_performance"), resnet.report("estimate_network_performance")
    assert measured["stable_throughput[images/s]"] >= 20_000
    assert measured["stable_throughput[images/s]"] == pytest.approx(estimated["estimated_throughput_fps"], rel=0.02)
    shown = capsys.readouterr().out
    assert [name for name in resnet.report("estimate_layer_cycles") if name not in shown] == []
    assert "measured by RTL simulation" in shown


@pytest.mark.slow
def test_fifos_of_a_residual_network_by_simulation(resnet: Directory) -> None:
    """Without FIFOs it stops, which the simulation finds out."""
    options = {"auto_fifo_strategy": "largefifo_rtlsim", "generate_outputs": ["stitched_ip"]}
    assert resnet.build(**options, verify_steps=["stitched_ip_rtlsim"]) == 0
    assert resnet.report("fifo_sizing")["interval_cycles"] <= 5000


def test_final_configuration_builds_the_same_design(resnet: Directory) -> None:
    """With the FIFOs that it names, and with FIFOs found again."""
    assert resnet.build(generate_outputs=["stitched_ip"], verify_steps=[]) == 0
    shutil.copyfile(resnet.path / "output" / "final_hw_config.json", resnet.path / "found.json")

    def files(output: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (resnet.path / output / "stitched_ip").iterdir()}

    again = {"generate_outputs": ["stitched_ip"], "verify_steps": [], "target_fps": None}
    for depths in (False, True):
        output = f"again_{depths}"
        config = {"folding_config_file": "found.json", "auto_fifo_depths": depths, "output_dir": output}
        assert resnet.build(**again, **config) == 0
        assert files(output) == files("output")
        assert (resnet.path / output / "final_hw_config.json").read_bytes() == (resnet.path / "found.json").read_bytes()


@pytest.mark.parametrize("found", [True, False])
def test_entries_of_fifos(found: bool, resnet: Directory) -> None:
    """Their memories count; their depths where these are not to be found."""
    options = {"generate_outputs": ["stitched_ip"], "verify_steps": [], "target_fps": 20_000}
    assert resnet.build(**options) == 0
    config = json.loads((resnet.path / "output" / "final_hw_config.json").read_text())
    name, depth = next((n, entry["depth"]) for n, entry in config.items() if n.startswith("StreamingFIFO"))
    config[name] |= {"ram_style": "block", "depth": depth + 7}
    (resnet.path / "fifos.json").write_text(json.dumps(config))
    assert resnet.build(**options, folding_config_file="fifos.json", auto_fifo_depths=found) == 0
    final = json.loads((resnet.path / "output" / "final_hw_config.json").read_text())
    assert (final[name]["ram_style"], final[name]["depth"]) == ("block", depth if found else depth + 7)


def test_standalone_thresholds_and_resuming(resnet: Directory) -> None:
    config = {"generate_outputs": ["estimate_reports"], "verify_steps": ["folded_hls_cppsim"]}
    assert resnet.build(**config, standalone_thresholds=True, stop_step="step_convert_to_hw") == 0
    assert resnet.build(**config, standalone_thresholds=True, start_step="step_create_dataflow_partition") == 0
    model = ModelWrapper(str(resnet.path / "output" / "intermediate_models" / "step_generate_estimate_reports.onnx"))
    kinds = [name.rpartition("_")[0] for name in layers(model)]
    assert kinds.count("Thresholding") == 13  # as many as quantizers of activations; that of the pixels changes none


FINNS_NAMES = {
    "Defaults": {"mem_mode": ["decoupled", ["MatrixVectorActivation"]]},
    "ConvolutionInputGenerator_rtl_0": {"SIMD": 1, "parallel_window": 1, "ram_style": "distributed"},
    "MVAU_rtl_1": {"PE": 2, "SIMD": 6, "ram_style": "block", "resType": "lut", "runtime_writeable_weights": 0},
    "AddStreams_0": {"PE": 2},
    "StreamingEltwise_hls_1": {"PE": 3},
    "FMPadding_Batch_2": {"SIMD": 3},
    "GlobalAccPool_hls_0": {"PE": 2},
    "DuplicateStreams_Batch_0": {"PE": 2, "outFIFODepths": [32, 2]},
}


def test_folding_with_finns_names(resnet: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    (resnet.path / "folding_config.json").write_text(json.dumps(FINNS_NAMES))
    assert resnet.build(generate_outputs=["estimate_reports"], verify_steps=["folded_hls_cppsim"], target_fps=None) == 0
    cycles = resnet.report("estimate_layer_cycles")
    assert cycles["MVAU_1"] == 64 * 54 * 6 // (2 * 6)
    assert cycles["Elementwise_0"] == 64 * 6 // 2
    assert cycles["Elementwise_1"] == 16 * 12 // 3
    assert cycles["FMPadding_2"] == 10 * 10 * 6 // 3
    slowest = max(cycles, key=cycles.__getitem__)
    told = "".join(capsys.readouterr())
    assert f"folding_config.json does not fold {slowest}, which takes {cycles[slowest]} cycles per frame" in told


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"MVAU_hls_1": {"PE": 4}}, "MVAU: PE=4 does not divide MH=6"),
        ({"ConvolutionInputGenerator_rtl_1": {"SIMD": 4}}, "SIMD=4 does not divide channels=6"),
        (
            {"ConvolutionInputGenerator_1": {"SIMD": 2, "parallel_window": 1}},
            "remedy: use SIMD=6, or parallel_window=0",
        ),
        (
            {"ConvolutionInputGenerator_0": {"numInputVectors": [1, 8, 8]}},
            "no configurable attribute 'numInputVectors'",
        ),
        ({"StreamingMaxPool_hls_0": {"PE": 1}}, "there is no layer StreamingMaxPool_hls_0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_folding(
    entry: dict[str, dict[str, object]], told: str, resnet: Directory, capsys: pytest.CaptureFixture[str]
) -> None:
    (resnet.path / "folding_config.json").write_text(json.dumps(entry))
    assert resnet.build(generate_outputs=["estimate_reports"], verify_steps=[], target_fps=None) == -1
    assert told in capsys.readouterr().err


def test_several_accelerators(encoder: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert encoder.build() == 0
    assert "the host computes between 3 accelerators; cycles," in "".join(capsys.readouterr())
    parts = encoder.path / "output" / "intermediate_models" / "supported_op_partitions"
    assert len(list(parts.iterdir())) == 3
    notes = [note["what"] for note in encoder.report("explanation")["notes"]]
    assert any(what.startswith("the host computes between layers: ") for what in notes)


def test_several_streams_are_not_synthesized_for_a_part_with_a_shell(
    encoder: Directory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encoder.build(generate_outputs=["out_of_context_synth"], board="ULX3S-85F") == -1
    shown = capsys.readouterr().err
    assert "Error: the design has 4 input and 6 output streams" in shown
    assert "the shell around designs that are placed and routed has one stream on each side" in shown
    assert not (encoder.path / "output" / "synthesis").exists()


@pytest.mark.slow
def test_several_accelerators_as_simulated_hardware(encoder: Directory) -> None:
    """One design holds all of them, and each gets its frames in turn."""
    outputs = ["rtlsim_performance"]
    assert encoder.build(generate_outputs=outputs, verify_steps=["stitched_ip_rtlsim"], target_fps=50_000) == 0
    found = encoder.report("rtlsim_performance")
    assert found["N_IN_TXNS"] > found["N"] * 64
    assert found["interval_cycles"] <= 2000
