"""Width converters, FIFOs and their depths, by schedules and by simulated RTL."""

from __future__ import annotations

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import (
    BORDER,
    SMALLEST,
    Edge,
    FifoSizing,
    Measurement,
    configured_depths,
    edges,
    insert_fifos,
    insert_width_converters,
    measured_fifos,
)
from finn.dataflow.folding import apply_config
from finn.dataflow.graph import instances, layers, make_model
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
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
    assert configured_depths(model) == {first: SMALLEST, last: 33}


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


@pytest.mark.parametrize(("needed", "trials"), [(3, [6, 0, 4]), (5, [6, 0, 4, 6])])
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
