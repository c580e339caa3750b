"""Foldings for a target, for a budget, and between: which question to ask the optimizer, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn.core.errors import FinnError
from finn.dataflow.candidates import BY_AREA, KINDS, BoolArray, FloatArray, Prices, counts
from finn.dataflow.graph import DataflowError
from finn.dataflow.layer import Resources
from finn.dataflow.optimizer import FoldingProblem, Solution

ROUNDS = 24
"""Changes of prices before a budget counts as too small."""

STEP = 4.0
"""Most that a price changes by in a round."""


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

    def shares(self, solution: Solution) -> FloatArray:
        """Used, of what there is."""
        return np.where(self.missing, 0.0, solution.used / np.where(self.missing, 1.0, self.have))


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
    return small if small is not None and limits.shares(small).max() <= 1 else best


def _fitting(problem: FoldingProblem, cycles: int, limits: _Budget) -> Solution | None:
    """A folding that fits; None if there is none, or if none was found.

    At any prices, a folding that fits costs no more than the whole budget; so if the cheapest does, none fits. Else the
    prices rise of what is short, and fall of what is not (Lagrangian relaxation).
    """
    weights = np.where(limits.missing, 0.0, 1.0)
    for _ in range(ROUNDS):
        weights /= weights.sum()
        found = problem.solve(cycles, limits.prices(weights))
        if found is None or found.cost > 1 + 1e-9:
            return None
        shares = limits.shares(found)
        if shares.max() <= 1:
            return found
        weights = weights * np.clip(shares, 1 / STEP, STEP)
    return None


def _too_small(problem: FoldingProblem, slowest: int, budget: Resources) -> BudgetError:
    area = problem.solve(slowest, BY_AREA)
    have = ", ".join(f"{kind} {getattr(budget, kind)}" for kind in KINDS)
    need = "" if area is None else ", ".join(f"{kind} {getattr(area.resources, kind)}" for kind in KINDS)
    return BudgetError(
        f"no folding fits into {have}",
        why=f"the smallest needs about {need}",
        remedy="use a larger part, or allow a larger share of it",
    )
