"""Pools, pads, products, means and choices in the forms that exporters write: integer, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.streamline import StreamlineReport, streamline
from finn.transformation.streamline.rules_select import _ranks

GENERAL = "qonnx.custom_op.general"
Array = Any


@dataclass
class Net:
    """A network of nodes with dyadic parameters, so that float32 is exact."""

    opset: int = 13
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: list[tuple[str, int]] = field(default_factory=list)
    rng: Any = field(default_factory=lambda: np.random.default_rng(5))

    def constant(self, array: Array, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def add(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> str:
        """Returns the name of the last output."""
        names = [i if isinstance(i, str) else "" if i is None else self.constant(i) for i in inputs]
        made = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        domain = GENERAL if op_type in ("Quant", "BipolarQuant") else ""
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, names, made, name=name, domain=domain, **attributes))
        return made[-1]

    def quant(self, x: str, scale: Array = 0.5, bits: int = 4, zero_point: Array = 0.0, signed: int = 1) -> str:
        return self.add("Quant", x, scale, zero_point, float(bits), signed=signed, narrow=0, rounding_mode="ROUND")

    def input(self, *shape: int, **quantizer: Any) -> str:
        """A new quantized input."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = shape
        return self.quant(name, **quantizer)

    def dyadic(self, *shape: int) -> Array:
        return self.rng.integers(-16, 17, shape) / 8.0

    def weights(self, *shape: int, scale: Array = 0.25) -> str:
        return self.quant(self.constant(self.rng.integers(-7, 8, shape) * np.asarray(scale)), scale)

    def dense(self, x: str, inputs: int, outputs: int, scale: Array = 0.25) -> str:
        return self.add("MatMul", x, self.weights(inputs, outputs, scale=scale))

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1) -> str:
        return self.add("Conv", x, self.weights(outputs, inputs, kernel, kernel), kernel_shape=[kernel, kernel])

    def end(self, x: str, indices: bool = False) -> Net:
        self.outputs.append((x, TensorProto.INT64 if indices else TensorProto.FLOAT))
        return self

    def model(self) -> ModelWrapper:
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.inputs.items()]
        outputs = [helper.make_tensor_value_info(n, kind, None) for n, kind in self.outputs]
        graph = helper.make_graph(self.nodes, "net", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, 1)]
        return ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8)).transform(InferShapes())

    def check(self, host: tuple[str, ...] = ()) -> tuple[ModelWrapper, StreamlineReport]:
        """Streamline: the same numbers, and nothing but `host` computes floats."""
        before, after = self.model(), self.model()
        report = streamline(after)
        for seed in range(4):
            rng = np.random.default_rng(seed)
            x = {n: (rng.integers(-32, 33, s) / 8).astype(np.float32) for n, s in self.inputs.items()}
            expected, got = execute_onnx(before, x), execute_onnx(after, x)
            for name, _ in self.outputs:
                np.testing.assert_array_equal(got[name], expected[name])
                assert got[name].dtype == expected[name].dtype
        stays = {title: fate for title, fate in report.host.items() if "behind the integers" not in fate.text}
        assert {title.rpartition(" (")[2][:-1] for title in stays} == set(host), report
        assert all(fate.reason and fate.remedy for fate in stays.values()), report
        return after, report


def ops(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.graph.node]


# -------------------------------------------------------------------------------------------------------------- pools


@pytest.mark.parametrize(
    ("size", "strides", "pads", "fits"),
    [
        ((8, 8), [2, 2], [0, 0, 0, 0], True),
        ((7, 8), [2, 2], [0, 1, 1, 1], True),
        ((7, 8), [2, 2], [0, 0, 0, 0], False),
        ((8, 9), [2, 3], [0, 0, 0, 0], False),
        ((8, 8), [2, 3], [0, 0, 0, 0], True),
    ],
)
def test_ceil_mode_matters_only_if_windows_reach_beyond(
    size: tuple[int, int], strides: list[int], pads: list[int], fits: bool
) -> None:
    net = Net()
    attributes = {"kernel_shape": [2, 2], "strides": strides, "pads": pads, "ceil_mode": 1, "count_include_pad": 1}
    pooled = net.add("AveragePool", net.input(2, 3, *size), **attributes)
    _, report = net.end(net.quant(net.conv(pooled, 3, 2))).check(() if fits else ("AveragePool", "Conv"))
    told = [f.reason for title, f in report.host.items() if "AveragePool" in title]
    want = "its windows at the border of the image have different sizes (ceil_mode=1: the last ones reach beyond it)"
    assert told == ([] if fits else [want])


