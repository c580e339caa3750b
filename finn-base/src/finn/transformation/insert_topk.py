"""From scores to classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from finn.core.datatype import DataType
from finn.core.errors import ConfigError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.standard_ops import opset_of


class InsertTopK(Transformation):
    """The first output of the graph becomes the indices (INT64, annotated UINT32) of its k largest elements.

    k, axis, largest, sorted: as of ONNX's TopK; largest=0 takes the smallest, sorted=0 leaves their order open. Nothing
    is changed if a TopK makes the output already. ConfigError if the axis does not exist or has less than k elements;
    UnsupportedError for largest=0 or sorted=0 before opset 11.
    """

    def __init__(self, k: int = 5, axis: int = -1, largest: int = 1, sorted: int = 1) -> None:
        self.k, self.axis, self.largest, self.sorted = k, axis, largest, sorted

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        scores = model.get_first_global_out()
        producer = model.find_producer(scores)
        if producer is not None and producer.op_type == "TopK":
            return model, False
        shape = self._checked_shape(model, scores)
        values, indices = model.unique_tensor_name(f"{scores}_values"), model.unique_tensor_name(f"{scores}_indices")
        inputs: list[str] = [scores]
        attributes: dict[str, Any] = {"axis": self.axis}
        if opset_of(model) < 10:
            attributes["k"] = self.k
        else:
            inputs.append(model.unique_tensor_name(f"{scores}_k"))
            model.set_initializer(inputs[1], np.array([self.k], np.int64))
        if opset_of(model) >= 11:
            attributes |= {"largest": self.largest, "sorted": self.sorted}
        info = model.graph.output[0]
        model.graph.value_info.append(info)
        info.CopyFrom(helper.make_tensor_value_info(indices, TensorProto.INT64, shape))
        model.set_tensor_datatype(indices, DataType["UINT32"])
        model.copy_annotations(scores, values)
        model.graph.node.append(helper.make_node("TopK", inputs, [values, indices], f"TopK_{scores}", **attributes))
        return model, True

    def _checked_shape(self, model: ModelWrapper, scores: str) -> list[int | str | None] | None:
        """The shape of the indices, with symbolic dimensions; None if that of the scores is not known."""
        if opset_of(model) < 11 and not (self.largest and self.sorted):
            raise UnsupportedError(
                f"TopK of opset {opset_of(model)} takes the largest elements in their order only",
                remedy="use a model of opset 11 or later",
            )
        info = model.get_tensor_valueinfo(scores)
        if info is None or not info.type.tensor_type.HasField("shape"):
            return None
        shape = [
            d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in info.type.tensor_type.shape.dim
        ]
        if not -len(shape) <= self.axis < len(shape):
            raise ConfigError(f"axis is {self.axis}, but '{scores}' has {len(shape)} axes", where="InsertTopK")
        size = shape[self.axis]
        if self.k < 1 or (isinstance(size, int) and self.k > size):
            what = f"k is {self.k}, but axis {self.axis} of '{scores}' has {size} elements"
            raise ConfigError(what, where="InsertTopK", remedy="choose k between 1 and that number")
        shape[self.axis] = self.k
        return shape
