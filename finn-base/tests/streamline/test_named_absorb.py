"""The published transformations that absorb, collapse, round and remove: exact where they apply, and where they do not.

The equations themselves are proved with all other rules; here stand whole models in float32 and what must not match.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import Transformation
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.move_reshape import RemoveCNVtoFCFlatten
from finn.transformation.rewrite import why_not
from finn.transformation.streamline import _absorb_rules as rules
from finn.transformation.streamline.absorb import (
    Absorb1BitMulIntoConv,
    Absorb1BitMulIntoMatMul,
    AbsorbAddIntoMultiThreshold,
    AbsorbConsecutiveTransposes,
    AbsorbMulIntoMultiThreshold,
    AbsorbScalarBiasIntoMultiThreshold,
    AbsorbScalarMulAddIntoTopK,
    AbsorbSignBiasIntoMultiThreshold,
    AbsorbTransposeIntoFlatten,
    AbsorbTransposeIntoMultiThreshold,
    AbsorbTransposeIntoResize,
    FactorOutMulSignMagnitude,
)
from finn.transformation.streamline.collapse_repeated import (
    CollapseRepeatedAdd,
    CollapseRepeatedMul,
    CollapseRepeatedOp,
    CollapseRepeatedTranspose,
)
from finn.transformation.streamline.extract_multithreshold_scale_bias import ExtractMultiThresholdScaleBias
from finn.transformation.streamline.extract_norm_scale_bias import ExtractNormScaleBias
from finn.transformation.streamline.remove import RemoveIdentityOps, RemoveIdentityReshape, RemoveIdentityTranspose
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from finn.transformation.streamline.sign_to_thres import ConvertSignToThres

GENERAL = "finn.custom_op.general"
FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
few = settings(max_examples=40, deadline=None)


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    domain = GENERAL if op_type == "MultiThreshold" else ""
    return helper.make_node(
        op_type, inputs.split(), outputs.split(), f"{op_type}_{outputs}", domain=domain, **attributes
    )


def net(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str],
    constants: Mapping[str, Any],
    outputs: Sequence[str] = ("y",),
    datatypes: Mapping[str, str] | None = None,
    opset: int = 13,
) -> ModelWrapper:
    """A model of one input x, whose tensors have their shapes; float constants are float32."""
    infos = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    graph = helper.make_graph(list(nodes), "net", [helper.make_tensor_value_info("x", 1, shape)], infos)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports))
    for name, value in constants.items():
        array = np.asarray(value)
        model.set_initializer(name, array.astype(np.float32) if array.dtype.kind == "f" else array)
    for name, datatype in (datatypes or {}).items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model.transform(InferShapes())


def ops(model: ModelWrapper) -> list[str]:
    return [n.op_type for n in model.graph.node]


def check(model: ModelWrapper, transformation: Transformation, x: np.ndarray, wanted: list[str]) -> ModelWrapper:
    """The transformed model: it has the wanted operators, and all outputs are equal, bit for bit."""
    before = execute_onnx(model, {"x": x.astype(np.float32)})
    after = model.transform(transformation)
    assert ops(after) == wanted
    results = execute_onnx(after, {"x": x.astype(np.float32)})
    assert list(results) == list(before)
    for name, value in before.items():
        np.testing.assert_array_equal(results[name], value)
        assert after.get_tensor_shape(name) == model.get_tensor_shape(name)
    return after


def check_declined(model: ModelWrapper, transformation: Transformation) -> None:
    after = model.transform(transformation)
    assert after.model.SerializeToString() == model.model.SerializeToString()


def quarters(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(int(low * 4), int(high * 4)).map(lambda n: n / 4)


def array(data: st.DataObject, shape: Sequence[int], elements: st.SearchStrategy[Any]) -> np.ndarray:
    size = int(np.prod(shape))
    return np.array(data.draw(st.lists(elements, min_size=size, max_size=size)), np.float32).reshape(shape)


# ---------------------------------------------------------------------------------------------------------- thresholds

LAYOUTS = {1: [""], 2: ["NC", "NCHW"], 3: ["NCW", "NWC"], 4: ["NCHW", "NHWC"], 5: ["NCDHW", "NDHWC"]}


@st.composite
def threshold_places(draw: st.DrawFn) -> tuple[list[int], str, int, list[int]]:
    """Shape, data_layout, number of channels, and the shape of a constant for each channel or for all."""
    rank, channels = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    layout = draw(st.sampled_from(LAYOUTS[rank]))
    axis = rank - 1 if rank == 1 or layout.endswith("C") else 1
    shape = [draw(st.integers(1, 3)) for _ in range(rank)]
    shape[0], shape[axis] = max(shape[0], 2), channels
    vector = [1] * rank
    vector[axis] = channels
    forms = [[], [1] * rank, vector, vector[axis:]]
    return shape, layout, channels, draw(st.sampled_from(forms))


def threshold_net(
    data: st.DataObject, op_type: str, factors: st.SearchStrategy[float]
) -> tuple[ModelWrapper, np.ndarray, np.ndarray]:
    shape, layout, channels, form = data.draw(threshold_places())
    rows, steps = data.draw(st.sampled_from([1, channels])), data.draw(st.integers(1, 5))
    a, levels = array(data, form, factors), array(data, [rows, steps], quarters(-8, 8))
    inputs = data.draw(st.sampled_from(["x a", "a x"]))
    mt = node("MultiThreshold", "z t", "y", data_layout=layout, out_dtype="FLOAT32", out_scale=0.5, out_bias=-1.0)
    datatype = data.draw(st.sampled_from(["FLOAT32", "INT4"]))
    model = net([node(op_type, inputs, "z"), mt], shape, {"a": a, "t": levels}, datatypes={"x": datatype})
    x = array(data, shape, st.integers(-8, 7) if datatype == "INT4" else quarters(-16, 16))
    return model, x, a


@few
@given(st.data())
def test_sums_go_into_thresholds(data: st.DataObject) -> None:
    model, x, _ = threshold_net(data, "Add", quarters(-4, 4))
    check(model, AbsorbAddIntoMultiThreshold(), x, ["MultiThreshold"])


@few
@given(st.data())
def test_factors_that_are_not_negative_go_into_thresholds(data: st.DataObject) -> None:
    model, x, a = threshold_net(data, "Mul", st.sampled_from([-1.0, 0.0, 0.0, 0.25, 0.5, 1.0, 3.0, 2.0]))
    if np.all(a >= 0):
        check(model, AbsorbMulIntoMultiThreshold(), x, ["MultiThreshold"])
    else:
        check_declined(model, AbsorbMulIntoMultiThreshold())


@few
@given(st.data())
def test_signs_leave_factors_that_thresholds_take(data: st.DataObject) -> None:
    model, x, a = threshold_net(data, "Mul", st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0]))
    signed = np.any(a < 0) and np.any(np.abs(a) != 1)
    if not signed:
        return check_declined(model, FactorOutMulSignMagnitude())
    factored = check(model, FactorOutMulSignMagnitude(), x, ["Mul", "Mul", "MultiThreshold"])
    signs = next(name for name in factored.graph.node[0].input if factored.has_initializer(name))
    assert factored.get_tensor_datatype(signs) == "BIPOLAR"
    assert set(factored.get_initializer(signs).ravel()) <= {-1, 1}
    check(factored, AbsorbMulIntoMultiThreshold(), x, ["Mul", "MultiThreshold"])
    return None


ordinary = st.one_of(st.just(0.0), *(st.floats(lo, hi, width=32) for lo, hi in [(-1024, -(2**-10)), (2**-10, 1024)]))


@settings(max_examples=300, deadline=None)
@given(ordinary, ordinary, st.sampled_from(["Add", "Mul"]))
def test_thresholds_let_through_the_floats_that_reach_them(t: float, a: float, op_type: str) -> None:
    """Rational numbers decide: the new threshold is the least float32 number that reaches the old one."""
    a = abs(a) if op_type == "Mul" else a
    if op_type == "Mul" and a == 0:
        return
    mt = node("MultiThreshold", "z t", "y", out_dtype="FLOAT32")
    model = net([node(op_type, "x a", "z"), mt], [2, 1], {"a": np.float32(a), "t": np.float32([[t]])})
    after = model.transform(AbsorbAddIntoMultiThreshold() if op_type == "Add" else AbsorbMulIntoMultiThreshold())
    new = after.get_initializer(after.graph.node[0].input[1])
    assert new.dtype == np.float32

    def reaches(x: np.float32) -> bool:
        value = Fraction(float(x)) + Fraction(a) if op_type == "Add" else Fraction(float(x)) * Fraction(a)
        return value >= Fraction(t)

    assert reaches(new[0, 0])
    assert not reaches(np.nextafter(new[0, 0], np.float32(-np.inf)))


MT = node("MultiThreshold", "z t", "y", out_dtype="UINT2")
T = np.array([[-1.0, 0, 1]] * 3)
ALONG_W = {"a": np.array([1.0, 2, 3]), "t": T}


@pytest.mark.parametrize("op_type", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("shape", "constants", "outputs", "more"),
    [
        pytest.param([2, 3, 3], ALONG_W, ["y"], [], id="along another axis than the channels"),
        pytest.param([2, 3, 3], {"a": np.ones((3, 1)), "t": T}, ["y", "z"], [], id="a graph output"),
        pytest.param([2, 3, 3], {"a": np.ones((3, 1)), "t": T}, ["y", "r"], [node("Relu", "z", "r")], id="a fork"),
        pytest.param([2, 1, 3], {"a": np.ones((3, 1)), "t": T}, ["y"], [], id="a sum with more channels"),
        pytest.param([2, 3], {"a": np.ones((1, 1, 1, 3)), "t": T[:1]}, ["y"], [], id="a sum with more axes"),
        pytest.param([2, 3], {"a": np.array([1, np.inf, 1]), "t": T}, ["y"], [], id="an infinite constant"),
    ],
)
def test_thresholds_do_not_take(
    op_type: str, shape: list[int], constants: dict[str, Any], outputs: list[str], more: list[NodeProto]
) -> None:
    model = net([node(op_type, "x a", "z"), MT, *more], shape, constants, outputs)
    check_declined(model, AbsorbAddIntoMultiThreshold())
    check_declined(model, AbsorbMulIntoMultiThreshold())


def test_a_residual_sum_stays() -> None:
    model = net([node("Relu", "x", "r"), node("Add", "x r", "z"), MT], [2, 3], {"t": T})
    check_declined(model, AbsorbAddIntoMultiThreshold())
    assert "not a constant" in str(why_not(model, "MultiThreshold_y", rules.absorb_add_into_thresholds))


def test_shared_thresholds_stay_as_they_are_for_others() -> None:
    nodes = [node("Add", "x a", "z"), MT, node("MultiThreshold", "x t", "u", out_dtype="UINT2")]
    model = net(nodes, [2, 3], {"a": np.array([1.0, 2, 3]), "t": T}, ["y", "u"])
    after = check(model, AbsorbAddIntoMultiThreshold(), np.arange(-3, 3).reshape(2, 3), ["MultiThreshold"] * 2)
    np.testing.assert_array_equal(after.get_initializer("t"), T)


def test_thresholds_annotated_as_integers_stay_that_if_they_are() -> None:
    model = net([node("Add", "x a", "z"), MT], [2, 3], {"a": np.full(3, 200.0), "t": T}, datatypes={"t": "INT2"})
    after = model.transform(AbsorbAddIntoMultiThreshold())
    assert after.get_tensor_datatype(after.graph.node[0].input[1]) == "INT9"
    model = net([node("Add", "x a", "z"), MT], [2, 3], {"a": np.full(3, 0.5), "t": T}, datatypes={"t": "INT2"})
    after = model.transform(AbsorbAddIntoMultiThreshold())
    assert after.get_tensor_datatype(after.graph.node[0].input[1]) == "FLOAT32"


@pytest.mark.parametrize(("datatype", "low", "high"), [("UINT4", 0, 16), ("FLOAT32", -np.inf, np.inf)])
def test_a_dead_channel_gets_thresholds_that_all_or_none_reach(datatype: str, low: float, high: float) -> None:
    constants = {"a": np.array([0.0, 1, 2]), "t": T}
    model = net([node("Mul", "x a", "z"), MT], [4, 3], constants, datatypes={"x": datatype})
    after = check(model, AbsorbMulIntoMultiThreshold(), np.arange(12).reshape(4, 3), ["MultiThreshold"])
    np.testing.assert_array_equal(after.get_initializer(after.graph.node[0].input[1])[0], [low, low, high])


# ------------------------------------------------------------------------------------------------------------- biases


@pytest.mark.parametrize(
    ("out_dtype", "attributes", "bias", "increase", "expected"),
    [
        pytest.param("UINT4", {}, -8, 0, "INT4", id="a sign bias"),
        pytest.param("UINT4", {}, 8, 0, None, id="one bit more"),
        pytest.param("UINT4", {}, 8, 1, "UINT5", id="one bit more is allowed"),
        pytest.param("UINT4", {}, -5, 1, "INT5", id="mostly above 0"),
        pytest.param("BIPOLAR", {"out_scale": 2.0, "out_bias": -1.0}, 1, 4, "UINT5", id="every other number"),
        pytest.param("UINT4", {}, 0.5, 8, None, id="a fraction"),
        pytest.param("FLOAT32", {"out_scale": 0.25}, 0.5, 0, "FLOAT32", id="floats"),
        pytest.param("INT5", {"out_scale": -1.0}, 3, 0, "INT5", id="a negative scale"),
    ],
)
def test_scalar_bias(
    out_dtype: str, attributes: dict[str, float], bias: float, increase: int, expected: str | None
) -> None:
    levels = np.arange(15 * 3).reshape(3, 15) / 2.0 - 4
    mt = node("MultiThreshold", "x t", "z", out_dtype=out_dtype, **attributes)
    model = net([mt, node("Add", "z a", "y")], [5, 3], {"a": np.array([float(bias)]), "t": levels})
    transformation = AbsorbScalarBiasIntoMultiThreshold(max_bitwidth_increase=increase)
    if expected is None:
        return check_declined(model, transformation)
    after = check(model, transformation, np.arange(15).reshape(5, 3) - 3, ["MultiThreshold"])
    new = getCustomOp(after.graph.node[0])
    assert new.get_nodeattr("out_bias") == attributes.get("out_bias", 0.0) + bias
    assert new.get_nodeattr("out_dtype") == expected == after.get_tensor_datatype("y").name
    return None


def test_the_older_name_of_scalar_bias_does_the_same() -> None:
    mt = node("MultiThreshold", "x t", "z", out_dtype="UINT2")
    model = net([mt, node("Add", "a z", "y")], [4, 3], {"a": np.float32(-2), "t": T})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = check(model, AbsorbSignBiasIntoMultiThreshold(), np.arange(12).reshape(4, 3) - 6, ["MultiThreshold"])
    assert after.get_tensor_datatype("y") == "INT2"


@pytest.mark.parametrize(
    ("constant", "outputs"), [(np.array([1.0, 2, 3]), ["y"]), (np.ones((1, 1, 1)), ["y"]), (np.float32(-2), ["z", "y"])]
)
def test_bias_stays(constant: np.ndarray, outputs: list[str]) -> None:
    mt = node("MultiThreshold", "x t", "z", out_dtype="UINT2")
    model = net([mt, node("Add", "z a", "y")], [2, 3], {"a": constant, "t": T}, outputs)
    check_declined(model, AbsorbScalarBiasIntoMultiThreshold(8))


@few
@given(st.data())
def test_scale_and_bias_come_out_of_thresholds_and_go_in_again(data: st.DataObject) -> None:
    shape, layout, channels, _ = data.draw(threshold_places())
    scale, bias = data.draw(st.sampled_from([1.0, 0.5, -2.0])), data.draw(quarters(-4, 4))
    mt = node("MultiThreshold", "x t", "y", data_layout=layout, out_dtype="FLOAT32", out_scale=scale, out_bias=bias)
    model = net([mt], shape, {"t": array(data, [channels, 3], quarters(-4, 4))})
    x = array(data, shape, quarters(-5, 5))
    wanted = ["MultiThreshold", *["Mul"] * (scale != 1), *["Add"] * (bias != 0)]
    after = check(model, ExtractMultiThresholdScaleBias(), x, wanted)
    count = getCustomOp(after.graph.node[0])
    if len(wanted) > 1:
        plain = [count.get_nodeattr(name) for name in ("out_scale", "out_bias", "out_dtype")]
        assert plain == [1.0, 0.0, "UINT2"]
    if scale == 1 and bias.is_integer() and bias:
        check(after, AbsorbScalarBiasIntoMultiThreshold(4), x, ["MultiThreshold"])


# ------------------------------------------------------------------------------------------------------------- weights


@few
@given(st.data())
def test_signs_go_into_matrices(data: st.DataObject) -> None:
    k, m, datatype = (
        data.draw(st.integers(1, 4)),
        data.draw(st.integers(1, 4)),
        data.draw(st.sampled_from(["INT3", ""])),
    )
    w = array(data, [k, m], st.integers(-4, 3))
    a = array(data, data.draw(st.sampled_from([[], [m], [1, m], [1, 1]])), st.sampled_from([-1, 1]))
    nodes = [node("MatMul", "x w", "z"), node("Mul", data.draw(st.sampled_from(["z a", "a z"])), "y")]
    model = net(nodes, [3, k], {"w": w, "a": a}, datatypes={"w": datatype} if datatype else {})
    if datatype and np.any(w * a == 4):
        return check_declined(model, Absorb1BitMulIntoMatMul())
    after = check(model, Absorb1BitMulIntoMatMul(), array(data, [3, k], st.integers(-8, 7)), ["MatMul"])
    assert after.get_tensor_datatype(after.graph.node[0].input[1]) == (datatype or "FLOAT32")
    return None


@few
@given(st.data())
def test_signs_go_into_convolutions(data: st.DataObject) -> None:
    group, axes, biased = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), data.draw(st.booleans())
    m, kernel = 2 * group, [2] * axes
    constants = {
        "w": array(data, [m, 2, *kernel], st.integers(-4, 4)),
        "b": array(data, [m], st.integers(-9, 9)),
        "a": array(
            data, data.draw(st.sampled_from([[], [m, *[1] * axes], [1, m, *[1] * axes]])), st.sampled_from([0, 1])
        ),
    }
    inputs = "x w b" if biased else "x w"
    conv = node("Conv", inputs, "z", group=group, pads=[1, 0] * axes, strides=[2] * axes)
    used = {name: value for name, value in constants.items() if name != "b" or biased}
    model = net([conv, node("Mul", "z a", "y")], [2, 2 * group, *[4] * axes], used)
    x = array(data, [2, 2 * group, *[4] * axes], st.integers(-8, 7))
    check(model, Absorb1BitMulIntoConv(), x, ["Conv"])


@pytest.mark.parametrize(
    ("a", "outputs"),
    [
        pytest.param(np.array([1.0, -1, 2]), ["y"], id="more than a bit"),
        pytest.param(np.array([1.0, -1, 0]), ["y"], id="three values"),
        pytest.param(np.array([[1.0], [-1]]), ["y"], id="along the batch"),
        pytest.param(np.array([1.0, -1, 1]), ["y", "z"], id="a graph output"),
        pytest.param(np.ones((1, 1, 1)), ["y"], id="more axes"),
    ],
)
def test_matrices_do_not_take(a: np.ndarray, outputs: list[str]) -> None:
    model = net([node("MatMul", "x w", "z"), node("Mul", "z a", "y")], [2, 3], {"w": np.eye(3), "a": a}, outputs)
    check_declined(model, Absorb1BitMulIntoMatMul())


def test_computed_weights_and_the_batch_of_a_convolution_stay() -> None:
    nodes = [node("MatMul", "w x", "z"), node("Mul", "z a", "y")]
    check_declined(net(nodes, [3, 3], {"w": np.eye(3), "a": np.float32(-1)}), Absorb1BitMulIntoMatMul())
    nodes = [node("Conv", "x w", "z"), node("Mul", "z a", "y")]
    model = net(nodes, [3, 3, 4], {"w": np.ones((3, 3, 2)), "a": -np.ones((3, 1, 1))})
    check_declined(model, Absorb1BitMulIntoConv())


# ---------------------------------------------------------------------------------------------------------------- TopK


@few
@given(st.data(), st.sampled_from([9, 10, 11, 13]))
def test_scalars_in_front_of_topk_go(data: st.DataObject, opset: int) -> None:
    factor, summand = data.draw(st.sampled_from([0.25, 1.0, 4.0])), data.draw(quarters(-4, 4))
    nodes = [node("Mul", "x a", "u"), node("Add", "b u", "v")]
    nodes.append(node("TopK", "v", "w y", k=2, axis=1) if opset < 10 else node("TopK", "v k", "w y", axis=1))
    constants = {"a": np.array([factor]), "b": np.float32(summand)} | ({} if opset < 10 else {"k": np.array([2])})
    model = net(nodes, [3, 5], constants, opset=opset)
    # Different values: which of equal ones comes first is not defined before opset 11.
    x = np.stack([data.draw(st.permutations(range(5))) for _ in range(3)])
    check(model, AbsorbScalarMulAddIntoTopK(), x, ["TopK"])


@pytest.mark.parametrize(
    ("op_type", "constant", "outputs"),
    [
        ("Mul", np.float32(-1), ["y"]),
        ("Mul", np.float32(0), ["y"]),
        ("Mul", np.float32(2), ["y", "w"]),
        ("Add", np.arange(5.0), ["y"]),
        ("Add", np.ones((1, 1, 1)), ["y"]),
    ],
)
def test_what_stays_in_front_of_topk(op_type: str, constant: np.ndarray, outputs: list[str]) -> None:
    nodes = [node(op_type, "x a", "u"), node("TopK", "u k", "w y")]
    model = net(nodes, [2, 5], {"a": constant, "k": np.array([2])}, outputs)
    check_declined(model, AbsorbScalarMulAddIntoTopK())


# ---------------------------------------------------------------------------------------------------------- Transposes


def test_thresholds_take_a_transpose_and_a_flatten_drops_it() -> None:
    mt = node("MultiThreshold", "z t", "u", out_dtype="UINT2", data_layout="NCHW")
    constants, x = {"t": T + np.arange(3)[:, None]}, np.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3) % 7 - 3
    first = node("Transpose", "x", "z", perm=FIRST)
    model = net([first, mt, node("Relu", "u", "y")], [2, 3, 4, 3], constants)
    after = check(model, AbsorbTransposeIntoMultiThreshold(), x, ["MultiThreshold", "Transpose", "Relu"])
    assert getCustomOp(after.graph.node[0]).get_nodeattr("data_layout") == "NHWC"
    flat = [first, mt, node("Flatten", "u", "y")]
    check(
        net(flat, [2, 3, 4, 3], constants),
        AbsorbTransposeIntoMultiThreshold(),
        x,
        ["MultiThreshold", "Transpose", "Flatten"],
    )
    check(
        net(flat, [2, 1, 1, 3], constants),
        AbsorbTransposeIntoMultiThreshold(),
        x[:, :1, :1],
        ["MultiThreshold", "Flatten"],
    )


def test_thresholds_do_not_take_other_transposes() -> None:
    mt = node("MultiThreshold", "z t", "y", out_dtype="UINT2", data_layout="NHWC")
    model = net([node("Transpose", "x", "z", perm=LAST), mt], [2, 3, 4, 4], {"t": T})
    check_declined(model, AbsorbTransposeIntoMultiThreshold())
    mt = node("MultiThreshold", "z t", "y", out_dtype="UINT2")
    nodes = [node("Transpose", "x", "z", perm=FIRST), mt, node("Relu", "z", "r")]
    check_declined(net(nodes, [2, 4, 4, 3], {"t": T}, ["y", "r"]), AbsorbTransposeIntoMultiThreshold())


@pytest.mark.parametrize(
    ("reader", "shape", "absorbed"),
    [
        (node("Flatten", "z", "y"), [2, 1, 1, 5], True),
        (node("Reshape", "z k", "y"), [2, 1, 1, 5], True),
        (node("Flatten", "z", "y"), [2, 1, 2, 5], False),
        (node("Flatten", "z", "y", axis=2), [2, 1, 1, 5], False),
        (node("Flatten", "z", "y"), ["batch", 1, 1, 5], True),
    ],
)
def test_transposes_in_front_of_a_flatten(reader: NodeProto, shape: list[int | str], absorbed: bool) -> None:
    constants = {"k": np.array([2, -1])} if reader.op_type == "Reshape" else {}
    model = net([node("Transpose", "x", "z", perm=FIRST), reader], shape, constants)
    if not absorbed:
        return check_declined(model, AbsorbTransposeIntoFlatten())
    check(model, AbsorbTransposeIntoFlatten(), np.arange(10).reshape(2, 1, 1, 5), [reader.op_type])
    return None


@few
@given(st.data())
def test_consecutive_transposes(data: st.DataObject) -> None:
    """Every reader of the inner Transpose that undoes it reads its input; the others keep it."""
    rank = data.draw(st.integers(2, 5))
    perm = data.draw(st.permutations(range(rank)))
    readers = data.draw(st.lists(st.sampled_from(["undo", "other", "keep"]), min_size=1, max_size=4))
    inverse = [int(i) for i in np.argsort(perm)]
    nodes, outputs = [node("Transpose", "x", "z", perm=perm)], []
    for i, kind in enumerate(readers):
        perms = {"undo": inverse, "other": perm}
        if kind in perms:
            nodes.append(node("Transpose", "z", f"t{i}", perm=perms[kind]))
        nodes.append(node("Relu", f"t{i}" if kind in perms else "z", f"y{i}"))
        outputs.append(f"y{i}")
    shape = [2, *range(1, rank)]
    model = net(nodes, shape, {}, outputs)
    x = array(data, shape, st.integers(-3, 3))
    undone = {kind for kind in set(readers) if kind == "undo" or (kind == "other" and perm == inverse)}
    before, after = execute_onnx(model, {"x": x}), model.transform(AbsorbConsecutiveTransposes())
    kept = len([kind for kind in set(readers) - undone if kind == "other"]) + bool(set(readers) - undone)
    assert ops(after).count("Transpose") == kept
    for name, value in execute_onnx(after, {"x": x}).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 18])
def test_transposes_in_front_of_a_resize(opset: int) -> None:
    inputs = "z s" if opset < 11 else "z none s"
    f = node("Upsample" if opset < 10 else "Resize", inputs.replace("none", "roi"), "y", mode="nearest")
    constants = {"s": np.array([1.0, 1, 2, 3])} | ({"roi": np.zeros(0, np.float32)} if opset > 10 else {})
    model = net([node("Transpose", "x", "z", perm=FIRST), f], [2, 2, 3, 4], constants, opset=opset)
    after = check(model, AbsorbTransposeIntoResize(), np.arange(48).reshape(2, 2, 3, 4), [f.op_type, "Transpose"])
    name = next(name for name in after.graph.node[0].input if after.get_tensor_shape(name) == [4])
    np.testing.assert_array_equal(after.get_initializer(name), [1, 2, 3, 1])


def test_other_transposes_stay_in_front_of_a_resize() -> None:
    f = node("Upsample", "z s", "y", mode="nearest")
    model = net([node("Transpose", "x", "z", perm=LAST), f], [2, 2, 3, 4], {"s": np.array([1.0, 1, 2, 3])}, opset=9)
    check_declined(model, AbsorbTransposeIntoResize())


@pytest.mark.parametrize("reader", ["Flatten", "Reshape"])
@pytest.mark.parametrize("layer", ["MatMul", "Gemm"])
def test_weights_take_the_transpose_between_convolutions_and_layers(reader: str, layer: str) -> None:
    rng = np.random.default_rng(3)
    constants = {"w": rng.integers(-4, 4, (12, 5)).astype(np.float32)}
    constants |= {"k": np.array([0, -1])} if reader == "Reshape" else {}
    between = node(reader, "z k" if reader == "Reshape" else "z", "u")
    nodes = [node("Transpose", "x", "z", perm=FIRST), between, node(layer, "u w", "y")]
    model = net(nodes, [2, 2, 2, 3], constants, datatypes={"w": "INT3"})
    after = check(model, RemoveCNVtoFCFlatten(), rng.integers(-8, 8, (2, 2, 2, 3)), ["Flatten", layer])
    assert after.get_tensor_datatype(after.graph.node[1].input[1]) == "INT3"


def test_layers_keep_a_transpose_that_mixes_the_samples() -> None:
    nodes = [node("Transpose", "x", "z", perm=[1, 0, 2]), node("Flatten", "z", "u"), node("MatMul", "u w", "y")]
    check_declined(net(nodes, [2, 2, 3], {"w": np.ones((6, 2))}), RemoveCNVtoFCFlatten())


# ------------------------------------------------------------------------------------------------------------ collapse


@few
@given(st.data(), st.sampled_from(["Add", "Mul"]))
def test_repeated_operators_become_one(data: st.DataObject, op_type: str) -> None:
    forms = [[], [4], [3, 1], [2, 3, 4], [1, 1, 1]]
    length = data.draw(st.integers(2, 4))
    constants = {f"c{i}": array(data, data.draw(st.sampled_from(forms)), quarters(-4, 4)) for i in range(length)}
    names = ["x", *(f"z{i}" for i in range(length - 1)), "y"]
    orders = st.sampled_from(["{0} {1}", "{1} {0}"])
    nodes = [node(op_type, data.draw(orders).format(names[i], f"c{i}"), names[i + 1]) for i in range(length)]
    model = net(nodes, [2, 3, 4], constants)
    transformation = CollapseRepeatedAdd() if op_type == "Add" else CollapseRepeatedMul()
    check(model, transformation, array(data, [2, 3, 4], quarters(-8, 8)), [op_type])


def test_an_operator_and_what_its_constants_become() -> None:
    nodes = [node("Sub", "x a", "z"), node("Sub", "z b", "y")]
    model = net(nodes, [2, 3], {"a": np.array([1.0, 2, 3]), "b": np.float32(2)}, datatypes={"a": "UINT2", "b": "UINT2"})
    given = []

    def combine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        given.append((a.tolist(), b.tolist()))
        return a + b

    after = check(model, CollapseRepeatedOp("Sub", combine), np.arange(6).reshape(2, 3), ["Sub"])
    assert given == [([1, 2, 3], 2)]
    assert after.get_tensor_datatype(after.graph.node[0].input[1]) == "UINT3"


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([node("Mul", "x a", "z"), node("Mul", "z b", "y")], ["y", "z"]),
        ([node("Mul", "x a", "z"), node("Mul", "z b", "y"), node("Relu", "z", "r")], ["y", "r"]),
        ([node("Mul", "x a", "z"), node("Add", "z b", "y")], ["y"]),
        ([node("Mul", "x x", "z"), node("Mul", "z b", "y")], ["y"]),
    ],
)
def test_what_does_not_collapse(nodes: list[NodeProto], outputs: list[str]) -> None:
    used = {name for n in nodes for name in n.input}
    constants = {name: np.float32(3) for name in "ab" if name in used}
    model = net(nodes, [2, 3], constants, outputs)
    check_declined(model, CollapseRepeatedMul())
    check_declined(model, CollapseRepeatedAdd())


def test_repeated_transposes() -> None:
    nodes = [node("Transpose", "x", "z", perm=FIRST), node("Transpose", "z", "y", perm=FIRST)]
    after = check(
        net(nodes, [2, 3, 4, 5], {}), CollapseRepeatedTranspose(), np.arange(120).reshape(2, 3, 4, 5), ["Transpose"]
    )
    assert list(after.graph.node[0].attribute[0].ints) == LAST


# ---------------------------------------------------------------------------------------------------- signs, rounding


@pytest.mark.parametrize(
    ("datatype", "result", "wanted", "levels"),
    [
        ("FLOAT32", "TERNARY", "TERNARY", [0, np.nextafter(np.float32(0), np.float32(1))]),
        ("INT4", "TERNARY", "TERNARY", [0, 1]),
        ("FLOAT32", "BIPOLAR", "BIPOLAR", [0]),
        ("BIPOLAR", "TERNARY", "BIPOLAR", [0]),
    ],
)
def test_sign(datatype: str, result: str, wanted: str, levels: list[float]) -> None:
    model = net([node("Sign", "x", "y")], [4, 3], {}, datatypes={"x": datatype, "y": result})
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    numbers = {"FLOAT32": [-2.5, -tiny, tiny, 7, -1, 0.5], "INT4": [-8, -1, 0, 1, 7, 0], "BIPOLAR": [-1, 1]}[datatype]
    zero = [0.0, -0.0] if wanted == "TERNARY" and datatype == "FLOAT32" else []
    x = np.resize(np.array(zero + numbers, np.float32), (4, 3))
    after = check(model, ConvertSignToThres(), x, ["MultiThreshold"])
    assert after.get_tensor_datatype("y") == wanted
    np.testing.assert_array_equal(after.get_initializer(after.graph.node[0].input[1]), np.float32([levels]))
    published = {"BIPOLAR": [2.0, -1.0, "BIPOLAR"], "TERNARY": [1.0, -1.0, "TERNARY"]}[wanted]
    mt = getCustomOp(after.graph.node[0])
    assert [mt.get_nodeattr(name) for name in ("out_scale", "out_bias", "out_dtype")] == published


def test_signs_of_integer_element_types_stay() -> None:
    nodes = [node("Cast", "x", "z", to=TensorProto.INT32), node("Sign", "z", "y")]
    check_declined(net(nodes, [2, 3], {}), ConvertSignToThres())
    mt = node("MultiThreshold", "z t", "y", out_dtype="INT4", out_bias=-2.0)
    check_declined(net([nodes[0], mt], [2, 3], {"t": T}), ExtractMultiThresholdScaleBias())


DISCRETE = ["BIPOLAR", "TERNARY", "BINARY", "INT2", "INT5", "UINT3", "FIXED<5,3>"]


@few
@given(st.data(), st.sampled_from(DISCRETE))
def test_thresholds_are_rounded_and_clipped(data: st.DataObject, name: str) -> None:
    """Equal for every value of the type, and every threshold is one of them, or the next."""
    datatype = DataType[name]
    unit = 0.25 if name.startswith("FIXED") else 1
    values = [v for v in np.arange(datatype.min(), datatype.max() + unit, unit) if datatype.allowed(v)]
    rows = data.draw(st.sampled_from([1, 2]))
    edges = st.sampled_from([0.0, np.inf, -np.inf, float(datatype.max()), float(datatype.max()) + unit, 1e30])
    levels = array(data, [rows, 4], st.floats(-40, 40, width=32) | edges)
    model = net(
        [node("MultiThreshold", "x t", "y", out_dtype="UINT3")], [len(values), 2], {"t": levels}, datatypes={"x": name}
    )
    x = np.stack([values, values[::-1]], axis=1)
    after = check(model, RoundAndClipThresholds(), x, ["MultiThreshold"])
    new = after.graph.node[0].input[1]
    rounded = after.get_initializer(new)
    assert np.all((rounded >= datatype.min()) & (rounded <= datatype.max() + unit))
    assert np.all(rounded / unit == np.rint(rounded / unit))
    assert np.all(after.get_tensor_datatype(new).allowed(rounded))
    np.testing.assert_array_equal(
        np.clip(np.ceil(levels / unit) * unit, datatype.min(), datatype.max() + unit), rounded
    )
    check_declined(after, RoundAndClipThresholds())


@pytest.mark.parametrize(
    ("name", "levels", "wanted"),
    [("INT4", [-8, 7], "INT4"), ("INT4", [-9, 8], "INT5"), ("UINT4", [-3, 99], "UINT5"), ("UINT8", [1.5, 3], "UINT8")],
)
def test_the_type_of_rounded_thresholds(name: str, levels: list[float], wanted: str) -> None:
    mt = node("MultiThreshold", "x t", "y", out_dtype="UINT2")
    after = net([mt], [2, 3], {"t": np.array([levels], np.float32)}, datatypes={"x": name})
    after = after.transform(RoundAndClipThresholds())
    assert after.get_tensor_datatype(after.graph.node[0].input[1]) == wanted


def test_thresholds_on_floats_stay() -> None:
    check_declined(
        net([node("MultiThreshold", "x t", "y", out_dtype="UINT2")], [2, 3], {"t": T + 0.5}), RoundAndClipThresholds()
    )


# ------------------------------------------------------------------------------------------- removal, normalisation


@pytest.mark.parametrize(
    ("shape", "k", "attributes", "idle"),
    [
        ([2, 6], [2, 6], {}, True),
        (["batch", 6], [-1, 6], {}, True),
        (["batch", 6], [0, -1], {}, True),
        (["batch", 6], [2, 6], {}, True),
        ([2, 6], [6, 2], {}, False),
        ([2, 6], [-1, 3], {}, False),
        ([2, 6], [2, 6, 1], {}, False),
        (["batch", "length"], [2, -1], {}, False),
        ([2, 6], [2, 6], {"allowzero": 1}, False),
    ],
)
def test_idle_reshapes(shape: list[int | str], k: list[int], attributes: dict[str, int], idle: bool) -> None:
    nodes = [node("Relu", "x", "z"), node("Reshape", "z k", "u", **attributes), node("Relu", "u", "y")]
    model = net(nodes, shape, {"k": np.array(k)}, opset=14)
    if not idle:
        return check_declined(model, RemoveIdentityReshape())
    check(model, RemoveIdentityReshape(), np.arange(12).reshape(2, 6) - 5, ["Relu", "Relu"])
    return None


def test_idle_transposes() -> None:
    def model(perm: list[int]) -> ModelWrapper:
        return net([node("Transpose", "x", "z", perm=perm), node("Relu", "z", "y")], [2, 3, 3], {})

    check(model([0, 1, 2]), RemoveIdentityTranspose(), np.arange(18).reshape(2, 3, 3), ["Relu"])
    check_declined(model([0, 2, 1]), RemoveIdentityTranspose())
    assert RemoveIdentityOps.__module__ == "finn.transformation.remove"


@pytest.mark.parametrize(
    ("constants", "wanted"),
    [
        ({"g": np.array([2.0, 0.5, -1, 0])}, ["Mul"]),
        ({"g": np.array([2.0, 0.5, -1, 4]), "b": np.array([1.0, 2, 3, 4])}, ["Mul", "Add"]),
        ({"g": np.ones(4), "b": np.array([1.0, 2, 3, 4])}, ["Add"]),
        ({"g": np.ones(4), "b": np.zeros(4)}, None),
        ({"g": np.ones(4)}, None),
    ],
)
def test_scale_and_bias_of_a_normalisation(constants: dict[str, np.ndarray], wanted: list[str] | None) -> None:
    layer = node("LayerNormalization", " ".join(["x", *constants]), "y", axis=-1)
    model = net([layer], [3, 2, 4], constants, opset=17)
    if wanted is None:
        return check_declined(model, ExtractNormScaleBias())
    x = np.random.default_rng(1).integers(-8, 8, (3, 2, 4)).astype(np.float32)
    after = model.transform(ExtractNormScaleBias())
    assert ops(after) == ["LayerNormalization", *wanted]
    np.testing.assert_array_equal(after.get_initializer(after.graph.node[0].input[1]), np.ones(4))
    results = [execute_onnx(m, {"x": x})["y"] for m in (model, after)]
    np.testing.assert_allclose(*results, rtol=1e-6, atol=1e-6)  # a sum that is rounded at other places
    return None


def test_a_normalisation_whose_mean_is_used_stays() -> None:
    layer = node("LayerNormalization", "x g", "y mean")
    check_declined(net([layer], [3, 4], {"g": np.full(4, 2.0)}, ["y", "mean"], opset=17), ExtractNormScaleBias())
