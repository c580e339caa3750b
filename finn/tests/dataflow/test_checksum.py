"""Checksums: the same from NumPy and from RTL, and what FINN's header says they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import frames

from finn.core.datatype import DataType
from finn.dataflow.graph import Instance, make_graph
from finn.dataflow.layer import Stream, divisors
from finn.dataflow.layers.checksum import CheckSum, checksum
from finn.rtl import Simulator, stitch

# Lanes of 1, 2 and 0 modulo 3; values below, of and above 23 bits, and of more than two slices; bipolar.
LAYERS = [
    CheckSum((1, 5, 4), DataType["UINT8"], 4),
    CheckSum((1, 10), DataType["INT4"], 1),
    CheckSum((1, 3, 20), DataType["BIPOLAR"], 20),
    CheckSum((1, 6), DataType["INT23"], 3),
    CheckSum((1, 2, 6), DataType["INT24"], 2),
    CheckSum((1, 7), DataType["INT50"], 7),
    CheckSum((1, 18), DataType["INT7"], 6, window=9, taps=3),
]


def test_rtl_agrees() -> None:
    """After each frame, and with stalls; the number of the frame wraps at 256."""
    placed = [Instance(f"CheckSum_{k}", layer, (f"x{k}",), (f"y{k}",)) for k, layer in enumerate(LAYERS)]
    rng = np.random.default_rng(0)
    inputs = [frames(layer.inputs[0], 259, rng) for layer in LAYERS]
    expected = [checksum(x, layer.inputs[0]) for x, layer in zip(inputs, LAYERS, strict=True)]
    with Simulator(stitch(make_graph(placed)), assertions=True) as sim:
        for count, stall in ((1, 0.0), (2, 0.4), (5, 0.0), (256, 0.2), (259, 0.0)):
            found = sim.run(*(x[:count] for x in inputs), input_gaps=stall, back_pressure=stall, seed=count)
            assert found.checksums == {f"CheckSum_{k}": words[count - 1] for k, words in enumerate(expected)}


def test_word() -> None:
    """By hand: 1 * 1 + 2 * 2 + 3 * 255 + 1 * 4, twice; -1 of INT8 is 255."""
    x = np.array([[1, 2, -1, 4], [1, 2, -1, 4]])
    words = checksum(x, Stream((1, 4), DataType["INT8"], 2))
    assert [hex(word) for word in words] == ["0x306", "0x1000306"]


@pytest.mark.parametrize(
    ("dtype", "value", "sum_"),
    [
        ("UINT23", 2**23 - 1, 2**23 - 1),
        ("UINT24", 2**23, 1),  # bit 23 comes to bit 0
        ("INT24", -1, 2**23 - 2),  # all bits: 23 ones, and a one for bit 0
        ("UINT50", 2**46 + 2**23, 0),  # bits 46 and 23 meet in bit 0
        ("BIPOLAR", -1, 0),
        ("BIPOLAR", 1, 1),
    ],
)
def test_fold(dtype: str, value: int, sum_: int) -> None:
    assert checksum(np.array([[value]]), Stream((1, 1), DataType[dtype])).tolist() == [sum_]


@given(st.sampled_from(divisors(24)), st.sampled_from(divisors(24)), st.integers(0, 2**32 - 1))
def test_folding_does_not_matter(a: int, b: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-8, 8, (3, 2, 24))
    words = [checksum(x, Stream((1, 2, 24), DataType["INT4"], lanes)) for lanes in (a, b)]
    np.testing.assert_array_equal(*words)


def test_order_matters() -> None:
    x = np.arange(24).reshape(1, 24)
    swapped = x.copy()
    swapped[0, [3, 4]] = x[0, [4, 3]]
    stream = Stream((1, 24), DataType["UINT8"])
    assert checksum(x, stream) != checksum(swapped, stream)
