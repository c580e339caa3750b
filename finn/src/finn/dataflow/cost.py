"""Memories and adders in numbers of FPGA primitives: the arithmetic that the layers' cost models share."""

from __future__ import annotations

from math import ceil

BRAM18_BITS = 18 * 1024

# RAMB18E2 as a read-only memory: (largest width, depth at that width), AMD UG573 table 1-3.
_BRAM18_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024))


def bram18(width: int, depth: int) -> int:
    """RAMB18 blocks for `depth` words of `width` bits (the ladder of FINN-R, Blott et al. 2018, arXiv:1809.04570)."""
    for shape_width, shape_depth in _BRAM18_SHAPES:
        if width <= shape_width or (shape_width == 18 and depth > 512):
            return ceil(depth / shape_depth) * ceil(width / shape_width)
    return ceil(depth / 512) * ceil(width / 36)


def lutram(width: int, depth: int) -> int:
    """LUTs of a read-only or dual-port distributed memory: one LUT6 stores 64 x 1 bits (AMD UG574)."""
    return width * ceil(depth / 64)


def deepest_lut_rom(part: str | None) -> int:
    """Words up to which the tools make a constant memory of LUTs: one LUT6 holds 64, a LUT4 of ECP5 16."""
    return 16 if part is not None and part.upper().startswith("LFE5") else 64
