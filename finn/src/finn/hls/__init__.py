# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Layers as C++: sources for HLS, and the simulation of a whole graph as one shared object."""

from __future__ import annotations

from finn.hls.cppsim import CppSimulator, CycleResult
from finn.hls.errors import HlsError

__all__ = ["CppSimulator", "CycleResult", "HlsError"]
