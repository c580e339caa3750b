"""Data layouts: the meaning of each axis, as a list of letters (N batch, C channel, D, H, W spatial)."""

from __future__ import annotations

NHWC = ["N", "H", "W", "C"]
NCHW = ["N", "C", "H", "W"]
NCW = ["N", "C", "W"]
NWC = ["N", "W", "C"]
NC = ["N", "C"]
UNKNOWN: list[str] = []


def is_channels_last(layout: list[str]) -> bool:
    """Whether the last axis of `layout` is the channel axis."""
    return bool(layout) and layout[-1] == "C"


def get_channels_last_layout_for_ndims(ndims: int) -> list[str]:
    """The layout of `ndims` (2, 3 or 4) axes with the channels last. KeyError for other ranks."""
    return {4: NHWC, 3: NWC, 2: NC}[ndims]


def get_channels_first_layout_for_ndims(ndims: int) -> list[str]:
    """The layout of `ndims` (2, 3 or 4) axes with the channels on axis 1. KeyError for other ranks."""
    return {4: NCHW, 3: NCW, 2: NC}[ndims]


def channel_axis(layout: str, rank: int) -> int:
    """The axis of the channels of a tensor of `rank` axes: the last one if `layout` ends with "C", else 1.

    An empty layout is guessed from the rank, as QONNX 1.0 does: 2 NC, 3 NWC, 4 NCHW.
    """
    if rank < 2:
        return rank - 1
    guessed = layout or {3: "NWC", 4: "NCHW"}.get(rank, "NC")
    return rank - 1 if guessed.endswith("C") else 1
