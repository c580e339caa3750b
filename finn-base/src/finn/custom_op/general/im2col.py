"""From images to columns: a convolution as a matrix product."""

from __future__ import annotations

import ast
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import AttributeValueError, ExecutionError
from finn.core.windows import Window, window_count
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.shapes import shaped_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def compute_conv_output_dim(ifm_dim: int, k: int, stride: int, total_pad: int = 0, dilation: int = 1) -> int:
    """floor((ifm_dim + total_pad - dilation (k - 1) - 1) / stride) + 1: one spatial size of a convolution's output."""
    return window_count(ifm_dim, k, stride, (total_pad, 0), dilation, False)


def im2col(x: np.ndarray, window: Window, pad_value: float = 0) -> np.ndarray:
    """(N, *spatial, C) -> (N, *counts, K C), K the places of the window, the last axis running fastest, C inside.

    y[n, oh, ow, (i KW + j) C + c] = padded x[n, oh sh + i dh, ow sw + j dw, c]. The result has the type of x.
    """
    counts = window.counts(x.shape[1:-1])
    columns = np.empty((x.shape[0], *counts, int(np.prod(window.kernel)), x.shape[-1]), dtype=x.dtype)
    for place, tap in enumerate(window.taps(x, pad_value)):
        columns[..., place, :] = tap
    return columns.reshape(x.shape[0], *counts, -1)


def get_im2col_indices_nchw(
    x_shape: Sequence[int],
    field_height: int,
    field_width: int,
    padding: int | Sequence[int] = 0,
    stride_h: int = 1,
    stride_w: int = 1,
    dilation_h: int = 1,
    dilation_w: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where `im2col_indices_nchw` takes its columns from: channels (C KH KW, 1), rows and columns (C KH KW, OH OW).

    x_shape: (N, C, H, W) without padding; padding: one number, or top, left, bottom, right.
    """
    _, channels, height, width = x_shape
    top, left, bottom, right = [padding] * 4 if isinstance(padding, int) else padding
    rows = compute_conv_output_dim(height, field_height, stride_h, top + bottom, dilation_h)
    columns = compute_conv_output_dim(width, field_width, stride_w, left + right, dilation_w)
    c, i, j = (part.reshape(-1, 1) for part in np.indices((channels, field_height, field_width)))
    oh, ow = (part.reshape(1, -1) for part in np.indices((rows, columns)))
    return c, i * dilation_h + oh * stride_h, j * dilation_w + ow * stride_w


def im2col_indices_nchw(
    x: np.ndarray,
    ifm_h: int,
    ifm_w: int,
    field_height: int,
    field_width: int,
    padding: Sequence[int] = (0, 0, 0, 0),
    stride_h: int = 1,
    stride_w: int = 1,
    pad_val: float = 0,
    dilation_h: int = 1,
    dilation_w: int = 1,
) -> np.ndarray:
    """(N, C, ifm_h, ifm_w) -> (C KH KW, OH OW N): a column per window, the batch running fastest.

    padding: top, left, bottom, right.
    """
    if x.shape[2:] != (ifm_h, ifm_w):
        raise ExecutionError(f"an image of shape {list(x.shape)} is not {ifm_h} x {ifm_w}")
    places = get_im2col_indices_nchw(
        x.shape, field_height, field_width, padding, stride_h, stride_w, dilation_h, dilation_w
    )
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_val)
    columns = padded[:, places[0], places[1], places[2]]
    return np.ascontiguousarray(columns.transpose(1, 2, 0).reshape(columns.shape[1], -1))


class Im2Col(CustomOp):
    """Input (N, H, W, C), output (N, OH, OW, KH KW C): `im2col` of it. The batch is that of the input."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "stride": Attribute("ints", doc="[height, width]"),
        "kernel_size": Attribute("ints", doc="[height, width]"),
        "input_shape": Attribute("s", doc="(N, H, W, C) as text; N is not used"),
        "pad_amount": Attribute("ints", [0, 0, 0, 0], doc="[top, left, bottom, right]"),
        "pad_value": Attribute("i", 0, doc="what the padding holds"),
        "depthwise": Attribute("i", 0, frozenset({0, 1}), doc="a mark: what follows is depthwise"),
        "dilations": Attribute("ints", [1, 1], doc="[height, width]"),
    }

    def window(self) -> Window:
        """The window. AttributeValueError that names the node if attributes do not fit together."""
        names = ("kernel_size", "stride", "pad_amount", "dilations")
        kernel, stride, pads, dilations = (tuple(self.get_nodeattr(name)) for name in names)
        with self.named():
            window = Window(kernel, stride, pads, dilations)
            if len(window.kernel) != 2:
                raise AttributeValueError(f"kernel_size {list(window.kernel)} is not [height, width]")
            return window

    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) by the attribute `input_shape`. AttributeValueError if it is no such text."""
        text = self.get_nodeattr("input_shape")
        try:
            _, height, width, channels = (int(dim) for dim in ast.literal_eval(text))
        except (ValueError, TypeError, SyntaxError) as error:
            raise AttributeValueError(
                f"input_shape is '{text}'", where=self._where, remedy="write it like (1, 28, 28, 3)"
            ) from error
        return height, width, channels

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        height, width, channels = self.image_shape()
        window = self.window()
        with self.named():
            counts = window.counts((height, width))
        return shaped_stand_in(self, model, [0, *counts, int(np.prod(window.kernel)) * channels])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """That of the input; a wider one if there is padding of a value that it lacks: BIPOLAR and 0 are TERNARY."""
        datatype = model.get_tensor_datatype(self.onnx_node.input[0])
        if self.window().is_padded:
            datatype = self._padded(datatype)
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)

    def _padded(self, datatype: BaseDataType) -> BaseDataType:
        value = self.get_nodeattr("pad_value")
        if not datatype.is_integer() or datatype.allowed(value):
            return datatype
        return DataType.spanning(min(datatype.min(), value), max(datatype.max(), value))

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x = context[self.onnx_node.input[0]]
        if x.shape[1:] != self.image_shape():
            raise ExecutionError(
                f"the input has shape {list(x.shape)}, the attribute input_shape is {self.get_nodeattr('input_shape')}"
            )
        context[self.onnx_node.output[0]] = im2col(x, self.window(), self.get_nodeattr("pad_value"))

    def verify_node(self) -> list[str]:
        window = self.window()
        with self.named():
            window.counts(self.image_shape()[:2])
        return super().verify_node()
