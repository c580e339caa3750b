# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The C++ of a whole graph: its kernels, the streams between them, and a function per kernel.

The text depends on the structure alone; weights and thresholds are data, given when the network is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from finn.core.datatype import BaseDataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import Instance, instances
from finn.dataflow.layer import CppObject, IntArray, Stream
from finn.hls import cpp
from finn.hls.errors import HlsError

PART = 6
"""Kernels per translation unit."""

PATIENCE = 64
"""Frames' time after which a kernel that has not written what it should never will."""


@dataclass(frozen=True, eq=False)
class Source:
    """The sources of a simulation.

    header : what all parts include. parts : translation units.
    tables : of each table the values and their type, in the order in which the network takes them.
    tensors : of all streams, in the order of their numbers. inputs, outputs : those at the border, in their order.
    """

    header: str
    parts: tuple[str, ...]
    tables: tuple[tuple[IntArray, BaseDataType], ...]
    tensors: tuple[str, ...]
    inputs: tuple[tuple[str, Stream], ...]
    outputs: tuple[tuple[str, Stream], ...]
    instances: tuple[Instance, ...]


HEADER = """\
{% for name in library -%}
#include <{{ name }}>
{% endfor %}
#include "runtime.hpp"

{% for n in nodes -%}
// {{ n.name }}
{{ n.config }}
{% endfor -%}
struct Network {
  explicit Network([[maybe_unused]] const void *const *tables)
{%- for t in tables %}
      {{ "," if loop.index0 else ":" }} table_{{ loop.index0 }}(tables[{{ loop.index0 }}])
{%- endfor %} {}
{%- for t in tables %}
  finn::sim::Table<{{ t }}> table_{{ loop.index0 }};
{%- endfor %}
{%- for s in streams %}
  finn::sim::Stream<{{ s.beat }}> stream_{{ loop.index0 }};  // {{ s.tensor }}
{%- endfor %}
{%- for r in repeated %}
  finn::sim::Repeated<{{ r.beat }}, {{ r.beats }}> repeated_{{ r.table }}{&table_{{ r.table }}.get()};
{%- endfor %}
{%- for n in nodes %}
  finn::{{ n.kernel }}<Config{{ loop.index0 }}> kernel_{{ loop.index0 }};
{%- endfor %}
  finn::sim::Port *ports[{{ streams | length }}] = {
{%- for s in streams %}
      &stream_{{ loop.index0 }},
{%- endfor %}
  };
  uint64_t steps[{{ nodes | length }}] = {};
};

using finn::sim::Fault;
{% for n in nodes -%}
Fault run_{{ loop.index0 }}(Network &n);
Fault follow_{{ loop.index0 }}(Network &n, const int64_t *made, const int64_t *used, const int64_t *arrived);
{% endfor %}"""

PART_TEXT = """\
#include "network.hpp"
{% for k, n in nodes %}
Fault run_{{ k }}(Network &n) {
  const auto step = [&n] { n.kernel_{{ k }}.step({{ n.call }}); };
  n.steps[{{ k }}] += finn::sim::drive({{ n.most }}, step, {{ n.outs | join(", ") }});
  Fault fault = finn::sim::None;
  {%- for i in n.ins %}
  fault = std::max(fault, {{ i }}.read_fault());
  {%- endfor %}
  {%- for o in n.outs %}
  fault = std::max(fault, {{ o }}.write_fault());
  {%- endfor %}
  return fault;
}
Fault follow_{{ k }}(Network &n, const int64_t *made, const int64_t *used, const int64_t *arrived) {
  {%- for i in n.in_numbers %}
  n.stream_{{ i }}.allow(used[{{ i }}], arrived[{{ i }}]);
  {%- endfor %}
  {%- for o in n.out_numbers %}
  n.stream_{{ o }}.demand(made[{{ o }}]);
  {%- endfor %}
  return run_{{ k }}(n);
}
{% endfor %}"""

MAIN = """\
#include "network.hpp"

namespace {
decltype(&run_0) const Runs[] = {
{%- for n in nodes %}
    run_{{ loop.index0 }},
{%- endfor %}
};
decltype(&follow_0) const Follows[] = {
{%- for n in nodes %}
    follow_{{ loop.index0 }},
{%- endfor %}
};
constexpr uint64_t Beats[] = {
{%- for s in streams %}
    {{ s.beats }},
{%- endfor %}
};
}  // namespace

extern "C" {
void *finn_network_new(const void *const *tables) { return new Network(tables); }
void finn_network_free(void *network) { delete static_cast<Network *>(network); }
uint64_t finn_network_steps(void *network, int64_t node) { return static_cast<Network *>(network)->steps[node]; }
uint64_t finn_network_most(void *network, int64_t k) { return static_cast<Network *>(network)->ports[k]->most; }
// `Follow` of timing.cpp.
int64_t finn_network_follow(void *network, int64_t node, const int64_t *made, const int64_t *used,
                            const int64_t *arrived) {
  return Follows[node](*static_cast<Network *>(network), made, used, arrived);
}
void finn_network_send(void *network, const void *const *inputs, uint64_t frames) {
  Network &n = *static_cast<Network *>(network);
{%- for s in inputs %}
  n.stream_{{ s }}.fill(inputs[{{ loop.index0 }}], frames * Beats[{{ s }}]);
{%- endfor %}
}
void finn_network_receive(void *network, void *const *outputs, uint64_t frames) {
  Network &n = *static_cast<Network *>(network);
{%- for s in outputs %}
  n.stream_{{ s }}.drain(outputs[{{ loop.index0 }}], frames * Beats[{{ s }}]);
{%- endfor %}
}
// Frames through all kernels, one after the other. Returns the node that went wrong, with its fault, or -1.
int64_t finn_network_run(void *network, uint64_t frames, int64_t *fault) {
  Network &n = *static_cast<Network *>(network);
  for (uint64_t k = 0; k < sizeof(Beats) / sizeof(Beats[0]); ++k) n.ports[k]->target += frames * Beats[k];
  for (uint64_t node = 0; node < sizeof(Runs) / sizeof(Runs[0]); ++node) {
    for (finn::sim::Port *port : n.ports) port->limit = port->tail;
    if ((*fault = Runs[node](n)) != finn::sim::None) return static_cast<int64_t>(node);
  }
  return -1;
}
}
"""


