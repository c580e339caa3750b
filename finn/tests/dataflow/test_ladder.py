"""The ladder that every layer climbs: NumPy == ONNX graph == RTL, with and without stalls; measured cycles == schedule.

Each example compiles a simulator, so the default run draws few; `-m slow` draws many.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import instances, make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers import LAYERS as REGISTERED
from finn.rtl import Simulator, stitch
from finn.rtl.lint import lint_design

sys.path.append(str(Path(__file__).parent))
from strategies import LAYERS, frames

FRAMES = 9
FEW = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=150, derandomize=False)


def climb(layer: Layer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = frames(layer.inputs[0], FRAMES, rng)
    expected = layer.execute(x)
    assert expected.shape == (FRAMES, *layer.outputs[0].shape[1:])
    assert layer.outputs[0].dtype.allowed(expected).all()

    model = make_model([("layer_0", layer)])
    assert type(instances(model)[0].layer) is type(layer)
    in_graph = execute_onnx(model, {"t0": x[:1].astype(np.float32)})["t1"]
    np.testing.assert_array_equal(in_graph, expected[:1])

    design = stitch(model)
    assert [p.stream.folded_shape for p in design.inputs] == [layer.inputs[0].folded_shape]
    with Simulator(design, assertions=True) as sim:
        free = sim.run(x)
        np.testing.assert_array_equal(free.outputs[0], expected)
        assert free.interval_cycles == layer.cycles
        assert free.latency_cycles == layer.latency
        stalled = sim.run(x, input_gaps=rng.choice([0, 0.3, 0.7]), back_pressure=rng.choice([0, 0.3, 0.7]), seed=seed)
        np.testing.assert_array_equal(stalled.outputs[0], expected)


def test_every_layer_climbs() -> None:
    assert set(LAYERS) == {cls.__name__ for cls in REGISTERED}


@pytest.mark.parametrize("name", LAYERS)
def test_ladder(name: str) -> None:
    FEW(given(LAYERS[name](), st.integers(0, 2**32))(climb))()


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_long_ladder(name: str) -> None:
    MANY(given(LAYERS[name](), st.integers(0, 2**32))(climb))()


@pytest.mark.parametrize("name", LAYERS)
def test_lint_with_real_parameters(name: str) -> None:
    def check(layer: Layer) -> None:
        lint_design(stitch(make_model([("layer_0", layer)])))

    settings(FEW, max_examples=15)(given(LAYERS[name]())(check))()
