"""x == scale * q + bias: exact for scales that are powers of two, up to rounding for those of trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from finn.analysis.ranges import Range
from finn.analysis.scaled_integers import ScaledIntegers, TensorRange, minimal_accumulators, scaled_integers
from finn.analysis.scaled_rules import SCALED
from finn.core.domains import GENERAL
from finn.core.execute_custom_node import execute_custom_node
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import gen_finn_dt_tensor
from finn.util.cleanup import cleanup_model

from .samples import EXTRA, SAMPLES, Net, opsets_of  # noqa: TID252 - test helpers are no installed package


def codes(values: np.ndarray, x: TensorRange) -> np.ndarray:
    """q of these values, not rounded."""
    assert x.scale is not None
    assert x.bias is not None
    assert (x.scale > 0).all()
    np.broadcast_to(x.scale, values.shape)
    return (values.astype(np.float64) - x.bias) / x.scale


def assert_integers(values: np.ndarray, x: TensorRange, tolerance: float = 0.0) -> None:
    q = codes(values, x)
    assert x.integers is not None
    assert np.abs(q - np.rint(q)).max(initial=0) <= tolerance
    q = np.rint(q)
    assert (q >= x.integers.low).all()
    assert (q <= x.integers.high).all()
    assert x.datatype.min() <= x.integers.span[0]
    assert x.integers.span[1] <= x.datatype.max()


def check(net: Net, result: ScaledIntegers, model: ModelWrapper, tolerance: float = 0.0) -> int:
    """All tensors that are claimed to be scaled integers; returns how many."""
    context = execute_onnx(model, net.values(), return_full_exec_context=True)
    claimed = [name for name, x in result.tensors.items() if x.scale is not None and name in context]
    for name in claimed:
        assert_integers(context[name], result.tensors[name], tolerance)
    return len(claimed)


def quantized(n: Net, name: str, scale: Any = 0.25, zero: Any = 0, bits: int = 4, **attributes: Any) -> str:
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return n.node("Quant", [name, n.const(scale), n.const(zero), n.const(bits)], domain=GENERAL, **attributes)


@pytest.mark.parametrize("name", sorted({*SCALED, *EXTRA} & {*SAMPLES, *EXTRA}))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_rule(name: str, data: st.DataObject) -> None:
    """A quantizer in front of the sample's inputs; whatever is claimed has to hold."""
    net = Net(data.draw, data.draw(st.sampled_from([o for o in opsets_of(name) if o >= 10] or [9])))
    (SAMPLES | EXTRA)[name](net)
    nodes, outputs = net.nodes, net.outputs
    net.nodes = []
    for x in net.shapes:
        zero = data.draw(st.sampled_from([0, 1]))
        q = quantized(net, x, data.draw(st.sampled_from([0.25, 0.5, 1.0])), zero)
        net.nodes[-1].output[0] = q = f"{x}_quantized"
        for node in nodes:
            node.input[:] = [q if i == x else i for i in node.input]
    net.nodes, net.outputs = net.nodes + nodes, outputs
    model = net.model()
    check(net, scaled_integers(model, net.ranges), model, tolerance=0 if name in EXACT else 1e-3)


EXACT = {*SCALED} - {"BatchNormalization", "Div", "AveragePool", "GlobalAveragePool", "ReduceMean"}
"""Operators of which float32 gives the exact result on the samples."""

