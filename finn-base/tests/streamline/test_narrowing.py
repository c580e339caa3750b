"""Integer graphs compute the same with fewer channels and narrower types.

The graphs are drawn with what is to be found: filters that repeat, weights that ignore channels, thresholds that are
always or never reached. Depth is small: each kind of node occurs between layers that can lose channels.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finn.analysis.ranges import integer_ranges
from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline._integer_layers import layers_of
from finn.transformation.streamline.channels import Why, remove_channels
from finn.transformation.streamline.narrowing import narrow
from finn.transformation.streamline.optimise import optimise
from finn.transformation.streamline.options import StreamlineOptions
from finn.transformation.streamline.report import StreamlineReport, TensorFact

from .integer_graphs import (  # noqa: TID252 - test helpers are no installed package
    IntegerGraph,
    assert_annotations_hold,
    assert_equal_results,
    inputs_of,
)

SETTINGS = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SWITCHES = ("remove_constant_channels", "merge_duplicate_channels", "remove_dead_channels")

FLAGS = (*SWITCHES, "minimize_accumulators", "minimize_weights", "minimize_thresholds")


class Drawn:
    """A graph that is drawn node by node."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
        channels = data.draw(st.integers(1, 4))
        datatype = data.draw(st.sampled_from(["UINT4", "INT3", "BIPOLAR"]))
        self.graph = IntegerGraph((2, 4, 4, channels) if data.draw(st.booleans()) else (2, channels), datatype)

    def pick(self, *options: Any) -> Any:
        return self.data.draw(st.sampled_from(options))

    def weights(self, shape: tuple[int, ...], inner: int, outer: int) -> np.ndarray:
        """Small weights; some slices are 0 and some repeat."""
        limit = self.pick(1, 1, 3)
        w = self.rng.integers(-limit, limit + 1, shape)
        if self.pick(False, False, True):
            w = np.where(w < 0, -1, 1)
        for axis in (inner, outer):
            moved = np.moveaxis(w, axis, 0)
            if self.rng.random() < 0.6:
                moved[-1] = moved[0]
            if self.rng.random() < 0.5:
                moved[self.rng.integers(len(moved))] = 0
        return w

    def layer(self, x: str, outputs: int | None = None, padded: bool | None = None) -> str:
        shape = self.graph.shapes[x]
        outputs = outputs or self.data.draw(st.integers(1, 6))
        if len(shape) == 2:
            return self.graph.matmul(x, self.weights((shape[-1], outputs), 0, 1))
        kernel = self.pick(1, 2, 3) if min(shape[1:3]) >= 3 else 1
        pad = int(kernel == 3 if padded is None else padded and kernel == 3)
        kind = self.pick("full", "full", "depthwise", "grouped")
        if kind == "depthwise":
            group, outputs = shape[-1], shape[-1] * self.pick(1, 2)
        elif kind == "grouped" and shape[-1] % 2 == 0:
            group, outputs = 2, 2 * max(outputs // 2, 1)
        else:
            group = 1
        w = self.weights((outputs, kernel, kernel, shape[-1] // group), 3, 0)
        return self.graph.conv(x, w, pad, self.pick(1, 1, 2), group)

    def threshold(self, x: str) -> str:
        """Of a layer, with channels that never change and channels that repeat."""
        channels, levels = self.graph.shapes[x][-1], self.pick(1, 3)
        rows = self.pick(1, channels, channels)
        t = np.sort(self.rng.integers(-12, 13, (rows, levels)), axis=1) + self.pick(0.0, 0.0, -0.5)
        t[-1] = t[0]
        for row in t[1:-1]:
            if self.rng.random() < 0.6:
                row[: self.rng.integers(levels + 1)] = -9999
                row[self.rng.integers(levels + 1) :] = 9999
        datatype, scale, bias = self.pick(("UINT2", 1, 0), ("INT3", 1, -2), ("INT3", 1, 0), ("INT4", 2, -3))
        if levels == 1 and self.pick(False, True):
            datatype, scale, bias = "BIPOLAR", 2, -1
        name = self.graph.threshold(x, np.sort(t, axis=1), datatype, scale, bias)
        self.graph.types[self.graph.nodes[-1].input[1]] = "FLOAT32" if (t % 1).any() else "INT32"
        return name

    def between(self, x: str) -> str:
        """Something between a layer and its thresholds."""
        kind = self.pick("nothing", "nothing", "bias", "sub", "pool", "residual")
        channels = self.graph.shapes[x][-1]
        if kind in ("bias", "sub"):
            return self.graph.bias(
                x, self.rng.integers(-3, 4, self.pick((), channels)), {"sub": "Sub"}.get(kind, "Add")
            )
        if kind == "pool" and len(self.graph.shapes[x]) == 4 and min(self.graph.shapes[x][1:3]) >= 2:
            return self.graph.max_pool(x)
        return self.graph.add(x, self.graph.bias(x, self.rng.integers(-2, 3, channels))) if kind == "residual" else x

    def around(self, x: str) -> str:
        """Something between thresholds and the next layer."""
        image = len(self.graph.shapes[x]) == 4
        kind = self.pick("nothing", "concat", "split", "residual", *(["pool", "average", "upsample", "pad"] * image))
        if kind == "concat":
            return self.graph.concat(x, x)
        if kind == "split" and self.graph.shapes[x][-1] > 1:
            cut = self.data.draw(st.integers(1, self.graph.shapes[x][-1] - 1))
            return self.graph.concat(*self.graph.split(x, [cut, self.graph.shapes[x][-1] - cut])[::-1])
        if kind == "residual":
            return self.graph.add(x, self.branch(x, self.graph.shapes[x][-1]))
        if kind in ("pool", "average") and min(self.graph.shapes[x][1:3]) >= 2:
            return self.graph.max_pool(x) if kind == "pool" else self.graph.average(x)
        if kind in ("upsample", "pad"):
            return self.graph.upsample(x) if kind == "upsample" else self.graph.pad(x)
        return x

    def branch(self, x: str, outputs: int) -> str:
        """A layer of the same size."""
        if len(self.graph.shapes[x]) == 2:
            return self.threshold(self.graph.matmul(x, self.weights((outputs, outputs), 0, 1)))
        w = self.weights((outputs, 3, 3, outputs), 3, 0)
        return self.threshold(self.graph.conv(x, w, 1))

    def model(self) -> ModelWrapper:
        x = "x"
        for _ in range(self.data.draw(st.integers(1, 3), label="layers")):
            x = self.around(self.threshold(self.between(self.layer(x))))
        if len(self.graph.shapes[x]) == 4:
            x = self.graph.flatten(x) if self.pick(True, False) else self.graph.sum_up(x)
        x = self.graph.matmul(x, self.weights((self.graph.shapes[x][-1], 3), 0, 1))
        end = self.pick("sum", "argmax", "scaled", "threshold")
        if end == "argmax":
            return self.graph.model(self.graph.node("ArgMax", [x], (2, 1), None, axis=-1))
        if end == "scaled":
            scale = self.graph.constant([0.5, 0.1, 3.0], None)
            return self.graph.model(self.graph.node("Mul", [x, scale], (2, 3), None))
        return self.graph.model(self.threshold(x) if end == "threshold" else x)


@SETTINGS
@given(st.data())
def test_generated_graphs_stay_equal(data: st.DataObject) -> None:
    model = Drawn(data).model()
    flags = {name: data.draw(st.sampled_from([True, True, False]), label=name) for name in FLAGS}
    after, report = copy.deepcopy(model), StreamlineReport()
    removals = optimise(after, StreamlineOptions(**flags), report)
    assert_equal_results(model, after)
    assert_annotations_hold(after)
    for why, switch in zip(Why, SWITCHES, strict=True):
        found = sum(len(r.channels) for r in removals if r.why is why)
        assert report.passes[switch] == found
        assert flags[switch] or not found


# ----------------------------------------------------------------------------------------- each kind, and its switch


def two_layers(columns: Any, thresholds: Any, rows: Any) -> ModelWrapper:
    """threshold(x @ columns) @ rows on UINT4."""
    graph = IntegerGraph((2, len(columns)))
    y = graph.threshold(graph.matmul("x", np.array(columns)), np.array(thresholds), "UINT2")
    return graph.model(graph.matmul(y, np.array(rows)))


CONSTANT = ([[1, 1, 1], [1, 2, -1]], [[3, 9], [-99, 99], [0, 5]], [[1, 2], [1, -1], [2, 1]])
"""Channel 1 is always 1."""
ALWAYS_ZERO = ([[1, 1, 1], [1, 2, -1]], [[3, 9], [98, 99], [0, 5]], [[1, 2], [1, -1], [2, 1]])
DUPLICATE = ([[1, 2, 1], [1, 1, 1]], [[3, 9], [3, 9], [3, 9]], [[1, 2], [2, -1], [1, -1]])
"""Channel 2 equals channel 0."""
DEAD = ([[1, 2, 1], [1, 1, -1]], [[3, 9], [3, 9], [3, 9]], [[1, 2], [0, 0], [1, -1]])
"""Nobody uses channel 1."""


@pytest.mark.parametrize(
    ("case", "why", "channel"),
    [
        (CONSTANT, Why.CONSTANT, 1),
        (ALWAYS_ZERO, Why.CONSTANT, 1),
        (DUPLICATE, Why.DUPLICATE, 2),
        (DEAD, Why.DEAD, 1),
    ],
)
def test_each_kind_is_found_and_can_be_switched_off(case: Any, why: Why, channel: int) -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.array(case[0])), np.array(case[1]), "UINT2")
    z = graph.threshold(graph.matmul(y, np.array(case[2])), np.array([[0, 1, 2]]), "UINT2")
    model = graph.model(graph.matmul(z, np.array([[1, 1], [1, -1]])))
    before, other = copy.deepcopy(model), copy.deepcopy(model)
    assert remove_channels(other, set(Why) - {why}) == []
    assert other.model == before.model
    (removal,) = remove_channels(model, {why})
    assert (removal.channels, removal.total, removal.why) == ((channel,), 3, why)
    assert str(removal) == f"t0: 1 of 3 channels removed that {why.value} ({channel})"
    assert model.get_tensor_shape("t1") == [2, 2]
    assert_equal_results(before, model)
    assert_annotations_hold(model)


def test_a_constant_moves_into_the_thresholds_behind_the_reader() -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.array(CONSTANT[0])), np.array(CONSTANT[1]), "UINT2")
    z = graph.threshold(graph.matmul(y, np.array(CONSTANT[2])), np.array([[0, 1, 2]]), "UINT2")
    model = graph.model(graph.matmul(z, np.array([[1, 1], [1, -1]])))
    remove_channels(model, {Why.CONSTANT})
    # channel 1 gave 1 * (1, -1); what is left of the first sum is never below 0
    np.testing.assert_array_equal(model.get_initializer("c3"), [[0, 0, 1], [1, 2, 3]])


