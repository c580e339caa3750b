"""FMPadding: pixels of one value around an image."""

from __future__ import annotations

from dataclasses import dataclass

from finn.dataflow.layer import LayerError
from finn.dataflow.pixels import Axis, PixelLayer, check_image


@dataclass(frozen=True, eq=False)
class FMPadding(PixelLayer):
    """Pixels around an image, all their channels `value`: (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C).

    pads : pixels on each side, in ONNX's order: (top, left, bottom, right) or (left, right).
    value : any of the type `dtype`. What stands in front of a frame's first pixel is sent without waiting for it.
    """

    header = "fm_padding"
    former_names = ("FMPadding_Batch",)

    pads: tuple[int, ...]
    value: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "pads", 2, 0)
        if not self.dtype.allowed(self.value):
            raise LayerError(
                f"FMPadding: value={self.value}",
                why=f"the type {self.dtype.name} does not have it",
                remedy="pad with a value of the type, or use a wider type",
            )

    @property
    def axes(self) -> tuple[Axis, ...]:
        sizes = self.shape[1:-1]
        sides = zip(self.pads[: len(sizes)], self.pads[len(sizes) :], strict=True)
        return tuple(Axis(a + n + b, a, 1, n) for n, (a, b) in zip(sizes, sides, strict=True))

    @property
    def inserted(self) -> int:
        return self.value