def test_pool_that_counts_fewer_values_at_the_border_says_so_with_ceil_mode_too() -> None:
    net = Net()
    pooled = net.add(
        "AveragePool", net.input(2, 3, 6, 6), kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1
    )
    _, report = net.end(net.quant(net.conv(pooled, 3, 2))).check(("AveragePool", "Conv"))
    assert any("count_include_pad=0 with padding" in fate.reason for fate in report.host.values())


SCALES = np.array([0.5, 0.25, 1.0, 0.5]).reshape(4, 1, 1)


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin"])
@pytest.mark.parametrize(
    ("axes", "keepdims", "opset"),
    [([2, 3], 1, 13), ([2, 3], 0, 18), ([-1], 1, 18), ([1], 1, 13), (None, 1, 13), ([0, 2], 1, 18)],
)
def test_extremes_over_any_axes(op_type: str, axes: list[int] | None, keepdims: int, opset: int) -> None:
    net = Net(opset)
    x = net.conv(net.input(2, 3, 4, 5), 3, 4, kernel=2)
    given = [net.ints(*axes)] if axes and opset >= 18 else []
    attributes = {"axes": axes} if axes and opset < 18 else {}
    y = net.add(op_type, net.add("Relu", x), *given, keepdims=keepdims, **attributes)
    model, _ = net.end(net.quant(y, 1.0)).check()
    assert op_type in ops(model)


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin"])
def test_extremes_of_channels_that_fall(op_type: str) -> None:
    """Negative factors turn the order of the integers round, channel by channel."""
    net = Net()
    factors = np.array([1.0, -2.0, 0.0, -0.5]).reshape(4, 1, 1)
    x = net.add("Mul", net.conv(net.input(2, 3, 4, 5), 3, 4, kernel=2), factors)
    y = net.add(op_type, net.add("Add", x, net.dyadic(4, 1, 1)), axes=[2, 3])
    net.end(net.quant(net.add("Sigmoid", y), 1 / 8)).check()


@pytest.mark.parametrize("size", [(4, 5), (6,)])
def test_global_max_pool(size: tuple[int, ...]) -> None:
    net = Net()
    x = net.input(2, 4, *size, scale=SCALES.reshape(4, *[1] * len(size)))
    model, _ = net.end(net.quant(net.dense(net.add("Flatten", net.add("GlobalMaxPool", x)), 4, 3))).check()
    assert "ReduceMax" in ops(model)


def test_extreme_over_channels_of_different_scales_stays() -> None:
    net = Net()
    net.end(net.add("ReduceMax", net.input(2, 4, 3, 3, scale=SCALES), axes=[1])).check(("ReduceMax",))


# --------------------------------------------------------------------------------------------------------------- pads


def padded(*pads: int, axes: tuple[int, ...] = (), value: Any = None, **quantizer: Any) -> Net:
    net = Net(18)
    x = net.input(2, 4, 5, 6, **quantizer)
    more = [value, net.ints(*axes)] if axes else [value] if value is not None else []
    y = net.add("Pad", x, net.ints(*pads), *more)
    return net.end(net.quant(net.conv(y, 4, 3, kernel=2), 1.0))


