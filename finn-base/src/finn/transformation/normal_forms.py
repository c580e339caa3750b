"""Normal forms: subtract is add, divide is multiply, Gemm and BatchNormalization are affine."""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.core.numpy_ops import BATCHNORM_EPSILON
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, op, require, rule

x, y = Var("x"), Var("y")
b, w = Const("b"), Const("w")
gamma, mean, var = Const("gamma"), Const("mean"), Const("var")


@rule(op.Sub(x, b), shapes="x:n,k b:k")
def sub_to_add(x: TensorRef, b: np.ndarray) -> Call:
    """x - b == x + (-b)"""
    return op.Add(x, -b)


@rule(op.Div(x, b), shapes="x:n,k b:k")
def div_to_mul(x: TensorRef, b: np.ndarray) -> Call:
    """x / b == x * (1/b), b not 0"""
    require(np.all(b != 0), "b has a zero")
    require(b.dtype.kind == "f", "integers do not divide by multiplication")
    return op.Mul(x, 1 / b)


@rule(
    op.Gemm(x, y, b).named("gemm"),
    shapes="x:k,n y:m,k b:m",
    attributes={"gemm": {"transA": 1, "transB": 1, "alpha": 2.0, "beta": 0.5}},
)
def gemm_to_matmul(x: TensorRef, y: TensorRef, b: np.ndarray, gemm: Call) -> Call:
    """gemm(x, y, b) == alpha * (x^ta @ y^tb) + beta * b"""
    beta = gemm.attributes.get("beta", 1.0)
    return op.Add(_product(x, y, gemm), b if beta == 1 else b * np.asarray(beta, b.dtype))


@rule(op.Gemm(x, y).named("gemm"), shapes="x:n,k y:k,m")
def gemm_without_bias_to_matmul(x: TensorRef, y: TensorRef, gemm: Call) -> Call:
    """gemm(x, y) == alpha * (x^ta @ y^tb)"""
    return _product(x, y, gemm)


def _product(x: TensorRef, y: TensorRef, gemm: Call) -> Call:
    alpha = gemm.attributes.get("alpha", 1.0)
    product = op.MatMul(_transposed(x, gemm.attributes.get("transA")), _transposed(y, gemm.attributes.get("transB")))
    return product if alpha == 1 else op.Mul(product, float(alpha))


def _transposed(x: TensorRef, transpose: int | None) -> Any:
    """x or its transpose; a constant is transposed at once and keeps its data type."""
    if not transpose:
        return x
    value = x.model.get_initializer(x.name)
    if value is None:
        return op.Transpose(x, perm=[1, 0]).typed(x.datatype)
    return value.T


@rule(
    op.BatchNormalization(x, gamma, b, mean, var).named("bn"),
    shapes="x:n,c gamma:c b:c mean:c var:c | x:n,c,h gamma:c b:c mean:c var:c",
)
def batchnorm_to_affine(
    x: TensorRef, gamma: np.ndarray, b: np.ndarray, mean: np.ndarray, var: np.ndarray, bn: Call
) -> Call:
    """(x-mean) / sqrt(var+eps) * gamma + b == x*a + (b - mean*a), a = gamma / sqrt(var+eps), rounded once each"""
    require(not bn.attributes.get("training_mode"), "training mode computes the statistics")
    gamma, b, mean, var = (np.asarray(c, np.float64) for c in (gamma, b, mean, var))
    if np.any(var < 0):
        raise NoMatch("a variance is negative")
    scale = gamma / np.sqrt(var + bn.attributes.get("epsilon", BATCHNORM_EPSILON))
    return op.Add(op.Mul(x, over_channels(scale, x)), over_channels(b - mean * scale, x))


def over_channels(c: np.ndarray, x: TensorRef, axis: int = 1) -> np.ndarray:
    """The vector `c` in a shape that broadcasts over axis `axis` of `x`. NoMatch if the rank of x is not known."""
    return c.reshape([-1] + [1] * (x.rank - axis - 1))


NORMAL_FORMS: tuple[Rule, ...] = (
    sub_to_add,
    div_to_mul,
    gemm_to_matmul,
    gemm_without_bias_to_matmul,
    batchnorm_to_affine,
)
