# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What an example directory promises: its files fit together, and its README tells the accuracy that it has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import finn_examples
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn_examples import Example, UnknownExampleError

NAMES = sorted(path.parent.name for path in (Path(__file__).parents[1] / "build").glob("*/model.onnx"))


def parametrized(examples: Sequence[Example]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", examples, ids=lambda example: example.name)


ALL = parametrized(finn_examples.examples())


def results(example: Example, pictures: np.ndarray) -> np.ndarray:
    model = ModelWrapper(str(example.model))
    name = model.get_first_global_in()
    found = [execute_onnx(model, {name: picture[np.newaxis].astype(np.float32)}) for picture in pictures]
    return np.stack([each[model.get_first_global_out()][0] for each in found])


def test_names() -> None:
    assert [example.name for example in finn_examples.examples()] == NAMES


def test_one_example_by_name() -> None:
    title = "TFC, 784-64-64-64-10, on MNIST: 2-bit weights, 2-bit activations"
    assert finn_examples.example("tfc_w2a2_mnist").title == title


def test_unknown_name_lists_the_known_ones() -> None:
    assert "tfc_w1a1_mnist" in NAMES
    with pytest.raises(UnknownExampleError, match=rf"^there is no example 'tfc'; there are: {', '.join(NAMES)}$"):
        finn_examples.example("tfc")


@ALL
def test_takes_integers_and_returns_classes(example: Example) -> None:
    model = ModelWrapper(str(example.model))
    samples, labels = example.test_set()
    kind = model.get_tensor_datatype(model.get_first_global_in())
    assert kind.is_integer()
    assert kind.allowed(samples).all()
    assert model.get_tensor_shape(model.get_first_global_in()) == [1, *samples.shape[1:]]
    assert model.get_tensor_shape(model.get_first_global_out()) == [1, *labels.shape[1:], 1]
    assert {node.domain for node in model.model.graph.node} <= {"", "finn.custom_op.general"}


@ALL
def test_accuracy_is_the_one_in_the_readme(example: Example) -> None:
    samples, labels = example.test_set()
    assert len(samples) >= 300
    accuracy = (results(example, samples)[..., 0] == labels).mean()
    (stated,) = re.findall(r"\*\*([\d.]+) %\*\*", (example.directory / "README.md").read_text(encoding="utf-8"))
    assert f"{100 * accuracy:.1f}" == stated


@ALL
def test_files_are_small(example: Example) -> None:
    assert sum(path.stat().st_size for path in example.directory.iterdir() if path.is_file()) < 1_500_000


@ALL
def test_answers_are_those_of_pytorch(example: Example) -> None:
    expected = np.load(example.directory / "expected_output.npy")  # written by the training script, from PyTorch
    found = results(example, np.load(example.directory / "input.npy"))
    np.testing.assert_array_equal(found, expected)


@ALL
def test_configuration_names_files_that_are_there(example: Example) -> None:
    config = json.loads((example.directory / "dataflow_build_config.json").read_text(encoding="utf-8"))
    named = [config[key] for key in ("folding_config_file", "validation_dataset") if key in config]
    for name in ("README.md", "input.npy", "expected_output.npy", *named):
        assert (example.directory / name).is_file(), name


def test_copy_has_the_files_and_no_build_products(tmp_path: Path) -> None:
    original = tmp_path / "original"
    (original / "output").mkdir(parents=True)
    (original / "model.onnx").write_bytes(b"model")
    copy = Example(original).copy_to(tmp_path / "copy")
    assert [path.name for path in copy.iterdir()] == ["model.onnx"]
    with pytest.raises(FileExistsError):
        Example(original).copy_to(copy)


def test_listing_on_the_command_line() -> None:
    result = subprocess.run([sys.executable, "-m", "finn_examples"], capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in result.stdout.splitlines()[::2]] == NAMES
