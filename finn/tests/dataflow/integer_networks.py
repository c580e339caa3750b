"""Random integer graphs, as streamlining leaves them: small images, 2 to 10 operators that all have hardware layers.

`networks` draws them; with `host`, operators without a layer stand between the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.layer import IntArray, divisors

BIPOLAR = DataType["BIPOLAR"]

GENERAL = "finn.custom_op.general"
INPUTS = ("INT4", "UINT3", "INT2", "BIPOLAR", "UINT8")
MOST_ELEMENTS = 400
"""Of a tensor: graphs stay small enough to be simulated."""

WIDEST = 12
"""Bits of a tensor; wider ones are quantized before they are used."""

HOST = ("Neg", "Abs")
"""Operators of integers that no layer does."""


@dataclass(frozen=True)
class Tensor:
    """A stream of shape (1, …, C). kind : of its elements in ONNX."""

    name: str
    shape: tuple[int, ...]
    dtype: BaseDataType
    kind: int = TensorProto.FLOAT

    @property
    def spatial(self) -> tuple[int, ...]:
        return self.shape[1:-1]

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def range(self) -> tuple[int, int]:
        return int(self.dtype.min()), int(self.dtype.max())


@dataclass
class Builder:
    """A graph while it grows: nodes, constants, and every stream that was made, with those that nothing reads yet.

    inner : tensors within an expression of several nodes, which no other node reads.
    """

    draw: st.DrawFn
    rng: np.random.Generator
    tensors: list[Tensor] = field(default_factory=list)
    unread: list[Tensor] = field(default_factory=list)
    inner: list[Tensor] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    count: int = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def numbers(self, low: int, highs: Sequence[int]) -> list[int]:
        return [self.number(low, high) for high in highs]

    def coin(self) -> bool:
        return self.draw(st.booleans())

    def values(self, low: int, high: int, shape: Sequence[int]) -> IntArray:
        return self.rng.integers(low, high + 1, tuple(shape))

    def constant(self, values: np.ndarray | list[Any], kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values, kind)
        return name

    def fresh(self, shape: Sequence[int], low: int, high: int) -> Tensor:
        """Of a type for these values; sometimes a wider one, as annotations may be."""
        slack = 2 if self.number(0, 3) == 0 else 1
        return self.typed(shape, DataType.spanning(slack * low, slack * high))

    def typed(self, shape: Sequence[int], dtype: BaseDataType, kind: int = TensorProto.FLOAT) -> Tensor:
        self.count += 1
        return Tensor(f"t{self.count}", tuple(shape), dtype, kind)

    def source(self) -> Tensor:
        """A stream to go on with: mostly the last that nothing reads."""
        if self.unread and self.number(0, 3):
            return self.unread[-1]
        return self.pick(self.tensors)

    def node(self, kind: str, inputs: Sequence[Tensor | str], *outputs: Tensor, domain: str = "", **at: Any) -> None:
        """Add a node and its outputs; its inputs are read now."""
        names = self._append(kind, inputs, outputs, domain, at)
        self.tensors += outputs
        self.unread = [t for t in self.unread if t.name not in names] + list(outputs)

    def inner_node(self, kind: str, inputs: Sequence[Tensor | str], output: Tensor, **at: Any) -> Tensor:
        """Add a node whose output only the next one reads."""
        names = self._append(kind, inputs, (output,), "", at)
        self.inner.append(output)
        self.unread = [t for t in self.unread if t.name not in names]
        return output

    def _append(
        self, kind: str, inputs: Sequence[Tensor | str], outputs: Sequence[Tensor], domain: str, at: dict[str, Any]
    ) -> list[str]:
        names = [i.name if isinstance(i, Tensor) else i for i in inputs]
        made = [t.name for t in outputs]
        self.nodes.append(helper.make_node(kind, names, made, f"{kind}_{len(self.nodes)}", domain=domain, **at))
        return names

    def model(self, source: Tensor) -> ModelWrapper:
        """The graph; what nothing reads is an output."""
        infos = [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.shape) for t in (source, *self.unread)]
        graph = helper.make_graph(self.nodes, "network", infos[:1], infos[1:])
        versions = {"": 18, CHANNELS_LAST: 10, GENERAL: 1}
        opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
        model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=10))
        for name, values in self.constants.items():
            model.set_initializer(name, values)
        for t in (*self.tensors, *self.inner):
            model.set_tensor_shape(t.name, list(t.shape), t.kind)
            model.set_tensor_datatype(t.name, t.dtype)
        return model


def product_range(x: Tensor, weights: IntArray, padded: bool) -> tuple[int, int]:
    """Of sums along the rows of weights (outputs, inputs)."""
    low, high = x.range
    if padded:
        low, high = min(low, 0), max(high, 0)
    ends = np.stack([weights * low, weights * high])
    return int(ends.min(0).sum(1).min()), int(ends.max(0).sum(1).max())


def window(b: Builder, x: Tensor) -> dict[str, list[int]] | None:
    """Attributes of a window that fits."""
    axes = len(x.spatial)
    kernel = b.numbers(1, [3] * axes)
    dilations = b.numbers(1, [2] * axes)
    strides = b.numbers(1, [3] * axes)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = b.numbers(0, [min(2, r - 1) for r in reach * 2]) if b.coin() else [0] * 2 * axes
    whole = [n + p + q for n, p, q in zip(x.spatial, pads[:axes], pads[axes:], strict=True)]
    if any(r > n for r, n in zip(reach, whole, strict=True)):
        return None
    return {"kernel_shape": kernel, "dilations": dilations, "strides": strides, "pads": pads}


def positions(x: Tensor, at: dict[str, list[int]], ceil: bool = False) -> list[int]:
    """How many windows there are along each axis; with `ceil`, those that begin inside of the image or in front of it.

    https://onnx.ai/onnx/operators/onnx__MaxPool.html
    """
    counts = []
    for k, n in enumerate(x.spatial):
        begin, end = at["pads"][k], at["pads"][k + len(x.spatial)]
        room = n + begin + end - at["dilations"][k] * (at["kernel_shape"][k] - 1) - 1
        stride = at["strides"][k]
        count = (-(-room // stride) if ceil else room // stride) + 1
        counts.append(count - int(ceil and (count - 1) * stride >= n + begin))
    return counts


def alone(at: dict[str, list[int]], axis: int, size: int, count: int) -> bool:
    """Whether one of `count` windows has nothing of the image, so that it has no largest value."""
    taps = range(0, at["kernel_shape"][axis] * at["dilations"][axis], at["dilations"][axis])
    begins = (i * at["strides"][axis] - at["pads"][axis] for i in range(count))
    return any(not any(0 <= begin + tap < size for tap in taps) for begin in begins)


def conv(b: Builder, x: Tensor) -> bool:
    at = window(b, x) if len(x.shape) in (3, 4) else None
    if at is None:
        return False
    group = b.pick([1, 1, x.channels, *divisors(x.channels)])
    outputs = group * b.number(1, max(1, 6 // group))
    shape = (outputs, *at["kernel_shape"], x.channels // group)
    ones = b.number(0, 5) == 0
    weights = np.ones(shape, np.int64) if ones else b.values(-2, 1, shape)
    low, high = product_range(x, weights.reshape(outputs, -1), any(at["pads"]))
    y = b.fresh((1, *positions(x, at), outputs), low, high)
    b.node("Conv", [x, b.constant(weights)], y, domain=CHANNELS_LAST, group=group, **at)
    return True


def max_pool(b: Builder, x: Tensor) -> bool:
    at = window(b, x) if len(x.shape) in (3, 4) else None
    if at is None:
        return False
    ceil = b.coin()
    counts = positions(x, at, ceil)
    if any(alone(at, k, n, count) for k, (n, count) in enumerate(zip(x.spatial, counts, strict=True))):
        return False
    y = b.typed((1, *counts, x.channels), x.dtype)
    b.node("MaxPool", [x], y, domain=CHANNELS_LAST, ceil_mode=int(ceil), **at)
    return True


def thresholds(b: Builder, x: Tensor) -> bool:
    low, high = x.range
    steps = b.pick([1, 2, 3, 7])
    rows = b.pick([1, x.channels])
    values = np.sort(b.values(low - 1, high + 1, (rows, steps)), axis=1)
    layout = "NC" if len(x.shape) == 2 else "NHWC"
    if steps == 1 and b.coin():
        y = b.typed(x.shape, DataType["BIPOLAR"])
        at = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    else:
        bias = b.pick([0, 0, -1, -steps])
        y = b.fresh(x.shape, bias, bias + steps)
        at = {"out_dtype": y.dtype.name, "out_bias": float(bias)}
    b.node("MultiThreshold", [x, b.constant(values)], y, domain=GENERAL, data_layout=layout, **at)
    return True


def reduction(b: Builder, x: Tensor) -> bool:
    if len(x.shape) == 2:
        return False
    kind = b.pick(["ReduceSum", "ReduceMax", "ReduceMin"])
    shape = (1, *(1 for _ in x.spatial), x.channels)
    times = prod(x.spatial)
    y = b.fresh(shape, *(times * end for end in x.range)) if kind == "ReduceSum" else b.typed(shape, x.dtype)
    axes = b.constant(list(range(1, len(x.shape) - 1)), np.int64)
    b.node(kind, [x, axes], y, keepdims=1)
    return True


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
    "Min": np.minimum,
}


def result_range(kind: str, a: tuple[int, int], c: tuple[int, int]) -> tuple[int, int]:
    found = [FUNCTIONS[kind](p, q) for p in a for q in c]
    return int(min(found)), int(max(found))


def with_constant(b: Builder, x: Tensor) -> bool:
    kind = b.pick(list(FUNCTIONS))
    suffix = x.shape[-b.number(1, len(x.shape) - 1) :]
    values = b.values(-3, 3, [n if b.coin() else 1 for n in suffix])
    ends = (int(values.min()), int(values.max()))
    left = b.coin()
    low, high = result_range(kind, *((ends, x.range) if left else (x.range, ends)))
    operands = [x, b.constant(values)]
    b.node(kind, operands[::-1] if left else operands, b.fresh(x.shape, low, high))
    return True


def two_streams(b: Builder, x: Tensor) -> bool:
    """With any stream whose shape can be broadcast, made for it if there is none."""

    def fits(other: Tensor) -> bool:
        pairs = list(zip(x.shape, other.shape, strict=False))
        return x is not other and len(x.shape) == len(other.shape) and all(m == n or 1 in (m, n) for m, n in pairs)

    others = [t for t in b.tensors if fits(t)]
    shapes = [tuple(map(max, x.shape, t.shape)) for t in others]
    others = [t for t, s in zip(others, shapes, strict=True) if prod(s) <= MOST_ELEMENTS]
    if not others:
        return False
    other = b.pick(others)
    kind = b.pick(list(FUNCTIONS))
    operands = [x, other] if b.coin() else [other, x]
    low, high = result_range(kind, *(t.range for t in operands))
    b.node(kind, operands, b.fresh(tuple(map(max, x.shape, other.shape)), low, high))
    return True


def residual(b: Builder, x: Tensor) -> bool:
    """x + f(x), or x * the maximum of x: a fork whose ends meet."""
    if not (thresholds if b.coin() else reduction)(b, x):
        return False
    y = b.tensors[-1]
    kind = b.pick(["Add", "Mul", "Max"])
    low, high = result_range(kind, x.range, y.range)
    b.node(kind, [x, y], b.fresh(x.shape, low, high))
    return True


def concat(b: Builder, x: Tensor) -> bool:
    axis = b.number(1, len(x.shape) - 1)

    def fits(other: Tensor) -> bool:
        return len(other.shape) == len(x.shape) and np.delete(other.shape, axis).tolist() == rest

    rest = np.delete(x.shape, axis).tolist()
    others = [t for t in b.tensors if fits(t)]
    parts = [x, *(b.pick(others) for _ in range(b.number(1, 2)))]
    size = sum(t.shape[axis] for t in parts)
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    if prod(shape) > MOST_ELEMENTS:
        return False
    alike = all(t.dtype == x.dtype for t in parts) and b.coin()
    low, high = min(t.range[0] for t in parts), max(t.range[1] for t in parts)
    y = b.typed(shape, x.dtype) if alike else b.fresh(shape, low, high)
    b.node("Concat", parts, y, axis=b.pick([axis, axis - len(x.shape)]))
    return True


def split(b: Builder, x: Tensor) -> bool:
    axes = [k for k in range(1, len(x.shape)) if x.shape[k] > 1]
    if not axes:
        return False
    axis = b.pick(axes)
    first = b.number(1, x.shape[axis] - 1)
    sizes = [first, x.shape[axis] - first]
    parts = [b.typed((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype) for n in sizes]
    b.node("Split", [x, b.constant(sizes, np.int64)], *parts, axis=axis)
    return True


def pad(b: Builder, x: Tensor) -> bool:
    axes = len(x.spatial)
    sides = b.numbers(0, [2] * 2 * axes)
    shape = [n + p + q for n, p, q in zip(x.spatial, sides[:axes], sides[axes:], strict=True)]
    if not any(sides) or prod(shape) * x.channels > MOST_ELEMENTS:
        return False
    low, high = x.range
    value = b.pick([low, high] if x.dtype == BIPOLAR else [low, high, min(max(0, low), high)])
    y = b.typed((1, *shape, x.channels), x.dtype)
    begins, ends = [0, *sides[:axes], 0], [0, *sides[axes:], 0]
    b.node("Pad", [x, b.constant(begins + ends, np.int64), b.constant(value)], y)
    return True


def crop(b: Builder, x: Tensor) -> bool:
    axes = [k for k in range(1, len(x.shape) - 1) if x.shape[k] > 1]
    if not axes:
        return False
    axis = b.pick(axes)
    size = x.shape[axis]
    begin = b.number(0, size - 1)
    end = b.number(begin + 1, size)
    step = b.number(1, 3)
    count = len(range(begin, end, step))
    if count == size:
        return False
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    y = b.typed(shape, x.dtype)
    last = end - size if end < size and b.coin() else end  # counted from behind
    b.node("Slice", [x, *(b.constant([n], np.int64) for n in (begin, last, axis, step))], y)
    return True


def resize(b: Builder, x: Tensor) -> bool:
    return upsampled(b, x, [n + b.number(0, n) for n in x.spatial])


def upsampled(b: Builder, x: Tensor, sizes: Sequence[int]) -> bool:
    shape = (1, *sizes, x.channels)
    if len(x.shape) not in (3, 4) or prod(shape) > MOST_ELEMENTS or tuple(sizes) == x.spatial:
        return False
    y = b.typed(shape, x.dtype)
    at = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    b.node("Resize", [x, "", "", b.constant(shape, np.int64)], y, **at)
    return True


def u_shape(b: Builder, x: Tensor) -> bool:
    """concat(x, resize(conv(pool(x))))"""
    if len(x.shape) not in (3, 4) or min(x.spatial) < 2 or 2 * prod(x.shape) > MOST_ELEMENTS:
        return False
    axes = len(x.spatial)
    kernel = {"kernel_shape": [2] * axes, "strides": [2] * axes, "pads": [0] * 2 * axes, "dilations": [1] * axes}
    below = (1, *(n // 2 for n in x.spatial), x.channels)
    y = b.typed(below, x.dtype)
    b.node("MaxPool", [x], y, domain=CHANNELS_LAST, **kernel)
    thresholds(b, y)
    upsampled(b, b.tensors[-1], x.spatial)
    z = b.tensors[-1]
    shape = (*x.shape[:-1], 2 * x.channels)
    ends = min(x.range[0], z.range[0]), max(x.range[1], z.range[1])
    joined = b.typed(shape, x.dtype) if x.dtype == z.dtype else b.fresh(shape, *ends)
    b.node("Concat", [x, z], joined, axis=len(shape) - 1)
    return True


def flatten(b: Builder, x: Tensor) -> bool:
    """A matrix product of the whole image."""
    if len(x.shape) == 2:
        return False
    y = b.typed((1, prod(x.shape)), x.dtype)
    if b.coin():
        b.node("Reshape", [x, b.constant(b.pick([y.shape, (1, -1)]), np.int64)], y)
    else:
        b.node("Flatten", [x], y, axis=1)
    return matmul(b, y)


def reshape(b: Builder, x: Tensor) -> bool:
    """Lines, or all pixels, become one axis."""
    if len(x.shape) != 4:
        return False
    _, height, width, channels = x.shape
    y = b.typed(b.pick([(1, height * width, channels), (1, height, width * channels)]), x.dtype)
    b.node("Reshape", [x, b.constant(y.shape, np.int64)], y)
    return True


def spread(b: Builder, x: Tensor) -> bool:
    """Zeros behind each pixel, as transposed convolutions want them."""
    axes = len(x.spatial)
    strides = b.numbers(1, [3] * axes)
    if axes not in (1, 2) or max(strides) == 1 or prod(strides) * prod(x.shape) > MOST_ELEMENTS:
        return False
    if not x.dtype.allowed(0.0):
        return False
    apart = (1, *(size for n in x.spatial for size in (n, 1)), x.channels)
    behind = [0, *(size for s in strides for size in (0, s - 1)), 0]
    wide = [n + p for n, p in zip(apart, behind, strict=True)]
    shape = (1, *(n * s for n, s in zip(x.spatial, strides, strict=True)), x.channels)
    pixels = b.inner_node("Reshape", [x, b.constant(apart, np.int64)], b.typed(apart, x.dtype))
    pads = b.constant([0] * len(apart) + behind, np.int64)
    padded = b.inner_node("Pad", [pixels, pads], b.typed(wide, x.dtype))
    b.node("Reshape", [padded, b.constant(shape, np.int64)], b.typed(shape, x.dtype))
    return True


def matmul(b: Builder, x: Tensor) -> bool:
    outputs = b.number(1, 6)
    weights = b.values(-2, 1, (x.channels, outputs))
    y = b.fresh((*x.shape[:-1], outputs), *product_range(x, weights.T, False))
    b.node("MatMul", [x, b.constant(weights)], y)
    return True


def table(b: Builder, x: Tensor) -> bool:
    """gather(table, x + offset), of values, or of rows for a vector of indices."""
    low, high = x.range
    if high - low > 64:
        return False
    if low:
        y = b.fresh(x.shape, 0, high - low)
        b.node("Add", [x, b.constant([-low])], y)
        x = y
    index = b.inner_node("Cast", [x], b.typed(x.shape, x.dtype, TensorProto.INT64), to=TensorProto.INT64)
    row = [b.number(1, 4)] if len(x.shape) == 2 and b.coin() else []
    values = b.values(-9, 9, [int(x.dtype.max()) + 1, *row])
    b.node(
        "Gather", [b.constant(values), index], b.fresh((*x.shape, *row), int(values.min()), int(values.max())), axis=0
    )
    return True


def on_host(b: Builder, x: Tensor) -> bool:
    kind = b.pick(HOST)
    low, high = x.range
    ends = (-high, -low) if kind == "Neg" else (0, max(abs(low), abs(high)))
    b.node(kind, [x], b.fresh(x.shape, *ends))
    return True


OPERATORS = (
    conv, conv, thresholds, max_pool, reduction, with_constant, two_streams, residual, concat, split, pad, crop,
    resize, u_shape, flatten, reshape, spread, matmul, table,
)  # fmt: skip


@st.composite
def networks(draw: st.DrawFn, host: bool = False, most: int = 10) -> ModelWrapper:
    """An integer graph: input x, outputs all streams that nothing reads. host : with operators that no layer does."""
    b = Builder(draw, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    sizes = b.pick([[], [b.number(1, 12)], *[b.numbers(1, (8, 7))] * 4])
    source = Tensor("x", (1, *sizes, b.number(1, 6)), DataType[b.pick(INPUTS)])
    b.tensors.append(source)
    count = b.number(2, most)
    while len(b.nodes) < count:
        x = b.source()
        narrow = x.dtype.bitwidth() <= WIDEST
        wanted = b.pick((*OPERATORS, *((on_host,) * 4 if host and b.nodes else ()))) if narrow else thresholds
        if not wanted(b, x):
            thresholds(b, x)
    return b.model(source)
