"""NumPy semantics of the ONNX operators whose windows slide over spatial axes, in the type of the arrays given.

Meanings: https://onnx.ai/onnx/operators/. Only what float32 cannot hold, and the float64 oracle, runs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finn.core.windows import Window, convolve, explicit_pads, same_padding

Array = np.ndarray


def window_of(attributes: Mapping[str, Any], kernel: Sequence[int], spatial: Sequence[int]) -> Window:
    """The window of a Conv or MaxPool with these attributes on an input of this size. AttributeValueError."""
    axes = len(kernel)
    strides = tuple(attributes.get("strides") or [1] * axes)
    dilations = tuple(attributes.get("dilations") or [1] * axes)
    auto = attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
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
    out = np.moveaxis(convolve(np.moveaxis(x, 1, -1), np.moveaxis(w, 1, -1), window, group), -1, 1)
    return out if bias is None else out + bias.reshape(-1, *[1] * (x.ndim - 2))


def max_pool(x: Array, attributes: Mapping[str, Any]) -> Array:
    """x: (N, C, *spatial) -> (N, C, *counts); padding never wins."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    views = window_of(attributes, attributes["kernel_shape"], x.shape[2:]).taps(np.moveaxis(x, 1, -1), least)
    out = next(views).copy()
    for seen in views:
        np.maximum(out, seen, out=out)
    return np.moveaxis(out, -1, 1)
