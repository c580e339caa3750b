"""NumPy semantics of the ONNX operators whose windows slide over spatial axes, in the type of the arrays given.

Meanings: https://onnx.ai/onnx/operators/. Only what float32 cannot hold, and the float64 oracle, runs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finn.core.windows import (
    Window,
    convolve,
    convolve_transposed,
    explicit_pads,
    same_padding,
    transposed_reach,
)

Array = np.ndarray


def window_of(attributes: Mapping[str, Any], kernel: Sequence[int], spatial: Sequence[int]) -> Window:
    """The window of a Conv or MaxPool with these attributes on an input of this size. AttributeValueError."""
    axes = len(kernel)
    strides = tuple(attributes.get("strides") or [1] * axes)
    dilations = tuple(attributes.get("dilations") or [1] * axes)
    auto = _auto_pad(attributes)
    if auto.startswith("SAME"):
        pads = explicit_pads(auto, list(map(same_padding, spatial, kernel, strides, dilations)))
    else:
        pads = tuple(attributes.get("pads") or []) if auto != "VALID" else ()
    return Window(tuple(kernel), strides, pads or (0,) * (2 * axes), dilations)


def conv(x: Array, w: Array, bias: Array | None, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial), w: (M, C / group, *kernel), bias: (M,) -> (N, M, *counts)."""
    group = attributes.get("group", 1)
    if x.shape[1] != group * w.shape[1] or w.shape[0] % group:
        raise ValueError(f"weights {list(w.shape)} in {group} groups do not fit {x.shape[1]} channels")
    window = window_of(attributes, w.shape[2:], x.shape[2:])
    return _finished(convolve(np.moveaxis(x, 1, -1), np.moveaxis(w, 1, -1), window, group), bias)


def conv_transpose(x: Array, w: Array, bias: Array | None, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial), w: (C, M / group, *kernel), bias: (M,) -> (N, M, *counts).

    As in onnxruntime, auto_pad and output_shape only remove elements that windows reach, and never add some.
    """
    group, kernel, spatial = attributes.get("group", 1), w.shape[2:], x.shape[2:]
    if x.shape[1] != w.shape[0] or w.shape[0] % group:
        raise ValueError(f"weights {list(w.shape)} in {group} groups do not fit {x.shape[1]} channels")
    if tuple(attributes.get("kernel_shape") or kernel) != kernel:
        raise ValueError(f"kernel_shape is {list(attributes['kernel_shape'])}, the weights have {list(kernel)}")
    ones = [1] * len(kernel)
    strides, dilations = (tuple(attributes.get(name) or ones) for name in ("strides", "dilations"))
    window = Window(kernel, strides, (0,) * (2 * len(kernel)), dilations)
    starts, counts = _transposed_extent(window, spatial, attributes)
    grouped = w.reshape(group, -1, *w.shape[1:]).swapaxes(1, 2)  # (group, M / group, C / group, *kernel)
    weights = np.moveaxis(grouped.reshape(-1, *grouped.shape[2:]), 1, -1)
    return _finished(convolve_transposed(np.moveaxis(x, 1, -1), weights, window, group, starts, counts), bias)


def _transposed_extent(
    window: Window, spatial: Sequence[int], attributes: Mapping[str, Any]
) -> tuple[list[int], list[int]]:
    """Where the output of a ConvTranspose begins, relative to the first window, and its size, for each axis."""
    axes, auto = len(window.kernel), _auto_pad(attributes)
    extra = attributes.get("output_padding") or [0] * axes
    full = [reach + more for reach, more in zip(transposed_reach(spatial, window), extra, strict=True)]
    wanted = list(attributes.get("output_shape") or [])[-axes:]
    if not wanted and auto.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(spatial, window.strides, strict=True)]
    if wanted:
        totals = [max(reach - size, 0) for reach, size in zip(full, wanted, strict=True)]
        # The odd element is taken from the start, unless auto_pad is SAME_UPPER.
        pads = explicit_pads("SAME_UPPER" if auto == "SAME_UPPER" else "SAME_LOWER", totals)
    else:
        pads = tuple(attributes.get("pads") or [0] * (2 * axes)) if auto == "NOTSET" else (0,) * (2 * axes)
    if len(pads) != 2 * axes:
        raise ValueError(f"pads {list(pads)} has {len(pads)} entries, a kernel {list(window.kernel)} needs {2 * axes}")
    counts = [reach - pads[i] - pads[axes + i] for i, reach in enumerate(full)]
    if min(counts) < 1 or (attributes.get("output_shape") and counts != wanted):
        raise ValueError(f"windows reach {full} elements, which pads {list(pads)} cut to {counts}, not {wanted}")
    return list(pads[:axes]), counts


def max_pool(x: Array, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial) -> (N, C, *counts); padding never wins."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    views = window_of(attributes, attributes["kernel_shape"], x.shape[2:]).taps(np.moveaxis(x, 1, -1), least)
    out = next(views).copy()
    for seen in views:
        np.maximum(out, seen, out=out)
    return np.moveaxis(out, -1, 1)


def _auto_pad(attributes: Mapping[str, Any]) -> str:
    auto = attributes.get("auto_pad", b"NOTSET")
    return auto.decode() if isinstance(auto, bytes) else str(auto)


def _finished(out: Array, bias: Array | None) -> Array:
    """out: (N, *counts, M) plus bias: (M,), channels first."""
    return np.moveaxis(out if bias is None else out + bias, -1, 1)
