# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Compare the layers' resource estimates with what Yosys makes of them: prints the table of docs/costs.md.

A layer stands behind a FIFO that belongs to no figure: alone, its few registers would let Yosys trade area for a short
path that no design needs. Weights and thresholds are random. Takes about five minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layer import IntArray, Layer, Resources
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl import stitch
from finn.synth import synthesize

PARTS = {"UltraScale+": "xczu3eg-sbva484-1-e", "ECP5": "LFE5U-85F-6BG381C"}


def integers(dtype: BaseDataType, shape: tuple[int, ...], rng: np.random.Generator) -> IntArray:
    """Random values of a type."""
    if dtype == DataType["BIPOLAR"]:
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


def thresholding(channels: int, x: str, steps: int, pe: int, rows: int) -> Thresholding:
    """With `steps` thresholds for each channel (rows = channels) or for all alike (rows = 1)."""
    values = np.sort(integers(DataType[x], (rows, steps), np.random.default_rng(0)), axis=1)
    return Thresholding((1, channels), DataType[x], values, DataType.spanning(0, steps), PE=pe)


LAYERS: dict[str, Layer] = {
    "MVAU 784 x 64, bipolar, 1 threshold, SIMD 49, PE 16": mvau(784, 64, "BIPOLAR", "BIPOLAR", 1, 49, 16),
    "MVAU 64 x 64, bipolar, 1 threshold, SIMD 8, PE 16": mvau(64, 64, "BIPOLAR", "BIPOLAR", 1, 8, 16),
    "MVAU 64 x 10, bipolar, unfolded": mvau(64, 10, "BIPOLAR", "BIPOLAR", 0, 64, 10),
    "MVAU 64 x 64, UINT2 x INT2, 3 thresholds, SIMD 8, PE 8": mvau(64, 64, "UINT2", "INT2", 3, 8, 8),
    "the same, ram_style block": mvau(64, 64, "UINT2", "INT2", 3, 8, 8, "block"),
    "MVAU 32 x 32, INT8 x INT8, SIMD 4, PE 2": mvau(32, 32, "INT8", "INT8", 0, 4, 2),
    "Thresholding 784 UINT8, 1 threshold for all, PE 16": thresholding(784, "UINT8", 1, 16, 1),
    "Thresholding 64 INT12, 15 thresholds, PE 2": thresholding(64, "INT12", 15, 2, 64),
    "LabelSelect 10 INT8, K 1, PE 1": LabelSelect((1, 10), DataType["INT8"], 1, 1),
    "LabelSelect 10 INT8, K 3, PE 5": LabelSelect((1, 10), DataType["INT8"], 3, 5),
    "Width converter 16 to 49 UINT2": StreamingDataWidthConverter((1, 784), DataType["UINT2"], 16, 49),
    "Width converter 32 to 1 UINT4": StreamingDataWidthConverter((1, 64), DataType["UINT4"], 32, 1),
    "FIFO 64 x 32 bit": StreamingFIFO((1, 64), DataType["UINT4"], 8, 64),
    "FIFO 512 x 64 bit": StreamingFIFO((1, 64), DataType["UINT4"], 16, 512),
}


def synthesized(layer: Layer, part: str) -> Resources:
    """What Yosys makes of `layer`, a RAMB36 counted as two RAMB18."""
    stream = layer.inputs[0]
    before = StreamingFIFO(stream.shape, stream.dtype, stream.lanes, 64)
    design = stitch(make_model([("before_0", before), ("layer_0", layer)]))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        design.write(directory / "design")
        sources = sorted((directory / "design").glob("*.sv"))
        result = synthesize(sources, design.name, part, directory / "work")
    used = {kind: n - result.per_instance["before_0"][kind] for kind, n in result.resources.items()}
    return Resources(LUT=used["LUT"], BRAM_18K=used["BRAM_18K"] + 2 * used["BRAM_36K"], DSP=used["DSP"])


def main() -> None:
    print("| layer |" + "".join(f" {name} LUT | | BRAM_18K |" for name in PARTS))
    print("|---|" + "--:|--:|--:|" * len(PARTS))
    for name, layer in LAYERS.items():
        row = f"| {name} |"
        for part in PARTS.values():
            estimate, found = layer.resources(part), synthesized(layer, part)
            deviation = estimate.LUT / found.LUT - 1
            row += f" {estimate.LUT} / {found.LUT} | {deviation:+.0%} | {estimate.BRAM_18K} / {found.BRAM_18K} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
