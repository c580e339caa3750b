"""A hook for the plugin pytest-randomly, entry point `pytest_randomly.random_seeder`."""

from __future__ import annotations

import numpy as np


def reseed(newseed: int) -> None:
    """Set NumPy's global random state, from which `gen_finn_dt_tensor` draws; the seed counts modulo 2^32."""
    np.random.seed(newseed % 2**32)
