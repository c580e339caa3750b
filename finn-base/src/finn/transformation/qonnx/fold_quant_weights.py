"""Quantized constants as integers, with their scale behind the layer that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto

from finn.analysis.ranges import narrowest_weight_type
from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.base import Transformation
from finn.transformation.qonnx._chains import Step, insert_chain, shape_like
from finn.transformation.qonnx._reading import quantizes_constant, unreadable, weights_of
from finn.transformation.rewrite import NoMatch, require
from finn.transformation.streamline.report import StreamlineError


@dataclass(frozen=True, eq=False)
class Factors:
    """What the scale of a constant becomes: factors of the other input, in front, and of the output, behind."""

    before: np.ndarray | None = None
    after: np.ndarray | None = None


def _without_leading_axes(c: np.ndarray) -> np.ndarray:
    """The same array, for tensors of any rank."""
    lead = next((i for i, size in enumerate(c.shape) if size > 1), c.ndim)
    return c.reshape(c.shape[lead:])


def _matmul(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    """x @ (rows * W * columns) == (x * rows) @ W * columns; alike for constants on the left."""
    if position == 1:
        if s.ndim == 2 and s.shape[0] > 1 and s.shape[1] == 1:
            return Factors(before=s[:, 0])
        require(s.ndim > 1 and s.shape[-2] == 1, "the scale of its weights varies along the axis that is summed")
        return Factors(after=_without_leading_axes(s))
    require(s.shape[-1] == 1, "the scale of its weights varies along the axis that is summed")
    shape = model.get_tensor_shape(node.input[1])
    if shape is None or len(shape) < 2:
        raise NoMatch("it multiplies a vector, or something of unknown rank, from the left")
    return Factors(after=s)


def _conv(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    require(position == 1, "a bias stays in the layer")
    require(s.shape[0] == s.size, "the scale of its weights varies within an output channel")
    last = node.domain == CHANNELS_LAST
    return Factors(after=s.reshape(-1) if last else s.reshape(-1, *[1] * (s.ndim - 2)))


def _conv_transpose(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    """Weights (C, M/group, ...): the channels of a group are summed."""
    require(position == 1, "a bias stays in the layer")
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    require(s.size == s.shape[0] * s.shape[1], "the scale of its weights varies within an output channel")
    inputs, outputs = (int(n) for n in (model.get_tensor_shape(node.input[1]) or s.shape)[:2])
    full = np.broadcast_to(s.reshape(s.shape[:2]), (inputs, outputs)).reshape(group, inputs // group, outputs)
    require((full == full[:, :1]).all(), "the scale of its weights varies within an output channel")
    return Factors(after=full[:, 0].reshape(-1, *[1] * (s.ndim - 2)))


def _gather(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    """Rows of a table: the indices take the place of the axis that they pick from."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0) % s.ndim
    indices = model.get_tensor_shape(node.input[1])
    require(position == 0 and s.shape[axis] == 1, "the scale varies along the axis that it picks from")
    if indices is None:
        raise NoMatch("the shape of its indices is not known")
    return Factors(after=_without_leading_axes(s.reshape(s.shape[:axis] + (1,) * len(indices) + s.shape[axis + 1 :])))


def _factor(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    return Factors(after=_without_leading_axes(s))


def _divisor(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    s = _without_leading_axes(s)
    return Factors(after=1 / s if position == 1 else s)


def _summand(model: ModelWrapper, node: NodeProto, position: int, s: np.ndarray) -> Factors:
    """x + s * c == (x / s + c) * s"""
    shape, other = (model.get_tensor_shape(node.input[i]) for i in (position, 1 - position))
    wide = s.size == 1 or (shape is not None and other is not None and len(other) >= len(shape))
    require(wide, "its other input is broadcast")
    s = _without_leading_axes(s)
    return Factors(before=1 / s, after=s)


SCALES: Mapping[str, Callable[[ModelWrapper, NodeProto, int, np.ndarray], Factors]] = {
    "Add": _summand,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _divisor,
    "Gather": _gather,
    "MatMul": _matmul,
    "Mul": _factor,
    "Sub": _summand,
}
"""Where the scale of a quantized constant goes: (model, node that reads it, as which input, scale with its rank)."""


class FoldQuantWeights(Transformation):
    """The quantizer of a constant becomes an integer initializer, annotated; a Mul with its scale stands behind the
    node that reads it (for summands there is one in front as well).

    Exact where products with the scale are, as for powers of two; else rounded in another place. `declined` says
    afterwards which quantizers stayed, and why: {node: reason}. StreamlineError if one cannot be read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.declined: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.declined = {}
        with model.trusted_index():
            nodes = [node for node in model.graph.node if quantizes_constant(model, node)]
            if problems := unreadable(model, nodes):
                raise StreamlineError(problems)
            for node in nodes:
                try:
                    _fold(model, node)
                except NoMatch as reason:
                    self.declined[describe(node)] = str(reason)
        return model, False


def _fold(model: ModelWrapper, node: NodeProto) -> None:
    """NoMatch, with the graph as it was, if the scale cannot go behind all readers."""
    weights, name = weights_of(model, node), node.output[0]
    require(not model.is_graph_output(name), "the graph returns what it makes")
    scale, plain = weights.scale.astype(np.float32), bool((weights.scale == 1).all())
    readers = list({id(n): n for n in model.find_consumers(name)}.values())
    places = [(reader, i) for reader in readers for i, read in enumerate(reader.input) if read == name]
    require(plain or len(places) == len(readers), "a node reads it twice")
    require(all(name in reader.input for reader in readers), "the body of a control flow operator reads it")
    factors = [] if plain else [(reader, i, _factors(model, reader, i, scale)) for reader, i in places]
    parameters = list(node.input)
    model.remove_node(node)
    model.set_initializer(name, weights.integers.astype(np.float32))
    model.set_tensor_datatype(name, narrowest_weight_type(weights.integers))
    for reader, i, factor in factors:
        _rescale(model, reader, i, factor)
    model.remove_tensors([n for n in parameters if model.has_initializer(n) and not model.find_consumers(n)])


def _factors(model: ModelWrapper, reader: NodeProto, position: int, scale: np.ndarray) -> Factors:
    move = SCALES.get(reader.op_type)
    if move is None or (reader.domain not in ("", CHANNELS_LAST)):
        raise NoMatch(f"{reader.op_type} reads it, and its scale cannot be moved behind that")
    if scale.size == 1:
        summands = reader.op_type in ("Add", "Sub")
        number = scale.reshape(())
        inverse = reader.op_type == "Div" and position == 1
        return Factors(1 / number if summands else None, 1 / number if inverse else number)
    return move(model, reader, position, scale)


def _rescale(model: ModelWrapper, reader: NodeProto, position: int, factors: Factors) -> None:
    if factors.before is not None:
        other = 1 - position
        x, scaled = reader.input[other], model.unique_tensor_name(f"{reader.output[0]}_scaled")
        shape_like(model, scaled, x)
        insert_chain(model, model.get_node_index(reader) or 0, x, [Step("Mul", (factors.before,))], scaled)
        model.set_node_input(reader, other, scaled)
    if factors.after is not None:
        output = reader.output[0]
        unscaled = model.unique_tensor_name(f"{output}_unscaled")
        shape_like(model, unscaled, output)
        model.set_node_output(reader, 0, unscaled)
        index = (model.get_node_index(reader) or 0) + 1
        insert_chain(model, index, unscaled, [Step("Mul", (factors.after,))], output)
