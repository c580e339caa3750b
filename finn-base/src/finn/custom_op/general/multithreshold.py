"""Multi-level thresholding: the integer form of any monotonic activation function."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.data_layout import channel_axis
from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import AttributeValueError, ExecutionError
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.shapes import same_shape_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def multithreshold(
    v: np.ndarray,
    thresholds: np.ndarray,
    out_scale: float | None = None,
    out_bias: float | None = None,
    channels_last: bool = False,
) -> np.ndarray:
    """out_scale * count_t(v >= thresholds[c, t]) + out_bias, c the channel of v.

    v: (N, C, ...), (..., C) with channels_last; thresholds: (C, T), or (1, T) for all channels. The comparison is
    exact for any mix of float32, float64 and integers. The result has the type of v, float32 for integer v.
    ExecutionError if the channels do not agree.
    """
    axis = v.ndim - 1 if channels_last or v.ndim < 2 else 1
    return _count(v, thresholds, axis, 1.0 if out_scale is None else out_scale, 0.0 if out_bias is None else out_bias)


def _count(v: np.ndarray, thresholds: np.ndarray, axis: int, out_scale: float, out_bias: float) -> np.ndarray:
    channels = v.shape[axis] if v.ndim else 1
    if thresholds.ndim != 2 or thresholds.shape[0] not in (1, channels):
        raise ExecutionError(
            f"thresholds of shape {thresholds.shape} do not fit an input of shape {v.shape} "
            f"with {channels} channels on axis {axis}",
            remedy=f"use ({channels}, T) or (1, T)",
        )
    if v.dtype.kind in "iu" and thresholds.dtype.kind == "f":
        thresholds = _integer_thresholds(thresholds, v.dtype)
    shape = [1] * max(v.ndim, 1)
    shape[axis] = thresholds.shape[0]
    # One pass per level: memory stays that of v, however many levels there are. Bytes are counted fastest.
    counts = np.zeros(v.shape, dtype=np.uint8 if thresholds.shape[1] < 256 else np.int32)
    for level in np.ascontiguousarray(thresholds.T):
        np.add(counts, np.asarray(v >= level.reshape(shape)).view(np.uint8), out=counts)
    dtype = v.dtype if v.dtype.kind == "f" else np.dtype(np.float32)
    return np.asarray(counts.astype(dtype) * dtype.type(out_scale) + dtype.type(out_bias), dtype=dtype)


def _integer_thresholds(thresholds: np.ndarray, dtype: np.dtype[np.generic]) -> np.ndarray:
    """v >= t is v >= ceil(t) for integer v. NumPy would compare as float64, which is too coarse beyond 2^53."""
    limits = np.iinfo(np.int64 if dtype.kind == "i" else np.uint64)
    whole = np.ceil(thresholds.astype(np.float64))
    out = np.zeros(whole.shape, dtype=object)
    for index, t in np.ndenumerate(whole):
        out[index] = limits.max + 1 if t == np.inf or t > limits.max else max(limits.min, int(max(t, limits.min)))
    if np.any(out > limits.max):
        return out  # a level that no v reaches
    return out.astype(limits.dtype)


class MultiThreshold(CustomOp):
    """Inputs x, thresholds (C or 1, T); output: `multithreshold` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out_dtype": Attribute("s", doc="data type of the output"),
        "out_scale": Attribute("f", 1.0, doc="factor on the count"),
        "out_bias": Attribute("f", 0.0, doc="added to the scaled count"),
        "data_layout": Attribute("s", "NCHW", doc="channels are last if it ends with C; '' guesses by the rank"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return same_shape_stand_in(self, model)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """out_dtype if scale and bias are integers, else FLOAT32."""
        plain = all(float(self.get_nodeattr(name)).is_integer() for name in ("out_scale", "out_bias"))
        datatype = self._out_dtype() if plain else DataType["FLOAT32"]
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)

    def _out_dtype(self) -> BaseDataType:
        try:
            return DataType[self.get_nodeattr("out_dtype")]
        except KeyError as error:
            raise AttributeValueError(f"out_dtype: {error.args[0]}", where=self._where) from error

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, thresholds = (context[name] for name in self.onnx_node.input)
        axis = channel_axis(self.get_nodeattr("data_layout"), x.ndim)
        scale, bias = self.get_nodeattr("out_scale"), self.get_nodeattr("out_bias")
        context[self.onnx_node.output[0]] = _count(x, thresholds, axis, scale, bias)

    def verify_node(self) -> list[str]:
        layout = self.get_nodeattr("data_layout")
        if layout and not (layout.endswith("C") or layout[1:2] == "C"):
            raise AttributeValueError(
                f"data_layout is '{layout}'",
                where=self._where,
                remedy="have the channels (C) second or last, as in NCHW",
            )
        self._out_dtype()
        return super().verify_node()
