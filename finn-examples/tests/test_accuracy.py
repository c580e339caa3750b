# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The measurement finds right answers and wrong ones, and keeps what it is not asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finn.builder.accelerator import load
from finn_examples import Example, example
from finn_examples.accuracy import (
    PYTORCH,
    AccuracyError,
    HeldOut,
    Result,
    from_json,
    results,
    to_json,
    to_markdown,
    update,
)

FORMS = ["exported ONNX", "integer graph", "accelerator, python", "accelerator, cppsim", "accelerator, rtlsim"]


def with_answers(name: str, directory: Path, change: int = 0) -> Example:
    """A copy of an example with 60 held-out samples and the accelerator's answers, `change` of them altered."""
    copy = Example(example(name).copy_to(directory / name))
    x, y = (array[:60] for array in copy.test_set())
    expected = load(copy.directory, "python").predict(x)
    expected[:change] = expected[:change] + 1
    np.savez(copy.directory / "test_set.npz", x=x, y=y, expected=expected)
    return copy


@pytest.mark.parametrize("name", ["tfc_w2a2_mnist", "resnet8_w4a4_digits"])
def test_all_forms_give_the_same(name: str, tmp_path: Path) -> None:
    copy = with_answers(name, tmp_path)
    found = list(results(copy, rtl_samples=20))
    assert [r.form for r in found] == [PYTORCH, *FORMS]
    assert [r.samples for r in found] == [60, 60, 60, 60, 60, 20]
    assert {r.differ for r in found} == {0}
    assert {r.correct for r in found[:-1]} == {found[0].correct}
    assert found[0].correct > 0.8 * found[0].labels


@pytest.mark.parametrize("name", ["tfc_w2a2_mnist", "resnet8_w4a4_digits"])
def test_other_answers_are_counted(name: str, tmp_path: Path) -> None:
    found = list(results(with_answers(name, tmp_path, change=3), rtl_samples=60))
    assert [r.differ for r in found] == [0, 3, 3, 3, 3, 3]


def test_one_step_of_a_score_is_another_answer() -> None:
    data = HeldOut.__new__(HeldOut)
    data.labels, data.expected = np.array([0, 1]), np.array([[7.5, 0.25], [0.0, 1.0]], np.float32)
    assert data.result("f", data.expected + 1e-5) == Result("f", 2, 2, 2, 0)
    assert data.result("f", data.expected + np.array([[0, 0.25 / 16], [0, 0]])) == Result("f", 2, 2, 2, 1)
    assert data.result("f", data.expected[:, ::-1]) == Result("f", 2, 2, 0, 2)
    with pytest.raises(AccuracyError, match="f: outputs of another shape"):
        data.result("f", data.expected[:, :1])


def test_labels_of_pixels() -> None:
    data = HeldOut.__new__(HeldOut)
    data.labels = np.array([[[0, 1], [2, 2]], [[0, 0], [1, 1]]])
    data.expected = data.labels[..., np.newaxis]
    changed = data.expected.copy()
    changed[0, 0, 0] = 1
    assert data.result("f", changed) == Result("f", 2, 8, 7, 1)
    data.expected = np.moveaxis(np.eye(3)[data.labels], -1, 1)  # scores, (N, classes, H, W)
    assert data.result("f", data.expected) == Result("f", 2, 8, 8, 0)


def test_interval_is_that_of_scipy() -> None:
    low, high = Result("f", 10, 10, 8, 0).interval  # scipy.stats.binomtest(8, 10).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert Result("f", 10, 1000, 800, 0).interval == (low, high)  # ten samples, whatever each has
    assert Result("f", 100, 100, 100, 0).interval == pytest.approx((0.9630065, 1.0), abs=1e-6)


def test_without_answers_of_pytorch(tmp_path: Path) -> None:
    copy = with_answers("tfc_w1a1_mnist", tmp_path)
    x, y = copy.test_set()
    np.savez(copy.directory / "test_set.npz", x=x, y=y)
    with pytest.raises(AccuracyError, match=r"nothing to compare with .*expected") as error:
        HeldOut(copy)
    assert error.value.remedy == "let it hold x, y and, from PyTorch, the network's outputs for all of x as expected"
    np.savez(copy.directory / "test_set.npz", x=x, y=y[:-1], expected=y)
    with pytest.raises(AccuracyError, match="arrays that do not belong together"):
        HeldOut(copy)


def test_other_examples_keep_their_rows(tmp_path: Path) -> None:
    row = (Result(PYTORCH, 10, 10, 8, 0),)
    (tmp_path / "accuracy.json").write_text(to_json({"other": row, "gone": row, "net": row}), encoding="utf-8")
    missing = Example(tmp_path / "net")
    errors = update(tmp_path, [missing], [Example(tmp_path / "other"), missing])
    assert list(errors) == ["net"]
    text = (tmp_path / "accuracy.json").read_text(encoding="utf-8")
    assert from_json(text) == {"other": row}
    assert (tmp_path / "accuracy.md").read_text(encoding="utf-8") == to_markdown({"other": row})
    line = "| other | PyTorch | 10 | 80.0% | 49.0% to 94.3% | 0 |\n"
    assert to_markdown({"other": row}).endswith(f"---:|\n{line}")


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text('{"net": [{"form": "PyTorch"}]}', encoding="utf-8")
    command = [sys.executable, "-m", "finn_examples", "accuracy", "tfc_w1a1_mnist", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no table of accuracies\n  where: accuracy.json\n  why: KeyError: 'samples'\n")
    assert [path.name for path in tmp_path.iterdir()] == ["accuracy.json"]


def test_command_tells_of_an_unknown_example(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "finn_examples", "accuracy", "tfc", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no example 'tfc'; there are: ")


def test_command_measures_an_example(tmp_path: Path) -> None:
    name = "mlp_w2a2_intrusion"
    command = [sys.executable, "-m", "finn_examples", "accuracy", name, "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    data = HeldOut(example(name))
    right, count = data.result(PYTORCH, data.expected).correct, len(data.labels)
    first, *others = done.stdout.splitlines()
    assert first == f"{name}, PyTorch: {right} of {count} right ({right / count:.1%}), 0 not PyTorch's"
    assert len(others) == len(FORMS)
    rows = json.loads((tmp_path / "accuracy.json").read_text(encoding="utf-8"))[name]
    assert [row["differ"] for row in rows] == [0] * 6
