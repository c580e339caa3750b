"""The command `pareto`: what it writes, and that what it writes can be built."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finn.builder import exploration
from finn.builder.build_dataflow import build_dataflow_directory
from finn.builder.cli import app
from finn.builder.errors import BuildError
from finn.dataflow.candidates import KINDS

runner = CliRunner()
PART = "xczu3eg-sbva484-1-e"


def sweep(path: Path, output: Path, *options: str) -> Any:
    result = runner.invoke(app, ["pareto", str(path), "-o", str(output), "--no-plot", *options])
    assert result.exit_code == 0, result.output
    return json.loads((output / "pareto.json").read_text())


def test_of_a_build_directory(build_dir: Any, tmp_path: Path) -> None:
    """Faster costs more; the configuration gives part and clock; nothing is written but what was asked for."""
    build_dir.write(fpga_part=PART, synth_clk_period_ns=5.0)
    before = sorted(path.name for path in build_dir.path.iterdir())
    found = sweep(build_dir.path, tmp_path / "sweep", "--points", "8")
    assert sorted(path.name for path in build_dir.path.iterdir()) == sorted([*before, "sweep"])
    assert (found["part"], found["clock_ns"]) == (PART, 5.0)
    assert found["capacity"] == {"LUT": 70560, "BRAM_18K": 432, "URAM": 0, "DSP": 360}
    points = found["points"]
    assert 3 < len(points) <= 8
    assert all(p["fits"] for p in points)
    assert all(p["fps"] == pytest.approx(1e9 / (5 * p["cycles"]), rel=1e-3) for p in points)
    assert [p["cycles"] for p in points] == sorted({p["cycles"] for p in points})
    assert [p["area"] for p in points] == sorted((p["area"] for p in points), reverse=True)
    assert points[0]["cycles"] == 1  # all layers can be unfolded


def test_each_folding_can_be_built(build_dir: Any, tmp_path: Path) -> None:
    found = sweep(build_dir.path, tmp_path / "sweep", "--points", "3", "--part", PART)
    for point in found["points"]:
        file = tmp_path / "sweep" / "foldings" / f"{point['cycles']}.json"
        assert json.loads(file.read_text()) == point["folding_config"]
        build_dir.write(folding_config_file=str(file), fpga_part=PART)
        assert build_dataflow_directory(str(build_dir.path)) == 0
        assert build_dir.report("estimate_network_performance")["max_cycles"] == point["cycles"]
        layers = build_dir.report("estimate_layer_resources")["total"]
        assert layers["LUT"] <= point["LUT"]  # which has the converters, too
        assert all(layers[kind] == point[kind] for kind in KINDS if kind != "LUT")


def test_of_a_file_without_a_part(build_dir: Any, tmp_path: Path) -> None:
    found = sweep(build_dir.path / "model.onnx", tmp_path / "sweep", "--points", "2")
    assert (found["part"], found["clock_ns"], found["capacity"]) == (None, 10.0, {})
    assert [p["fits"] for p in found["points"]] == [None, None]


def test_of_layers(build_dir: Any, tmp_path: Path) -> None:
    """A saved graph of layers gives the same as the network that it was made from."""
    whole = sweep(build_dir.path, tmp_path / "whole", "--points", "4")
    assert build_dataflow_directory(str(build_dir.path)) == 0
    saved = build_dir.out / "intermediate_models" / "step_create_dataflow_partition.onnx"
    assert sweep(saved, tmp_path / "layers", "--points", "4") == whole


def test_what_does_not_fit_is_told(build_dir: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        exploration, "part_named", lambda name: type("Part", (), {"capacity": dict.fromkeys(KINDS, 900)})
    )
    found = sweep(build_dir.path, tmp_path / "sweep", "--part", PART)
    fits = [p["fits"] for p in found["points"]]
    assert fits == sorted(fits)
    assert set(fits) == {False, True}


def test_errors_are_shown(tmp_path: Path) -> None:
    result = runner.invoke(app, ["pareto", str(tmp_path)])
    assert result.exit_code == 1
    assert "model.onnx is missing" in result.output
    result = runner.invoke(app, ["pareto", str(tmp_path), "--part", "qqq"])
    assert result.exit_code == 1


def test_no_plot_without_matplotlib(build_dir: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told; an error only if the plot was asked for. The JSON is there in any case."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = runner.invoke(app, ["pareto", str(build_dir.path), "-o", str(tmp_path / "a"), "--points", "2"])
    assert result.exit_code == 0
    assert "no plot: matplotlib is not installed (pip install 'finn[plot]')" in result.output
    found = exploration.sweep(build_dir.path, points=2)
    with pytest.raises(BuildError) as error:
        exploration.save(found, tmp_path / "b", plot=True)
    assert str(error.value) == (
        "the plot needs matplotlib, which is not installed. Remedy: pip install 'finn[plot]', or give --no-plot"
    )
    for place in ("a", "b"):
        assert (tmp_path / place / "pareto.json").is_file()
        assert not (tmp_path / place / "pareto.svg").exists()


def test_plot(build_dir: Any, tmp_path: Path) -> None:
    """The same sweep is the same file."""
    found = exploration.sweep(build_dir.path, PART, points=4)
    for place in ("a", "b"):
        exploration.save(found, tmp_path / place, plot=True)
    drawn = (tmp_path / "a" / "pareto.svg").read_bytes()
    assert drawn == (tmp_path / "b" / "pareto.svg").read_bytes()
    assert b"<svg" in drawn


def test_plot_of_small_designs_on_a_large_part(build_dir: Any) -> None:
    """What the part has is told and not drawn: it would leave a line at the edge."""
    found = exploration.sweep(build_dir.path, PART, points=4)
    figure = exploration._drawn(found, exploration._matplotlib())
    axes, most = figure.axes[0], max(p.resources.LUT for p in found.points)
    assert axes.get_xlabel() == f"LUT of {found.capacity['LUT']}"
    assert axes.get_xlim()[1] < 2 * most < found.capacity["LUT"]
