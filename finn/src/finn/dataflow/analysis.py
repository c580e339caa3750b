"""Estimates of a dataflow graph, with FINN's names and keys."""

from __future__ import annotations

from collections import Counter

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import timing
from finn.dataflow.graph import DataflowError, instances, layers
from finn.dataflow.layer import Resources

STEADY_FRAMES = 8
"""Frames after which a network is steady, beyond those that its buffers hold."""


def exp_cycles_per_layer(model: ModelWrapper) -> dict[str, int]:
    """Node name -> clock cycles per frame."""
    return {name: layer.cycles for name, layer in layers(model).items()}


def latency_cycles(model: ModelWrapper) -> int:
    """Cycles from the first input to the last output beat of a lone frame, both counted, fed at one beat per cycle.

    Of layers that deadlock as they are: with deep FIFOs between them, which add two cycles each.
    """
    network = timing.Network(instances(model))
    try:
        return network.run(1).latency
    except DataflowError:
        return _with_deep_fifos(network).run(1).latency


def interval_cycles(model: ModelWrapper) -> float:
    """Cycles from frame to frame at full rate, with deep FIFOs between all layers.

    max_cycles, unless layers that are connected are slower together than each alone.
    """
    network, slowest = _with_deep_fifos(timing.Network(instances(model))), max(exp_cycles_per_layer(model).values())
    found = network.run(STEADY_FRAMES, interval=slowest, until_steady=True)
    return network.run(STEADY_FRAMES, until_steady=True).interval if found.interval > slowest else found.interval


def _with_deep_fifos(network: timing.Network) -> timing.Network:
    read = {t for i in network.placed for t in i.inputs}
    inner = [t for i in network.placed for t in i.outputs if t in read]
    return network.with_fifos(dict.fromkeys(inner, timing.UNLIMITED))


def dataflow_performance(model: ModelWrapper) -> dict[str, int | float | str]:
    """critical_path_cycles (`latency_cycles`), max_cycles and the slowest layer, and `interval_cycles`."""
    cycles = exp_cycles_per_layer(model)
    slowest = max(cycles, key=lambda name: cycles[name])
    return {
        "critical_path_cycles": latency_cycles(model),
        "max_cycles": cycles[slowest],
        "max_cycles_node_name": slowest,
        "interval_cycles": interval_cycles(model),
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
