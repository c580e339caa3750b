"""DownSampler: every so many pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass

from finn.dataflow.pixels import Axis, PixelLayer, check_image


@dataclass(frozen=True, eq=False)
class DownSampler(PixelLayer):
    """Every stride-th row and column from the first on: (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C).

    n positions become ceil(n / stride), as a convolution of 1 x 1 leaves them.
    """

    header = "down_sampler"

    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "strides", 1, 1)

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(Axis(n, 0, s, -(-n // s)) for n, s in zip(self.shape[1:-1], self.strides, strict=True))
