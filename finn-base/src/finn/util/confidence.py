# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""How sure a share is that was seen in samples."""

from __future__ import annotations

from math import sqrt

NORMAL_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson(share: float, samples: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share that `samples` independent ones have shown.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209.

    >>> [round(bound, 4) for bound in wilson(81 / 263, 263)]
    [0.2553, 0.3662]
    """
    z, n = NORMAL_95, samples
    centre, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
