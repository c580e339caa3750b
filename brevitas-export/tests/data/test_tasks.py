# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Splits become tasks as they are; networks take the samples of their recipes; cards tell accuracy by group."""

from __future__ import annotations

import numpy as np
import pytest

from brevitas_export.data.intrusion import intrusion
from brevitas_export.data.keywords import CLASSES, COEFFICIENTS, FRAMES
from brevitas_export.data.radio import radio
from brevitas_export.data.split import Split

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas.nn", exc_type=ImportError)
pytest.importorskip("sklearn")


def features() -> Split:
    """In the place of keywords, which take minutes."""
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (8, FRAMES * COEFFICIENTS)).astype(np.int8)
    y = np.arange(8)
    return Split(x, y, x[:4], y[:4], np.zeros(4, np.int64), CLASSES, ("all",), "INT8")


SPLITS = {"kws_mlp_w3a3_keywords": features, "vgg10_w4a4_radio": lambda: radio(1, 1)}
SPLITS["mlp_w2a2_intrusion"] = lambda: intrusion(200, 100)


@pytest.mark.parametrize("name", SPLITS)
def test_a_recipe_has_a_network_for_its_samples(name: str) -> None:
    from brevitas_export.data.tasks import of_split
    from brevitas_export.training.recipes import chosen

    split = SPLITS[name]()
    task = of_split(split, 1.0, "about")
    np.testing.assert_array_equal(task.x[task.trained :], split.x_test)
    np.testing.assert_array_equal(task.y[: task.trained], split.y_train)
    assert task.datatype == split.datatype
    with torch.no_grad():
        scores = chosen(name).net().eval()(torch.from_numpy(task.normalised(split.x_test[:4])))
    assert scores.shape == (4, len(split.classes))


def test_a_card_tells_accuracy_by_group() -> None:
    from brevitas_export.data.tasks import of_split
    from brevitas_export.training.product import Tested, by_group

    x, y, group = np.zeros((5, 1), np.int8), np.array([0, 1, 0, 1, 1]), np.array([0, 0, 0, 2, 2])
    task = of_split(Split(x, y, x, y, group, ("a", "b"), ("quiet", "empty", "loud"), "INT8"), 1.0, "about")
    answers = np.array([[0], [1], [0], [1], [0]])
    rows = [line for line in by_group(task, Tested(x, y, answers)).splitlines() if line.endswith(" |") and "%" in line][
        1:
    ]
    assert rows == [
        "| quiet | 100.0 % | 43.9 to 100.0 % | 3 |",
        "| loud | 50.0 % | 9.5 to 90.5 % | 2 |",
        "| all | 80.0 % | 37.6 to 96.4 % | 5 |",
    ]
