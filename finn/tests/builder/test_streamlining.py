"""Streamlining in a build: its keys reach it, its explanation is a report, and what cannot be built is told by node."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from finn.builder.build_dataflow import build_dataflow_cfg, build_dataflow_directory
from finn.builder.build_dataflow_config import DataflowBuildConfig, InputFormat
from finn.builder.streamlining import Ends
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.report.explanation import Became, Explanation, explain
from finn.report.explanation_text import plain
from finn.transformation.streamline import StreamlineOptions
from finn.util.cleanup import cleanup_model

VERIFIED = ("finn_onnx_python", "initial_python", "streamlined_python", "folded_hls_cppsim")
"""Floats go in for the first two, the integers of the format for the others."""


def change(build_dir: Any, operator: str, op_type: str) -> None:
    path = build_dir.path / "model.onnx"
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == operator).op_type = op_type
    onnx.save(model, path)


def explanation(build_dir: Any) -> Explanation:
    return Explanation.from_json((build_dir.out / "report" / "explanation.json").read_text())


def samples(build_dir: Any, inputs: np.ndarray) -> None:
    """Write inputs and what the network, as exported, makes of them."""
    model = cleanup_model(ModelWrapper(str(build_dir.path / "model.onnx")))
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    outputs = np.concatenate([execute_onnx(model, {source: x[None]})[sink] for x in inputs])
    np.save(build_dir.path / "input.npy", inputs)
    np.save(build_dir.path / "expected_output.npy", outputs)


def test_every_option_of_streamlining_is_a_key() -> None:
    names = {f.name for f in fields(StreamlineOptions)} - {"inputs", "partial"}
    assert names <= set(DataflowBuildConfig.model_fields)
    changed: dict[str, Any] = {name: not getattr(StreamlineOptions(), name) for name in names}
    changed["max_multithreshold_bit_width"] = 3
    cfg = DataflowBuildConfig(
        output_dir="out",
        synth_clk_period_ns=10,
        generate_outputs=[],
        input_formats={"x": InputFormat("UINT8", scale=0.5)},
        **changed,
    )
    assert cfg.streamline_options() == StreamlineOptions(inputs={"x": InputFormat("UINT8", scale=0.5)}, **changed)


def test_format_that_python_gives_is_checked() -> None:
    with pytest.raises(Exception, match="it is no integer type"):
        DataflowBuildConfig(
            output_dir="out", synth_clk_period_ns=10, generate_outputs=[], input_formats={"x": InputFormat("FLOAT32")}
        )


def test_explanation_is_a_report(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_dataflow_directory(str(build_dir.path)) == 0
    found = explanation(build_dir)
    assert (build_dir.out / "report" / "explanation.txt").read_text() == plain(found)
    tidy = ModelWrapper(str(build_dir.out / "intermediate_models" / "step_tidy_up.onnx"))
    assert found == explain(tidy)
    assert found.problems == ()
    assert {name for n in found.nodes for name in n.layers} == {"MVAU_0", "MVAU_1"}
    assert capsys.readouterr().out.splitlines()[-1] == (
        "7 nodes: 3 in hardware layers, 3 folded, 1 on the host (report/explanation.txt)"
    )


def test_resumed_build_completes_the_explanation(build_dir: Any) -> None:
    build_dir.write(stop_step="step_streamline")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert not any(n.layers for n in explanation(build_dir).nodes)
    build_dir.write(start_step="step_convert_to_hw", stop_step=None)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert any(n.layers for n in explanation(build_dir).nodes)


def test_explanation_of_an_earlier_build_is_forgotten(build_dir: Any) -> None:
    assert build_dataflow_directory(str(build_dir.path)) == 0
    build_dir.write(stop_step="step_tidy_up")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert not (build_dir.out / "report" / "explanation.json").exists()
    assert not (build_dir.out / "report" / "explanation.txt").exists()


def test_damaged_explanation_is_no_obstacle(build_dir: Any) -> None:
    build_dir.write(stop_step="step_streamline")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    (build_dir.out / "report" / "explanation.json").write_text('{"format": 0, "nodes": 1}')
    build_dir.write(start_step="step_convert_to_hw", stop_step=None)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert explanation(build_dir).passes == {
        "lowering: matmul_thresholds_to_mvau": 1,
        "lowering: matmul_to_mvau": 1,
    }


def test_host_between_layers_makes_two_accelerators(build_dir: Any) -> None:
    change(build_dir, "Relu", "Softmax")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    parts = build_dir.out / "intermediate_models" / "supported_op_partitions"
    assert sorted(path.name for path in parts.iterdir()) == ["partition_0.onnx", "partition_1.onnx"]
    found = explanation(build_dir)
    assert found.problems == ()
    (note,) = [n for n in found.notes if n.what.startswith("the host computes between layers")]
    assert note.nodes[0] == "Softmax_0 (Softmax)"
    assert found.reasons(note.nodes)[0].reason == "Softmax has no integer form here"


def test_functions_that_rise_and_fall_become_tables(build_dir: Any) -> None:
    change(build_dir, "Relu", "Cos")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    found = explanation(build_dir)
    assert found.problems == ()
    assert not [n for n in found.notes if n.what.startswith("the host computes between layers")]
    assert any("Lookup" in name for n in found.nodes for name in n.layers)


def test_network_that_is_refused_is_explained(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = build_dir.path / "model.onnx"
    model = onnx.load(path)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "scale_in")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(-1), "scale_in"))
    onnx.save(model, path)
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert "step_qonnx_to_finn" in capsys.readouterr().err
    found = explanation(build_dir)
    assert {n.became for n in found.nodes} == {Became.REFUSED, Became.UNDETERMINED}
    assert [n.node for n in found.nodes if n.became is Became.REFUSED] == ["Quant_0 (Quant)"]
    assert found.problems


FORMATS: list[dict[str, object]] = [
    {"datatype": "INT6", "scale": 0.0625},
    {"datatype": "UINT8", "scale": 1 / 255, "mean": 0.5, "std": 0.25},
    {
        "datatype": "UINT8",
        "scale": 1 / 255,
        "mean": [0.1 * c for c in range(8)],
        "std": [0.2 + 0.1 * c for c in range(8)],
    },
]


def grid(given: dict[str, Any], count: int) -> np.ndarray:
    """Random samples (count, 8) that are made of integers as the format says."""
    low, high = (-32, 31) if given["datatype"] == "INT6" else (0, 255)
    k = np.random.default_rng(5).integers(low, high, (count, 8), endpoint=True)
    x = (k * np.array(given["scale"]) - np.array(given.get("mean", 0.0))) / np.array(given.get("std", 1.0))
    return np.asarray(x, np.float32)


@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("name", ["x", ""])
def test_input_format_is_built_and_verified_on_floats(build_dir: Any, given: dict[str, Any], name: str) -> None:
    """Samples stay those of the network as it was exported; the accelerator takes the integers."""
    samples(build_dir, grid(given, 16))
    build_dir.write(input_formats={name: given}, verify_steps=VERIFIED, verification_atol=0.0)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert len(list((build_dir.out / "verification_output").glob("*_SUCCESS.npy"))) == 16 * len(VERIFIED)
    told = {n.node: n for n in explanation(build_dir).nodes}
    assert told["MultiThreshold_0 (MultiThreshold)"].layers == ("Thresholding_0",)
    assert not (build_dir.out / "intermediate_models" / "dataflow_before.onnx").exists()


def test_samples_off_the_grid_are_refused(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    x = grid(FORMATS[0], 3)
    x[1, 4] += 0.03
    samples(build_dir, x)
    build_dir.write(input_formats={"x": FORMATS[0]}, verify_steps=["streamlined_python"])
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert capsys.readouterr().err.splitlines()[:3] == [
        "Error: the samples are not made of integers as input_formats says",
        "  where: step_streamline, sample 1",
        "  remedy: correct input_formats, or give samples x == (k * scale - mean) / std with integers k",
    ]


def test_format_of_no_input_is_refused(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(input_formats={"image": FORMATS[0]})
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert capsys.readouterr().err.splitlines()[:3] == [
        "Error: there is no input 'image' to give a format",
        "  where: step_streamline, input formats",
        "  remedy: use one of: x",
    ]


@pytest.mark.parametrize("dequantize", [True, False])
def test_outputs_mean_the_same_without_their_scale(build_dir: Any, dequantize: bool) -> None:
    samples(build_dir, np.random.default_rng(2).normal(size=(8, 8)).astype(np.float32))
    build_dir.write(dequantize=dequantize, verify_steps=VERIFIED, verification_atol=0.0)
    assert build_dataflow_directory(str(build_dir.path)) == 0
    streamlined = ModelWrapper(str(build_dir.out / "intermediate_models" / "step_streamline.onnx"))
    assert streamlined.get_tensor_datatype("global_out").is_integer() != dequantize
    assert (Ends.of(streamlined).output is None) == dequantize


def test_custom_flow_without_explanation(build_dir: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps of the user may streamline in their own way: lowering and its errors do not need the explanation."""
    change(build_dir, "Relu", "Cos")

    def own(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
        from finn.transformation.streamline import Streamline

        return model.transform(Streamline())

    cfg = DataflowBuildConfig(
        output_dir=str(tmp_path / "own"),
        synth_clk_period_ns=10,
        generate_outputs=[],
        steps=["step_tidy_up", own, "step_convert_to_hw", "step_create_dataflow_partition"],
    )
    assert build_dataflow_cfg(str(build_dir.path / "model.onnx"), cfg) == 0
    assert json.loads((tmp_path / "own" / "report" / "explanation.json").read_text())["nodes"] == []
