"""Several transformations as one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.remove import RemoveIdentityOps

_MAX_ROUNDS = 100


class ComposedTransformation(Transformation):
    """Apply transformations in turn, each until it reports no change, and all of them until none does.

    After each one that changed the graph follow clean-up, RemoveIdentityOps, unique node and readable tensor names, and
    shape and data type inference. ModelError that names those that still report changes if they undo each other, or
    report changes without making any, so that the graph comes out as it was after an earlier round, or if they have
    not settled after 100 rounds.
    """

    def __init__(self, transformations: Sequence[Transformation]) -> None:
        self.transformations = list(transformations)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return settle(model, self.transformations)[0], False


def settle(model: ModelWrapper, transformations: Sequence[Transformation]) -> tuple[ModelWrapper, bool]:
    """What `ComposedTransformation` does, in place. Returns the model and whether one reported a change."""
    seen = {_digest(model)}
    changed = False
    reason = f"changes after {_MAX_ROUNDS} rounds"
    for _ in range(_MAX_ROUNDS):
        restless = []
        for transformation in transformations:
            model, reported = _exhaust(model, transformation)
            if reported:
                restless.append(type(transformation).__name__)
        if not restless:
            return model, changed
        changed = True
        digest = _digest(model)
        if digest in seen:
            reason = "the graph is again what it was before"
            break
        seen.add(digest)
    raise ModelError(
        f"these transformations do not settle together: {', '.join(dict.fromkeys(restless))}",
        why=reason,
        remedy="apply those that undo each other one after the other",
    )


def _exhaust(model: ModelWrapper, transformation: Transformation) -> tuple[ModelWrapper, bool]:
    """Apply one transformation until it reports no change, and tidy up if it made one."""
    if isinstance(transformation, ComposedTransformation):
        return settle(model, transformation.transformations)
    before = _digest(model, with_constants=False)
    model, reported = transformation.apply(model)
    model = model.transform(transformation, make_deepcopy=False) if reported else model.cleanup()
    if reported or _digest(model, with_constants=False) != before:
        for step in _TIDY:
            model = model.transform(step, make_deepcopy=False)
    return model, reported


def _digest(model: ModelWrapper, with_constants: bool = True) -> bytes:
    """Identifies the graph, piece by piece: a whole model may exceed protobuf's 2 GiB."""
    digest = hashlib.blake2b()
    graph = model.graph
    parts: list[Any] = [graph.node, graph.input, graph.output, graph.value_info, graph.quantization_annotation]
    for part in [*parts, graph.initializer] if with_constants else parts:
        digest.update(b"%d|" % len(part))
        for message in part:
            data = message.SerializeToString(deterministic=True)
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.digest()


_TIDY = (RemoveIdentityOps(), GiveUniqueNodeNames(), GiveReadableTensorNames(), InferShapes(), InferDataTypes())
