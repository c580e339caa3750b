# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of data sets, drawn from what generators make, or from test sets that are shipped. conf.py calls this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from order_pictures import Picture  # beside this file

from brevitas_export.data import intrusion, keywords, radio
from finn_examples.catalogue import example

KEYWORDS_EXAMPLE = "kws_mlp_w3a3_keywords"
DIVERGING = ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b")
BITS = ("#f2f2f2", "#2166ac")
PARTS = ("#2166ac", "#ef8a62")  # I and Q


class DataPicture(Picture):
    """Cells and lines as well; a colour is one path, so that a file stays small."""

    def cells(self, x: int, y: int, levels: NDArray[np.int64], colours: Sequence[str], size: tuple[int, int]) -> None:
        """levels, (rows, columns): indices of colours. size: width and height of a cell in pixels."""
        width, height = size
        paths = [""] * len(colours)
        for row, values in enumerate(levels):
            column = 0
            for level, run in groupby(values):
                length = len(list(run))
                paths[level] += f"M{x + column * width} {y + row * height}h{length * width}v{height}h{-length * width}z"
                column += length
        self.parts += [f'<path d="{path}" fill="{fill}"/>' for path, fill in zip(paths, colours, strict=True) if path]
        self._grow(x + levels.shape[1] * width, y + levels.shape[0] * height)

    def line(self, x: int, y: int, values: NDArray[np.float64], colour: str) -> None:
        """A pixel to the right for each value, a pixel up for each 1."""
        points = " ".join(f"{x + k},{y - value:.0f}" for k, value in enumerate(values))
        self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        self._grow(x + len(values), y)


def keyword_features() -> DataPicture:
    """Two samples of each class."""
    picture, (x, y) = DataPicture(), example(KEYWORDS_EXAMPLE).test_set()
    shape, size = (keywords.FRAMES, keywords.COEFFICIENTS), (4, 6)
    for label, name in enumerate(keywords.CLASSES):
        for k, index in enumerate(np.flatnonzero(np.asarray(y) == label)[:2]):
            left, top = 10 + (label % 4) * 220, 16 + (label // 4) * 170 + 70 * k
            if k == 0:
                picture.text(left, top, name)
            levels = np.clip((x[index].reshape(shape).T.astype(np.int64) + 42) // 12, 0, len(DIVERGING) - 1)
            picture.cells(left, top + 8, levels, DIVERGING, size)
    return picture


def radio_frames(snr_db: int = 18) -> DataPicture:
    """A frame of each modulation, I and Q."""
    picture, rng = DataPicture(), np.random.default_rng(0)
    for k, name in enumerate(radio.MODULATIONS):
        left, top = 10 + (k % 3) * 290, 16 + (k // 3) * 110
        picture.text(left, top, name)
        frame = radio.frame(name, snr_db, rng)
        for part, colour in zip((frame.real, frame.imag), PARTS, strict=True):
            picture.line(left, top + 52, 20 * part, colour)
        picture._grow(left, top + 100)
    return picture


def flow_bits(each: int = 3) -> DataPicture:
    """Some flows of each behaviour, a bit a pixel wide."""
    picture, rng = DataPicture(), np.random.default_rng(0)
    sites = intrusion.Networks.drawn(10, rng)
    top = 16
    for title, behaviours in intrusion.CLASSES.items():
        picture.text(10, top, f"{title}:")
        top += 8
        for name, behaviour in behaviours.items():
            bits = intrusion.encoded(intrusion.flows(behaviour, each, sites, rng))
            picture.text(20, top + 4 * each, name)
            picture.cells(190, top, bits.astype(np.int64), BITS, (1, 5))
            top += 5 * each + 4
        top += 20
    return picture


def pictures() -> Iterator[tuple[str, DataPicture]]:
    yield "keyword_features", keyword_features()
    yield "radio_frames", radio_frames()
    yield "flow_bits", flow_bits()
