"""Whole networks as stitched RTL against results that come from elsewhere, for three foldings each."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from networks import agree, network

from finn.dataflow.analysis import exp_cycles_per_layer, latency_cycles
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.folding import set_folding
from finn.rtl import Simulator, stitch

NO_LIMIT = 1 << 20
FEWEST_FRAMES = 64

slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("TFC_1W1A", 784),
        ("TFC_1W1A", 64),
        pytest.param("TFC_1W1A", 1, marks=slow),
        ("TFC_2W2A", 784),
        ("TFC_2W2A", 64),
        pytest.param("TFC_2W2A", 1, marks=slow),
        ("kwsmlp_w3a3", 4096),
        pytest.param("kwsmlp_w3a3", 512, marks=slow),
        pytest.param("kwsmlp_w3a3", 128, marks=slow),
        ("tfc_w1a1_mnist", 784),
        ("tfc_w1a1_mnist", 64),
        pytest.param("tfc_w1a1_mnist", 1, marks=slow),
        ("tfc_w2a2_mnist", 784),
        ("tfc_w2a2_mnist", 64),
        pytest.param("tfc_w2a2_mnist", 1, marks=slow),
    ],
)
def test_network(name: str, target: int) -> None:
    net = network(name)
    model = copy.deepcopy(net.split.dataflow)
    assert set_folding(model, target, mvau_wwidth_max=NO_LIMIT).met
    insert_width_converters(model)
    frames = net.split.to_hardware(net.inputs)
    repeats = -(-FEWEST_FRAMES // len(frames))
    with Simulator(stitch(model)) as simulator:
        free = simulator.run(np.concatenate([frames] * repeats))
        stalled = simulator.run(frames, input_gaps=0.3, back_pressure=0.4, seed=target)
    agree(net, free.outputs[0][: len(frames)])
    np.testing.assert_array_equal(free.outputs[0], np.concatenate([stalled.outputs[0]] * repeats))
    assert free.interval_cycles == max(exp_cycles_per_layer(model).values())
    assert free.latency_cycles == latency_cycles(model)
