"""The search itself, and the float thresholds of a quantized input against onnxruntime's float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import streamline
from finn.transformation.streamline.thresholds import from_ordinal, ordinal, search

from .reference import ROUND, Net  # noqa: TID252 - test helpers are no installed package


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 60)), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_search_finds_the_first_value_that_reaches_each_code(bounds: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = np.array([b[0] for b in bounds])
    high = low + [b[1] for b in bounds]
    table = np.sort(rng.integers(-4, 5, (len(bounds), 200)), axis=1)
    rows = np.arange(len(bounds))[:, None]
    codes = np.arange(-3, 5)
    found = search(lambda q: table[rows, q + 50], low, high, codes)
    for c, t in np.ndindex(found.shape):
        reaching = [q for q in range(low[c], high[c] + 1) if table[c, q + 50] >= codes[t]]
        assert found[c, t] == (reaching[0] if reaching else high[c] + 1)


@given(st.floats(width=32, allow_nan=False))
def test_ordinals_keep_numbers_and_order(x: float) -> None:
    n = ordinal(np.float32(x))
    assert from_ordinal(n) == np.float32(x)
    if np.isfinite(x):
        with np.errstate(all="ignore"):
            assert from_ordinal(n + 1) == np.nextafter(np.float32(x), np.float32(np.inf))


@pytest.mark.parametrize("mode", sorted(ROUND))
@pytest.mark.parametrize("scale", [0.1, 1 / 127, 0.75])
def test_quantized_float_input_is_the_same_bits(mode: str, scale: float) -> None:
    rng = np.random.default_rng(0)
    net = Net(1, 64).add("Mul", 2.0).add("Sub", [1.0]).add("Div", 0.3).add("Clip", -0.9, 0.8)
    net.quant(scale, 4, 1.0, narrow=1, rounding_mode=mode)
    model = net.model()
    original = ModelWrapper(model.model.SerializeToString())
    streamline(model)
    thresholds = np.asarray(model.get_initializer(model.graph.node[0].input[1])).ravel()
    edges = thresholds[np.abs(thresholds) < 1e30]  # the others are always or never reached
    near = np.concatenate([np.nextafter(edges, np.float32(d)) for d in (-np.inf, np.inf)] + [edges])
    for x in (rng.normal(size=64), rng.integers(-8, 9, 64) / 8, np.resize(near, 64)):
        x = x.astype(np.float32).reshape(1, 64)
        want = execute_onnx(original, {"x": x})[net.last]
        np.testing.assert_array_equal(execute_onnx(model, {"x": x})[net.last], want)
