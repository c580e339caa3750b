"""Whole networks as stitched RTL against results that come from elsewhere, for three foldings each."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.analysis import exp_cycles_per_layer, latency_cycles
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.folding import set_folding
from finn.dataflow.lowering import lower
from finn.dataflow.partition import Partition, create_dataflow_partition
from finn.rtl import Simulator, stitch
from finn.transformation.streamline import streamline
from finn.util.cleanup import cleanup_model

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("FINN_SHARED", ROOT.parent / "shared"))
NO_LIMIT = 1 << 20
SAMPLES = 16
FEWEST_FRAMES = 64

slow = pytest.mark.slow


@dataclass(frozen=True)
class Network:
    """A network cut into host and layers, samples of its input and the outputs to expect."""

    split: Partition
    inputs: np.ndarray
    expected: np.ndarray


def published(name: str) -> Network:
    """A published network with stored results: input first, output second."""
    path, stored = SHARED / "models" / f"{name}.onnx", SHARED / "golden" / f"{name}.npz"
    if not path.is_file() or not stored.is_file():
        pytest.skip(f"no {path}; set FINN_SHARED")
    inputs, expected = np.load(stored).values()
    return Network(partition(ModelWrapper(str(path))), inputs, expected)


def example(name: str) -> Network:
    """A network of this repository; what to expect is its own ONNX execution."""
    folder = ROOT / "finn-examples" / "build" / name
    model = ModelWrapper(str(folder / "model.onnx"))
    inputs = np.load(folder / "input.npy")[:SAMPLES].astype(np.float32)
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    expected = np.concatenate([execute_onnx(model, {source: x[None]})[sink] for x in inputs])
    return Network(partition(model), inputs, expected)


def partition(model: ModelWrapper) -> Partition:
    model = cleanup_model(model)
    streamline(model)
    lower(model)
    return create_dataflow_partition(model)


@cache
def network(name: str) -> Network:
    return example(name) if name.startswith("tfc_") else published(name)


def same(name: str, split: Partition, integers: np.ndarray, expected: np.ndarray) -> None:
    outputs = split.from_hardware(integers)
    if name != "kwsmlp_w3a3":  # its per-channel scales are one rounding away from those of the original
        np.testing.assert_array_equal(outputs, expected)
        return
    np.testing.assert_allclose(outputs.astype(np.float32), expected, rtol=1e-5, atol=1e-5)
    scales = [c for n in split.parent.graph.node for i in n.input if (c := split.parent.get_initializer(i)) is not None]
    np.testing.assert_array_equal(integers, np.rint(expected / scales[-1]))


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
        ("tfc_w1a1", 784),
        ("tfc_w1a1", 64),
        pytest.param("tfc_w1a1", 1, marks=slow),
        ("tfc_w2a2", 784),
        ("tfc_w2a2", 64),
        pytest.param("tfc_w2a2", 1, marks=slow),
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
    same(name, net.split, free.outputs[0][: len(frames)], net.expected)
    np.testing.assert_array_equal(free.outputs[0], np.concatenate([stalled.outputs[0]] * repeats))
    assert free.interval_cycles == max(exp_cycles_per_layer(model).values())
    assert free.latency_cycles == latency_cycles(model)
