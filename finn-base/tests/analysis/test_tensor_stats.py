from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from finn.analysis.tensor_stats import main, tensor_stats, update_tensor_stats
from finn.core.errors import ConfigError, ModelError, UnsupportedError


@given(seed=st.integers(0, 2**32 - 1), batches=st.integers(1, 4), axes=st.sampled_from([(0,), (1,), (1, 2), (-1,)]))
def test_batches_accumulate(seed: int, batches: int, axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(seed).integers(-9, 10, (batches, 2, 3, 4)).astype(np.float32)
    stats: dict[str, Any] = {}
    for batch in x:
        assert update_tensor_stats(batch, axes, stats) is stats
    assert stats["shape"] == (2, 3, 4)
    for axis in axes:
        found = np.moveaxis(x, axis if axis < 0 else axis + 1, 0)
        np.testing.assert_array_equal(stats[f"axis{axis}"]["min"], found.reshape(len(found), -1).min(1))
        np.testing.assert_array_equal(stats[f"axis{axis}"]["max"], found.reshape(len(found), -1).max(1))


def test_no_state_between_calls() -> None:
    update_tensor_stats(np.full((2, 3), 9.0), (1,))
    assert update_tensor_stats(np.zeros((2, 3)), (1,))["axis1"]["max"].tolist() == [0, 0, 0]


def test_tensors_that_do_not_fit() -> None:
    with pytest.raises(ModelError, match=r"a tensor of shape \(2, 3\) has no axis 2"):
        update_tensor_stats(np.zeros((2, 3)), (2,))
    stats = update_tensor_stats(np.zeros((2, 3)), (1,))
    with pytest.raises(ModelError, match="axis 1 has 4 entries, in an earlier batch 3"):
        update_tensor_stats(np.zeros((2, 4)), (1,), stats)


@pytest.fixture
def recorded(build, tmp_path: Path) -> Any:
    """A model, and two batches of its output "y"; "y2" has others."""
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2, 3]}, ["y"])
    np.save(tmp_path / "y_batch0.npy", np.array([[0, 2, 1], [0, 2, 3]], np.float32))
    np.save(tmp_path / "y_batch10.npy", np.array([[0, 2, -1], [0, 2, 0]], np.float32))
    np.save(tmp_path / "y2_batch0.npy", np.full((2, 3), 99, np.float32))
    return model, tmp_path


def test_reports(recorded) -> None:
    model, folder = recorded
    result = tensor_stats(model, folder, folder, plot=False)
    assert result["y"]["axis1"]["min"].tolist() == [0, 2, -1]
    assert result["y"]["axis1"]["max"].tolist() == [0, 2, 3]
    assert tensor_stats(model, folder, folder, plot=False, report_mode="stuck_channel") == {"y": [(0, 0.0), (1, 2.0)]}
    assert tensor_stats(model, folder, folder, plot=False, report_mode="zerostuck_channel") == {"y": {0}}
    assert set(tensor_stats(model, folder, folder, plot=False, axes="0,1")["y"]) == {"shape", "axis0", "axis1"}


def test_missing_files_and_wrong_options(recorded, tmp_path: Path) -> None:
    model, folder = recorded
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="there are no recorded values of graph output 'y'"):
        tensor_stats(model, tmp_path / "empty", folder, plot=False)
    with pytest.raises(ConfigError, match=r"axes is 'C'\. Remedy: give numbers, separated by commas"):
        tensor_stats(model, folder, folder, plot=False, axes="C")


def test_plots_say_what_they_need(recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    model, folder = recorded
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnsupportedError, match="pip install matplotlib, or use plot=False"):
        tensor_stats(model, folder, folder)


def test_plots(recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    model, folder = recorded
    tensor_stats(model, folder, folder / "plots")
    assert [path.name for path in (folder / "plots").iterdir()] == ["y_axis1.png"]


def test_command_line(recorded, capsys: pytest.CaptureFixture[str]) -> None:
    model, folder = recorded
    model.save(folder / "m.onnx")
    main([str(folder / "m.onnx"), str(folder), str(folder), "--no-plot", "--report-mode", "stuck_channel"])
    assert capsys.readouterr().out == "{'y': [(0, 0.0), (1, 2.0)]}\n"
