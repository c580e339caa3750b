"""Ranges per channel, as reports have them, and channels that never change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from finn.analysis.intervals import Array, Interval
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper

ChannelRange = tuple[Any, Any]
"""(least, greatest): numbers, or vectors with one entry per channel."""

REPORT_MODE_RANGE = "range"
REPORT_MODE_STUCKCHANNEL = "stuck_channel"
REPORT_MODE_ZEROSTUCKCHANNEL = "zerostuck_channel"
REPORT_MODES = (REPORT_MODE_RANGE, REPORT_MODE_STUCKCHANNEL, REPORT_MODE_ZEROSTUCKCHANNEL)


def per_channel(interval: Interval, axis: int = 1) -> ChannelRange:
    """The range of each channel: vectors if it varies along `axis` (tensors of rank 0 and 1 have one channel)."""
    rank = interval.low.ndim
    channel = axis % rank if rank > 1 else -1
    x = interval.over([a for a in range(rank) if a != channel])
    low, high = x.low.reshape(-1), x.high.reshape(-1)
    return simplified(low, high)


def simplified(low: Array, high: Array) -> ChannelRange:
    """Numbers instead of vectors if all channels have the same range."""
    if low.size and (low == low[0]).all() and (high == high[0]).all():
        return low[0], high[0]
    return low, high


def channel_axis_of(model: ModelWrapper, name: str) -> int:
    """The last axis if the annotated layout says so, else 1."""
    layout = model.get_tensor_layout(name)
    return -1 if layout and layout[-1] == "C" else 1


def stuck_channels(ranges: Mapping[str, ChannelRange]) -> dict[str, list[tuple[int, float]]]:
    """{tensor: [(channel, value)]} of the channels that have one value whatever goes in; tensors without are left out.

    A tensor whose range does not vary with the channel counts as one channel.
    """
    stuck = {}
    for name, (low, high) in ranges.items():
        low, high = np.reshape(low, -1), np.reshape(high, -1)
        channels = [(int(c), float(low[c])) for c in np.flatnonzero(low == high)]
        if channels:
            stuck[name] = channels
    return stuck


def stuck_report(ranges: Mapping[str, ChannelRange], mode: str) -> dict[str, Any]:
    """`stuck_channels`, or with "zerostuck_channel" {tensor: {channel}} of those that are always 0."""
    stuck = stuck_channels(ranges)
    if mode != REPORT_MODE_ZEROSTUCKCHANNEL:
        return dict(stuck)
    zeros = {name: {channel for channel, value in channels if value == 0} for name, channels in stuck.items()}
    return {name: channels for name, channels in zeros.items() if channels}


def check_report_mode(mode: str) -> None:
    """ConfigError if there is no such mode."""
    if mode not in REPORT_MODES:
        raise ConfigError(f"there is no report mode '{mode}'", remedy=f"use one of: {', '.join(REPORT_MODES)}")
