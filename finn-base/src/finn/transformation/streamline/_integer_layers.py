"""Layers of an integer graph: sums of products of an integer tensor with constant integer weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper

from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._channel_ties import Slot

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Layer:
    """A MatMul, Conv or ConvTranspose. Slots are (tensor, axis).

    x : the channels that go in; inner, outer : those axes of the weights that belong to channels of x and of y (inner
    has one entry for each channel of a group); y : the channels that come out. uniform : every element of a channel of
    y sees each element of the window, none of them in a padding.
    """

    node: NodeProto
    x: Slot
    inner: Slot
    outer: Slot
    y: Slot
    group: int
    uniform: bool

    def matrix(self, weights: Array) -> Array:
        """The weights as (outer, inner, taps)."""
        moved = np.moveaxis(weights, (self.outer[1], self.inner[1]), (0, 1))
        return moved.reshape(*moved.shape[:2], -1)

    def from_matrix(self, matrix: Array, weights: Array) -> Array:
        """The inverse of `matrix`, in the shape of `weights`."""
        moved = np.moveaxis(weights, (self.outer[1], self.inner[1]), (0, 1))
        return np.moveaxis(matrix.reshape(moved.shape), (0, 1), (self.outer[1], self.inner[1]))


def layers_of(model: ModelWrapper) -> Iterator[Layer]:
    """The layers of the graph, in its order."""
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Conv", "ConvTranspose") and _is_integer(model, node):
            layer = _product(model, node) if node.op_type == "MatMul" else _convolution(model, node)
            if layer is not None:
                yield layer


def _is_integer(model: ModelWrapper, node: NodeProto) -> bool:
    names = [*node.input, *node.output]
    floats = model.get_tensor_elem_type(node.input[1]) in (TensorProto.FLOAT, TensorProto.DOUBLE)
    constant = floats and model.has_initializer(node.input[1])
    return constant and all(model.get_tensor_datatype(n).is_integer() for n in names if n)


def _product(model: ModelWrapper, node: NodeProto) -> Layer | None:
    x, w = node.input
    rank, shape = len(model.get_tensor_shape(x) or ()), model.get_tensor_shape(w) or []
    if len(shape) != 2 or rank < 2:
        return None
    return Layer(node, (x, rank - 1), (w, 0), (w, 1), (node.output[0], rank - 1), 1, True)


def _convolution(model: ModelWrapper, node: NodeProto) -> Layer | None:
    x, w, y = node.input[0], node.input[1], node.output[0]
    rank = len(model.get_tensor_shape(w) or ())
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    group, transposed = int(attributes.get("group", 1)), node.op_type == "ConvTranspose"
    if rank < 3 or (transposed and group > 1):
        return None
    padded = any(attributes.get("pads", ())) or attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    channel = rank - 1 if node.domain == CHANNELS_LAST else 1
    inner, outer = (0, 1) if transposed else (channel, 0)
    return Layer(node, (x, channel), (w, inner), (w, outer), (y, channel), group, not (padded or transposed))
