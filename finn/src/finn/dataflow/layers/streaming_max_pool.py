"""StreamingMaxPool: the maximum of each tile of an image, without the windows of a convolution in between."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from finn.core.datatype import BaseDataType
from finn.dataflow.layer import IntArray, LayerError, Stream, folding, memory_option
from finn.dataflow.pixels import check_image, two
from finn.dataflow.tiles import Reduction, TilePool, Tiles


@dataclass(frozen=True, eq=False)
class StreamingMaxPool(TilePool):
    """Max pooling with strides as large as the kernel: (1, H, W, C) to (1, OH, OW, C), or (1, T, C) to (1, OT, C).

    kernel : (KH, KW) or (KT,). ceil_mode : 0 drops rows and columns that do not fill a tile, 1 gives them tiles of
    their own. PE channels per cycle. ram_style : of the memory that holds a row of the output.
    """

    header = "streaming_max_pool"
    former_names = ("StreamingMaxPool_Batch", "StreamingMaxPool_Precision", "StreamingMaxPool_Precision_Batch")

    shape: tuple[int, ...]
    dtype: BaseDataType
    kernel: tuple[int, ...]
    ceil_mode: int = 0
    PE: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_image(self, self.shape, "kernel", 1, 1)
        if self.ceil_mode not in (0, 1):
            raise LayerError(f"StreamingMaxPool: ceil_mode={self.ceil_mode!r}", why="it is a mark", remedy="use 0 or 1")
        if not self.ceil_mode and any(k > n for k, n in zip(self.kernel, self.shape[1:-1], strict=True)):
            raise LayerError(
                f"StreamingMaxPool: kernel={list(self.kernel)} for the shape {self.shape}",
                why="no tile would be whole",
                remedy="use a smaller kernel, or ceil_mode=1",
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def axes(self) -> tuple[Tiles, ...]:
        """The spatial axes."""
        return tuple(Tiles(n, k, bool(self.ceil_mode)) for n, k in zip(self.shape[1:-1], self.kernel, strict=True))

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        shape = (*self.shape[:1], *(axis.count for axis in self.axes), self.channels)
        return (Stream(shape, self.dtype, self.PE),)

    def execute(self, *inputs: IntArray) -> IntArray:
        rows, columns = self.tiles
        x = inputs[0].reshape(-1, rows.size, columns.size, self.channels)
        rest = [max(0, axis.count * axis.tile - axis.size) for axis in (rows, columns)]
        x = np.pad(x, ((0, 0), (0, rest[0]), (0, rest[1]), (0, 0)), constant_values=int(self.dtype.min()))
        x = x[:, : rows.count * rows.tile, : columns.count * columns.tile]
        x = x.reshape(-1, rows.count, rows.tile, columns.count, columns.tile, self.channels)
        return self.reduction(x, (2, 4)).reshape(-1, *self.outputs[0].shape[1:])

    @property
    def tiles(self) -> tuple[Tiles, Tiles]:
        return two(self.axes, Tiles(1, 1, bool(self.ceil_mode)))

    @property
    def folds(self) -> int:
        return self.channels // self.PE

    @property
    def reduction(self) -> Reduction:
        return Reduction("max", self.dtype, prod(self.kernel))

    @property
    def _style(self) -> str:
        return self.ram_style