CHAIN = {
    "Quant": lambda n, x, c: quantized(n, x, n.pick(0.25, 0.5), n.pick(0, 1)),
    "Quant per channel": lambda n, x, c: quantized(n, x, n.rng.choice([0.25, 0.5, 1.0], (c, 1, 1))),
    "Relu": lambda n, x, c: n.node("Relu", [x]),
    "Neg": lambda n, x, c: n.node("Neg", [x]),
    "Mul": lambda n, x, c: n.node("Mul", [x, n.const(n.rng.choice([-2.0, -0.5, 0.0, 0.5, 1.0], (c, 1, 1)))]),
    "Add": lambda n, x, c: n.node("Add", [x, n.weights(c, 1, 1)]),
    "Add itself": lambda n, x, c: n.node("Add", [x, x]),
    "Mul itself": lambda n, x, c: n.node("Mul", [x, x]),
    "Residual": lambda n, x, c: n.node("Sub", [x, quantized(n, x, n.pick(0.25, 0.5, 1.0))]),
    "Conv": lambda n, x, c: n.node(
        "Conv", [x, quantized(n, n.weights(2, c, 3, 3), n.rng.choice([0.5, 1.0], (2, 1, 1, 1)), bits=3), n.weights(2)],
        pads=[1, 1, 1, 1],
    ),
    "Depthwise": lambda n, x, c: n.node("Conv", [x, n.weights(c, 1, 2, 2, step=1.0)], group=c, pads=[0, 0, 1, 1]),
    "ConvTranspose": lambda n, x, c: n.node("ConvTranspose", [x, n.weights(c, 2, 2, 2, step=1.0)], strides=[2, 2]),
    "MaxPool": lambda n, x, c: n.node("MaxPool", [x], kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
    "AveragePool": lambda n, x, c: n.node("AveragePool", [x], kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1),
    "Concat": lambda n, x, c: n.node("Concat", [x, quantized(n, x, 0.5)], axis=1),
    "Transpose": lambda n, x, c: n.node("Transpose", [x], perm=[0, 1, 3, 2]),
    "Pad": lambda n, x, c: n.node("Pad", [x, n.const([0, 0, 1, 0, 0, 0, 0, 1], np.int64), n.const(0.5)]),
}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_chains(data: st.DataObject) -> None:
    net = Net(data.draw, 13)
    name, channels = quantized(net, net.x((2, 2, 4, 4)), bits=3), 2
    kinds = data.draw(st.lists(st.sampled_from(sorted(CHAIN)), min_size=1, max_size=5))
    for kind in kinds:
        name = CHAIN[kind](net, name, channels)
        channels = {"Conv": 2, "ConvTranspose": 2, "Concat": 2 * channels}.get(kind, channels)
        if sum(k in ("Conv", "Mul itself", "ConvTranspose", "Depthwise") for k in kinds) > 2:
            name = quantized(net, name, bits=3)  # float32 stays exact
    model = net.model()
    result = scaled_integers(model, net.ranges)
    assert check(net, result, model) >= 2
    assert result.notes == []


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_accumulators_are_those_of_the_integers(data: st.DataObject) -> None:
    """The greatest and the least sum of integer products, by trying the ends of each input."""
    net = Net(data.draw, 13)
    k, c = net.int(1, 4), net.int(1, 3)
    x = quantized(net, net.x((2, k)), 0.1, net.int(-1, 1), net.int(1, 4), signed=net.int(0, 1))
    w = net.rng.integers(-3, 4, (k, c))
    weights = quantized(net, net.const(w * np.float32(0.3)), 0.3, 0, 3)
    y = net.node("MatMul", [x, weights])
    model = net.model()
    result = scaled_integers(model)
    found, q = minimal_accumulators(model)[y], result.tensors[x].integers
    assert q is not None
    low, high = (np.broadcast_to(end, (1, k)).reshape(k, 1) for end in (q.low, q.high))
    least, greatest = np.minimum(w * low, w * high).sum(0), np.maximum(w * low, w * high).sum(0)
    np.testing.assert_array_equal(found.integers.low, [least])
    np.testing.assert_array_equal(found.integers.high, [greatest])
    assert found.datatype == Range(least, greatest).datatype
    assert found.op_type == "MatMul"


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND", "CEIL"])
def test_the_first_version_of_trunc_keeps_the_scale(build, mode: str) -> None:
    values = {"s": 0.25, "z": 1.0, "in": 8.0, "out": 5.0}
    node = helper.make_node("Trunc", ["x", *values], ["y"], domain=GENERAL, rounding_mode=mode)
    constants = {name: np.array(value, np.float32) for name, value in values.items()}
    model = build([node], {"x": [1, 225]}, ["y"], constants)
    model.set_tensor_shape("y", [1, 225])
    y = scaled_integers(model, {"x": (-8, 20)}).tensors["y"]
    x = np.linspace(-8, 20, 225, dtype=np.float32).reshape(1, -1)
    context = constants | {"x": x}
    execute_custom_node(node, context, model.graph, 1)
    assert_integers(context["y"], y)
    assert (context["y"].min(), context["y"].max()) == y.interval.span


def built(build: Any, nodes: list[Any], **arguments: Any) -> ModelWrapper:
    return build(nodes, **arguments).transform(InferShapes())


def test_a_residual_of_scales_with_an_integer_ratio(build) -> None:
    nodes = [
        helper.make_node("Mul", ["a", "s"], ["as"]),
        helper.make_node("Mul", ["b", "t"], ["bt"]),
        helper.make_node("Add", ["as", "bt"], ["y"]),
    ]
    scales = {"s": np.array(0.3, np.float32), "t": np.array(0.1, np.float32) * np.float32(3) * np.float32(0.5)}
    model = built(
        build, nodes, inputs={"a": [2, 3], "b": [2, 3]}, outputs=["y"], constants=scales,
        datatypes={"a": "INT4", "b": "UINT2"},
    )  # fmt: skip
    y = scaled_integers(model).tensors["y"]
    assert y.integers is not None
    assert y.integers.span == (-16, 17)  # 2 a + b
    assert y.datatype == "INT6"
    np.testing.assert_allclose(y.scale, 0.15, rtol=1e-6)


def test_a_residual_of_other_scales_is_a_loss_that_says_why(build) -> None:
    nodes = [helper.make_node("Mul", ["a", "s"], ["as"]), helper.make_node("Add", ["as", "b"], ["y"], name="add")]
    model = built(
        build, nodes, inputs={"a": [2, 3], "b": [2, 3]}, outputs=["y"], constants={"s": np.array(0.7071, np.float32)},
        datatypes={"a": "INT4", "b": "UINT2"},
    )  # fmt: skip
    result = scaled_integers(model)
    assert result.tensors["y"].scale is None
    assert result.tensors["y"].datatype == "FLOAT32"
    (loss,) = result.losses
    assert (loss.node, loss.op_type) == ("Add 'add'", "Add")
    assert loss.reason == "it adds integers of scales whose ratio, 1.41423, is not that of integers"


def test_fixed_point_inputs(build) -> None:
    model = built(
        build,
        [helper.make_node("Relu", ["x"], ["y"])],
        inputs={"x": [2, 3]},
        outputs=["y"],
        datatypes={"x": "FIXED<6,2>"},
    )
    x, y = (scaled_integers(model).tensors[name] for name in "xy")
    assert (x.scale.item(), x.integers.span) == (2**-4, (-32, 31))  # type: ignore[arg-type, union-attr]
    assert (y.scale.item(), y.integers.span) == (2**-4, (0, 31))  # type: ignore[arg-type, union-attr]


def test_integers_beyond_53_bits_are_refused(build) -> None:
    w = np.full((64, 1), 2.0**20, np.float32)
    model = built(
        build, [helper.make_node("MatMul", ["x", "w"], ["y"])], inputs={"x": [2, 64]}, outputs=["y"],
        constants={"w": w}, datatypes={"x": "INT32"},
    )  # fmt: skip
    result = scaled_integers(model)
    assert [loss.reason for loss in result.losses] == ["its integers need more than 53 bits"]
    assert result.accumulators == {}


MODELS = ["TFC_1W1A", "TFC_2W2A", "bnnpynq_cnv_w1a1_cifar10", "brevitas_cnvs_w2a2_fashion", "brevitas_resblock_w4a4",
          "brevitas_tfc_w2a2i8_fashion", "brevitas_txblock_w8a8", "kwsmlp_w3a3", "unsw_nb15-mlp-w2a2"]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_published_networks(shared: Path, name: str) -> None:
    model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
    rng, feeds, ranges = np.random.default_rng(1), {}, {}
    for value in model.graph.input:
        datatype, shape = model.get_tensor_datatype(value.name), model.get_tensor_shape(value.name) or []
        if datatype.is_integer():
            feeds[value.name] = gen_finn_dt_tensor(datatype, shape, rng)
        else:
            feeds[value.name] = rng.uniform(-1, 1, shape).astype(np.float32)
            ranges[value.name] = (-1, 1)
    result = scaled_integers(model, ranges)
    context = execute_onnx(model, feeds, return_full_exec_context=True, precision="float64")
    claimed = [n for n, x in result.tensors.items() if x.scale is not None and n in context]
    for tensor in claimed:
        assert_integers(context[tensor], result.tensors[tensor], tolerance=1e-4)
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "MatMul", "Gemm")]
    assert len(result.accumulators) == len(layers)
    assert len(claimed) >= len(model.graph.node) * 3 // 4
