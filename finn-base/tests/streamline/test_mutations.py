"""The tests of generated networks find wrong rules: what a person would get wrong, and small changes at random."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from finn.transformation.streamline import (
    layers,
    quantize,
    quantizers,
    regrid,
    rules_join,
    rules_linear,
    rules_quant,
    rules_select,
    rules_shape,
    tail,
    thresholds,
    values,
)

from .generator import network  # noqa: TID252 - test helpers are no installed package
from .generator_net import Builder, Choices  # noqa: TID252
from .mutants import Mutant, lines_of, mutants, text_mutant, time_limit  # noqa: TID252
from .test_generated_networks import Case  # noqa: TID252
from .topologies import FEATURES  # noqa: TID252

pytestmark = pytest.mark.slow

MODULES: tuple[ModuleType, ...] = (
    layers, quantize, quantizers, regrid, rules_join, rules_linear, rules_quant, rules_select, rules_shape, tail,
    thresholds, values,
)  # fmt: skip
FILES = {module.__file__ for module in MODULES if module.__file__}
NETWORKS = 150
SAMPLE = 60
"""So many small changes are tried in one run. About a third of all change nothing that can be seen: defaults of
attributes that exporters always write, limits of sizes, `> 1` for `!= 1` on lengths."""


@dataclass
class Example:
    net: Builder
    lines: set[tuple[str, int]]

    def fails(self) -> bool:
        try:
            with time_limit(20), warnings.catch_warnings():
                warnings.simplefilter("error")
                Case.of(self.net, runs=2).check()
        except Exception:  # noqa: BLE001 - whatever a wrong rule leads to
            return True
        return False


def passing_examples() -> list[Example]:
    """Networks that pass, with the lines of the rules that they execute. Small ones first."""
    nets = [feature.network() for feature in FEATURES] + [network(Choices(seed=i)) for i in range(NETWORKS)]
    made = []
    for net in sorted(nets, key=lambda n: len(n.nodes)):
        lines = lines_of(lambda net=net: Case.of(net, runs=2).check(), FILES)  # type: ignore[misc]
        made.append(Example(net, lines))
    return made


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return passing_examples()


def survives(mutant: Mutant, examples: list[Example]) -> bool:
    place = (mutant.module.__file__, mutant.line)
    with mutant.applied():
        return not any(e.fails() for e in examples if place in e.lines)


WRONG: tuple[tuple[ModuleType, str, str, str], ...] = (
    (rules_linear, "linear", "compact((b * w.row)", "-compact((b * w.row)"),
    (rules_linear, "linear", "w.integers * multipliers.reshape(-1, 1)", "w.integers"),
    (rules_linear, "linear", "w.integers * multipliers.reshape", "w.integers * multipliers[::-1].reshape"),
    (rules_linear, "gemm", "y.bias + compact(c)", "y.bias - compact(c)"),
    (rules_linear, "gemm", 'attributes.get("beta", 1.0)', "1.0"),
    (rules_linear, "padded", "filler = compact(found)", "filler = 0 * compact(found)"),
    (rules_linear, "padded", "whole(-x.bias / x.scale)", "whole(x.bias / x.scale)"),
    (rules_linear, "convolution", "compact(bias.reshape(-1))", "compact(bias.reshape(-1)[::-1])"),
    (rules_linear, "convolution", "offset + (inner", "offset - (inner"),
    (rules_linear, "convolution", "multipliers[groups]", "multipliers[groups[::-1]]"),
    (rules_linear, "convolution", "base[groups] * column", "base[groups] * column[::-1]"),
    (rules_linear, "_flipped", "slice(None, None, -1)", "slice(None)"),
    (rules_linear, "_flipped", "np.moveaxis(a, 1, -1)", "np.moveaxis(a[:, ::-1], 1, -1)"),
    (rules_linear, "reduced", "drop(x.bias) * (count / parts)", "drop(x.bias)"),
    (rules_join, "_combined", "x.bias - y.bias", "x.bias + y.bias"),
    (rules_join, "_combined", "((x, m), (y, n))", "((x, n), (y, m))"),
    (rules_join, "_same_scale", "(part.bias - parts[0].bias)", "(parts[0].bias - part.bias)"),
    (rules_join, "_same_scale", "_times(p, part.source, factor,", "_times(p, part.source, factor * 0 + 1,"),
    (rules_shape, "transpose", "compact(with_rank(c, rank).transpose(perm))", "c"),
    (rules_shape, "pad", "(value - x.bias) / x.scale", "value / x.scale"),
    (thresholds, "search", "= below + 1", "= below"),
    (thresholds, "search", "< codes", "<= codes"),
    (quantize, "complemented", "ends - code_of(x, *c)", "-code_of(x, *c)"),
    (quantize, "complemented", "q.scale * ends", "-q.scale * ends"),
    (quantize, "looked_up", "np.arange(channels) * span", "0 * np.arange(channels)"),
    (quantizers, "quant", "zero_point, low, high", "zero_point, low + 1, high"),
    (quantizers, "quant", "(shift - zero_point", "(shift + zero_point"),
    (quantizers, "_code_of_bipolar", ">= 0", "> 0"),
    (layers, "widened", "np.minimum(bounds.low, value)", "bounds.low"),
    (layers, "sum_of_products", "dot(rises, high) + dot(falls, low)", "dot(rises, high)"),
    (rules_quant, "_truncation", "bias = -zero", "bias = zero"),
    (rules_select, "_same_order", "axis % rank == selected % rank and", ""),
    (values, "aligned", "np.rint(flat / (least / part))", "np.rint(flat / least)"),
    (tail, "Step._normalization", "return a, beta - mean * a", "return a, beta + mean * a"),
    (tail, "_difference", "x[1] - y[1]", "y[1] - x[1]"),
    (regrid, "_clipped", "(bound.astype(np.float64) - bias)", "bound.astype(np.float64)"),
)
"""Module, function, words, wrong words: what a person would get wrong."""


@pytest.mark.parametrize(("module", "function", "old", "new"), WRONG, ids=[f"{w[1]}: {w[3]}" for w in WRONG])
def test_what_a_person_gets_wrong_is_found(
    module: ModuleType, function: str, old: str, new: str, examples: list[Example]
) -> None:
    assert not survives(text_mutant(module, function, old, new), examples)


def every_mutant() -> Iterator[Mutant]:
    for module in MODULES:
        yield from mutants(module)


def test_small_changes_are_found(examples: list[Example]) -> None:
    every = list(every_mutant())
    chosen = random.Random(0).sample(every, SAMPLE)
    survivors = [m for m in chosen if survives(m, examples)]
    report = "\n".join(map(str, survivors))
    assert len(survivors) <= SAMPLE * 0.4, f"{len(survivors)} of {SAMPLE} wrong versions pass:\n{report}"
