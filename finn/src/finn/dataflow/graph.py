"""Layers as nodes of an ONNX graph: one generic way in and out, and their execution in the graph.

A layer is a node of the domain `finn.dataflow`. Its dataclass fields are the node's attributes; arrays are
initializers, in the order of the fields, after the stream inputs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, get_type_hints

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.layer import IntArray, Layer, Stream
from finn.dataflow.layers import LAYERS

DOMAIN = "finn.dataflow"
RESHAPE = "StreamReshape"
"""A node of this type gives the same stream another shape, its attribute `shape`: it is no hardware."""
_BY_NAME: Mapping[str, type[Layer]] = {cls.__name__: cls for cls in LAYERS}


class DataflowError(FinnError):
    """A graph that is not, or cannot become, a graph of hardware layers."""


@dataclass(frozen=True)
class Instance:
    """A layer in a graph: the name of its node, and the tensors that its streams carry."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def attributes(layer: Layer) -> dict[str, Any]:
    """The fields of `layer` that are no arrays, as ONNX attribute values."""
    return {
        f.name: _encode(value)
        for f in fields(layer)
        if (value := getattr(layer, f.name)) is not None and not isinstance(value, np.ndarray)
    }


def _encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encode(v) for v in value]
    return value.name if isinstance(value, BaseDataType) else value


def arrays(layer: Layer) -> dict[str, IntArray]:
    """The fields of `layer` that are arrays."""
    return {f.name: v for f in fields(layer) if isinstance(v := getattr(layer, f.name), np.ndarray)}


@lru_cache
def _hints(cls: type[Layer]) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_array(hint: Any) -> bool:
    return "ndarray" in str(hint)


def layer_of(node: NodeProto, constants: Mapping[str, np.ndarray]) -> Layer:
    """The layer that `node` stands for. `constants`: initializers by tensor name. Raises DataflowError, LayerError."""
    cls = _BY_NAME.get(node.op_type)
    if cls is None:
        raise DataflowError(f"{DOMAIN} has no layer {node.op_type}", where=f"node {node.name}")
    held = [np.asarray(constants[i]) for i in node.input if i in constants]
    if not held:
        return _made(cls, node, [])
    key = (node.SerializeToString(), *map(_digest, held))
    layer = _KNOWN.get(key)
    if layer is None:
        layer = _KNOWN[key] = _made(cls, node, held)
        while len(_KNOWN) > MOST_KNOWN:
            _KNOWN.popitem(last=False)
    _KNOWN.move_to_end(key)
    return layer


MOST_KNOWN = 512
_KNOWN: OrderedDict[tuple[bytes, ...], Layer] = OrderedDict()
"""Layers with arrays, by their contents: checking large weights takes longer than looking at them."""


def _digest(array: np.ndarray) -> bytes:
    kind = f"{array.dtype}{array.shape}".encode()
    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16, key=kind[:64]).digest()


def _made(cls: type[Layer], node: NodeProto, held: list[np.ndarray]) -> Layer:
    values: dict[str, Any] = {}
    given = {a.name: a for a in node.attribute}
    for name, hint in _hints(cls).items():
        if name in given:
            values[name] = _decode(given[name], hint)
        elif _is_array(hint) and held:
            values[name] = held.pop(0).astype(np.int64)
    return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def _decode(attribute: AttributeProto, hint: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return _text(value, hint is BaseDataType)
    if attribute.type == AttributeProto.STRINGS:
        return tuple(_text(v, hint == tuple[BaseDataType, ...]) for v in value)
    return tuple(value) if attribute.type == AttributeProto.INTS else value


def _text(value: bytes, is_type: bool) -> str | BaseDataType:
    text = value.decode()
    return DataType[text] if is_type else text


def instances(model: ModelWrapper) -> list[Instance]:
    """The layers of a dataflow graph in topological order. Raises DataflowError if a node is no layer.

    A stream behind a StreamReshape goes by the name that it has in front of it.
    """
    same: dict[str, str] = {}
    found = []
    for node in model.graph.node:
        if is_reshape(node):
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            i = instance(model, node)
            found.append(replace(i, inputs=tuple(same.get(t, t) for t in i.inputs)))
    return found


def is_layer(node: NodeProto) -> bool:
    """Whether the node is a hardware layer."""
    return node.domain == DOMAIN and node.op_type in _BY_NAME


def is_reshape(node: NodeProto) -> bool:
    """Whether the node is only another shape for a stream."""
    return node.domain == DOMAIN and node.op_type == RESHAPE


def instance(model: ModelWrapper, node: NodeProto) -> Instance:
    """The layer of a node, and its streams by the names that the graph has for them. DataflowError if it is none."""
    if node.domain != DOMAIN:
        raise DataflowError(f"{node.op_type} is not a hardware layer", where=f"node {node.name}")
    constants = {i: a for i in node.input if i and (a := model.get_initializer(i)) is not None}
    streams = tuple(i for i in node.input if i and i not in constants)
    return Instance(node.name, layer_of(node, constants), streams, tuple(node.output))


def evaluate(model: ModelWrapper, *inputs: IntArray) -> dict[str, IntArray]:
    """Stream name -> what it holds if the layers get these frames (N, …), one array per input of the graph."""
    values = dict(zip((t.name for t in model.graph.input), inputs, strict=True))
    for i in instances(model):
        values |= zip(i.outputs, i.layer.results(*given(i, values)), strict=True)
    return values


def given(i: Instance, values: Mapping[str, IntArray]) -> list[IntArray]:
    """The inputs of a layer, in the shapes that it wants."""
    return [values[t].reshape(-1, *s.shape[1:]) for t, s in zip(i.inputs, i.layer.inputs, strict=True)]


def layers(model: ModelWrapper) -> dict[str, Layer]:
    """Node name -> layer, of all layers in `model`, in topological order; other nodes are passed over."""
    return {n.name: instance(model, n).layer for n in model.graph.node if is_layer(n)}


def set_layer(model: ModelWrapper, name: str, layer: Layer) -> None:
    """Write the foldings and options of `layer` into the node `name`; its arrays and streams stay."""
    node = model.get_node_from_name(name)
    if node is None:
        raise DataflowError(f"there is no node {name}")
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes(layer).items())