def test_a_constant_stays_where_nothing_behind_the_reader_can_take_it() -> None:
    model = two_layers(*CONSTANT)
    assert remove_channels(model, {Why.CONSTANT}) == []
    assert [r.channels for r in remove_channels(two_layers(*ALWAYS_ZERO), {Why.CONSTANT})] == [(1,)]


@pytest.mark.parametrize(("pad", "value", "removed"), [(0, 1, 1), (1, 1, 0), (1, 0, 1)])
def test_in_front_of_a_padding_only_zeros_go(pad: int, value: int, removed: int) -> None:
    rng = np.random.default_rng(0)
    graph = IntegerGraph((2, 4, 4, 2))
    y = graph.conv("x", rng.integers(-2, 3, (3, 1, 1, 2)))
    y = graph.threshold(y, np.array([[0, 5], [-999 if value else 998, 999], [-3, 3]]), "UINT2")
    y = graph.threshold(graph.conv(y, rng.integers(1, 3, (2, 3, 3, 3)), pad), np.array([[0, 9]]), "UINT2")
    model = graph.model(graph.sum_up(y))
    before = copy.deepcopy(model)
    assert len(remove_channels(model, {Why.CONSTANT})) == removed
    assert_equal_results(before, model)


def test_channels_of_a_residual_go_in_both_branches_or_not_at_all() -> None:
    def network(second: list[int]) -> ModelWrapper:
        graph = IntegerGraph((2, 2))
        never = np.array([[1, 4], [90, 99], [0, 5]])
        a = graph.threshold(graph.matmul("x", np.array(CONSTANT[0])), never, "UINT2")
        b = graph.threshold(graph.matmul("x", np.array(CONSTANT[0]) + 1), np.array([[1, 4], second, [0, 5]]), "UINT2")
        return graph.model(graph.matmul(graph.add(a, b), np.array(CONSTANT[2])))

    assert {r.tensor: r.channels for r in remove_channels(network([198, 199]))} == {"t0": (1,), "t2": (1,)}
    assert remove_channels(network([1, 199])) == []


