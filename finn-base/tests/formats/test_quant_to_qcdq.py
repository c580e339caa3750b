"""Quant to QuantizeLinear, Clip, DequantizeLinear: what onnxruntime makes of them equals Quant, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.general.quant import int_quant
from finn.transformation._qdq import quantize_dequantize, zero_point_commutes
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.proof import prove
from finn.transformation.qcdq_to_qonnx import QCDQToQuant
from finn.transformation.qonnx_to_qcdq import QuantToQCDQ, quant_to_qcdq

from .helpers import assert_linear, check, f32, hard_values, make, parameters, quant, run_ort  # noqa: TID252 - helpers are no package

SCALES = st.one_of(
    st.integers(-20, 20).map(lambda k: 2.0**k),
    st.floats(2.0**-20, 2.0**20, width=32),
    st.sampled_from([0.1, 1 / 3, 1.0, float(np.float32(1e-44)), 1e37]),
)
BITS = st.integers(1, 8).flatmap(
    lambda bits: st.tuples(
        st.just(bits), st.booleans() if bits > 1 else st.just(False), st.booleans() if bits > 1 else st.just(False)
    )
)
PER_TENSOR = [(), (1,), (1, 1, 1)]
PER_AXIS = [((4, 1), 1), ((1, 4, 1), 1), ((5,), 2), ((3, 1, 1), 0)]


@st.composite
def scales(draw: Any) -> tuple[np.ndarray, int | None]:
    """A scale that broadcasts to (3, 4, 5), and its axis."""
    shape, axis = draw(st.sampled_from([*((s, None) for s in PER_TENSOR), *PER_AXIS]))
    size = int(np.prod(shape))
    return f32(draw(st.lists(SCALES, min_size=size, max_size=size))).reshape(shape), axis


def quantizer(
    scale: np.ndarray, zeropt: Any, bits: tuple[int, bool, bool], opset: int = 13, **options: Any
) -> ModelWrapper:
    width, signed, narrow = bits
    node = quant(int(signed), int(narrow), options.pop("mode", "ROUND"), op_type=options.pop("op_type", "Quant"))
    constants = {"s": scale, "z": f32(zeropt), "b": f32(width)}
    return make([node], {"x": [3, 4, 5]}, constants, opset=opset, **options)


@given(
    scales(), BITS, st.sampled_from([9, 10, 11, 12, 13, 17, 21]), st.sampled_from(["Quant", "IntQuant"]),
    st.sampled_from(["ROUND", "round", "HALF_EVEN"]), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_onnxruntime_computes_the_same(
    scale: tuple[np.ndarray, int | None], bits: tuple[int, bool, bool], opset: int, op_type: str, mode: str, seed: int
) -> None:
    model = quantizer(scale[0], 0, bits, opset, op_type=op_type, mode=mode)
    before = model.model.SerializeToString()
    step = QuantToQCDQ()
    converted = model.transform(step)
    assert step.declined == {}
    assert model.model.SerializeToString() == before
    x = hard_values((3, 4, 5), scale[0], seed)
    (result,) = run_ort(converted, {"x": x})
    np.testing.assert_array_equal(result, execute_onnx(model, {"x": x})["y"])
    np.testing.assert_array_equal(result, execute_onnx(converted, {"x": x})["y"])
    kinds = [node.op_type for node in converted.graph.node]
    full = bits in ((8, True, False), (8, False, False))
    assert kinds == ["QuantizeLinear", *([] if full else ["Clip"]), "DequantizeLinear"]
    plain = full and scale[1] is None
    assert converted.get_opset_imports() == {"": max(opset, 10 if plain else 13)}
    assert [a.i for a in converted.graph.node[0].attribute] == ([] if scale[1] is None else [scale[1]])
    check(converted)


def test_both_sides_of_the_rule_are_equal() -> None:
    """By ONNX's reference evaluator, which knows DequantizeLinear from opset 19 on."""
    for opset in (19, 21, 23):
        assert prove(quant_to_qcdq, opset=opset) > 0


