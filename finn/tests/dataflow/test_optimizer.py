"""The folding search against all combinations of foldings and memories, on small graphs with layers of random cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf, prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from toys import BYTE, Depthwise, Knot, Matrix, Windows

from finn.core.datatype import DataType
from finn.dataflow.candidates import BY_AREA, KINDS
from finn.dataflow.graph import DataflowError, Instance
from finn.dataflow.layer import IntArray, Layer, LayerError, Resources, Stream, divisors
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_concat import StreamingConcat
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter, meeting
from finn.dataflow.layers.width_converter import between as between_streams
from finn.dataflow.optimizer import FoldingProblem, Limits, Solution
from finn.dataflow.search import BudgetError, _dearest, cheapest, fastest_within

AREA_OF = [1, 200, 3200, 200]
"""LUTs that a unit of each kind of resource counts as, see `Resources.area`."""

NO_LIMIT = Limits(1 << 20, 1 << 20)
SEARCHED = {"SIMD": None, "PE": None, "parallel_window": (0, 1), "ram_style": ("auto", "block", "distributed", "ultra")}
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
            yield replace(layer, **dict(zip(names, choice, strict=True)))
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
    """Cycles and LUT, BRAM_18K, URAM, DSP of all legal combinations."""
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
        total = sum((used[n][k] for n, k in enumerate(chosen)), np.zeros(4, np.int64))
        total = sum((vector(c) for c in converters if c is not None), total)
        yield max(ways[n][k].cycles for n, k in enumerate(chosen)), total


def vector(used: Resources) -> IntArray:
    return np.array([used.LUT, used.BRAM_18K, used.URAM, used.DSP])


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
        reached, least = min((reached, least), (max(cycles, target), used @ AREA_OF))
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


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 100), st.integers(0, 100))
def test_what_lies_between_two_foldings(placed: list[Instance], one: int, other: int) -> None:
    """The first layers of one and the last of the other: illegal, or it uses what was said."""
    problem = FoldingProblem(placed, limits=NO_LIMIT)
    goals = [int(problem.cycles[k * len(problem.cycles) // 101]) for k in (one, other)]
    first, second = (cheapest(problem, goal) for goal in goals)
    used = problem.crossings(first, second)
    assert used.shape == (len(placed) + 1, len(KINDS))
    np.testing.assert_array_equal(used[0], second.used)
    np.testing.assert_array_equal(used[-1], first.used)
    for count in np.flatnonzero(~np.isinf(used).any(-1)).tolist():
        crossed = problem.crossed(first, second, count, BY_AREA)
        consistent(placed, crossed)
        np.testing.assert_array_equal(crossed.used, used[count])
        assert crossed.cost == crossed.resources.area


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_dearest_weights(seed: int, rows: int, kinds: int) -> None:
    """No other weights make the least row dearer: neither corners nor random ones."""
    rng = np.random.default_rng(seed)
    shares = rng.random((rows, kinds)) * rng.integers(0, 2, (rows, kinds))
    weights, value = _dearest(shares)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert (shares @ weights).min() == pytest.approx(value)
    others = np.concatenate([np.eye(kinds), rng.dirichlet(np.ones(kinds), 500)])
    assert (others @ shares.T).min(1).max() <= value + 1e-9


def test_depthwise_layers_have_the_channels_of_their_windows() -> None:
    """The unit's PE is free alone; behind windows it is their SIMD, or both are all channels."""
    windows, unit = Windows(seed=1, m=6), Depthwise(seed=2, m=6)
    for target in (1, 3, 6, 9, 18):
        found = cheapest(FoldingProblem(chained(windows, unit), limits=NO_LIMIT), target)
        first, second = found.layers["l0"].config(), found.layers["l1"].config()
        assert first["SIMD"] == second["PE"]


def test_no_legal_folding() -> None:
    placed = chained(Windows(seed=1, m=6), Matrix(seed=2, m=18, n=2), Knot(seed=3, m=4))
    with pytest.raises(DataflowError) as error:
        FoldingProblem(placed)
    assert str(error.value) == (
        "no folding of the layers at both ends of t2 lets them be joined (UINT8 [1, 2] is sent, UINT8 [1, 4] is "
        "expected). Remedy: correct the layers' shapes, types and orders"
    )


def test_two_edges_that_exclude_each_other() -> None:
    """Each edge alone can be joined: windows of all 6 channels are in C order, but then the fork has 18 lanes."""
    placed = [
        Instance("windows", Windows(seed=1, m=6), ("in",), ("a",)),
        Instance("unit", Narrow(seed=2, m=6), ("a",), ("b",)),
        Instance("other", Windows(seed=3, m=6), ("b",), ("c",)),
    ]
    found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), 1)
    assert found.layers["windows"].config()["SIMD"] == found.layers["unit"].config()["PE"] == 1
    assert found.cycles == 18


