"""Estimates of a dataflow graph, with FINN's names and keys."""

from __future__ import annotations

from collections import Counter

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import instances, layers
from finn.dataflow.layer import IntArray, Resources


def exp_cycles_per_layer(model: ModelWrapper) -> dict[str, int]:
    """Node name -> clock cycles per frame."""
    return {name: layer.cycles for name, layer in layers(model).items()}


def latency_cycles(model: ModelWrapper) -> int:
    """Cycles from the first input to the last output beat of a lone frame, both counted, fed at one beat per cycle.

    Each layer's schedule is applied to the departures of the one before; waiting for a busy reader is not in it.
    """
    times: dict[str, IntArray] = {}
    for i in instances(model):
        arrivals = times.get(i.inputs[0], np.arange(i.layer.inputs[0].beats))
        times[i.outputs[0]] = i.layer.schedule().departures(arrivals)
    return int(times[model.graph.output[0].name][-1]) + 1


def dataflow_performance(model: ModelWrapper) -> dict[str, int | str]:
    """critical_path_cycles (the latency of a lone frame), max_cycles and the slowest layer."""
    cycles = exp_cycles_per_layer(model)
    slowest = max(cycles, key=lambda name: cycles[name])
    return {
        "critical_path_cycles": latency_cycles(model),
        "max_cycles": cycles[slowest],
        "max_cycles_node_name": slowest,
    }


def res_estimation(model: ModelWrapper, part: str | None = None) -> dict[str, Resources]:
    """Node name -> estimated resources."""
    return {name: layer.resources(part) for name, layer in layers(model).items()}


def op_and_param_counts(model: ModelWrapper) -> dict[str, dict[str, int]]:
    """Node name -> operations and parameters per frame, and "total"."""
    counts = {name: layer.op_and_param_counts() for name, layer in layers(model).items()}
    total: Counter[str] = Counter()
    for entry in counts.values():
        total.update(entry)
    return counts | {"total": dict(total)}
