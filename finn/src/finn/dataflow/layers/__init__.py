"""The hardware layers, one file each. A new layer is a new file and a line in LAYERS."""

from __future__ import annotations

from finn.dataflow.layer import Layer
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter

LAYERS: tuple[type[Layer], ...] = (MVAU, Thresholding, LabelSelect, StreamingDataWidthConverter, StreamingFIFO)

__all__ = ["LAYERS", "MVAU", "LabelSelect", "StreamingDataWidthConverter", "StreamingFIFO", "Thresholding"]
