"""The command `finn-base`, as a user calls it."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from typer.testing import CliRunner

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.cli import app

runner = CliRunner()


def call(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def read(*arguments: object, code: int = 0) -> dict:  # type: ignore[type-arg]
    return json.loads(call(*arguments, "--json", code=code))  # type: ignore[no-any-return]


@pytest.fixture
def path(build, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """x -> Quant -> Conv with quantized weights -> Flatten, with something to fold."""
    quant = {"domain": "finn.custom_op.general", "signed": 1, "narrow": 0}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], **quant),
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], **quant),
        helper.make_node("Conv", ["q", "wq", "bias"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Mul", ["c", "two"], ["m"]),
        helper.make_node("Flatten", ["m"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "s": np.float32(0.5), "z": np.float32(0), "b": np.float32(4), "one": np.float32(1),
        "w": rng.standard_normal((4, 2, 3, 3)).astype(np.float32), "bias": np.arange(4, dtype=np.float32),
    }  # fmt: skip
    file = tmp_path / "net.onnx"
    build(nodes, {"x": [1, 2, 3, 3]}, ["y"], constants).save(file)
    return file


def test_info(path: Path) -> None:
    found = read("info", path)
    assert found["operators"] == {
        "finn.custom_op.general::Quant": 2, "Conv": 1, "Add": 1, "Mul": 1, "Flatten": 1,
    }  # fmt: skip
    (entry,) = found["inputs"]
    assert entry == {
        "name": "x",
        "shape": "1 x 2 x 3 x 3",
        "element_type": "FLOAT",
        "datatype": "FLOAT32",
        "layout": "",
    }
    assert found["parameters"] == 4 * 2 * 9 + 4 + 4
    assert found["undetermined"] == ["q", "wq", "c", "two", "m", "y"]
    assert "1 x 2 x 3 x 3" in call("info", path)


def test_info_names_operators_that_nobody_defines(path: Path) -> None:
    model = ModelWrapper(path)
    model.graph.node[0].op_type = "NoSuchOp"
    model.save(path)
    assert read("info", path)["unknown_operators"] == ["finn.custom_op.general::NoSuchOp"]


def test_cleanup(path: Path, tmp_path: Path) -> None:
    found = read("cleanup", path, "--extract-conv-bias")
    assert found["file"] == str(tmp_path / "net_clean.onnx")
    assert found["operators"]["Add"] == [1, 1]  # one folded, one made of the bias
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 3)).astype(np.float32)
    before, after = ModelWrapper(path), ModelWrapper(tmp_path / "net_clean.onnx")
    np.testing.assert_allclose(
        execute_onnx(after, {"global_in": x})["global_out"], execute_onnx(before, {"x": x})["y"], rtol=1e-6
    )
    table = call("cleanup", path, "--fold-quantizers", "-o", tmp_path / "folded.onnx")
    assert "Quant" in table
    assert len(ModelWrapper(tmp_path / "folded.onnx").get_nodes_by_op_type("Quant")) == 1
    call("cleanup", path, "--input-size", "2,2,5,5", "-o", tmp_path / "sized.onnx")
    assert ModelWrapper(tmp_path / "sized.onnx").get_tensor_shape("global_out") == [2, 36]


def test_exec(path: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((6, 2, 3, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    model = ModelWrapper(path)
    expected = np.concatenate([execute_onnx(model, {"x": sample[None]})["y"] for sample in x])
    labels = expected.argmax(1)
    labels[0] = (labels[0] + 1) % 4
    np.save(tmp_path / "labels.npy", labels)
    found = read(
        "exec", path, tmp_path / "x.npy", "--output-prefix", f"{tmp_path}/o_", "--labels", tmp_path / "labels.npy"
    )
    assert found["accuracy"] == pytest.approx(5 / 6)
    assert len(found["files"]) == found["batches"] == 6
    np.testing.assert_array_equal(np.concatenate([np.load(file) for file in found["files"]]), expected)
    batched = read("exec", path, tmp_path / "x.npy", "--output-prefix", f"{tmp_path}/b_", "--batch", 3)
    np.testing.assert_array_equal(np.concatenate([np.load(file) for file in batched["files"]]), expected)
    assert read("exec", path, tmp_path / "x.npy", "--no-save")["files"] == []


def test_cost(path: Path) -> None:
    found = read("cost", path, "--breakdown", "--no-discount-sparsity")
    assert found["total_cost"]["total_macs"] == 4 * 2 * 9
    assert list(found["optype_cost"]) == ["Conv"]
    shown = call("cost", path, "--breakdown", "--no-discount-sparsity")
    assert "72" in shown
    assert "set()" not in shown
    assert "e+0" not in shown


def test_convert_and_back(path: Path, tmp_path: Path) -> None:
    assert read("convert", path, "--to", "qcdq")["operators"]["Quant"] == [2, 0]
    back = read("convert", tmp_path / "net_qcdq.onnx", "--to", "quant", "-o", tmp_path / "back.onnx")
    assert back["operators"]["Quant"] == [0, 2]
    found = read("diff", path, tmp_path / "back.onnx", "--run", 3, code=1)
    assert found["execution"]["y"]["equal"]


def test_to_channels_last(path: Path, tmp_path: Path) -> None:
    found = read("to-channels-last", path, "--make-input-channels-last", "-o", tmp_path / "last.onnx")
    assert found["file"] == str(tmp_path / "last.onnx")
    model = ModelWrapper(tmp_path / "last.onnx")
    assert model.get_tensor_shape(model.get_first_global_in()) == [1, 3, 3, 2]


def test_ranges(path: Path) -> None:
    found = read("ranges", path, "--input-range", "-1,1", "--name", "Quant")
    assert found["Quant_0_out0"] == [-1.0, 1.0]
    assert all("Quant" in name for name in found)
    integers = read("ranges", path, "--integers")
    assert integers["tensors"]["Quant_0_out0"]["integers"] == [-8, 7]
    (accumulator,) = integers["accumulators"].values()
    assert accumulator["datatype"].startswith("INT")
    assert "Accumulators" in call("ranges", path, "--integers")
    stuck = read("ranges", path, "--stuck", "--input-range", "0,0")
    assert stuck["Quant_0_out0"] == [[0, 0.0]]
    assert "No channel is stuck" in call("ranges", path, "--stuck")


def test_ranges_of_channels_are_one_row(path: Path) -> None:
    low, high = read("ranges", path, "--input-range", "-1,1", "--name", "Conv_0")["Conv_0_out0"]
    assert len(low) == len(high) == 4
    (row,) = (line for line in call("ranges", path, "--input-range", "-1,1").splitlines() if "Conv_0_out0" in line)
    assert [cell.strip() for cell in row.split("│")[2:5]] == [f"{min(low):,.6g}", f"{max(high):,.6g}", "4"]


def test_json_has_no_infinite_numbers(path: Path) -> None:
    """They are no JSON, and few parsers take them."""
    text = call("ranges", path, "--name", "global_in", "--json")
    assert json.loads(text, parse_constant=pytest.fail) == {"global_in": [None, None]}


def test_diff(path: Path, tmp_path: Path) -> None:
    assert read("diff", path, path, "--run", 2) == {
        "structure": {},
        "execution": {"y": {"equal": True, "max_abs_difference": 0.0, "different_elements": 0, "elements": 8}},
    }
    assert "The models are the same" in call("diff", path, path)
    model = ModelWrapper(path)
    model.graph.output.append(model.graph.output[0])
    model.save(tmp_path / "twice.onnx")
    assert read("diff", tmp_path / "twice.onnx", tmp_path / "twice.onnx", "--run", 1)["execution"]["y"]["equal"]
    model = ModelWrapper(path)
    model.set_initializer("bias", np.zeros(4, np.float32))
    model.graph.node[4].op_type = "Add"
    model.save(tmp_path / "other.onnx")
    found = read("diff", path, tmp_path / "other.onnx", "--run", 1, code=1)
    assert found["structure"]["operators"] == {"Add": [1, 2], "Mul": [1, 0]}
    assert found["structure"]["constants"] == {"bias": "3 of 4 elements"}
    assert found["structure"]["changed"] == {"m": ["op_type: Mul -> Add"]}
    assert not found["execution"]["y"]["equal"]
    assert "op_type: Mul -> Add" in call("diff", path, tmp_path / "other.onnx", code=1)


def test_errors_are_lines_or_json(path: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["info", str(tmp_path / "none.onnx")])
    assert result.exit_code == 1
    assert "error: cannot read the model: No such file or directory" in result.stderr
    assert "Traceback" not in result.output
    result = runner.invoke(app, ["cleanup", str(path), "--input-size", "one", "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stderr)
    assert error["error"] == "override_inpsize is 'one'"
    assert error["remedy"]
