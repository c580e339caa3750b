"""Normal forms: subtract is add, divide is multiply, Gemm and BatchNormalization are affine."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from finn.core.modelwrapper import ModelWrapper
from finn.core.numpy_ops import BATCHNORM_EPSILON
from finn.transformation.constants import annotated, is_fixed, rearranged, shape_of, value_of
from finn.transformation.rewrite import (
    Call,
    Const,
    NoMatch,
    Rule,
    TensorRef,
    Var,
    maybe,
    op,
    over_channels,
    require,
    rule,
)

x, y, c = Var("x"), Var("y"), Var("c")
b = Const("b")
gamma, mean, var = Const("gamma"), Const("mean"), Const("var")


@rule(op.Sub(x, b), shapes="x:n,k b:k")
def sub_to_add(x: TensorRef, b: np.ndarray) -> Call:
    """x - b == x + (-b)"""
    return op.Add(x, -b)


@rule(
    op.Div(x, b),
    shapes="x:n,k b:k | x:n,k b: | x:n,k b:1 | x:n,k b:n,1",
    equivalent={"without require(np.all(b != 0))": "x / 0 and x * (1/0) are the same infinity in IEEE arithmetic"},
)
def div_to_mul(x: TensorRef, b: np.ndarray) -> Call:
    """x / b == x * (1/b), b not 0"""
    require(np.all(b != 0), "b has a zero")
    return op.Mul(x, 1 / b)


@rule(
    op.Gemm(x, y, maybe(c)).named("gemm"),
    shapes="x:k,n y:m,k c:m | x:n,k y:k,m c:n,1 | x:n,k y:k,m",
    attributes=[{"gemm": {"transA": 1, "transB": 1, "alpha": 2.0, "beta": 0.5}}, {}, {"gemm": {"beta": 3.0}}],
)
def gemm_to_matmul(x: TensorRef, y: TensorRef, c: TensorRef | None, gemm: Call) -> Call:
    """gemm(x, y, c) == alpha * (x^ta @ y^tb) + beta * c"""
    product = _product(x, y, gemm)
    return product if c is None else op.Add(product, _scaled(c, gemm.attributes.get("beta", 1.0)))


def _product(x: TensorRef, y: TensorRef, gemm: Call) -> Call:
    alpha = gemm.attributes.get("alpha", 1.0)
    product = op.MatMul(_transposed(x, gemm.attributes.get("transA")), _transposed(y, gemm.attributes.get("transB")))
    return product if alpha == 1 else op.Mul(product, _factor(alpha, x))


def _transposed(x: TensorRef, transpose: int | None) -> Any:
    """x or its transpose; a constant, or what its quantizer is applied to, is transposed at once."""
    if not transpose:
        return x
    if not is_fixed(x):
        return annotated(op.Transpose(x, perm=[1, 0]), x.datatype)
    shape = shape_of(x)
    return rearranged(x, np.arange(int(np.prod(shape))).reshape(shape).T)


def _scaled(c: TensorRef, beta: float) -> Any:
    if beta == 1:
        return c
    if not c.model.has_initializer(c.name):
        return op.Mul(c, _factor(beta, c))
    value = value_of(c)
    scaled = value * value.dtype.type(_factor(beta, c))
    return annotated(scaled, c.datatype) if np.all(c.datatype.allowed(np.atleast_1d(scaled))) else scaled


def _factor(factor: float, x: TensorRef) -> float:
    """NoMatch if x is of an integer element type: the factor would be rounded."""
    kind = x.model.get_tensor_elem_type(x.name)
    require(kind not in _INTEGERS, f"an integer matrix is multiplied by {factor}")
    return float(factor)


_INTEGERS = frozenset({TensorProto.INT32, TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64})


@rule(
    op.BatchNormalization(x, gamma, b, mean, var).named("bn"),
    shapes="x:n,c gamma:c b:c mean:c var:c | x:n,c,h gamma:c b:c mean:c var:c",
)
def batchnorm_to_affine(
    x: TensorRef, gamma: np.ndarray, b: np.ndarray, mean: np.ndarray, var: np.ndarray, bn: Call
) -> Call:
    """(x-mean) / sqrt(var+eps) * gamma + b == x*a + (b - mean*a), a = gamma / sqrt(var+eps), rounded once each"""
    scale, shift = batchnorm_factors(x.model, gamma, b, mean, var, bn)
    return op.Add(op.Mul(x, over_channels(scale, x)[np.newaxis]), over_channels(shift, x)[np.newaxis])


def batchnorm_factors(
    model: ModelWrapper, gamma: np.ndarray, b: np.ndarray, mean: np.ndarray, var: np.ndarray, bn: Call
) -> tuple[np.ndarray, np.ndarray]:
    """(C) factors a and (C) summands of the affine function that `bn` is, in float64. NoMatch if it trains.

    Before opset 14 it trains if it has more than one output.
    """
    require(not bn.attributes.get("training_mode"), "training mode computes the statistics")
    nodes = [node for node in model.find_consumers(bn.inputs[0]) if list(node.input) == list(bn.inputs)]
    require(all(len(list(filter(None, n.output))) == 1 for n in nodes), "several outputs: it computes the statistics")
    gamma, b, mean, var = (np.asarray(c, np.float64) for c in (gamma, b, mean, var))
    if np.any(var < 0):
        raise NoMatch("a variance is negative")
    scale = gamma / np.sqrt(var + bn.attributes.get("epsilon", BATCHNORM_EPSILON))
    return scale, b - mean * scale


NORMAL_FORMS: tuple[Rule, ...] = (
    sub_to_add,
    div_to_mul,
    gemm_to_matmul,
    batchnorm_to_affine,
)
