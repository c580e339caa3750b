"""What the pass knows about a tensor.

Arrays that belong to a tensor (scale, bias, constants, bounds) broadcast to it, as NumPy has it: one element, or one
per channel (the last axis of networks with the channels last), or they vary along other axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.ranges import IntArray, Range
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import Tail, column

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def compact(c: Array) -> Array:
    """The same values, with one element along every axis along which they do not vary, without leading such axes."""
    for axis in range(c.ndim):
        if c.shape[axis] > 1:
            first = c.take([0], axis)
            if (c == first).all():
                c = first
    lead = next((i for i, n in enumerate(c.shape) if n > 1), c.ndim)
    return c.reshape(c.shape[lead:])


def with_rank(c: Array, rank: int) -> Array:
    """The array with leading axes of length 1."""
    return c.reshape((1,) * (rank - c.ndim) + c.shape)


def reshaped(c: Array, old: Shape, new: Shape) -> Array:
    """The array `c`, which broadcasts to a tensor of shape `old`, for the tensor reshaped to `new`."""
    if c.size == 1:
        return c.reshape(())
    if old[:1] == new[:1]:  # the batch axis stays, so c need not be repeated along it
        return compact(np.broadcast_to(with_rank(c, len(old)), (1, *old[1:])).reshape(1, *new[1:]))
    return compact(np.broadcast_to(c, old).reshape(new))


def is_uniform(c: Array) -> bool:
    return bool(c.size and (c == c.reshape(-1)[0]).all())


def moved_range(bounds: Range, move: Callable[[Array], Array]) -> Range:
    """The bounds of a tensor whose elements are moved."""
    low, high = np.broadcast_arrays(*(move(np.asarray(b)) for b in (bounds.low, bounds.high)))
    return Range(np.ascontiguousarray(low).reshape(low.shape), np.ascontiguousarray(high).reshape(high.shape))


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor of the new graph.

    range : of its integers; None if it is float. rescaled : for the accumulator of a layer with constant weights, makes
    the same one with its channels multiplied by these integers (one per channel). culprit : for a float tensor, why it
    is not integer though integers went into it; "" if none did. cure : what to change then. pair : the two scaled
    integers that it is the sum of, if their scales have no common measure, see `pairs`.
    """

    name: str
    shape: Shape | None
    range: Range | None = None
    rescaled: Callable[[IntArray], Source] | None = None
    culprit: str = ""
    cure: str = ""
    pair: Any = None

    @property
    def dims(self) -> Shape:
        """The shape. Refused if it is not known."""
        if self.shape is None:
            raise Refused(f"the shape of {self.name} is not known", "run shape inference (cleanup_model)")
        return self.shape

    @property
    def bounds(self) -> Range:
        """The range of the integers. Refused if it is float."""
        if self.range is None:
            raise Refused(f"{self.name} is not integer", "put a quantizer in front")
        return self.range


@dataclass(frozen=True, eq=False)
class Scaled:
    """x == tail(scale * q + bias), q the integers of `source`; x == tail(q) if `source` is float.

    scale, bias : float64. tail : elementwise, not yet computed by any node of the new graph.
    """

    source: Source
    scale: Array = field(default_factory=lambda: np.ones(()))
    bias: Array = field(default_factory=lambda: np.zeros(()))
    tail: Tail = field(default_factory=Tail)

    @property
    def operators(self) -> str:
        """The tail, for messages."""
        return self.tail.operators

    @property
    def arrays(self) -> list[Array]:
        """All that may vary over channels."""
        bounds = [self.source.range.low] if self.source.range else []
        return [*bounds, self.scale, self.bias, *self.tail.constants]

    def evaluate(self, q: Array) -> Array:
        """x for each q: (channels or 1, n). float64 from integers, the float type of q otherwise."""
        x = q if self.source.range is None else column(self.scale) * q.astype(np.float64) + column(self.bias)
        return self.tail.evaluate(x)

    def slopes(self) -> Array | None:
        """The sign of dx/dq per channel, or of all if it is the same; None if the tail may rise and fall."""
        found = self.tail.slopes(np.sign(self.scale))
        return None if found is None else compact(found)

    def collapsed(self) -> Scaled | None:
        """The same value without a tail; None if the tail is not affine."""
        affine = self.tail.affine(self.scale, self.bias)
        return None if affine is None else replace(self, scale=affine[0], bias=affine[1], tail=Tail())

    def moved(self, source: Source, f: Callable[[Array], Array]) -> Scaled:
        """The value of a tensor whose elements are moved: `source` has the moved integers, f moves arrays."""
        return Scaled(source, f(self.scale), f(self.bias), self.tail.mapped(f))


