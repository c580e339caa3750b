"""What quantized ONNX graphs mean, written down a second time in NumPy: floats are float64, integers are int64.

A QuantizeLinear, and most operators that end in one, give saturate(rint(v) + zero point), v their number in units of
the scale. v is exact up to 1e-15: scales are float32 numbers, integers have 8 bits, and sums are made in float64.
`execute` keeps v, so that a test can see how far from a tie it is. Only graph inputs are float32, and v of these is the
quotient in float32, as the operator has it: there is no other way to compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import ModelProto, NodeProto, helper, numpy_helper

Array = Any


@dataclass(frozen=True)
class Rounded:
    """An integer tensor made by rounding: v in units of its scale, and the integers."""

    v: Array
    integers: Array

    def is_near_tie(self, distance: float) -> Array:
        """Where v is nearer than this to a number k + 1/2, and may be rounded otherwise."""
        if self.v.dtype == np.float32:
            return np.zeros(self.v.shape, bool)
        return np.abs(self.v - np.floor(self.v) - 0.5) < distance


@dataclass
class Run:
    """values : all tensors by name. rounded : those that were made by rounding, in order.

    given : {tensor: integers} that replace what was computed, for what comes after.
    """

    given: Mapping[str, Array] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    rounded: dict[str, Rounded] = field(default_factory=dict)


class Node:
    """One node and the values of its inputs; None where there is none."""

    def __init__(self, node: NodeProto, run: Run) -> None:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self.attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
        self.inputs = [run.values[name] if name else None for name in node.input]
        self.node, self.run = node, run

    def get(self, attribute: str, default: Any = None) -> Any:
        return self.attributes.get(attribute, default)

    def optional(self, position: int) -> Array:
        return self.inputs[position] if len(self.inputs) > position else None

    def along(self, parameter: Array, rank: int, default_axis: int = 1) -> Array:
        """A parameter per tensor, or per element of an axis, in a shape that broadcasts to a tensor of this rank."""
        if np.size(parameter) == 1:
            return np.reshape(parameter, ())
        shape = [1] * rank
        shape[self.get("axis", default_axis)] = -1
        return np.reshape(parameter, shape)

    def rounding(self, v: Array, zero_point: Array) -> Array:
        """v in units of the scale, quantized."""
        info = np.iinfo(_storage(zero_point))
        integers = np.clip(np.rint(v) + zero_point.astype(np.int64), info.min, info.max).astype(np.int64)
        name = self.node.output[0]
        self.run.rounded[name] = Rounded(v, integers)
        return self.run.given.get(name, integers)


def _storage(zero_point: Array) -> Any:
    return {"int4": np.dtype("int8"), "uint4": np.dtype("uint8")}.get(zero_point.dtype.name, zero_point.dtype)


def _quantize(n: Node) -> Array:
    x, scale = n.inputs[:2]
    zero_point = n.optional(2) if n.optional(2) is not None else np.zeros((), np.uint8)
    return n.rounding(x / n.along(scale.astype(x.dtype), x.ndim), n.along(zero_point, x.ndim))


def _dequantize(n: Node) -> Array:
    x, scale = n.inputs[0], n.inputs[1].astype(np.float64)
    zero_point = n.optional(2) if n.optional(2) is not None else np.zeros((), np.int64)
    return (x.astype(np.int64) - n.along(zero_point, x.ndim).astype(np.int64)) * n.along(scale, x.ndim)


# ------------------------------------------------------------------------------------------------------------- windows


def _windows(n: Node, x: Array, kernel: list[int], fill: float) -> Array:
    """(N, C, out_h, out_w, kernel_h, kernel_w) of x (N, C, H, W)."""
    pads, strides, dilations = n.get("pads", [0] * 4), n.get("strides", [1, 1]), n.get("dilations", [1, 1])
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    view = sliding_window_view(x, span, axis=(2, 3))
    return view[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]


def _conv(n: Node, x: Array, w: Array, bias: Array = None) -> Array:
    """x (N, C, H, W), w (M, C / group, kernel_h, kernel_w), bias (M)."""
    group = n.get("group", 1)
    windows = _windows(n, x, list(w.shape[2:]), 0)
    parts = [
        np.einsum("nchwkl,mckl->nmhw", part, weights, optimize=True)
        for part, weights in zip(np.split(windows, group, axis=1), np.split(w, group), strict=True)
    ]
    y = np.concatenate(parts, axis=1)
    return y if bias is None else y + np.reshape(bias, (-1, 1, 1))


def _max_pool(n: Node) -> Array:
    x = n.inputs[0]
    fill = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return _windows(n, x, n.get("kernel_shape"), fill).max(axis=(4, 5))


def _average_pool(n: Node) -> Array:
    counted = np.ones_like(n.inputs[0]) if not n.get("count_include_pad", 0) else None
    kernel = n.get("kernel_shape")
    total = _windows(n, n.inputs[0], kernel, 0).sum(axis=(4, 5))
    return total / (np.prod(kernel) if counted is None else _windows(n, counted, kernel, 0).sum(axis=(4, 5)))


def _gemm(n: Node, x: Array, w: Array, bias: Array = None) -> Array:
    x, w = (x.T if n.get("transA", 0) else x), (w.T if n.get("transB", 0) else w)
    y = n.get("alpha", 1.0) * (x @ w)
    return y if bias is None else y + n.get("beta", 1.0) * bias


# ------------------------------------------------------------------------- operators that take and give integers


def _scaled(n: Node, start: int) -> tuple[Array, Array]:
    """(integers without zero point, scale) of the three inputs from `start` on."""
    x, scale, zero_point = n.inputs[start : start + 3]
    return x.astype(np.int64) - zero_point.astype(np.int64), scale.astype(np.float64)


def _ending(n: Node, value: Array, start: int) -> Array:
    scale, zero_point = n.inputs[start : start + 2]
    return n.rounding(value / scale.astype(np.float64), zero_point)


def _qlinear_conv(n: Node) -> Array:
    (x, x_scale), (w, w_scale) = _scaled(n, 0), _columns(n, 3)
    scale = np.reshape(x_scale * w_scale, (-1, 1, 1) if w_scale.size > 1 else ())
    return _ending(n, _conv(n, x, w, n.optional(8)) * scale, 6)


def _columns(n: Node, start: int) -> tuple[Array, Array]:
    """As `_scaled`, for weights with one zero point per output channel, the first axis."""
    w, scale, zero_point = n.inputs[start : start + 3]
    zero_point = np.reshape(zero_point, (-1,) + (1,) * (w.ndim - 1)) if zero_point.size > 1 else zero_point
    return w.astype(np.int64) - zero_point.astype(np.int64), scale.astype(np.float64)


def _qgemm(n: Node) -> Array:
    (x, x_scale), (w, w_scale) = _scaled(n, 0), _columns(n, 3) if n.get("transB", 0) else _scaled(n, 3)
    scale = n.get("alpha", 1.0) * x_scale * w_scale
    integers = (x.T if n.get("transA", 0) else x) @ (w.T if n.get("transB", 0) else w)
    bias = n.optional(6)
    return _ending(n, (integers if bias is None else integers + bias.astype(np.int64)) * scale, 7)


def _qlinear_matmul(n: Node) -> Array:
    (x, x_scale), (w, w_scale) = _scaled(n, 0), _scaled(n, 3)
    return _ending(n, (x @ w) * (x_scale * w_scale), 6)


def _qlinear_add(n: Node) -> Array:
    """rint(v + zero point), as onnxruntime has it for this operator and not for the others: ties differ by one."""
    (x, x_scale), (y, y_scale), (scale, zero_point) = _scaled(n, 0), _scaled(n, 3), n.inputs[6:8]
    shifted = (x * x_scale + y * y_scale) / scale.astype(np.float64) + zero_point
    return n.rounding(shifted, np.zeros_like(zero_point))


def _qlinear_global_average_pool(n: Node) -> Array:
    x, scale = _scaled(n, 0)
    return _ending(n, x.mean(axis=(2, 3), keepdims=True) * scale, 3)


def _reshaped(n: Node) -> Array:
    x = n.inputs[0]
    target = [x.shape[i] if d == 0 else int(d) for i, d in enumerate(n.inputs[1])]
    return x.reshape(target)


OPS: dict[str, Callable[[Node], Array]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": lambda n: _conv(n, *n.inputs),
    "Gemm": lambda n: _gemm(n, *n.inputs),
    "MatMul": lambda n: n.inputs[0] @ n.inputs[1],
    "Add": lambda n: n.inputs[0] + n.inputs[1],
    "Concat": lambda n: np.concatenate(n.inputs, axis=n.get("axis")),
    "Relu": lambda n: np.maximum(n.inputs[0], 0),
    "Clip": lambda n: np.clip(n.inputs[0], n.optional(1), n.optional(2)),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda n: n.inputs[0].mean(axis=(2, 3), keepdims=True),
    "Flatten": lambda n: n.inputs[0].reshape(len(n.inputs[0]), -1),
    "Reshape": _reshaped,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "QGemm": _qgemm,
    "QLinearAdd": _qlinear_add,
    "QLinearGlobalAveragePool": _qlinear_global_average_pool,
}


def execute(model: ModelProto, inputs: Mapping[str, Array], given: Mapping[str, Array] | None = None) -> Run:
    """Run the model; `given` as in Run."""
    run = Run(given or {})
    run.values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    run.values |= inputs
    for node in model.graph.node:
        run.values[node.output[0]] = OPS[node.op_type](Node(node, run))
    return run