def test_places_behind_a_flatten_go_with_their_channel() -> None:
    graph = IntegerGraph((2, 2, 2, 2))
    y = graph.conv("x", np.array(DUPLICATE[0]).T.reshape(3, 1, 1, 2))
    y = graph.flatten(graph.threshold(y, np.array([[3, 9]]), "UINT2"))
    weights = np.random.default_rng(1).integers(-2, 3, (12, 2))
    model = graph.model(graph.matmul(y, weights))
    before = copy.deepcopy(model)
    assert [(r.tensor, r.channels, r.why) for r in remove_channels(model)] == [("t0", (2,), Why.DUPLICATE)]
    assert model.get_initializer("c3").shape == (8, 2)
    np.testing.assert_array_equal(model.get_initializer("c3")[:2], weights[[0, 1]] + [[1], [0]] * weights[[2, 2]])
    assert_equal_results(before, model)


def test_depthwise_channels_go_with_their_filters() -> None:
    rng = np.random.default_rng(3)
    graph = IntegerGraph((2, 4, 4, 2))
    y = graph.conv("x", np.array(DEAD[0]).T.reshape(3, 1, 1, 2))
    y = graph.conv(graph.threshold(y, np.array([[3, 9]]), "UINT2"), rng.integers(1, 3, (6, 3, 3, 1)), 1, group=3)
    weights = rng.integers(1, 3, (2, 1, 1, 6))
    weights[..., 2:4] = 0
    model = graph.model(graph.conv(graph.threshold(y, np.array([[3, 9]]), "UINT2"), weights))
    before = copy.deepcopy(model)
    assert [(r.tensor, r.channels) for r in remove_channels(model)] == [("t0", (1,)), ("t2", (2, 3))]
    assert [a.i for a in model.graph.node[2].attribute if a.name == "group"] == [2]
    assert_equal_results(before, model)


