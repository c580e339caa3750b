"""Crop: an image without its borders."""

from __future__ import annotations

from dataclasses import dataclass

from finn.dataflow.layer import LayerError
from finn.dataflow.pixels import Axis, PixelLayer, check_image


@dataclass(frozen=True, eq=False)
class Crop(PixelLayer):
    """The image without the pixels at its sides: (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C).

    crops : pixels that go on each side: (top, left, bottom, right) or (left, right); FINN's CropNorth, CropWest,
    CropSouth and CropEast.
    """

    header = "crop"

    crops: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "crops", 2, 0)
        if min(axis.count for axis in self.axes) < 1:
            raise LayerError(
                f"Crop: crops={list(self.crops)} for the shape {self.shape}",
                why="no pixel would be left",
                remedy="crop less than the whole image",
            )

    @property
    def axes(self) -> tuple[Axis, ...]:
        sizes = self.shape[1:-1]
        sides = zip(self.crops[: len(sizes)], self.crops[len(sizes) :], strict=True)
        return tuple(Axis(n, a, 1, n - a - b) for n, (a, b) in zip(sizes, sides, strict=True))
