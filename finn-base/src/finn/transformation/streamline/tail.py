"""Elementwise operators: what a tail is made of.

Each is evaluated in the precision of its input: float64 for the search of integer thresholds, float32 to repeat, bit by
bit and in the same order, what the original graph computes from a float input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.core.numpy_ops import BATCHNORM_EPSILON

Array = npt.NDArray[Any]
Attributes = Mapping[str, Any]


def unknown_slope(*_: Array) -> Array | None:
    """The operator may rise and fall."""
    return None


def rising(*_: Array) -> Array:
    """The operator never falls."""
    return np.array(1.0)


@dataclass(frozen=True)
class Elementwise:
    """y = apply(x, *constants).

    affine : gives (a, b) of the constants if y == a * x + b.
    slope : gives per channel +1 (never falls), -1 (never rises), 0 (constant); None if not known.
    """

    apply: Callable[..., Array]
    affine: Callable[..., tuple[Any, Any]] | None = None
    slope: Callable[..., Array | None] = unknown_slope


@dataclass(frozen=True, eq=False)
class Step:
    """A node of a tail: operator `kind` on input `data`, with the constants on the other inputs in their order.

    A constant is None where an optional input is left out. `reshaped` says that the constants are no longer those
    that the original node names.
    """

    node: NodeProto
    data: int
    kind: Elementwise
    constants: tuple[Array | None, ...] = ()
    reshaped: bool = field(default=False)

    def affine(self) -> tuple[Array, Array] | None:
        """(a, b) in float64 if this step is y == a * x + b."""
        if self.kind.affine is None:
            return None
        a, b = self.kind.affine(*(None if c is None else c.astype(np.float64) for c in self.constants))
        return np.asarray(a, np.float64), np.asarray(b, np.float64)

    def slope(self) -> Array | None:
        """The sign of the derivative per channel; None if not known."""
        affine = self.affine()
        return np.sign(affine[0]) if affine else self.kind.slope(*self.constants)


def linear(apply: Callable[..., Array], affine: Callable[..., tuple[Any, Any]]) -> Callable[..., Elementwise]:
    return lambda attributes, data: Elementwise(apply, affine)


def monotone(apply: Callable[..., Array]) -> Callable[..., Elementwise]:
    return lambda attributes, data: Elementwise(apply, slope=rising)


def subtract(attributes: Attributes, data: int) -> Elementwise:
    if data == 0:
        return Elementwise(lambda x, c: x - c, lambda c: (1.0, -c))
    return Elementwise(lambda x, c: c - x, lambda c: (-1.0, c))


def batch_normalization(attributes: Attributes, data: int) -> Elementwise:
    """As onnxruntime orders it: a = gamma / sqrt(var + epsilon); y = x * a + (beta - mean * a)."""
    epsilon = attributes.get("epsilon", BATCHNORM_EPSILON)

    def affine(gamma: Array, beta: Array, mean: Array, var: Array) -> tuple[Array, Array]:
        a = gamma / np.sqrt(var + np.asarray(epsilon, var.dtype))
        return a, beta - mean * a

    def apply(x: Array, *constants: Array) -> Array:
        a, b = affine(*constants)
        return x * a + b

    return Elementwise(apply, affine)


def clip(attributes: Attributes, data: int) -> Elementwise:
    """Bounds are attributes up to opset 10, optional inputs since."""
    least, most = attributes.get("min", -np.inf), attributes.get("max", np.inf)

    def apply(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
        floor = np.asarray(least if low is None else low, x.dtype)
        ceiling = np.asarray(most if high is None else high, x.dtype)
        return np.asarray(np.minimum(np.maximum(x, floor), ceiling))

    return Elementwise(apply, slope=rising)


def leaky_relu(attributes: Attributes, data: int) -> Elementwise:
    alpha = attributes.get("alpha", 0.01)
    slope = rising if alpha >= 0 else unknown_slope
    return Elementwise(lambda x: np.where(x < 0, np.asarray(alpha, x.dtype) * x, x), slope=slope)


def prelu(attributes: Attributes, data: int) -> Elementwise:
    return Elementwise(
        lambda x, slope: np.where(x < 0, slope * x, x),
        slope=lambda slope: rising() if (slope >= 0).all() else None,
    )


def sigmoid(x: Array) -> Array:
    # exp of a number <= 0 only, so that nothing overflows
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


ELEMENTWISE: dict[str, Callable[[Attributes, int], Elementwise]] = {
    "Add": linear(lambda x, c: x + c, lambda c: (1.0, c)),
    "Mul": linear(lambda x, c: x * c, lambda c: (c, 0.0)),
    "Div": linear(lambda x, c: x / c, lambda c: (1.0 / c, 0.0)),
    "Neg": linear(lambda x: -x, lambda: (-1.0, 0.0)),
    "Sub": subtract,
    "BatchNormalization": batch_normalization,
    "Relu": monotone(lambda x: np.maximum(x, 0)),
    "Clip": clip,
    "Max": monotone(np.maximum),
    "Min": monotone(np.minimum),
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "Sigmoid": monotone(sigmoid),
    "Tanh": monotone(np.tanh),
    "Exp": monotone(np.exp),
    "Floor": monotone(np.floor),
    "Ceil": monotone(np.ceil),
    "Round": monotone(np.rint),
    "Abs": lambda attributes, data: Elementwise(np.abs),
}
