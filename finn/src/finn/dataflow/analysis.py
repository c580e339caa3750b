"""Estimates of a dataflow graph, with FINN's names and keys."""

from __future__ import annotations

from collections import Counter

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import timing
from finn.dataflow.graph import layers
from finn.dataflow.layer import Resources


def exp_cycles_per_layer(model: ModelWrapper) -> dict[str, int]:
    """Node name -> clock cycles per frame."""
    return {name: layer.cycles for name, layer in layers(model).items()}


def latency_cycles(model: ModelWrapper) -> int:
    """Cycles from the first input to the last output beat of a lone frame, both counted, fed at one beat per cycle."""
    return timing.of_graph(model, 1).latency


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