@pytest.mark.parametrize(
    "net",
    [
        padded(1, 1, 0, 2, axes=(2, 3)),
        padded(1, 2, axes=(-1,)),
        padded(2, 0, 1, 1, axes=(3, 2), value=np.float32(1.5)),
        padded(0, 0, -1, 0, 0, 0, 1, -2),
        padded(0, 0, -1, -2, 0, 0, -1, 0),
        padded(0, 0, 1, -2, 0, 0, -1, 3, value=np.float32(0.5)),
        padded(0, 0, 1, 2, 0, 0, 0, 1, zero_point=np.array([1.0, 2, 3, 4]).reshape(4, 1, 1), signed=0),
        padded(0, 0, 1, -1, 0, 0, 0, 1, zero_point=np.array([1.0, 2, 3, 4]).reshape(4, 1, 1), scale=SCALES, signed=0),
        padded(0, -1, 1, 0, 0, 1, 0, 1, scale=SCALES),
        padded(1, 0, 0, 0, -1, 0, 0, 0, scale=SCALES),
    ],
)
def test_pad_in_all_its_forms(net: Net) -> None:
    net.check()


def test_pad_of_channels_with_other_scales() -> None:
    net = Net()
    y = net.add("Pad", net.input(2, 4, 3, 3, scale=SCALES), net.ints(0, 2, 0, 0, 0, 1, 0, 0))
    net.end(net.quant(net.conv(y, 7, 3), 1.0)).check()


def test_pad_with_what_is_no_integer_stays() -> None:
    padded(0, 0, 1, 0, 0, 0, 0, 0, value=np.float32(0.3)).check(("Pad", "Conv"))


# ----------------------------------------------------------------------------------------------------- products, means


def product(build: Callable[[Net], str]) -> Callable[[], Net]:
    def made() -> Net:
        net = Net()
        return net.end(net.quant(build(net), 1.0))

    return made


GEMMS: dict[str, Callable[[Net], str]] = {
    "transA": lambda n: n.add("Gemm", n.input(6, 3), n.weights(6, 4), n.dyadic(4), transA=1, alpha=0.5),
    "constant left": lambda n: n.add("Gemm", n.weights(3, 6), n.input(6, 4)),
    "constant left, transposed": lambda n: n.add("Gemm", n.weights(6, 3), n.input(4, 6), transA=1, transB=1),
    "two dynamic": lambda n: n.add("Gemm", n.input(3, 6), n.input(4, 6), n.dyadic(4), transB=1, alpha=0.5, beta=2.0),
    "dynamic bias": lambda n: n.add("Gemm", n.input(3, 6), n.weights(6, 4), n.input(3, 4, scale=0.125), beta=0.5),
    "layer": lambda n: n.add("Gemm", n.input(3, 6), n.weights(6, 4), n.dyadic(1, 4), beta=2.0),
    "one number": lambda n: n.add("Gemm", n.input(3, 6), n.weights(6, 4), n.dyadic()),
    "bias per row": lambda n: n.add("Gemm", n.input(3, 6), n.weights(6, 4), n.dyadic(3, 1)),
}


@pytest.mark.parametrize("name", GEMMS)
def test_gemm_in_all_its_forms(name: str) -> None:
    model, _ = product(GEMMS[name])().check()
    assert "MatMul" in ops(model)


def test_gemm_with_a_bias_per_element() -> None:
    net = Net()
    model, _ = net.end(net.add("Gemm", net.input(3, 6), net.weights(6, 4), net.dyadic(3, 4))).check()
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    assert all(model.get_tensor_datatype(name).is_integer() for name in (*product.input, *product.output))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_mean_of_tensors(count: int) -> None:
    net = Net()
    parts = [net.dense(net.input(3, 6), 6, 4) for _ in range(count)]
    net.end(net.dense(net.quant(net.add("Mean", *parts), 1.0), 4, 2)).check()


@pytest.mark.parametrize(("position", "form"), [(0, "row"), (1, "column")])
def test_products_with_vectors_say_what_to_use(position: int, form: str) -> None:
    net = Net()
    operands = [net.input(2, 3, 6), net.weights(6)] if position else [net.weights(6), net.input(2, 6, 3)]
    _, report = net.end(net.add("MatMul", *operands)).check(("MatMul",))
    assert [fate.remedy for fate in report.host.values() if fate.reason] == [f"use a matrix with one {form}"]


# ------------------------------------------------------------------------------------------------------------- concat


