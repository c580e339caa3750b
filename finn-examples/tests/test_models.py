# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each example as an accelerator: its answers are those of PyTorch, on every simulated device."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import finn_examples
from finn_examples import models

SLOW = pytest.mark.slow
COMPILED_FAST = ("tfc_w1a1_mnist", "resnet8_w4a4_digits")
"""Whose RTL simulators are compiled in the default run; a network of each kind."""
ON_DEVICES = [
    *((name, device) for device in ("python", "cppsim") for name in models.__all__),
    *(pytest.param(name, "rtlsim", marks=[] if name in COMPILED_FAST else SLOW) for name in models.__all__),
]


def test_there_is_a_function_for_each_example() -> None:
    assert models.__all__ == [example.name for example in finn_examples.examples()]
    assert dir(models) == models.__all__
    assert models.tfc_w1a1_mnist.__name__ == "tfc_w1a1_mnist"
    assert finn_examples.example("tfc_w1a1_mnist").title in str(models.tfc_w1a1_mnist.__doc__)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"there is no example 'tfc_w1a1'; there are: .*tfc_w1a1_mnist"):
        _ = models.tfc_w1a1
    assert not hasattr(models, "__wrapped__")


@pytest.mark.parametrize(("name", "device"), ON_DEVICES)
def test_answers_are_those_of_pytorch(name: str, device: str) -> None:
    example = finn_examples.example(name)
    accel = getattr(models, name)(target_platform=device)
    given, expected = (np.load(example.directory / f"{name}.npy") for name in ("input", "expected_output"))
    np.testing.assert_array_equal(accel.execute(given), expected)
    np.testing.assert_array_equal(accel.predict(given), expected)


def test_listing_needs_no_compiler() -> None:
    code = "import sys; from finn_examples import models; models.__all__; sys.exit('finn.builder' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
