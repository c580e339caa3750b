"""The ladder that every layer climbs: NumPy == ONNX graph == C++ == RTL; measured cycles == schedule.

RTL runs with and without stalls. A kernel in C++ has the same initiation interval.

Several random layers stand side by side in one design, because compiling a simulator is what takes time. The default
run tries a few, `make sweep` thousands (FINN_SWEEP examples of GROUP layers each).
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import LAYERS, frames

from finn.core.onnx_exec import execute_onnx
from finn.dataflow import timing
from finn.dataflow.graph import Instance, instances, make_graph, make_model
from finn.dataflow.layer import IntArray, Layer
from finn.dataflow.layers import LAYERS as REGISTERED
from finn.hls import CppSimulator
from finn.rtl import Simulator, stitch
from finn.rtl.lint import lint_design
from finn.rtl.sim import Passage, SimResult

FRAMES = 9
SETTLED = 3
"""Frames after which a kernel takes as long for each."""

GROUP = 6
FEW = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=int(os.environ.get("FINN_SWEEP", "50")), derandomize=False)


def placed(layers: list[Layer]) -> list[Instance]:
    """The layers side by side, none connected to another."""
    return [
        Instance(
            f"layer_{k}",
            layer,
            tuple(f"x{k}_{n}" for n in range(len(layer.inputs))),
            tuple(f"y{k}_{n}" for n in range(len(layer.outputs))),
        )
        for k, layer in enumerate(layers)
    ]


def graph_agrees(layer: Layer, inputs: list[IntArray], expected: tuple[IntArray, ...]) -> None:
    """The layer as a node of an ONNX graph is the same layer and means the same."""
    model = make_model([("layer_0", layer)])
    (instance,) = instances(model)
    assert type(instance.layer) is type(layer)
    assert instance.layer.rtl() == layer.rtl()
    assert (instance.layer.inputs, instance.layer.outputs) == (layer.inputs, layer.outputs)
    given = {name: x[:1].astype(np.float32) for name, x in zip(instance.inputs, inputs, strict=True)}
    found = execute_onnx(model, given)
    for name, y in zip(instance.outputs, expected, strict=True):
        np.testing.assert_array_equal(found[name], y[:1])


def climb(layers: list[Layer], seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [[frames(s, FRAMES, rng) for s in layer.inputs] for layer in layers]
    expected = [layer.results(*x) for layer, x in zip(layers, inputs, strict=True)]
    for layer, x, ys in zip(layers, inputs, expected, strict=True):
        for stream, y in zip(layer.outputs, ys, strict=True):
            assert y.shape == (FRAMES, *stream.shape[1:])
            assert stream.dtype.allowed(y).all()
        graph_agrees(layer, x, ys)
    side_by_side = placed(layers)
    flat = [x for layer in inputs for x in layer]
    in_cpp(side_by_side, flat, [y for ys in expected for y in ys])
    with Simulator(stitch(make_graph(side_by_side)), assertions=True) as sim:
        free = sim.run(*flat)
        gaps, pauses = rng.choice([0, 0.3, 0.7], 2)
        stalled = sim.run(*flat, input_gaps=gaps, back_pressure=pauses, seed=seed)
    ports = [f"{i.name}.{t}" for i in side_by_side for t in i.outputs]
    for name, y, a, b in zip(ports, [y for ys in expected for y in ys], free.outputs, stalled.outputs, strict=True):
        np.testing.assert_array_equal(a, y, f"{name} without stalls")
        np.testing.assert_array_equal(b, y, f"{name} with stalls")
    for k, layer in enumerate(layers):
        times_agree(layer, *passages(layers, k, free))


def in_cpp(side_by_side: list[Instance], inputs: list[IntArray], expected: list[IntArray]) -> None:
    """The kernels give the same, keep to the schedules, and take as many steps for a frame as the layers say."""
    simulator = CppSimulator(make_graph(side_by_side))
    outputs = [f"{i.name}.{t}" for i in side_by_side for t in i.outputs]
    stepped = simulator.run_cycles(*inputs).outputs
    for name, y, a, b in zip(outputs, expected, simulator.run(*inputs), stepped, strict=True):
        np.testing.assert_array_equal(a, y, f"{name} in C++")
        np.testing.assert_array_equal(b, y, f"{name} in C++, cycle by cycle")
    few, all_of_them = simulator.steps(*(x[:SETTLED] for x in inputs)), simulator.steps(*inputs)
    for i in side_by_side:
        assert all_of_them[i.name] - few[i.name] == (FRAMES - SETTLED) * i.layer.cycles, i.layer


def passages(layers: list[Layer], k: int, result: SimResult) -> tuple[Passage, Passage]:
    """When the frames of layer `k` came and left."""
    i, o = sum(len(other.inputs) for other in layers[:k]), sum(len(other.outputs) for other in layers[:k])
    return (
        Passage.of(result.entered[i : i + len(layers[k].inputs)]),
        Passage.of(result.left[o : o + len(layers[k].outputs)]),
    )


def times_agree(layer: Layer, entered: Passage, left: Passage) -> None:
    """The RTL is as fast as the layer says: interval and latency, and each frame leaves when its schedule says so."""
    assert left.interval == layer.cycles, layer
    times = timing.of_layer(layer, FRAMES)
    first = min(times.passed[t][0, 0] for t in times.inputs)
    last = np.max([times.passed[t][:, -1] for t in times.outputs], axis=0)
    np.testing.assert_array_equal(left.last - entered.first[0], last - first, str(layer))


def test_every_layer_climbs() -> None:
    assert set(LAYERS) == {cls.__name__ for cls in REGISTERED}


def group(name: str) -> st.SearchStrategy[list[Layer]]:
    return st.lists(LAYERS[name](), min_size=GROUP, max_size=GROUP)


@pytest.mark.parametrize("name", LAYERS)
def test_ladder(name: str) -> None:
    FEW(given(group(name), st.integers(0, 2**32))(climb))()


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_long_ladder(name: str) -> None:
    MANY(given(group(name), st.integers(0, 2**32))(climb))()


@pytest.mark.parametrize("name", LAYERS)
def test_lint_with_real_parameters(name: str) -> None:
    def check(layers: list[Layer]) -> None:
        lint_design(stitch(make_graph(placed(layers))))

    FEW(given(group(name))(check))()
