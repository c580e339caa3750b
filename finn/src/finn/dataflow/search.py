"""Foldings for a target, for a budget, and between: which question to ask the optimizer, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from finn.core.errors import FinnError
from finn.dataflow.candidates import BY_AREA, KINDS, BoolArray, FloatArray, Prices, counts
from finn.dataflow.graph import DataflowError
from finn.dataflow.layer import Resources
from finn.dataflow.optimizer import FoldingProblem, Solution

ROUNDS = 20
"""Changes of prices before a budget counts as too small."""

SLACK = 1e-9
"""Of shares of a budget, for rounding."""


class BudgetError(FinnError):
    """No folding fits into the given resources."""


@dataclass(frozen=True)
class _Budget:
    """have : of KINDS."""

    have: FloatArray

    @property
    def missing(self) -> BoolArray:
        return self.have <= 0

    def prices(self, weights: FloatArray) -> Prices:
        """`weights` per share of the budget."""
        return Prices(np.where(self.missing, 0.0, weights / np.where(self.missing, 1.0, self.have)), self.missing)

    def shares(self, used: FloatArray) -> FloatArray:
        """Of what there is, along the last axis."""
        return np.where(self.missing, 0.0, used / np.where(self.missing, 1.0, self.have))


def cheapest(problem: FoldingProblem, target_cycles: int) -> Solution:
    """The least area for a target, or for the least cycles per frame that can be reached.

    Raises DataflowError if no folding is legal.
    """
    goal = max(target_cycles, int(problem.cycles[0]))
    found = problem.solve(goal, BY_AREA) or problem.solve(problem.fastest(goal), BY_AREA)
    if found is None:
        raise DataflowError(
            "no folding of the layers is legal",
            why="some layers want streams that their neighbours cannot send",
            remedy="correct the layers' orders and sizes",
        )
    return found


def fastest_within(problem: FoldingProblem, budget: Resources) -> Solution:
    """The fewest cycles per frame for which a folding is found that fits, then the least area if that fits, too.

    Raises BudgetError if none fits.
    """
    limits = _Budget(counts(budget))
    goals, low = problem.cycles.tolist(), 0
    high, best = len(goals), None
    while low < high:
        middle = (low + high) // 2
        found = _fitting(problem, goals[middle], limits)
        if found is None:
            low = middle + 1
        else:
            # It may be faster than was asked for.
            high, best = int(np.searchsorted(problem.cycles, found.cycles)), found
    if best is None:
        raise _too_small(problem, goals[-1], budget)
    small = problem.solve(best.cycles, Prices(BY_AREA.per_unit, limits.missing))
    return small if small is not None and limits.shares(small.used).max() <= 1 else best


def _fitting(problem: FoldingProblem, cycles: int, limits: _Budget) -> Solution | None:
    """A folding that fits; None if there is none, or if none was found.

    At any prices, a folding that fits costs no more than the whole budget; so if the cheapest does, none fits. The next
    prices are those at which all that was found before costs the most (Lagrangian dual by cutting planes, Kelley 1960).
    What lies between two of them is tried, too.
    """
    weights = np.where(limits.missing, 0.0, 1.0)
    known: list[Solution] = []
    bound = np.inf
    for _ in range(ROUNDS):
        prices = limits.prices(weights / weights.sum())
        found = problem.solve(cycles, prices)
        if found is None or found.cost > 1 + SLACK:
            return None
        if limits.shares(found.used).max() <= 1:
            return found
        for old in known[::-1]:
            for one, other in ((old, found), (found, old)):
                fits = np.flatnonzero(limits.shares(problem.crossings(one, other)).max(-1) <= 1)
                if fits.size:
                    return problem.crossed(one, other, int(fits[0]), prices)
        if found.cost >= bound - SLACK:
            return None
        known.append(found)
        weights, bound = _dearest(limits.shares(np.array([s.used for s in known])))
    return None


def _dearest(shares: FloatArray) -> tuple[FloatArray, float]:
    """Weights of sum 1 for which the least weighted sum of a row is the greatest, and that.

    The value of a matrix game: at an extreme optimum some rows are equal, and as many weights are not zero (Shapley and
    Snow 1950); all such choices are tried.
    """
    rows, kinds = shares.shape
    best, value = np.full(kinds, 1 / kinds), -np.inf
    for size in range(1, min(rows, kinds) + 1):
        row, kind = (np.array(list(combinations(range(n), size))) for n in (rows, kinds))
        systems = np.zeros((len(row), len(kind), size + 1, size + 1))
        systems[..., :size, :size] = shares[row[:, None, :, None], kind[None, :, None, :]]
        systems[..., :size, size] = -1
        systems[..., size, :size] = 1
        regular = np.abs(np.linalg.det(systems)) > SLACK
        which = np.broadcast_to(kind, (*regular.shape, size))[regular]
        found = np.linalg.solve(systems[regular], np.eye(size + 1)[size][:, None])[:, :size, 0]
        weights = np.zeros((len(found), kinds))
        np.put_along_axis(weights, which, found, 1)
        least = np.where((found < -SLACK).any(1), -np.inf, (weights @ shares.T).min(1))
        if len(least) and least.max() > value:
            best, value = weights[least.argmax()].clip(0), float(least.max())
    return best, value


def _too_small(problem: FoldingProblem, slowest: int, budget: Resources) -> BudgetError:
    area = problem.solve(slowest, BY_AREA)
    have = ", ".join(f"{kind} {getattr(budget, kind)}" for kind in KINDS)
    need = "" if area is None else ", ".join(f"{kind} {getattr(area.resources, kind)}" for kind in KINDS)
    return BudgetError(
        f"no folding was found that fits into {have}",
        why=f"the smallest needs about {need}",
        remedy="use a larger part, or allow a larger share of it",
    )
