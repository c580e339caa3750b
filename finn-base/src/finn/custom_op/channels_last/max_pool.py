"""Max pooling of channels-last data."""

from __future__ import annotations

import functools
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.errors import AttributeValueError
from finn.core.windows import Window
from finn.custom_op.base import Attribute
from finn.custom_op.channels_last.base_wrapped_op import ChannelsLastWrappedOp
from finn.custom_op.shapes import window_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def max_pool(x: np.ndarray, window: Window) -> np.ndarray:
    """(N, *spatial, C) -> (N, *counts, C), the greatest value in each window, in the type of x.

    Padding is smaller than every value; a window with a NaN gives NaN.
    """
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.ascontiguousarray(functools.reduce(np.maximum, window.taps(x, least)))


class MaxPool_v1(ChannelsLastWrappedOp):
    """Input x (N, *spatial, C); output: `max_pool` of it."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "kernel_shape": Attribute("ints", doc="size of the window along each spatial axis"),
        "strides": Attribute("ints", doc="of each spatial axis"),
        "pads": Attribute("ints", doc="before each spatial axis, then after each"),
        "auto_pad": Attribute("s", "NOTSET", frozenset({"NOTSET"}), doc="the pads have to be given"),
    }

    def window(self) -> Window:
        """The window. AttributeValueError that names the node if attributes do not fit together."""
        kernel, strides, pads = (tuple(self.get_nodeattr(name)) for name in ("kernel_shape", "strides", "pads"))
        self.get_nodeattr("auto_pad")
        dilations, ceil_mode = self._extras(kernel)
        with self.named():
            window = Window(kernel, strides, pads, dilations, ceil_mode)
            reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
            if any(pad >= size for pad, size in zip(pads, reach * 2, strict=True)):
                raise AttributeValueError(
                    f"pads {list(pads)} reach a whole window {reach}", remedy="use pads smaller than the window"
                )
        return window

    def _extras(self, kernel: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
        """Dilations and ceil_mode."""
        return (1,) * len(kernel), False

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return window_stand_in(self, model, self.window())

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        context[self.onnx_node.output[0]] = max_pool(context[self.onnx_node.input[0]], self.window())

    def verify_node(self) -> list[str]:
        self.window()
        return super().verify_node()


class MaxPool_v10(MaxPool_v1):
    """With dilations, and a last window that may begin inside and end outside of the padded data."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        **MaxPool_v1.attributes,
        "dilations": Attribute("ints", [], doc="of each spatial axis; 1 if not given"),
        "ceil_mode": Attribute("i", 0, frozenset({0, 1}), doc="whether the number of windows is rounded up"),
    }

    def _extras(self, kernel: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
        return tuple(self.get_nodeattr("dilations")) or (1,) * len(kernel), bool(self.get_nodeattr("ceil_mode"))


MaxPool = MaxPool_v1
