"""Elimination of variables: the least sum, against all assignments, and what is left out of tables that grow large."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.elimination import CostGraph, FloatArray

Problem = tuple[CostGraph, list[FloatArray]]


@st.composite
def problems(draw: DrawFn) -> Problem:
    """Up to six variables of up to four values, costs of up to three of them; some illegal, some variables unused."""
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=6)))
    subsets = st.sets(st.integers(0, len(sizes) - 1), min_size=1, max_size=3)
    scopes = tuple(draw(st.lists(subsets.map(lambda s: tuple(sorted(s, key=hash))), min_size=1, max_size=8)))
    rng, illegal = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.sampled_from([0, 0.2, 0.6]))
    tables: list[FloatArray] = []
    for scope in scopes:
        table = rng.integers(0, 50, [sizes[v] for v in scope]).astype(float)
        tables.append(np.where(rng.random(table.shape) < illegal, np.inf, table))
    return CostGraph(sizes, scopes), tables


def cost(problem: Problem, values: tuple[int, ...]) -> float:
    graph, tables = problem
    return float(sum(t[tuple(values[v] for v in s)] for s, t in zip(graph.scopes, tables, strict=True)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(problems())
def test_least_of_all_assignments(problem: Problem) -> None:
    graph, tables = problem
    least = min(cost(problem, values) for values in product(*map(range, graph.sizes)))
    found = graph.minimum(tables)
    if np.isinf(least):
        assert found is None
    else:
        assert found is not None
        assert found.exact
        assert found.cost == least == cost(problem, found.values)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(), st.integers(1, 16))
def test_small_tables_may_miss_it_and_say_so(problem: Problem, most: int) -> None:
    graph, tables = problem
    least = min(cost(problem, values) for values in product(*map(range, graph.sizes)))
    found = CostGraph(graph.sizes, graph.scopes, most).minimum(tables)
    if found is not None:
        assert found.cost == cost(problem, found.values) >= least
        assert found.cost == least or not found.exact
        assert not np.isinf(found.cost)


def test_values_that_look_cheap_are_kept() -> None:
    """9 values of which 4 may stay; the cheapest is the last but one."""
    prices = np.array([9.0, 8, 7, 6, 5, 4, 3, 1, 2])
    found = CostGraph((9,), ((0,),), 4).minimum([prices])
    assert found is not None
    assert (found.values, found.cost, found.exact) == ((7,), 1.0, False)


@pytest.mark.parametrize(("length", "largest"), [(300, 2), (3, 2)])
def test_a_chain_has_tables_of_two_variables(length: int, largest: int) -> None:
    graph = CostGraph((5,) * length, tuple((v, v + 1) for v in range(length - 1)))
    assert max(len(around) + 1 for _, around in graph.order) == largest


def test_a_residual_network_has_tables_of_three() -> None:
    """Blocks of a fork, two layers on one branch and a join, one behind the other."""
    scopes = [pair for b in range(0, 80, 4) for pair in ((b, b + 1), (b + 1, b + 2), (b + 2, b + 3), (b, b + 3))]
    scopes += [(b + 3, b + 4) for b in range(0, 76, 4)]
    graph = CostGraph((5,) * 80, tuple(scopes))
    assert max(len(around) + 1 for _, around in graph.order) == 3
