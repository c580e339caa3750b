# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The layers whose estimates are compared with synthesis: each registered layer at several sizes, types and foldings.

Weights, thresholds and other constants are random. Sizes are those of real networks as far as Yosys needs no minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import IntArray, Layer
from finn.dataflow.layers.channelwise_op import ChannelwiseOp
from finn.dataflow.layers.checksum import CheckSum
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.crop import Crop
from finn.dataflow.layers.down_sampler import DownSampler
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.fm_padding_pixel import FMPadding_Pixel
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.lookup import Lookup
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.pool import Pool
from finn.dataflow.layers.requant import Requant
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from finn.dataflow.layers.streaming_split import StreamingSplit
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.upsample_nearest_neighbour import UpsampleNearestNeighbour
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter

BIPOLAR, BINARY, INT2, INT4, INT8, INT16, UINT2, UINT4, UINT8 = (
    DataType[name] for name in ("BIPOLAR", "BINARY", "INT2", "INT4", "INT8", "INT16", "UINT2", "UINT4", "UINT8")
)


def integers(dtype: BaseDataType, shape: tuple[int, ...], rng: np.random.Generator) -> IntArray:
    """Random values of a type."""
    if dtype == BIPOLAR:
        return 2 * rng.integers(0, 2, shape) - 1
    return rng.integers(int(dtype.min()), int(dtype.max()) + 1, shape)


def mvau(mw: int, mh: int, x: str, w: str, steps: int, simd: int, pe: int, ram_style: str = "auto") -> MVAU:
    """With `steps` thresholds per row in the middle third of the accumulator's range; 0 for none."""
    rng, types = np.random.default_rng(0), (DataType[x], DataType[w])
    weights = integers(types[1], (mw, mh), rng)
    acc = MVAU((1, mw), types[0], weights, types[1], DataType["INT64"]).accumulator
    low, high = int(acc.min()), int(acc.max())
    third = (high - low) // 3
    thresholds = np.sort(rng.integers(low + third, high - third + 1, (mh, steps)), axis=1) if steps else None
    out = DataType.spanning(0, steps) if steps else acc
    return MVAU((1, mw), types[0], weights, types[1], out, thresholds, SIMD=simd, PE=pe, ram_style=ram_style)


def vvau(k: int, channels: int, x: str, w: str, steps: int, simd: int, pe: int) -> VVAU:
    """With `steps` thresholds for all channels; 0 for none."""
    rng, types = np.random.default_rng(0), (DataType[x], DataType[w])
    weights, shape = integers(types[1], (k, channels), rng), (1, 7, 7, k * channels)
    acc = VVAU(shape, types[0], weights, types[1], DataType["INT64"]).accumulator
    thresholds = np.sort(rng.integers(int(acc.min()), int(acc.max()), (channels, steps)), axis=1) if steps else None
    out = DataType.spanning(0, steps) if steps else acc
    return VVAU(shape, types[0], weights, types[1], out, thresholds, SIMD=simd, PE=pe)


def thresholding(channels: int, x: str, steps: int, pe: int, rows: int) -> Thresholding:
    """With `steps` thresholds for each channel (rows = channels) or for all alike (rows = 1)."""
    values = np.sort(integers(DataType[x], (rows, steps), np.random.default_rng(0)), axis=1)
    return Thresholding((1, channels), DataType[x], values, DataType.spanning(0, steps), PE=pe)


def requant(channels: int, x: BaseDataType, bits: int, pe: int, style: str = "auto") -> Requant:
    """Multipliers of `bits` bits and offsets of twice as many, to INT8."""
    rng = np.random.default_rng(0)
    m, b = rng.integers(1, 2**bits, channels), rng.integers(-(2 ** (2 * bits)), 2 ** (2 * bits), channels)
    return Requant((1, 8, 8, channels), x, m, bits + x.bitwidth() - 8, b, INT8, PE=pe, ram_style=style)


def channelwise(function: str, x: BaseDataType, p: BaseDataType, channels: int, pe: int) -> ChannelwiseOp:
    values = integers(p, (channels,), np.random.default_rng(0))
    return ChannelwiseOp((1, 8, 8, channels), function, x, values, p, PE=pe)


def window(
    size: int, c: int, x: BaseDataType, k: int, simd: int, depthwise: int = 0, parallel: int = 0, stride: int = 1
) -> ConvolutionInputGenerator:
    return ConvolutionInputGenerator(
        (1, size, size, c), x, (k, k), (stride, stride), (1, 1), depthwise, SIMD=simd, parallel_window=parallel
    )


def lookup(entries: int, x: BaseDataType, out: BaseDataType, pe: int, width: int = 0, offset: int = 0) -> Lookup:
    table = integers(out, (entries, width) if width else (entries,), np.random.default_rng(0))
    return Lookup((1, 16), x, table, out, offset, PE=pe)


