"""double becomes float."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, TypeProto, numpy_helper

from finn.core.errors import ModelError
from finn.core.index import subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation

_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_datatype"})
"""Attributes that hold an element type: of Cast, of generators such as RandomNormal, of window functions."""


class DoubleToSingleFloat(Transformation):
    """Every float64 of the model is float32: constants, inputs, outputs, inner values, and what nodes are told to make.

    ModelError, and the model stays as it is, for constants that are too large for float32, and for integers (by their
    data type annotation) that would be rounded.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        bodies = list(_graphs(model.graph))
        nodes = [node for graph in bodies for node in graph.node]
        nodes += [node for function in model.model.functions for node in function.node]
        tensors = list(_tensors(bodies, nodes))
        singles = [_single(model, tensor) for tensor in tensors]
        for tensor, single in zip(tensors, singles, strict=True):
            tensor.CopyFrom(single)
        for graph in bodies:
            for value in (*graph.input, *graph.output, *graph.value_info):
                _set_single(value.type)
        for attribute in (a for node in nodes for a in node.attribute if a.name in _TYPE_ATTRIBUTES):
            if attribute.type == AttributeProto.INT and attribute.i == TensorProto.DOUBLE:
                attribute.i = TensorProto.FLOAT
        return model, False


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and the bodies of its control flow operators, however deep."""
    yield graph
    for node in graph.node:
        for body in subgraphs(node):
            yield from _graphs(body)


def _tensors(graphs: Iterable[GraphProto], nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    """Every float64 tensor that is stored somewhere."""
    stored = [tensor for graph in graphs for tensor in graph.initializer]
    stored += [sparse.values for graph in graphs for sparse in graph.sparse_initializer]
    for attribute in (a for node in nodes for a in node.attribute):
        stored += [attribute.t, *attribute.tensors]
    yield from (tensor for tensor in stored if tensor.data_type == TensorProto.DOUBLE)


def _single(model: ModelWrapper, tensor: TensorProto) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    where, remedy = f"constant '{tensor.name}'", "scale the network, or keep it in float64"
    if np.any(np.isinf(single) & np.isfinite(values)):
        raise ModelError(f"{np.abs(values).max():.3g} is too large for float32", where=where, remedy=remedy)
    datatype = model.get_tensor_datatype(tensor.name)
    if datatype.is_integer() and not np.array_equal(single, values):
        rounded = values[single != values].flat[0]
        raise ModelError(f"{rounded:.17g} would be rounded", where=where, why=f"it is {datatype}", remedy=remedy)
    return numpy_helper.from_array(single, tensor.name)


def _set_single(kind: TypeProto) -> None:
    """Let tensors of float64, also those in sequences and optionals, be float32."""
    which = kind.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        tensor = kind.tensor_type if which == "tensor_type" else kind.sparse_tensor_type
        if tensor.elem_type == TensorProto.DOUBLE:
            tensor.elem_type = TensorProto.FLOAT
    elif which in ("sequence_type", "optional_type"):
        _set_single(kind.sequence_type.elem_type if which == "sequence_type" else kind.optional_type.elem_type)
