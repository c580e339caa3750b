"""The codes of a tail and its quantizer over all integers of a range, as runs of equal codes.

A code changes rarely: an 8-bit quantizer has 255 thresholds however wide the accumulator in front of it is. An interval
of q is done when the bounds of the tail over it (see `enclosures`) have one code: `Quantizer.code_of` does not fall, so
all q between have that code. Else it is cut in two. What is left in the end, single values of q, is evaluated. So the
runs are those of the evaluation of every q, whatever the tail is, at a cost of some intervals for each change and each
bisection: bounds shrink with the interval, and only those that contain a threshold are cut again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finn.analysis.intervals import Unknown
from finn.transformation.streamline.enclosures import enclosure
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import column
from finn.transformation.streamline.thresholds import level
from finn.transformation.streamline.values import Array, Scaled

IntArray = npt.NDArray[np.int64]

AT_ONCE = 1 << 19
"""So many values are evaluated together: 4 MB for each operator of the tail."""

FEW = 1 << 20
"""Up to so many values, over all channels, every one is evaluated: bounds would not be faster."""

MOST = 1 << 26
"""More values, over all channels, are not evaluated."""

PER_CODE = 16
"""So many intervals at a time may belong to one code: a threshold lies in few, one for each time that it is crossed."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Channel c has codes[c, i] from starts[c, i] up to the next start; the last run is repeated to fill the rows.

    starts, codes : (channels, most runs of any channel).
    """

    starts: IntArray
    codes: IntArray

    @property
    def directions(self) -> IntArray | None:
        """+1 or -1 for each channel: the codes never fall or never rise; None if those of one do both."""
        steps = np.diff(self.codes, axis=1)
        rises, falls = (steps >= 0).all(1), (steps <= 0).all(1)
        return np.where(rises, 1, -1) if (rises | falls).all() else None

    def _jumps(self, sign: int) -> IntArray:
        return np.asarray(np.maximum(sign * np.diff(self.codes, axis=1), 0))

    def count(self, sign: int) -> int:
        """By how much the codes rise (sign 1) or fall (-1), in the channel where it is most."""
        return int(self._jumps(sign).sum(1).max(initial=0))

    def thresholds(self, high: IntArray, sign: int) -> IntArray:
        """Where the codes rise (sign 1) or fall (-1), by n at n equal thresholds: (channels, N); else high[c] + 1.

        code == codes[:, 0] + count(q >= thresholds(high, 1)) - count(q >= thresholds(high, -1))
        """
        jumps = self._jumps(sign)
        table = np.repeat(high.reshape(-1, 1) + 1, max(self.count(sign), 1), axis=1)
        for row, starts, counts in zip(table, self.starts[:, 1:], jumps, strict=True):
            row[: counts.sum()] = np.repeat(starts, counts)
        return table


def runs(value: Scaled, quantizer: Quantizer, low: IntArray, high: IntArray) -> Runs:
    """The runs over low[c] .. high[c] of each channel. Refused if the tail gives NaN there.

    Refused as well if there are too many values, and the tail changes too often or has operators without known bounds.
    """
    span = int((high - low).max()) + 1
    parts: list[tuple[IntArray, IntArray, IntArray]] = []
    if span * len(low) > FEW:
        try:
            parts = list(_bisected(value, quantizer, low, high))
        except (Unknown, _TooMany):
            parts = []
    if not parts and span * len(low) > MOST:
        raise Refused(
            f"cannot tell whether {value.operators} is monotonic over the {span} values of its integer input",
            "use monotonic activation functions, or fewer bits or inputs in the layer before",
        )
    return _joined(len(low), parts or list(_enumerated(value, quantizer, low, high)))


class _TooMany(Exception):
    """Bisection leaves too many intervals."""


def _joined(channels: int, parts: list[tuple[IntArray, IntArray, IntArray]]) -> Runs:
    """Of (channel, start, code) of intervals in any order, neighbours with the same code as one run."""
    channel, start, code = (np.concatenate(p) for p in zip(*parts, strict=True))
    order = np.lexsort((start, channel))
    channel, start, code = channel[order], start[order], code[order]
    first = np.append(True, (np.diff(channel) != 0) | (np.diff(code) != 0))
    channel, start, code = channel[first], start[first], code[first]
    counts = np.bincount(channel, minlength=channels)
    offsets = np.cumsum(counts) - counts
    index = offsets[:, None] + np.minimum(np.arange(counts.max()), counts[:, None] - 1)
    return Runs(start[index], code[index])


def _enumerated(
    value: Scaled, quantizer: Quantizer, low: IntArray, high: IntArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Where the codes change, piece by piece, and the first one of each piece."""
    span, width = int((high - low).max()) + 1, max(AT_ONCE // len(low), 1)
    for begin in range(0, span, width):
        q = np.minimum(low[:, None] + np.arange(begin, min(begin + width, span)), high[:, None])
        codes = np.broadcast_to(level(value, quantizer, q), q.shape)
        changed = np.diff(codes, axis=1, prepend=codes[:, :1] - 1) != 0
        channel, place = np.nonzero(changed)
        yield channel, q[channel, place], codes[channel, place]


def _bisected(
    value: Scaled, quantizer: Quantizer, low: IntArray, high: IntArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Intervals with one code, in rounds: those of one round have about the same length."""
    channel, first, last = np.arange(len(low)), low.copy(), high.copy()
    most = max(PER_CODE * quantizer.levels, FEW // len(low))

    def ends(a: IntArray, b: IntArray) -> tuple[IntArray, IntArray]:
        return _codes_at_ends(value, quantizer, a, b)

    def alone(a: IntArray, b: IntArray) -> tuple[IntArray, IntArray]:
        codes = np.broadcast_to(level(value, quantizer, a), a.shape)
        return codes, codes

    while len(channel):
        if int(np.bincount(channel).max()) > most:
            raise _TooMany
        single = first == last
        codes, known = np.zeros_like(first), single.copy()
        for chosen, f in ((single, alone), (~single, ends)):
            if chosen.any():
                a, b = _in_rows(f, low, channel[chosen], first[chosen], last[chosen])
                codes[chosen], known[chosen] = a, a == b
        yield channel[known], first[known], codes[known]
        channel, first, last = (np.repeat(v[~known], 2) for v in (channel, first, last))
        middle = first[::2] + (last[::2] - first[::2]) // 2
        last[::2], first[1::2] = middle, middle + 1


def _codes_at_ends(value: Scaled, quantizer: Quantizer, low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """The codes of the least and of the greatest value over each interval; different ones where nothing is known."""
    ends = [column(value.scale) * q.astype(np.float64) + column(value.bias) for q in (low, high)]
    bounds = enclosure(value.tail, np.minimum(*ends), np.maximum(*ends))
    unknown = np.isnan(bounds[0]) | np.isnan(bounds[1])
    constants = [column(c, np.float64) for c in quantizer.constants]
    least, greatest = (
        np.broadcast_to(quantizer.code_of(np.where(unknown, 0.0, x), *constants), low.shape) for x in bounds
    )
    return least, np.where(unknown, least + 1, greatest)


def _in_rows(
    f: Callable[[IntArray, IntArray], tuple[IntArray, IntArray]],
    low: IntArray,
    channel: IntArray,
    first: IntArray,
    last: IntArray,
) -> tuple[Array, Array]:
    """f, which wants (channels, n) arrays, on lists of intervals in the order of their channels, in pieces."""
    counts = np.bincount(channel, minlength=len(low))
    place = np.arange(len(channel)) - np.repeat(np.cumsum(counts) - counts, counts)
    a, b = (np.repeat(low[:, None], counts.max(), axis=1) for _ in range(2))
    a[channel, place], b[channel, place] = first, last
    width = max(AT_ONCE // len(low), 1)
    pieces = [f(a[:, i : i + width], b[:, i : i + width]) for i in range(0, a.shape[1], width)]
    least, greatest = (np.concatenate(p, axis=1) for p in zip(*pieces, strict=True))
    return least[channel, place], greatest[channel, place]
