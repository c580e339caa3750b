"""Width converters, FIFOs and their depths, by schedules and by simulated RTL."""

from __future__ import annotations

import copy
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from networks import network

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import timing
from finn.dataflow.fifo import (
    BORDER,
    Edge,
    FifoSizing,
    Measurement,
    configured_depths,
    edges,
    insert_fifos,
    insert_width_converters,
    measured_fifos,
    size_fifos,
)
from finn.dataflow.folding import apply_config, set_folding
from finn.dataflow.graph import DataflowError, Instance, evaluate, instances, layers, make_graph, make_model
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.native import ToolMissing
from finn.rtl import Simulator, stitch

UINT2, INT4 = DataType["UINT2"], DataType["INT4"]
STEPS = np.array([[-3, 0, 4]])


def mvau(mw: int, mh: int, simd: int, pe: int) -> MVAU:
    weights = np.random.default_rng(mh).integers(-2, 2, (mw, mh))
    return MVAU((1, mw), UINT2, weights, DataType["INT2"], UINT2, STEPS, SIMD=simd, PE=pe)


def chain() -> ModelWrapper:
    return make_model([("MVAU_0", mvau(8, 12, 4, 6)), ("MVAU_1", mvau(12, 6, 4, 2)), ("MVAU_2", mvau(6, 6, 2, 3))])


def run(model: ModelWrapper, frames: int = 24) -> Measurement:
    x = np.random.default_rng(0).integers(0, 4, (frames, 8))
    y = x
    for layer in layers(model).values():
        (y,) = layer.results(y)
    with Simulator(stitch(model)) as simulator:
        result = simulator.run(x)
    np.testing.assert_array_equal(result.outputs[0], y)
    return Measurement(result.interval_cycles, result.fifo_high_water)


def test_converters_where_lanes_differ() -> None:
    model = chain()
    assert insert_width_converters(model) == 1  # 6 to 4 lanes; behind MVAU_1 both sides have 2
    assert [i.name for i in instances(model)] == ["MVAU_0", "StreamingDataWidthConverter_0", "MVAU_1", "MVAU_2"]
    out = [i.layer.outputs[0].lanes for i in instances(model)][:-1]
    assert out == [i.layer.inputs[0].lanes for i in instances(model)][1:]
    assert insert_width_converters(model) == 0
    assert run(model).interval == max(layer.cycles for layer in layers(model).values())


def test_fifos_on_their_edges() -> None:
    model = chain()
    insert_width_converters(model)
    first, _, last = edges(model)
    assert (first, last) == (Edge("MVAU_0", "StreamingDataWidthConverter_0", "t1"), Edge("MVAU_1", "MVAU_2", "t2"))
    assert str(last) == "MVAU_1 -> MVAU_2"
    names = insert_fifos(model, {last: 7, first: 5})
    assert names == {"StreamingFIFO_0": last, "StreamingFIFO_1": first}
    found = layers(model)
    assert list(found) == [
        "MVAU_0", "StreamingFIFO_1", "StreamingDataWidthConverter_0", "MVAU_1", "StreamingFIFO_0", "MVAU_2",
    ]  # fmt: skip
    assert {name: layer.depth for name, layer in found.items() if isinstance(layer, StreamingFIFO)} == {
        "StreamingFIFO_0": 7,
        "StreamingFIFO_1": 5,
    }
    assert all(peak <= 7 for peak in run(model).high_water.values())


def test_configured_depths_are_the_larger_of_both_ends() -> None:
    model = make_model([("MVAU_0", mvau(8, 12, 4, 4)), ("MVAU_1", mvau(12, 6, 4, 2)), ("MVAU_2", mvau(6, 6, 2, 3))])
    assert configured_depths(model) == {}
    apply_config(model, {"MVAU_0": {"outFIFODepths": [3]}, "MVAU_1": {"inFIFODepths": [2], "outFIFODepths": [BORDER]}})
    apply_config(model, {"MVAU_2": {"inFIFODepths": [33]}})
    first, last = edges(model)
    assert configured_depths(model) == {first: 3, last: 33}


