"""The folding search against all combinations of foldings and memories, on small graphs with layers of random cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import product
from math import inf, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.core.datatype import DataType
from finn.dataflow.graph import DataflowError, Instance
from finn.dataflow.layer import IntArray, Layer, LayerError, Resources, Stream, divisors
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.dataflow.optimizer import FoldingProblem, Limits, Solution
from finn.dataflow.search import BudgetError, cheapest, fastest_within

sys.path.append(str(Path(__file__).parent))
from toys import BYTE, Depthwise, Knot, Matrix, Toy, Windows

NO_LIMIT = Limits(1 << 20, 1 << 20)
SEARCHED = {"SIMD": None, "PE": None, "parallel_window": (0, 1), "ram_style": ("auto", "block", "distributed")}
"""What the layers here leave to the search: factors, and options with their choices."""


def chained(*given: Layer) -> list[Instance]:
    return [Instance(f"l{k}", layer, (f"t{k}",), (f"t{k + 1}",)) for k, layer in enumerate(given)]


def residual(first: Layer, branch: Sequence[Layer], last: Layer, m: int, seed: int) -> list[Instance]:
    """`first`, then a fork whose branches are `branch` and nothing, and a join in front of `last`."""
    placed = [
        Instance("first", first, ("in",), ("a",)),
        Instance("fork", Knot(seed=seed, m=m, outs=2), ("a",), ("b0", "c")),
    ]
    placed += [Instance(f"branch{k}", layer, (f"b{k}",), (f"b{k + 1}",)) for k, layer in enumerate(branch)]
    join = Instance("join", Knot(seed=seed + 1, m=m, ins=2), (f"b{len(branch)}", "c"), ("d",))
    return [*placed, join, Instance("last", last, ("d",), ("out",))]


@st.composite
def graphs(draw: DrawFn) -> list[Instance]:
    sizes = st.sampled_from([1, 2, 3, 4, 6])
    m, n, k = draw(sizes), draw(sizes), draw(sizes)
    seeds = st.integers(0, 1 << 20)
    matrix = Matrix(seed=draw(seeds), m=k, n=m)
    depthwise = [Windows(seed=draw(seeds), m=m), Depthwise(seed=draw(seeds), m=m)]
    shape = draw(st.sampled_from(["chain", "depthwise", "two", "residual", "empty residual"]))
    if shape == "chain":
        return chained(matrix, Knot(seed=draw(seeds), m=m), Matrix(seed=draw(seeds), m=m, n=n))
    if shape == "depthwise":
        return chained(matrix, *depthwise)
    if shape == "two":
        return chained(*depthwise, Windows(seed=draw(seeds), m=m))
    last = Knot(seed=draw(seeds), m=m)
    return residual(Knot(seed=draw(seeds), m=m), depthwise if shape == "residual" else [], last, m, draw(seeds))


def variants(layer: Layer) -> Iterator[Layer]:
    """All foldings and memories that the layer accepts; an enumeration of the test's own."""
    names = [name for name in SEARCHED if name in layer.config()]
    values = [SEARCHED[name] or divisors(getattr(layer, layer.foldings()[name])) for name in names]
    for choice in product(*values):
        try:
            yield type(layer)(**{**vars(layer), **dict(zip(names, choice, strict=True))})
        except LayerError:
            continue


def between(out: Stream, into: Stream) -> Resources | None:
    if not out.converts_to(into):
        return None
    if out.lanes == into.lanes:
        return Resources()
    window, channels = out.order or (1, 1)
    return StreamingDataWidthConverter(out.shape, out.dtype, out.lanes, into.lanes, window, channels).resources()


def everything(placed: list[Instance]) -> Iterator[tuple[int, IntArray]]:
    """Cycles and LUT, BRAM_18K, DSP of all legal combinations."""
    ends = {t: (n, k) for n, i in enumerate(placed) for k, t in enumerate(i.outputs)}
    edges = [(*ends[t], n, k) for n, i in enumerate(placed) for k, t in enumerate(i.inputs) if t in ends]
    ways = [list(variants(i.layer)) for i in placed]
    used = [[vector(layer.resources()) for layer in layers] for layers in ways]
    joins = {
        (a, p, b, q): [[between(x.outputs[p], y.inputs[q]) for y in ways[b]] for x in ways[a]] for a, p, b, q in edges
    }
    for chosen in product(*(range(len(layers)) for layers in ways)):
        converters = [table[chosen[a]][chosen[b]] for (a, _, b, _), table in joins.items()]
        if any(c is None for c in converters):
            continue
        total = sum((used[n][k] for n, k in enumerate(chosen)), np.zeros(3, np.int64))
        total = sum((vector(c) for c in converters if c is not None), total)
        yield max(ways[n][k].cycles for n, k in enumerate(chosen)), total


def vector(used: Resources) -> IntArray:
    return np.array([used.LUT, used.BRAM_18K, used.DSP])


def small(placed: list[Instance]) -> bool:
    """Whether all combinations can be tried."""
    return prod(len(list(variants(i.layer))) for i in placed) <= 4000


def consistent(placed: list[Instance], found: Solution) -> None:
    """Legal, and it uses what it says."""
    ends = {t: (i.name, k) for i in placed for k, t in enumerate(i.outputs)}
    used, converters = Resources(), 0
    for i in placed:
        used += found.layers[i.name].resources()
        for k, t in enumerate(i.inputs):
            if t in ends:
                name, port = ends[t]
                out, into = found.layers[name].outputs[port], found.layers[i.name].inputs[k]
                converter = between(out, into)
                assert converter is not None
                used += converter
                converters += out.lanes != into.lanes
    counted = found.resources
    assert (used.LUT, used.BRAM_18K, used.DSP) == (counted.LUT, counted.BRAM_18K, counted.DSP)
    assert converters == found.converters


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.sampled_from([1, 2, 3, 4, 6, 12, 36]))
def test_no_combination_is_cheaper(placed: list[Instance], target: int) -> None:
    assume(small(placed))
    found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), target)
    consistent(placed, found)
    assert found.exact
    reached, least = inf, inf
    for cycles, used in everything(placed):
        reached, least = min((reached, least), (max(cycles, target), used @ [1, 200, 200]))
    assert max(found.cycles, target) == reached
    assert found.resources.area == found.cost == least


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs(), st.sampled_from([0.3, 0.5, 0.8, 1.2]), st.sampled_from([0.3, 0.5, 0.8, 1.2]))
def test_fastest_that_fits(placed: list[Instance], lut: float, bram: float) -> None:
    """What is found fits, and is no faster than what exists; if there is plenty it is the fastest of all."""
    assume(small(placed))
    problem = FoldingProblem(placed, limits=NO_LIMIT)
    usual = cheapest(problem, int(problem.cycles[-1])).resources
    budget = Resources(LUT=round(2 * usual.LUT * lut), BRAM_18K=round(3 * bram), DSP=round(3 * len(placed) * lut))
    fits = [cycles for cycles, used in everything(placed) if (used <= vector(budget)).all()]
    try:
        found = fastest_within(problem, budget)
    except BudgetError:
        return
    consistent(placed, found)
    assert (vector(found.resources) <= vector(budget)).all()
    assert found.cycles >= min(fits)
    plenty = fastest_within(problem, Resources(10**6, 10**6, 10**6, 10**6))
    assert plenty.cycles == cheapest(problem, 1).cycles
