"""Annotations of tensors: data type, layout, sparsity, kept in `graph.quantization_annotation` of the ONNX file."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from onnx import StringStringEntryProto, TensorAnnotation, TensorProto

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import ModelError
from finn.core.index import Table

R = TypeVar("R")


class Annotations(ABC):
    """The part of `ModelWrapper` that reads and writes annotations. They are text and never evaluated as code."""

    _annotations: Table[TensorAnnotation]
    _trust: bool

    @abstractmethod
    def get_tensor_elem_type(self, tensor_name: str) -> int:
        """The ONNX element type."""

    def get_annotation(self, tensor_name: str, key: str) -> str | None:
        """The text of one annotation of a tensor, or None."""
        entry = self._annotations.get(tensor_name, self._trust)
        for pair in entry.quant_parameter_tensor_names if entry is not None else ():
            if pair.key == key:
                return pair.value
        return None

    def set_annotation(self, tensor_name: str, key: str, value: str | None) -> None:
        """Set the text of one annotation of a tensor; None removes it."""
        entry = self._annotations.get(tensor_name, self._trust)
        if value is not None:
            if entry is None:
                entry = self._annotations.add(tensor_name)
                entry.tensor_name = tensor_name
            set_pair(entry.quant_parameter_tensor_names, key, value)
        elif entry is not None:
            pairs = entry.quant_parameter_tensor_names
            kept = [pair for pair in pairs if pair.key != key]
            del pairs[:]
            pairs.extend(kept)

    def copy_annotations(self, source: str, target: str) -> None:
        """Give `target` every annotation of `source`."""
        for key, value in self._pairs(source):
            self.set_annotation(target, key, value)

    def _pairs(self, tensor_name: str) -> list[tuple[str, str]]:
        entry = self._annotations.get(tensor_name, self._trust)
        return [(pair.key, pair.value) for pair in entry.quant_parameter_tensor_names] if entry is not None else []

    def copy_annotations_from(self, other: Annotations, tensor_name: str) -> None:
        """Give the tensor every annotation that it has in another model."""
        for key, value in other._pairs(tensor_name):
            self.set_annotation(tensor_name, key, value)

    def get_tensor_datatype(self, tensor_name: str) -> BaseDataType:
        """The annotated data type; without one FLOAT32, or FLOAT16 by the element type.

        ModelError for an annotation that names no data type.
        """
        name = self.get_annotation(tensor_name, "finn_datatype")
        if name is None:
            return DataType["FLOAT16" if self.get_tensor_elem_type(tensor_name) == TensorProto.FLOAT16 else "FLOAT32"]
        try:
            return DataType[name]
        except KeyError as error:
            raise ModelError(f"data type annotation: {error.args[0]}", where=_tensor(tensor_name)) from error

    def set_tensor_datatype(self, tensor_name: str, datatype: BaseDataType | None) -> None:
        """Annotate the data type of a tensor; None removes the annotation."""
        self.set_annotation(tensor_name, "finn_datatype", None if datatype is None else datatype.name)

    def get_tensor_layout(self, tensor_name: str) -> list[str] | None:
        """The annotated layout, such as ["N", "C"]; [] is "unknown"; None without annotation."""
        layout = self._literal(tensor_name, "tensor_layout", list)
        return None if layout is None else [str(axis) for axis in layout]

    def set_tensor_layout(self, tensor_name: str, data_layout: list[str]) -> None:
        """Annotate the layout of a tensor."""
        self.set_annotation(tensor_name, "tensor_layout", str(list(data_layout)))

    def get_tensor_sparsity(self, tensor_name: str) -> dict[Any, Any] | None:
        """The annotated sparsity, such as {"dw": {"kernel_shape": [3, 3]}}, or None."""
        return self._literal(tensor_name, "tensor_sparsity", dict)

    def set_tensor_sparsity(self, tensor_name: str, sparsity_dict: dict[Any, Any]) -> None:
        """Annotate the sparsity of a tensor."""
        self.set_annotation(tensor_name, "tensor_sparsity", str(sparsity_dict))

    def _literal(self, tensor_name: str, key: str, kind: type[R]) -> R | None:
        text = self.get_annotation(tensor_name, key)
        if text is None:
            return None
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ModelError(f"{key} annotation is no Python literal: {text!r}", where=_tensor(tensor_name)) from error
        if not isinstance(value, kind):
            raise ModelError(f"{key} annotation is no {kind.__name__}: {text!r}", where=_tensor(tensor_name))
        return value


def _tensor(name: str) -> str:
    return f"tensor '{name}'"


def set_pair(pairs: Any, key: str, value: str) -> None:
    """Set `key` in a repeated field of StringStringEntryProto."""
    for entry in pairs:
        if entry.key == key:
            entry.value = value
            return
    pairs.append(StringStringEntryProto(key=key, value=value))
