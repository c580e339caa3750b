"""Masks: which entries of which axes are to be removed, and what else has to go with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper

from finn.core.errors import ConfigError, ModelError, UnsupportedError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_node
from finn.core.tidy import describe, node_levels
from finn.transformation._channel_ties import MAPS, MOVING, PRODUCTS, Slot, Tie, Touch, View, ties_of

Mask = npt.NDArray[np.bool_]
Masks = dict[Slot, Mask]
"""A boolean for each entry of an axis of a tensor: whether it is to be removed."""

Spec = Mapping[str, Mapping[int, Any]]


def checked_masks(model: ModelWrapper, spec: Spec) -> Masks:
    """{tensor: {axis: channels}} as masks. ConfigError for a tensor, axis or channel that does not exist."""
    masks: Masks = {}
    names = model.get_all_tensor_names()
    known = set(names)
    for name, axes in spec.items():
        if name not in known:
            raise ConfigError(f"there is no tensor '{name}' to prune", remedy=nearest(name, names))
        shape = model.get_tensor_shape(name)
        if shape is None:
            raise ModelError("its shape is not known", where=f"tensor '{name}'", remedy="apply InferShapes first")
        for axis, channels in axes.items():
            if not -len(shape) <= axis < len(shape):
                raise ConfigError(f"it has no axis {axis}", where=f"tensor '{name}' of shape {shape}")
            mask = masks.setdefault((name, axis % len(shape)), np.zeros(shape[axis], bool))
            for channel in channels:
                if not 0 <= channel < shape[axis]:
                    raise ConfigError(
                        f"axis {axis} has no channel {channel}", where=f"tensor '{name}' of shape {shape}"
                    )
                mask[channel] = True
    return {slot: mask for slot, mask in masks.items() if mask.any()}


def as_spec(masks: Masks) -> dict[str, dict[int, set[int]]]:
    """The inverse of `checked_masks`."""
    spec: dict[str, dict[int, set[int]]] = {}
    for (name, axis), mask in masks.items():
        spec.setdefault(name, {})[axis] = set(np.flatnonzero(mask).tolist())
    return spec


def slots_by_tensor(slots: Iterable[Slot]) -> dict[str, list[Slot]]:
    """The slots of each tensor."""
    found: dict[str, list[Slot]] = {}
    for slot in slots:
        found.setdefault(slot[0], []).append(slot)
    return found


class Closure:
    """What has to be removed together, found by walking along the ties from what is asked for.

    The ties of a node are made when its first slot is touched, and stay. strict=False: what a node mixes is noted in
    `mixed`, and is no error.
    """

    def __init__(self, model: ModelWrapper, strict: bool = True) -> None:
        self.model, self.strict = model, strict
        self.mixed: set[Slot] = set()
        self._ties: dict[int, list[Tie]] = {}
        self.nodes: dict[int, NodeProto] = {}

    def ties(self, node: NodeProto, touch: Touch) -> list[Tie]:
        """The ties of a node. UnsupportedError if the touched slot has none."""
        if id(node) not in self._ties:
            self._ties[id(node)] = ties_of(self.model, node, touch)
            self.nodes[id(node)] = node
        ties = self._ties[id(node)]
        if not any(touch.slot in (tie.a, tie.b) for tie in ties):
            self.mixed.add(touch.slot)
            if not self.strict:
                return []
            name, axis = touch.slot
            raise UnsupportedError(
                f"entries of axis {axis} of '{name}' cannot be removed here",
                where=f"node {describe(node)}",
                why=f"{node.op_type} mixes them, or it is not known what it does with them",
                remedy="prune other channels, or lower the node to operators that are known first",
            )
        return ties

    def known_ties(self, node: NodeProto) -> list[Tie]:
        return self._ties[id(node)]

    def spread(self, seeds: Masks) -> Masks:
        """Everything that goes with `seeds`, themselves included, whatever their order."""
        masks = {slot: seeds[slot].copy() for slot in sorted(seeds) if seeds[slot].any()}
        waiting = deque(masks)
        while waiting:
            slot = waiting.popleft()
            for node in self._around(slot[0]):
                for tie in self.ties(node, Touch(slot, masks[slot])):
                    waiting.extend(self._follow(tie, slot, masks))
        return {slot: mask for slot, mask in masks.items() if mask.any()}

    def _around(self, tensor: str) -> list[NodeProto]:
        producer = self.model.find_producer(tensor)
        nodes = [] if producer is None else [producer]
        return nodes + list({id(node): node for node in self.model.find_consumers(tensor)}.values())

    def _follow(self, tie: Tie, slot: Slot, masks: Masks) -> list[Slot]:
        """Spread along one tie. Returns the slots that have gained."""
        gained = []
        for here, there, column in ((tie.a, tie.b, 0), (tie.b, tie.a, 1)):
            if here != slot:
                continue
            target = masks.setdefault(there, np.zeros((self.model.get_tensor_shape(there[0]) or [])[there[1]], bool))
            count = int(target.sum())
            target[tie.pairs[masks[here][tie.pairs[:, column]], 1 - column]] = True
            if int(target.sum()) > count:
                gained.append(there)
        return gained


def require_some_left(masks: Masks) -> None:
    """ModelError if an axis would lose all that it has."""
    for (name, axis), mask in masks.items():
        if mask.all():
            raise ModelError(f"no channel of axis {axis} would be left", where=f"tensor '{name}'")


def lossless(model: ModelWrapper, closure: Closure, asked: Masks, everything: Masks) -> Masks:
    """The part of `everything` that can go without a change of results, if what is asked for is zero.

    That is what is zero, or ignored by all that read it, together with all that it is tied to. Graph inputs and outputs
    stay as they are unless they are asked for themselves.
    """
    facts = Facts(model, closure, asked, everything)
    kept: Masks = {}
    for slot, mask in everything.items():
        name = slot[0]
        if model.has_initializer(name):
            continue
        removable = facts.zero[slot] | facts.ignored(slot)
        if model.is_graph_input(name) or model.is_graph_output(name):
            removable = asked.get(slot, np.zeros_like(mask))
        kept[slot] = mask & ~removable
    stays = closure.spread(kept)
    left = {slot: mask & ~stays.get(slot, np.zeros_like(mask)) for slot, mask in everything.items()}
    return {slot: mask for slot, mask in left.items() if mask.any()}


class Facts:
    """What is known to be zero, from the constants and what is asked for on to the outputs, and what nobody reads.

    constants=False: the zeros in the constants do not count, only what is asked for.
    """

    def __init__(
        self, model: ModelWrapper, closure: Closure, asked: Masks, slots: Masks, constants: bool = True
    ) -> None:
        self.model, self.closure, self.asked, self.slots = model, closure, asked, slots
        self.zero: Masks = {slot: self._given(slot, mask, constants) for slot, mask in slots.items()}
        levels = {id(n): i for n, i in zip(model.graph.node, node_levels(model.graph), strict=True)}
        self.order = sorted(closure.nodes.values(), key=lambda node: levels[id(node)])
        self._ignored: Masks = {}
        by_tensor = slots_by_tensor(slots)
        made = [(node, slot) for node in self.order for name in node.output for slot in by_tensor.get(name, ())]
        for node, slot in made:
            self.zero[slot] |= self._made_zero(node, slot)
        for _, slot in reversed(made):
            self._ignored[slot] = self._by_all_readers(slot)

    def ignored(self, slot: Slot) -> Mask:
        """Entries whose value does not matter to any reader."""
        return self._ignored[slot] if slot in self._ignored else self._by_all_readers(slot)

    def _given(self, slot: Slot, mask: np.ndarray, constants: bool) -> Mask:
        zero: Mask = self.asked.get(slot, np.zeros_like(mask)).copy()
        value = self.model.get_initializer(slot[0]) if constants else None
        if value is not None:
            zero |= ~np.any(np.moveaxis(value, slot[1], 0).reshape(len(mask), -1), axis=1)
        return zero

    def _made_zero(self, node: NodeProto, slot: Slot) -> Mask:
        """Entries of an output that are zero since inputs are."""
        by_input: dict[str, Mask] = {}
        for there, pairs in self.ties_at(node, slot):
            if there[0] in node.input:
                some = np.bincount(pairs[~self.zero[there][pairs[:, 1]], 0], minlength=len(self.slots[slot]))
                reached = np.isin(np.arange(len(some)), pairs[:, 0])
                before = by_input.get(there[0], np.zeros_like(reached))  # Concat may read a tensor twice
                by_input[there[0]] = before | ((some == 0) & reached)
        nothing = np.zeros(len(self.slots[slot]), bool)
        if node.op_type in PRODUCTS:
            bias = [name for name in node.input[2:3] if name and node.op_type != "Mul"]
            factors = [zero for name, zero in by_input.items() if name not in bias]
            return _any(nothing, *factors) & self._no_bias(bias, by_input, nothing)
        moves = node.op_type in MOVING or (node.op_type == "Pad" and self._pads_with_zero(node))
        if moves and by_input:
            # The parts of a Concat reach different entries of the whole.
            return _any(*by_input.values())
        if node.op_type in MAPS:
            return self._mapped_to_zero(node, slot, by_input, nothing)
        return nothing

    def _pads_with_zero(self, node: NodeProto) -> bool:
        view = View(self.model, node)
        value = view.constant(2) if len(node.input) > 2 and node.input[2] else view.attributes.get("value", 0.0)
        return view.text("mode", "constant") != "constant" or (value is not None and not np.any(value))

    def _no_bias(self, bias: list[str], by_input: dict[str, Mask], nothing: Mask) -> Mask:
        if not bias:
            return ~nothing
        value = self.model.get_initializer(bias[0])
        return ~nothing if value is not None and not np.any(value) else by_input.get(bias[0], nothing)

    def ties_at(self, node: NodeProto, slot: Slot) -> list[tuple[Slot, np.ndarray]]:
        """(the other slot, pairs with `slot` first) for each tie with another tensor."""
        found = []
        for tie in self.closure.known_ties(node):
            for here, there, pairs in ((tie.a, tie.b, tie.pairs), (tie.b, tie.a, tie.pairs[:, ::-1])):
                if here == slot and there[0] != slot[0] and there in self.slots:
                    found.append((there, pairs))
        return found

    def _mapped_to_zero(self, node: NodeProto, slot: Slot, by_input: dict[str, Mask], nothing: Mask) -> Mask:
        """Run the node on zeros, where all computed inputs are zero."""
        computed = [name for name in dict.fromkeys(node.input) if name and not self.model.has_initializer(name)]
        if not all(name in by_input for name in computed):
            return nothing
        context: dict[str, np.ndarray] = {}
        axes = {there[0]: there[1] for there, _ in self.ties_at(node, slot)}
        for name in filter(None, node.input):
            value = self.model.get_initializer(name)
            context[name] = self._zeros(name, axes[name]) if value is None else self._without_asked(name, value)
        opset = View(self.model, node).opset
        execute_node(node, context, self.model.graph, opset)
        result = np.moveaxis(context[slot[0]], slot[1], 0)
        made = ~np.any(result.reshape(len(result), -1), axis=1)
        return _all(made, *(by_input[name] for name in computed))

    def _zeros(self, name: str, axis: int) -> Mask:
        shape = self.model.get_tensor_shape(name) or []
        kind = self.model.get_tensor_elem_type(name) or TensorProto.FLOAT
        channels = {axis, 1, len(shape) - 1}  # constants may vary along either axis of the channels
        small = [size if i in channels else 1 for i, size in enumerate(shape)]
        return np.zeros(small, helper.tensor_dtype_to_np_dtype(kind))

    def _without_asked(self, name: str, value: np.ndarray) -> Mask:
        """What is asked for counts as zero, whatever is there."""
        value = value.copy()
        for (tensor, axis), mask in self.asked.items():
            if tensor == name:
                np.moveaxis(value, axis, 0)[mask] = 0
        return value

    def _by_all_readers(self, slot: Slot) -> Mask:
        if self.model.is_graph_output(slot[0]):
            return np.zeros(len(self.slots[slot]), bool)
        readers = {id(node): node for node in self.model.find_consumers(slot[0])}.values()
        start = np.ones(len(self.slots[slot]), bool)
        return _all(start, *(self._by(node, slot) for node in readers))

    def _by(self, node: NodeProto, slot: Slot) -> Mask:
        """Entries that `node` ignores: what it makes of them is ignored, or a zero is multiplied with them."""
        size = len(self.slots[slot])
        ignored = np.zeros(size, bool)
        if not any(self.model.find_consumers(n) or self.model.is_graph_output(n) for n in node.output if n):
            return ~ignored
        squares = list(node.input).count(slot[0]) > 1 and any(tie.sums for tie in self.closure.known_ties(node))
        if slot[0] not in node.input or squares:
            return ignored
        outputs = np.zeros(size, int)
        reached = np.zeros(size, bool)
        for there, pairs in self.ties_at(node, slot):
            if there[0] in node.output:
                np.add.at(outputs, pairs[:, 0], ~self._unread(node, there)[pairs[:, 1]])
                reached[pairs[:, 0]] = True
        ignored |= reached & (outputs == 0)
        for tie in self.closure.known_ties(node):
            for here, there, pairs in ((tie.a, tie.b, tie.pairs), (tie.b, tie.a, tie.pairs[:, ::-1])):
                if tie.sums and here == slot and there in self.slots:
                    partner = np.ones(size, bool)
                    np.logical_and.at(partner, pairs[:, 0], self.zero[there][pairs[:, 1]])
                    ignored |= partner & np.isin(np.arange(size), pairs[:, 0])
        return ignored

    def _unread(self, node: NodeProto, output: Slot) -> Mask:
        """Entries of an output that are ignored, or zero whatever the input in question is."""
        fixed = self.asked.get(output, np.zeros(len(self.slots[output]), bool))
        return self.ignored(output) | (fixed | self.zero[output] if node.op_type in PRODUCTS else fixed)


def _all(*masks: Mask) -> Mask:
    return np.asarray(np.all(masks, axis=0), bool)


def _any(*masks: Mask) -> Mask:
    return np.asarray(np.any(masks, axis=0), bool)
