"""Tails of all kinds on every integer of their range, against the same functions written in NumPy (float64)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.streamline import StreamlineReport, streamline
from finn.transformation.streamline.tail import ELEMENTWISE

from .reference import Net  # noqa: TID252 - test helpers are no installed package
from .reference_nd import execute  # noqa: TID252


def integers(net: Net) -> tuple[ModelWrapper, StreamlineReport]:
    """The network with nothing left on the host."""
    model = net.model(opset=20)
    report = streamline(model)
    assert not report.host, report
    return model, report


def check(net: Net, x: Any, want: Any, ops: Sequence[str] = ("MultiThreshold",)) -> StreamlineReport:
    """`want` is what the network makes of x: (n, channels); in the integer graph there are only these operators."""
    model, report = integers(net)
    assert {node.op_type for node in model.graph.node} <= {*ops, "Mul", "Add"}, report
    np.testing.assert_array_equal(execute(model.model, {"x": x})[net.last], want)
    return report


def rounded(y: Any, scale: float, bits: int) -> Any:
    return np.clip(np.rint(y / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * scale


# ---------------------------------------------------------------------------------------------------------- booleans

X = np.stack([np.arange(-128, 128), np.roll(np.arange(-128, 128), 77)], axis=1)

BOOLEANS: dict[str, tuple[Callable[[Net], Net], Callable[[Any], Any]]] = {
    "Greater": (lambda n: n.add("Greater", 3.0), lambda x: x > 3),
    "constant > x": (lambda n: n.add("Greater", inputs=[n.constant([3.0, -9.0]), n.last]), lambda x: x < [3, -9]),
    "GreaterOrEqual": (lambda n: n.add("GreaterOrEqual", [-7.0, 3.0]), lambda x: x >= [-7, 3]),
    "Less": (lambda n: n.add("Less", 3.0), lambda x: x < 3),
    "LessOrEqual": (lambda n: n.add("LessOrEqual", -3.0), lambda x: x <= -3),
    "Equal": (lambda n: n.add("Equal", 3.0), lambda x: x == 3),
    "Not": (lambda n: n.add("Greater", 3.0).add("Not"), lambda x: x <= 3),
    "Not Equal": (lambda n: n.add("Equal", [3.0, 0.0]).add("Not"), lambda x: x != [3, 0]),
    "IsNaN": (lambda n: n.add("IsNaN"), lambda x: np.zeros_like(x)),
}  # fmt: skip


@pytest.mark.parametrize("case", BOOLEANS)
def test_booleans_become_numbers(case: str) -> None:
    add, f = BOOLEANS[case]
    net = add(Net("n", 2, datatype="INT8")).add("Cast", to=1).quant(0.25, 4)
    check(net, X, f(X) * 1.0, ["MultiThreshold", "Gather", "Cast", "Sub"])


@pytest.mark.parametrize("combine", ["And", "Or", "Xor"])
def test_two_conditions_on_one_tensor(combine: str) -> None:
    net = Net("n", 2, datatype="INT8").add("Greater", -50.0)
    first = net.last
    second = net.add("Less", inputs=["x", net.constant([9.0, 70.0])]).last
    net.add(combine, inputs=[first, second]).add("Cast", to=1).quant(0.5, 3)
    meant = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}[combine]
    check(net, X, meant(X > -50, X < [9, 70]) * 1.0, ["MultiThreshold", "Gather", "Cast", "Sub"])


def test_where_chooses() -> None:
    net = Net("n", 2, datatype="INT8").add("Greater", 3.0)
    condition = net.last
    half = net.add("Mul", 0.5, inputs=["x", net.constant(0.5)]).last
    net.add("Where", inputs=[condition, half, net.constant([-1.0, 2.0])]).quant(0.5, 8)
    check(net, X, rounded(np.where(X > 3, X * 0.5, [-1, 2]), 0.5, 8), ["MultiThreshold", "Gather", "Cast", "Sub"])


def test_condition_on_floats_is_exact() -> None:
    """The comparison is in float32, as is the input."""
    net = Net("n", 1).add("Less", 0.1).add("Cast", to=1).quant(1.0, 2, signed=0)
    edge = np.float32(0.1)
    x = np.array([-9, np.nextafter(edge, np.float32(0)), edge, np.nextafter(edge, np.float32(1)), 9]).reshape(-1, 1)
    check(net, x, np.array([1.0, 1, 0, 0, 0]).reshape(-1, 1))


def test_operators_on_integer_types_are_no_tail() -> None:
    assert not {name for name in ELEMENTWISE if name.startswith("Bit")}
