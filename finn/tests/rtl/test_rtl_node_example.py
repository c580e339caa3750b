"""The examples of docs/custom-ops.md: they are taken from there and run."""

from __future__ import annotations

import gc
import importlib
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core.errors import UnknownOpError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.base import CustomOp
from finn.custom_op.registry import getCustomOp
from finn.dataflow.layer import LayerError
from finn.hls.project import project_of
from finn.rtl import verilator
from finn.rtl.sim import Simulator
from finn.rtl.verilator import Verilator
from finn.util.basic import qonnx_make_model

GUIDE = Path(__file__).parents[3] / "docs" / "custom-ops.md"
BLOCK = re.compile(r"^```(?:python|systemverilog)\n(?:#|//) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ["my_ops/__init__.py", "try_shift.py", "test_shift.py", "my_ops/square.sv", "my_ops/rtl.py", "test_square.py"]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files of the guide, from which Python imports."""
    text = GUIDE.read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    assert [name for name, _ in found] == FILES
    assert text.count("```") == 2 * len(FILES), "a block of code does not start with the name of its file"
    for name, source in found:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_ops"]:
        del sys.modules[name]


def test_the_operator_of_the_guide(example: Path) -> None:
    runpy.run_path(str(example / "try_shift.py"))


@pytest.mark.parametrize("name", ["test_shift.py", "test_square.py"])
def test_the_tests_of_the_guide_pass(example: Path, name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", name]
    environment = {**os.environ, "PYTHONPATH": str(example)}
    done = subprocess.run(command, cwd=example, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def square_model(mode: str) -> ModelWrapper:
    nodes = [
        helper.make_node("Neg", ["x"], ["negative"]),
        helper.make_node("Square", ["negative"], ["y"], "square", domain="my_ops.rtl", shape=[3], exec_mode=mode),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    return ModelWrapper(qonnx_make_model(helper.make_graph(nodes, "example", [x], [y])))


def test_one_simulator_serves_the_compiled_model(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    build: Callable[..., None] = Simulator.__init__

    def counted(self: Simulator, *args: object, **kwargs: object) -> None:
        build(self, *args, **kwargs)
        made.append(Path(self._folder))

    monkeypatch.setattr(Simulator, "__init__", counted)
    model = square_model("rtlsim")
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-127, 128, (2 + seed, 3)).astype(np.float32)
        np.testing.assert_array_equal(execute_onnx(model, {"x": x})["y"], x * x)
    np.testing.assert_array_equal(execute_onnx(square_model("numpy"), {"x": x})["y"], x * x)
    assert len(made) == 1
    assert made[0].is_dir()


def test_the_layer_of_the_guide_is_in_systemverilog_only(example: Path) -> None:
    layer = importlib.import_module("my_ops.rtl").SquareLayer((1, 3))
    with pytest.raises(LayerError, match=r"the layer SquareLayer has no C\+\+ kernel") as refused:
        project_of("square", layer, "xczu3eg-sbva484-1-e", 10)
    assert "contribute-a-layer.md" in refused.value.remedy


def test_the_files_of_a_simulator_go_with_its_operator(example: Path) -> None:
    op: CustomOp | None = getCustomOp(square_model("rtlsim").graph.node[1])
    folder = Path(op.simulator._folder)
    assert folder.is_dir()
    del op
    gc.collect()
    assert not folder.exists()


def test_the_module_of_the_guide_is_clean(example: Path) -> None:
    tool: Verilator = verilator()
    done = tool.run(["--lint-only", "-Wall", "--top-module", "square", "my_ops/square.sv"], example)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_module_there_is_no_operator() -> None:
    with pytest.raises(UnknownOpError, match="there is no Python module 'my_ops'"):
        getCustomOp(square_model("numpy").graph.node[1])
