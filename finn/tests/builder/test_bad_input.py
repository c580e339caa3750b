"""Whatever a user gives: a clear error with the remedy, exit status 1, no traceback on the screen, no half product."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from finn.builder.build_dataflow import build_dataflow_directory

MODEL = "model.onnx"
CONFIG = "dataflow_build_config.json"


def load(build_dir: Any) -> onnx.ModelProto:
    return onnx.load(build_dir.path / MODEL)


def store(build_dir: Any, model: onnx.ModelProto) -> None:
    onnx.save(model, build_dir.path / MODEL)


def missing_model(build_dir: Any) -> None:
    (build_dir.path / MODEL).unlink()


def truncated(build_dir: Any) -> None:
    content = (build_dir.path / MODEL).read_bytes()
    (build_dir.path / MODEL).write_bytes(content[: len(content) // 2])


def foreign(build_dir: Any) -> None:
    (build_dir.path / MODEL).write_text("This is a text about networks.\n" * 10)


def empty_file(build_dir: Any) -> None:
    (build_dir.path / MODEL).write_bytes(b"")


def no_nodes(build_dir: Any) -> None:
    model = load(build_dir)
    del model.graph.node[:]
    store(build_dir, model)


def float_only(build_dir: Any) -> None:
    weights = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    model = load(build_dir)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(weights)
    store(build_dir, model)


def unknown_operator(build_dir: Any) -> None:
    model = load(build_dir)
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "Fancy", "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    store(build_dir, model)


def dynamic(build_dir: Any) -> None:
    model = load(build_dir)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    store(build_dir, model)


def zero_size(build_dir: Any) -> None:
    model = load(build_dir)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0
    store(build_dir, model)


def nan_weights(build_dir: Any) -> None:
    model = load(build_dir)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    array = numpy_helper.to_array(tensor).copy()
    array[1, 2] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(array, "w1"))
    store(build_dir, model)


def unknown_key(build_dir: Any) -> None:
    build_dir.write(target_fsp=100)


def not_json(build_dir: Any) -> None:
    (build_dir.path / CONFIG).write_text("output_dir: out\n")


def not_text(build_dir: Any) -> None:
    (build_dir.path / CONFIG).write_bytes(b"\xff\xfe\x00")


def unknown_board(build_dir: Any) -> None:
    build_dir.write(board="ULX3S-86F", generate_outputs=["bitfile"])


def no_part(build_dir: Any) -> None:
    build_dir.write(generate_outputs=["out_of_context_synth"])


def wrong_input_shape(build_dir: Any) -> None:
    build_dir.write(verify_steps=["initial_python"])
    np.save(build_dir.path / "input.npy", np.zeros((3, 7), np.float32))
    np.save(build_dir.path / "expected_output.npy", np.zeros((3, 4), np.float32))


def wrong_output_count(build_dir: Any) -> None:
    build_dir.write(verify_steps=["initial_python"])
    np.save(build_dir.path / "input.npy", np.zeros((3, 8), np.float32))
    np.save(build_dir.path / "expected_output.npy", np.zeros((2, 4), np.float32))


def no_npy(build_dir: Any) -> None:
    build_dir.write(verify_steps=["initial_python"])


def folding(build_dir: Any, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (build_dir.path / "folding_config.json").write_text(text)
    build_dir.write(folding_config_file="folding_config.json")


def illegal_folding(build_dir: Any) -> None:
    folding(build_dir, {"Defaults": {}, "MVAU_0": {"PE": 5, "SIMD": 2}})


def folding_of_no_node(build_dir: Any) -> None:
    folding(build_dir, {"Defaults": {}, "MVAU_7": {"PE": 1}})


def folding_is_no_json(build_dir: Any) -> None:
    folding(build_dir, "PE = 5")


def folding_is_missing(build_dir: Any) -> None:
    build_dir.write(folding_config_file="nowhere.json")


def ultra_without_ultra_ram(build_dir: Any) -> None:
    folding(build_dir, {"Defaults": {}, "MVAU_0": {"ram_style": "ultra", "runtime_writeable_weights": 1}})
    build_dir.write(board="Pynq-Z1", generate_outputs=["estimate_reports", "out_of_context_synth"])


def ultra_fifos_without_ultra_ram(build_dir: Any) -> None:
    build_dir.write(fpga_part="xczu3eg-sbva484-1-e", large_fifo_mem_style="ultra")


CASES: list[tuple[Callable[[Any], None], tuple[str, ...]]] = [
    (missing_model, ("model.onnx is missing", "put model.onnx there")),
    (truncated, ("model.onnx",)),
    (foreign, ("model.onnx",)),
    (empty_file, ("model.onnx",)),
    (no_nodes, ("the network is empty", "it has 0 nodes")),
    (float_only, ("nothing is quantized",)),
    (unknown_operator, ("Fancy",)),
    (dynamic, ("the input has the dynamic shape (batch, 8)", "input 'x'", "fixed input shape")),
    (zero_size, ("the input has no elements: its shape is (1, 0)", "input 'x'")),
    (nan_weights, ("1 of 48 values are NaN", "initializer 'w1'")),
    (unknown_key, (f"{CONFIG}:7", "unknown configuration key 'target_fsp'", "did you mean 'target_fps'?")),
    (not_json, (f"{CONFIG}:1", "not a JSON file")),
    (not_text, (CONFIG, "not a text file")),
    (unknown_board, ("ULX3S-86F", "ULX3S-85F")),
    (no_part, ("no FPGA part is given", "give fpga_part")),
    (wrong_input_shape, ("the array has shape (3, 7), expected (N, 8)", "input.npy")),
    (wrong_output_count, ("3 inputs, but 2 expected outputs", "expected_output.npy")),
    (no_npy, ("cannot read the array", "input.npy")),
    (illegal_folding, ("step_apply_folding_config", "folding_config.json", "MVAU_0", "PE=5")),
    (folding_of_no_node, ("step_apply_folding_config", "folding_config.json", "MVAU_7")),
    (folding_is_no_json, ("folding_config.json", "not a JSON file")),
    (folding_is_missing, ("nowhere.json", "the configuration of layers is missing")),
    (
        ultra_without_ultra_ram,
        (
            "step_apply_folding_config",
            "ram_style='ultra' of MVAU_0",
            "part xc7z020clg400-1",
            "use ram_style 'auto', 'block' or 'distributed', or a part with UltraRAM",
        ),
    ),
    (
        ultra_fifos_without_ultra_ram,
        ("large_fifo_mem_style", "the part xczu3eg-sbva484-1-e has no UltraRAM", "use auto, block or distributed"),
    ),
]


@pytest.mark.parametrize(("spoil", "told"), CASES, ids=[spoil.__name__ for spoil, _ in CASES])
def test_bad_input(
    build_dir: Any, capsys: pytest.CaptureFixture[str], spoil: Callable[[Any], None], told: tuple[str, ...]
) -> None:
    spoil(build_dir)
    assert build_dataflow_directory(str(build_dir.path)) == -1
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ")
    assert "  remedy: " in shown or "cannot be made integer" in shown  # whose lines hold a remedy each
    assert "Traceback" not in shown
    assert "nobody foresaw" not in shown
    for words in told:
        assert words in shown
    made = {"build_dataflow.log", "time_per_step.json", "intermediate_models", "report"}
    assert products(build_dir.out) <= made | {"template_specialize_layers_config.json"}


def products(out: Path) -> set[str]:
    """Names of what is in the output directory; nothing in it may be half-written."""
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    return {path.name for path in out.iterdir()} if out.is_dir() else set()


@pytest.mark.parametrize("command", [["build"], []], ids=["finn build", "build_dataflow"])
def test_exit_status(build_dir: Any, command: list[str]) -> None:
    foreign(build_dir)
    run = "from finn.builder import cli; " + ("cli.main()" if command else "cli.build_dataflow()")
    done = subprocess.run(
        [sys.executable, "-c", run, *command, str(build_dir.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