@dataclass(frozen=True, eq=False)
class Pending:
    """tail(quantizer(before)), not yet computed by any node: it is emitted when it is read, behind any Reshape."""

    before: Scaled | None  # None behind a refused node
    quantizer: Quantizer
    node: NodeProto
    tail: Tail = field(default_factory=Tail)


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


def same_origin(a: Value, b: Value) -> bool:
    """Whether the tails of both are of one tensor."""
    if isinstance(a, Pending) and isinstance(b, Pending):
        return a.node.output[0] == b.node.output[0] and shape_of(a) == shape_of(b)
    if isinstance(a, Scaled) and isinstance(b, Scaled):
        same = np.array_equal(a.scale, b.scale) and np.array_equal(a.bias, b.bias)
        return a.source.name == b.source.name and same
    return False


def shape_of(value: Value) -> Shape | None:
    """The shape of a computed tensor, if it is known."""
    if isinstance(value, Pending):
        return value.before.source.shape if value.before else None
    return value.source.shape if isinstance(value, Scaled) else None


LARGEST_PART = 64
"""The ratio of two scales may be that of whole numbers, the smaller one at most this."""


def _whole_ratios(ratio: Array) -> Array:
    """For each ratio >= 1 the least n <= LARGEST_PART such that n * ratio is whole; 0 if there is none."""
    found = np.zeros(ratio.shape, np.int64)
    for part in range(1, LARGEST_PART + 1):
        n = ratio * part
        whole = np.abs(n - np.rint(n)) <= 1e-12 * n
        found = np.where((found == 0) & whole & (n < 2.0**31), part, found)
        if found.all():
            break
    return found


def aligned(scale: Array) -> tuple[float, IntArray]:
    """(base, m) with scale == base * m, m integers: () if scale is uniform. Refused if there are none small enough."""
    flat = scale.reshape(-1)
    if is_uniform(flat):
        return float(flat[0]), np.array(1, np.int64)
    least = np.abs(flat[flat != 0]).min()
    parts = _whole_ratios(np.abs(flat) / least)
    part = int(np.lcm.reduce(parts)) if parts.all() else 0
    if not 0 < part <= LARGEST_PART:
        raise Refused(
            f"the scale differs between the inputs of one sum ({flat.min():.6g} to {flat.max():.6g}) "
            "and the ratios are not integers",
            "use one scale per tensor in the quantizer before, or scales with integer ratios",
        )
    return float(least / part), np.rint(flat / (least / part)).astype(np.int64)


def common(a: Array, b: Array) -> tuple[Array, IntArray, IntArray] | None:
    """(base, m, n) with a == base * m, b == base * n elementwise, m and n integers; None if there are none."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    size_a, size_b = (np.where(c == 0, np.where(d == 0, 1.0, np.abs(d)), np.abs(c)) for c, d in ((a, b), (b, a)))
    low, high = np.minimum(size_a, size_b), np.maximum(size_a, size_b)  # 0 is a multiple of everything
    parts = _whole_ratios(high / low)
    if not parts.all():
        return None
    base = low / parts
    return base, np.rint(a / base).astype(np.int64), np.rint(b / base).astype(np.int64)
