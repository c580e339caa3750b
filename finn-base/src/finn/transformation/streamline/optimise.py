"""What is done to an integer graph once it is one: fewer channels, narrower types. Results stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from finn.analysis.intervals import Interval
from finn.analysis.ranges import integer_intervals, range_of
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._channel_masks import Mask
from finn.transformation.streamline.channels import Removal, Round, Why, removal_rounds
from finn.transformation.streamline.narrowing import narrow
from finn.transformation.streamline.options import StreamlineOptions
from finn.transformation.streamline.report import StreamlineReport, TensorFact


def optimise(model: ModelWrapper, options: StreamlineOptions, report: StreamlineReport) -> list[Removal]:
    """Remove channels and narrow datatypes, as the options say. In place; returns which channels went and why.

    The facts in `report.tensors` become those of what is left: entries of removed channels go, and bias and range
    follow constants that moved. `report.passes` counts channels by the name of the option, and what changed its type.
    """
    kinds = {
        Why.CONSTANT: (options.remove_constant_channels, "remove_constant_channels"),
        Why.DUPLICATE: (options.merge_duplicate_channels, "merge_duplicate_channels"),
        Why.DEAD: (options.remove_dead_channels, "remove_dead_channels"),
    }
    removals: list[Removal] = []
    intervals: Mapping[str, Interval] | None = None
    for done in removal_rounds(model, [why for why, (wanted, _) in kinds.items() if wanted]):
        removals, intervals = removals + list(done.removals), done.intervals
        report.tensors.update({name: _after(model, fact, done) for name, fact in report.tensors.items()})
    if intervals is None:
        intervals = integer_intervals(model)
    for removal in removals:
        report.passes[kinds[removal.why][1]] += len(removal.channels)
    report.passes += narrow(
        model,
        intervals,
        accumulators=options.minimize_accumulators,
        weights=options.minimize_weights,
        thresholds=options.minimize_thresholds,
    )
    report.tensors.update(_renewed(model, report.tensors, intervals))
    return removals


def _after(model: ModelWrapper, fact: TensorFact, done: Round) -> TensorFact:
    """The fact without the channels that went, and with what moved into the bias."""
    name, rank = fact.integers, len(model.get_tensor_shape(fact.integers) or ())
    scale, bias = fact.scale, fact.bias
    for axis in range(rank):
        lost, mask = done.shifts.get((name, axis)), done.masks.get((name, axis))
        if lost is not None:
            bias = bias + scale * lost.reshape([-1, *[1] * (rank - 1 - axis)])
        if mask is not None:
            scale, bias = (_without(c, mask, axis - rank) for c in (scale, bias))
    return replace(fact, scale=scale, bias=bias)


def _without(array: npt.NDArray[np.float64], mask: Mask, axis: int) -> npt.NDArray[np.float64]:
    """Without these entries of an axis that is counted from the end, if the array varies along it."""
    varies = array.ndim >= -axis and array.shape[axis] == len(mask) > 1
    return np.asarray(np.delete(array, np.flatnonzero(mask), axis=axis)) if varies else array


def _renewed(
    model: ModelWrapper, facts: Mapping[str, TensorFact], intervals: Mapping[str, Interval]
) -> dict[str, TensorFact]:
    """The facts with the ranges and types of the integers as they are now."""
    ranges = {name: range_of(intervals[name]) for name in {fact.integers for fact in facts.values()} & intervals.keys()}
    return {
        name: replace(
            fact,
            low=ranges[fact.integers].low,
            high=ranges[fact.integers].high,
            datatype=model.get_tensor_datatype(fact.integers),
        )
        for name, fact in facts.items()
        if fact.integers in ranges
    }
