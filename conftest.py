# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What all tests share: what was imported for them is not searched for garbage, which takes a second with PyTorch.

Tests that compare times of small and large networks would else measure that.
"""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
