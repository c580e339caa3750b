"""What the user may choose about streamlining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class InputFormat:
    """How the integers k that the accelerator is given make the float input x: x == (k * scale - mean) / std.

    scale, mean, std : one number, or one per channel. For pixels of 8 bits: UINT8 and 1 / 255.
    """

    datatype: str = "UINT8"
    scale: float | tuple[float, ...] = 1.0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0


@dataclass(frozen=True)
class StreamlineOptions:
    """max_multithreshold_bit_width : quantizers with more output bits are not made thresholds.

    partial : keep on the host what cannot become integer, and report it; else it is an error.
    inputs : of graph inputs by name that are given as integers in place of the floats; "" for all other float inputs.
    select_on_host : TopK and ArgMax at the end stay on the host, behind the scale.
    dequantize : the graph computes scale * q + bias of its outputs; else it gives q, and the report has the rest.
    The others are optimisations of the integer graph; each may be switched off.
    """

    max_multithreshold_bit_width: int = 8
    partial: bool = True
    inputs: Mapping[str, InputFormat] = field(default_factory=dict)
    select_on_host: bool = False
    dequantize: bool = True
    remove_constant_channels: bool = True
    merge_duplicate_channels: bool = True
    remove_dead_channels: bool = True
    minimize_accumulators: bool = True
    minimize_weights: bool = True
    minimize_thresholds: bool = True
