"""Generated networks of any topology: streamlining keeps every number, and says what it did with every node.

Values are dyadic, so that both sides are exact in float64 and lie on rounding ties; see generator and reference_nd.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import Fate, StreamlineReport, streamline

from .generator import network  # noqa: TID252 - test helpers are no installed package
from .generator_net import LINEAR, Builder, Choices  # noqa: TID252
from .reference_nd import INDICES, QUANTIZERS, Tie, execute  # noqa: TID252

KEPT = {"integer", "folded", "constant", "dropped"}
FATES = {*KEPT, "host"}
MOVING = {
    "ConvTranspose", "DepthToSpace", "Flatten", "Gather", "MatMul", "Reshape", "SpaceToDepth", "Squeeze", "Transpose",
    "Unsqueeze",
}  # fmt: skip
"""Operators whose meaning depends on where the channels are."""
WINDOWS = {"AveragePool", "Conv", "MaxPool"}


@dataclass
class Case:
    """A network before and after, and its values on random inputs."""

    before: Builder
    original: ModelWrapper
    after: ModelWrapper
    report: StreamlineReport
    inputs: list[dict[str, Any]] = field(default_factory=list)
    expected: list[dict[str, Any]] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    inexact: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, net: Builder, seed: int = 0, runs: int = 3) -> Case:
        original, after, rng = net.model(), net.model(), np.random.default_rng(seed)
        case = cls(net, original, after, streamline(after))
        for _ in range(runs):
            inputs = {i.name: i.values(rng) for i in net.inputs}
            try:
                expected = execute(original.model, inputs, case.inexact)
            except Tie:  # a number that no float64 holds lies on a threshold: there is no right answer
                continue
            case.inputs.append(inputs)
            case.expected.append(expected)
            case.got.append(execute(after.model, inputs))
        return case

    # --- checks ---

    def check(self) -> None:
        self.outputs_are_equal()
        self.native_execution_agrees()
        self.types_and_bounds_hold()
        self.facts_hold()
        self.every_node_has_a_fate()
        self.layers_are_integer()
        self.dropped_nodes_change_nothing()
        self.floats_are_told()
        self.nothing_moves_in_the_middle()

    def outputs_are_equal(self) -> None:
        onnx.checker.check_model(self.after.model)
        names = [o.name for o in self.original.graph.output]
        assert [o.name for o in self.after.graph.output] == names
        for want, got in zip(self.expected, self.got, strict=True):
            for name in names:
                assert got[name].shape == want[name].shape, name
                if name in self.inexact:  # the host computes these in another order
                    np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-6, err_msg=name)
                else:
                    np.testing.assert_array_equal(got[name], want[name], err_msg=name)

    def native_execution_agrees(self) -> None:
        """The containers hold the integers: float32, or float64 behind Casts."""
        outputs = {o.name for o in self.after.graph.output}
        makers = {o: n for n in self.after.graph.node for o in n.output}
        for inputs, got in zip(self.inputs[:1], self.got, strict=False):
            feeds = {i.name: inputs[i.name].astype(np.int64 if i.indices else np.float32) for i in self.before.inputs}
            run = execute_onnx(self.after, feeds, return_full_exec_context=True)
            for name in run.keys() & got.keys():
                if self.after.get_tensor_datatype(name).is_integer():
                    np.testing.assert_array_equal(run[name], got[name], err_msg=name)
                elif name in outputs and makers[name].op_type not in INDICES:  # float32 has other ties
                    np.testing.assert_allclose(run[name], got[name], rtol=1e-4, atol=1e-4, err_msg=name)

    def types_and_bounds_hold(self) -> None:
        for got in self.got:
            for name, value in got.items():
                datatype = self.after.get_tensor_datatype(name)
                if datatype.is_integer():
                    assert np.all(datatype.allowed(value)), (name, datatype.name)
        for node in self.after.graph.node:
            shape = self.after.get_tensor_shape(node.output[0])
            for got in self.got:
                assert shape is None or tuple(shape) == got[node.output[0]].shape, node.output[0]

    def facts_hold(self) -> None:
        """x == scale * q + bias, low <= q <= high, with the axes of q in any order, for the channels that are left."""
        for want, got in zip(self.expected, self.got, strict=True):
            for name, fact in self.report.tensors.items():
                if name not in want or fact.integers not in got:
                    continue
                q, x = got[fact.integers], want[name]
                assert (q >= fact.low).all(), name
                assert (q <= fact.high).all(), name
                assert np.all(fact.datatype.allowed(q)), name
                value = fact.scale * q + fact.bias
                same = np.allclose if name in self.inexact else np.array_equal
                moved = (value.transpose(perm) for perm in permutations(range(value.ndim)))
                assert any(is_part(v, x, same) for v in moved), name

    def every_node_has_a_fate(self) -> None:
        titles = [f"{n.name} ({n.op_type})" for n in self.original.graph.node]
        assert list(self.report.nodes) == titles
        for node, (title, fate) in zip(self.original.graph.node, self.report.nodes.items(), strict=True):
            assert fate.kind in FATES, title
            assert fate.text, title
            if fate.kind == "host" and node.op_type in LINEAR | QUANTIZERS:
                assert fate.reason, f"{title}: {fate}"

    def layers_are_integer(self) -> None:
        """What the generator promises has become integer, and whatever linear layer did reads integers."""
        for node in self.original.graph.node:
            fate = self.fate(node)
            if node.name in self.before.must:
                assert fate.kind in KEPT, f"{node.name} ({node.op_type}): {fate}"
            elif fate.kind == "host" and node.op_type in LINEAR | QUANTIZERS:
                assert fate.remedy, f"{node.name} ({node.op_type}): {fate}"
        for node in self.after.graph.node:
            inputs = [self.after.get_tensor_datatype(i) for i in node.input]
            if node.op_type in LINEAR and self.after.get_tensor_datatype(node.output[0]).is_integer():
                assert all(d.is_integer() for d in inputs), node.name

    def dropped_nodes_change_nothing(self) -> None:
        """What is called dropped gives what it got, decides nothing, or is read by nobody."""
        live = {o.name for o in self.original.graph.output}
        for node in reversed(self.original.graph.node):
            title = f"{node.name} ({node.op_type})"
            fate = self.report.nodes[title]
            if not live.intersection(node.output):
                continue
            live.update(node.input)
            if fate.kind == "dropped" and node.op_type not in QUANTIZERS and "order" not in fate.text:
                for want in self.expected:
                    same = np.array_equal(np.sort(want[node.input[0]].ravel()), np.sort(want[node.output[0]].ravel()))
                    assert same, f"{title}: {fate}"

    def floats_are_told(self) -> None:
        """As many linear layers compute floats as the report says."""
        told = Counter(n.op_type for n in self.original.graph.node if self.fate(n).kind == "host")
        for op_type in sorted(LINEAR):
            floats = [
                n
                for n in self.after.graph.node
                if n.op_type == op_type and not self.after.get_tensor_datatype(n.output[0]).is_integer()
            ]
            pools = told["AveragePool"] if op_type == "Conv" else 0  # written as convolutions
            assert len(floats) <= told[op_type] + pools, f"{op_type}: {len(floats)} on the host, {told} told"

    def fate(self, node: Any) -> Fate:
        return self.report.nodes[f"{node.name} ({node.op_type})"]

    def nothing_moves_in_the_middle(self) -> None:
        """No Transpose from integers to integers but those that the original has."""
        if not self.is_of_images():
            return
        own = [n for n in self.original.graph.node if n.op_type in MOVING]
        middle = [n for n in self.after.graph.node if n.op_type == "Transpose" and self.is_between_integers(n)]
        assert len(middle) <= 2 * len(own), f"{len(middle)} transposes for {[n.op_type for n in own]}"

    def is_of_images(self) -> bool:
        """Whether every input goes into a layer that asks for the channels on the last axis."""
        wanted: set[str] = set()
        for node in reversed(self.original.graph.node):
            if node.op_type in WINDOWS or wanted.intersection(node.output):
                wanted.update(node.input)
        return all(i.name in wanted for i in self.before.inputs)

    def is_between_integers(self, node: Any) -> bool:
        makers = {o: n for n in self.after.graph.node for o in n.output}
        readers = [n for n in self.after.graph.node if node.output[0] in n.input]
        integer = [self.after.get_tensor_datatype(n.output[0]).is_integer() for n in readers]
        return node.input[0] in makers and self.after.get_tensor_datatype(node.input[0]).is_integer() and any(integer)


def is_part(part: Any, whole: Any, same: Any) -> bool:
    """Whether the arrays are the same, but for slices of one axis that `part` lacks."""
    if part.shape == whole.shape:
        return bool(same(part, whole))
    short = [i for i, (n, m) in enumerate(zip(part.shape, whole.shape, strict=False)) if n != m]
    if part.ndim != whole.ndim or len(short) != 1 or part.shape[short[0]] > whole.shape[short[0]]:
        return False
    slices = iter(np.moveaxis(whole, short[0], 0))
    return all(any(same(wanted, given) for given in slices) for wanted in np.moveaxis(part, short[0], 0))


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=150)
@given(st.data())
def test_generated_networks_are_equal(data: st.DataObject) -> None:
    Case.of(network(Choices(data.draw))).check()


@pytest.mark.slow
@settings(SETTINGS, max_examples=4000)
@given(st.data())
def test_many_generated_networks_are_equal(data: st.DataObject) -> None:
    Case.of(network(Choices(data.draw), steps=14), runs=4).check()


@settings(SETTINGS, max_examples=25)
@given(st.data())
def test_reference_agrees_with_onnxruntime_on_the_originals(data: st.DataObject) -> None:
    """Two readings of the same operators; onnxruntime has to round where float32 ends."""
    net = network(Choices(data.draw))
    model, rng = net.model(), np.random.default_rng(1)
    inputs = {i.name: i.values(rng) for i in net.inputs}
    inexact: set[str] = set()
    try:
        want = execute(model.model, inputs, inexact)
    except Tie:
        return
    feeds = {i.name: inputs[i.name].astype(np.int64 if i.indices else np.float32) for i in net.inputs}
    got = execute_onnx(model, feeds, return_full_exec_context=True)
    exact = not inexact and all((x == x.astype(np.float32)).all() for x in want.values())
    for name in [o for n in model.graph.node for o in n.output] if exact else []:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