@given(scales(), BITS, st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_there_and_back(scale: tuple[np.ndarray, int | None], bits: tuple[int, bool, bool], seed: int) -> None:
    model = quantizer(scale[0], 0, bits)
    back = model.transform(QuantToQCDQ()).transform(QCDQToQuant())
    assert parameters(back) == parameters(model)
    (node,) = back.graph.node
    assert np.broadcast_shapes(back.get_initializer(node.input[1]).shape, (3, 4, 5)) == (3, 4, 5)
    x = hard_values((3, 4, 5), scale[0], seed)
    np.testing.assert_array_equal(execute_onnx(back, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])


# --------------------------------------------------------------------------------------------------------- zero points


def test_zero_points_matter_where_there_are_ties() -> None:
    """The reason for declining: the same parameters, one step apart."""
    x, scale = f32([0.5, 1.5, 1.4999999]), f32(1)
    odd, even = f32(1), f32(2)
    assert int_quant(x, scale, odd, 8, True, False, "ROUND").tolist() == [1, 1, 1]
    assert quantize_dequantize(x, scale, odd, -128, 127).tolist() == [0, 2, 1]
    assert int_quant(x, scale, even, 8, True, False, "ROUND").tolist() == [0, 2, 2]  # 1.4999999 + 2 == 3.5
    assert quantize_dequantize(x, scale, even, -128, 127).tolist() == [0, 2, 1]


@given(
    st.sampled_from(["INT4", "UINT4", "INT8", "UINT8", "BIPOLAR", "TERNARY", "INT12"]),
    st.one_of(st.integers(-6, 6).map(lambda k: 2.0**k), st.sampled_from([0.1, 3.0])),
    st.integers(-128, 127), st.booleans(),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_zero_points_of_quantized_integers(datatype: str, scale: float, zeropt: int, signed: bool) -> None:
    """Every value that the input can have: converted means equal, power of two and no ties means converted."""
    kind = DataType[datatype]
    values = [v for v in range(int(kind.min()), int(kind.max()) + 1) if kind.allowed(v)]
    x = f32(values).reshape(1, -1)
    constants = {"s": f32(scale), "z": f32(zeropt), "b": f32(8)}
    model = make([quant(int(signed))], {"x": [1, len(values)]}, constants, datatypes={"x": datatype})
    step = QuantToQCDQ()
    converted = model.transform(step)
    same = zero_point_commutes(model, "x", f32(scale), f32(zeropt))
    representable = signed or zeropt >= 0
    assert bool(step.declined) == (not (same and representable))
    if np.log2(scale).is_integer() and (scale <= 1 or zeropt % 2 == 0):
        assert same
    if same:
        wanted = int_quant(x, f32(scale), f32(zeropt), 8, signed, False, "ROUND")
        low = -128 if signed else 0
        np.testing.assert_array_equal(quantize_dequantize(x, f32(scale), f32(zeropt), low, low + 255), wanted)
    if not step.declined:
        (result,) = run_ort(converted, {"x": x})
        np.testing.assert_array_equal(result, wanted)
        back = converted.transform(QCDQToQuant())
        np.testing.assert_array_equal(execute_onnx(back, {"x": x})["y"], wanted)


def test_integers_too_wide_to_add_a_zero_point() -> None:
    model = make([quant()], {"x": [1, 2]}, {"s": f32(1), "z": f32(2), "b": f32(8)}, datatypes={"x": "UINT24"})
    assert not zero_point_commutes(model, "x", f32(1), f32(2))
    assert zero_point_commutes(model, "x", f32(1), f32(0))
    model.set_tensor_datatype("x", DataType["UINT23"])
    assert zero_point_commutes(model, "x", f32(1), f32(2))


@given(scales(), BITS, st.integers(-8, 8), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_weights(scale: tuple[np.ndarray, int | None], bits: tuple[int, bool, bool], zeropt: int, seed: int) -> None:
    """Quantizers of constants: zero points are tried on the values. The way back keeps the values."""
    rng = np.random.default_rng(seed)
    width, signed, narrow = bits
    w = (rng.integers(-20, 20, (3, 4, 5)) * scale[0].astype(np.float64)).astype(np.float32)
    if seed % 2:
        w = np.where(rng.random(w.shape) < 0.1, w + scale[0] / 2, w).astype(np.float32)
    node = quant(int(signed), int(narrow), x="w", y="v")
    constants = {"w": w, "s": scale[0], "z": f32(zeropt), "b": f32(width)}
    model = make([node, helper.make_node("Add", ["x", "v"], ["y"])], {"x": [3, 4, 5]}, constants)
    step = QuantToQCDQ()
    converted = model.transform(step)
    x = np.zeros((3, 4, 5), np.float32)
    wanted = execute_onnx(model, {"x": x})["y"]
    low = (-(2 ** (width - 1)) + narrow) if signed else 0
    high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
    equal = np.array_equal(quantize_dequantize(w, scale[0], f32(zeropt), low, high), wanted)
    assert bool(step.declined) == (not (equal and (signed or zeropt >= 0)))
    if not step.declined:
        np.testing.assert_array_equal(run_ort(converted, {"x": x})[0], wanted)
    back_step = QCDQToQuant()
    back = converted.transform(back_step)
    assert back_step.declined == {}
    assert back_step.inexact == []
    np.testing.assert_array_equal(execute_onnx(back, {"x": x})["y"], wanted)


# ------------------------------------------------------------------------------------------------------------ declined

REASONS = {
    "its rounding mode is FLOOR, QuantizeLinear rounds to even": {"mode": "FLOOR"},
    "its rounding mode is HALF_UP, QuantizeLinear rounds to even": {"mode": "HALF_UP"},
    "it has 9 bits, QuantizeLinear has up to 8": {"bits": 9},
    "it has 2.5 bits, QuantizeLinear has up to 8": {"bits": 2.5},
    "its bit widths differ": {"bits": [[4, 5]]},
    "one bit with sign is bipolar, QuantizeLinear has a zero": {"bits": 1},
    "it has one integer only": {"bits": 1, "signed": 0, "narrow": 1},
    "its scale is not finite and positive": {"scale": -0.5},
    "its zero point is no int8": {"zeropt": 0.5},
    "its zero point is not 0: QuantizeLinear adds it after rounding, ties come out differently": {"zeropt": 2},
    "its parameters of shape [3, 2] vary along 2 axes": {"scale": np.full((3, 2), 0.5)},
    "its parameters have 5 elements, axis 1 of its input has 2": {"scale": np.full(5, 0.5)},
    "its parameters have 3 axes, its input has 2": {"scale": np.full((1, 1, 1), 0.5)},
    "its input is not float32": {"kind": TensorProto.DOUBLE},
    "the shape of 'x' is not known": {"shape": None, "scale": [0.5]},
    "its parameters have 2 elements, axis 1 of its input has no fixed length": {"shape": [3, "n"], "scale": [0.5, 1]},
}


@pytest.mark.parametrize("reason", REASONS)
def test_declined(reason: str) -> None:
    options: dict[str, Any] = {"scale": 0.5, "zeropt": 0, "bits": 4, "signed": 1, "narrow": 0, "mode": "ROUND"}
    options |= {"kind": TensorProto.FLOAT, "shape": [3, 2]} | REASONS[reason]
    constants = {"s": f32(options["scale"]), "z": f32(options["zeropt"]), "b": f32(options["bits"])}
    node = quant(options["signed"], options["narrow"], options["mode"])
    model = make([node], {"x": options["shape"]}, constants, kind=options["kind"], opset=11)
    before = model.model.SerializeToString()
    step = QuantToQCDQ()
    model.transform(step, make_deepcopy=False)
    assert step.declined == {"y": reason}
    assert model.model.SerializeToString() == before


@pytest.mark.parametrize("name", ["s", "z", "b"])
def test_parameters_that_are_computed(name: str) -> None:
    what = {"s": "scale", "z": "zeropt", "b": "bits"}[name]
    constants = {"s": f32(0.5), "z": f32(0), "b": f32(4)}
    del constants[name]
    step = QuantToQCDQ()
    make([quant()], {"x": [3, 2], name: []}, constants).transform(step)
    assert step.declined == {"y": f"its {what} '{name}' is not a constant"}


def test_double_scale_is_declined() -> None:
    step = QuantToQCDQ()
    make([quant()], {"x": [3, 2]}, {"s": np.float64(0.1), "z": f32(0), "b": f32(4)}).transform(step)
    assert step.declined == {"y": "its scale is float64, not float32"}


def test_parameters_in_constant_nodes() -> None:
    values = {"s": f32(0.3), "z": f32(0), "b": f32(3)}
    nodes = [helper.make_node("Constant", [], [n], value=numpy_helper.from_array(v)) for n, v in values.items()]
    model = make([*nodes, quant()], {"x": [3, 2]}, {})
    converted = model.transform(QuantToQCDQ())
    assert [n.op_type for n in converted.graph.node] == ["QuantizeLinear", "Clip", "DequantizeLinear"]
    x = hard_values((3, 2), f32(0.3), 7)
    np.testing.assert_array_equal(run_ort(converted, {"x": x})[0], execute_onnx(model, {"x": x})["y"])


# -------------------------------------------------------------------------------------------------------------- opsets


def test_other_nodes_stay_valid_when_the_opset_rises() -> None:
    """What version 13 spells differently is adapted; without a Clip or an axis opset 10 is enough."""
    nodes = [
        helper.make_node("Squeeze", ["x"], ["a"], axes=[1]),
        helper.make_node("Clip", ["a"], ["c"], min=-1.0, max=2.0),
        quant(x="c", y="d"),
        helper.make_node("Softmax", ["d"], ["y"]),
    ]
    constants = {"s": f32(0.3), "z": f32(0), "b": f32(4)}
    model = make(nodes, {"x": [2, 1, 3, 4]}, constants, opset=9)
    model.model.ir_version = 4
    converted = model.transform(InferShapes()).transform(QuantToQCDQ())
    assert converted.get_opset_imports() == {"": 13}
    assert converted.model.ir_version == 7
    check(converted)
    x = hard_values((2, 1, 3, 4), f32(0.1), 3)
    x = np.where(np.isfinite(x), x, 0).astype(np.float32)
    np.testing.assert_array_equal(run_ort(converted, {"x": x})[0], execute_onnx(model, {"x": x})["y"])


def test_a_model_that_is_too_old_stays() -> None:
    model = quantizer(f32(0.5), 0, (4, True, False), opset=8)
    before = model.model.SerializeToString()
    with pytest.raises(UnsupportedError) as error:
        model.transform(QuantToQCDQ(), make_deepcopy=False)
    assert str(error.value) == (
        "cannot raise a model of opset 8 to 13 (only the changes from 9 to 13 are known). "
        "Remedy: export the model with opset 13"
    )
    assert model.model.SerializeToString() == before


def test_the_domain_stays_imported_while_it_is_used() -> None:
    nodes = [quant(x="x", y="a"), quant(mode="FLOOR", x="a")]
    model = make(nodes, {"x": [3, 2]}, {"s": f32(0.5), "z": f32(0), "b": f32(4)})
    step = QuantToQCDQ()
    converted = model.transform(step)
    assert converted.get_opset_imports() == {"": 13, "finn.custom_op.general": 1}
    assert list(step.declined) == ["y"]
    x = hard_values((3, 2), f32(0.5), 1)
    np.testing.assert_array_equal(execute_onnx(converted, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])


def test_annotations_and_shapes_of_the_results_stay() -> None:
    model = quantizer(f32(1), 0, (4, True, False))
    model.set_tensor_datatype("y", DataType["INT4"])
    converted = model.transform(QuantToQCDQ())
    assert converted.get_tensor_datatype("y") == "INT4"
    assert converted.get_tensor_shape("y_QuantizeLinear") == [3, 4, 5]
    assert converted.get_tensor_elem_type("y_Clip") == TensorProto.INT8


def test_time_is_linear() -> None:
    assert_linear(lambda model: model.transform(QuantToQCDQ()).transform(QCDQToQuant()))
