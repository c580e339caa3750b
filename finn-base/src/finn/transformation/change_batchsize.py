"""Another batch size for a whole model."""

from __future__ import annotations

import copy

import numpy as np
from onnx import NodeProto

from finn.core.errors import ConfigError, FinnError, ModelError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import node_levels
from finn.transformation.base import Transformation
from finn.transformation.constants import idle_nodes, is_fixed, remove_idle, value_of
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.rewrite import TensorRef

_SHAPE_INPUTS = {"Reshape": 1, "Expand": 1, "Resize": 3}
"""Operators that get the shape of their output, and at which input."""


class ChangeBatchSize(Transformation):
    """Dimension 0 of the inputs becomes `bsize`, and what follows from it in the model.

    The batch size of the model is dimension 0 of its first input; other inputs change if theirs is the same. Constant
    shapes of Reshape, Expand and Resize on the way from these inputs follow. All shapes are inferred again.
    ConfigError for a batch size below 1; ModelError, and the model stays as it is, if the shapes do not fit afterwards.
    """

    def __init__(self, bsize: int) -> None:
        super().__init__()
        if int(bsize) < 1:
            raise ConfigError(f"bsize is {bsize}", remedy="give a positive number")
        self.bsize = int(bsize)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        dynamic = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
        shapes = {name: model.get_tensor_shape(name) for name in dynamic}
        first = shapes[dynamic[0]] if dynamic else None
        if not first:
            raise ModelError("the first input has no batch axis", where=f"input '{dynamic[0] if dynamic else ''}'")
        before = copy.deepcopy(model.graph)
        with model.trusted_index():
            changed = [name for name, shape in shapes.items() if shape and shape[0] == first[0]]
            for name in changed:
                model.set_tensor_shape(name, [self.bsize, *(shapes[name] or [])[1:]])
            idle = idle_nodes(model)
            self._follow(model, changed, first[0])
            remove_idle(model, idle)
        try:
            InferShapes().apply(model)
        except FinnError as error:
            model.graph = before
            raise ModelError(
                f"the model does not run at batch size {self.bsize}",
                why=error.why or error.what,
                remedy="let its Reshape nodes take the batch from their input (dimension 0)",
            ) from error
        return model, False

    def _follow(self, model: ModelWrapper, changed: list[str], old: int) -> None:
        """Adapt the constant shapes on the way from the changed inputs, forget the inferred ones."""
        following = set(changed)
        order = sorted(zip(node_levels(model.graph), model.graph.node, strict=True), key=lambda pair: pair[0])
        for _, node in order:
            if following.isdisjoint(reads(node)):
                continue
            following.update(name for name in node.output if name)
            position = _SHAPE_INPUTS.get(node.op_type)
            if position is not None and not node.domain and len(node.input) > position and node.input[position]:
                self._adapt(model, node, position, old)
        following -= set(changed)
        for info in (*model.graph.value_info, *model.graph.output):
            if info.name in following:
                info.type.tensor_type.ClearField("shape")

    def _adapt(self, model: ModelWrapper, node: NodeProto, position: int, old: int) -> None:
        shape = TensorRef.of(model, node.input[position])
        if not is_fixed(shape):
            return
        new = _scaled(value_of(shape), old, self.bsize)
        if new is not None:
            name = model.unique_tensor_name(f"{shape.name}_batch")
            model.set_initializer(name, new)
            model.set_node_input(node, position, name)


def _scaled(shape: np.ndarray, old: int, new: int) -> np.ndarray | None:
    """The shape for another batch size; None if it may stay.

    Without a -1 the number of elements has to grow with the batch; with one, dimension 0 is the batch if it is `old`.
    """
    first = int(shape[0]) if shape.size else 0
    if old < 1 or old == new or first < 1:
        return None
    whole = not np.any(shape < 0) and first * new % old == 0
    if first != old and not whole:
        return None
    return np.asarray([first * new // old, *shape[1:]], dtype=shape.dtype)
