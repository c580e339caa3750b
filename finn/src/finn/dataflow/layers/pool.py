"""Pool: windows, as ConvolutionInputGenerator makes them, reduced to a value per channel."""

from __future__ import annotations

from dataclasses import dataclass, field

from finn.core.datatype import BaseDataType
from finn.dataflow.layer import IntArray, LayerError, Stream, folding
from finn.dataflow.tiles import Reduction, TilePool, Tiles

FUNCTIONS = {"MaxPool": "max", "MinPool": "min", "AccPool": "sum", "QuantAvgPool": "sum"}


@dataclass(frozen=True, eq=False)
class Pool(TilePool):
    """Each window of `window` positions becomes one pixel: (..., window C) to (..., C).

    shape : of the windows, (1, OH, OW, window C), channels innermost, sent depthwise, one position of PE channels per
    cycle. function : MaxPool, MinPool, AccPool (the sum), QuantAvgPool (floor(sum / 2^shift), as QuantAvgPool2d).
    """

    header = "pool"
    former_names = ("Pool_Batch",)

    shape: tuple[int, ...]
    input_dtype: BaseDataType
    window: int
    function: str = field(metadata={"choices": tuple(FUNCTIONS)})
    shift: int = 0
    PE: int = folding("channels")

    def __post_init__(self) -> None:
        if type(self.window) is not int or self.window < 1 or self.shape[-1] % self.window:
            raise LayerError(
                f"Pool: window={self.window!r} for the shape {self.shape}",
                why="the last axis holds the channels of every position",
                remedy=f"use a divisor of {self.shape[-1]}",
            )
        super().__post_init__()
        if type(self.shift) is not int or self.shift < 0 or (self.shift and self.function != "QuantAvgPool"):
            raise LayerError(
                f"Pool: shift={self.shift!r} of {self.function}",
                remedy="use QuantAvgPool with a shift of 0 or more, or no shift",
            )

    @property
    def channels(self) -> int:
        return self.shape[-1] // self.window

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.PE, self.window),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((*self.shape[:-1], self.channels), self.reduction.result, self.PE),)

    def execute(self, *inputs: IntArray) -> IntArray:
        x = inputs[0]
        return self.reduction(x.reshape(*x.shape[:-1], self.window, self.channels), (-2,))

    @property
    def tiles(self) -> tuple[Tiles, Tiles]:
        """As the beats come, each window is a tile in a row of its own."""
        return Tiles(self.inputs[0].beats // self.window, 1), Tiles(self.window, self.window)

    @property
    def folds(self) -> int:
        return 1

    @property
    def reduction(self) -> Reduction:
        return Reduction(FUNCTIONS[self.function], self.input_dtype, self.window, self.shift)
