"""Sliding windows: their meaning by plain loops, their time under back-pressure, and the size of their memories."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import LAYERS, frames

from finn.core.datatype import DataType
from finn.dataflow import timing
from finn.dataflow.graph import Instance, evaluate, make_graph
from finn.dataflow.layer import IntArray, Layer, LayerError
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl import Simulator, stitch

INT4, INT2, INT12 = (DataType[name] for name in ("INT4", "INT2", "INT12"))
FRAMES = 6


def windows(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
    dilations: tuple[int, ...] | None = None,
    channels: int = 4,
    **options: int | str,
) -> ConvolutionInputGenerator:
    once = (1,) * len(kernel)
    shape = (1, *size, channels)
    return ConvolutionInputGenerator(shape, INT4, kernel, strides or once, dilations or once, **options)  # type: ignore[arg-type]


SHAPES = {
    "3 x 3": windows((6, 5), (3, 3)),
    "stride": windows((9, 8), (3, 2), (2, 3)),
    "stride beyond the kernel": windows((9, 11), (1, 2), (4, 5)),
    "dilation": windows((8, 9), (3, 2), (1, 2), (3, 5)),
    "the whole image": windows((3, 4), (3, 4)),
    "one pixel": windows((4, 3), (1, 1), (2, 2)),
    "one axis": windows((9,), (3,), (2,), (2,)),
    "one channel": windows((5, 5), (2, 2), (2, 2), channels=1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_windows_are_those_of_plain_loops(name: str) -> None:
    layer = SHAPES[name]
    x = frames(layer.inputs[0], 2, np.random.default_rng(0))
    y = layer.results(x)[0]
    assert y.shape == (2, *layer.outputs[0].shape[1:])
    for place in np.ndindex(y.shape[:-1]):
        corner = [n * s for n, s in zip(place[1:], layer.strides, strict=True)]
        offsets = [np.arange(k) * d for k, d in zip(layer.kernel, layer.dilations, strict=True)]
        pixels = itertools.product(*(c + o for c, o in zip(corner, offsets, strict=True)))
        expected = [x[(place[0], *pixel, c)] for pixel in pixels for c in range(layer.channels)]
        assert y[place].tolist() == expected


def test_depthwise_order_of_beats() -> None:
    """Two pixels of four channels, two per beat: both positions of channels 0 and 1, then those of channels 2 and 3."""
    y = np.arange(8)
    serial = windows((2,), (2,), depthwise=1, SIMD=2).outputs[0]
    assert serial.to_beats(y).tolist() == [[0, 1], [4, 5], [2, 3], [6, 7]]
    parallel = windows((2,), (2,), depthwise=1, SIMD=2, parallel_window=1).outputs[0]
    assert parallel.to_beats(y).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]
    together = windows((2,), (2,), SIMD=4, parallel_window=1).outputs[0]
    assert together.to_beats(y).tolist() == [list(range(8))]


# Time


@settings(max_examples=100, deadline=None, derandomize=True)
@given(LAYERS["ConvolutionInputGenerator"]())
def test_cycles_follow_from_the_schedule(layer: Layer) -> None:
    """`cycles` is a closed form; the schedule, beat by beat, says the same."""
    times = timing.simulate([Instance("layer", layer, ("x",), ("y",))], 9)
    assert times.interval == layer.cycles


@pytest.mark.parametrize(
    ("layer", "cycles"),
    [
        (windows((32, 32), (3, 3), channels=3, SIMD=3), 30 * 30 * 9 + 31),  # the second row has to come in
        (windows((32, 32), (3, 3), channels=3, SIMD=3, parallel_window=1), 32 * 32),
        (windows((4, 4), (4, 4), SIMD=4), 16),  # read as it comes in
        (windows((8, 8), (2, 2), (2, 2), SIMD=1), 8 * 8 * 4),
        (windows((224, 224), (1, 1), (2, 2), SIMD=2), 224 * 224 * 2),
    ],
)
def test_cycles(layer: Layer, cycles: int) -> None:
    assert layer.cycles == cycles


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LAYERS["ConvolutionInputGenerator"]())
def test_never_slower_than_the_sum_of_reading_and_filling(layer: ConvolutionInputGenerator) -> None:
    """The first window comes in; each row of windows is read, no faster than its new pixels come; the rest is dropped.

    With FINN's sliding window unit (get_exp_cycles of convolutioninputgenerator_rtl) the first two are the estimate.
    """
    s, folds = layer.sliding, layer.channels // layer.SIMD
    row = max(s.counts[1] * s.kernel[0] * s.kernel[1] * folds, s.strides[0] * s.size[1] * folds)
    passed_over = layer.inputs[0].beats - (s.counts[0] - 1) * s.strides[0] * s.size[1] * folds - s.span * folds
    waiting = (folds - 1) * (s.kernel[0] * s.kernel[1] - 1) if layer.depthwise else 0
    assert layer.cycles <= s.counts[0] * row + s.span * folds + max(0, passed_over) + waiting + 2


def consumer(layer: ConvolutionInputGenerator) -> Layer:
    """Slower than the windows: a matrix with three results per vector, or one position at a time."""
    stream = layer.outputs[0]
    if stream.order is not None:
        channels = stream.lanes // stream.taps
        return StreamingDataWidthConverter(stream.shape, INT4, stream.lanes, channels, stream.window, channels)
    weights = np.ones((stream.shape[-1], 3), np.int64)
    return MVAU(stream.shape, INT4, weights, INT2, INT12, SIMD=stream.lanes)


def chains() -> list[list[Layer]]:
    """Windows behind a slow producer, in front of a slow consumer, and between both."""
    found: list[list[Layer]] = []
    for depthwise, parallel in itertools.product((0, 1), (0, 1)):
        options = {"depthwise": depthwise, "parallel_window": parallel, "SIMD": 4 if parallel and not depthwise else 2}
        for size, kernel, strides in (((5, 6), (3, 3), (1, 1)), ((6, 7), (2, 2), (3, 2)), ((9,), (3,), (1,))):
            layer = windows(size, kernel, strides, **options)
            producer = StreamingDataWidthConverter(layer.shape, INT4, 1, layer.SIMD)
            found += [[producer, layer], [layer, consumer(layer)], [producer, layer, consumer(layer)]]
    return found


def test_schedules_hold_under_back_pressure() -> None:
    placed = [
        Instance(f"n{c}_{k}", layer, (f"t{c}_{k}",), (f"t{c}_{k + 1}",))
        for c, chain in enumerate(chains())
        for k, layer in enumerate(chain)
    ]
    model = make_graph(placed)
    times = timing.of_graph(model, FRAMES)
    design = stitch(model)
    rng = np.random.default_rng(1)
    inputs = [frames(p.stream, FRAMES, rng) for p in design.inputs]
    with Simulator(design, assertions=True) as sim:
        result = sim.run(*inputs)
    values = evaluate(model, *inputs)
    for port, y in zip(design.outputs, result.outputs, strict=True):
        np.testing.assert_array_equal(y, values[port.tensor], port.tensor)
    # The run ends with the last output beat, which may be before the last pixels of the last frame are dropped.
    sides = ((design.inputs, result.entered, FRAMES - 1), (design.outputs, result.left, FRAMES))
    for ports, passages, whole in sides:
        for port, passage in zip(ports, passages, strict=True):
            expected = times.passed[port.tensor]
            np.testing.assert_array_equal(passage.first, expected[:, 0], port.tensor)
            np.testing.assert_array_equal(passage.last[:whole], expected[:whole, -1], port.tensor)


# Cost


def test_ring_is_a_window_and_little_more() -> None:
    """Of an image 224 wide two rows and three pixels, rounded up; of a kernel as large as the image the image."""
    depths = [
        layer.rtl().parameters["Depth"]
        for layer in (windows((224, 224), (3, 3), SIMD=4), windows((224, 224), (3, 3), SIMD=1), windows((4, 4), (4, 4)))
    ]
    assert depths == [480, 1824, 64]


def test_strides_need_room_for_the_rows_between() -> None:
    """The row of pixels that is new with each row of windows comes in while the row before is read."""
    one, two = (windows((64, 64), (3, 3), (s, s), SIMD=4).rtl().parameters["Depth"] for s in (1, 2))
    assert (one, two) == (160, 192)


def test_memory_styles() -> None:
    layer = windows((56, 56), (3, 3), channels=64, SIMD=16)
    for parallel in (0, 1):
        options = {"depthwise": 1, "parallel_window": parallel}
        ways = {
            style: windows((56, 56), (3, 3), channels=64, SIMD=16, ram_style=style, **options)
            for style in ("auto", "block", "distributed", "ultra")
        }
        used = {style: way.resources() for style, way in ways.items()}
        assert used["block"].BRAM_18K > 0 == used["block"].URAM
        assert used["distributed"].BRAM_18K == used["distributed"].URAM == 0
        assert used["ultra"].URAM > 0 == used["ultra"].BRAM_18K
        assert ways["ultra"].resources("xc7z020clg400-1") == ways["block"].resources("xc7z020clg400-1")
        assert ways["ultra"].resources("xczu7ev-ffvc1156-2-e").URAM == used["ultra"].URAM
        assert set(ways["auto"].alternatives()) == set(used.values())
    assert len({layer.with_config(ram_style=s).cycles for s in ("auto", "block", "distributed", "ultra")}) == 1


ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "kernel of three axes": (
        lambda: windows((4, 4, 4), (2, 2, 2)),
        "ConvolutionInputGenerator: a kernel [2, 2, 2] (images have one or two spatial axes)",
    ),
    "kernel beyond the image": (
        lambda: windows((4, 4), (2, 3), dilations=(1, 2)),
        "ConvolutionInputGenerator: no window of [2, 3] fits spatial axes of size [4, 4] "
        "(strides [1, 1], pads [0, 0, 0, 0], dilations [1, 2])",
    ),
    "stride of 0": (
        lambda: windows((4, 4), (2, 2), (0, 1)),
        "ConvolutionInputGenerator: strides [0, 1] has an entry below 1",
    ),
    "axes": (
        lambda: windows((4,), (2, 2)),
        "ConvolutionInputGenerator: a kernel [2, 2] does not fit spatial axes of size [4]",
    ),
    "depthwise": (
        lambda: windows((4,), (2,), depthwise=2),
        "ConvolutionInputGenerator: depthwise=2 (it is a mark). Remedy: use 0 or 1",
    ),
    "parallel": (
        lambda: windows((4, 4), (2, 2), SIMD=2, parallel_window=1),
        "ConvolutionInputGenerator: parallel_window=1 with SIMD=2 of 4 channels (a beat is a whole window). "
        "Remedy: use SIMD=4, or parallel_window=0",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    make, message = ERRORS[name]
    with pytest.raises(LayerError) as caught:
        make()
    assert str(caught.value) == message


def test_wide_beats() -> None:
    """A wide beat: 9 positions of 32 channels of 12 bits, 3456 bits, agrees with NumPy through the RTL."""
    layer = ConvolutionInputGenerator((1, 5, 5, 32), INT12, (3, 3), (1, 1), (1, 1), SIMD=32, parallel_window=1)
    x: IntArray = frames(layer.inputs[0], 3, np.random.default_rng(2))
    with Simulator(stitch(make_graph([Instance("wide", layer, ("x",), ("y",))])), assertions=True) as sim:
        np.testing.assert_array_equal(sim.run(x, back_pressure=0.4).outputs[0], layer.results(x)[0])
