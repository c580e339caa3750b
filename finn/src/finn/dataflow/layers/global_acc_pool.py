"""GlobalAccPool: all pixels of an image reduced to one."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from finn.core.datatype import BaseDataType
from finn.dataflow.layer import IntArray, Stream, folding, memory_option
from finn.dataflow.tiles import Reduction, TilePool, Tiles, check_shape


@dataclass(frozen=True, eq=False)
class GlobalAccPool(TilePool):
    """The sum, maximum or minimum per channel: (1, H, W, C) to (1, 1, 1, C), or (1, T, C) to (1, 1, C).

    function : "sum", "max" or "min". PE channels per cycle; results leave while the next frame comes in.
    ram_style : of the memory that holds C / PE partial results.
    """

    header = "global_acc_pool"
    former_names = ("GlobalAccPool_Batch",)

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    function: str = field(default="sum", metadata={"choices": ("sum", "max", "min")})
    PE: int = folding("channels")
    ram_style: str = memory_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shape(self, self.shape)

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def pixels(self) -> int:
        return prod(self.shape[1:-1])

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        shape = (*self.shape[:1], *(1 for _ in self.shape[1:-1]), self.channels)
        return (Stream(shape, self.reduction.result, self.PE),)

    def execute(self, *inputs: IntArray) -> IntArray:
        x = inputs[0].reshape(-1, self.pixels, self.channels)
        return self.reduction(x, (1,)).reshape(-1, *self.outputs[0].shape[1:])

    @property
    def tiles(self) -> tuple[Tiles, Tiles]:
        """One tile: all pixels in a row."""
        return Tiles(1, 1), Tiles(self.pixels, self.pixels)

    @property
    def folds(self) -> int:
        return self.channels // self.PE

    @property
    def reduction(self) -> Reduction:
        return Reduction(self.function, self.input_dtype, self.pixels)

    @property
    def _style(self) -> str:
        return self.ram_style
