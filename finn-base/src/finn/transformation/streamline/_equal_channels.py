"""Which channels of a tensor are equal, whatever goes into the network.

A channel is what the ties of a node say that it is made of: the channels of its inputs, and parameters. Two are equal
if these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation._channel_masks import Facts, slots_by_tensor
from finn.transformation._channel_ties import MAPS, MOVING, PRODUCTS, Slot
from finn.transformation.streamline._integer_layers import Layer

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]

SPLITTING = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Several of their channels may come of one; they differ by the place that they come from."""

KNOWN = MAPS | MOVING | PRODUCTS | {"Gather", "Pad"}


class EqualChannels:
    """Numbers of the entries of slots: equal numbers, of whatever tensors, mean equal entries."""

    def __init__(self, model: ModelWrapper, facts: Facts, layers: Mapping[str, Layer]) -> None:
        """facts : on all slots that matter; layers : by their outputs."""
        self.model, self.facts, self.layers = model, facts, layers
        self._ids: dict[Slot, Ids] = {}
        self._count = 0
        by_tensor = slots_by_tensor(facts.slots)
        for node in facts.order:
            for slot in [slot for name in node.output for slot in by_tensor.get(name, ())]:
                self._ids[slot] = self._numbered(self._of(node, slot))

    def representatives(self, slot: Slot) -> Ids:
        """For each entry the first one that is equal."""
        ids = self._known(slot)
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        return np.asarray(first[inverse.reshape(-1)], np.int64)

    def _known(self, slot: Slot) -> Ids:
        if slot not in self._ids:
            size = (self.model.get_tensor_shape(slot[0]) or [])[slot[1]]
            self._ids[slot] = self._numbered(np.arange(size).reshape(-1, 1))
        return self._ids[slot]

    def _numbered(self, keys: Array) -> Ids:
        """New numbers for the rows of `keys`."""
        _, inverse = np.unique(keys, axis=0, return_inverse=True)
        ids = inverse.reshape(-1).astype(np.int64) + self._count
        self._count += len(keys)
        return ids

    def _of(self, node: NodeProto, slot: Slot) -> Array:
        """A row for each entry: equal rows, equal entries. What has no tie is equal to nothing."""
        size = len(self.facts.slots[slot])
        columns = [column for other in self._ties(node, slot) for column in self._columns(node, *other, size)]
        layer = self.layers.get(slot[0])
        if layer is not None and layer.group > 1 and layer.y == slot:
            groups = self._known(layer.x).reshape(layer.group, -1)
            columns.append(np.repeat(_rows(groups), size // layer.group))
        if node.op_type == "Concat" and columns:
            columns = [np.max(columns, axis=0)]  # each part has other entries
        tied = np.any([column >= 0 for column in columns], axis=0) if columns else np.zeros(size, bool)
        return np.stack([np.where(tied, -1, np.arange(size)), *columns], axis=1)

    def _ties(self, node: NodeProto, slot: Slot) -> list[tuple[Slot, Array]]:
        grouped = node.op_type in ("Conv", "ConvTranspose") and slot[0] not in self.layers
        if node.op_type not in KNOWN or grouped:
            return []
        found = {(there, pairs.tobytes()): (there, pairs) for there, pairs in self.facts.ties_at(node, slot)}
        return [(there, pairs) for there, pairs in found.values() if there[0] in node.input]

    def _columns(self, node: NodeProto, other: Slot, pairs: Array, size: int) -> list[Ids]:
        """What is tied to each entry, one column for each of as many ties as all tied entries have; -1 without."""
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        entries, counts = np.unique(pairs[:, 0], return_counts=True)
        if not len(entries) or (counts != counts[0]).any():
            return [np.full(size, -1)]
        ids = self._parameters(node, other) if self.model.has_initializer(other[0]) else self._known(other)
        columns = np.full((counts[0], size), -1, np.int64)
        columns[:, entries] = ids[pairs[:, 1]].reshape(len(entries), -1).T
        if node.op_type in SPLITTING and counts[0] == 1:
            order = np.argsort(pairs[:, 1], kind="stable")
            starts = np.searchsorted(pairs[order, 1], pairs[order, 1])
            places = np.full(size, -1)
            places[pairs[order, 0]] = np.arange(len(order)) - starts
            return [*columns, places]
        return list(columns)

    def _parameters(self, node: NodeProto, slot: Slot) -> Ids:
        """Numbers of the slices of a constant. Weights of equal inputs count by their sum."""
        value = self.model.get_initializer(slot[0])
        layer = self.layers.get(node.output[0])
        if value is None:
            return np.arange(0)
        if layer is None or slot != layer.outer:
            return _rows(np.moveaxis(value, slot[1], 0).reshape(value.shape[slot[1]], -1))
        matrix = layer.matrix(value)
        if layer.group == 1:
            matrix = merged(matrix, self.representatives(layer.x))
        return _rows(matrix.reshape(len(matrix), -1))


def merged(matrix: Array, representatives: Ids) -> Array:
    """Weights (outer, inner, taps) with those of inputs that equal an earlier one added there, and 0 instead."""
    equal = np.flatnonzero(representatives != np.arange(len(representatives)))
    if not len(equal):
        return matrix
    result: Array = matrix.copy()
    for place in equal:
        result[:, representatives[place]] += matrix[:, place]
        result[:, place] = 0
    return result


def _rows(matrix: Array) -> Ids:
    """Numbers of the rows, equal ones of equal rows."""
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(matrix)
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows], np.int64)
