"""Convolution of channels-last data."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import AttributeValueError, ExecutionError, UnsupportedError
from finn.core.exactness import FLOAT32_LIMIT, FLOAT64_LIMIT, INT64_LIMIT
from finn.core.windows import Window, convolve
from finn.custom_op.base import Attribute
from finn.custom_op.channels_last.base_wrapped_op import ChannelsLastWrappedOp
from finn.custom_op.shapes import window_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def conv(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window, group: int = 1) -> np.ndarray:
    """(N, *spatial, C) and weights (O, *kernel, C / group) -> (N, *counts, O), plus bias (O,).

    Integers, in whatever type, give the exact result: in float64 or int64 where float32 cannot hold every sum. Other
    values are computed and returned in the type of x, float16 by way of float32. ExecutionError if shapes do not fit.
    """
    if w.shape[1:-1] != window.kernel or w.shape[-1] * group != x.shape[-1] or w.shape[0] % group:
        raise ExecutionError(
            f"weights of shape {list(w.shape)} do not fit an input of shape {list(x.shape)}",
            why=f"kernel {list(window.kernel)}, group {group}",
            remedy="weights are (outputs, kernel axes, inputs / group)",
        )
    dtype = _exact_type([x, w] if bias is None else [x, w, bias])
    out = convolve(x.astype(dtype, copy=False), w.astype(dtype), window, group)
    if bias is not None:
        out += bias.astype(dtype)
    return out.astype(np.float16) if x.dtype == np.float16 and dtype == np.float32 else out


def _exact_type(arrays: list[np.ndarray]) -> np.dtype[np.generic]:
    """The type to compute in."""
    greatest = [float(np.abs(a).max(initial=0)) for a in arrays]
    sums = np.abs(arrays[1]).reshape(arrays[1].shape[0], -1).sum(axis=1, dtype=np.float64)
    bound = greatest[0] * float(sums.max(initial=0)) + sum(greatest[2:])
    usual = np.result_type(np.float32, *(a.dtype for a in arrays))
    if bound <= FLOAT32_LIMIT or not np.isfinite(bound) or not all(_is_whole(a) for a in arrays):
        return usual
    if bound >= INT64_LIMIT:
        raise UnsupportedError(f"integers reach {bound:.3g}, beyond 64 bits")
    return np.dtype(np.float64 if bound <= FLOAT64_LIMIT else np.int64)


def _is_whole(a: np.ndarray) -> bool:
    return a.dtype.kind != "f" or bool(np.all(np.trunc(a) == a))


class Conv_v1(ChannelsLastWrappedOp):
    """Inputs x (N, *spatial, C), weights (O, *kernel, C / group), bias (O,) if any; output: `conv` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "kernel_shape": Attribute("ints", doc="size of the window along each spatial axis"),
        "strides": Attribute("ints", doc="of each spatial axis"),
        "dilations": Attribute("ints", doc="of each spatial axis"),
        "pads": Attribute("ints", doc="before each spatial axis, then after each"),
        "group": Attribute("i", doc="into how many groups of channels inputs and outputs are split"),
        "auto_pad": Attribute("s", "NOTSET", frozenset({"NOTSET"}), doc="the pads have to be given"),
    }

    def window(self) -> Window:
        """The window. AttributeValueError that names the node if attributes do not fit together."""
        self.get_nodeattr("auto_pad")
        names = ("kernel_shape", "strides", "pads", "dilations")
        kernel, strides, pads, dilations = (tuple(self.get_nodeattr(name)) for name in names)
        with self.named():
            if self.get_nodeattr("group") < 1:
                raise AttributeValueError(f"group is {self.get_nodeattr('group')}", remedy="use at least 1")
            return Window(kernel, strides, pads, dilations)

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return window_stand_in(self, model, self.window(), "Conv", self.get_nodeattr("group"))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The narrowest integer type of all possible sums if inputs are integers by annotation, else FLOAT32."""
        ranges = [self._range(model, name) for name in self.onnx_node.input if name]
        datatype = DataType["FLOAT32"]
        if all(r is not None for r in ranges):
            (x_low, x_high), (w_low, w_high), *bias = (r for r in ranges if r is not None)
            if self.window().is_padded:
                x_low, x_high = min(x_low, 0), max(x_high, 0)
            datatype = self._spanned(model, (x_low, x_high), (w_low, w_high), bias[0] if bias else (0, 0))
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)

    def _range(self, model: ModelWrapper, name: str) -> tuple[int, int] | None:
        """Least and greatest value of an integer tensor."""
        value, datatype = model.get_initializer(name), model.get_tensor_datatype(name)
        if value is not None and value.size and datatype.is_integer() and _is_whole(value):
            return int(value.min()), int(value.max())
        return (int(datatype.min()), int(datatype.max())) if value is None and datatype.is_integer() else None

    def _spanned(
        self, model: ModelWrapper, x: tuple[int, int], w: tuple[int, int], bias: tuple[int, int]
    ) -> BaseDataType:
        """The type of bias plus the products of values in x with one row of weights in w, or with the constant rows."""
        weights = model.get_initializer(self.onnx_node.input[1])
        if weights is None:
            terms = int(np.prod((model.get_tensor_shape(self.onnx_node.input[1]) or [0])[1:]))
            if not terms:
                return DataType["FLOAT32"]
            products = [terms * a * b for a in x for b in w]
            return DataType.spanning(min(products) + bias[0], max(products) + bias[1])
        rows = weights.reshape(weights.shape[0], -1).astype(np.float64)
        positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
        least, greatest = x[0] * positive + x[1] * negative, x[1] * positive + x[0] * negative
        return DataType.spanning(int(least.min()) + bias[0], int(greatest.max()) + bias[1])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, w, *bias = (context[name] for name in self.onnx_node.input if name)
        window, group = self.window(), self.get_nodeattr("group")
        context[self.onnx_node.output[0]] = conv(x, w, bias[0] if bias else None, window, group)

    def verify_node(self) -> list[str]:
        self.window()
        return super().verify_node()


Conv = Conv_v1