def test_what_only_removed_channels_used_goes_in_a_later_round() -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.array([[1, 2, 1], [1, 1, -1]])), np.array([[3, 9]]), "UINT2")
    y = graph.threshold(graph.matmul(y, np.array([[1, 0, 2], [0, 1, 0], [1, 0, 1]])), np.array([[1, 3]]), "UINT2")
    model = graph.model(graph.matmul(y, np.array([[1, 2], [0, 0], [3, 1]])))
    before = copy.deepcopy(model)
    assert [(r.tensor, r.channels) for r in remove_channels(model)] == [("t2", (1,)), ("t0", (1,))]
    assert_equal_results(before, model)


def test_one_channel_is_left_and_ends_of_the_graph_stay() -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.zeros((2, 3), int)), np.array([[3, 9]]), "UINT2")
    model = graph.model(graph.matmul(y, np.zeros((3, 2), int)))
    before = copy.deepcopy(model)
    remove_channels(model)
    assert [model.get_tensor_shape(n) for n in ("x", "t0", "t1", "t2")] == [[2, 2], [2, 1], [2, 1], [2, 2]]
    assert_equal_results(before, model)


def test_the_order_of_a_selection_stays() -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.array(ALWAYS_ZERO[0])), np.array(ALWAYS_ZERO[1]), "UINT2")
    model = graph.model(graph.node("ArgMax", [y], (2, 1), None, axis=-1))
    assert remove_channels(model) == []


