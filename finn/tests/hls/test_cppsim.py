# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Whole networks in C++: the outputs of the original, and cycle by cycle what RTL simulation measures."""

from __future__ import annotations

import numpy as np
import pytest
from networks import agree, network
from test_networks import CNV, PUBLISHED, folded

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import instances
from finn.hls import CppSimulator, CycleResult
from finn.rtl import Simulator, stitch
from finn.rtl.sim import SimResult

slow = pytest.mark.slow
FRAMES = 4

NETWORKS = [
    pytest.param(CNV, PUBLISHED, id="cnv"),
    ("resnet8_w4a4", 1152),
    ("speech_w3a3", 768),
    ("unet_w4a4", 4608),
    pytest.param("brevitas_resblock_w4a4", 2304, marks=slow),
    pytest.param("brevitas_mobblock_w4a4", 4608, marks=slow),
    pytest.param("brevitas_cnvs_w2a2_fashion", 6912, marks=slow),
    pytest.param("mobilenet_v1_w4a4", 4096, marks=slow),
    pytest.param("mobilenet_v2_w5a5", 4096, marks=slow),
    pytest.param("unet_transposed_w3a3", 4608, marks=slow),
    pytest.param("yolo_w4a4", 4096, marks=slow),
    pytest.param("resnet18_w3a4", 8192, marks=slow),
]


@pytest.mark.parametrize(("name", "folding"), NETWORKS)
def test_network(name: str, folding: int | dict[str, tuple[int, ...]]) -> None:
    """Untimed on all samples; cycle by cycle on some, beside RTL."""
    net = network(name)
    model = folded(net, folding)
    simulator = CppSimulator(model)
    x = net.split.to_hardware(net.inputs)
    (y,) = simulator.run(x)
    agree(net, y)
    many = np.concatenate([x] * -(-FRAMES // len(x)))[:FRAMES]
    stepped = simulator.run_cycles(many)
    np.testing.assert_array_equal(stepped.outputs[0], simulator.run(many, threads=1)[0])
    with Simulator(stitch(model)) as rtl:
        same_times(model, stepped, rtl.run(many))


def same_times(model: ModelWrapper, stepped: CycleResult, measured: SimResult) -> None:
    """When frames come and leave, how full FIFOs are, how long beats wait.

    RTL also counts how long beats of the next frame wait, which padding sends ahead of it.
    """
    times = stepped.times
    start = times.passed[times.inputs[0]][0, 0]
    for tensor, passage in zip(times.inputs + times.outputs, (*measured.entered, *measured.left), strict=True):
        np.testing.assert_array_equal(times.passed[tensor][:, -1] - start, passage.last - measured.entered[0].first[0])
    assert dict(times.high_water) == measured.fifo_high_water
    compared = 0
    for i in instances(model):
        for k, (tensor, stream) in enumerate(zip(i.outputs, i.layer.outputs, strict=True)):
            link = measured.links[f"{i.name}_out{k}"]
            if link.beats == FRAMES * stream.beats and not link.valid:
                assert times.blocked[tensor] == link.blocked, link
                compared += 1
    assert compared > 0
