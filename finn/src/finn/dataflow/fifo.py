"""Width converters and FIFOs between the layers, and the depths that the FIFOs need."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnx import helper

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DOMAIN, Instance, attributes, instances
from finn.dataflow.layer import Layer, Stream
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter

Edge = tuple[str, str]
"""The names of the producing and the consuming layer."""

BORDER = 2
"""Beats that the layers hold at a border without a FIFO; a FIFO that needs no more is left out."""

SMALLEST = 4
"""The least depth that passes one beat per cycle."""


@dataclass(frozen=True)
class Measurement:
    """What a simulation says: cycles from frame to frame, and the most beats that each FIFO held, by its name."""

    interval: float
    high_water: Mapping[str, int]


@dataclass(frozen=True)
class FifoSizing:
    """depths : by edge, only of the FIFOs that are needed. interval_generous : cycles per frame with FIFOs that never
    fill; interval : with these depths, measured."""

    depths: dict[Edge, int]
    interval_generous: float
    interval: float

    @property
    def unchanged(self) -> bool:
        return self.interval <= self.interval_generous


def edges(model: ModelWrapper) -> dict[Edge, str]:
    """The streams between two layers, by their ends -> tensor name."""
    producer = {t: i.name for i in instances(model) for t in i.outputs}
    return {(producer[t], i.name): t for i in instances(model) for t in i.inputs if t in producer}


def insert_width_converters(model: ModelWrapper) -> int:
    """Put a StreamingDataWidthConverter where the lanes of two neighbours differ, in place. Returns how many."""
    found = {i.name: i for i in instances(model)}
    count = 0
    for (producer, consumer), tensor in edges(model).items():
        out, into = _ends(found[producer], found[consumer], tensor)
        if out.lanes != into.lanes:
            converter = StreamingDataWidthConverter(out.shape, out.dtype, out.lanes, into.lanes)
            _insert(model, tensor, f"StreamingDataWidthConverter_{count}", converter)
            count += 1
    return count


def insert_fifos(model: ModelWrapper, depths: Mapping[Edge, int]) -> dict[str, Edge]:
    """Put FIFOs of these depths on these edges, in place. Returns the edge of each FIFO by its name."""
    found = {i.name: i for i in instances(model)}
    names = {}
    tensors = edges(model)
    for number, (edge, depth) in enumerate(depths.items()):
        out, _ = _ends(found[edge[0]], found[edge[1]], tensors[edge])
        name = f"StreamingFIFO_{number}"
        _insert(model, tensors[edge], name, StreamingFIFO(out.shape, out.dtype, out.lanes, depth))
        names[name] = edge
    return names


def configured_depths(model: ModelWrapper) -> dict[Edge, int]:
    """Depths from the layers' inFIFODepths and outFIFODepths: the larger of both ends, if it is more than 2."""
    found = {i.name: i for i in instances(model)}
    depths = {}
    for (producer, consumer), tensor in edges(model).items():
        out = found[producer].layer.outFIFODepths[found[producer].outputs.index(tensor)]
        into = found[consumer].layer.inFIFODepths[found[consumer].inputs.index(tensor)]
        if max(out, into) > BORDER:
            depths[producer, consumer] = max(SMALLEST, out, into)
    return depths


def size_fifos(model: ModelWrapper, measure: Callable[[ModelWrapper], Measurement]) -> FifoSizing:
    """The depths that keep the throughput, from simulation; `model` (with width converters) is not changed.

    First every stream gets a FIFO that holds two frames, and `measure` tells the throughput and the most that each one
    held. Then the design without FIFOs is measured: if it is as fast, none is needed. If not, the high-water marks are
    the depths, and a last run proves them; if it is slower after all, they are doubled until it is not.
    """
    streams = {i.name: i.layer for i in instances(model)}
    generous = {e: max(SMALLEST, 2 * streams[e[0]].outputs[0].beats) for e in edges(model)}
    first, names = _with_fifos(model, generous, measure)
    bare = measure(model)
    if bare.interval <= first.interval:
        return FifoSizing({}, first.interval, bare.interval)
    depths = {names[n]: max(SMALLEST, peak) for n, peak in first.high_water.items() if peak > BORDER}
    while True:
        proof, _ = _with_fifos(model, depths, measure)
        if proof.interval <= first.interval or depths == generous:
            return FifoSizing(depths, first.interval, proof.interval)
        depths = {e: min(generous[e], 2 * depths.get(e, SMALLEST)) for e in generous}


def _with_fifos(
    model: ModelWrapper, depths: Mapping[Edge, int], measure: Callable[[ModelWrapper], Measurement]
) -> tuple[Measurement, dict[str, Edge]]:
    trial = copy.deepcopy(model)
    names = insert_fifos(trial, depths)
    return measure(trial), names


def _ends(producer: Instance, consumer: Instance, tensor: str) -> tuple[Stream, Stream]:
    return (
        producer.layer.outputs[producer.outputs.index(tensor)],
        consumer.layer.inputs[consumer.inputs.index(tensor)],
    )


def _insert(model: ModelWrapper, tensor: str, name: str, layer: Layer) -> None:
    """Put `layer` behind `tensor`, in front of its only reader."""
    (reader,) = model.find_consumers(tensor)
    new = model.make_new_valueinfo_name(name)
    model.set_tensor_shape(new, model.get_tensor_shape(tensor) or [], model.get_tensor_elem_type(tensor))
    model.set_tensor_datatype(new, model.get_tensor_datatype(tensor))
    model.set_node_input(reader, list(reader.input).index(tensor), new)
    node = helper.make_node(type(layer).__name__, [tensor], [new], name, domain=DOMAIN, **attributes(layer))
    model.insert_node(model.get_node_index(reader) or 0, node)
