# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a data set consists of: samples to learn from and samples held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Integers and their labels, for training and for the test. All are read-only.

    x_train, x_test: (N, ...) integers; y_train, y_test: (N,) int64, indices of `classes`.
    datatype: the type that holds every value of x, such as INT8.
    group_test: (N,) int64, what else is known of the test samples, as indices of `groups`; accuracy may be told by it.
    """

    x_train: NDArray[np.generic]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.generic]
    y_test: NDArray[np.int64]
    group_test: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    datatype: str

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test, self.group_test):
            array.setflags(write=False)
