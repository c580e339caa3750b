"""QuantizeLinear, Clip, DequantizeLinear to Quant, against what onnxruntime makes of the original."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.general.quant import int_quant
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qcdq_to_qonnx import QCDQToQuant, extract_elem_type
from finn.transformation.qonnx_to_qcdq import QuantToQCDQ
from finn.util.cleanup import cleanup_model

from .helpers import f32, hard_values, make, parameters, qcdq, run_ort  # noqa: TID252 - helpers are no package

SHAPE = (3, 4, 5)
BY_AXIS = f32([0.1, 0.25, 3, 1 / 3])
INT8, UINT8 = TensorProto.INT8, TensorProto.UINT8


def convert(model: ModelWrapper, *, inexact: bool = False) -> tuple[ModelWrapper, QCDQToQuant]:
    step = QCDQToQuant()
    if inexact:
        with pytest.warns(UserWarning, match="quantizers have a zero point"):
            return model.transform(step), step
    return model.transform(step), step


def assert_same(model: ModelWrapper, converted: ModelWrapper, scale: Any, seed: int = 0) -> None:
    x = hard_values(SHAPE, np.asarray(scale), seed)
    for a, b in zip(run_ort(model, {"x": x}), execute_onnx(converted, {"x": x}).values(), strict=True):
        np.testing.assert_array_equal(a, b)


# ----------------------------------------------------------------------------------------------------- integer ranges

RANGES = [
    ((INT8, None), (8, True, False)),
    ((UINT8, None), (8, False, False)),
    ((TensorProto.INT32, None), (32, True, False)),
    ((TensorProto.UINT16, None), (16, False, False)),
    ((TensorProto.INT4, None), (4, True, False)),
    ((TensorProto.UINT4, None), (4, False, False)),
    ((INT8, (-8, 7)), (4, True, False)),
    ((INT8, (-7, 7)), (4, True, True)),
    ((INT8, (-1, 1)), (2, True, True)),
    ((INT8, (-127, 127)), (8, True, True)),
    ((INT8, (0, 7)), (3, False, False)),
    ((UINT8, (0, 1)), (1, False, False)),
    ((UINT8, (0, 6)), (3, False, True)),
    ((UINT8, (0, 254)), (8, False, True)),
    ((UINT8, (0, 1000)), (8, False, False)),
]


@pytest.mark.parametrize(("arguments", "wanted"), RANGES)
def test_extract_elem_type(arguments: tuple[int, Any], wanted: tuple[int, bool, bool]) -> None:
    assert extract_elem_type(*arguments) == wanted
    kind, clip = arguments
    if clip is not None:
        assert extract_elem_type(kind, [np.asarray([bound]) for bound in clip]) == wanted


@pytest.mark.parametrize("clip", [(-3, 2), (0, 5), (4, 7), (-1, 0), (0, 0), (-8, -1), (5, 2)])
def test_ranges_of_no_quantizer(clip: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedError) as error:
        extract_elem_type(INT8, clip)
    assert str(error.value) == (
        f"no quantizer has the integers {clip[0]}..{clip[1]} (the ranges are 0..2^b-1, -2^(b-1)..2^(b-1)-1, and narrow "
        "ones without 2^b-1 or -2^(b-1)). Remedy: clip to such a range"
    )


def test_extract_elem_type_wants_integers() -> None:
    with pytest.raises(UnsupportedError, match="element type FLOAT is no integer type"):
        extract_elem_type(TensorProto.FLOAT)
    with pytest.raises(UnsupportedError, match="element type 4711 is no integer type"):
        extract_elem_type(4711)


# --------------------------------------------------------------------------------------------------------- activations


@given(
    st.sampled_from([np.int8, np.uint8]), st.integers(-8, 7), st.integers(1, 8), st.booleans(),
    st.sampled_from([None, 1]), st.sampled_from([13, 19, 21]), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_activations(dtype: Any, zeropt: int, bits: int, narrow: bool, axis: int | None, opset: int, seed: int) -> None:
    """Any range 0..2^b-1 or -2^(b-1)..2^(b-1)-1 around any zero point: exact, or counted as inexact."""
    info = np.iinfo(dtype)
    zeropt = max(int(info.min), zeropt)
    low, high = (0, 2**bits - 1 - narrow) if info.min == 0 else (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1)
    scale = f32(0.3) if axis is None else BY_AXIS
    constants = {"s": scale, "z": np.full(scale.shape, zeropt, dtype), "lo": dtype(low), "hi": dtype(high)}
    model = make(qcdq(clip=True, axis=axis), {"x": SHAPE}, constants, opset=opset, custom=False)
    step = QCDQToQuant()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        converted = model.transform(step)
    if step.declined:
        found = (low, high) in ((0, 0), (-1, 0)) or low == high == 0
        assert found, step.declined
        return
    (node,) = converted.graph.node
    assert node.op_type == "Quant"
    assert converted.get_opset_imports() == {"": opset, "finn.custom_op.general": 1}
    assert len(converted.graph.initializer) == 3
    assert bool(step.inexact) == bool(np.any(converted.get_initializer(node.input[2])))
    if not step.inexact:
        assert_same(model, converted, scale.reshape(-1, 1) if axis else scale, seed)
        return
    # Away from ties and their neighbours there is no difference either.
    shaped = scale.reshape(-1, 1) if axis else scale
    rng = np.random.default_rng(seed)
    x = ((rng.integers(-300, 300, SHAPE) + rng.uniform(-0.45, 0.45, SHAPE)) * shaped).astype(np.float32)
    np.testing.assert_array_equal(run_ort(model, {"x": x})[0], execute_onnx(converted, {"x": x})["y"])


@pytest.mark.parametrize(
    ("zeropt", "clip", "wanted"),
    [
        (np.uint8(128), None, (8, 1, 0)),  # the usual form of symmetric activations
        (np.int8(-128), None, (8, 0, 0)),  # the usual form of activations behind a Relu
        (np.uint8(8), (0, 15), (4, 1, 0)),
        (np.uint8(8), (1, 15), (4, 1, 1)),
        (np.uint8(0), None, (8, 0, 0)),
    ],
)
def test_zero_points_are_absorbed(zeropt: Any, clip: tuple[int, int] | None, wanted: tuple[int, int, int]) -> None:
    constants = {"s": f32(0.37), "z": zeropt}
    if clip is not None:
        constants |= {"lo": zeropt.dtype.type(clip[0]), "hi": zeropt.dtype.type(clip[1])}
    model = make(qcdq(clip=clip is not None), {"x": SHAPE}, constants)
    converted, step = convert(model)
    assert step.inexact == []
    assert parameters(converted) == [((pytest.approx(0.37),), (0.0,), (wanted[0],), wanted[1], wanted[2], "ROUND")]
    assert_same(model, converted, f32(0.37))


def test_a_zero_point_that_stays_is_reported() -> None:
    model = make(qcdq(), {"x": SHAPE}, {"s": f32(1), "z": np.uint8(3)})
    step = QCDQToQuant()
    with pytest.warns(UserWarning, match="quantizers have") as caught:
        converted = model.transform(step)
    assert str(caught[0].message) == (
        "1 of 1 quantizers have a zero point that Quant adds before it rounds: ties may come out one step apart, first "
        "in 'y'"
    )
    assert step.inexact == ["y"]
    assert parameters(converted) == [((1.0,), (3.0,), (8.0,), 0, 0, "ROUND")]
    x = f32([0.5, 1.5, 2.5, 1.25]).reshape(2, 2)
    small = make(qcdq(), {"x": [2, 2]}, {"s": f32(1), "z": np.uint8(3)})
    assert run_ort(small, {"x": x})[0].tolist() == [[0, 2], [2, 1]]
    converted, _ = convert(small, inexact=True)
    assert execute_onnx(converted, {"x": x})["y"].tolist() == [[1, 1], [3, 1]]


def test_integers_with_a_zero_point_are_exact() -> None:
    model = make(qcdq(), {"x": SHAPE}, {"s": f32(0.5), "z": np.uint8(3)}, datatypes={"x": "INT6"})
    converted, step = convert(model)
    assert (step.inexact, step.declined) == ([], {})
    x = np.random.default_rng(0).integers(-32, 32, SHAPE).astype(np.float32)
    np.testing.assert_array_equal(run_ort(model, {"x": x})[0], execute_onnx(converted, {"x": x})["y"])


@pytest.mark.parametrize("opset", [10, 13, 21])
def test_without_zero_point(opset: int) -> None:
    model = make(qcdq(zeropt=False), {"x": SHAPE}, {"s": f32(0.3)}, opset=opset)
    converted, _ = convert(model)
    assert parameters(converted) == [((pytest.approx(0.3),), (0.0,), (8.0,), 0, 0, "ROUND")]
    assert_same(model, converted, f32(0.3))


@pytest.mark.parametrize("which", ["lo", "hi"])
def test_clip_with_one_bound(which: str) -> None:
    """0..127 of int8 is an unsigned range; -128..127 clipped from above to 127 is all."""
    nodes = qcdq(clip=True)
    nodes[1].input[2 if which == "lo" else 1] = ""
    constants = {"s": f32(0.3), "z": np.int8(0), "lo": np.int8(0), "hi": np.int8(127)}
    del constants["hi" if which == "lo" else "lo"]
    model = make(nodes, {"x": SHAPE}, constants)
    converted, _ = convert(model)
    assert parameters(converted)[0][2:5] == (((7.0,), 0, 0) if which == "lo" else ((8.0,), 1, 0))
    assert_same(model, converted, f32(0.3))


def test_clip_with_attributes() -> None:
    """Exporters wrote this before opset 11, though no runtime has a Clip of integers there."""
    q, _, dq = qcdq(clip=True)
    clip = helper.make_node("Clip", ["q"], ["c"], min=-8.0, max=7.0)
    converted, _ = convert(make([q, clip, dq], {"x": SHAPE}, {"s": f32(0.3), "z": np.int8(0)}, opset=10))
    assert parameters(converted) == [((pytest.approx(0.3),), (0.0,), (4.0,), 1, 0, "ROUND")]


def test_constant_nodes_for_all_parameters() -> None:
    values = {"s": f32(0.3), "z": np.int8(0), "lo": np.int8(-7), "hi": np.int8(7)}
    nodes = [
        helper.make_node("Constant", [], [n], value=numpy_helper.from_array(np.asarray(v))) for n, v in values.items()
    ]
    model = make([*nodes, *qcdq(clip=True)], {"x": SHAPE}, {})
    step = QCDQToQuant()
    converted = model.transform(step, cleanup=False)
    assert [node.op_type for node in converted.graph.node] == ["Quant"]
    assert_same(model, converted, f32(0.3))


@pytest.mark.parametrize(("dtype", "kind"), [(np.int16, TensorProto.INT16), (np.uint16, TensorProto.UINT16)])
def test_16_bits(dtype: Any, kind: int) -> None:
    model = make(qcdq(), {"x": SHAPE}, {"s": f32(0.001), "z": dtype(0)}, opset=21)
    converted, _ = convert(model)
    assert parameters(converted)[0][2:4] == ((16.0,), int(kind == TensorProto.INT16))
    x = np.random.default_rng(0).normal(size=SHAPE, scale=30).astype(np.float32)
    np.testing.assert_array_equal(run_ort(model, {"x": x})[0], execute_onnx(converted, {"x": x})["y"])


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_4_bits(kind: str) -> None:
    """The type of the integers by the zero point, and by output_dtype without one."""
    number = TensorProto.DataType.Value(kind)
    model = make(qcdq(), {"x": SHAPE}, {"s": f32(0.3)}, opset=21)
    model.graph.initializer.append(helper.make_tensor("z", number, [], [0]))
    converted, _ = convert(model)
    assert parameters(converted)[0][2:4] == ((4.0,), int(kind == "INT4"))
    assert_same(model, converted, f32(0.3))
    nodes = qcdq(zeropt=False)
    nodes[0].attribute.append(helper.make_attribute("output_dtype", number))
    model = make(nodes, {"x": SHAPE}, {"s": f32(0.3)}, opset=21)
    assert parameters(convert(model)[0]) == parameters(converted)


@pytest.mark.parametrize("axis", [1, -2])
def test_axes(axis: int) -> None:
    constants = {"s": BY_AXIS, "z": np.zeros(4, np.int8)}
    model = make(qcdq(axis=axis), {"x": SHAPE}, constants)
    converted, _ = convert(model)
    assert converted.get_initializer(converted.graph.node[0].input[1]).shape == (1, 4, 1)
    assert_same(model, converted, BY_AXIS.reshape(-1, 1))


# --------------------------------------------------------------------------------------------------------------- forks


def two(first: NodeProto, second: NodeProto, *more: NodeProto) -> ModelWrapper:
    q = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    constants = {"s": f32(0.3), "z": np.int8(0), "s2": f32(0.3), "lo": np.int8(-8), "hi": np.int8(7)}
    outputs = ("y",) if more else ("a", "b")
    return make([q, first, second, *more], {"x": SHAPE}, constants, outputs=outputs)


ADD = helper.make_node("Add", ["a", "b"], ["y"])
DQ_A = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["a"])
DQ_B = helper.make_node("DequantizeLinear", ["q", "s2", "z"], ["b"])
CLIP = helper.make_node("Clip", ["q", "lo", "hi"], ["c"])
DQ_C = helper.make_node("DequantizeLinear", ["c", "s", "z"], ["b"])


def test_fork_after_quantize_is_one_quantizer() -> None:
    model = two(DQ_A, DQ_B, ADD)
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node] == ["Quant", "Add"]
    assert_same(model, converted, f32(0.3))


def test_forked_outputs_keep_their_names() -> None:
    model = two(DQ_A, DQ_B)
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node] == ["Quant", "Quant"]
    assert_same(model, converted, f32(0.3))


def test_fork_before_clip_is_two_quantizers() -> None:
    model = two(DQ_A, CLIP, DQ_C, ADD)
    converted, _ = convert(model)
    assert sorted(p[2] for p in parameters(converted)) == [(4.0,), (8.0,)]
    assert_same(model, converted, f32(0.3))


def test_fork_after_dequantize() -> None:
    nodes = [*qcdq(y="a"), helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Add", ["a", "r"], ["y"])]
    model = make(nodes, {"x": SHAPE}, {"s": f32(0.3), "z": np.int8(0)})
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node] == ["Quant", "Relu", "Add"]
    assert_same(model, converted, f32(0.3))


def test_merged_quantizers_in_a_row() -> None:
    """The second quantizer reads an output that was merged away."""
    again = [
        helper.make_node("QuantizeLinear", ["b", "s", "z"], ["q2"]),
        helper.make_node("DequantizeLinear", ["q2", "s", "z"], ["d"]),
        helper.make_node("Add", ["a", "d"], ["y"]),
    ]
    model = two(DQ_A, DQ_B, *again)
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node] == ["Quant", "Quant", "Add"]
    assert_same(model, converted, f32(0.3))


def test_quantizers_that_bodies_read() -> None:
    """A body of control flow reads the second output: it keeps its name."""
    y = helper.make_tensor_value_info("ty", TensorProto.FLOAT, None)
    body = helper.make_graph([helper.make_node("Neg", ["b"], ["ty"])], "body", [], [y])
    branch = helper.make_node("If", ["yes"], ["i"], then_branch=body, else_branch=body)
    model = two(DQ_A, DQ_B, branch, helper.make_node("Add", ["a", "i"], ["y"]))
    model.set_initializer("yes", np.asarray(True))
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node].count("Quant") == 2
    x = hard_values(SHAPE, f32(0.3), 0)
    x = np.where(np.isfinite(x), x, 0).astype(np.float32)
    np.testing.assert_array_equal(execute_onnx(converted, {"x": x})["y"], run_ort(model, {"x": x})[0])


def test_integers_that_others_read_stay() -> None:
    nodes = [*qcdq(), helper.make_node("Cast", ["q"], ["i"], to=TensorProto.FLOAT)]
    model = make(nodes, {"x": SHAPE}, {"s": f32(0.3), "z": np.int8(0)}, outputs=("y", "i"))
    converted, _ = convert(model)
    assert sorted(node.op_type for node in converted.graph.node) == ["Cast", "Quant", "QuantizeLinear"]
    assert_same(model, converted, f32(0.3))


# ----------------------------------------------------------------------------------------------------------- constants


@given(
    st.sampled_from(["INT8", "UINT8", "INT4", "UINT4", "INT16", "UINT16", "INT32"]), st.integers(-20, 20),
    st.one_of(st.floats(2.0**-30, 2.0**30, width=32), st.sampled_from([0.1, 1.0, 1e-44])), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_constants(kind: str, zeropt: int, scale: float, seed: int) -> None:
    """The quantizer of the dequantized values gives these values, to the bit."""
    number, datatype = TensorProto.DataType.Value(kind), DataType[kind]
    low, high = int(datatype.min()), int(datatype.max())
    rng = np.random.default_rng(seed)
    integers = np.concatenate([rng.integers(low, high + 1, 58), [low, high]])
    zeropt = 0 if kind == "INT32" else min(max(low, zeropt), high)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"]),
        helper.make_node("Add", ["x", "v"], ["y"]),
    ]
    model = make(nodes, {"x": SHAPE}, {"s": f32(scale)}, opset=21)
    model.graph.initializer.append(helper.make_tensor("w", number, SHAPE, integers.tolist()))
    model.graph.initializer.append(helper.make_tensor("z", number, [], [zeropt]))
    wanted = run_ort(model, {"x": np.zeros(SHAPE, np.float32)})[0]
    step = QCDQToQuant()
    converted = model.transform(step)
    result = execute_onnx(converted, {"x": np.zeros(SHAPE, np.float32)})["y"]
    np.testing.assert_array_equal(result, wanted)
    if kind != "INT32":
        assert step.declined == {}
        assert [node.op_type for node in converted.graph.node] == ["Quant", "Add"]
        assert len(converted.graph.initializer) == 4


def test_bias_of_32_bits() -> None:
    """Small integers convert; where float32 would lose some of them, the node stays."""

    def model(values: list[int]) -> ModelWrapper:
        nodes = [
            helper.make_node("DequantizeLinear", ["w", "s"], ["v"], axis=0),
            helper.make_node("Add", ["x", "v"], ["y"]),
        ]
        return make(nodes, {"x": [2, 3]}, {"w": np.asarray(values, np.int32), "s": f32([0.1, 0.2, 0.3])})

    converted, step = convert(model([1000, -70000, 16777216]))
    assert step.declined == {}
    assert parameters(converted)[0][2:] == ((32.0,), 1, 0, "ROUND")
    assert converted.get_initializer(converted.graph.node[0].input[1]).shape == (3,)
    x = np.zeros((2, 3), np.float32)
    wanted = run_ort(model([1000, -70000, 16777216]), {"x": x})[0]
    np.testing.assert_array_equal(execute_onnx(converted, {"x": x})["y"], wanted)


@pytest.mark.parametrize("as_node", [False, True])
def test_clipped_weights(as_node: bool) -> None:
    """How Brevitas writes weights of few bits; out of range values are clipped."""
    w = np.random.default_rng(0).integers(-9, 9, SHAPE).astype(np.int8)
    nodes = [
        helper.make_node("Clip", ["w", "lo", "hi"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["v"], axis=1),
        helper.make_node("Add", ["x", "v"], ["y"]),
    ]
    constants = {"w": w, "s": BY_AXIS, "z": np.zeros(4, np.int8), "lo": np.int8(-7), "hi": np.int8(7)}
    if as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(constants.pop("w"))))
    model = make(nodes, {"x": SHAPE}, constants).transform(InferShapes())
    converted, _ = convert(model)
    assert [node.op_type for node in converted.graph.node] == ["Quant", "Add"]
    assert parameters(converted)[0][2:] == ((4.0,), 1, 1, "ROUND")
    assert_same(model, converted, f32(1))


# ------------------------------------------------------------------------------------------------------------ declined


def declined(nodes: list[NodeProto], constants: dict[str, Any], **options: Any) -> str:
    """The reason; the model has to stay as it is."""
    inputs = options.pop("inputs", {"x": SHAPE})
    model = make(nodes, inputs, constants, custom=False, **options)
    before = model.model.SerializeToString()
    step = QCDQToQuant()
    model.transform(step, make_deepcopy=False, cleanup=False)
    assert model.model.SerializeToString() == before
    (reason,) = step.declined.values()
    return reason


def test_other_scale_or_zero_point() -> None:
    q, dq = qcdq()
    dq.input[1] = "t"
    wanted = "the QuantizeLinear before it has other parameters"
    assert declined([q, dq], {"s": f32(0.3), "t": f32(0.4), "z": np.int8(0)}) == wanted
    q, dq = qcdq()
    dq.input[2] = "t"
    assert declined([q, dq], {"s": f32(0.3), "t": np.int8(1), "z": np.int8(0)}) == wanted


def test_ranges_that_no_quantizer_has() -> None:
    constants = {"s": f32(0.3), "z": np.int8(0), "lo": np.int8(-3), "hi": np.int8(2)}
    wanted = "it is clipped to -3..2, which is the range of no quantizer"
    assert declined(qcdq(clip=True), constants) == wanted


def test_computed_parameters() -> None:
    inputs = {"x": SHAPE, "s": []}
    assert declined(qcdq(), {"z": np.int8(0)}, inputs=inputs) == "its scale 's' is not a constant"
    constants = {"s": f32(1), "z": np.int8(0), "lo": np.int8(0)}
    wanted = "the max of the Clip before it is not one constant"
    assert declined(qcdq(clip=True), constants, inputs={"x": SHAPE, "hi": []}) == wanted


def test_integers_from_elsewhere() -> None:
    nodes = [helper.make_node("DequantizeLinear", ["x", "s"], ["y"])]
    wanted = "neither a QuantizeLinear nor a constant feeds it"
    assert declined(nodes, {"s": f32(1)}, kind=TensorProto.INT8) == wanted
    q, dq = qcdq()
    dq.input[0] = "m"
    pool = helper.make_node("Transpose", ["q"], ["m"])
    assert declined([q, pool, dq], {"s": f32(1), "z": np.int8(0)}) == wanted


def test_blocks() -> None:
    nodes = qcdq(axis=2)
    for node in nodes:
        node.attribute.append(helper.make_attribute("block_size", 2))
    assert declined(nodes, {"s": np.ones((3, 4, 3), np.float32), "z": np.zeros((3, 4, 3), np.int8)}, opset=21) == (
        "it quantizes in blocks"
    )


def test_unknown_shape_and_wrong_axis() -> None:
    constants = {"s": BY_AXIS, "z": np.zeros(4, np.int8)}
    assert declined(qcdq(axis=1), constants, inputs={"x": None}) == "the shape of its input is not known"
    assert declined(qcdq(axis=3), constants) == "its axis 3 does not exist"
    assert declined(qcdq(axis=2), constants) == "its scale has 4 elements, the axis has 5"


def test_other_float_types() -> None:
    constants = {"s": np.float16(0.5), "z": np.int8(0)}
    assert declined(qcdq(), constants, opset=19, kind=TensorProto.FLOAT16) == "its scale is float16, not float32"
    assert declined(qcdq(), {"s": f32(-0.5), "z": np.int8(0)}) == "its scale is not finite and positive"


def test_float8() -> None:
    model = make(qcdq(), {"x": SHAPE}, {"s": f32(0.5)}, opset=19)
    model.graph.initializer.append(helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0]))
    _, step = convert(model)
    assert step.declined == {"y": "its zero point is no integer"}


# ------------------------------------------------------------------------------------------------------- real networks


NETWORKS = {
    "TFC_2W2A": "0",
    "kwsmlp_w3a3": "inp.1",
    "brevitas_tfc_w2a2i8_fashion": "inp",
    "brevitas_resblock_w4a4": "inp",
    "unsw_nb15-mlp-w2a2": "onnx::Add_0",  # ends in a BipolarQuant, which stays
}


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks(name: str, shared: Path) -> None:
    """There and back nothing changes, and in one onnxruntime session every quantizer does what Quant does.

    The sums of a MatMul of floats depend on what onnxruntime knows of its operands, so that outputs of different
    sessions are no measure: each quantizer is compared on what it read itself.
    """
    model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
    step = QuantToQCDQ()
    converted = model.transform(step)
    assert step.declined == {}
    assert not [node for node in converted.graph.node if node.op_type == "Quant"]
    back_step = QCDQToQuant()
    back = converted.transform(back_step)
    assert (back_step.declined, back_step.inexact) == ({}, [])
    assert parameters(back) == parameters(model)
    quantizers = [node for node in model.graph.node if node.op_type == "Quant"]
    computed = dict.fromkeys(n for q in quantizers for n in (q.input[0], q.output[0]) if model.find_producer(n))
    exposed = ModelWrapper(converted.model, make_deepcopy=True)
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in computed)
    runs_alone = not any(node.domain for node in exposed.graph.node)
    for sample in np.load(shared / "golden" / f"{name}.npz")[NETWORKS[name]][:8]:
        x = {"global_in": sample[None].astype(np.float32)}
        wanted = execute_onnx(model, x)["global_out"]
        np.testing.assert_array_equal(execute_onnx(back, x)["global_out"], wanted)
        np.testing.assert_array_equal(execute_onnx(converted, x)["global_out"], wanted)
        if not runs_alone:
            continue
        tensors = x | dict(zip(computed, run_ort(exposed, x), strict=True))
        for q in quantizers:
            source, *constants = (tensors[n] if n in tensors else model.get_initializer(n) for n in q.input)
            a = {item.name: item.i for item in q.attribute}
            result = int_quant(source, *constants, bool(a["signed"]), bool(a["narrow"]), "ROUND")
            np.testing.assert_array_equal(tensors[q.output[0]], result)
