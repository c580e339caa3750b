"""Files from one notation of quantizers to the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.convert import CONVERT_MODE_QCDQ, CONVERT_MODE_QUANT, convert

from .helpers import DOMAIN, f32, hard_values, make, parameters, quant, run_ort  # noqa: TID252 - helpers are no package


def test_there_and_back(tmp_path: Path) -> None:
    """Per-channel scales need the shapes, which the file does not have."""
    last = helper.make_node("Quant", ["a", "t", "z", "b"], ["y"], domain=DOMAIN, signed=0, narrow=1)
    constants = {"s": f32([0.1, 0.3, 2]), "z": f32(0), "b": f32(4), "t": f32(0.7)}
    model = make([quant(y="a"), last], {"x": [2, 3]}, constants)
    model.save(tmp_path / "net.v1.onnx")
    qcdq = convert(tmp_path / "net.v1.onnx", output_style=CONVERT_MODE_QCDQ)
    assert qcdq == tmp_path / "net.v1_qcdq.onnx"
    back = convert(str(qcdq), output_style=CONVERT_MODE_QUANT, output_file=tmp_path / "back.onnx")
    assert back == tmp_path / "back.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.onnx", "net.v1.onnx", "net.v1_qcdq.onnx"]
    assert parameters(ModelWrapper(back)) == parameters(model)
    x = hard_values((2, 3), f32([0.1, 0.3, 2]), 0)
    wanted = execute_onnx(model, {"x": x})["y"]
    np.testing.assert_array_equal(run_ort(ModelWrapper(qcdq), {"x": x})[0], wanted)
    np.testing.assert_array_equal(execute_onnx(ModelWrapper(back), {"x": x})["y"], wanted)


def test_what_stays_is_named(tmp_path: Path) -> None:
    make([quant(mode="FLOOR")], {"x": [2, 3]}, {"s": f32(1), "z": f32(0), "b": f32(4)}).save(tmp_path / "a.onnx")
    with pytest.warns(UserWarning, match="1 quantizers stay as they are, first 'y': its rounding mode is FLOOR"):
        convert(tmp_path / "a.onnx", output_style="qcdq")
    assert [node.op_type for node in ModelWrapper(tmp_path / "a_qcdq.onnx").graph.node] == ["Quant"]


def test_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        convert(tmp_path / "missing.onnx", output_style="qdq")
    assert str(error.value) == "there is no output_style 'qdq'. Remedy: did you mean 'qcdq'?"
    with pytest.raises(ModelError, match="cannot read the model"):
        convert(tmp_path / "missing.onnx", output_style="qcdq")
    assert list(tmp_path.iterdir()) == []
