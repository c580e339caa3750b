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
from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn_examples import Example, UnknownExampleError

NAMES = sorted(path.parent.name for path in (Path(__file__).parents[1] / "build").glob("*/model.onnx"))


def parametrized(examples: Sequence[Example]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", examples, ids=lambda example: example.name)


ALL = parametrized(finn_examples.examples())
WITH_TEST_SET = parametrized([e for e in finn_examples.examples() if e.name.startswith("tfc_")])


def results(example: Example, pictures: np.ndarray) -> np.ndarray:
    model = ModelWrapper(str(example.model))
    name = model.get_first_global_in()
    found = [execute_onnx(model, {name: picture[np.newaxis].astype(np.float32)}) for picture in pictures]
    return np.stack([each[model.get_first_global_out()][0] for each in found])


def test_names() -> None:
    assert [example.name for example in finn_examples.examples()] == NAMES


def test_one_example_by_name() -> None:
    assert finn_examples.example("tfc_w2a2_mnist").title == "TFC with 2-bit weights and activations on MNIST"


def test_unknown_name_lists_the_known_ones() -> None:
    assert "tfc_w1a1_mnist" in NAMES
    with pytest.raises(UnknownExampleError, match=rf"^there is no example 'tfc'; there are: {', '.join(NAMES)}$"):
        finn_examples.example("tfc")


@WITH_TEST_SET
def test_takes_pixels_and_returns_a_class(example: Example) -> None:
    model = ModelWrapper(str(example.model))
    assert model.get_tensor_datatype(model.get_first_global_in()) == DataType["UINT8"]
    assert model.get_tensor_shape(model.get_first_global_in()) == [1, 1, 28, 28]
    assert model.get_tensor_shape(model.get_first_global_out()) == [1, 1]
    assert {node.domain for node in model.model.graph.node} <= {"", "finn.custom_op.general"}


@WITH_TEST_SET
def test_accuracy_is_the_one_in_the_readme(example: Example) -> None:
    pictures, labels = example.test_set()
    assert pictures.shape == (1000, 1, 28, 28)
    assert pictures.dtype == np.uint8
    accuracy = (results(example, pictures)[:, 0] == labels).mean()
    (stated,) = re.findall(r"\*\*([\d.]+) %\*\*", (example.directory / "README.md").read_text(encoding="utf-8"))
    assert f"{accuracy:.1%}" == f"{stated}%"


@ALL
def test_answers_are_those_of_pytorch(example: Example) -> None:
    expected = np.load(example.directory / "expected_output.npy")  # written by the training script, from PyTorch
    found = results(example, np.load(example.directory / "input.npy"))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)  # scores are floats, classes are integers


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
