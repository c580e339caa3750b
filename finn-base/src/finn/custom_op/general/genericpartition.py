"""A node that stands for a model in a file of its own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper

from finn.core.datatype import BaseDataType
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.base import Attribute, CustomOp

_CACHED_MODELS = 64
_EXACT_FLOAT32 = 2**24

_models: OrderedDict[tuple[Path, int, int], ModelWrapper] = OrderedDict()
_lock = threading.Lock()


def load_partition(filename: str) -> ModelWrapper:
    """The model in a file, for reading only: as long as the file is the same, so is the returned object.

    A relative name is relative to the working directory of the process. ModelError if the file is missing.
    """
    path = Path(filename)
    try:
        status = path.stat()
    except OSError as error:
        raise ModelError(
            f"cannot read the model of the partition: {error.strerror}",
            where=filename,
            remedy="start in the directory in which the model was partitioned, or partition into an absolute path",
        ) from error
    key = (path.resolve(), status.st_mtime_ns, status.st_size)
    with _lock:
        if key not in _models:
            _models[key] = ModelWrapper(path)
            while len(_models) > _CACHED_MODELS:
                _models.popitem(last=False)
        _models.move_to_end(key)
        return _models[key]


class GenericPartition(CustomOp):
    """Runs the model in the file `model` on its inputs. Inputs and outputs are those of that graph, by position.

    Constants among the inputs of that graph do not count. With return_full_exec_context = 1 every tensor of that graph
    is stored as `<name of this node>_<tensor>` as well.
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "model": Attribute("s", doc="file name of the model; a relative one is relative to the working directory"),
        "return_full_exec_context": Attribute(
            "i", 0, frozenset({0, 1}), doc="whether execution leaves all tensors of the model behind"
        ),
    }

    def submodel(self) -> ModelWrapper:
        """The model of the partition, for reading only. ModelError if it is missing or has other ports."""
        model = load_partition(self.get_nodeattr("model"))
        for what, own, names in (
            ("inputs", self.onnx_node.input, port_names(model)),
            ("outputs", self.onnx_node.output, [value.name for value in model.graph.output]),
        ):
            if len(own) != len(names):
                raise ModelError(
                    f"it has {len(own)} {what}, its model {len(names)}: {', '.join(names)}",
                    where=f"{self._where}, model {self.get_nodeattr('model')}",
                    remedy="partition the model again",
                )
        return model

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """An If whose branches declare the outputs: no other standard operator has outputs of any number and shape."""
        outputs = self._inferred(model).graph.output
        body = GraphProto(name=self.onnx_node.name or "partition")
        for name, output in zip(self.onnx_node.output, outputs, strict=True):
            body.output.add(name=f"{name}_of_partition").type.CopyFrom(output.type)
        return helper.make_node("If", [""], list(self.onnx_node.output), then_branch=body, else_branch=body)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        inner = self._inferred(model)
        for name, output in zip(self.onnx_node.output, inner.graph.output, strict=True):
            if name:
                model.set_tensor_datatype(name, inner.get_tensor_datatype(output.name))

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        from finn.core.onnx_exec import execute_onnx  # late, as it loads onnxruntime

        model = self.submodel()
        full = bool(self.get_nodeattr("return_full_exec_context"))
        pairs = zip(port_names(model), self.onnx_node.input, strict=True)
        inputs = {inner: np.asarray(context[outer]) for inner, outer in pairs if outer}
        oracle = any(_is_widened(model, name, array) for name, array in inputs.items())
        result = execute_onnx(model, inputs, full, precision="float64" if oracle else "native")
        for name, output in zip(self.onnx_node.output, model.graph.output, strict=True):
            if name:
                context[name] = result[output.name]
        if full:
            context.update({f"{self.onnx_node.name}_{name}": array for name, array in result.items()})

    def _inferred(self, outer: ModelWrapper) -> ModelWrapper:
        """The model with the shapes and data types that its outputs have for the inputs that `outer` gives it."""
        model = self.submodel()
        news = _news(model, outer, dict(zip(port_names(model), self.onnx_node.input, strict=True)))
        if not news:
            return model
        # Late: these modules need those of the operators.
        from finn.transformation.infer_datatypes import InferDataTypes
        from finn.transformation.infer_shapes import InferShapes

        model = ModelWrapper(model.model, make_deepcopy=True)
        del model.graph.value_info[:]
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        for name, (shape, kind, datatype) in news.items():
            model.set_tensor_shape(name, shape, kind)
            model.set_tensor_datatype(name, datatype)
        for inference in (InferShapes(), InferDataTypes()):
            model = model.transform(inference, make_deepcopy=False, cleanup=False)
        return model


def port_names(model: ModelWrapper) -> list[str]:
    """The graph inputs that are no constants."""
    return [value.name for value in model.graph.input if not model.has_initializer(value.name)]


def _news(
    model: ModelWrapper, outer: ModelWrapper, ports: Mapping[str, str]
) -> dict[str, tuple[list[int], int, BaseDataType]]:
    """The inputs of `model` for which `outer` knows more or something else, with what it knows."""
    news = {}
    for inner, name in ports.items():
        shape, kind = outer.get_tensor_shape(name), outer.get_tensor_elem_type(name) or TensorProto.FLOAT
        if not name or shape is None:
            continue
        known = model.get_tensor_shape(inner)
        same_shape = known is not None and len(known) == len(shape)
        same_shape &= all(s in (0, k) for s, k in zip(shape, known or (), strict=False))
        datatype = outer.get_tensor_datatype(name)
        same_type = datatype in ("FLOAT32", model.get_tensor_datatype(inner))
        if not (same_shape and same_type and kind == model.get_tensor_elem_type(inner)):
            news[inner] = (shape, kind, datatype if not same_type else model.get_tensor_datatype(inner))
    return news


def _is_widened(model: ModelWrapper, name: str, array: np.ndarray) -> bool:
    """Whether it tells that the graph around computes in float64: not declared so, and not needed for wide integers."""
    datatype = model.get_tensor_datatype(name)
    wide = datatype.is_integer() and max(-datatype.min(), datatype.max()) > _EXACT_FLOAT32
    return array.dtype == np.float64 and not wide and model.get_tensor_elem_type(name) != TensorProto.DOUBLE