def elementwise(
    function: str, a: BaseDataType, b: BaseDataType, pe: int, rhs: Sequence[int] = (8, 8, 16)
) -> Elementwise:
    return Elementwise((1, 8, 8, 16), (1, *rhs), function, a, b, PE=pe)


LAYERS: dict[str, Layer] = {
    "MVAU 784 x 64, bipolar, 1 threshold, SIMD 49, PE 16": mvau(784, 64, "BIPOLAR", "BIPOLAR", 1, 49, 16),
    "MVAU 64 x 64, bipolar, 1 threshold, SIMD 8, PE 16": mvau(64, 64, "BIPOLAR", "BIPOLAR", 1, 8, 16),
    "MVAU 64 x 10, bipolar, unfolded": mvau(64, 10, "BIPOLAR", "BIPOLAR", 0, 64, 10),
    "MVAU 64 x 64, UINT2 x INT2, 3 thresholds, SIMD 8, PE 8": mvau(64, 64, "UINT2", "INT2", 3, 8, 8),
    "the same, ram_style block": mvau(64, 64, "UINT2", "INT2", 3, 8, 8, "block"),
    "MVAU 32 x 32, INT8 x INT8, SIMD 4, PE 2": mvau(32, 32, "INT8", "INT8", 0, 4, 2),
    "MVAU 72 x 16, UINT4 x INT4, 15 thresholds, SIMD 9, PE 2": mvau(72, 16, "UINT4", "INT4", 15, 9, 2),
    "MVAU 144 x 32, UINT2 x BIPOLAR, 3 thresholds, SIMD 16, PE 4": mvau(144, 32, "UINT2", "BIPOLAR", 3, 16, 4),
    "MVAU 27 x 64, INT8 x BIPOLAR, 1 threshold, SIMD 3, PE 16": mvau(27, 64, "INT8", "BIPOLAR", 1, 3, 16),
    "MVAU 576 x 64, bipolar, 1 threshold, SIMD 32, PE 8": mvau(576, 64, "BIPOLAR", "BIPOLAR", 1, 32, 8),
    "MVAU 1152 x 256, bipolar, 1 threshold, SIMD 32, PE 4": mvau(1152, 256, "BIPOLAR", "BIPOLAR", 1, 32, 4),
    "MVAU 2304 x 256, bipolar, 1 threshold, SIMD 32, PE 1": mvau(2304, 256, "BIPOLAR", "BIPOLAR", 1, 32, 1),
    "MVAU 512 x 512, bipolar, 1 threshold, SIMD 8, PE 1": mvau(512, 512, "BIPOLAR", "BIPOLAR", 1, 8, 1),
    "MVAU 54 x 12, UINT4 x INT4, 15 thresholds, SIMD 6, PE 2": mvau(54, 12, "UINT4", "INT4", 15, 6, 2),
    "MVAU 27 x 16, UINT8 x INT4, 15 thresholds, SIMD 27, PE 1": mvau(27, 16, "UINT8", "INT4", 15, 27, 1),
    "MVAU 256 x 64, UINT4 x INT4, 15 thresholds, SIMD 16, PE 4": mvau(256, 64, "UINT4", "INT4", 15, 16, 4),
    "VVAU 3 x 3 of 64, UINT4 x INT4, 15 thresholds, SIMD 3, PE 4": vvau(9, 64, "UINT4", "INT4", 15, 3, 4),
    "VVAU 3 x 3 of 16, UINT4 x INT4, 15 thresholds, SIMD 1, PE 4": vvau(9, 16, "UINT4", "INT4", 15, 1, 4),
    "VVAU 3 x 3 of 32, UINT8 x INT8, SIMD 9, PE 1": vvau(9, 32, "UINT8", "INT8", 0, 9, 1),
    "VVAU 3 x 3 of 16, UINT2 x INT2, 3 thresholds, SIMD 3, PE 8": vvau(9, 16, "UINT2", "INT2", 3, 3, 8),
    "Thresholding 784 UINT8, 1 threshold for all, PE 16": thresholding(784, "UINT8", 1, 16, 1),
    "Thresholding 64 INT12, 15 thresholds, PE 2": thresholding(64, "INT12", 15, 2, 64),
    "Thresholding 64 INT16, 3 thresholds, PE 8": thresholding(64, "INT16", 3, 8, 64),
    "Thresholding 16 INT8, 7 thresholds, unfolded": thresholding(16, "INT8", 7, 16, 16),
    "LabelSelect 10 INT8, K 1, PE 1": LabelSelect((1, 10), INT8, 1, 1),
    "LabelSelect 10 INT8, K 3, PE 5": LabelSelect((1, 10), INT8, 3, 5),
    "LabelSelect 1000 INT16, K 5, PE 1": LabelSelect((1, 1000), INT16, 5, 1),
    "LabelSelect 1000 INT16, K 1, PE 4": LabelSelect((1, 1000), INT16, 1, 4),
    "Width converter 16 to 49 UINT2": StreamingDataWidthConverter((1, 784), UINT2, 16, 49),
    "Width converter 32 to 1 UINT4": StreamingDataWidthConverter((1, 64), UINT4, 32, 1),
    "Width converter 3 to 27 UINT8": StreamingDataWidthConverter((1, 27), UINT8, 3, 27),
    "Width converter 64 to 8 UINT2": StreamingDataWidthConverter((1, 64), UINT2, 64, 8),
    "FIFO 64 x 32 bit": StreamingFIFO((1, 64), UINT4, 8, 64),
    "FIFO 512 x 64 bit": StreamingFIFO((1, 64), UINT4, 16, 512),
    "FIFO 32 x 8 bit": StreamingFIFO((1, 64), UINT4, 2, 32),
    "FIFO 4096 x 16 bit": StreamingFIFO((1, 64), UINT4, 4, 4096),
    "Window 3 x 3 of 16 x 16 x 16 UINT4, SIMD 4": window(16, 16, UINT4, 3, 4),
    "Window 3 x 3 of 32 x 32 x 3 UINT8, SIMD 3": window(32, 3, UINT8, 3, 3),
    "Window 3 x 3 of 16 x 16 x 32 UINT2, stride 2, SIMD 32": window(16, 32, UINT2, 3, 32, stride=2),
    "Window 3 x 3 of 16 x 16 x 16 UINT4, depthwise, SIMD 4": window(16, 16, UINT4, 3, 4, 1),
    "Window 3 x 3 of 16 x 16 x 4 UINT4, all at once": window(16, 4, UINT4, 3, 4, 0, 1),
    "Window 3 x 3 of 16 x 16 x 16 UINT4, depthwise, all of 4 at once": window(16, 16, UINT4, 3, 4, 1, 1),
    "Window 5 x 5 of 28 x 28 x 1 UINT8, all at once": window(28, 1, UINT8, 5, 1, 0, 1),
    "StreamingMaxPool 2 x 2 of 16 x 16 x 16 UINT4, PE 4": StreamingMaxPool((1, 16, 16, 16), UINT4, (2, 2), PE=4),
    "StreamingMaxPool 2 x 2 of 32 x 32 x 64 UINT2, PE 16": StreamingMaxPool((1, 32, 32, 64), UINT2, (2, 2), PE=16),
    "StreamingMaxPool 3 x 3 of 15 x 15 x 8 INT8, PE 8": StreamingMaxPool((1, 15, 15, 8), INT8, (3, 3), PE=8),
    "StreamingMaxPool 2 x 2 of 8 x 8 x 32 BINARY, PE 32": StreamingMaxPool((1, 8, 8, 32), BINARY, (2, 2), PE=32),
    "Pool, largest of 9, 16 UINT4, PE 4": Pool((1, 7, 7, 9 * 16), UINT4, 9, "MaxPool", PE=4),
    "Pool, sum of 4, 32 UINT8, PE 8": Pool((1, 7, 7, 4 * 32), UINT8, 4, "AccPool", PE=8),
    "Pool, mean of 4, 16 UINT4, PE 16": Pool((1, 7, 7, 4 * 16), UINT4, 4, "QuantAvgPool", 2, PE=16),
    "GlobalAccPool of 7 x 7 x 64 UINT4, PE 1": GlobalAccPool((1, 7, 7, 64), UINT4, "sum", PE=1),
    "GlobalAccPool of 7 x 7 x 64 UINT4, PE 16": GlobalAccPool((1, 7, 7, 64), UINT4, "sum", PE=16),
    "GlobalAccPool of 4 x 4 x 8 INT8, largest, PE 8": GlobalAccPool((1, 4, 4, 8), INT8, "max", PE=8),
    "Add of INT8 and INT8, PE 4": elementwise("Add", INT8, INT8, 4),
    "Add of UINT4 and INT8, PE 16": elementwise("Add", UINT4, INT8, 16),
    "Mul of INT8 and INT8, PE 2": elementwise("Mul", INT8, INT8, 2),
    "Mul of INT16 and INT8, PE 2": elementwise("Mul", INT16, INT8, 2),
    "Mul of UINT4 and UINT4, PE 8": elementwise("Mul", UINT4, UINT4, 8),
    "Mul of INT8 and a UINT8 per channel, PE 4": elementwise("Mul", INT8, UINT8, 4, (1, 1, 16)),
    "Sub of INT8 and INT8, PE 8": elementwise("Sub", INT8, INT8, 8),
    "Max of INT8 and INT8, PE 8": elementwise("Max", INT8, INT8, 8),
    "Add of a constant INT8 per channel to INT16, PE 4": channelwise("Add", INT16, INT8, 64, 4),
    "Add of a constant INT8 per channel to INT8, PE 16": channelwise("Add", INT8, INT8, 64, 16),
    "Mul of INT8 with a constant INT8 per channel, PE 4": channelwise("Mul", INT8, INT8, 64, 4),
    "Mul of UINT4 with a constant INT4 per channel, PE 8": channelwise("Mul", UINT4, INT4, 64, 8),
    "Requant INT16 by 8 bits, 64 channels, PE 2": requant(64, INT16, 8, 2),
    "Requant INT16 by 16 bits, 64 channels, PE 4": requant(64, INT16, 16, 4),
    "Requant INT8 by 4 bits, 16 channels, PE 4": requant(16, INT8, 4, 4),
    "Requant INT16 by 8 bits, 16 channels, unfolded": requant(16, INT16, 8, 16),
    "Lookup of 256 INT8, PE 1": lookup(256, UINT8, INT8, 1),
    "Lookup of 256 INT8, PE 4": lookup(256, UINT8, INT8, 4),
    "Lookup of 16 INT8 by UINT4, PE 16": lookup(16, UINT4, INT8, 16),
    "Lookup of 100 rows of 32 INT4, PE 8": lookup(100, UINT8, INT4, 8, 32),
    "FMPadding of 1, 16 x 16 x 16 UINT4, SIMD 4": FMPadding((1, 16, 16, 16), UINT4, SIMD=4, pads=(1, 1, 1, 1)),
    "FMPadding of 1, 32 x 32 x 64 UINT2, SIMD 64": FMPadding((1, 32, 32, 64), UINT2, SIMD=64, pads=(1, 1, 1, 1)),
    "FMPadding of 3, 28 x 28 x 1 INT8": FMPadding((1, 28, 28, 1), INT8, SIMD=1, pads=(3, 3, 3, 3)),
    "FMPadding_Pixel by 2, 8 x 8 x 16 UINT4, SIMD 4": FMPadding_Pixel((1, 8, 8, 16), UINT4, SIMD=4, strides=(2, 2)),
    "FMPadding_Pixel by 2, 8 x 8 x 64 UINT4, SIMD 32": FMPadding_Pixel((1, 8, 8, 64), UINT4, SIMD=32, strides=(2, 2)),
    "Crop of 1, 16 x 16 x 16 UINT4, SIMD 4": Crop((1, 16, 16, 16), UINT4, SIMD=4, crops=(1, 1, 1, 1)),
    "Crop of 2, 32 x 32 x 64 UINT4, SIMD 32": Crop((1, 32, 32, 64), UINT4, SIMD=32, crops=(2, 2, 2, 2)),
    "DownSampler by 2, 16 x 16 x 16 UINT4, SIMD 4": DownSampler((1, 16, 16, 16), UINT4, SIMD=4, strides=(2, 2)),
    "DownSampler by 2, 32 x 32 x 64 UINT4, SIMD 32": DownSampler((1, 32, 32, 64), UINT4, SIMD=32, strides=(2, 2)),
    "Upsample by 2, 8 x 8 x 16 UINT4, SIMD 4": UpsampleNearestNeighbour((1, 8, 8, 16), UINT4, (16, 16), SIMD=4),
    "Upsample by 2, 14 x 14 x 32 UINT4, SIMD 32": UpsampleNearestNeighbour((1, 14, 14, 32), UINT4, (28, 28), SIMD=32),
    "DuplicateStreams of 32 bits, 2 copies": DuplicateStreams((1, 64), UINT4, 2, PE=8),
    "DuplicateStreams of 16 bits, 4 copies": DuplicateStreams((1, 64), UINT4, 4, PE=4),
    "StreamingConcat of 32 and 32 UINT4, SIMD 8": StreamingConcat((1, 4, 4, 64), (UINT4, UINT4), (32, 32), SIMD=8),
    "StreamingConcat of 16, 32 and 16 INT8, SIMD 4": StreamingConcat((1, 4, 4, 64), (INT8,) * 3, (16, 32, 16), SIMD=4),
    "StreamingSplit to 32 and 32 UINT4, SIMD 8": StreamingSplit((1, 4, 4, 64), UINT4, (32, 32), SIMD=8),
    "StreamingSplit to 16, 32 and 16 INT8, SIMD 4": StreamingSplit((1, 4, 4, 64), INT8, (16, 32, 16), SIMD=4),
    "CheckSum of 32 bits": CheckSum((1, 64), UINT4, 8),
    "CheckSum of 64 bits": CheckSum((1, 64), UINT8, 8),
}
