"""What the pass knows about a tensor.

Arrays that belong to a tensor (scale, bias, constants, bounds) broadcast to it: one element, or one per channel, the
last axis. Before a Reshape they may vary along any axis but the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import IntArray, Range
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import Step

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def column(c: Any, dtype: Any = None) -> Any:
    """One element or one per channel as (1 or C, 1), to meet rows of candidates; None stays None."""
    return None if c is None else np.asarray(c, dtype).reshape(-1, 1)


def reshaped(c: Array, old: Shape, new: Shape) -> Array:
    """The array `c`, which broadcasts to a tensor of shape `old`, for the tensor reshaped to `new`."""
    if c.size == 1:
        return c.reshape((1,) * min(c.ndim, len(new)))  # no more axes than the tensor: they would be added to it
    if old[:1] == new[:1]:  # the batch axis stays, so c need not be repeated along it
        old, new = (1, *old[1:]), (1, *new[1:])
    return np.broadcast_to(c, old).reshape(new)


def steps_reshaped(tail: tuple[Step, ...], old: Shape, new: Shape) -> tuple[Step, ...]:
    """The same steps on the tensor reshaped. Refused where channels are not a matter of broadcasting."""
    if any(step.node.op_type == "BatchNormalization" for step in tail):
        raise Refused("it reshapes the output of a BatchNormalization", "reshape in front of the layer")

    def moved(step: Step) -> Step:
        constants = tuple(None if c is None else reshaped(c, old, new) for c in step.constants)
        return replace(step, constants=constants, reshaped=True)

    return tuple(map(moved, tail)) if old != new else tail


@dataclass(frozen=True, eq=False)
class Product:
    """x @ weights, the origin of an accumulator, called `name`. bounds : of x; weights : (MW, MH) integers."""

    x: Source
    bounds: Range
    weights: IntArray
    name: str


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor of the new graph.

    range : of its integers; None if it is float. product : the MatMul it comes from, if it does.
    culprit : for a float tensor, why it is not integer though integers went into it; "" if none did.
    """

    name: str
    shape: Shape | None
    range: Range | None = None
    product: Product | None = None
    culprit: str = ""

    @property
    def dims(self) -> Shape:
        """The shape. Refused if it is not known."""
        if self.shape is None:
            raise Refused(f"the shape of {self.name} is not known", "run shape inference (cleanup_model)")
        return self.shape


@dataclass(frozen=True, eq=False)
class Scaled:
    """x == tail(scale * q + bias), q the integers of `source`; x == tail(q) if `source` is float.

    scale, bias : float64. tail : elementwise, not yet computed by any node of the new graph.
    """

    source: Source
    scale: Array = field(default_factory=lambda: np.ones(()))
    bias: Array = field(default_factory=lambda: np.zeros(()))
    tail: tuple[Step, ...] = ()

    @property
    def operators(self) -> str:
        """The tail, for messages."""
        return " -> ".join(step.node.op_type for step in self.tail) or "the scale"

    @property
    def arrays(self) -> list[Array]:
        """All that may vary over channels."""
        bounds = [self.source.range.low] if self.source.range else []
        return [*bounds, self.scale, self.bias, *(c for step in self.tail for c in step.constants if c is not None)]

    def evaluate(self, q: Array) -> Array:
        """x for each q: (channels or 1, n). float64 from integers, the float type of q otherwise."""
        x = q if self.source.range is None else column(self.scale) * q.astype(np.float64) + column(self.bias)
        for step in self.tail:
            x = step.kind.apply(x, *(column(c, x.dtype) for c in step.constants))
        return x

    def slopes(self) -> Array | None:
        """The sign of dx/dq per channel; None if a step of the tail may rise and fall."""
        slopes = [np.sign(self.scale), *(step.slope() for step in self.tail)]
        known = [s.reshape(-1) for s in slopes if s is not None]
        return reduce(np.multiply, known) if len(known) == len(slopes) else None

    def collapsed(self) -> Scaled | None:
        """The same value without a tail; None if the tail is not affine."""
        scale, bias = self.scale, self.bias
        for step in self.tail:
            affine = step.affine()
            if affine is None:
                return None
            scale, bias = scale * affine[0], bias * affine[0] + affine[1]
        return replace(self, scale=scale, bias=bias, tail=())


@dataclass(frozen=True, eq=False)
class Pending:
    """tail(quantizer(before)), not yet computed by any node: it is emitted when it is read, behind any Reshape."""

    before: Scaled | None  # None behind a refused node
    quantizer: Quantizer
    node: NodeProto
    tail: tuple[Step, ...] = ()


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant tensor. name : its initializer in the original graph."""

    array: Array
    name: str


@dataclass(frozen=True, eq=False)
class QuantizedConstant:
    """scale * integers. scale : broadcasts to integers."""

    integers: IntArray
    scale: Array

    @property
    def array(self) -> Array:
        return (self.scale * self.integers).astype(np.float32)


@dataclass(frozen=True)
class Broken:
    """The output of a node that was refused. What reads it says nothing more."""


Value = Scaled | Pending | Constant | QuantizedConstant | Broken


def aligned(scale: Array) -> tuple[float, IntArray]:
    """(base, m) with scale == base * m, m integers: () if scale is uniform. Refused if there are none small enough."""
    flat = scale.reshape(-1)
    if (flat == flat[0]).all():
        return float(flat[0]), np.array(1, np.int64)
    least = np.abs(flat[flat != 0]).min()
    for part in range(1, 17):
        multipliers = flat / (least / part)
        if np.allclose(multipliers, np.rint(multipliers), rtol=1e-14, atol=0):
            return float(least / part), np.rint(multipliers).astype(np.int64)
    raise Refused(
        f"the scale differs between the inputs of one sum ({flat.min():.6g} to {flat.max():.6g}) "
        "and the ratios are not integers",
        "use one scale per tensor in the quantizer before, or scales with integer ratios",
    )