@dataclass(frozen=True, eq=False)
class Narrow(Depthwise):
    """Takes one channel at a time, however fast it could be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.PE != 1:
            raise LayerError("one channel at a time")


@pytest.mark.parametrize(("width", "reached"), [(8, 36), (16, 9), (24, 4), (48, 1)])
def test_width_of_streams(width: int, reached: int) -> None:
    """6 by 6 with bytes: no stream is wider than the limit, if it has to be slower for it."""
    placed = chained(Matrix(seed=1, m=6, n=6), Matrix(seed=2, m=6, n=6))
    found = cheapest(FoldingProblem(placed, limits=Limits(1 << 20, width)), 1)
    assert found.cycles == reached
    assert all(s.width <= width for layer in found.layers.values() for s in (*layer.inputs, *layer.outputs))


def test_width_of_parameters_gives_way_to_the_target() -> None:
    placed = chained(Matrix(seed=1, m=6, n=2))
    narrow, wide = (cheapest(FoldingProblem(placed, limits=Limits(2, 1 << 20)), target) for target in (3, 2))
    assert narrow.layers["l0"].parameter_width <= 2
    assert wide.layers["l0"].parameter_width > 2


def test_layers_without_streams_to_fold() -> None:
    """A lone layer, and two that are not joined."""
    lone = FoldingProblem(chained(Matrix(seed=1, m=4, n=4)), limits=NO_LIMIT)
    assert cheapest(lone, 1).cycles == 1
    apart = [Instance(n, Matrix(seed=5, m=2, n=2), (f"{n}i",), (f"{n}o",)) for n in ("a", "b")]
    both = cheapest(FoldingProblem(apart, limits=NO_LIMIT), 1)
    assert both.resources.LUT == 2 * cheapest(FoldingProblem(apart[:1], limits=NO_LIMIT), 1).resources.LUT


# Layers of the library


def mvau(shape: tuple[int, ...], mh: int, x: str = "UINT2", w: str = "INT2") -> MVAU:
    rng = np.random.default_rng(mh)
    bipolar = w == "BIPOLAR"
    weights = 2 * rng.integers(0, 2, (shape[-1], mh)) - 1 if bipolar else rng.integers(-2, 2, (shape[-1], mh))
    steps = np.sort(rng.integers(-9, 9, (mh, 1 if bipolar else 3)), axis=1)
    return MVAU(shape, DataType[x], weights, DataType[w], DataType["BIPOLAR" if bipolar else "UINT2"], steps)


def test_real_layers() -> None:
    """Windows, a matrix and thresholds, against all combinations."""
    u2 = DataType["UINT2"]
    windows = ConvolutionInputGenerator((1, 3, 3, 2), u2, (2, 2), (1, 1), (1, 1))
    placed = chained(windows, mvau((1, 2, 2, 8), 4), Thresholding((1, 2, 2, 4), u2, np.array([[1, 2, 3]]), u2))
    for target in (10, 30, 200):
        found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), target)
        consistent(placed, found)
        fitting = [int(used @ AREA_OF) for cycles, used in everything(placed) if cycles <= target]
        assert found.resources.area == min(fitting)


@pytest.mark.parametrize("target", [3, 6, 18, 72])
def test_real_depthwise_convolution(target: int) -> None:
    """Windows and the unit behind them have the same channels per beat, or one of them all."""
    u2, rng = DataType["UINT2"], np.random.default_rng(1)
    windows = ConvolutionInputGenerator((1, 3, 3, 6), u2, (2, 2), (1, 1), (1, 1), depthwise=1)
    steps = np.sort(rng.integers(-5, 5, (6, 3)), axis=1)
    unit = VVAU((1, 2, 2, 24), u2, rng.integers(-2, 2, (4, 6)), DataType["INT2"], u2, steps)
    placed = chained(windows, unit)
    found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), target)
    consistent(placed, found)
    reached = min(max(cycles, target) for cycles, _ in everything(placed))
    assert max(found.cycles, target) == reached
    fitting = [int(used @ AREA_OF) for cycles, used in everything(placed) if cycles <= reached]
    assert found.resources.area == min(fitting)
    (out,), (into,) = found.layers["l0"].outputs, found.layers["l1"].inputs
    assert out.order == into.order


def test_real_residual_network() -> None:
    u2 = DataType["UINT2"]
    shape = (1, 2, 2, 4)
    placed = [
        Instance("fork", DuplicateStreams(shape, u2), ("in",), ("a", "b")),
        Instance("matrix", mvau(shape, 4), ("a",), ("c",)),
        Instance("join", StreamingConcat((1, 2, 2, 8), (u2, u2), (4, 4)), ("c", "b"), ("out",)),
    ]
    for target in (8, 16, 64):
        found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), target)
        consistent(placed, found)
        fitting = [int(used @ AREA_OF) for cycles, used in everything(placed) if cycles <= target]
        assert found.resources.area == min(fitting)


CNV = [(3, 64, 32, 16, 3), (64, 64, 30, 32, 32), (64, 128, 14, 16, 32), (128, 128, 12, 16, 32), (128, 256, 5, 4, 32)]
"""Convolutions of CNV-W1A1: channels, filters, size of the input, and PE and SIMD of the published bitstream."""


def cnv() -> list[Instance]:
    """Without the pools: each convolution has the input that it has in the network, and its own piece of the graph."""
    placed = []
    for n, (channels, filters, size, _, _) in enumerate(CNV):
        x = "UINT8" if channels == 3 else "BIPOLAR"
        windows = ConvolutionInputGenerator((1, size, size, channels), DataType[x], (3, 3), (1, 1), (1, 1))
        matrix = mvau((1, size - 2, size - 2, 9 * channels), filters, x, "BIPOLAR")
        placed += [
            Instance(f"windows{n}", windows, (f"in{n}",), (f"w{n}",)),
            Instance(f"matrix{n}", matrix, (f"w{n}",), (f"out{n}",)),
        ]
    return placed


def test_published_folding_of_cnv_costs_more() -> None:
    """The same speed with the folding of FINN's CNV-W1A1 bitstream, the windows as cheap as they can be alone."""
    placed = cnv()
    matrices = [i.layer.with_config(PE=pe, SIMD=simd) for i, (*_, pe, simd) in zip(placed[1::2], CNV, strict=True)]
    target = max(layer.cycles for layer in matrices)
    total = Resources()
    for i, matrix in zip(placed[::2], matrices, strict=True):
        fast = [layer for layer in variants(i.layer) if layer.cycles <= target]
        windows = min(fast, key=lambda layer: layer.resources().area)
        converter = between(windows.outputs[0], matrix.inputs[0])
        assert converter is not None
        total += windows.resources() + matrix.resources() + converter
    found = cheapest(FoldingProblem(placed, limits=NO_LIMIT), target)
    assert found.cycles <= target
    assert found.resources.area < total.area


