"""Every rule is sound (no execution leaves the bounds), the linear ones are tight, and nothing is silently unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from finn.analysis.interval_rules import RULES
from finn.analysis.intervals import Interval
from finn.analysis.value_ranges import value_ranges
from finn.core.domains import GENERAL
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes

from .samples import EXTRA, SAMPLES, Net, opsets_of  # noqa: TID252 - test helpers are no installed package


def assert_within(values: np.ndarray, interval: Interval) -> None:
    """Up to the rounding of float32."""
    slack = 1e-5 * (1 + np.abs(np.nan_to_num(values.astype(np.float64))))
    assert np.all(values >= interval.low - slack), (values.min(), interval.low)
    assert np.all(values <= interval.high + slack), (values.max(), interval.high)
    np.broadcast_to(interval.low, values.shape)
    assert interval.low.ndim == values.ndim


def test_every_rule_has_a_sample() -> None:
    assert set(SAMPLES) == set(RULES)


@pytest.mark.parametrize("name", sorted(SAMPLES | EXTRA))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sound(name: str, data: st.DataObject) -> None:
    net = Net(data.draw, data.draw(st.sampled_from(opsets_of(name))))
    (SAMPLES | EXTRA)[name](net)
    model = net.model()
    result = value_ranges(model, net.ranges)
    if name not in ("Reciprocal", "Resize"):  # they may divide by 0, or overshoot
        assert result.notes == []
    context = execute_onnx(model, net.values(), return_full_exec_context=True)
    for node in model.graph.node:
        for output in node.output:
            assert_within(context[output], result.intervals[output])


CHAIN = {
    **{op: lambda n, x, c, op=op: n.node(op, [x]) for op in ("Abs", "Floor", "Identity", "Neg", "Relu", "Sign")},
    **{op: lambda n, x, c, op=op: n.node(op, [x, n.weights(c, 1, 1)]) for op in ("Add", "Mul", "Sub", "PRelu")},
    **{f"{op} itself": lambda n, x, c, op=op: n.node(op, [x, x]) for op in ("Add", "Mul", "Sub", "Max")},
    "LeakyRelu": lambda n, x, c: n.node("LeakyRelu", [x], alpha=-0.25),
    "Clip": lambda n, x, c: n.node("Clip", [x, n.const(-1.5), n.const(2.0)]),
    "Quant": lambda n, x, c: n.node(
        "Quant", [x, n.const(0.25), n.const(1), n.const(3)], domain=GENERAL, signed=1, narrow=0, rounding_mode="ROUND"
    ),
    "BipolarQuant": lambda n, x, c: n.node("BipolarQuant", [x, n.const(0.5)], domain=GENERAL),
    "MultiThreshold": lambda n, x, c: n.node(
        "MultiThreshold",
        [x, n.const(np.sort(n.rng.integers(-8, 9, (c, 3)), axis=1))],
        domain=GENERAL,
        out_dtype="UINT2",
    ),
    "Conv": lambda n, x, c: n.node("Conv", [x, n.weights(2, c, 3, 3, step=1.0)], pads=[1, 1, 1, 1]),
    "ConvTranspose": lambda n, x, c: n.node("ConvTranspose", [x, n.weights(c, 2, 2, 2, step=1.0)], strides=[2, 2]),
    "MaxPool": lambda n, x, c: n.node("MaxPool", [x], kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
    "AveragePool": lambda n, x, c: n.node("AveragePool", [x], kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
    "Concat": lambda n, x, c: n.node("Concat", [x, x], axis=1),
    "Transpose": lambda n, x, c: n.node("Transpose", [x], perm=[0, 1, 3, 2]),
    "Pad": lambda n, x, c: n.node("Pad", [x, n.const([0, 0, 1, 0, 0, 0, 0, 1], np.int64), n.const(0.5)]),
}
"""Operators that can follow each other, on 4-D tensors of c channels."""


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_chains_are_sound(data: st.DataObject) -> None:
    net = Net(data.draw, 13)
    name, channels = net.x((2, 2, 4, 4)), 2
    for kind in data.draw(st.lists(st.sampled_from(sorted(CHAIN)), min_size=1, max_size=6)):
        name = CHAIN[kind](net, name, channels)
        channels = {"Conv": 2, "ConvTranspose": 2, "Concat": 2 * channels}.get(kind, channels)
    model = net.model()
    result = value_ranges(model, net.ranges)
    assert result.notes == []
    context = execute_onnx(model, net.values(), return_full_exec_context=True)
    for node in model.graph.node:
        assert_within(context[node.output[0]], result.intervals[node.output[0]])


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose", "Gemm", "MatMul"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_linear_layers_reach_their_bounds(name: str, data: st.DataObject) -> None:
    """The greatest output for any input, from the derivative of every output with respect to every input element."""
    net = Net(data.draw, 13)
    SAMPLES[name](net)
    assume(len(net.ranges) == 1)  # with two activations the bounds are sound, not tight
    assume("Conv" not in name or all(low.ndim < 2 or low.size in (1, low.shape[1]) for low, _ in net.ranges.values()))
    model = net.model()
    ((x, shape),) = net.shapes.items()
    low, high = (np.broadcast_to(end, shape).astype(np.float64) for end in net.ranges[x])

    def run(values: np.ndarray) -> np.ndarray:
        return execute_onnx(model, {x: values.astype(np.float32)})[net.outputs[0]].astype(np.float64)

    offset = run(np.zeros(shape))
    least, greatest = offset.copy(), offset.copy()
    for index in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[index] = 1
        slope = run(unit) - offset
        least += np.minimum(slope * low[index], slope * high[index])
        greatest += np.maximum(slope * low[index], slope * high[index])
    interval = value_ranges(model, net.ranges).intervals[net.outputs[0]]
    axes = tuple(a for a in range(least.ndim) if interval.low.shape[a] == 1)
    np.testing.assert_array_equal(interval.low, least.min(axis=axes, keepdims=True))
    np.testing.assert_array_equal(interval.high, greatest.max(axis=axes, keepdims=True))


# ------------------------------------------------------------------------------------------- infinite, NaN and unknown


def span(model: ModelWrapper, inputs: object = None) -> tuple[float, float]:
    return value_ranges(model.transform(InferShapes()), inputs).intervals["y"].span  # type: ignore[arg-type]


def test_float_inputs_are_unbounded_until_something_bounds_them(build) -> None:
    model = build([helper.make_node("Sigmoid", ["x"], ["y"])], {"x": [2, 3]}, ["y"])
    assert span(model) == (0, 1)
    assert value_ranges(model).intervals["x"].span == (-np.inf, np.inf)


@pytest.mark.parametrize(("weight", "expected"), [(0.0, (0, 0)), (2.0, (0, np.inf)), (-2.0, (-np.inf, 0))])
def test_an_infinite_bound_does_not_pass_a_weight_of_zero(build, weight: float, expected: tuple[float, float]) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    model = build(nodes, {"x": [2, 1]}, ["y"], {"w": np.array([[weight]], np.float32)})
    assert span(model) == expected


@pytest.mark.parametrize("op_type", ["MatMul", "Mul"])
def test_nan_in_a_constant_makes_its_output_unknown(build, op_type: str) -> None:
    model = build(
        [helper.make_node(op_type, ["x", "w"], ["y"])], {"x": [2, 1]}, ["y"], {"w": np.full((1, 1), np.nan, "f4")}
    )
    assert span(model, {"x": (0, 1)}) == (-np.inf, np.inf)


@pytest.mark.parametrize("op_type", ["Sqrt", "Log"])
def test_what_may_be_nan_is_unknown(build, op_type: str) -> None:
    model = build([helper.make_node(op_type, ["x"], ["y"])], {"x": [2, 1]}, ["y"])
    assert span(model, {"x": (-1, 4)}) == (-np.inf, np.inf)


def test_dividing_across_zero_says_so(build) -> None:
    model = build([helper.make_node("Reciprocal", ["x"], ["y"], name="r")], {"x": [2, 1]}, ["y"])
    (note,) = value_ranges(model, {"x": (-1, 2)}).notes
    assert str(note) == "node Reciprocal 'r': nothing is known of its output, since it may divide by 0"
    assert span(model, {"x": (1, 2)}) == (0.5, 1)


def test_an_unknown_operator_is_named_and_its_annotation_believed(build) -> None:
    nodes = [helper.make_node("Det", ["x"], ["d"], name="n"), helper.make_node("Relu", ["d"], ["y"])]
    model = build(nodes, {"x": [2, 2, 2]}, ["y"])
    result = value_ranges(model, {"x": (0, 1)})
    assert [(note.op_type, note.reason) for note in result.notes] == [("Det", "there is no rule for Det")]
    assert result.intervals["y"].span == (0, np.inf)
    model = build(nodes, {"x": [2, 2, 2]}, ["y"], datatypes={"d": "INT4"})
    assert span(model, {"x": (0, 1)}) == (0, 7)


def test_a_foreign_operator_of_a_known_name_is_unknown(build) -> None:
    model = build([helper.make_node("Relu", ["x"], ["y"], domain="their.own")], {"x": [2, 2]}, ["y"])
    result = value_ranges(model)
    assert [note.op_type for note in result.notes] == ["Relu"]
    assert result.intervals["y"].span == (-np.inf, np.inf)


def test_symbolic_batch(build) -> None:
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    w = np.array([[1, -1], [2, 0], [0, 1]], np.float32)
    model = build(nodes, {"x": ["N", 3, 1]}, ["y"], {"w": w}, {"x": "INT2"})
    interval = value_ranges(model.transform(InferShapes())).intervals["y"]
    np.testing.assert_array_equal(interval.low, [[-6, -3]])
    np.testing.assert_array_equal(interval.high, [[3, 3]])


def test_ranges_given_per_channel(build) -> None:
    model = build([helper.make_node("Neg", ["x"], ["y"])], {"x": [2, 3, 4, 4]}, ["y"])
    low, high = (np.array(v).reshape(3, 1, 1) for v in ([-1, 0, 1], [0, 5, 1]))
    interval = value_ranges(model, {"x": (low, high)}).intervals["y"]
    np.testing.assert_array_equal(interval.low.ravel(), [0, -5, -1])
    np.testing.assert_array_equal(interval.high.ravel(), [1, 0, -1])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"z": (0, 1)}, "the model has no input 'z'. Remedy: use one of: x"),
        ({"x": (1, 0)}, "the range of input 'x' is no interval: 1.0 to 0.0"),
        ({"x": (np.nan, 0)}, "the range of input 'x' is no interval: nan to 0.0"),
        ({"x": (np.zeros(5), np.ones(5))}, "the range of input 'x' does not fit its shape [2, 3]"),
    ],
)
def test_impossible_ranges(build, inputs: object, message: str) -> None:
    model = build([helper.make_node("Neg", ["x"], ["y"])], {"x": [2, 3]}, ["y"])
    with pytest.raises(ConfigError) as error:
        value_ranges(model, inputs)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)