def test_merging_that_needs_more_bits_of_weights_is_declined() -> None:
    rows = [[1, -1], [-1, 1], [1, 1]]
    assert remove_channels(two_layers(DUPLICATE[0], DUPLICATE[1], rows)) == []  # BIPOLAR would become INT3
    assert remove_channels(two_layers(DUPLICATE[0], DUPLICATE[1], [[2, -1], [-1, 1], [1, 1]])) != []


# --------------------------------------------------------------------------------------------------------------- types


def test_types_are_the_narrowest_or_the_declared_ones() -> None:
    model = two_layers([[1, -1], [1, 1]], [[3, 9], [-3, 9]], [[1, 2], [-1, 0]])

    def types(**flags: bool) -> list[str]:
        other = copy.deepcopy(model)
        narrow(other, **flags)
        return [other.get_tensor_datatype(name).name for name in ("c0", "t0", "c1", "t1", "c2", "t2")]

    assert types() == ["BIPOLAR", "INT6", "INT5", "UINT2", "INT3", "INT4"]
    off = {"accumulators": False, "weights": False, "thresholds": False}
    assert types(**off) == ["INT8", "INT32", "INT32", "UINT2", "INT8", "INT32"]
    assert types(**off | {"accumulators": True}) == ["INT8", "INT6", "INT6", "UINT2", "INT8", "INT4"]
    assert types(**off | {"weights": True}) == ["BIPOLAR", "INT32", "INT32", "UINT2", "INT3", "INT32"]
    assert types(**off | {"thresholds": True}) == ["INT8", "INT32", "INT5", "UINT2", "INT8", "INT32"]


@pytest.mark.parametrize(
    ("thresholds", "expected", "bias", "datatype"),
    [
        ([[-5, 3, 99], [-9, 4, 77]], [[3], [4]], 1.0, "UINT2"),  # always, sometimes, never
        ([[3, 99, -5], [98, 3, -1]], [[3]], 1.0, "UINT2"),  # in any order; then rows are equal
        ([[2.5, 3.5, 4.0], [3.0, 4.0, 4.0]], [[3, 4, 4]], 0.0, "UINT2"),  # rounded up
        ([[-5, 99, 99], [-5, 99, 99]], [[0]], 0.0, "BINARY"),  # one level is left
        ([[-5, 1, 1], [0, 1, 99]], [[1, 1], [1, 31]], 1.0, "UINT2"),  # never: one more than the greatest sum
    ],
)
def test_levels_that_nobody_tells_apart_go(thresholds: Any, expected: Any, bias: float, datatype: str) -> None:
    graph = IntegerGraph((2, 2))
    y = graph.threshold(graph.matmul("x", np.ones((2, 2), int)), np.array(thresholds), "UINT2")
    if np.any(np.array(thresholds) % 1):
        del graph.types["c1"]
    model = graph.model(graph.matmul(y, np.array([[1, 3], [2, 1]])))
    before = copy.deepcopy(model)
    assert narrow(model)["minimize_thresholds"] == 1
    np.testing.assert_array_equal(model.get_initializer("c1"), expected)
    attributes = {a.name: a.f for a in model.graph.node[1].attribute}
    assert (attributes["out_bias"], model.get_tensor_datatype("t1").name) == (bias, datatype)
    assert_equal_results(before, model)
    assert_annotations_hold(model)
    assert narrow(before, thresholds=False)["minimize_thresholds"] == 0
    np.testing.assert_array_equal(before.get_initializer("c1"), np.array(thresholds, np.float32))


