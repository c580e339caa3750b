"""What takes the place of QuantizeLinear and DequantizeLinear where no Quant computes the same.

ONNX rounds x / scale before it adds the zero point z; Quant adds first (`finn.transformation._qdq`). Exact forms of
k = clip(round(x / scale), low - z, high - z), best first:

    Quant(x / scale, 1, 0)                              if low - z .. high - z is the range of a quantizer
    MultiThreshold(x) - z                               for up to 8 bits, thresholds found by evaluating k itself
    Quant(Min(Max(x / scale, low - z), high - z), 1, 0) with more bits
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._qdq import quantizer_range
from finn.transformation.qcdq_to_qonnx import Linear, Reading
from finn.transformation.qonnx._chains import Step, affine, insert_chain

_MOST_THRESHOLDS = 255


def code_steps(linear: Linear, limits: tuple[int, int], rank: int | None) -> tuple[list[Step], np.ndarray]:
    """(steps, offset): what makes k + offset of x, rank : of x; offset : 0 or z."""
    if linear.adds_first and (found := quantizer_range(*limits)) is not None:
        return [*_divided(linear), _unit_quant(*found, linear.zeropt)], np.zeros((), np.int64)
    low, high = limits[0] - linear.zeropt, limits[1] - linear.zeropt
    none = np.zeros((), np.int64)
    absorbed = quantizer_range(int(low.min()), int(high.max()))
    if absorbed is not None and (low == low.min()).all() and not linear.adds_first:
        return [*_divided(linear), _unit_quant(*absorbed)], none
    layout = _layout(linear, rank)
    if limits[1] - limits[0] <= _MOST_THRESHOLDS and layout is not None:
        return [_thresholds(linear, limits, layout)], linear.zeropt
    bits = int(max(-low.min(), high.max() + 1, 2) - 1).bit_length() + 1
    bounds = [Step("Max", (low.astype(np.float32),)), Step("Min", (high.astype(np.float32),))]
    return [*_divided(linear), *bounds, _unit_quant(bits, True, False)], none


def quantize_steps(linear: Linear, limits: tuple[int, int], rank: int | None) -> list[Step]:
    """QuantizeLinear: the integers, zero point included, in float32."""
    steps, offset = code_steps(linear, limits, rank)
    return [*steps, *affine(bias=linear.zeropt - offset)]


def dequantize_steps(linear: Linear) -> list[Step]:
    """DequantizeLinear of integers in float32."""
    return affine(bias=-linear.zeropt) + affine(linear.scale)


@dataclass(frozen=True)
class ExactForm:
    """In the place of a QuantizeLinear and DequantizeLinear for which there is no exact Quant, or of a constant."""

    reading: Reading
    rank: int | None

    @property
    def covered(self) -> tuple[NodeProto, ...]:
        """The nodes whose place it takes."""
        return self.reading.covered

    @property
    def x(self) -> str:
        """What it reads."""
        return self.reading.x

    def signature(self) -> tuple[Any, ...]:
        """Equal for those that compute the same from the same tensor."""
        arrays = (self.reading.linear.scale, self.reading.linear.zeropt)
        return "exact", *((a.shape, a.tobytes()) for a in arrays), self.reading.limits

    def insert(self, model: ModelWrapper, index: int, x: str) -> None:
        """Put it into the graph."""
        output, linear, limits = self.covered[0].output[0], self.reading.linear, self.reading.limits
        if self.reading.constant is None:
            steps, offset = code_steps(linear, limits, self.rank)
            insert_chain(model, index, x, [*steps, *affine(bias=-offset), *affine(linear.scale)], output)
        elif model.is_graph_output(output):
            values = model.unique_tensor_name(f"{output}_values")
            model.set_initializer(values, self.reading.values)
            insert_chain(model, index, values, [], output)
        else:
            model.set_initializer(output, self.reading.values)


def _divided(linear: Linear) -> list[Step]:
    return [Step("Div", (linear.scale,))] if (linear.scale != 1).any() else []


def _unit_quant(bits: int, signed: bool, narrow: bool, zeropt: np.ndarray | int = 0) -> Step:
    parameters = tuple(np.asarray(value, np.float32) for value in (1, zeropt, bits))
    attributes = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": "ROUND"}
    datatype = None if np.any(zeropt) else DataType[f"{'' if signed else 'U'}INT{bits}"]
    return Step("Quant", parameters, attributes, datatype)


def _layout(linear: Linear, rank: int | None) -> str | None:
    """The data layout of a MultiThreshold with such parameters; None if it has none."""
    if linear.scale.size == 1:
        return "NCHW"
    axes: Sequence[int] = [axis for axis, size in enumerate(linear.scale.shape) if size > 1]
    if rank is None or rank < 2 or len(linear.scale.shape) != rank:
        return None
    return "NCHW" if axes == [1] else "NHWC" if axes == [rank - 1] else None


def _thresholds(linear: Linear, limits: tuple[int, int], layout: str) -> Step:
    from finn.transformation.streamline.thresholds import float_thresholds  # late: streamlining reads formats first

    low, high = limits
    scale, zeropt = linear.scale.reshape(-1, 1), linear.zeropt.reshape(-1, 1)

    def level(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            rounded = np.round(x / scale + zeropt) if linear.adds_first else np.round(x / scale) + zeropt
            return np.asarray(np.clip(rounded, low, high).astype(np.int64))

    thresholds = float_thresholds(level, linear.scale.size, np.arange(low + 1, high + 1))
    datatype = DataType.spanning(low, high)
    attributes = {"out_dtype": datatype.name, "out_scale": 1.0, "out_bias": float(low), "data_layout": layout}
    return Step("MultiThreshold", (np.asarray(thresholds),), attributes, datatype)
