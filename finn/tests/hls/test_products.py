# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Sums of products against NumPy: compilers make instructions of them that depend on types and lengths."""

from __future__ import annotations

from itertools import product

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.graph import Instance, make_graph
from finn.dataflow.layers.mvau import MVAU
from finn.hls import CppSimulator

TYPES = [
    ("BIPOLAR", "BIPOLAR"),
    ("BIPOLAR", "INT5"),
    ("INT4", "BIPOLAR"),
    ("UINT2", "INT2"),
    ("INT2", "INT3"),
    ("UINT4", "UINT3"),
    ("INT8", "INT8"),
    ("INT12", "UINT9"),
    ("UINT17", "INT17"),
]
"""Of inputs and weights: bits, which are counted; what fits in bytes, in 16 bits, and in no `int`."""
SIMD = (1, 7, 9, 17, 64, 130)
"""Bits stand eight by eight in words of 64; loops become instructions on 8 elements and more."""


def test_mvau() -> None:
    rng = np.random.default_rng(0)
    layers = [mvau(rng, DataType[x], DataType[w], simd) for (x, w), simd in product(TYPES, SIMD)]
    placed = [Instance(f"layer_{k}", layer, (f"x{k}",), (f"y{k}",)) for k, layer in enumerate(layers)]
    simulator = CppSimulator(make_graph(placed))
    inputs = [values(rng, layer.inputs[0].dtype, (5, *layer.inputs[0].shape[1:])) for layer in layers]
    for layer, x, y in zip(layers, inputs, simulator.run(*inputs), strict=True):
        np.testing.assert_array_equal(y, layer.results(x)[0], str(layer))


def mvau(rng: np.random.Generator, dtype: BaseDataType, weight_dtype: BaseDataType, simd: int) -> MVAU:
    weights = values(rng, weight_dtype, (2 * simd, 6))
    return MVAU((1, 2 * simd), dtype, weights, weight_dtype, DataType["INT48"], SIMD=simd, PE=3)


def values(rng: np.random.Generator, dtype: BaseDataType, shape: tuple[int, ...]) -> np.ndarray:
    if dtype == DataType["BIPOLAR"]:
        return rng.choice([-1, 1], shape)
    return rng.integers(int(dtype.min()), int(dtype.max()) + 1, shape)
