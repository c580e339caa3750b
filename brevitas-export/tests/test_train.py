# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The training command on a small network: what it writes, that it resumes to the same bits, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from brevitas_export.data import tasks  # noqa: E402
from brevitas_export.data.tasks import DataError  # noqa: E402
from brevitas_export.models.perceptrons import Mlp  # noqa: E402
from brevitas_export.models.quantization import exact, integers  # noqa: E402
from brevitas_export.train import app, train  # noqa: E402
from brevitas_export.training import recipes  # noqa: E402
from brevitas_export.training.loop import Settings, Training, shifted  # noqa: E402
from brevitas_export.training.recipes import Recipe, chosen  # noqa: E402
from finn.core.errors import ConfigError  # noqa: E402
from finn.core.modelwrapper import ModelWrapper  # noqa: E402
from finn.core.onnx_exec import execute_onnx  # noqa: E402
from finn.util.confidence import wilson  # noqa: E402

NAME = "tiny_w2a2_digits"
EPOCHS = 4
FILES = ["README.md", "dataflow_build_config.json", "expected_output.npy", "input.npy", "model.onnx", "test_set.npz"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(
        "A tiny network on digits",
        lambda w, a: Mlp(exact(w, a), (64, 16, 10), integers()),
        recipes.digits,
        EPOCHS,
        0.02,
        clip=True,
        shipped=40,
        build={"target_fps": 1000},
    )
    monkeypatch.setitem(recipes.RECIPES, ("tiny", "digits"), recipe)


def test_a_directory_that_finn_builds(tmp_path: Path) -> None:
    place = tmp_path / NAME
    accuracy = train(NAME, place, hold_out=0.25)
    assert [path.name for path in sorted(place.iterdir())] == [*FILES, "training"]
    assert accuracy > 0.3
    with np.load(place / "test_set.npz") as data:
        x, y, expected = data["x"], data["y"], data["expected"]
    task = recipes.digits()
    np.testing.assert_array_equal(x, task.x[task.trained : task.trained + 40])
    assert accuracy == np.mean(expected[:, 0] == y)
    model = ModelWrapper(str(place / "model.onnx"))
    found = [execute_onnx(model, {"global_in": s[None].astype(np.float32)})["global_out"][0] for s in x]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.load(place / "expected_output.npy"), expected[:20])
    assert model.get_tensor_datatype("global_in").name == "UINT8"
    config = json.loads((place / "dataflow_build_config.json").read_text())
    assert (config["target_fps"], config["validation_dataset"]) == (1000, "test_set.npz")
    card = (place / "README.md").read_text()
    low, high = wilson(accuracy, 40)
    assert f"**{100 * accuracy:.1f} %** of 40 held-out" in card
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in card
    assert f"python -m brevitas_export.train {NAME} --seed 0 --epochs 4 --learning-rate 0.02 --hold-out 0.25" in card
    assert "BSD-3-Clause" in card
    assert tasks.DIGITS in card


def test_log_and_plot(tmp_path: Path) -> None:
    train(NAME, tmp_path, hold_out=0.25)
    with (tmp_path / "training" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert all(0 < float(row["validation_accuracy"]) <= 1 for row in rows)
    assert (tmp_path / "training" / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("done", [1, 3, EPOCHS])
def test_an_interrupted_training_ends_as_if_it_had_not_been(done: int, tmp_path: Path) -> None:
    train(NAME, tmp_path / "whole")
    settings = Settings(NAME, 0, EPOCHS, 0.02, 0.0)
    part = Training(chosen(NAME), recipes.digits(), settings, tmp_path / "parts" / "training").epochs()
    for _ in range(done):
        next(part)
    torch.rand(7)  # whatever else has used random numbers
    train(NAME, tmp_path / "parts")
    for file in set(FILES) - {"test_set.npz"}:  # which has the time in it
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file
    rows = [(tmp_path / kind / "training" / "log.csv").read_text().splitlines() for kind in ("whole", "parts")]
    whole, parts = ([line.rsplit(",", 1)[0] for line in lines] for lines in rows)  # without the seconds
    assert whole == parts


def test_seeds_differ(tmp_path: Path) -> None:
    for seed in (0, 1):
        train(NAME, tmp_path / str(seed), seed=seed)
    assert (tmp_path / "0" / "model.onnx").read_bytes() != (tmp_path / "1" / "model.onnx").read_bytes()


def test_other_settings_and_other_networks_are_refused(tmp_path: Path) -> None:
    train(NAME, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=r"training of other settings .*'epochs': 4.*'epochs': 5"):
        train(NAME, tmp_path, epochs=5)
    with pytest.raises(ConfigError, match="is the directory of another network"):
        train("tiny_w4a4_digits", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    train(NAME, tmp_path, epochs=5, fresh=True)
    assert "--epochs 5" in (tmp_path / "README.md").read_text()


def test_a_configuration_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "dataflow_build_config.json").write_text("{}")
    train(NAME, tmp_path, epochs=1)
    assert (tmp_path / "dataflow_build_config.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfc", "there is no recipe 'tfc'"),
        ("tfc_w1a1_mnits", r"there is no recipe 'tfc_w1a1_mnits' .*did you mean 'tfc_w2a2_mnist'"),
        ("tfc_w9a1_mnist", "there is no recipe 'tfc_w9a1_mnist'"),
    ],
)
def test_unknown_names(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        train(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options", [{"hold_out": 1.0}, {"hold_out": -0.1}, {"learning_rate": -1.0}], ids=lambda options: next(iter(options))
)
def test_settings_are_checked(options: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give an epoch or more"):
        train(NAME, tmp_path, **options)  # type: ignore[arg-type]


def test_missing_pictures_of_clothes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        tasks.fashion(folder=tmp_path)


def test_command_line(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["--list"])
    assert listed.exit_code == 0
    assert listed.stdout.split() == recipes.names()
    done = runner.invoke(app, [NAME, "--output", str(tmp_path), "--epochs", "1"])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{NAME}: ")
    assert (tmp_path / NAME / "model.onnx").is_file()
    wrong = runner.invoke(app, ["tfc_w1a1_nothing"])
    assert wrong.exit_code == 1
    assert "there is no recipe" in wrong.stderr
    none = runner.invoke(app, [])
    assert none.exit_code == 1
    assert "give one, or --list" in none.stderr


def test_the_guide_names_all_networks_and_data() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    named = {name for line in guide.splitlines() if line.startswith("| `") for name in line.split("`")[1::2]}
    for network, data in recipes.RECIPES.keys() - {("tiny", "digits")}:
        assert {network, data} <= named


def test_pictures_are_moved_whole() -> None:
    torch.manual_seed(0)
    x = torch.zeros(200, 1, 7, 7)
    x[:, 0, 3, 3] = 1
    moved = shifted(x, 2)
    assert moved.shape == x.shape
    places = {tuple(place) for place in moved.nonzero()[:, 2:].tolist()}
    assert places == {(row, column) for row in range(1, 6) for column in range(1, 6)}
    assert moved.sum() == 200
