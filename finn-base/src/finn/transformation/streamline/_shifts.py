"""Constants that are taken out of a tensor and put into the thresholds and biases behind it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.intervals import Interval, along
from finn.core.data_layout import channel_axis
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._channel_ties import Slot
from finn.transformation.streamline._levels import rounded_up

IntArray = npt.NDArray[np.int64]
PASSING = frozenset({"Identity", "Cast", "MaxPool"})
"""f(x + d) == f(x) + d for one number d per channel."""


@dataclass(frozen=True, eq=False)
class Shift:
    """How to make up for it if `slot` loses one number per channel.

    ends : (node, position of its constant, sign) that the numbers are added to; passed : {slot: sign} of the tensors
    that lose them too, or gain them if the sign is negative.
    """

    slot: Slot
    ends: tuple[tuple[NodeProto, int, int], ...]
    passed: Mapping[Slot, int]


def shift_behind(model: ModelWrapper, slot: Slot) -> Shift | None:
    """The way to shift the channels of this slot. None if a reader cannot make up for it."""
    search = _Search(model)
    return Shift(slot, tuple(search.ends), search.passed) if search.visit(slot, 1) else None


@dataclass
class _Search:
    model: ModelWrapper
    ends: list[tuple[NodeProto, int, int]] = field(default_factory=list)
    passed: dict[Slot, int] = field(default_factory=dict)

    def visit(self, slot: Slot, sign: int) -> bool:
        """Look at all readers. Where branches meet again it is given up."""
        if slot in self.passed or self.model.is_graph_output(slot[0]):
            return False
        self.passed[slot] = sign
        return all(self._reader(node, slot, sign) for node in self.model.find_consumers(slot[0]))

    def _reader(self, node: NodeProto, slot: Slot, sign: int) -> bool:
        shape = self.model.get_tensor_shape(slot[0]) or []
        if list(node.input).count(slot[0]) != 1 or not self.model.get_tensor_datatype(node.output[0]).is_integer():
            return False
        if node.op_type == "MultiThreshold":
            layout = next((a.s.decode() for a in node.attribute if a.name == "data_layout"), "NCHW")
            self.ends.append((node, 1, -sign))
            return self.model.has_initializer(node.input[1]) and channel_axis(layout, len(shape)) == slot[1]
        if node.op_type in PASSING:
            return len(node.output) == 1 and self.visit((node.output[0], slot[1]), sign)
        if node.op_type in ("Add", "Sub"):
            return self.model.get_tensor_shape(node.output[0]) == shape and self._sum(node, slot, sign)
        return False

    def _sum(self, node: NodeProto, slot: Slot, sign: int) -> bool:
        position = list(node.input).index(slot[0])
        turned = node.op_type == "Sub" and position == 1
        if self.model.has_initializer(node.input[1 - position]):
            self.ends.append((node, 1 - position, -sign if node.op_type == "Sub" else sign))
            return True
        return self.visit((node.output[0], slot[1]), -sign if turned else sign)


def apply_shift(
    model: ModelWrapper, shift: Shift, amount: IntArray, intervals: MutableMapping[str, Interval]
) -> list[tuple[Slot, Slot]]:
    """Let the tensors lose `amount`, one number per channel, and the constants make up for it.

    intervals : of the tensors; they are moved, too. Returns (slot of a constant, slot of the tensor) where a constant
    that held for all channels has become one per channel.
    """
    grown = []
    for node, position, sign in shift.ends:
        name = node.input[position]
        old = np.asarray(model.get_initializer(name))
        change = sign * amount
        if node.op_type == "MultiThreshold":
            new, axis = _thresholds(old, change, intervals.get(node.input[0]), shift.slot[1]), 0
        else:
            behind = len(model.get_tensor_shape(node.output[0]) or ()) - shift.slot[1]  # axes, from the channels on
            new = old.astype(np.float64) + change.reshape([-1] + [1] * (behind - 1))
            axis = new.ndim - behind
        model.set_initializer(name, rounded_up(new, old.dtype))
        if new.shape != old.shape:
            grown.append(((name, axis), (node.output[0], shift.slot[1])))
    for (name, axis), sign in shift.passed.items():
        if (x := intervals.get(name)) is not None:
            moved = along(sign * amount, axis, x.low.ndim)
            intervals[name] = Interval(x.low - moved, x.high - moved)
    return grown


def _thresholds(old: Any, change: IntArray, x: Interval | None, axis: int) -> Any:
    """Moved, and no further than the range of what they are compared with: beyond it all are alike."""
    if (change == change[0]).all():
        change = change[:1]
    new = np.ceil(old.astype(np.float64)) + change.reshape(-1, 1)
    if x is None:
        return new
    bounds = x.over([i for i in range(x.low.ndim) if i != axis])
    low, high = (bound.reshape(-1, 1) + change.reshape(-1, 1) for bound in (bounds.low, bounds.high))
    if len(new) == 1:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return np.clip(new, low, high + 1)
