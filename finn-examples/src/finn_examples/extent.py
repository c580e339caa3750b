# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""How far to build. A module of its own, for the command line to know it without the builder."""

from enum import Enum


class Extent(str, Enum):
    """Each makes what those before it make, too."""

    ESTIMATES = "estimates"
    RTL = "rtl"
    BITSTREAM = "bitstream"