def test_sizing_proves_the_throughput_and_leaves_the_model() -> None:
    model = chain()
    insert_width_converters(model)
    before = model.model.SerializeToString()
    sizing = measured_fifos(model, run)
    assert model.model.SerializeToString() == before
    assert sizing == FifoSizing({}, sizing.interval, sizing.interval)
    assert sizing.unchanged
    assert sizing.interval == max(layer.cycles for layer in layers(model).values())


def test_a_slow_reader_needs_no_fifo() -> None:
    """The producer could send a vector in each cycle, the consumer takes one in four."""
    shape = (1, 6, 4)
    model = make_model(
        [
            ("Thresholding_0", Thresholding(shape, INT4, STEPS, UINT2, PE=4)),
            ("LabelSelect_0", LabelSelect(shape, UINT2, 4, PE=4)),
        ]
    )
    x = np.random.default_rng(0).integers(-8, 8, (24, 6, 4))

    def measure(trial: ModelWrapper) -> Measurement:
        with Simulator(stitch(trial)) as simulator:
            result = simulator.run(x)
        return Measurement(result.interval_cycles, result.fifo_high_water)

    assert measured_fifos(model, measure) == FifoSizing({}, 24, 24)


@pytest.mark.parametrize(("needed", "trials"), [(3, [6, 0, 3]), (5, [6, 0, 3, 6])])
def test_depths_grow_until_the_throughput_is_there(needed: int, trials: list[int]) -> None:
    """A design that is as fast as it can be only if the last edge holds `needed` beats, whatever the marks say."""
    model = chain()
    insert_width_converters(model)
    tried = []

    def measure(trial: ModelWrapper) -> Measurement:
        fifos = {i.name: i.layer.depth for i in instances(trial) if isinstance(i.layer, StreamingFIFO)}
        last = next((fifos[e.producer] for e in edges(trial) if e.consumer == "MVAU_2" and e.producer in fifos), 0)
        tried.append(last)
        marks = {name: 3 if ("MVAU_2" in _readers(trial, name)) else 1 for name in fifos}
        return Measurement(10.0 if last >= needed else 12.0, marks)

    sizing = measured_fifos(model, measure)
    assert sizing.unchanged
    assert tried == trials  # two frames of 3 beats, nothing, at least SMALLEST, twice that but no more than two frames
    assert [depth for e, depth in sizing.depths.items() if e.consumer == "MVAU_2"] == trials[-1:]


def _readers(model: ModelWrapper, producer: str) -> set[str]:
    return {e.consumer for e in edges(model) if e.producer == producer}


# Depths by schedules


def residual(depth: int | None = None, channels: int = 4, side: int = 8) -> ModelWrapper:
    """A fork, windows of 3 x 3 and a matrix on one branch, and a join of both; `depth` of a FIFO on the other."""
    shape, out = (1, side, side, channels), (1, side, side, 2 * channels)
    padded = FMPadding(shape, UINT2, (1, 1, 1, 1), SIMD=channels)
    windows = ConvolutionInputGenerator(padded.outputs[0].shape, UINT2, (3, 3), (1, 1), (1, 1), SIMD=channels)
    weights = np.random.default_rng(1).integers(-2, 2, (9 * channels, channels))
    matrix = MVAU(windows.outputs[0].shape, UINT2, weights, DataType["INT2"], UINT2, STEPS, SIMD=channels, PE=channels)
    placed = [
        Instance("copy", DuplicateStreams(shape, UINT2, PE=channels), ("x",), ("a", "b")),
        Instance("pad", padded, ("a",), ("p",)),
        Instance("windows", windows, ("p",), ("w",)),
        Instance("matrix", matrix, ("w",), ("m",)),
        Instance("both", StreamingConcat(out, (UINT2, UINT2), (channels, channels), SIMD=channels), ("m", "b"), ("y",)),
    ]
    model = make_graph(placed)
    if depth is not None:
        insert_fifos(model, {next(e for e in edges(model) if (e.producer, e.consumer) == ("copy", "both")): depth})
    return model


def scheduled(trial: ModelWrapper) -> Measurement:
    """As a simulation measures it, by the schedules."""
    try:
        found = timing.of_graph(trial, 24)
    except DataflowError:
        return Measurement(inf, {})
    return Measurement(found.interval, found.high_water)