def activated(net: Net, x: str, op_type: str, scale: float) -> str:
    y = net.add("Conv", x, net.weights(4, 3, 2, 2, scale=scale), kernel_shape=[2, 2])
    return net.add(op_type, y)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("scale", [0.25, 0.375])
def test_quantizer_behind_branches_with_activation_functions(axis: int, scale: float) -> None:
    net = Net(14)
    x = net.input(2, 3, 5, 5)
    constant = net.constant(net.dyadic(2, 4, 4, 4))
    branches = [activated(net, x, "HardSwish", 0.25), activated(net, x, "Relu", scale), constant]
    y = net.quant(net.add("Concat", *branches[: 2 + (axis == 1)], axis=axis), 0.5, signed=0)
    model, report = net.end(net.conv(y, {1: 12}.get(axis, 4), 3)).check()
    assert "Concat" in ops(model)
    assert not any("host" in fate.kind for title, fate in report.nodes.items() if "Quant" in title)


@pytest.mark.parametrize("axis", [1, 2])
def test_quantizer_behind_quantizers_without_common_measure(axis: int) -> None:
    net = Net()
    parts = [net.input(2, 4, 5, 5), net.input(2, 4, 5, 5, scale=1449 / 1024)]
    y = net.quant(net.add("Concat", *parts, axis=axis), 0.25, bits=6)
    net.end(net.conv(y, 8 if axis == 1 else 4, 3)).check()


def test_quantizers_of_one_scale_stay_in_front_of_the_concat_and_the_next_one_behind() -> None:
    net = Net()
    parts = [net.input(2, 4, 5, 5), net.input(2, 4, 5, 5)]
    y = net.quant(net.add("Concat", *parts, axis=1), 1.0, bits=3)
    model, _ = net.end(net.conv(y, 8, 3)).check()
    order = [op for op in ops(model) if op in ("MultiThreshold", "Concat")]
    assert order == ["MultiThreshold", "MultiThreshold", "Concat", "MultiThreshold"]


def test_concat_that_others_read_keeps_its_quantizer_behind() -> None:
    net = Net()
    x = net.input(2, 3, 5, 5)
    joined = net.add("Concat", activated(net, x, "Relu", 0.25), activated(net, x, "Relu", 0.25), axis=1)
    model, _ = net.end(net.quant(joined, 1.0)).end(net.quant(joined, 0.5)).check()
    assert ops(model).count("Concat") == 1


# ------------------------------------------------------------------------------------------------------------- choices


def classifier(net: Net, tail: Callable[[str], str], op_type: str = "ArgMax", classes: int = 7, **scale: Any) -> Net:
    y = tail(net.dense(net.input(5, 6), 6, classes, **scale))
    if op_type == "TopK":
        return net.end(net.add("TopK", y, net.ints(3), axis=-1, outputs=2), indices=True)
    return net.end(net.add("ArgMax", y, axis=1), indices=True)


@pytest.mark.parametrize("op_type", ["ArgMax", "TopK"])
def test_choice_behind_a_bias_per_class(op_type: str) -> None:
    """Biases in eighths on sums in eighths: many ties."""
    net = Net()
    classifier(net, lambda y: net.add("Add", y, net.rng.integers(-8, 9, 7) / 8), op_type).check()


@pytest.mark.parametrize("unit", [16, 3, 7.3])
def test_choice_behind_a_bias_between_the_integers(unit: float) -> None:
    net = Net()
    model, _ = classifier(net, lambda y: net.add("Add", y, net.rng.integers(-40, 41, 7) / unit)).check()
    assert ops(model)[-3:] == ["Mul", "Add", "ArgMax"]


def test_choice_behind_gemm_and_scales_per_class() -> None:
    net = Net()
    scale = np.array([0.25, 0.5, 0.75, 0.25, 1.0, 0.25, 0.125])
    classifier(net, lambda y: net.add("Add", y, net.dyadic(7) / 4), scale=scale).check()


