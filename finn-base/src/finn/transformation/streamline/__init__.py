"""From floats to integers: scales are pushed forward once, tails become integer thresholds.

    report = streamline(model)

Every quantizer format is read as QONNX, images get their channels last, and one pass in topological order describes
every tensor as x == tail(scale * q + bias) with integers q of known range. Linear layers compute on q; elementwise
operators lengthen the tail; a quantizer turns tail and quantizer into thresholds on q. The idea, for affine tails, is
that of Umuroglu & Jahre, "Streamlined Deployment for Quantized Neural Networks", arXiv:1709.04060.
"""

from __future__ import annotations

from dataclasses import replace

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.streamline.options import InputFormat, StreamlineOptions
from finn.transformation.streamline.pipeline import streamline
from finn.transformation.streamline.report import Diagnostic, Fate, StreamlineError, StreamlineReport, TensorFact

__all__ = [
    "Diagnostic",
    "Fate",
    "InputFormat",
    "Streamline",
    "StreamlineError",
    "StreamlineOptions",
    "StreamlineReport",
    "TensorFact",
    "streamline",
]


class Streamline(Transformation):
    """`streamline` as a transformation; the report of the last model is in `report`.

    max_multithreshold_bit_width : replaces that of the options if it is given.
    """

    def __init__(
        self, options: StreamlineOptions | None = None, max_multithreshold_bit_width: int | None = None
    ) -> None:
        super().__init__()
        self.options = options or StreamlineOptions()
        if max_multithreshold_bit_width is not None:
            self.options = replace(self.options, max_multithreshold_bit_width=max_multithreshold_bit_width)
        self.report: StreamlineReport | None = None

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.report = streamline(model, self.options)
        return model, False
