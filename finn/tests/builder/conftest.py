"""A small quantized network and a build directory around it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.cleanup import cleanup_model

QONNX = "qonnx.custom_op.general"
INPUTS, HIDDEN, OUTPUTS = 8, 12, 4


def network(inputs: int = INPUTS) -> onnx.ModelProto:
    """Quant, MatMul, BatchNormalization-free: x (1, 8) -> 4-bit -> 12 neurons of 2 bits -> scores (1, 4)."""
    random = np.random.default_rng(1)
    arrays = {
        "w0": random.integers(-2, 2, (inputs, HIDDEN)).astype(np.float32),
        "w1": random.integers(-2, 2, (HIDDEN, OUTPUTS)).astype(np.float32),
        "scale_in": np.float32(0.125),
        "scale_hidden": np.float32(0.5),
        "one": np.float32(1),
        "zero": np.float32(0),
        "bits2": np.float32(2),
        "bits4": np.float32(4),
    }
    nodes = [
        quant("x", "scale_in", "bits4", "x_q"),
        quant("w0", "one", "bits2", "w0_q"),
        helper.make_node("MatMul", ["x_q", "w0_q"], ["h"]),
        helper.make_node("Relu", ["h"], ["h_r"]),
        quant("h_r", "scale_hidden", "bits2", "h_q", signed=0),
        quant("w1", "one", "bits2", "w1_q"),
        helper.make_node("MatMul", ["h_q", "w1_q"], ["y"]),
    ]
    return model(nodes, arrays, [1, inputs], [1, OUTPUTS])


def quant(x: str, scale: str, bits: str, y: str, signed: int = 1) -> onnx.NodeProto:
    attributes: dict[str, Any] = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
    return helper.make_node("Quant", [x, scale, "zero", bits], [y], domain=QONNX, **attributes)


def model(
    nodes: list[onnx.NodeProto], arrays: dict[str, np.ndarray], ishape: list[Any], oshape: list[Any]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ishape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, oshape)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class BuildDir:
    """A build directory that tests may spoil."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out = path / "out"
        self.config: dict[str, Any] = {
            "output_dir": "out",
            "synth_clk_period_ns": 10.0,
            "generate_outputs": ["estimate_reports"],
        }
        onnx.save(network(), path / "model.onnx")
        self.write()

    def write(self, **config: object) -> None:
        self.config |= config
        (self.path / "dataflow_build_config.json").write_text(json.dumps(self.config, indent=2))

    def write_samples(self, count: int) -> None:
        """Inputs, and what the network makes of them."""
        inputs = np.random.default_rng(2).normal(size=(count, INPUTS)).astype(np.float32)
        model = cleanup_model(ModelWrapper(str(self.path / "model.onnx")))
        name = model.get_first_global_in()
        outputs = [execute_onnx(model, {name: x[np.newaxis]})[model.get_first_global_out()] for x in inputs]
        np.save(self.path / "input.npy", inputs)
        np.save(self.path / "expected_output.npy", np.concatenate(outputs))

    def report(self, name: str) -> Any:
        return json.loads((self.out / "report" / f"{name}.json").read_text())


@pytest.fixture
def build_dir(tmp_path: Path) -> BuildDir:
    return BuildDir(tmp_path)