def test_a_design_that_stops_without_fifos_gets_them() -> None:
    model = residual()
    sizing = measured_fifos(model, scheduled)
    assert sizing.unchanged
    assert sizing.interval == max(layer.cycles for layer in layers(model).values())
    assert ("copy", "both") in {(e.producer, e.consumer) for e in sizing.depths}
    with pytest.raises(DataflowError, match="deadlock with FIFOs of two frames"):
        measured_fifos(model, lambda trial: Measurement(inf, {}))


def test_a_chain_needs_no_fifo() -> None:
    model = chain()
    insert_width_converters(model)
    before = model.model.SerializeToString()
    sizing = size_fifos(model)
    assert model.model.SerializeToString() == before
    assert (sizing.depths, sizing.interval_generous, sizing.interval) == ({}, 9, 9)
    assert sizing.latency == timing.of_graph(model, 1).latency


@pytest.mark.parametrize(
    ("name", "target", "most"), [("mobilenet_v2_w5a5", 1728, 16), ("unet_transposed_w3a3", 512, 12)]
)
def test_a_pipeline_that_fills_is_not_too_slow(name: str, target: int, most: int) -> None:
    """Its first frames come late, each layer adding to it; the search must not take that for the steady state."""
    model = copy.deepcopy(network(name).split.dataflow)
    set_folding(model, target)
    insert_width_converters(model)
    sizing = size_fifos(model)
    assert (sizing.interval_generous, sizing.interval) == (target, target)
    assert len(sizing.depths) <= most


def test_a_skip_needs_as_much_as_the_branch_holds_back() -> None:
    """Without a FIFO the branch never starts: the fork is held up before two rows are there."""
    model = residual()
    with pytest.raises(DataflowError) as error:
        timing.of_graph(model, 1)
    assert error.value.why == (
        "copy waits for room towards both; both waits for a beat of matrix; matrix waits for a beat of windows; "
        "windows waits for a beat of pad; pad waits for a beat of copy"
    )
    sizing = size_fifos(model)
    assert sizing.interval == sizing.interval_generous == max(layer.cycles for layer in layers(model).values())
    (skip,) = sizing.depths
    assert (skip.producer, skip.consumer) == ("copy", "both")
    shallower = {skip: sizing.depths[skip] // 2}  # one less may not save a LUT
    insert_fifos(model, sizing.depths)
    x = np.random.default_rng(0).integers(0, 4, (12, 8, 8, 4))
    with Simulator(stitch(model)) as simulator:
        result = simulator.run(x)
    assert result.interval_cycles == sizing.interval
    assert result.latency_cycles == sizing.latency
    model = residual()
    insert_fifos(model, shallower)
    assert not keeps(model, sizing.interval)


def keeps(model: ModelWrapper, interval: float) -> bool:
    try:
        return timing.of_graph(model, 12).interval <= interval
    except DataflowError:
        return False


def test_two_streams_between_the_same_layers() -> None:
    shape = (1, 6, 4)
    placed = [
        Instance("copy", DuplicateStreams(shape, UINT2, PE=2), ("x",), ("a", "b")),
        Instance("both", StreamingConcat((1, 6, 8), (UINT2, UINT2), (4, 4), SIMD=4), ("a", "b"), ("y",)),
    ]
    model = make_graph(placed)
    assert insert_width_converters(model) == 2
    ends = [(e.producer, e.consumer) for e in edges(model)]
    assert ends == [
        ("copy", "StreamingDataWidthConverter_0"), ("copy", "StreamingDataWidthConverter_1"),
        ("StreamingDataWidthConverter_0", "both"), ("StreamingDataWidthConverter_1", "both"),
    ]  # fmt: skip
    names = insert_fifos(model, {e: 4 for e in edges(model) if e.producer == "copy"})
    assert [e.tensor for e in names.values()] == ["a", "b"]
    x = np.random.default_rng(0).integers(0, 4, (3, 6, 4))
    np.testing.assert_array_equal(evaluate(model, x)["y"], np.concatenate([x, x], axis=-1))


def test_depths_of_a_layer_with_several_streams() -> None:
    model = residual()
    apply_config(model, {"copy": {"outFIFODepths": [2, 40]}, "both": {"inFIFODepths": [9]}})
    found = {(e.producer, e.consumer): depth for e, depth in configured_depths(model).items()}
    assert found == {("copy", "both"): 40, ("matrix", "both"): 9}


def test_a_stream_has_one_reader() -> None:
    shape = (1, 4)
    readers = [Instance(f"n{k}", Thresholding(shape, INT4, STEPS, UINT2), ("x",), (f"y{k}",)) for k in range(2)]
    with pytest.raises(DataflowError) as error:
        edges(make_graph(readers))
    assert str(error.value) == (
        "x is read by n0 and by n1 (a stream has one reader). Remedy: put a DuplicateStreams layer in front of them"
    )


def depthwise(simd: int) -> list[Instance]:
    windows = ConvolutionInputGenerator((1, 5, 5, 4), UINT2, (3, 3), (1, 1), (1, 1), depthwise=1, SIMD=2)
    copies = DuplicateStreams(windows.outputs[0].shape, UINT2, 1, PE=simd, window=9, taps=3)
    return [Instance("windows", windows, ("x",), ("w",)), Instance("copy", copies, ("w",), ("y",))]


def test_depthwise_streams_keep_their_order() -> None:
    """One position of two channels per beat becomes three positions of the same two."""
    model = make_graph(depthwise(2))
    assert insert_width_converters(model) == 1
    insert_fifos(model, dict.fromkeys(edges(model), 5))
    assert {(f.window, f.taps) for f in layers(model).values() if isinstance(f, StreamingFIFO)} == {(9, 1), (9, 3)}
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 5, 4))
    with Simulator(stitch(model)) as simulator:
        np.testing.assert_array_equal(simulator.run(x).outputs[0], evaluate(model, x)["y"])


