"""Windows that slide over the spatial axes of a channels-last array: what convolution, pooling and im2col share.

The formulas of the output size are those of Conv and MaxPool, https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn.core.errors import AttributeValueError, ExecutionError


def window_count(size: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil_mode: bool) -> int:
    """How many windows fit one axis of `size` elements: floor((size + pads - dilation (kernel - 1) - 1) / stride) + 1.

    ceil_mode rounds up, but leaves out a window that would start behind the last element. 0 or less: none fits.
    """
    room = size + sum(pads) - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + pads[0] else count


@dataclass(frozen=True)
class Window:
    """A window over n axes; pads: elements added before each axis, then after each axis.

    AttributeValueError for lists of the wrong length and for values out of range.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        axes = len(self.kernel)
        for name, values, length, least in (
            ("kernel", self.kernel, max(axes, 1), 1),
            ("strides", self.strides, axes, 1),
            ("dilations", self.dilations, axes, 1),
            ("pads", self.pads, 2 * axes, 0),
        ):
            if len(values) != length:
                raise AttributeValueError(
                    f"{name} {list(values)} has {len(values)} entries, a kernel {list(self.kernel)} needs {length}",
                    remedy="give the starts of all axes, then their ends" if name == "pads" else "give one per axis",
                )
            if min(values) < least:
                raise AttributeValueError(f"{name} {list(values)} has an entry below {least}")

    @property
    def axis_pads(self) -> list[tuple[int, int]]:
        """(before, after) of each axis."""
        axes = len(self.kernel)
        return list(zip(self.pads[:axes], self.pads[axes:], strict=True))

    @property
    def is_padded(self) -> bool:
        """Whether windows can cover something else than elements of the array."""
        return any(self.pads)

    def onnx_attributes(self) -> dict[str, Any]:
        """The attributes by which Conv and the pooling operators of ONNX describe this window."""
        attributes: dict[str, Any] = {"kernel_shape": self.kernel, "strides": self.strides, "pads": self.pads}
        if any(dilation != 1 for dilation in self.dilations):
            attributes["dilations"] = self.dilations
        if self.ceil_mode:
            attributes["ceil_mode"] = 1
        return attributes

    def counts(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each axis. ExecutionError if the array is too small for one."""
        if len(spatial) != len(self.kernel):
            raise ExecutionError(f"a kernel {list(self.kernel)} does not fit spatial axes of size {list(spatial)}")
        sizes = zip(spatial, self.kernel, self.strides, self.axis_pads, self.dilations, strict=True)
        counts = tuple(window_count(*axis, self.ceil_mode) for axis in sizes)
        if min(counts) < 1:
            raise ExecutionError(
                f"no window of {list(self.kernel)} fits spatial axes of size {list(spatial)}",
                why=f"strides {list(self.strides)}, pads {list(self.pads)}, dilations {list(self.dilations)}",
            )
        return counts

    def taps(self, x: np.ndarray, fill: float) -> Iterator[np.ndarray]:
        """For each place in the window, the last axis running fastest: what all windows see there.

        x: (N, *spatial, C). Each item is a view of shape (N, *counts, C) on the array padded by `fill`.
        """
        spatial = x.shape[1:-1]
        counts = self.counts(spatial)
        widths = [(0, 0)]
        for count, size, kernel, stride, (before, after), dilation in zip(
            counts, spatial, self.kernel, self.strides, self.axis_pads, self.dilations, strict=True
        ):
            reach = (count - 1) * stride + dilation * (kernel - 1) + 1  # ceil_mode: beyond the padding
            widths.append((before, max(after, reach - before - size)))
        padded = np.pad(x, [*widths, (0, 0)], constant_values=fill) if np.any(widths) else x
        for place in itertools.product(*map(range, self.kernel)):
            along = zip(place, counts, self.strides, self.dilations, strict=True)
            cuts = [slice(at * d, at * d + (count - 1) * stride + 1, stride) for at, count, stride, d in along]
            yield padded[tuple([slice(None), *cuts])]


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """The padding of one axis, both ends together, by which auto_pad SAME_* gives ceil(size / stride) windows."""
    return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)


def explicit_pads(auto_pad: str, totals: Sequence[int]) -> tuple[int, ...]:
    """`pads` of SAME_UPPER or SAME_LOWER: an odd element of the padding is at the end, or at the beginning."""
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return tuple([*large, *small] if auto_pad == "SAME_LOWER" else [*small, *large])


def convolve(x: np.ndarray, w: np.ndarray, window: Window, group: int) -> np.ndarray:
    """Sums of products of all windows with the weights, in the type of both.

    x: (N, *spatial, C), w: (O, *kernel, C / group) -> (N, *counts, O).
    """
    out = np.zeros((x.shape[0], *window.counts(x.shape[1:-1]), w.shape[0]), x.dtype)
    for place, tap in zip(_per_place(w), window.taps(x, 0), strict=True):
        out += _product(tap, place, group).reshape(out.shape)
    return out


def transposed_reach(spatial: Sequence[int], window: Window) -> tuple[int, ...]:
    """How far the windows of a transposed convolution reach along each axis, padding not counted."""
    axes = zip(spatial, window.kernel, window.strides, window.dilations, strict=True)
    return tuple((size - 1) * stride + dilation * (kernel - 1) + 1 for size, kernel, stride, dilation in axes)


def convolve_transposed(
    x: np.ndarray, w: np.ndarray, window: Window, group: int, starts: Sequence[int], counts: Sequence[int]
) -> np.ndarray:
    """Along each axis, output p adds up x[e] * w[t] for all p + start == stride e + dilation t; in the type of both.

    x: (N, *spatial, C), w: (O, *kernel, C / group) -> (N, *counts, O). 0 where no window reaches.
    """
    spatial = x.shape[1:-1]
    full = np.zeros((x.shape[0], *transposed_reach(spatial, window), w.shape[0]), x.dtype)
    for place, at in zip(_per_place(w), itertools.product(*map(range, window.kernel)), strict=True):
        along = zip(at, spatial, window.strides, window.dilations, strict=True)
        cuts = [slice(t * d, t * d + (size - 1) * stride + 1, stride) for t, size, stride, d in along]
        full[tuple([slice(None), *cuts])] += _product(x, place, group).reshape(*x.shape[:-1], w.shape[0])
    out = np.zeros((x.shape[0], *counts, w.shape[0]), x.dtype)
    spans = zip(starts, counts, full.shape[1:-1], strict=True)
    shared = [(max(start, 0), min(start + count, reach), start) for start, count, reach in spans]
    if all(first < last for first, last, _ in shared):
        target = [slice(first - start, last - start) for first, last, start in shared]
        out[tuple([slice(None), *target])] = full[tuple([slice(None), *(slice(*span[:2]) for span in shared)])]
    return out


def _per_place(w: np.ndarray) -> np.ndarray:
    """(O, *kernel, I) -> (places, O, I), the last axis of the kernel running fastest."""
    return np.asarray(w.reshape(w.shape[0], -1, w.shape[-1]).swapaxes(0, 1))


def _product(tap: np.ndarray, w: np.ndarray, group: int) -> np.ndarray:
    """(..., C) times (O, C / group): what one place of the window adds, (all vectors, O)."""
    if group == 1:
        return np.asarray(tap.reshape(-1, tap.shape[-1]) @ w.T)
    x = tap.reshape(-1, group, w.shape[1])
    w = w.reshape(group, -1, w.shape[1])
    if w.shape[2] == 1:  # depthwise
        return np.asarray(x * w[:, :, 0])
    return np.asarray((x.swapaxes(0, 1) @ w.swapaxes(1, 2)).swapaxes(0, 1))
