"""Tails of all kinds on every integer of their range, against the same functions written in NumPy (float64)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.streamline import StreamlineReport, streamline
from finn.transformation.streamline import runs as runs_module
from finn.transformation.streamline.ends import begin
from finn.transformation.streamline.pipeline import prepared
from finn.transformation.streamline.propagation import Propagation
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.rules import DEFAULT, RULES
from finn.transformation.streamline.runs import runs
from finn.transformation.streamline.tail import ELEMENTWISE
from finn.transformation.streamline.thresholds import level
from finn.transformation.streamline.values import Pending, Scaled

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


@pytest.mark.parametrize("factor", [0.5, -0.5])
@pytest.mark.parametrize("datatype", ["INT8", "FLOAT32"])
def test_a_factor_per_channel_may_be_the_same_for_all(factor: float, datatype: str) -> None:
    net = Net("n", 2, datatype=datatype).add("Mul", [factor, factor]).add("Relu").quant(0.75, 4)
    check(net, X, rounded(np.maximum(X * factor, 0), 0.75, 4))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_quantizers_of_bipolar_numbers_change_nothing(scale: float) -> None:
    x = np.array([[-1, 1], [1, 1], [-1, -1]])
    net = Net(3, 2, datatype="BIPOLAR").add("BipolarQuant", scale)
    check(net, x, x * scale, ["Identity"])
    check(Net(3, 2, datatype="BIPOLAR").add("Neg").add("BipolarQuant", scale), x, -x * scale, ())


def test_condition_on_floats_is_exact() -> None:
    """The comparison is in float32, as is the input."""
    net = Net("n", 1).add("Less", 0.1).add("Cast", to=1).quant(1.0, 2, signed=0)
    edge = np.float32(0.1)
    x = np.array([-9, np.nextafter(edge, np.float32(0)), edge, np.nextafter(edge, np.float32(1)), 9]).reshape(-1, 1)
    check(net, x, np.array([1.0, 1, 0, 0, 0]).reshape(-1, 1))


def test_operators_on_integer_types_are_no_tail() -> None:
    assert not {name for name in ELEMENTWISE if name.startswith("Bit")}


# --------------------------------------------------------------------------------------------------- common measures

MEASURED: dict[str, tuple[Callable[[Net], Net], Callable[[Any], Any], float]] = {
    "LeakyRelu": (lambda n: n.add("LeakyRelu", alpha=0.25), lambda x: np.where(x < 0, x / 4, x), 0.25),
    "Mul Relu": (lambda n: n.add("Mul", 0.5).add("Relu"), lambda x: np.maximum(x / 2, 0), 0.5),
    "signs": (
        lambda n: n.add("Mul", [1.0, -0.5]).add("Relu"),
        lambda x: np.maximum(x * [1, -0.5], 0), 0.5,
    ),
    "square": (lambda n: n.add("Mul", inputs=[n.last, n.last]), lambda x: x * x, 1.0),
    "cube": (lambda n: n.add("Pow", 3.0), lambda x: x**3, 1.0),
    "thirds": (lambda n: n.add("Div", 3.0).add("Abs"), lambda x: np.abs(x) / 3, 1 / 3),
    "equal": (lambda n: n.add("Equal", 2.0).add("Cast", to=1), lambda x: x == 2, 1.0),
    "zero": (lambda n: n.add("Mul", 0.0).add("Abs"), lambda x: x * 0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("case", MEASURED)
def test_values_with_a_common_measure_are_integers(case: str, scale: float) -> None:
    """A product behind the tail needs integers, and the scale is no matter of the input but of the values."""
    add, f, unit = MEASURED[case]
    net = Net("n", 2).quant(scale, 4)
    net = add(net.add("Div", scale) if case in {"thirds", "equal"} else net)
    w = np.array([[1, -2, 3], [2, 0, -1]])
    net.add("MatMul", net.weights(w * 0.5, 0.5, 4))
    model, report = integers(net)
    (fact,) = (f for name, f in report.tensors.items() if name.endswith(net.last))
    x = np.stack([np.arange(-8, 8), np.roll(np.arange(-8, 8), 5)], axis=1)
    power = {"square": 2, "cube": 3, "thirds": 0, "equal": 0}.get(case, 1)
    want = f(x) * scale**power @ (w * 0.5)
    got = execute(model.model, {"x": (x * scale).astype(np.float32)})[net.last]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)  # but for the float32 of the last scale
    np.testing.assert_allclose(np.abs(fact.scale), 0.5 * unit * float(np.float32(scale)) ** power, rtol=1e-7)


def test_values_without_a_common_measure_stay_on_the_host() -> None:
    net = Net("n", 2).quant(0.5, 4).add("LeakyRelu", alpha=0.1)
    net.add("MatMul", net.weights([[1.0], [2.0]], 1.0, 4))
    report = streamline(net.model())
    assert [fate.reason for title, fate in report.host.items() if "MatMul" in title] == [
        "its input is not quantized: LeakyRelu stands between the integers and this node"
    ]


def test_each_channel_may_have_a_measure_of_its_own() -> None:
    net = Net("n", 2).quant([0.5, 0.3], 4).add("LeakyRelu", alpha=0.25)
    first = net.last
    net.add("Quant", inputs=["x", *map(net.constant, ([0.25, 0.3], 0.0, 6.0))], signed=1, narrow=0)
    net.add("Add", inputs=[first, net.last]).quant([0.5, 0.3], 4)
    model, report = integers(net)
    coarse, fine = (np.float32(s).astype(np.float64) for s in ([0.5, 0.3], [0.25, 0.3]))
    x = np.stack([np.arange(-40, 40), np.roll(np.arange(-40, 40), 11)], axis=1) * fine / 2.3  # no ties
    small, large = rounded(x, coarse, 4), rounded(x, fine, 6)
    want = rounded(np.where(small < 0, small / 4, small) + large, coarse, 4)
    got = execute(model.model, {"x": x})[net.last]
    np.testing.assert_array_equal(np.rint(got / coarse), np.rint(want / coarse), str(report))


# ------------------------------------------------------------------------------------------------------ runs of codes


def gelu(n: Net) -> Net:
    x = n.last
    n.add("Div", float(np.sqrt(2))).add("Erf").add("Add", 1.0)
    return n.add("Mul", inputs=[x, n.last]).add("Mul", 0.5)


def times(n: Net, *ops: tuple[Any, ...]) -> Net:
    """x times the operators on x."""
    x = n.last
    for op, *constants in ops:
        n.add(op, *constants)
    return n.add("Mul", inputs=[x, n.last])


def chosen(n: Net) -> Net:
    x = n.last
    condition, half = n.add("Less", 0.25).last, n.add("Mul", -0.5, inputs=[x, n.constant(-0.5)]).last
    return n.add("Where", inputs=[condition, half, x])


CURVES: dict[str, Callable[[Net], Net]] = {
    "SiLU": lambda n: times(n, ("Sigmoid",)),
    "GELU": gelu,
    "Gelu": lambda n: n.add("Gelu"),
    "HardSwish": lambda n: times(n, ("Add", 3.0), ("Clip", 0.0, 6.0), ("Div", 6.0)),
    "HardSwish of opset 14": lambda n: n.add("HardSwish"),
    "Mish": lambda n: times(n, ("Softplus",), ("Tanh",)),
    "Mish of opset 18": lambda n: n.add("Mish"),
    "Abs": lambda n: n.add("Abs"),
    "square of a rounded number": lambda n: (lambda n: n.add("Mul", inputs=[n.last, n.last]))(n.add("Round")),
    "bump": lambda n: n.add("Abs").add("Neg").add("Exp"),
    "PRelu": lambda n: n.add("PRelu", [-0.25]).add("Abs"),
    "SiLU of SiLU": lambda n: times(times(n, ("Sigmoid",)), ("Sigmoid",)),
    "difference": lambda n: n.add("Sub", inputs=[n.last, n.add("Tanh").last]),
    "softsign": lambda n: (lambda x: n.add("Abs").add("Add", 1.0).add("Div", inputs=[x, n.last]))(n.last),
    "Where": chosen,
    "Elu": lambda n: n.add("Elu", alpha=-0.5),
    "Equal": lambda n: n.add("Equal", 0.0).add("Cast", to=1),  # its bounds are those of both
    "Sin": lambda n: n.add("Sin"),  # rises and falls, and its bounds say nothing
}


def pending(net: Net) -> tuple[Scaled, Any]:
    """The tail in front of the last quantizer of the network, and that quantizer."""
    p = Propagation(prepared(net.model(opset=20))[0])
    begin(p)
    p.run(RULES, DEFAULT)
    value = p.values[net.last]
    assert isinstance(value, Pending)
    assert value.before is not None
    return value.before, value.quantizer


@pytest.mark.parametrize("bisect", [True, False])
@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "HALF_UP"])
@pytest.mark.parametrize("curve", CURVES)
def test_runs_are_those_of_the_evaluation_of_every_value(
    curve: str, mode: str, bisect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "FEW", 0 if bisect else 1 << 20)
    monkeypatch.setattr(runs_module, "AT_ONCE", 1000)
    net = Net("n", 3, datatype="INT12").add("Mul", [0.005, -0.03125, 2**-9]).add("Add", [0.7, 0.0, -1.25])
    value, q = pending(CURVES[curve](net).quant(0.125, 6, rounding_mode=mode))
    low, high = np.array([-2048, -1000, -3]), np.array([2047, 999, 2047])
    found = runs(value, q, low, high)
    up, down = found.thresholds(high, 1), found.thresholds(high, -1)
    for c in range(3):
        every = np.arange(low[c], high[c] + 1)
        want = level(value, q, np.repeat(every[None], 3, axis=0))[c]
        counted = [np.searchsorted(t[c], every, side="right") for t in (up, down)]
        np.testing.assert_array_equal(found.codes[c, 0] + counted[0] - counted[1], want)
        if found.directions is not None:
            assert (np.diff(want) * found.directions[c] >= 0).all()


@pytest.mark.parametrize("curve", ["SiLU", "GELU", "HardSwish", "Mish"])
def test_wide_accumulators_behind_normalization(curve: str) -> None:
    """As in detectors: 8 bits, windows of 576 values; every value near a threshold is looked at, and some others."""
    channels, rng = 16, np.random.default_rng(0)
    net = Net("n", channels, datatype="INT24")
    net.add("Mul", 2.0**-13).add("BatchNormalization", *(rng.uniform(0.5, 2, channels) for _ in range(4)))
    value, q = pending(CURVES[curve](net).quant(0.05, 8))
    low, high = -(np.arange(channels) + 1) * 500_000, (np.arange(channels) + 1) * 500_000
    found = runs(value, q, low, high)
    up, down = found.thresholds(high, 1), found.thresholds(high, -1)
    assert up.shape[1] > 128 > down.shape[1] > 1
    edges = np.concatenate([up, down, *(rng.integers(low, high + 1)[:, None] for _ in range(1000))], axis=1)
    near = np.clip(np.concatenate([edges + d for d in (-2, -1, 0, 1)], axis=1), low[:, None], high[:, None])
    rows = [
        np.searchsorted(up[c], near[c], "right") - np.searchsorted(down[c], near[c], "right") for c in range(channels)
    ]
    np.testing.assert_array_equal(found.codes[:, :1] + np.stack(rows), level(value, q, near))


def test_too_many_changes_are_refused() -> None:
    net = Net("n", 1, datatype="INT32").add("Sin").quant(0.25, 4)
    value, q = pending(net)
    with pytest.raises(Refused, match="cannot tell whether Sin is monotonic over the 200000001 values"):
        runs(value, q, np.array([-100_000_000]), np.array([100_000_000]))


def test_nan_is_refused() -> None:
    value, q = pending(times(Net("n", 1, datatype="INT24").add("Add", 8e6), ("Sqrt",)).quant(0.25, 4))
    with pytest.raises(Refused, match="gives NaN"):
        runs(value, q, np.array([-(1 << 23)]), np.array([1 << 23]))
