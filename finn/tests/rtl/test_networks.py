"""Convolutional networks as stitched RTL: the outputs of the original, at the interval and latency that schedules say.

CNV-W1A1 in three foldings, one of them the published; residual, depthwise, 2-bit, U-shaped and one-dimensional networks
in one; all of them also layer by layer, and with random gaps and back-pressure.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
from networks import Network, agree, network

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import timing
from finn.dataflow.analysis import exp_cycles_per_layer
from finn.dataflow.fifo import insert_fifos, insert_width_converters, size_fifos
from finn.dataflow.folding import apply_config, set_folding
from finn.dataflow.graph import given, instances, layers, make_model
from finn.dataflow.layers.mvau import MVAU
from finn.rtl import Simulator, stitch

slow = pytest.mark.slow
FRAMES = 8

CNV = "bnnpynq_cnv_w1a1_cifar10"
PUBLISHED = {"PE": (16, 32, 16, 16, 4, 1, 1, 1, 5), "SIMD": (3, 32, 32, 32, 32, 32, 4, 8, 1)}
"""The folding of the published bitstream, layer by layer. Its last layer is padded to 16 neurons, and has 4 PEs."""


def folded(net: Network, folding: int | dict[str, tuple[int, ...]]) -> ModelWrapper:
    """The layers folded for a target in cycles per frame, or as a table says and everything else as fast as needed."""
    model = copy.deepcopy(net.split.dataflow)
    if isinstance(folding, int):
        set_folding(model, folding)
    else:
        names = [name for name, layer in layers(model).items() if isinstance(layer, MVAU)]
        config = {n: {"PE": p, "SIMD": s} for n, p, s in zip(names, folding["PE"], folding["SIMD"], strict=True)}
        apply_config(model, config)
        slowest = max(layers(model)[name].cycles for name in names)
        set_folding(model, slowest)
        apply_config(model, config)
    insert_width_converters(model)
    sizing = size_fifos(model)
    insert_fifos(model, sizing.depths)
    return model


def check(net: Network, model: ModelWrapper, frames: int = FRAMES) -> None:
    """Outputs, interval and latency, without stalls and with."""
    x = net.split.to_hardware(net.inputs)
    many = np.concatenate([x] * -(-frames // len(x)))[:frames]
    with Simulator(stitch(model)) as simulator:
        free = simulator.run(many)
        stalled = simulator.run(x[:2], input_gaps=0.3, back_pressure=0.4, seed=1)
    (y,) = free.outputs
    agree(net, y)
    np.testing.assert_array_equal(stalled.outputs[0], y[:2])
    slowest = max(exp_cycles_per_layer(model).values())
    said = timing.of_graph(model, frames)
    assert slowest <= free.interval_cycles <= 1.01 * slowest
    assert free.interval_cycles == pytest.approx(said.interval, rel=0.02)
    assert free.latency_cycles == pytest.approx(said.latency, rel=0.02)


@pytest.mark.parametrize(
    "folding", [pytest.param(PUBLISHED, id="published"), 131072, pytest.param(8192, marks=slow)], ids=str
)
def test_cnv(folding: int | dict[str, tuple[int, ...]]) -> None:
    net = network(CNV)
    check(net, folded(net, folding), frames=len(net.inputs))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("brevitas_resblock_w4a4", 2304),
        ("brevitas_mobblock_w4a4", 4608),
        ("brevitas_cnvs_w2a2_fashion", 6912),
        ("resnet8_w4a4", 1152),
        pytest.param("mobilenet_v1_w4a4", 4096, marks=slow),
        pytest.param("mobilenet_v2_w5a5", 4096, marks=slow),
        ("unet_w4a4", 4608),
        pytest.param("unet_transposed_w3a3", 4608, marks=slow),
        ("speech_w3a3", 768),
        pytest.param("yolo_w4a4", 4096, marks=slow),
        pytest.param("resnet18_w3a4", 8192, marks=slow),
    ],
)
def test_network(name: str, target: int) -> None:
    check(network(name), folded(network(name), target))


@pytest.mark.parametrize(
    "name",
    [
        "resnet8_w4a4",
        "speech_w3a3",
        pytest.param(CNV, marks=slow),
        pytest.param("brevitas_resblock_w4a4", marks=slow),
        pytest.param("brevitas_mobblock_w4a4", marks=slow),
        pytest.param("brevitas_cnvs_w2a2_fashion", marks=slow),
        pytest.param("mobilenet_v1_w4a4", marks=slow),
        pytest.param("unet_w4a4", marks=slow),
    ],
)
def test_layer_by_layer(name: str) -> None:
    """Each layer alone, on what the network gives it."""
    net = network(name)
    model = folded(net, 1 << 20)
    x = net.split.to_hardware(net.inputs[:1])
    values = {model.graph.input[0].name: x}
    for i in instances(model):
        frames: Sequence[np.ndarray] = given(i, values)
        meant = i.layer.results(*frames)
        with Simulator(stitch(make_model([(i.name, i.layer)]))) as simulator:
            found = simulator.run(*frames).outputs
        for a, b in zip(meant, found, strict=True):
            np.testing.assert_array_equal(a, b, i.name)
        values |= zip(i.outputs, found, strict=True)
    agree(net, values[model.graph.output[0].name])