def test_a_signed_output_of_the_graph_keeps_a_negative_bias() -> None:
    graph = IntegerGraph((2, 2))
    model = graph.model(graph.threshold(graph.matmul("x", np.ones((2, 2), int)), np.array([[-9, 5]]), "INT2", bias=-1))
    before = copy.deepcopy(model)
    narrow(model)
    np.testing.assert_array_equal(model.get_initializer("c1"), [[0, 5]])
    assert model.get_tensor_datatype("t1") == DataType["INT2"]
    assert_equal_results(before, model)


def test_bipolar_stays_bipolar_where_it_only_moves() -> None:
    graph = IntegerGraph((2, 2, 2, 2), "BIPOLAR")
    x = graph.flatten(graph.max_pool("x"))
    model = graph.model(graph.matmul(x, np.array([[1, -1], [-1, 1]])))
    narrow(model)
    names = [model.get_tensor_datatype(n.output[0]).name for n in model.graph.node]
    assert names == ["BIPOLAR", "BIPOLAR", "INT3"]
    assert model.get_tensor_datatype("c1") == DataType["BIPOLAR"]


def test_ranges_are_reached_per_channel() -> None:
    graph = IntegerGraph((2, 3, 3, 2), "INT3")
    y = graph.conv("x", np.random.default_rng(5).integers(-3, 4, (3, 3, 3, 2)), 1)
    model = graph.model(graph.sum_up(graph.bias(y, [1, -2, 3])))
    ranges, weights = model.analysis(integer_ranges), model.get_initializer("c0")
    for channel in range(3):
        for sign, bound in ((1, ranges["t0"].high), (-1, ranges["t0"].low)):
            x = np.where(sign * weights[channel] > 0, 3, -4).astype(np.float32)
            y = execute_onnx(model, {"x": np.stack([x, x])}, True)["t0"]
            assert y[0, 1, 1, channel] == bound[channel]
    np.testing.assert_array_equal(ranges["t1"].low, ranges["t0"].low + np.array([1, -2, 3]))


# -------------------------------------------------------------------------------------------------------------- report


@SETTINGS
@given(st.data())
def test_facts_follow_what_is_removed(data: st.DataObject) -> None:
    """x == scale * q + bias for the x of before, without the channels that went."""
    drawn = Drawn(data)
    model = drawn.model()
    after, report = copy.deepcopy(model), StreamlineReport()
    for name, shape in drawn.graph.shapes.items():
        if name in drawn.graph.types:
            scale, bias = (drawn.rng.integers(1, 5, shape[-1]) / 4 for _ in range(2))
            zero = np.array(0)
            report.tensors[name] = TensorFact(name, scale, bias, zero, zero, DataType["INT32"])
    first = dict(report.tensors)
    left = {name: np.arange(fact.scale.size) for name, fact in first.items()}
    for removal in optimise(after, StreamlineOptions(), report):
        left[removal.tensor] = np.setdiff1d(left[removal.tensor], removal.channels)
    for x in inputs_of(model, 0):
        old, new = (execute_onnx(m, {"x": x}, True) for m in (model, after))
        for name in [layer.y[0] for layer in layers_of(model)]:
            fact = report.tensors[name]
            expected = (first[name].scale * old[name] + first[name].bias)[..., left[name]]
            np.testing.assert_array_equal(fact.scale * new[name] + fact.bias, expected)
            assert ((fact.low <= new[name]) & (new[name] <= fact.high)).all()
            assert fact.datatype == after.get_tensor_datatype(name)
