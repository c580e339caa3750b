"""The sweep from the fastest folding to the smallest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from test_folding import network
from test_optimizer import NO_LIMIT, graphs

from finn.dataflow.folding import apply_config, extract_config, set_folding
from finn.dataflow.graph import Instance, instances, layers
from finn.dataflow.optimizer import FoldingProblem
from finn.dataflow.pareto import pareto, without_depths
from finn.dataflow.search import cheapest


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graphs())
def test_no_point_beats_another(placed: list[Instance]) -> None:
    """Slower is smaller; the ends are the fastest of all and the least area of all; each point is the best there is."""
    points = pareto(placed, points=6, limits=NO_LIMIT)
    problem = FoldingProblem(placed, limits=NO_LIMIT)
    assert [p.cycles for p in points] == sorted({p.cycles for p in points})
    areas = [p.resources.area for p in points]
    assert areas == sorted(set(areas), reverse=True)
    assert points[0].cycles == cheapest(problem, 1).cycles
    assert areas[-1] == cheapest(problem, int(problem.cycles[-1])).resources.area
    for p in points:
        assert p.resources.area == cheapest(problem, p.cycles).resources.area
        assert p.cycles == max(layer.cycles for layer in p.layers.values()) == p.layers[p.limiting_layer].cycles


def test_a_point_is_what_its_configuration_says() -> None:
    for point in pareto(instances(network()), points=5):
        applied, folded = network(), network()
        apply_config(applied, point.config())
        assert max(layer.cycles for layer in layers(applied).values()) == point.cycles
        result = set_folding(folded, point.cycles)
        assert (result.resources, result.converters) == (point.resources, point.converters)
        assert extract_config(folded) == extract_config(applied)


@pytest.mark.parametrize("points", [2, 3, 10])
def test_at_most_so_many_points(points: int) -> None:
    told: list[tuple[int, int]] = []
    found = pareto(instances(network()), points=points, told=lambda done, of: told.append((done, of)))
    assert 2 <= len(found) <= points
    assert told == [(k + 1, len(told)) for k in range(len(told))]


def test_depths_are_left_out() -> None:
    config = {"MVAU_0": {"PE": 2, "inFIFODepths": [4], "outFIFODepths": [2]}, "Defaults": {}}
    assert without_depths(config) == {"MVAU_0": {"PE": 2}, "Defaults": {}}
