"""Matrix-vector-activation unit: y = x @ W, then thresholds if it has any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.dataflow import pipeline
from finn.dataflow.cost import Fabric
from finn.dataflow.layer import Hls, IntArray, LayerError, Reads, Resources, Rtl, Stream, folding
from finn.dataflow.matrix import MatrixUnit


@dataclass(frozen=True, eq=False)
class MVAU(MatrixUnit):
    """Multiply each input vector with a constant matrix and apply a multi-threshold activation.

    shape : (..., MW). weights : (MW, MH) integers, the orientation of ONNX MatMul. thresholds : (MH, N) or (1, N), or
    None; then the result is the accumulator. bias (FINN's ActVal) is added to the count of thresholds.
    SIMD inputs and PE outputs per cycle (Blott et al. 2018, arXiv:1809.04570); bipolar times bipolar is XNOR and
    popcount. For the options see MatrixUnit.
    """

    former_names = ("MatrixVectorActivation", "StreamingFCLayer_Batch")

    SIMD: int = folding("MW")
    PE: int = folding("MH")

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.shape[-1] != self.MW:
            raise LayerError(
                f"MVAU: input {self.shape} and weights {self.weights.shape}",
                why="the last axis of the input is the first of the weights",
            )
        super().__post_init__()

    @property
    def MW(self) -> int:
        return self.terms

    @property
    def MH(self) -> int:
        return self.channels

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.input_dtype, self.SIMD),)

    def _reads(self) -> Reads:
        sf, nf = self._input_folds, self._output_folds
        beats = np.arange(sf)
        return Reads(beats, self._input_depth, pipeline.MEMORY, beats + (nf - 1) * sf) if nf > 1 else Reads(beats)

    def execute(self, *inputs: IntArray) -> IntArray:
        return self._activated(inputs[0] @ self.weights)

    def _input_rows(self) -> int:
        return 1

    def _buffers(self, fab: Fabric) -> Resources:
        """The replay buffer."""
        return fab.replay_buffer(self.inputs[0].width, self._input_depth) if self._output_folds > 1 else Resources()

    @property
    def _input_depth(self) -> int:
        """Beats in the replay buffer: the vector in work and the next."""
        return 2 * self._input_folds

    def rtl(self) -> Rtl:
        return self._instance("mvau", MW=self.MW, MH=self.MH, InDepth=self._input_depth)

    def hls(self) -> Hls:
        return self._kernel("mvau", "MVAU", MW=self.MW, MH=self.MH)
