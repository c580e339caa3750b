"""Foldings between the smallest and the fastest: what speed costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn.dataflow.graph import Instance
from finn.dataflow.layer import Layer, Resources
from finn.dataflow.optimizer import FoldingProblem, Limits, Solution
from finn.dataflow.search import cheapest

DEPTHS = ("inFIFODepths", "outFIFODepths")


@dataclass(frozen=True)
class Point:
    """A folding that no other one beats both in cycles and in area.

    cycles : per frame of the slowest layer. resources, converters : estimates of the layers and of so many width
    converters, without FIFOs. layers : by name.
    """

    cycles: int
    limiting_layer: str
    resources: Resources
    converters: int
    layers: Mapping[str, Layer]

    @classmethod
    def of(cls, found: Solution) -> Point:
        limiting = max(found.layers, key=lambda name: found.layers[name].cycles)
        return cls(found.cycles, limiting, found.resources, found.converters, found.layers)

    def config(self) -> dict[str, dict[str, Any]]:
        """What `folding_config_file` wants."""
        return {"Defaults": {}} | without_depths({name: layer.config() for name, layer in self.layers.items()})


def without_depths(config: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A folding configuration without the depths of FIFOs, which depend on it."""
    return {name: {key: v for key, v in values.items() if key not in DEPTHS} for name, values in config.items()}


def pareto(
    placed: Sequence[Instance],
    part: str | None = None,
    points: int = 20,
    limits: Limits | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> list[Point]:
    """At most `points` foldings of a graph, the fastest first, each the least area for its speed on `part`.

    Their targets are spread evenly on a logarithmic scale from the fewest cycles per frame that can be reached to those
    of the least area. told : is called with the number of targets done and of all.
    """
    problem = FoldingProblem(placed, part, limits)
    least, most = cheapest(problem, 1), cheapest(problem, int(problem.cycles[-1]))
    reachable = problem.cycles[(problem.cycles >= least.cycles) & (problem.cycles <= most.cycles)]
    spread = np.geomspace(least.cycles, most.cycles, points)
    goals = sorted({int(reachable[np.abs(np.log(reachable / g)).argmin()]) for g in spread})
    found = []
    for done, goal in enumerate(goals, 1):
        found.append(Point.of(cheapest(problem, goal)))
        told(done, len(goals))
    return [p for k, p in enumerate(found) if all(p.resources.area < faster.resources.area for faster in found[:k])]
