"""Layers as operators of the graph engine: they run their NumPy meaning."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import ClassVar

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.base import Attribute, AttributeDef, CustomOp
from finn.dataflow.graph import RESHAPE, layer_of
from finn.dataflow.layer import Layer, Stream
from finn.dataflow.layers import LAYERS

EXACT_FLOAT32 = 1 << 24


class LayerOp(CustomOp):
    """The operator of any layer."""

    def get_nodeattr_types(self) -> dict[str, AttributeDef]:
        kinds = {AttributeProto.INT: ("i", 0), AttributeProto.STRING: ("s", ""), AttributeProto.INTS: ("ints", [])}
        return {a.name: (kinds[a.type][0], True, kinds[a.type][1]) for a in self.onnx_node.attribute}

    def layer(self, constants: dict[str, np.ndarray]) -> Layer:
        """The layer, given the initializers among its inputs."""
        return layer_of(self.onnx_node, constants)

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return self.make_const_shape_op(self._layer_in(model).outputs[0].shape)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        for name, stream in zip(self.onnx_node.output, self._layer_in(model).outputs, strict=True):
            model.set_tensor_datatype(name, stream.dtype)

    def _layer_in(self, model: ModelWrapper) -> Layer:
        return self.layer({i: a for i in self.onnx_node.input if (a := model.get_initializer(i)) is not None})

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        names = {t.name for t in graph.initializer}
        constants = {i: context[i] for i in self.onnx_node.input if i in names}
        layer = self.layer(constants)
        streams = [context[i] for i in self.onnx_node.input if i not in names]
        results = layer.results(*(np.asarray(x).astype(np.int64) for x in streams))
        for name, stream, result in zip(self.onnx_node.output, layer.outputs, results, strict=True):
            context[name] = result.astype(_container(graph, name, stream))


def _container(graph: GraphProto, name: str, stream: Stream) -> np.dtype[np.generic]:
    """The integer type that the graph declares for a tensor, as for indices; else a float type that is exact."""
    declared = (v.type.tensor_type.elem_type for v in (*graph.output, *graph.value_info) if v.name == name)
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(next(declared, TensorProto.FLOAT) or TensorProto.FLOAT))
    if kind.kind in "iub":
        return kind
    largest = max(abs(stream.dtype.min()), abs(stream.dtype.max()))
    return np.dtype(np.float32 if largest <= EXACT_FLOAT32 else np.float64)


class StreamReshape(CustomOp):
    """The same stream under another shape."""

    attributes: ClassVar[Mapping[str, Attribute]] = {"shape": Attribute("ints", doc="the shape of the output")}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return self.make_const_shape_op(tuple(self.get_nodeattr("shape")))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        model.set_tensor_datatype(self.onnx_node.output[0], model.get_tensor_datatype(self.onnx_node.input[0]))

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        shape = list(self.get_nodeattr("shape"))
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]].reshape(-1, *shape[1:])


class StreamingDataflowPartition(CustomOp):
    """Stands in the host's graph for the graph of layers in the file `model`, relative to the working directory."""

    attributes: ClassVar[Mapping[str, Attribute]] = {"model": Attribute("s", doc="file name of the graph of layers")}

    def dataflow(self) -> ModelWrapper:
        """The graph of layers. Raises ModelError if it is not there."""
        return ModelWrapper(str(self.get_nodeattr("model")))

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        inner = self.dataflow()
        return self.make_const_shape_op(inner.get_tensor_shape(inner.get_first_global_out()) or [])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        inner = self.dataflow()
        for name in self.onnx_node.output:
            model.set_tensor_datatype(name, inner.get_tensor_datatype(name))

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        results = execute_onnx(self.dataflow(), {name: context[name] for name in self.onnx_node.input})
        context.update({name: results[name] for name in self.onnx_node.output})


custom_op: dict[str, type[CustomOp]] = {
    "StreamingDataflowPartition": StreamingDataflowPartition,
    RESHAPE: StreamReshape,
    **{cls.__name__: LayerOp for cls in LAYERS},
}
