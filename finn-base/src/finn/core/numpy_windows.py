"""NumPy semantics of the ONNX operators whose windows slide over spatial axes, in the type of the arrays given.

Meanings: https://onnx.ai/onnx/operators/. Only what float32 cannot hold, and the float64 oracle, runs here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Place = tuple[int, ...]


def taps(x: Array, kernel: Sequence[int], attributes: Mapping[str, Any], fill: float) -> Iterator[tuple[Place, Array]]:
    """For each place in the window: what all windows see there.

    x: (N, C, *spatial), padded by `fill`; attributes: strides, dilations, pads, auto_pad of the node. Yields views of
    shape (N, C, *counts). ValueError if no window fits.
    """
    axes = len(kernel)
    strides = attributes.get("strides") or [1] * axes
    dilations = attributes.get("dilations") or [1] * axes
    before, after = padding(x.shape[2:], kernel, strides, dilations, attributes)
    widths = [(0, 0), (0, 0), *zip(before, after, strict=True)]
    padded = np.pad(x, widths, constant_values=fill) if any(before) or any(after) else x
    reaches = [dilation * (size - 1) + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    counts = [(n - reach) // s + 1 for n, reach, s in zip(padded.shape[2:], reaches, strides, strict=True)]
    if min(counts) < 1:
        raise ValueError(f"no window of {list(kernel)} fits {list(x.shape[2:])}")
    for place in itertools.product(*map(range, kernel)):
        along = zip(place, counts, strides, dilations, strict=True)
        cuts = [slice(at * d, at * d + (count - 1) * s + 1, s) for at, count, s, d in along]
        yield place, padded[tuple([slice(None), slice(None), *cuts])]


def padding(
    spatial: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    attributes: Mapping[str, Any],
) -> tuple[list[int], list[int]]:
    """(before, after) of each axis, from pads or auto_pad. SAME_*: ceil(size / stride) windows."""
    auto = attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if not auto.startswith("SAME"):
        pads = list(attributes.get("pads") or [0] * (2 * len(kernel))) if auto != "VALID" else [0] * (2 * len(kernel))
        return pads[: len(kernel)], pads[len(kernel) :]
    totals = [
        max((-(-size // stride) - 1) * stride + dilation * (width - 1) + 1 - size, 0)
        for size, width, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True)
    ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (small, large) if auto == "SAME_UPPER" else (large, small)


def conv(x: Array, w: Array, bias: Array | None, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial), w: (M, C / group, *kernel), bias: (M,) -> (N, M, *counts)."""
    group = attributes.get("group", 1)
    if x.shape[1] != group * w.shape[1] or w.shape[0] % group:
        raise ValueError(f"weights {list(w.shape)} in {group} groups do not fit {x.shape[1]} channels")
    weights = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    out: Array | None = None
    counts: tuple[int, ...] = ()
    for place, seen in taps(x, w.shape[2:], attributes, 0):
        counts = seen.shape[2:]
        columns = seen.reshape(x.shape[0], group, w.shape[1], -1)
        product = weights[(slice(None), slice(None), slice(None), *place)] @ columns
        out = product if out is None else out + product
    result = np.zeros(0) if out is None else out.reshape(x.shape[0], w.shape[0], *counts)
    return result if bias is None else result + bias.reshape(-1, *[1] * len(counts))


def max_pool(x: Array, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial) -> (N, C, *counts); padding never wins."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    views = (seen for _, seen in taps(x, attributes["kernel_shape"], attributes, least))
    out = next(views).copy()
    for seen in views:
        np.maximum(out, seen, out=out)
    return out
