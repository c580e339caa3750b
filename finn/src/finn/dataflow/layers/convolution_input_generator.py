"""ConvolutionInputGenerator: the windows of a convolution, one after the other (Im2Col as a stream)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod

import numpy as np

from finn.core.datatype import BaseDataType
from finn.core.errors import FinnError
from finn.core.windows import Window
from finn.custom_op.general.im2col import im2col
from finn.dataflow import pipeline
from finn.dataflow.cost import Fabric, fabric, has_ultra_ram, in_ultra
from finn.dataflow.layer import (
    Hls,
    IntArray,
    Layer,
    LayerError,
    Reads,
    Resources,
    Rtl,
    Schedule,
    Stream,
    Writes,
    fixed,
    folding,
    folding_option,
    memory_option,
)
from finn.dataflow.pixels import Axis, Raster

BUFFERED_LATENCY = 2
"""Cycles from a read to the push of a word: the memory and a register."""

PARALLEL_LATENCY = 1

MOST_REGISTERS = 3
"""Longest delay that `delay_line` keeps in registers."""

SHORT_PAUSE = 32
"""Between frames the ring may pause for this part of a frame, so that it need not hold the rows of a window twice."""

GRAIN = 32
"""Words of the ring come in multiples of this, if more are of use: distributed RAM has as many anyway."""


@dataclass(frozen=True)
class Sliding:
    """Windows without padding on an image; pairs are (rows, columns), distances are in pixels in C order."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    counts: tuple[int, int]

    @property
    def first(self) -> tuple[int, int]:
        """Row and column of the pixel that completes the first window."""
        down, right = ((k - 1) * d for k, d in zip(self.kernel, self.dilations, strict=True))
        return down, right

    @property
    def span(self) -> int:
        """From a window's first pixel to its last, both counted."""
        return self.first[0] * self.size[1] + self.first[1] + 1

    @property
    def next(self) -> tuple[int, int, int]:
        """From a window's first pixel to that of the next in its row, in the next row, in the next frame."""
        width, (sy, sx), (rows, columns) = self.size[1], self.strides, self.counts
        last = (rows - 1) * sy * width + (columns - 1) * sx
        return sx, sy * width - (columns - 1) * sx, prod(self.size) - last

    @cached_property
    def starts(self) -> IntArray:
        """The first pixel of each window."""
        (sy, sx), (rows, columns) = self.strides, self.counts
        return np.add.outer(np.arange(rows) * sy * self.size[1], np.arange(columns) * sx).reshape(-1)

    @cached_property
    def offsets(self) -> IntArray:
        """The pixels of a window, from its first."""
        (kh, kw), (dy, dx) = self.kernel, self.dilations
        return np.add.outer(np.arange(kh) * dy * self.size[1], np.arange(kw) * dx).reshape(-1)


