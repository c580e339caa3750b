"""The least sum of costs that each depend on a few discrete variables, by eliminating one variable after the other.

Exact, in time and memory of the largest table on the way: the product of the numbers of values of a variable and its
neighbours (nonserial dynamic programming, Bertele and Brioschi 1972). Chains have tables of two variables, networks
with forks and joins of three or four. Knows nothing of hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Scope = tuple[int, ...]

MOST_ENTRIES = 1 << 23
"""Of a table; beyond that, variables lose values."""


@dataclass(frozen=True)
class Minimum:
    """The value of each variable and the sum; exact : no values were left out of the search."""

    values: tuple[int, ...]
    cost: float
    exact: bool


@dataclass(frozen=True)
class CostGraph:
    """Variables with values 0 to size - 1, and which of them each cost depends on."""

    sizes: tuple[int, ...]
    scopes: tuple[Scope, ...]
    most_entries: int = MOST_ENTRIES

    @cached_property
    def order(self) -> tuple[tuple[int, Scope], ...]:
        """In which order to eliminate, each with its neighbours then: greedily, the smallest table first."""
        near: dict[int, set[int]] = {v: set() for v in range(len(self.sizes))}
        for scope in self.scopes:
            for v in scope:
                near[v].update(u for u in scope if u != v)
        entries = {v: self._entries(v, around) for v, around in near.items()}
        order = []
        while near:
            v = min(entries, key=lambda v: (entries[v], v))
            around = near.pop(v)
            del entries[v]
            for u in around:
                near[u] |= around
                near[u] -= {u, v}
                entries[u] = self._entries(u, near[u])
            order.append((v, tuple(sorted(around))))
        return tuple(order)

    def _entries(self, v: int, around: set[int]) -> int:
        return self.sizes[v] * prod(self.sizes[u] for u in around)

    def minimum(self, tables: Sequence[FloatArray]) -> Minimum | None:
        """The least sum of `tables`, one per scope with an axis per variable; inf is illegal. None if nothing is legal.

        Where a table would have more than `most_entries`, its variable with the most values keeps those half that look
        cheapest on their own, again and again: then the result may not be the least, or not be found.
        """
        kept = self._kept(tables)
        exact = all(len(k) == size for k, size in zip(kept, self.sizes, strict=True))
        if not exact:
            tables = [t[np.ix_(*(kept[v] for v in s))] for s, t in zip(self.scopes, tables, strict=True)]
        live: list[set[int]] = [set() for _ in self.sizes]
        costs = dict(enumerate(zip(self.scopes, tables, strict=True)))
        for key, (scope, _) in costs.items():
            for v in scope:
                live[v].add(key)
        least, choices = 0.0, []
        for number, (v, around) in enumerate(self.order, len(costs)):
            total = _sum([costs.pop(key) for key in sorted(live[v])], (*around, v))
            choices.append((v, around, total.argmin(-1)))
            gone = set(live[v])
            for u in around:
                live[u] = (live[u] - gone) | {number}
            if around:
                costs[number] = around, total.min(-1)
            else:
                least += float(total.min())
        if np.isinf(least):
            return None
        values = [0] * len(self.sizes)
        for v, around, choice in reversed(choices):
            values[v] = int(choice[tuple(values[u] for u in around)])
        return Minimum(tuple(int(kept[v][x]) for v, x in enumerate(values)), least, exact)

    def _kept(self, tables: Sequence[FloatArray]) -> list[IntArray]:
        """The values of each variable that fit into the tables: all, if they can."""
        kept = [np.arange(size) for size in self.sizes]
        for v, around in self.order:
            while prod(len(kept[u]) for u in (v, *around)) > self.most_entries:
                u = max((v, *around), key=lambda u: len(kept[u]))
                bounds = [_bound(s, t, u) for s, t in zip(self.scopes, tables, strict=True) if u in s]
                bound = np.sum([np.zeros(self.sizes[u]), *bounds], axis=0)
                cheapest = np.argsort(bound[kept[u]], kind="stable")[: len(kept[u]) // 2]
                kept[u] = kept[u][np.sort(cheapest)]
        return kept


def _bound(scope: Scope, table: FloatArray, v: int) -> FloatArray:
    """Of each value of `v`, the least cost."""
    return np.asarray(table.min(tuple(axis for axis, u in enumerate(scope) if u != v)))


def _sum(costs: list[tuple[Scope, FloatArray]], axes: Scope) -> FloatArray:
    """Their sum with these axes, which are all that they have."""
    total = np.zeros((1,) * len(axes))
    for scope, table in costs:
        order = sorted(range(len(scope)), key=lambda axis: axes.index(scope[axis]))
        sizes = {v: size for v, size in zip(scope, table.shape, strict=True)}
        total = total + table.transpose(order).reshape([sizes.get(v, 1) for v in axes])
    return total
