"""Channels that an integer graph need not compute: constant ones, equal ones, and those that nobody uses.

A channel can go where every layer that reads it can do without: since its weights are 0, since what it contributes is
always the same and moves into the thresholds behind the layer, or since its weights can be added to those of an equal
channel. What has to go together (the filter that makes it, its thresholds, the same channel of other branches of an
addition, its places behind a Flatten) is found along the ties of `PruneChannels`. Nothing is changed before it is known
what goes. Results do not change, graph inputs and outputs keep their shapes, every tensor keeps at least one channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.analysis.intervals import Interval
from finn.analysis.ranges import integer_intervals
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import give_unique_parameter_tensors
from finn.transformation._channel_masks import Closure, Facts, Mask, Masks
from finn.transformation._channel_ties import Slot
from finn.transformation.pruning import remove_masked
from finn.transformation.streamline._equal_channels import EqualChannels, merged
from finn.transformation.streamline._integer_layers import Layer, layers_of
from finn.transformation.streamline._removals import Removal, Why
from finn.transformation.streamline._shifts import Shift, apply_shift, shift_behind
from finn.transformation.streamline.narrowing import fit_datatypes, weight_bits

__all__ = [
    "Removal",
    "Round",
    "Why",
    "merge_duplicate_channels",
    "removal_rounds",
    "remove_channels",
    "remove_constant_channels",
    "remove_dead_channels",
]

Ids = npt.NDArray[np.int64]
ALL = frozenset(Why)


def remove_constant_channels(model: ModelWrapper) -> list[Removal]:
    """Remove channels whose range is one value. In place.

    In front of a padded convolution only those that are 0, as the padding is. Declined where a reader of the layer
    behind cannot make up for the constant: that can thresholds and constants that are added.
    """
    return remove_channels(model, {Why.CONSTANT})


def merge_duplicate_channels(model: ModelWrapper) -> list[Removal]:
    """Compute channels with equal inputs, weights and thresholds once. In place.

    The weights that read them are added. Declined where the sums need so many more bits that the layer would have more
    bits of weights than before.
    """
    return remove_channels(model, {Why.DUPLICATE})


def remove_dead_channels(model: ModelWrapper) -> list[Removal]:
    """Remove channels that are only multiplied with 0. In place."""
    return remove_channels(model, {Why.DEAD})


def remove_channels(model: ModelWrapper, kinds: Collection[Why] = ALL) -> list[Removal]:
    """Remove channels of these kinds until there are none. In place. Annotations that became too narrow are widened."""
    rounds = list(removal_rounds(model, kinds))
    if len(rounds) > 1:
        fit_datatypes(model, rounds[-1].intervals)
    return [removal for done in rounds for removal in done.removals]


@dataclass(frozen=True, eq=False)
class Round:
    """removals, masks : of the channels that were removed; shifts : {slot: what its channels lost before that}.

    The last round removes nothing; intervals : of the integers of the graph that is left then, if they were looked at.
    """

    removals: tuple[Removal, ...] = ()
    masks: Masks = field(default_factory=dict)
    shifts: Mapping[Slot, Ids] = field(default_factory=dict)
    intervals: Mapping[str, Interval] | None = None


def removal_rounds(model: ModelWrapper, kinds: Collection[Why]) -> Iterator[Round]:
    """Remove channels, round by round: what is gone may have been the only user of something else.

    Needs shapes and annotations as `streamline` leaves them.
    """
    numbers, done = _Numbers(), Round()
    while kinds:
        with model.trusted_index():
            give_unique_parameter_tensors(model)
            done = _Plan(model, kinds).carry_out(numbers)
        if not done.masks:
            break
        yield done
    yield done


@dataclass(eq=False)
class _Numbers:
    """How the channels that are left were counted at first."""

    left: dict[Slot, Ids] = field(default_factory=dict)
    totals: dict[Slot, int] = field(default_factory=dict)

    def remove(self, slot: Slot, mask: Mask) -> tuple[Ids, int]:
        """The numbers of the channels before these went, and how many there were at first."""
        total = self.totals.setdefault(slot, len(mask))
        numbers = self.left.get(slot, np.arange(len(mask)))
        self.left[slot] = numbers[~mask]
        return numbers, total


@dataclass(eq=False)
class _Claims:
    """How a layer can do without channels of its x: masks over them, no channel in two of them.

    values : of the constant ones; representatives : for each channel itself, or the one that it is merged into.
    """

    layer: Layer
    constant: Mask
    dead: Mask
    values: Ids
    representatives: Ids
    shift: Shift | None = None

    @property
    def duplicate(self) -> Mask:
        return np.asarray(self.representatives != np.arange(len(self.representatives)))

    @property
    def inner(self) -> Mask:
        """By place in the weights: whether all groups can do without."""
        return np.asarray((self.constant | self.dead | self.duplicate).reshape(self.layer.group, -1).all(axis=0))


@dataclass(eq=False)
class _Plan:
    """What can be removed in one round. Only `carry_out` changes the model."""

    model: ModelWrapper
    kinds: Collection[Why]
    layers: list[Layer] = field(init=False)
    intervals: dict[str, Interval] = field(default_factory=dict)
    claims: list[_Claims] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layers = list(layers_of(self.model))
        if Why.CONSTANT in self.kinds:
            self.intervals = integer_intervals(self.model)

    def carry_out(self, numbers: _Numbers) -> Round:
        """Remove what can be removed."""
        closure = Closure(self.model, strict=False)
        everything = closure.spread({layer.outer: self._all(layer.outer) for layer in self.layers})
        equal = None
        if Why.DUPLICATE in self.kinds:
            facts = Facts(self.model, closure, {}, everything, constants=False)
            equal = EqualChannels(self.model, facts, {layer.y[0]: layer for layer in self.layers})
        self.claims = [self._claim(layer, equal) for layer in self.layers if not _is_depthwise(self.model, layer)]
        asked = {claim.layer.inner: claim.inner for claim in self.claims}
        masks = self._removable(closure, Facts(self.model, closure, asked, everything, constants=False))
        if not masks:
            return Round(intervals=self.intervals or None)
        removals = self._explained(closure, masks, numbers)
        shifts = self._make_up(masks)
        remove_masked(self.model, masks)
        return Round(removals, masks, shifts)

    def _all(self, slot: Slot) -> Mask:
        return np.ones((self.model.get_tensor_shape(slot[0]) or [])[slot[1]], bool)

    # --- what can be done without ---

    def _claim(self, layer: Layer, equal: EqualChannels | None) -> _Claims:
        size = (self.model.get_tensor_shape(layer.x[0]) or [])[layer.x[1]]
        nothing, weights = np.zeros(size, bool), self.model.get_initializer(layer.inner[0])
        claim = _Claims(layer, nothing, nothing.copy(), np.zeros(size, np.int64), np.arange(size))
        matrix = layer.matrix(np.asarray(weights))
        if layer.x[0] in self.intervals:
            self._claim_constants(claim, self.intervals[layer.x[0]])
        if equal is not None and layer.group == 1:
            found = equal.representatives(layer.x)
            found[claim.constant | claim.constant[found]] = np.flatnonzero(claim.constant | claim.constant[found])
            claim.representatives = _affordable(matrix, found)
        if Why.DEAD in self.kinds:
            zero = np.tile(~matrix.any(axis=(0, 2)), layer.group)
            zero[claim.representatives[claim.duplicate]] = False  # it gets the weights of others
            claim.dead = zero & ~claim.constant & ~claim.duplicate
        return claim

    def _claim_constants(self, claim: _Claims, x: Interval) -> None:
        layer = claim.layer
        x = x.over([axis for axis in range(x.low.ndim) if axis != layer.x[1]])
        low, high = (np.broadcast_to(bound.reshape(-1), claim.values.shape) for bound in (x.low, x.high))
        found = low == high
        if (found & (low != 0)).any():
            claim.shift = shift_behind(self.model, layer.y) if layer.uniform else None
            if claim.shift is None:
                found &= low == 0
        claim.constant, claim.values = found, np.where(found, low, 0).astype(np.int64)

    def _removable(self, closure: Closure, facts: Facts) -> Masks:
        """What no reader needs, as far as all that it is tied to is not needed either."""
        everything = facts.slots
        kept = {slot: everything[slot] for slot in sorted(closure.mixed)}
        for slot, mask in everything.items():
            if slot not in kept and not self.model.has_initializer(slot[0]):
                fixed = self.model.is_graph_input(slot[0]) or self.model.is_graph_output(slot[0])
                integer = self.model.get_tensor_datatype(slot[0]).is_integer()
                kept[slot] = mask & ~facts.ignored(slot) if integer and not fixed else mask
        while True:
            stays = closure.spread(kept)
            left = {slot: mask & ~stays.get(slot, np.zeros_like(mask)) for slot, mask in everything.items()}
            emptied = [slot for slot, mask in left.items() if mask.all()]
            if not emptied:
                return {slot: mask for slot, mask in left.items() if mask.any()}
            for slot in emptied:
                kept[slot] = np.arange(len(left[slot])) == 0

    # --- doing without ---

    def _explained(self, closure: Closure, masks: Masks, numbers: _Numbers) -> tuple[Removal, ...]:
        """Each filter that goes, with its reason; a constant is called constant whatever else it is."""
        constant = closure.spread(self._gone(masks, lambda claim: claim.constant))
        duplicate = closure.spread(self._gone(masks, lambda claim: claim.duplicate))
        removals = []
        for y in [layer.y for layer in self.layers if layer.y in masks]:
            nothing = np.zeros_like(masks[y])
            is_constant = constant.get(y, nothing)
            is_duplicate = duplicate.get(y, nothing) & ~is_constant
            first, total = numbers.remove(y, masks[y])
            for why, part in zip(Why, (is_constant, is_duplicate, ~is_constant & ~is_duplicate), strict=True):
                if (masks[y] & part).any():
                    removals.append(Removal(y[0], tuple(first[masks[y] & part].tolist()), total, why))
        return tuple(removals)

    def _gone(self, masks: Masks, part: Callable[[_Claims], Mask]) -> Masks:
        """The channels of x that are removed, as far as they are in this part of the claims of some layer."""
        found: Masks = {}
        for claim in self.claims:
            x = claim.layer.x
            if x in masks:
                found[x] = found.get(x, np.zeros_like(masks[x])) | (masks[x] & part(claim))
        return found

    def _make_up(self, masks: Masks) -> dict[Slot, Ids]:
        """Move constants into what is behind the layers, and weights to equal channels. Completes `masks`."""
        shifts: dict[Slot, Ids] = {}
        for claim in self.claims:
            layer, gone = claim.layer, masks.get(claim.layer.x)
            if gone is None:
                continue
            weights = np.asarray(self.model.get_initializer(layer.inner[0]))
            amount = _contribution(layer, weights, np.where(gone, claim.values, 0))
            if claim.shift is not None and amount.any():
                for slot, sign in claim.shift.passed.items():
                    shifts[slot] = shifts.get(slot, np.zeros_like(amount)) + sign * amount
                for slot, like in apply_shift(self.model, claim.shift, amount, self.intervals):
                    if like in masks:
                        masks[slot] = masks[like]
            moved = np.where(gone, claim.representatives, np.arange(len(gone)))
            if (moved != np.arange(len(gone))).any():
                new = layer.from_matrix(merged(layer.matrix(weights), moved), weights)
                self.model.set_initializer(layer.inner[0], new)
        return shifts


def _is_depthwise(model: ModelWrapper, layer: Layer) -> bool:
    """One channel per group: it goes with its outputs, and no sum is left that could do without it."""
    return layer.group > 1 and (model.get_tensor_shape(layer.inner[0]) or [])[layer.inner[1]] == 1


def _contribution(layer: Layer, weights: Any, values: Ids) -> Ids:
    """What channels with these values add to each channel of y."""
    matrix = layer.matrix(weights)
    by_group = values.reshape(layer.group, -1)
    used = np.flatnonzero(by_group.any(axis=0))
    sums = matrix[:, used].sum(axis=2, dtype=np.float64).astype(np.int64)
    of_outputs = np.repeat(by_group[:, used], len(matrix) // layer.group, axis=0)
    return np.asarray((sums * of_outputs).sum(axis=1), np.int64)


def _affordable(matrix: Any, representatives: Ids) -> Ids:
    """Those that can be merged without more bits of weights: all of them, or those that leave the type as it is."""
    places = np.arange(len(representatives))
    equal = np.flatnonzero(representatives != places)
    if not len(equal):
        return representatives
    bits, rows = weight_bits(matrix), len(places)
    wide = weight_bits(merged(matrix, representatives)[:, representatives == places])
    if wide * (rows - len(equal)) <= bits * rows:
        return representatives
    chosen: Ids = places.copy()
    sums = matrix.copy()
    low, high = matrix.min(), matrix.max()
    bipolar = bits == 1 and low == -1
    for place in equal:
        total = sums[:, representatives[place]] + matrix[:, place]
        if not bipolar and low <= total.min() and total.max() <= high:
            chosen[place], sums[:, representatives[place]] = representatives[place], total
    return chosen
