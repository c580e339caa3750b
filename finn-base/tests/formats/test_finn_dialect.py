"""QONNX to the FINN dialect computes the same: with dyadic scales bit by bit, whatever is quantized where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN, default_filter_function_generator
from finn.transformation.qonnx.fold_quant_weights import FoldQuantWeights
from finn.transformation.qonnx.infer_quant_avg_pool_2d import AvgPoolAndTruncToQuantAvgPool
from finn.transformation.qonnx.quant_act_to_multithreshold import ConvertQuantActToMultiThreshold
from finn.transformation.streamline.report import StreamlineError
from finn.util.cleanup import cleanup_model

from .helpers import DOMAIN, assert_linear, f32, hard_values, make, qcdq, quant  # noqa: TID252 - helpers are no package

SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
QUANTIZERS = {"Quant", "IntQuant", "BipolarQuant", "Trunc"}


def converted(model: ModelWrapper, step: Any = None) -> ModelWrapper:
    result = model.transform(step or ConvertQONNXtoFINN())
    onnx.checker.check_model(result.transform(InferShapes()).model)
    for tensor in result.graph.initializer:
        assert np.all(
            result.get_tensor_datatype(tensor.name).allowed(np.atleast_1d(result.get_initializer(tensor.name)))
        )
    return result


def assert_same(model: ModelWrapper, x: np.ndarray, *, left: int = 0) -> ModelWrapper:
    """left : how many quantizers stay."""
    model = model.transform(InferShapes())
    result = converted(model)
    assert sum(n.op_type in QUANTIZERS for n in result.graph.node) == left
    for name, wanted in execute_onnx(model, {"x": x}).items():
        np.testing.assert_array_equal(execute_onnx(result, {"x": x})[name], wanted)
    return result


# ------------------------------------------------------------------------------------------------------------- weights


class Layer:
    """A layer with a quantized constant: quantizers, layer, input shape."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.rng = draw, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.kind = draw(st.sampled_from(["Quant", "IntQuant", "BipolarQuant"]))
        self.zeropt, self.vary = draw(st.sampled_from([0, 0, 1])), draw(st.booleans())
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[NodeProto] = []

    def quantized(self, shape: tuple[int, ...], scale: tuple[int, ...], name: str = "w") -> None:
        s = f32(2.0 ** self.rng.integers(-3, 2, scale if self.vary else ()))
        self.constants |= {f"{name}f": f32(self.rng.integers(-16, 17, shape) / 4), f"{name}s": s}
        inputs, attributes = [f"{name}f", f"{name}s"], {}
        if self.kind != "BipolarQuant":
            self.constants |= {f"{name}z": f32(self.zeropt), f"{name}b": f32(4)}
            inputs += [f"{name}z", f"{name}b"]
            attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        self.nodes.append(helper.make_node(self.kind, inputs, [name], domain=DOMAIN, **attributes))

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op_type, inputs, ["y"], **attributes))

    def conv(self, op_type: str) -> list[int]:
        dims, group = self.draw(st.integers(1, 2)), self.draw(st.sampled_from([1, 2, 4]))
        kernel, ones = [3, 2][:dims], [1] * dims
        if op_type == "Conv":
            self.quantized((8, 4 // group, *kernel), (8, 1, *ones))
        else:
            self.quantized((4, 8 // group, *kernel), (1, 8 // group, *ones))
        bias = self.draw(st.booleans())
        if bias:
            self.quantized((8,), (8,), "b")
        self.add(op_type, "x", "w", *(["b"] if bias else []), group=group, strides=[2] * dims)
        return [2, 4, *[5] * dims]

    def product(
        self, weights: tuple[int, ...], scale: tuple[int, ...], shape: list[int], left: bool = False
    ) -> list[int]:
        self.quantized(weights, scale)
        self.add("MatMul", *(("w", "x") if left else ("x", "w")))
        return shape

    def gemm(self) -> list[int]:
        trans = self.draw(st.booleans())
        self.quantized((5, 4) if trans else (4, 5), (5, 1) if trans else (1, 5))
        self.quantized((5,), (5,), "c")
        self.add("Gemm", "x", "w", "c", transB=int(trans), alpha=0.5)
        return [3, 4]

    def gather(self) -> list[int]:
        axis = self.draw(st.sampled_from([0, 1]))
        self.quantized((6, 7), (1, 7) if axis == 0 else (6, 1))
        self.constants["zero"], self.constants["five"] = f32(0), f32(5)
        self.nodes += [
            helper.make_node("Clip", ["x", "zero", "five"], ["c"]), helper.make_node("Cast", ["c"], ["i"], to=7),
        ]  # fmt: skip
        self.add("Gather", "w", "i", axis=axis)
        return [2, 3]

    def elementwise(self, op_type: str, left: bool = False) -> list[int]:
        self.quantized((4,) if self.draw(st.booleans()) else (3, 4), (4,))
        if op_type == "Div":  # quotients that are exact
            values = 2.0 ** self.rng.integers(0, 2, self.constants["wf"].shape)
            self.constants |= {"wf": f32(values), "ws": f32(0.5)} | ({"wz": f32(0)} if "wz" in self.constants else {})
        self.add(op_type, *(("w", "x") if left else ("x", "w")))
        return [3, 4]


LAYERS: dict[str, tuple[Any, ...]] = {
    "conv": (Layer.conv, "Conv"),
    "deconv": (Layer.conv, "ConvTranspose"),
    "Gemm": (Layer.gemm,),
    "columns": (Layer.product, (4, 5), (1, 5), [3, 4]),
    "rows": (Layer.product, (4, 5), (4, 1), [3, 4]),
    "vector": (Layer.product, (4,), (), [3, 4]),
    "left": (Layer.product, (5, 3), (5, 1), [3, 4], True),
    "batch": (Layer.product, (2, 4, 5), (2, 1, 5), [2, 3, 4]),
    "Gather": (Layer.gather,),
    "Mul": (Layer.elementwise, "Mul"),
    "Div": (Layer.elementwise, "Div"),
    "Add": (Layer.elementwise, "Add"),
    "Sub": (Layer.elementwise, "Sub"),
    "from": (Layer.elementwise, "Sub", True),
}


@st.composite
def layers(draw: Any, kind: str) -> tuple[ModelWrapper, np.ndarray]:
    layer = Layer(draw)
    make_layer, *parameters = LAYERS[kind]
    shape = make_layer(layer, *parameters)
    return make(layer.nodes, {"x": shape}, layer.constants), f32(layer.rng.integers(-8, 9, shape) / 2)


@pytest.mark.parametrize("kind", LAYERS)
@given(st.data())
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_quantized_constants(kind: str, data: Any) -> None:
    """Every layer that reads them, one scale or one per channel, zero points, biases."""
    model, x = data.draw(layers(kind))
    result = assert_same(model, x)
    integers = [t.name for t in result.graph.initializer if result.get_tensor_datatype(t.name).is_integer()]
    assert integers or kind in ("Mul", "Div", "Add", "Sub")  # 1 and 0 do nothing


def test_weights_are_narrow_and_annotated() -> None:
    nodes = [quant(x="w", y="q"), helper.make_node("MatMul", ["x", "q"], ["y"])]
    constants = {"w": f32([[-1, 0.5], [0.75, 0]]), "s": f32(0.25), "z": f32(0), "b": f32(8)}
    result = converted(make(nodes, {"x": [3, 2]}, constants))
    assert [n.op_type for n in result.graph.node] == ["MatMul", "Mul"]
    weights = result.graph.node[0].input[1]
    assert result.get_initializer(weights).tolist() == [[-4, 2], [3, 0]]
    assert result.get_tensor_datatype(weights).name == "INT3"
    assert float(result.get_initializer(result.graph.node[1].input[1])) == 0.25


def test_two_layers_share_their_weights() -> None:
    nodes = [
        quant(x="w", y="q"),
        helper.make_node("MatMul", ["x", "q"], ["a"]),
        helper.make_node("MatMul", ["a", "q"], ["y"]),
    ]
    constants = {"w": f32([[-1, 0.5], [0.75, 0]]), "s": f32(0.25), "z": f32(0), "b": f32(8)}
    result = assert_same(make(nodes, {"x": [3, 2]}, constants), f32([[1, 2], [3, 4], [5, 6]]))
    assert [n.op_type for n in result.graph.node] == ["MatMul", "Mul"] * 2


@pytest.mark.parametrize(
    ("nodes", "scale", "reason"),
    [
        ([helper.make_node("Concat", ["x", "q"], ["y"], axis=0)], f32(0.5), "Concat reads it, and its scale cannot be"),
        ([helper.make_node("MatMul", ["q", "x"], ["y"])], f32([0.5, 1]), "varies along the axis that is summed"),
        ([helper.make_node("MatMul", ["x", "q"], ["y"])], f32([[0.5, 1], [1, 2]]), "varies along the axis that"),
        (
            [helper.make_node("Gather", ["q", "i"], ["y"])],
            f32([[0.5], [1]]),
            "varies along the axis that it picks from",
        ),
        (
            [helper.make_node("Mul", ["q", "q"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])],
            f32(0.5),
            "twice",
        ),
    ],
)
def test_quantized_constants_that_stay(nodes: list[NodeProto], scale: np.ndarray, reason: str) -> None:
    constants = {"w": f32([[-1, 0.5], [0.75, 0]]), "s": scale, "z": f32(0), "b": f32(8), "i": np.array([0, 1, 1])}
    model = make([quant(x="w", y="q"), *nodes], {"x": [2, 2]}, constants)
    step = ConvertQONNXtoFINN()
    result = model.transform(step)
    assert [n.op_type for n in result.graph.node if n.op_type in QUANTIZERS] == ["Quant"]
    assert reason in step.declined["Quant that makes 'q'"]
    x = f32([[1, 2], [3, 4]])
    np.testing.assert_array_equal(execute_onnx(result, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])


def test_scale_one_needs_no_place() -> None:
    """Integers as they are may be read by anything."""
    nodes = [quant(x="w", y="q"), helper.make_node("Concat", ["x", "q"], ["y"], axis=0)]
    constants = {"w": f32([[-1, 5]]), "s": f32(1), "z": f32(0), "b": f32(8)}
    assert_same(make(nodes, {"x": [1, 2]}, constants), f32([[1, 2]]))


# --------------------------------------------------------------------------------------------------------- activations


@st.composite
def activations(draw: Any) -> tuple[ModelWrapper, np.ndarray]:
    """Any quantizer of up to 8 bits on vectors, sequences, images; scales per tensor, on axis 1 or on the last."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([[3, 4], [2, 4, 5], [2, 3, 4, 5]]))
    axis = draw(st.sampled_from([None, 1, len(shape) - 1]))
    size = [1] * len(shape)
    if axis is not None:
        size[axis] = shape[axis]
    scale = f32(rng.choice([0.5, 0.25, 0.3, 1, 0.1], () if axis is None else size))
    if draw(st.booleans()):
        node = helper.make_node("BipolarQuant", ["x", "s"], ["y"], domain=DOMAIN)
        return make([node], {"x": shape}, {"s": scale}), hard_values(shape, f32(1), 0)
    mode = draw(st.sampled_from(["ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]))
    bits, zeropt = draw(st.integers(1, 8)), draw(st.sampled_from([0, 0, 1, -3]))
    signed, narrow = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    if zeropt and mode != "exact":
        scale = f32(2.0 ** np.round(np.log2(scale)))  # the bias is added to the product: exact for powers of two
    constants = {"s": scale, "z": f32(zeropt), "b": f32(max(bits, 2 if narrow else 1))}
    model = make(
        [quant(signed, narrow, mode, op_type=draw(st.sampled_from(["Quant", "IntQuant"])))], {"x": shape}, constants
    )
    x = hard_values(shape, scale, int(rng.integers(2**31)))
    return model, np.where(np.isinf(x), 7, x).astype(np.float32)


@given(activations())
@SETTINGS
def test_activations(case: tuple[ModelWrapper, np.ndarray]) -> None:
    model, x = case
    result = assert_same(model, x)
    assert result.graph.node[0].op_type == "MultiThreshold"


def test_scale_along_other_axes_is_refused() -> None:
    model = make(
        [quant()], {"x": [2, 3, 4, 5]}, {"s": f32(np.ones((4, 1)) * [[1], [2], [1], [2]]), "z": f32(0), "b": f32(4)}
    )
    with pytest.raises(StreamlineError) as error:
        model.transform(ConvertQONNXtoFINN())
    assert str(error.value.diagnostics[0]) == (
        "node Quant that makes 'y' at tensor y: its scale of shape (4, 1) does not vary along the channels of "
        "(2, 3, 4, 5), axis 1 or the last; use one scale per tensor, or one per channel"
    )


def test_filters() -> None:
    constants = {"s": f32(0.5), "z": f32(0), "b": f32(9)}
    model = make([quant()], {"x": [2, 3]}, constants)
    step = ConvertQONNXtoFINN()
    assert [n.op_type for n in model.transform(step).graph.node] == ["Quant"]
    assert step.declined == {"Quant that makes 'y'": "the filter keeps it"}
    for accepting in (
        ConvertQONNXtoFINN(max_multithreshold_bit_width=9),
        ConvertQONNXtoFINN(default_filter_function_generator(9)),
        ConvertQuantActToMultiThreshold(default_filter_function_generator(9)),
        ConvertQONNXtoFINN(filter_function=lambda model, node: node.op_type == "Quant"),
    ):
        result = model.transform(accepting)
        assert [n.op_type for n in result.graph.node] == ["MultiThreshold", "Mul"]
        assert result.get_initializer(result.graph.node[0].input[1]).shape == (1, 511)
    assert [n.op_type for n in model.transform(ConvertQuantActToMultiThreshold()).graph.node] == ["Quant"]


def test_refusals_leave_the_model_as_it_was() -> None:
    """All problems at once, of all formats."""
    nodes = [
        quant(y="a"),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("DynamicQuantizeLinear", ["r"], ["q", "ds", "dz"]),
        helper.make_node("DequantizeLinear", ["q", "ds", "dz"], ["y"]),
    ]
    model = make(nodes, {"x": [2, 3]}, {"s": f32(0), "z": f32(0), "b": f32(4)})
    before = model.model.SerializeToString()
    with pytest.raises(StreamlineError) as error:
        model.transform(ConvertQONNXtoFINN(), make_deepcopy=False)
    assert model.model.SerializeToString() == before
    assert [d.reason for d in error.value.diagnostics] == [
        "it finds its scale at run time, so that integers have no fixed meaning",
        "its scale 'ds' is not a constant",
        "its scale is not positive",
    ]
    with pytest.raises(StreamlineError, match="its scale is not positive"):
        make([quant(x="w", y="q"), helper.make_node("MatMul", ["x", "q"], ["y"])], {"x": [2, 2]},
             {"w": f32(np.eye(2)), "s": f32(-1), "z": f32(0), "b": f32(4)}).transform(FoldQuantWeights())  # fmt: skip


def test_other_formats_come_along() -> None:
    """QDQ weights and activations: exact, with integer weights and thresholds."""
    nodes = [
        *qcdq(x="x", y="a"),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["f"], axis=0),
        helper.make_node("Conv", ["a", "f"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["q2"]),
        helper.make_node("DequantizeLinear", ["q2", "s", "z"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "s": f32(0.5), "z": np.uint8(3), "w": rng.integers(-9, 9, (4, 3, 2, 2)).astype(np.int8),
        "ws": f32([0.5, 1, 2, 0.25]),
    }  # fmt: skip
    result = assert_same(make(nodes, {"x": [2, 3, 4, 4]}, constants), f32(rng.integers(-20, 200, (2, 3, 4, 4)) / 4))
    ops = [n.op_type for n in result.graph.node]
    assert ops == ["MultiThreshold", "Add", "Mul", "Conv", "Mul", "MultiThreshold", "Add", "Mul"]


# ------------------------------------------------------------------------------------------------------- average pools


def pooled(
    *, version: int, signed: int, bits: int, kernel: int, stride: int, scale: float, dropped: int, size: int,
    out_bits: int | None = None, whole: bool = False, **changes: Any,
) -> ModelWrapper:  # fmt: skip
    """Quant, pool, Trunc of the sum, as Brevitas exports both versions of Trunc."""
    total = (((1 << bits) - 1) * kernel**2).bit_length()
    out_bits = total - dropped if out_bits is None else out_bits
    nodes = [quant(signed, y="q")]
    if whole:
        nodes.append(helper.make_node("GlobalAveragePool", ["q"], ["p"]))
    else:
        nodes.append(
            helper.make_node("AveragePool", ["q"], ["p"], kernel_shape=[kernel] * 2, strides=[stride] * 2, **changes)
        )
    constants = {"s": f32(scale), "z": f32(0), "b": f32(bits), "in": f32(total), "out": f32(out_bits)}
    if version == 1:
        nodes += [helper.make_node("Mul", ["p", "size"], ["m"]), helper.make_node(
            "Trunc", ["m", "s", "z", "in", "out"], ["y"], domain=DOMAIN, rounding_mode="FLOOR")]  # fmt: skip
        constants["size"] = f32(kernel**2)
    else:
        nodes.append(helper.make_node(
            "Trunc", ["p", "ts", "z", "in", "os", "out"], ["y"], domain=DOMAIN, rounding_mode="floor", signed=signed,
            narrow=0))  # fmt: skip
        constants |= {"ts": f32(scale / kernel**2), "os": f32(scale / kernel**2) * f32(2.0**dropped)}
    model = make(nodes, {"x": [2, 3, size, size]}, constants)
    model.set_opset_import(DOMAIN, version)
    return model


@given(
    version=st.sampled_from([1, 2]), signed=st.integers(0, 1), bits=st.integers(2, 6), kernel=st.integers(1, 4),
    stride=st.integers(1, 3), scale=st.sampled_from([0.5, 0.3, 0.37, 2, 1]), dropped=st.integers(0, 4),
    whole=st.booleans(), seed=st.integers(0, 2**31),
)  # fmt: skip
@SETTINGS
def test_average_pools(
    version: int, signed: int, bits: int, kernel: int, stride: int, scale: float, dropped: int, whole: bool, seed: int
) -> None:
    """Bit by bit the same for any scale: the pool reads integers, and Trunc rounds to them."""
    size = kernel if whole else 5
    assume(dropped < (((1 << bits) - 1) * kernel**2).bit_length())
    model = pooled(
        version=version, signed=signed, bits=bits, kernel=kernel, stride=stride, scale=scale, dropped=dropped,
        size=size, whole=whole, out_bits=None if version == 1 else 8,
    ).transform(InferShapes())  # fmt: skip
    step = ConvertQONNXtoFINN()
    result = model.transform(step)
    ops = [n.op_type for n in result.graph.node]
    if "Trunc" in ops:
        assert (version, step.declined) == (2, {"Trunc that makes 'y'": "it clips"})
    else:
        assert "QuantAvgPool2d" in ops
        assert not {"AveragePool", "GlobalAveragePool", "Div"} & set(ops)
    x = f32(np.random.default_rng(seed).normal(0, scale * 2**bits, (2, 3, size, size)))
    np.testing.assert_array_equal(execute_onnx(result, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])


PLAIN: dict[str, Any] = {
    "version": 1, "signed": 0, "bits": 4, "kernel": 2, "stride": 2, "scale": 0.5, "dropped": 2, "size": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pads": [0, 0, 1, 1]}, "its images are padded"),
        ({"ceil_mode": 1}, "its windows reach beyond the image"),
        ({"dilations": [2, 2]}, "its window has gaps"),
        ({"version": 2, "out_bits": 2}, "it clips"),
    ],
)
def test_average_pools_that_stay(change: dict[str, Any], reason: str) -> None:
    model = pooled(**PLAIN | change)
    model.set_opset_import("", 19)
    step = ConvertQONNXtoFINN()
    result = model.transform(InferShapes()).transform(step)
    assert "Trunc" in [n.op_type for n in result.graph.node]
    assert step.declined == {"Trunc that makes 'y'": reason}


@pytest.mark.parametrize(
    ("constants", "mode", "reason"),
    [
        ({}, b"ROUND", "its rounding mode is not FLOOR"),
        ({"size": 5}, b"FLOOR", "the factor behind the pool is not the size of its window"),
        ({"in": 3}, b"FLOOR", "it adds bits"),
        ({"tz": 1}, b"FLOOR", "it has a zero point"),
        ({"ts": 0.31}, b"FLOOR", "its scale is not that of the sum"),
    ],
)
def test_truncations_that_stay(constants: dict[str, float], mode: bytes, reason: str) -> None:
    model = pooled(**PLAIN | {"scale": 0.3}).transform(InferShapes())
    (node,) = model.get_nodes_by_op_type("Trunc")
    node.attribute[0].s = mode
    for i, name in enumerate(("ts", "tz", "in"), start=1):
        node.input[i] = name
        model.set_initializer(name, f32({"ts": 0.3, "tz": 0, "in": 6}[name]))
    for name, value in constants.items():
        model.set_initializer(name, f32(value))
    step = ConvertQONNXtoFINN()
    assert "Trunc" in [n.op_type for n in model.transform(step).graph.node]
    assert step.declined == {"Trunc that makes 'y'": reason}


def test_pool_of_floats_stays() -> None:
    model = pooled(**PLAIN).transform(InferShapes())
    model.graph.node[1].input[0] = "x"
    step = AvgPoolAndTruncToQuantAvgPool()
    model.transform(step)
    assert step.declined == {"Trunc that makes 'y'": "its input is not known to consist of scaled integers"}


def test_pool_of_a_sum() -> None:
    """Two branches of the same scale, a power of two: the pool divides by it, which is exact."""
    model = pooled(**PLAIN)
    model.graph.node[0].output[0] = "q0"
    model.graph.node.insert(1, helper.make_node("Add", ["q0", "q0"], ["q"]))
    result = assert_same(model, f32(np.random.default_rng(0).integers(-9, 99, (2, 3, 4, 4)) / 8))
    assert [n.op_type for n in result.graph.node] == ["MultiThreshold", "Mul", "Add", "Div", "QuantAvgPool2d", "Mul"]


# ------------------------------------------------------------------------------------------------------- real networks


@pytest.mark.parametrize("name", ["brevitas_mobblock_w4a4", "brevitas_resblock_w4a4", "bnnpynq_cnv_w1a1_cifar10"])
def test_published_networks(name: str, shared: Path) -> None:
    """Every quantizer is converted, and predictions stay (scales are rounded in other places).

    Brevitas rounds to the nearest where it truncates the average of MobileNet: QuantAvgPool2d cannot.
    """
    model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
    step = ConvertQONNXtoFINN()
    result = model.transform(step)
    rounds = {"Trunc 'Trunc_0'": "its rounding mode is not FLOOR"} if "mobblock" in name else {}
    assert step.declined == rounds
    assert {n.op_type for n in result.graph.node} & QUANTIZERS == ({"Trunc"} if rounds else set())
    (source,) = (i.name for i in model.graph.input)
    shape = model.get_tensor_shape(source)
    x = np.random.default_rng(0).integers(0, 128, shape)
    x = f32(x if model.get_tensor_datatype(source).is_integer() else x / 127)
    wanted = execute_onnx(model, {source: x})["global_out"]
    np.testing.assert_allclose(execute_onnx(result, {source: x})["global_out"], wanted, rtol=0, atol=1e-4)


def test_time_is_linear_in_the_number_of_nodes() -> None:
    assert_linear(lambda model: model.transform(ConvertQONNXtoFINN()))
