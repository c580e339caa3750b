# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of the order of data, drawn from what the compiler computes: nothing here knows it. conf.py calls this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from finn.core.datatype import DataType
from finn.dataflow.layer import IntArray, Stream
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter

UINT8 = DataType["UINT8"]
CELL = 26  # pixels
COLOURS = ("#cfe3f5", "#fbe3c0", "#d5ecd0", "#f3d3dc", "#e2daf2", "#f7f3c3")
STYLE = "font-family:Helvetica,Arial,sans-serif;font-size:12px"


class Picture:
    """Boxes with text in them, and lines of text."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.width = self.height = 0

    def text(self, x: int, y: int, text: str, anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>')
        self._grow(x + (7 * len(text) if anchor == "start" else 0), y + 6)

    def box(self, x: int, y: int, text: str, colour: int, width: int = CELL) -> None:
        fill = COLOURS[colour % len(COLOURS)]
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{CELL}" fill="{fill}" stroke="#555"/>')
        self.text(x + width // 2, y + 17, text, "middle")
        self._grow(x + width, y + CELL)

    def row(self, x: int, y: int, labels: Sequence[str], colours: Sequence[int]) -> int:
        """Boxes side by side; returns where they end."""
        for k, (label, colour) in enumerate(zip(labels, colours, strict=True)):
            self.box(x + k * CELL, y, label, colour)
        return x + len(labels) * CELL

    def _grow(self, x: int, y: int) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self) -> str:
        size = f'width="{self.width + 10}" height="{self.height + 10}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def numbered(shape: tuple[int, ...]) -> IntArray:
    """A frame whose elements are their numbers in C order."""
    return np.arange(np.prod(shape)).reshape(shape)


def beats_below(picture: Picture, y: int, beats: IntArray, channels: int, per_line: int) -> int:
    """The beats one after the other, lane 0 on the left; colours are pixels. Returns where they end."""
    lanes = beats.shape[1]
    for k, beat in enumerate(beats):
        x = 10 + (k % per_line) * (lanes * CELL + 14)
        line = y + k // per_line * (CELL + 24)
        picture.text(x, line + 12, f"beat {k}")
        picture.row(x, line + 18, [str(v) for v in beat], [v // channels for v in beat.tolist()])
    return y + -(-len(beats) // per_line) * (CELL + 24)


def image(picture: Picture, height: int, width: int, channels: int) -> int:
    """Pixels with the numbers of their channels. Returns where they end."""
    for row, column in np.ndindex(height, width):
        first = (row * width + column) * channels
        x, y = 10 + column * (channels * CELL + 12), 26 + row * (CELL + 10)
        picture.row(x, y, [str(first + c) for c in range(channels)], [first // channels] * channels)
    return 26 + height * (CELL + 10)


def stream_beats() -> Picture:
    picture = Picture()
    stream = Stream((1, 2, 3, 4), UINT8, 2)
    picture.text(10, 16, "a frame of 2 x 3 pixels with 4 channels, elements by number")
    end = image(picture, 2, 3, 4)
    picture.text(10, end + 20, "its beats with SIMD = 2; lane 0 on the left, in the least significant bits")
    beats_below(picture, end + 30, stream.to_beats(numbered(stream.shape)), 4, 6)
    return picture


def window_beats() -> Picture:
    picture = Picture()
    picture.text(10, 16, "a frame of 3 x 3 pixels with 4 channels, windows of 2 x 2, SIMD = 2")
    end = image(picture, 3, 3, 4)
    for depthwise, title in enumerate(
        ("the beats of the first window: all channels of a position, then the next position", "the same, depthwise")
    ):
        layer = ConvolutionInputGenerator((1, 3, 3, 4), UINT8, (2, 2), (1, 1), (1, 1), depthwise, SIMD=2)
        (stream,) = layer.outputs
        beats = stream.to_beats(layer.execute(numbered(layer.shape)))
        picture.text(10, end + 24, title)
        end = beats_below(picture, end + 32, beats[: len(beats) // 4], 4, 8)
    return picture


def weight_tiles() -> Picture:
    picture = Picture()
    layer = MVAU((1, 6), UINT8, numbered((6, 4)), UINT8, DataType["UINT32"], SIMD=3, PE=2)
    tiles = layer.hls().objects[0].values
    assert tiles is not None
    place = {int(tiles[where]): where for where in np.ndindex(*tiles.shape)}
    picture.text(10, 16, "a matrix of MW = 6 inputs (down) by MH = 4 outputs (across), SIMD = 3, PE = 2:")
    picture.text(10, 32, "each weight's tile (colour, one cycle each), PE and lane as t.pe.lane")
    for row, column in np.ndindex(6, 4):
        tile, pe, simd = place[row * 4 + column]
        picture.box(10 + column * 52, 42 + row * CELL, f"{tile}.{pe}.{simd}", tile, 52)
    return picture


def converted_beats() -> Picture:
    picture = Picture()
    layer = StreamingDataWidthConverter((1, 12), UINT8, 4, 3)
    for k, (stream, title) in enumerate(((layer.inputs[0], "beats of 4 lanes"), (layer.outputs[0], "as beats of 3"))):
        picture.text(10, 16 + k * 84, title)
        beats_below(picture, 24 + k * 84, stream.to_beats(numbered((1, 12))), 4, 4)
    return picture


def pictures() -> Iterator[tuple[str, Picture]]:
    yield "stream_beats", stream_beats()
    yield "window_beats", window_beats()
    yield "weight_tiles", weight_tiles()
    yield "converted_beats", converted_beats()


def write_pictures(folder: Path, named: Iterable[tuple[str, Picture]]) -> None:
    """Write <name>.svg of each into `folder`."""
    for name, picture in named:
        (folder / f"{name}.svg").write_text(picture.svg())