def add_layer(
    model: ModelWrapper, index: int, name: str, layer: Layer, inputs: Sequence[str], outputs: Sequence[str]
) -> NodeProto:
    """Insert the node of a layer at `index`, with its arrays; its outputs get their shapes and types."""
    held = {model.unique_tensor_name(f"{name}_{field}"): array for field, array in arrays(layer).items()}
    for tensor, array in held.items():
        model.set_initializer(tensor, array)
    for tensor, stream in zip(outputs, layer.outputs, strict=True):
        kind = model.get_tensor_elem_type(tensor) if model.get_tensor_valueinfo(tensor) else TensorProto.FLOAT
        model.set_tensor_shape(tensor, list(stream.shape), kind)
        model.set_tensor_datatype(tensor, stream.dtype)
    kind_of = type(layer).__name__
    node = helper.make_node(kind_of, [*inputs, *held], list(outputs), name, domain=DOMAIN, **attributes(layer))
    return model.insert_node(index, node)


def make_model(chain: list[tuple[str, Layer]]) -> ModelWrapper:
    """A graph of layers one after the other; a lone layer may have several inputs and outputs."""
    borders = [*(layer.inputs for _, layer in chain), chain[-1][1].outputs]
    tensors = [
        tuple(f"t{k}" if len(streams) == 1 else f"t{k}_{n}" for n in range(len(streams)))
        for k, streams in enumerate(borders)
    ]
    return make_graph([Instance(name, layer, tensors[k], tensors[k + 1]) for k, (name, layer) in enumerate(chain)])


def make_graph(placed: Sequence[Instance]) -> ModelWrapper:
    """The graph of these layers, given in topological order.

    Its inputs are the tensors that none of them produces, its outputs those that none reads.
    """
    nodes: list[NodeProto] = []
    values: dict[str, Stream] = {}
    constants: dict[str, IntArray] = {}
    for name, layer, inputs, outputs in ((i.name, i.layer, i.inputs, i.outputs) for i in placed):
        held = {f"{name}_{field}": array for field, array in arrays(layer).items()}
        kind = type(layer).__name__
        nodes.append(helper.make_node(kind, [*inputs, *held], outputs, name, domain=DOMAIN, **attributes(layer)))
        constants |= held
        values |= dict(zip((*inputs, *outputs), (*layer.inputs, *layer.outputs), strict=True))
    infos = {n: helper.make_tensor_value_info(n, 1, s.shape) for n, s in values.items()}
    made, read = {t for i in placed for t in i.outputs}, {t for i in placed for t in i.inputs}
    sources, sinks = ([infos[t] for t in values if t not in other] for other in (made, read))
    graph = helper.make_graph(nodes, "dataflow", sources, sinks)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    for name, stream in values.items():
        model.set_tensor_shape(name, list(stream.shape))
        model.set_tensor_datatype(name, stream.dtype)
    for name, array in constants.items():
        model.set_initializer(name, array)
    return model
