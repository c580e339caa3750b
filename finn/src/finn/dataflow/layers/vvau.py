"""Vector-vector-activation unit, a depthwise convolution: y[c] = sum of x[k, c] * w[k, c] over k, then thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.dataflow.layer import Hls, IntArray, LayerError, Reads, Rtl, Stream, folding
from finn.dataflow.matrix import MatrixUnit


@dataclass(frozen=True, eq=False)
class VVAU(MatrixUnit):
    """Multiply each channel of a window with its own kernel and apply a multi-threshold activation.

    shape : (..., K * C), windows of K positions by C channels as Im2Col makes them, channels innermost.
    weights : (K, C) integers. thresholds : (C, N) or (1, N), or None; then the result is the accumulator. bias (FINN's
    ActVal) is added to the count of thresholds.
    SIMD positions of PE channels per cycle; all positions of PE channels come together. For the options see MatrixUnit.
    FINN has the lanes of a beat and of the weights in other orders in its HLS and its RTL; here position 0 comes first.
    """

    former_names = ("VectorVectorActivation", "Vector_Vector_Activate_Batch")

    SIMD: int = folding("window")
    PE: int = folding("channels")

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.shape[-1] != self.weights.size:
            raise LayerError(
                f"VVAU: input {self.shape} and weights {self.weights.shape}",
                why="the last axis of the input has one element for each weight",
            )
        super().__post_init__()

    @property
    def window(self) -> int:
        """Positions."""
        return self.terms

    @property
    def inputs(self) -> tuple[Stream, ...]:
        lanes = self.SIMD * self.PE
        return (Stream(self.shape, self.input_dtype, lanes, window=self.window, taps=self.SIMD),)

    def _reads(self) -> Reads:
        return Reads(np.arange(self._tiles))

    def execute(self, *inputs: IntArray) -> IntArray:
        (x,) = inputs
        windows = x.reshape(*x.shape[:-1], self.window, self.channels)
        return self._activated(np.einsum("...kc,kc->...c", windows, self.weights))

    def _input_rows(self) -> int:
        return self.PE

    def hls(self) -> Hls:
        return self._kernel("vvau", "VVAU", Window=self.window, Channels=self.channels)

    def rtl(self) -> Rtl:
        return self._instance("vvau", Channels=self.channels, Window=self.window)
