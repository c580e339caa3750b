"""The ways to build one layer: its foldings, what each costs with each choice of memories. Knows no layer by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from finn.dataflow.layer import IntArray, Layer, LayerError, Resources, Role, Stream, divisors

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

KINDS = ("LUT", "BRAM_18K", "URAM", "DSP")
"""The resources that are counted, in the order of the vectors here."""

AREA: FloatArray = np.array([Resources(**{kind: 1}).area for kind in KINDS], float)
"""Prices that make the cost of `Resources` its area."""


def counts(resources: Resources) -> FloatArray:
    """As a vector."""
    return np.array([getattr(resources, kind) for kind in KINDS], float)


def resources_of(vector: FloatArray) -> Resources:
    """The inverse of `counts`."""
    return Resources(**{kind: round(n) for kind, n in zip(KINDS, vector.tolist(), strict=True)})


@dataclass(frozen=True)
class Prices:
    """Cost per unit of each of KINDS. forbidden : kinds of which nothing may be used."""

    per_unit: FloatArray
    forbidden: BoolArray

    def cost(self, used: FloatArray) -> FloatArray:
        """Of vectors along the last axis; inf if they are inf, or if a kind is used that is forbidden."""
        illegal = np.isinf(used).any(-1) | (used[..., self.forbidden] > 0).any(-1)
        return np.where(illegal, np.inf, np.where(np.isinf(used), 0, used) @ self.per_unit)


BY_AREA = Prices(AREA, np.zeros(len(KINDS), np.bool_))


class Candidates:
    """All legal foldings of a layer, the fastest first, on streams of at most `stream_width_max` bits if any is.

    folds : else the present folding is the only one. Resources are for `part`, and estimated when they are asked for.
    """

    def __init__(self, layer: Layer, part: str | None, stream_width_max: int, folds: bool = True) -> None:
        found = sorted(_foldings(layer) if folds else [layer], key=lambda c: c.cycles)
        widths = [max(s.width for s in (*c.inputs, *c.outputs)) for c in found]
        limit = max(stream_width_max, min(widths))
        self.layers: tuple[Layer, ...] = tuple(c for c, width in zip(found, widths, strict=True) if width <= limit)
        self.cycles: IntArray = np.array([c.cycles for c in self.layers])
        self.parameter_width: IntArray = np.array([c.parameter_width for c in self.layers])
        self._part = part
        self._memories = _memories(layer)
        self._used = np.full((len(self.layers), len(self._memories), len(KINDS)), np.nan)

    @cached_property
    def streams(self) -> tuple[tuple[Stream, ...], ...]:
        """Inputs, then outputs, of each candidate."""
        return tuple((*c.inputs, *c.outputs) for c in self.layers)

    def within(self, cycles: int, width: int) -> BoolArray:
        """Those as fast; of them, those that read no more bits of parameters per output and cycle, if there are any."""
        fast = self.cycles <= cycles
        narrow = fast & (self.parameter_width <= width)
        return narrow if narrow.any() else fast

    def costs(self, wanted: BoolArray, prices: Prices) -> tuple[FloatArray, IntArray]:
        """Of each candidate with its cheapest memories, inf if it is not wanted; and which choice of memories that is.

        Of equal ones the first, which leaves the choice of the memory to the layer.
        """
        for k in np.flatnonzero(wanted & np.isnan(self._used[:, 0, 0])).tolist():
            self._used[k] = [self._counted(k, m) for m in range(len(self._memories))]
        found = np.full(self._used.shape[:2], np.inf)
        found[wanted] = prices.cost(self._used[wanted])
        return found.min(1), found.argmin(1)

    def chosen(self, k: int, memories: int) -> tuple[Layer, FloatArray]:
        """A candidate with a choice of memories, and what it uses."""
        return self._with(k, memories), self._used[k, memories]

    def _counted(self, k: int, memories: int) -> FloatArray:
        """Inf if the layer does not accept the choice."""
        try:
            return counts(self._with(k, memories).resources(self._part))
        except LayerError:
            return np.full(len(KINDS), np.inf)

    def _with(self, k: int, memories: int) -> Layer:
        choice = self._memories[memories]
        return self.layers[k].with_config(**choice) if choice else self.layers[k]


def _foldings(layer: Layer) -> Iterator[Layer]:
    """Those that the layer accepts."""
    choices = {name: tuple(divisors(getattr(layer, of))) for name, of in layer.foldings().items()}
    choices |= layer.options(Role.FOLDING)
    for values in product(*choices.values()):
        try:
            yield layer.with_config(**dict(zip(choices, values, strict=True)))
        except LayerError:  # options and factors that do not go together
            continue


def _memories(layer: Layer) -> list[dict[str, object]]:
    choices = layer.options(Role.MEMORY)
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
