# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Bipolar weights, which the simulation keeps as bits, against NumPy."""

from __future__ import annotations

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.graph import Instance, make_graph
from finn.dataflow.layers.mvau import MVAU
from finn.hls import CppSimulator

BIPOLAR = DataType["BIPOLAR"]
SIMD = (1, 7, 8, 9, 63, 64, 65, 130)
"""Bits are packed eight by eight, into words of 64."""


def test_bipolar_weights() -> None:
    """With bipolar inputs, whose bits are compared, and with integers, which are multiplied."""
    rng = np.random.default_rng(0)
    layers = [mvau(rng, dtype, simd) for dtype in (BIPOLAR, DataType["INT4"]) for simd in SIMD]
    placed = [Instance(f"layer_{k}", layer, (f"x{k}",), (f"y{k}",)) for k, layer in enumerate(layers)]
    simulator = CppSimulator(make_graph(placed))
    inputs = [values(rng, layer.inputs[0].dtype, (5, *layer.inputs[0].shape[1:])) for layer in layers]
    for layer, x, y in zip(layers, inputs, simulator.run(*inputs), strict=True):
        np.testing.assert_array_equal(y, layer.results(x)[0], str(layer))


def mvau(rng: np.random.Generator, dtype: BaseDataType, simd: int) -> MVAU:
    weights = values(rng, BIPOLAR, (2 * simd, 6))
    return MVAU((1, 2 * simd), dtype, weights, BIPOLAR, DataType["INT13"], SIMD=simd, PE=3)


def values(rng: np.random.Generator, dtype: BaseDataType, shape: tuple[int, ...]) -> np.ndarray:
    if dtype == BIPOLAR:
        return rng.choice([-1, 1], shape)
    return rng.integers(int(dtype.min()), int(dtype.max()) + 1, shape)