@dataclass(frozen=True, eq=False)
class ConvolutionInputGenerator(Layer):
    """All windows of an image, row by row: (1, H, W, C) to (1, OH, OW, K C), or (1, T, C) to (1, OT, K C).

    The last axis of the output has the K = prod(kernel) positions of a window, the last axis of the kernel fastest, and
    of each the C channels, as Im2Col makes it; there is no padding. SIMD channels per cycle.
    depthwise : send all positions of SIMD channels, then those of the next SIMD.
    parallel_window : send all positions in one beat, so that a frame takes no longer than its input; without depthwise
    SIMD has to be all channels. ram_style : of the memory that holds the rows; "ultra" is UltraRAM.
    """

    former_names = ("ConvolutionInputGenerator1D",)

    shape: tuple[int, ...]
    dtype: BaseDataType
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    depthwise: int = 0
    SIMD: int = folding("channels")
    parallel_window: int = folding_option(0, (0, 1))
    ram_style: str = memory_option(("auto", "block", "distributed", "ultra"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.kernel) not in (1, 2):
            raise LayerError(
                f"ConvolutionInputGenerator: a kernel {list(self.kernel)}",
                why="images have one or two spatial axes",
            )
        if self.depthwise not in (0, 1):
            raise LayerError(
                f"ConvolutionInputGenerator: depthwise={self.depthwise!r}", why="it is a mark", remedy="use 0 or 1"
            )
        try:
            self._window.counts(self.shape[1:-1])
        except FinnError as error:
            raise LayerError(f"ConvolutionInputGenerator: {error.what}", why=error.why, remedy=error.remedy) from error
        if self.parallel_window and not self.depthwise and self.channels != self.SIMD:
            raise LayerError(
                f"ConvolutionInputGenerator: parallel_window=1 with SIMD={self.SIMD} of {self.channels} channels",
                why="a beat is a whole window",
                remedy=f"use SIMD={self.channels}, or parallel_window=0",
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def _window(self) -> Window:
        return Window(self.kernel, self.strides, (0,) * (2 * len(self.kernel)), self.dilations)

    @fixed
    def sliding(self) -> Sliding:
        """The windows in two dimensions: without a second axis an image is one row."""
        counts = self._window.counts(self.shape[1:-1])
        given = (self.shape[1:-1], self.kernel, self.strides, self.dilations, counts)
        return Sliding(*(_two(sizes) for sizes in given))

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.SIMD),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        positions = prod(self.kernel)
        shape = (*self.shape[:1], *self._window.counts(self.shape[1:-1]), positions * self.channels)
        taps = positions if self._parallel else 1
        return (Stream(shape, self.dtype, taps * self.SIMD, *((positions, taps) if self.depthwise else ())),)

    def execute(self, *inputs: IntArray) -> IntArray:
        return im2col(inputs[0], self._window)

    # Time

    @property
    def _parallel(self) -> bool:
        """Whether a beat is a whole window; one of one pixel always is."""
        return bool(self.parallel_window) or prod(self.kernel) == 1

    @property
    def _folds(self) -> int:
        """Words per pixel."""
        return self.channels // self.SIMD

    @property
    def _reads(self) -> int:
        """Reads per window of the ring memory, one per cycle."""
        return prod(self.kernel) * self._folds

    def schedule(self) -> Schedule:
        return self._schedule_of_delays() if self._parallel else self._schedule_of_ring()

    def _schedule_of_delays(self) -> Schedule:
        s, steps = self.sliding, self.inputs[0].beats
        made = np.add.outer((s.starts + s.span - 1) * self._folds, np.arange(self._folds)).reshape(-1)
        out = Writes(made, PARALLEL_LATENCY + pipeline.CREDIT_FIFO, pipeline.credit_depth(PARALLEL_LATENCY, 1))
        return Schedule(steps, (Reads(np.arange(steps)),), (out,))

    def _schedule_of_ring(self) -> Schedule:
        steps = self.sliding.starts.size * self._reads
        depth = pipeline.credit_depth(BUFFERED_LATENCY, 1)
        out = Writes(np.arange(steps), BUFFERED_LATENCY + pipeline.CREDIT_FIFO, depth)
        frees = np.repeat(self._window_that_frees() * self._reads + self._reads - 1, self._folds)
        return Schedule(steps, (Reads(self._first_use(), self._depth, pipeline.MEMORY, frees),), (out,))

    def _window_that_frees(self) -> IntArray:
        """Of each pixel, the window at whose end it is freed: the last that starts at or before it."""
        return np.asarray(np.searchsorted(self.sliding.starts, np.arange(prod(self.sliding.size)), "right") - 1)

    def _first_use(self) -> IntArray:
        """Of each word, the first step that reads it or a later one.

        In a window (if depthwise, in its first fold) reads ascend; so a pixel that none has reached before is first
        reached at a visit, and its later folds come right after it, or are passed over by the next visit. Only of the
        last pixel of a depthwise window is each fold the furthest word when it is read.
        """
        s, folds, positions = self.sliding, self._folds, prod(self.kernel)
        visited = np.maximum.accumulate(np.add.outer(s.starts, s.offsets).reshape(-1))
        pixels = np.arange(prod(s.size))
        visit = np.searchsorted(visited, pixels)
        reached = visit < visited.size
        exact = reached & (visited[np.minimum(visit, visited.size - 1)] == pixels)
        later = np.arange(folds)
        if not self.depthwise:
            step = (visit * folds)[:, None] + exact[:, None] * later
        else:
            window, position = np.divmod(visit, positions)
            final = (exact & (position == positions - 1))[:, None]
            passed = np.where(final, later * positions, exact[:, None] * (later > 0))
            step = (window * self._reads + position)[:, None] + passed
        step[~reached] = s.starts.size * self._reads
        return np.asarray(step.reshape(-1))

    @property
    def _behind(self) -> int:
        """Cycles from the acceptance of a window's last word to the end of the window, at the least."""
        waiting = (self._folds - 1) * (prod(self.kernel) - 1) if self.depthwise else 0
        return pipeline.MEMORY + waiting

    @cached_property
    def _finish(self) -> IntArray:
        """The end of each window, in cycles from that of the first, while the input never stops.

        A window ends `_reads` cycles after the one before it, or with its last word.
        """
        turns = np.arange(self.sliding.starts.size) * self._reads
        return np.asarray(np.maximum.accumulate(self.sliding.starts * self._folds - turns) + turns)

    @property
    def _least_margin(self) -> int:
        """Words beyond a window that the ring has to hold so that it delays neither the reads of a frame nor its input.

        A window's last word can come when the window before has been freed: the jump from one to the other has to
        fit. A jump to the next row need not fit as a whole if the input is what takes the time: only what comes while
        the windows of a row are read slower than their words come, and what came before a frame that starts late,
        because the last row of windows before it had fewer new words.
        """
        (rows, columns), reads = self.sliding.counts, self._reads
        right, down, _ = (n * self._folds for n in self.sliding.next)
        jumps = [right] * (columns > 1) + [min(down, reads + (columns - 1) * (reads - right))] * (rows > 1)
        late = int(self._finish[-1]) + reads - self._busy
        return max(0, *(self._behind - reads + jump for jump in (*jumps, 0))) + max(0, late)

    def _margin(self, interval: int) -> int:
        """Words beyond a window that the ring has to hold if frames are to follow each other at this distance.

        The last word of a frame's first window waits for the windows of the frame before that occupy its place.
        """
        lead = int((self._finish - self.sliding.starts * self._folds).max())
        return self._behind + lead + self.inputs[0].beats - interval

    @cached_property
    def _depth(self) -> int:
        """Words of the ring: a window and a margin that keeps the pause between frames short.

        More words, up to where there is no pause, are added as far as a memory has them anyway.
        """
        margins = self._margin(self._busy + self._busy // SHORT_PAUSE), self._margin(self._busy)
        least, most = (self.sliding.span + -(-max(self._least_margin, m) // self._folds) for m in margins)
        rounded = -(-least * self._folds // GRAIN) * GRAIN // self._folds
        return min(rounded, most) * self._folds

    @property
    def _busy(self) -> int:
        """Cycles of a frame if frames follow each other without a pause."""
        return max(self.inputs[0].beats, self.sliding.starts.size * self._reads)

    @cached_property
    def cycles(self) -> int:
        """Of the ring: its reads, or its input, or until the first window of the next frame has come in (`_margin`)."""
        frame = self.inputs[0].beats
        if self._parallel:
            return frame
        starts, margin = self.sliding.starts * self._folds, self._depth - self.sliding.span * self._folds
        before = starts + margin < frame
        pause = (self._finish - starts)[before].max(initial=-frame)
        return max(self._busy, self._behind + int(pause) + frame - margin)

    # Cost

    def resources(self, part: str | None = None) -> Resources:
        """The ring memory or the delays of the window, counters, and the output buffer."""
        fab = fabric(part)
        if self._parallel:
            used, latency = self._delays(fab, part), PARALLEL_LATENCY
            bits, share = _bits(*self.sliding.size, self._folds), 0.2
        else:
            used, latency = self._memory(fab, part, self.inputs[0].width, self._depth), BUFFERED_LATENCY
            # Two addresses, the words ahead and the room: adders of two or three constants.
            bits, share = _bits(*[self._depth] * 4, *self.sliding.counts, *self.kernel, self._folds), 0.3
        out = fab.credit_fifo(self.outputs[0].width, pipeline.credit_depth(latency, 1))
        return used + out + Resources(LUT=round(share * fab.queue * bits))

    def _delays(self, fab: Fabric, part: str | None) -> Resources:
        """Between the rows of a window, and between the pixels of its rows."""
        (kh, kw), width = self.sliding.kernel, self.inputs[0].width
        columns, rows = self._delay_lengths
        used = Resources()
        for words, delay, style in (((kh - 1), rows, True), (kh * (kw - 1), columns, False)):
            if words and delay > MOST_REGISTERS:
                memory = self._memory(fab, part, words * width, delay) if style else fab.ram(words * width, delay)
                used = memory + used + Resources(LUT=2 * delay.bit_length())
            elif words and delay > 1:
                used += Resources(LUT=fab.delay * words * width)
        return used

    def _memory(self, fab: Fabric, part: str | None, width: int, depth: int) -> Resources:
        if self.ram_style != "ultra":
            return fab.ram(width, depth, self.ram_style)
        return in_ultra(width, depth) if has_ultra_ram(part) else fab.ram(width, depth, "block")

    def alternatives(self, part: str | None = None) -> list[Resources]:
        """This one, then its memory in each style, as far as that makes a difference."""
        styles = [self.with_config(ram_style=s).resources(part) for s in ("block", "distributed", "ultra")]
        return list(dict.fromkeys([self.resources(part), *styles]))

    # Hardware

    @property
    def _delay_lengths(self) -> tuple[int, int]:
        """Words between neighbours in a row of the window, and from the first of a row to the last of the row above."""
        down, right = self.sliding.dilations
        return right * self._folds, (down * self.sliding.size[1] - self.sliding.first[1]) * self._folds

    @property
    def _loops(self) -> list[tuple[int, int]]:
        """(turns, words from turn to turn) of the loops of a window, innermost first."""
        s, folds = self.sliding, self._folds
        loops = [(s.kernel[1], s.dilations[1] * folds), (s.kernel[0], s.dilations[0] * s.size[1] * folds)]
        loops.insert(2 if self.depthwise else 0, (folds, 1))
        return loops

    @property
    def _steps(self) -> list[int]:
        """From a turn of each loop to its next, after all turns of the loops inside."""
        inside = [0, *accumulate((turns - 1) * words for turns, words in self._loops)]
        return [words - back for (_, words), back in zip(self._loops, inside, strict=False)]

    @property
    def _moves(self) -> list[int]:
        """Words from a window to the next in its row, in the next row, in the next frame."""
        return [n * self._folds for n in self.sliding.next]

    def hls(self) -> Hls:
        return self._hls_of_delays() if self._parallel else self._hls_of_ring()

    def _hls_of_delays(self) -> Hls:
        s = self.sliding
        columns, rows = self._delay_lengths
        (kh, kw), (height, width) = s.kernel, _axes(s)
        config = {"KH": kh, "KW": kw, "SIMD": self.SIMD, "ColumnDelay": columns, "RowDelay": rows}
        config |= Raster(height, width, self._folds).parameters()
        return Hls("parallel_window", "ParallelWindow", config, {"Element": self.dtype})

    def _hls_of_ring(self) -> Hls:
        rows, columns = self.sliding.counts
        config: dict[str, int | tuple[int, ...]] = {
            "SIMD": self.SIMD,
            "Depth": self._depth,
            "Turns": tuple(turns for turns, _ in self._loops),
            "Steps": (*self._steps, 0),
            "Windows": (columns, rows),
            "Moves": tuple(self._moves),
        }
        return Hls("convolution_input_generator", "ConvolutionInputGenerator", config, {"Element": self.dtype})

    def rtl(self) -> Rtl:
        return self._rtl_of_delays() if self._parallel else self._rtl_of_ring()

    def _rtl_of_delays(self) -> Rtl:
        s = self.sliding
        columns, rows = self._delay_lengths
        parameters: dict[str, int | str] = {
            "Width": self.inputs[0].width,
            "Folds": self._folds,
            **_pair("Rows", "Columns", s.size),
            **_pair("KH", "KW", s.kernel),
            **_pair("FirstRow", "FirstColumn", s.first),
            **_pair("StrideRow", "StrideColumn", s.strides),
            "ColumnDelay": columns,
            "RowDelay": rows,
            "RamStyle": self.ram_style,
            "OutDepth": pipeline.credit_depth(PARALLEL_LATENCY, 1),
        }
        return Rtl("parallel_window", parameters)

    def _rtl_of_ring(self) -> Rtl:
        s = self.sliding
        span = s.span * self._folds
        parameters: dict[str, int | str] = {"Width": self.inputs[0].width, "Depth": self._depth, "Span": span}
        for n, ((turns, _), step) in enumerate(zip(self._loops, self._steps, strict=True)):
            parameters |= {f"Inner{n}": turns, f"Step{n}": step}
        right, down, frame = self._moves
        parameters |= {
            **_pair("Rows", "Columns", s.counts),
            "NextColumn": right,
            "NextRow": down,
            "NextFrame": frame,
            "RamStyle": self.ram_style,
            "OutDepth": pipeline.credit_depth(BUFFERED_LATENCY, 1),
        }
        return Rtl("convolution_input_generator", parameters)


def _bits(*turns: int) -> int:
    """Of counters."""
    return sum((n - 1).bit_length() for n in turns)


def _axes(s: Sliding) -> tuple[Axis, Axis]:
    """Of the image; chosen are the pixels that complete windows."""
    rows, columns = zip(s.size, s.first, s.strides, s.counts, strict=True)
    return Axis(*rows), Axis(*columns)


def _two(sizes: tuple[int, ...]) -> tuple[int, int]:
    *rows, columns = (1, *sizes)
    return rows[-1], columns


def _pair(row: str, column: str, values: tuple[int, int]) -> dict[str, int]:
    return {row: values[0], column: values[1]}
