# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The table of accuracies in the manual has what is shipped: `python -m finn_examples accuracy --output docs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from finn_examples import Example, examples
from finn_examples.accuracy import (
    EXPORTED,
    INTEGERS,
    PLATFORMS,
    PYTORCH,
    RTL_SAMPLES,
    HeldOut,
    Result,
    from_json,
    on,
    to_markdown,
)

MANUAL = Path(__file__).resolve().parents[2] / "docs"


def stored() -> dict[str, tuple[Result, ...]]:
    return from_json((MANUAL / "accuracy.json").read_text(encoding="utf-8"))


def test_the_manual_has_exactly_the_shipped_examples() -> None:
    assert list(stored()) == [each.name for each in examples()], "run python -m finn_examples accuracy --output docs"
    assert (MANUAL / "accuracy.md").read_text(encoding="utf-8") == to_markdown(stored())


@pytest.mark.parametrize("each", examples(), ids=lambda each: each.name)
def test_the_manual_tells_what_the_stored_answers_are(each: Example) -> None:
    data, rows = HeldOut(each), stored()[each.name]
    assert rows[0] == data.result(PYTORCH, data.expected)
    assert [r.form for r in rows] == [PYTORCH, EXPORTED, INTEGERS, *map(on, PLATFORMS)]
    assert {(r.samples, r.correct, r.differ) for r in rows[1:-1]} == {(rows[0].samples, rows[0].correct, 0)}
    assert rows[-1].differ == 0
    assert rows[-1].samples >= min(RTL_SAMPLES, rows[0].samples)