def test_choice_behind_scales_without_common_measure_stays() -> None:
    net = Net()
    scale = np.array([0.25, 0.5, 0.25 * 1449 / 1024, 0.25, 1.0, 0.25, 0.125])
    classifier(net, lambda y: y, scale=scale).check(("ArgMax",))


@pytest.mark.parametrize("op_type", ["ArgMax", "TopK"])
def test_choice_behind_a_negative_scale(op_type: str) -> None:
    net = Net()
    classifier(net, lambda y: net.add("Mul", y, -2.0), op_type).check()


def test_choice_behind_negative_factors_of_some_classes_and_biases() -> None:
    net = Net()
    factors = np.array([1.0, -2.0, 0.0, 0.5, -1.0, 3.0, 1.0])
    classifier(net, lambda y: net.add("Add", net.add("Mul", y, factors), net.dyadic(7))).check()


def test_choice_behind_relu_and_a_negative_scale_has_the_ties_of_zeros() -> None:
    net = Net()
    classifier(net, lambda y: net.add("Relu", net.add("Mul", y, -2.0))).check()


def test_choice_behind_functions_that_do_not_rise_strictly_stays() -> None:
    net = Net()
    _, report = classifier(net, lambda y: net.add("Clip", y, np.float32(-0.3), np.float32(0.3))).check(("ArgMax",))
    fate = next(fate for title, fate in report.host.items() if "ArgMax" in title)
    assert fate.reason == (
        "Clip in front of it does not rise strictly, so that other classes may share the greatest value"
    )
    assert fate.remedy == "put ArgMax in front of the activation function, or a quantizer behind it"


REFUSED: dict[str, Callable[[Net], Net]] = {
    "smallest": lambda n: n.end(
        n.add("TopK", n.dense(n.input(5, 6), 6, 4), n.ints(2), largest=0, outputs=2), indices=True
    ),
    "other axis": lambda n: n.end(n.add("ArgMax", n.dense(n.input(5, 6), 6, 4), axis=0), indices=True),
    "not quantized": lambda n: n.end(n.add("ArgMax", n.add("Softmax", n.input(5, 6)), axis=0), indices=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_choices_that_stay_have_a_remedy(name: str) -> None:
    net = REFUSED[name](Net())
    host = {"smallest": ("TopK",), "other axis": ("ArgMax",), "not quantized": ("ArgMax",)}[name]
    report = streamline(net.model())
    told = [fate for title, fate in report.host.items() if any(f"({h})" in title for h in host)]
    assert told
    assert all(fate.reason and fate.remedy for fate in told)


def decisions(scale: Array, bias: Array, q: Array) -> Array:
    return np.argsort(-(scale * q + bias), axis=-1, kind="stable")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_ranks_have_the_order_of_the_scores(data: st.DataObject) -> None:
    """Dyadic numbers, so that the scores are exact: the same order of all classes, ties included."""
    classes = data.draw(st.integers(1, 9))
    eighths = st.lists(st.integers(-40, 40), min_size=classes, max_size=classes)
    bias = np.array(data.draw(eighths)) / data.draw(st.sampled_from([1, 2, 8, 64]))
    scale = np.array(data.draw(st.sampled_from([[0.5], [-0.25], [1.0, -0.5, 0.0, 2.0, 1.5, 1.0, 1.0, -3.0, 0.25]])))
    scale = scale[:classes]
    q = np.array(data.draw(st.lists(eighths, min_size=1, max_size=6)))
    m, b = _ranks(scale, bias)
    assert m.dtype == b.dtype == np.int64
    np.testing.assert_array_equal(decisions(m, b, q), decisions(scale, bias, q))


def test_ranks_are_as_small_as_can_be() -> None:
    m, b = _ranks(np.array([0.5]), np.array([0.0, 0.5, 1.0, -2.0]))
    assert (m.tolist(), b.tolist()) == (1, [4, 5, 6, 0])
    m, b = _ranks(np.array([1.0]), np.array([0.0, 1 / 3, 2 / 3, 1.0, 5 / 3]))
    assert (m.tolist(), b.tolist()) == (3, [0, 1, 2, 3, 5])
