"""Pooling layers: examples worked out by hand, types of results, messages, real sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from strategies import frames
from test_ladder import climb

from finn.core.datatype import DataType
from finn.dataflow.graph import Instance, evaluate, make_graph
from finn.dataflow.layer import Layer, LayerError
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from finn.dataflow.layers.pool import Pool
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from finn.rtl import Simulator, stitch

BIPOLAR, TERNARY, INT4, INT8, UINT4, UINT8 = (
    DataType[name] for name in ("BIPOLAR", "TERNARY", "INT4", "INT8", "UINT4", "UINT8")
)
IMAGE = [[0, 1, 2, 3, 9], [4, 5, 6, 7, 8], [-8, -7, -6, -5, -4]]

# (layer, input, output), of one frame.
EXAMPLES: dict[str, tuple[Layer, object, object]] = {
    "two windows of three positions, two channels": (
        Pool((1, 2, 6), INT4, 3, "MaxPool"),
        [[1, -1, 5, -2, 3, -3], [-8, 0, -7, 1, -6, 2]],
        [[5, -1], [-6, 2]],
    ),
    "minimum": (Pool((1, 2, 3), INT4, 3, "MinPool"), [[1, 5, 3], [-8, -7, -6]], [[1], [-8]]),
    "sum": (Pool((1, 2, 3), INT4, 3, "AccPool"), [[1, 5, 3], [-8, -7, -6]], [[9], [-21]]),
    "average": (Pool((1, 2, 3), INT4, 3, "QuantAvgPool", 2), [[1, 5, 3], [-8, -7, -6]], [[2], [-6]]),
    "bipolar": (Pool((1, 2, 3), BIPOLAR, 3, "MaxPool"), [[-1, 1, -1], [-1, -1, -1]], [[1], [-1]]),
    "whole tiles": (StreamingMaxPool((1, 3, 5, 1), INT8, (2, 2)), IMAGE, [[5, 7]]),
    "partial tiles": (StreamingMaxPool((1, 3, 5, 1), INT8, (2, 2), 1), IMAGE, [[5, 7, 9], [-7, -5, -4]]),
    "a sequence": (StreamingMaxPool((1, 5, 1), INT8, (3,), 1), [0, 1, 2, 3, 9], [2, 9]),
    "global sum": (GlobalAccPool((1, 3, 5, 1), INT8), IMAGE, [15]),
    "global maximum": (GlobalAccPool((1, 3, 5, 1), INT8, "max"), IMAGE, [9]),
    "global minimum of two channels": (GlobalAccPool((1, 3, 2), INT8, "min"), [[1, 9], [-2, 8], [3, 7]], [-2, 7]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    layer, x, y = EXAMPLES[name]
    frame = np.array(x, np.int64).reshape(layer.inputs[0].shape)
    expected = np.array(y, np.int64).reshape(layer.outputs[0].shape[1:])
    two = layer.execute(np.concatenate([frame, frame]))
    np.testing.assert_array_equal(two, [expected] * 2)


def test_examples_climb_the_ladder() -> None:
    climb([layer for layer, _, _ in EXAMPLES.values()], seed=5)


def test_type_is_what_they_reach() -> None:
    for dtype, count, shift in itertools.product((BIPOLAR, TERNARY, INT4, UINT4), (1, 3, 4, 9), (0, 1, 2, 5)):
        low, high = int(dtype.min()), int(dtype.max())
        pool = Pool((1, count), dtype, count, "QuantAvgPool", shift)
        assert pool.outputs[0].dtype == DataType.spanning(low * count // 2**shift, high * count // 2**shift)
        assert Pool((1, count), dtype, count, "MinPool").outputs[0].dtype == dtype
    assert GlobalAccPool((1, 7, 7, 8), UINT8).outputs[0].dtype == DataType.spanning(0, 49 * 255)


def test_streaming_max_pool_is_pool_on_windows() -> None:
    """The same pixels by way of the windows of a convolution, in hardware, too."""
    streaming = StreamingMaxPool((1, 6, 9, 4), INT4, (2, 3), PE=2)
    windows = ConvolutionInputGenerator((1, 6, 9, 4), INT4, (2, 3), (2, 3), (1, 1), depthwise=1, SIMD=2)
    pool = Pool(windows.outputs[0].shape, INT4, 6, "MaxPool", PE=2)
    assert windows.outputs[0] == pool.inputs[0]
    model = make_graph([Instance("windows", windows, ("x",), ("w",)), Instance("pool", pool, ("w",), ("y",))])
    x = frames(streaming.inputs[0], 3, np.random.default_rng(0))
    np.testing.assert_array_equal(evaluate(model, x)["y"], streaming.execute(x))
    with Simulator(stitch(model), assertions=True) as sim:
        np.testing.assert_array_equal(sim.run(x).outputs[0], streaming.execute(x))


ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "window": (
        lambda: Pool((1, 10), INT4, 4, "MaxPool"),
        "Pool: window=4 for the shape (1, 10) (the last axis holds the channels of every position). "
        "Remedy: use a divisor of 10",
    ),
    "function": (
        lambda: Pool((1, 8), INT4, 4, "AvgPool"),
        "Pool: function='AvgPool' (it is not one of the choices). "
        "Remedy: use one of 'MaxPool', 'MinPool', 'AccPool', 'QuantAvgPool'",
    ),
    "shift": (
        lambda: Pool((1, 8), INT4, 4, "MaxPool", 1),
        "Pool: shift=1 of MaxPool. Remedy: use QuantAvgPool with a shift of 0 or more, or no shift",
    ),
    "PE": (
        lambda: Pool((1, 8), INT4, 4, "MaxPool", PE=4),
        "Pool: PE=4 does not divide channels=2 (each cycle has to do the same number of channels elements). "
        "Remedy: use one of 1, 2",
    ),
    "kernel": (
        lambda: StreamingMaxPool((1, 4, 3), INT4, (2, 2)),
        "StreamingMaxPool: kernel=[2, 2] for the shape (1, 4, 3). Remedy: give 1 integers of 1 or more",
    ),
    "large kernel": (
        lambda: StreamingMaxPool((1, 4, 4, 3), INT4, (2, 5)),
        "StreamingMaxPool: kernel=[2, 5] for the shape (1, 4, 4, 3) (no tile would be whole). "
        "Remedy: use a smaller kernel, or ceil_mode=1",
    ),
    "ceil_mode": (
        lambda: StreamingMaxPool((1, 4, 4, 3), INT4, (2, 2), 2),
        "StreamingMaxPool: ceil_mode=2 (it is a mark). Remedy: use 0 or 1",
    ),
    "no image": (
        lambda: GlobalAccPool((1, 8), INT4),
        "GlobalAccPool: an input of shape (1, 8) (images have one or two spatial axes). "
        "Remedy: use (1, H, W, C) or (1, T, C)",
    ),
    "mean": (
        lambda: GlobalAccPool((1, 4, 8), INT4, "mean"),
        "GlobalAccPool: function='mean' (it is not one of the choices). Remedy: use one of 'sum', 'max', 'min'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused(name: str) -> None:
    make, message = ERRORS[name]
    with pytest.raises(LayerError) as error:
        make()
    assert str(error.value) == message


REAL: list[Layer] = [
    Pool((1, 14, 14, 9 * 32), UINT8, 9, "QuantAvgPool", 3, PE=8),
    StreamingMaxPool((1, 28, 28, 32), UINT8, (2, 2), PE=8),
    StreamingMaxPool((1, 27, 29, 16), UINT8, (3, 3), 1, PE=16),
    GlobalAccPool((1, 7, 7, 512), UINT8, PE=16),
]


def test_real_sizes_take_one_cycle_per_input_beat() -> None:
    for layer in REAL:
        assert layer.cycles == layer.inputs[0].beats
    climb(REAL, seed=1)


def test_schedules_of_large_images_are_quick() -> None:
    layers = [
        Pool((1, 112, 112, 9 * 64), INT4, 9, "MaxPool", PE=8),
        StreamingMaxPool((1, 224, 224, 64), INT4, (2, 2), PE=8),
        StreamingMaxPool((1, 223, 225, 64), INT4, (2, 2), PE=8),
        GlobalAccPool((1, 224, 224, 64), INT4, PE=8),
    ]
    for layer in layers:
        start = perf_counter()
        schedule = layer.schedule()
        assert perf_counter() - start < 0.5
        assert schedule.steps * schedule.periods == layer.cycles


def test_costs_know_what_is_kept() -> None:
    """A row of the output for tiles of several rows; else one pixel, or a register."""

    def lut(*size: int, kernel: tuple[int, ...], pe: int) -> int:
        return StreamingMaxPool((1, *size, 64), UINT8, kernel, PE=pe, ram_style="distributed").resources().LUT

    assert lut(32, 64, kernel=(2, 2), pe=8) > lut(32, 64, kernel=(1, 2), pe=8) + 200
    assert GlobalAccPool((1, 32, 32, 2048), UINT8, PE=1).resources().BRAM_18K == 2
