# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The page about the data sets says what they are: its example runs, its table has the defaults."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brevitas_export.data.intrusion import intrusion
from brevitas_export.data.keywords import ACCENTS, TAKES, TEST_VOICES, VOICES, keywords
from brevitas_export.data.radio import MODULATIONS, SNR_DB, radio
from brevitas_export.data.split import Split

PAGE = (Path(__file__).parents[3] / "docs" / "data-sets.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    names: dict[str, Any] = {}
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(code, names)
    assert names["data"].x_train.shape == (20_000, 593)


@pytest.mark.parametrize(
    ("function", "factors"),
    [(keywords, (TAKES, 1)), (radio, 2 * (len(MODULATIONS) * len(SNR_DB),)), (intrusion, (1, 1))],
)
def test_the_table_has_the_numbers_of_samples(function: Callable[..., Split], factors: tuple[int, int]) -> None:
    (row,) = re.findall(rf"^\| `{function.__name__}\(\)` .*$", PAGE, re.MULTILINE)
    defaults = inspect.signature(function).parameters
    train, test = (defaults[name].default * factor for name, factor in zip(("train", "test"), factors, strict=True))
    assert f"| {train:,}, {test:,} |" in row


def test_speakers_are_counted() -> None:
    assert f"in {len(ACCENTS)} accents, {len(VOICES)} voices for training and {len(TEST_VOICES)} others" in PAGE
