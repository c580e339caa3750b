"""Identity nodes at chosen tensors."""

from __future__ import annotations

from onnx import NodeProto, helper

from finn.core.errors import AttributeValueError, ModelError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._layout_regions import set_type, type_of
from finn.transformation.base import Transformation


class InsertIdentity(Transformation):
    """Insert an Identity at a tensor; the new tensor is called `<tensor_name>_identity`.

    producer_or_consumer: with "producer" the Identity makes the tensor, and what made it makes the new one; with
    "consumer" the Identity reads the tensor, and all that read it read the new one. An input of the graph with
    "producer", and an output with "consumer", is replaced by the new tensor.

    AttributeValueError (a ValueError) for a tensor that does not exist, a constant with "producer", and other words.
    """

    def __init__(self, tensor_name: str, producer_or_consumer: str) -> None:
        if producer_or_consumer not in ("producer", "consumer"):
            raise AttributeValueError(
                f"producer_or_consumer is {producer_or_consumer!r}", remedy="use 'producer' or 'consumer'"
            )
        self.tensor_name = tensor_name
        self.producer_or_consumer = producer_or_consumer

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        name = self.tensor_name
        self._check(model)
        new, kind = model.unique_tensor_name(f"{name}_identity"), type_of(model, name)
        insert = _before if self.producer_or_consumer == "producer" else _after
        insert(model, name, new)
        model.copy_annotations(name, new)
        for tensor in (name, new):
            if kind is not None and model.get_tensor_valueinfo(tensor) is None:
                set_type(model, tensor, kind)
        return model, False

    def _check(self, model: ModelWrapper) -> None:
        names = model.get_all_tensor_names()
        if self.tensor_name not in names:
            raise AttributeValueError(
                f"there is no tensor '{self.tensor_name}'", remedy=nearest(self.tensor_name, names)
            )
        if self.producer_or_consumer == "producer" and model.has_initializer(self.tensor_name):
            raise AttributeValueError(f"the constant '{self.tensor_name}' has no producer", remedy="use 'consumer'")


def _before(model: ModelWrapper, name: str, new: str) -> None:
    producer = model.find_producer(name)
    if producer is None:
        value = next(value for value in model.graph.input if value.name == name)
        value.name = new
        model.insert_node(0, _identity(new, name))
        return
    index = model.get_node_index(producer) or 0
    model.set_node_output(producer, list(producer.output).index(name), new)
    model.insert_node(index + 1, _identity(new, name))


def _after(model: ModelWrapper, name: str, new: str) -> None:
    captured = [node for node in model.find_consumers(name) if name not in node.input]
    if captured:
        raise ModelError(
            "the body of a control flow operator reads it", where=f"tensor '{name}'", remedy="use 'producer'"
        )
    producer = model.find_producer(name)
    model.replace_uses(name, new)
    for value in model.graph.output:
        if value.name == name:
            value.name = new
    model.insert_node(0 if producer is None else (model.get_node_index(producer) or 0) + 1, _identity(name, new))


def _identity(source: str, target: str) -> NodeProto:
    return helper.make_node("Identity", [source], [target], f"Identity_{target}")


class InsertIdentityOnAllTopLevelIO(Transformation):
    """Insert an Identity behind every input and in front of every output of the graph; their names stay."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        inputs = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
        outputs = [value.name for value in model.graph.output]
        for name in inputs:
            if model.find_consumers(name):
                model = InsertIdentity(name, "consumer").apply(model)[0]
        for name in outputs:
            if model.find_producer(name) is not None:
                model = InsertIdentity(name, "producer").apply(model)[0]
        return model, False