def source_of(model: ModelWrapper) -> Source:
    """The sources for a graph of layers. Raises DataflowError if a node is no layer, LayerError without a kernel."""
    found = instances(model)
    streams = _streams(found)
    number = {tensor: k for k, tensor in enumerate(streams)}
    tables = _Tables()
    nodes = [_node(k, i, number, tables) for k, i in enumerate(found)]
    inputs, outputs = (
        tuple((t.name, streams[t.name]) for t in border if t.name in streams)
        for border in (model.graph.input, model.graph.output)
    )
    context = {
        "library": cpp.headers(i.layer for i in found),
        "nodes": nodes,
        "tables": tables.types,
        "repeated": tables.repeated,
        "streams": [{"beat": cpp.beat_of(s), "beats": s.beats, "tensor": t} for t, s in streams.items()],
        "inputs": [number[t] for t, _ in inputs],
        "outputs": [number[t] for t, _ in outputs],
    }
    numbered = list(enumerate(nodes))
    parts = [_render(PART_TEXT, {"nodes": numbered[k : k + PART]}) for k in range(0, len(nodes), PART)]
    return Source(
        _render(HEADER, context),
        (*parts, _render(MAIN, context)),
        tuple(tables.data),
        tuple(number),
        inputs,
        outputs,
        tuple(found),
    )


def _streams(found: Sequence[Instance]) -> dict[str, Stream]:
    """Tensor -> its stream. Raises HlsError if its two ends have beats of different sizes."""
    streams: dict[str, Stream] = {}
    for i in found:
        for tensor, stream in zip((*i.inputs, *i.outputs), (*i.layer.inputs, *i.layer.outputs), strict=True):
            other = streams.setdefault(tensor, stream)
            if other.lanes != stream.lanes:
                raise HlsError(
                    f"beats of {other.lanes} elements go into a layer that takes {stream.lanes}",
                    where=f"node {i.name}, tensor {tensor}",
                    remedy="call finn.dataflow.fifo.insert_width_converters first",
                )
    return streams


class _Tables:
    """What the kernels of a network read from memory."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.data: list[tuple[IntArray, BaseDataType]] = []
        self.repeated: list[dict[str, str | int]] = []

    def add(self, kind: str, values: IntArray, dtype: BaseDataType) -> int:
        self.types.append(kind)
        self.data.append((values, dtype))
        return len(self.types) - 1

    def repeat(self, stream: Stream, values: IntArray) -> str:
        """A stream that sends the same values again and again."""
        beat = cpp.beat_of(stream)
        table = self.add(beat, stream.to_beats(values), stream.dtype)
        self.repeated.append({"table": table, "beat": beat, "beats": stream.beats})
        return f"n.repeated_{table}"

    def expression(self, given: CppObject, streams: Sequence[str]) -> str:
        """What `step` gets for this object."""
        kind = cpp.object_type(given)
        if given.stream is not None:
            return f"{kind}({streams[given.stream]})"
        if given.values is None or given.dtype is None:
            return f"{kind}()"
        return f"n.table_{self.add(kind, given.values, given.dtype)}.get()"


def _node(index: int, instance: Instance, number: Mapping[str, int], tables: _Tables) -> dict[str, object]:
    layer, kernel = instance.layer, instance.layer.hls()
    ins, outs = ([f"n.stream_{number[t]}" for t in tensors] for tensors in (instance.inputs, instance.outputs))
    constants = [tables.repeat(c.stream, c.values) for c in layer.constant_inputs]
    objects = [tables.expression(o, [*ins, *constants]) for o in kernel.objects]
    used = [s for k, s in enumerate(constants, len(ins)) if k not in {o.stream for o in kernel.objects}]
    return {
        "name": instance.name,
        "kernel": kernel.kernel,
        "config": cpp.config_struct(f"Config{index}", kernel),
        "call": ", ".join([*ins, *used, *outs, *objects]),
        "ins": ins,
        "outs": outs,
        "in_numbers": [number[t] for t in instance.inputs],
        "out_numbers": [number[t] for t in instance.outputs],
        "most": f"{PATIENCE} * {max(layer.cycles, *(s.beats for s in (*layer.inputs, *layer.outputs)))}ull",
    }


def _render(text: str, context: Mapping[str, object]) -> str:
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return environment.from_string(text).render(**context)
