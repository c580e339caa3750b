# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong with layers in C++."""

from __future__ import annotations

from finn.core.errors import FinnError


class HlsError(FinnError):
    """A design cannot be made or simulated in C++."""
