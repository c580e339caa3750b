"""FMPadding_Pixel: zeros between the pixels of an image, as a transposed convolution needs them."""

from __future__ import annotations

from dataclasses import dataclass

from finn.dataflow.layer import LayerError
from finn.dataflow.pixels import Axis, PixelLayer, check_image


@dataclass(frozen=True, eq=False)
class FMPadding_Pixel(PixelLayer):
    """stride - 1 pixels of zeros between neighbours: (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C).

    n positions become (n - 1) * stride + 1, or n * stride if as many zeros stand behind the last one, too (tail=1).
    """

    header = "fm_padding_pixel"

    strides: tuple[int, ...]
    tail: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "strides", 1, 1)
        if self.tail not in (0, 1):
            raise LayerError(
                f"FMPadding_Pixel: tail={self.tail!r}", remedy="use 1 for zeros behind the last pixels, too, or 0"
            )
        if not self.dtype.allowed(0):
            raise LayerError(
                f"FMPadding_Pixel: zeros between pixels of the type {self.dtype.name}",
                why="the type does not have 0",
                remedy="use a wider type",
            )

    @property
    def axes(self) -> tuple[Axis, ...]:
        pairs = zip(self.shape[1:-1], self.strides, strict=True)
        return tuple(Axis((n - 1) * s + (s if self.tail else 1), 0, s, n) for n, s in pairs)

    @property
    def inserted(self) -> int:
        return 0