def test_other_orders_are_refused() -> None:
    with pytest.raises(DataflowError) as error:
        insert_width_converters(make_graph(depthwise(1)))
    assert str(error.value) == (
        "tensor w: windows sends UINT2 (1, 3, 3, 36) in beats of 2, 2 channels of all 9 positions after the other, "
        "copy wants UINT2 (1, 3, 3, 36) in beats of 3, 1 channels of all 9 positions after the other (their elements "
        "come in different orders, which no width converter changes). "
        "Remedy: choose the same PE and SIMD for both layers"
    )


@pytest.mark.parametrize(("depth", "cycles"), [(2, 3 / 2), (3, 1), (4, 1)])
def test_throughput_of_small_fifos(depth: int, cycles: float) -> None:
    """A place is free again after 3 cycles."""
    layer = StreamingFIFO((1, 60), UINT2, 1, depth)
    assert timing.of_layer(layer, 9).interval == 60 * cycles
    x = np.zeros((9, 60), np.int64)
    with Simulator(stitch(make_model([("StreamingFIFO_0", layer)]))) as simulator:
        assert simulator.run(x).interval_cycles == 60 * cycles


def test_parts_and_styles() -> None:
    """A FIFO of several holds as much, and their memories are chosen one by one."""
    model = residual(depth=30)
    whole = timing.of_graph(model, 4)
    model = residual()
    skip = next(e for e in edges(model) if (e.producer, e.consumer) == ("copy", "both"))
    style, parts = (lambda width, depth: "block" if depth > 8 else "auto"), (lambda width, depth: [16, 8, 6])
    names = insert_fifos(model, {skip: 30}, style, parts)
    found = {name: (layers(model)[name].depth, layers(model)[name].ram_style) for name in names}  # type: ignore[attr-defined]
    assert list(found.values()) == [(16, "block"), (8, "auto"), (6, "auto")]
    assert [e.consumer for e in edges(model) if e.producer in found] == [*list(found)[1:], "both"]
    assert timing.of_graph(model, 4).interval == whole.interval


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The same depths and times, and a warning."""
    compiled = size_fifos(residual(side=4))
    monkeypatch.setattr(timing, "shared_object", missing)
    for cached in (timing._library, timing._library_or_none):
        cached.cache_clear()
    try:
        assert replace(size_fifos(residual(side=4)), seconds=compiled.seconds) == compiled
    finally:
        timing._library_or_none.cache_clear()
    assert caplog.messages == [
        "schedules run in Python, which takes some hundred times longer: no C++ compiler was found"
    ]


def missing(*_: object) -> None:
    raise ToolMissing("no C++ compiler was found")