@pytest.mark.parametrize(
    ("out", "into", "at"),
    [
        (Stream((1, 2, 6), BYTE, 2), Stream((1, 2, 6), BYTE, 3), (1, 2, 6)),
        (Stream((1, 2, 6), BYTE, 6), Stream((1, 12), BYTE, 3), (1, 2, 6)),
        (Stream((1, 2, 6), BYTE, 6), Stream((1, 12), BYTE, 4), (1, 12)),
        (Stream((1, 12), BYTE, 12), Stream((1, 2, 6), BYTE, 2), (1, 12)),
        (Stream((1, 2, 6), BYTE, 6), Stream((1, 3, 4), BYTE, 4), None),
        (Stream((1, 2, 6), BYTE, 2, 3, 1), Stream((1, 2, 6), BYTE, 6, 3, 3), (1, 2, 6)),
        (Stream((1, 2, 6), BYTE, 1, 3, 1), Stream((1, 12), BYTE, 1), None),
        (Stream((1, 2, 6), BYTE, 1), Stream((1, 13), BYTE, 1), None),
        (Stream((1, 2, 6), BYTE, 1), Stream((1, 2, 6), DataType["INT8"], 1), None),
    ],
)
def test_where_streams_meet(out: Stream, into: Stream, at: tuple[int, ...] | None) -> None:
    """On the sides of a reshape, a vector of one has to hold whole beats of both."""
    place = meeting(out, into)
    assert (place and place.shape) == at
    if at is not None:
        converter = between_streams(out, into)
        assert (converter.shape, converter.inputs[0].lanes, converter.outputs[0].lanes) == (at, out.lanes, into.lanes)


def test_a_reshape_leaves_only_foldings_that_can_be_joined() -> None:
    """Vectors of 6 and of 4 hold no whole beats of 4 and of 6."""
    u2 = DataType["UINT2"]
    placed = [
        Instance("a", DuplicateStreams((1, 2, 6), u2, 1), ("in",), ("t",)),
        Instance("b", DuplicateStreams((1, 3, 4), u2, 1), ("t",), ("out",)),
    ]
    problem = FoldingProblem(placed, limits=NO_LIMIT)
    for target in (2, 3, 4, 6, 12):
        found = cheapest(problem, target)
        assert meeting(found.layers["a"].outputs[0], found.layers["b"].inputs[0]) is not None
    fastest = cheapest(problem, 1)
    assert fastest.cycles == min(
        max(12 // a, 12 // b) for a in divisors(6) for b in divisors(4) if 6 % b == 0 or 4 % a == 0
    )
