"""Gemm and BatchNormalization as MatMul, Mul and Add; transposes of quantized constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from finn.core.onnx_exec import execute_onnx
from finn.transformation.batchnorm_to_affine import BatchNormToAffine
from finn.transformation.gemm_to_matmul import GemmToMatMul
from finn.transformation.quant_constant_folding import (
    FoldTransposeIntoQuantInit,
    is_quant_init,
)

from .helpers import (  # noqa: TID252 - test helpers are no installed package
    GENERAL,
    OPSETS,
    QUICK,
    make,
    op_types,
    same,
    whole,
)

SIGNED = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}


# --------------------------------------------------------------------------------------------------------------- Gemm


@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    transposed=st.tuples(st.booleans(), st.booleans()),
    factors=st.tuples(st.sampled_from([None, 1.0, 0.5, -3.0]), st.sampled_from([None, 1.0, 2.0, 0.25, 0.0])),
    weights=st.sampled_from(["constant", "quantized", "dequantized", "computed"]),
    bias=st.sampled_from(["", "constant", "scalar", "quantized", "computed"]),
    opset=OPSETS,
    seed=st.integers(0, 99),
)
@QUICK
def test_gemm(
    sizes: tuple[int, int, int],
    transposed: tuple[bool, bool],
    factors: Any,
    weights: str,
    bias: str,
    opset: int,
    seed: int,
) -> None:
    n, k, m = sizes
    opset = max(opset, 13) if weights == "dequantized" else max(opset, 11)  # the bias is no option before
    attributes: dict[str, Any] = {"transA": int(transposed[0]), "transB": int(transposed[1])}
    attributes |= {name: value for name, value in zip(("alpha", "beta"), factors, strict=True) if value is not None}
    shapes = {"x": [k, n] if transposed[0] else [n, k], "w": [m, k] if transposed[1] else [k, m]}
    inputs, constants, nodes = {"x": shapes["x"]}, {"p": np.float32(0), "n": np.float32(5)}, []
    operands = ["x", "w", *(["b"] if bias else [])]
    (inputs if weights == "computed" else constants)["w"] = (
        shapes["w"] if weights == "computed" else whole(seed, shapes["w"])
    )
    if weights == "quantized":
        constants["s"] = np.exp2(whole(seed, [m, 1] if transposed[1] else [1, m], -1, 2))
        nodes.append(helper.make_node("Quant", ["w", "s", "p", "n"], ["wq"], domain=GENERAL, **SIGNED))
        operands[1] = "wq"
    if weights == "dequantized":
        constants |= {"w": constants["w"].astype(np.int8), "s": np.exp2(whole(seed, [m], -1, 2))}
        nodes.append(helper.make_node("DequantizeLinear", ["w", "s"], ["wq"], axis=0 if transposed[1] else 1))
        operands[1] = "wq"
    if bias == "computed":
        inputs["b"] = [n, m]
    elif bias:
        constants["b"] = whole(seed + 1, {"scalar": []}.get(bias, [m]))
    if bias == "quantized":
        constants["t"] = np.float32(2)
        nodes.append(helper.make_node("Quant", ["b", "t", "p", "n"], ["bq"], domain=GENERAL, **SIGNED))
        operands[2] = "bq"
    nodes.append(helper.make_node("Gemm", operands, ["y"], **attributes))
    datatypes = {"x": "INT4", "w": "INT8" if weights == "dequantized" else "INT4"}
    model = make(nodes, inputs, constants, opset=opset, datatypes=datatypes)
    result = same(model, GemmToMatMul(), {name: whole(seed + 2, shape) for name, shape in inputs.items()})
    assert "Gemm" not in op_types(result)
    assert op_types(result).count("Transpose") == transposed[0] + (weights == "computed" and transposed[1])
    (product,) = result.get_nodes_by_op_type("MatMul")
    maker = result.find_producer(product.input[1])
    kept = {"quantized": "Quant", "dequantized": "DequantizeLinear"}.get(weights)
    assert weights == "computed" or (maker and maker.op_type) == kept
    constant = product.input[1] if maker is None else maker.input[0]
    assert result.get_tensor_datatype(constant) == datatypes["w"]
    assert op_types(result).count("Add") == int(bool(bias))


def test_gemm_of_integers_with_a_factor_stays() -> None:
    model = make([helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5)], {"x": [2, 2]}, {"w": whole(0, [2, 2])})
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = 6
    model.set_initializer("w", np.ones((2, 2), np.int32))
    assert op_types(model.transform(GemmToMatMul())) == ["Gemm"]


# --------------------------------------------------------------------------------------------------------- batch norm


def batchnorm(x: str, y: str, **attributes: Any) -> Any:
    return helper.make_node("BatchNormalization", [x, "g", "b", "m", "v"], [y], epsilon=0.0, **attributes)


def parameters(channels: int, seed: int) -> dict[str, np.ndarray]:
    """Their quotients gamma / sqrt(var) are whole, so that all sums are exact."""
    rng = np.random.default_rng(seed)
    root = np.exp2(rng.integers(0, 3, channels)).astype(np.float32)
    gamma = (root * rng.integers(-4, 5, channels)).astype(np.float32)
    mean, bias = (whole(seed + i, [channels]) for i in (1, 2))
    return {"g": gamma, "b": bias, "m": mean, "v": root * root}


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), OPSETS, st.booleans(), st.integers(0, 99))
@QUICK
def test_batchnorm(shape: list[int], opset: int, symbolic: bool, seed: int) -> None:
    given_shape = ["N", *shape[1:]] if symbolic else shape
    model = make([batchnorm("x", "y")], {"x": given_shape}, parameters(shape[1], seed), opset=opset)
    result = same(model, BatchNormToAffine(), {"x": whole(seed, shape)})
    assert op_types(result) == ["Mul", "Add"]
    for node in result.graph.node:
        assert result.get_tensor_shape(node.input[1]) == [1, shape[1], *[1] * (len(shape) - 2)]


@given(st.integers(2, 3), st.sets(st.integers(0, 3), min_size=1, max_size=2), OPSETS, st.integers(0, 99))
@QUICK
def test_batchnorm_between_reshapes(rank: int, axes: set[int], opset: int, seed: int) -> None:
    shape, wide = [2, 3, 4][:rank], rank + len(axes)
    axes = {axis % wide for axis in axes}
    wide = rank + len(axes)
    inner = iter(shape)
    channels = [1 if axis in axes else next(inner) for axis in range(wide)][1]
    places = {"open": sorted(axes), "close": [axis - wide for axis in sorted(axes)]}
    if opset < 13:
        places["close"] = places["open"]  # negative axes came later
    nodes, constants = [], parameters(channels, seed)
    for op_type, source, target, name in (("Unsqueeze", "x", "u", "open"), ("Squeeze", "n", "y", "close")):
        attributes = {"axes": places[name]} if opset < 13 else {}
        nodes.append(helper.make_node(op_type, [source] if opset < 13 else [source, name], [target], **attributes))
    nodes.insert(1, batchnorm("u", "n"))
    if opset >= 13:
        constants |= {name: np.asarray(place) for name, place in places.items()}
    model = make(nodes, {"x": shape}, constants, opset=opset)
    result = same(model, BatchNormToAffine(), {"x": whole(seed, shape)})
    assert op_types(result) == ["Mul", "Add"]


def test_batchnorm_between_other_reshapes_keeps_them() -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x", "open"], ["u"]),
        batchnorm("u", "n"),
        helper.make_node("Squeeze", ["n", "close"], ["y"]),
    ]
    constants = parameters(1, 0) | {"open": np.array([2]), "close": np.array([1])}
    result = same(make(nodes, {"x": [2, 1]}, constants), BatchNormToAffine(), {"x": whole(0, [2, 1])})
    assert op_types(result) == ["Unsqueeze", "Mul", "Add", "Squeeze"]


@pytest.mark.parametrize("opset", [9, 13])
def test_batchnorm_in_training_stays(opset: int) -> None:
    """Before opset 14 the outputs beyond the first say so, whether anything reads them or not."""
    node = batchnorm("x", "y")
    node.output.extend(["mean", "var", "saved_mean", "saved_var"])
    model = make([node], {"x": [2, 3, 4]}, parameters(3, 0), opset=opset)
    assert op_types(model.transform(BatchNormToAffine())) == ["BatchNormalization"]
    node = batchnorm("x", "y", training_mode=1)
    node.output.extend(["mean", "var"])
    new = make([node], {"x": [2, 3, 4]}, parameters(3, 0), opset=15)
    assert op_types(new.transform(BatchNormToAffine())) == ["BatchNormalization"]


# ------------------------------------------------------------------------------------------- transposes of constants


@given(
    perm=st.integers(1, 4).flatmap(lambda n: st.permutations(range(n))),
    along=st.sampled_from([(), (1,), "first", "last two", "all"]),
    name=st.sampled_from(["Quant", "IntQuant", "BipolarQuant", "twice"]),
    shared=st.booleans(),
    reversed_by_default=st.booleans(),
    seed=st.integers(0, 99),
)
@QUICK
def test_transpose_of_a_quantized_constant(
    perm: list[int], along: Any, name: str, shared: bool, reversed_by_default: bool, seed: int
) -> None:
    shape = [2, 3, 4, 5][: len(perm)]
    ranks = {"first": shape[:1] + [1] * (len(shape) - 1), "last two": shape[-2:], "all": shape}
    constants = {"w": whole(seed, shape), "s": np.exp2(whole(seed, ranks.get(along, along), -1, 2))}
    constants |= {"z": np.float32(1), "n": np.float32(3)}
    attributes = {} if reversed_by_default else {"perm": perm}
    # Two quantizers in a row of a 1-D constant: onnx's data propagation takes no second branch of the same names.
    kinds = ["Quant", "BipolarQuant"] if name == "twice" and len(perm) > 1 else [name.replace("twice", "Quant")]
    nodes, tensor = [], "w"
    for i, kind in enumerate(kinds):
        inputs = [tensor, "s"] if kind == "BipolarQuant" else [tensor, "s", "z", "n"]
        tensor = f"q{i}"
        flags = {} if kind == "BipolarQuant" else SIGNED
        nodes.append(helper.make_node(kind, inputs, [tensor], domain=GENERAL, **flags))
    assert is_quant_init(nodes[0], make(nodes, {}, constants, outputs=[tensor]))
    nodes.append(helper.make_node("Transpose", [tensor], ["t"], **attributes))
    nodes.append(helper.make_node("Add", ["x", "t"], ["y"]))
    if shared:
        nodes.append(helper.make_node("Neg", [tensor], ["other"]))
    final = [shape[i] for i in (reversed(range(len(shape))) if reversed_by_default else perm)]
    model = make(nodes, {"x": final}, constants, outputs=["y", "other"] if shared else ["y"])
    result = same(model, FoldTransposeIntoQuantInit(), {"x": whole(seed + 1, final)})
    assert "Transpose" not in op_types(result)
    assert op_types(result).count(kinds[0]) == 1 + shared


def test_other_transposes_stay() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]),
        helper.make_node("Mul", ["w", "w"], ["v"]),
        helper.make_node("Transpose", ["v"], ["u"]),
        helper.make_node("Add", ["t", "u"], ["y"]),
    ]
    model = make(nodes, {"x": [2, 3]}, {"w": whole(0, [2, 3])})
    assert op_types(same(model, FoldTransposeIntoQuantInit(), {"x": whole(1, [2, 3])})).count("Transpose") == 2
    assert not is_quant_init(nodes[0], model)
    quant = helper.make_node("BipolarQuant", ["x", "w"], ["y"], domain=GENERAL)
    assert not is_quant_init(quant, model)


def test_transpose_that_is_an_output_keeps_its_name() -> None:
    nodes = [
        helper.make_node("BipolarQuant", ["w", "s"], ["q"], domain=GENERAL),
        helper.make_node("Transpose", ["q"], ["y"]),
    ]
    model = make(nodes, {}, {"w": whole(0, [2, 3]), "s": np.float32(2)})
    result = model.transform(FoldTransposeIntoQuantInit())
    assert op_types(result) == ["BipolarQuant"]
    np.testing.assert_array_equal(execute_onnx(result, {})["y"], execute_onnx(model, {})["y"])
