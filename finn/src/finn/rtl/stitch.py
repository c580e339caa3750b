"""One SystemVerilog top for a dataflow graph: an instance per layer, named after its node, streams in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import Instance, instances
from finn.dataflow.layer import ConstantInput, Rtl, Stream
from finn.rtl.errors import RtlError
from finn.rtl.library import library, sources_of
from finn.rtl.names import check_name

PROBE = "stream_probe"
AXILITE = "axi_lite"
MEMORY = ".dat"


@dataclass(frozen=True)
class Port:
    """An AXI4-Stream port of a design. `prefix` is s_axis_<n> or m_axis_<n>, `tensor` the ONNX tensor it carries.

    constant : what has to be sent again and again, if it carries no tensor; then `tensor` says for which layer.
    """

    prefix: str
    stream: Stream
    tensor: str
    constant: ConstantInput | None = None


@dataclass(frozen=True)
class RegisterPort:
    """An AXI4-Lite port of a design, `prefix` s_axilite_<n>: the registers of one layer, with so many address bits."""

    prefix: str
    node: str
    address_bits: int


@dataclass(frozen=True)
class Link:
    """A stream between two layers or at the border, with the names of both sides ("" for outside)."""

    name: str
    stream: Stream
    producer: str
    consumer: str


@dataclass(frozen=True)
class Design:
    """A stitched design: everything that a simulator or a synthesis tool reads.

    inputs, outputs : the ports of the graph's tensors. constants : input ports behind those, for ConstantInputs.
    modules : the module of each instance.
    """

    name: str
    top: str
    sources: tuple[Path, ...]
    memories: dict[str, list[str]]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    links: tuple[Link, ...]
    instances: tuple[Instance, ...]
    constants: tuple[Port, ...] = ()
    registers: tuple[RegisterPort, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)

    @property
    def fifos(self) -> tuple[str, ...]:
        """Instances that are FIFOs."""
        return self._of_module("streaming_fifo")

    @property
    def checksums(self) -> tuple[str, ...]:
        """Instances that sum up their stream."""
        return self._of_module("checksum")

    def _of_module(self, module: str) -> tuple[str, ...]:
        return tuple(name for name, of in self.modules.items() if of == module)

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write <name>.sv, the library files, the memories and all_verilog_srcs.txt; return the path of the top."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        self.write_memories(folder)
        for source in self.sources:
            shutil.copyfile(source, folder / source.name)
        top = folder / f"{self.name}.sv"
        top.write_text(self.top)
        names = [*(s.name for s in self.sources), top.name]
        (folder / "all_verilog_srcs.txt").write_text("".join(f"{n}\n" for n in names))
        return top

    def write_memories(self, directory: Path) -> None:
        """Write the hexadecimal memory files."""
        for name, words in self.memories.items():
            (directory / name).write_text("".join(f"{w}\n" for w in words))


TOP = """\
// {{ name }}: {{ instances | length }} layers. AXI4-Stream in and out, one clock, synchronous active-low reset.
// Memories are read from the .dat files beside this one.
{%- for i in instances %}
//   {{ "%-32s" | format(i.name) }} {{ i.summary }}
{%- endfor %}
module {{ name }} (
    input  logic ap_clk,
    input  logic ap_rst_n,
{%- for p in inputs %}
    input  logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata,
    input  logic {{ p.prefix }}_tvalid,
    output logic {{ p.prefix }}_tready,
{%- endfor %}
{%- for r in registers %}
{%- for way, bits, signal in axilite(r) %}
    {{ "%-6s" | format(way) }} logic [{{ bits - 1 }}:0] {{ r.prefix }}_{{ signal }},
{%- endfor %}
{%- endfor %}
{%- for p in outputs %}
    output logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata,
    output logic {{ p.prefix }}_tvalid,
    input  logic {{ p.prefix }}_tready{{ "," if not loop.last }}
{%- endfor %}
);
{%- for l in links %}
  logic [{{ l.stream.width - 1 }}:0] {{ l.name }}_data;
  logic {{ l.name }}_valid, {{ l.name }}_ready;
{%- endfor %}
{%- for r in registers %}
  logic [{{ r.address_bits + 30 }}:0] {{ r.node }}_request_data;
  logic [31:0] {{ r.node }}_reply_data;
  logic {{ r.node }}_request_valid, {{ r.node }}_request_ready, {{ r.node }}_reply_valid, {{ r.node }}_reply_ready;
{%- endfor %}
{% for p in inputs %}
  assign {{ wires[p.prefix] }}_data = {{ p.prefix }}_tdata[{{ p.stream.width - 1 }}:0];
  assign {{ wires[p.prefix] }}_valid = {{ p.prefix }}_tvalid;
  assign {{ p.prefix }}_tready = {{ wires[p.prefix] }}_ready;
{%- if p.stream.padded_width > p.stream.width %}
  logic {{ p.prefix }}_unused;
  assign {{ p.prefix }}_unused = ^{{ p.prefix }}_tdata[{{ p.stream.padded_width - 1 }}:{{ p.stream.width }}];
{%- endif %}
{%- endfor %}
{%- for p in outputs %}
  assign {{ p.prefix }}_tdata = {{ p.stream.padded_width }}'({{ wires[p.prefix] }}_data);
  assign {{ p.prefix }}_tvalid = {{ wires[p.prefix] }}_valid;
  assign {{ wires[p.prefix] }}_ready = {{ p.prefix }}_tready;
{%- endfor %}
{% for i in instances %}
  {{ i.module }} {% if i.parameters %}#(
{%- for key, value in i.parameters %}
      .{{ key }}({{ value }}){{ "," if not loop.last }}
{%- endfor %}
  ) {% endif %}{{ i.name }} (
      .clk_i(ap_clk),
      .rst_ni(ap_rst_n),
      .in_data_i({{ together(i.inputs, "data") }}),
      .in_valid_i({{ together(i.inputs, "valid") }}),
      .in_ready_o({{ together(i.inputs, "ready") }}),
      .out_data_o({{ together(i.outputs, "data") }}),
      .out_valid_o({{ together(i.outputs, "valid") }}),
      .out_ready_i({{ together(i.outputs, "ready") }})
  );
{% endfor %}
{%- for r in registers %}
  axi_lite #(
      .AddrBits({{ r.address_bits }})
  ) {{ r.prefix }} (
      .clk_i(ap_clk),
      .rst_ni(ap_rst_n),
{%- for way, bits, signal in axilite(r) %}
      .s_axilite_{{ signal }}_{{ way[0] }}({{ r.prefix }}_{{ signal }}),
{%- endfor %}
      .request_data_o({{ r.node }}_request_data),
      .request_valid_o({{ r.node }}_request_valid),
      .request_ready_i({{ r.node }}_request_ready),
      .reply_data_i({{ r.node }}_reply_data),
      .reply_valid_i({{ r.node }}_reply_valid),
      .reply_ready_o({{ r.node }}_reply_ready)
  );
{% endfor %}
`ifndef SYNTHESIS
{%- for l in links %}
  stream_probe #(
      .Width({{ l.stream.width }})
  ) probe_{{ l.name }} (
      .clk_i(ap_clk),
      .rst_ni(ap_rst_n),
      .data_i({{ l.name }}_data),
      .valid_i({{ l.name }}_valid),
      .ready_i({{ l.name }}_ready)
  );
{%- endfor %}
`endif
endmodule
"""


def stitch(model: ModelWrapper, name: str = "finn_design", made: Mapping[str, Sequence[Path]] | None = None) -> Design:
    """The design of a dataflow graph: one top module `name`.

    made : of layers that are not built from the library, the files by node name: Verilog with a module <node>_hls,
    which has the ports of a library module and no parameters, and the .dat files that it reads.
    Raises DataflowError if the graph is not one of layers, RtlError if a name is none in SystemVerilog.
    """
    found = instances(model)
    given = made or {}
    _check_names(name, found, given)
    links = _links(model, found)
    inputs = tuple(
        Port(f"s_axis_{k}", links[t.name].stream, t.name) for k, t in enumerate(model.graph.input) if t.name in links
    )
    outputs = tuple(Port(f"m_axis_{k}", links[t.name].stream, t.name) for k, t in enumerate(model.graph.output))
    constants = _constants(found, len(model.graph.input))
    links |= {p.tensor: Link(f"in{p.prefix.rsplit('_')[-1]}", p.stream, "", p.tensor.split()[0]) for p in constants}
    rtl = {i.name: Rtl(f"{i.name}_hls", {}) if i.name in given else i.layer.rtl() for i in found}
    writable = [(name, r.axilite) for name, r in rtl.items() if r.axilite]
    registers = tuple(RegisterPort(f"s_axilite_{k}", name, bits) for k, (name, bits) in enumerate(writable))
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    top = environment.from_string(TOP).render(
        name=name,
        inputs=(*inputs, *constants),
        outputs=outputs,
        registers=registers,
        axilite=axilite_signals,
        links=list(links.values()),
        wires={p.prefix: links[p.tensor].name for p in (*inputs, *constants, *outputs)},
        instances=[_render(i, rtl[i.name], links) for i in found],
        together=_together,
    )
    return Design(
        name, top, _sources(rtl, given), _memories(rtl, given), inputs, outputs, tuple(links.values()), tuple(found),
        constants, registers, {name: r.module for name, r in rtl.items()},
    )  # fmt: skip


def _check_names(name: str, found: Sequence[Instance], made: Mapping[str, Sequence[Path]]) -> None:
    """Raise RtlError for names that SystemVerilog does not take, or that two modules would have."""
    check_name(name, "name of the design")
    for i in found:
        check_name(i.name, "name of a node")
        if i.name in made and i.name in {name, *library()}:
            raise RtlError(f"name of a node {i.name!r}", why="another module has it", remedy="rename the node")


def _sources(rtl: Mapping[str, Rtl], made: Mapping[str, Sequence[Path]]) -> tuple[Path, ...]:
    """The library's files that the instances need, and of those that are made what is no memory."""
    modules = {PROBE, *(r.module for name, r in rtl.items() if name not in made)}
    if any(r.axilite for r in rtl.values()):
        modules.add(AXILITE)
    files = {path for module in modules for path in sources_of(module)}
    return tuple(sorted(files | {path for paths in made.values() for path in paths if path.suffix != MEMORY}))


def _memories(rtl: Mapping[str, Rtl], made: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
    """File name -> lines of hexadecimal words."""
    own = {f"{name}{suffix}": words for name, r in rtl.items() for suffix, words in r.memories.items()}
    read = [path for paths in made.values() for path in paths if path.suffix == MEMORY]
    return own | {path.name: path.read_text().splitlines() for path in read}


def axilite_signals(port: RegisterPort) -> list[tuple[str, int, str]]:
    """(direction, bits, name) of the signals of an AXI4-Lite port (ARM IHI 0022, B1.1)."""
    inputs = {"awaddr": port.address_bits, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1}
    inputs |= {"araddr": port.address_bits, "arvalid": 1, "rready": 1}
    outputs = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1}
    return [(way, bits, name) for way, side in (("input", inputs), ("output", outputs)) for name, bits in side.items()]


def _constants(found: list[Instance], first: int) -> tuple[Port, ...]:
    """The ports of constant inputs; the first is s_axis_<first>."""
    inputs = [(name, c) for i in found for name, c in zip(_constant_names(i), i.layer.constant_inputs, strict=True)]
    return tuple(Port(f"s_axis_{k}", c.stream, name, c) for k, (name, c) in enumerate(inputs, first))


def _constant_names(instance: Instance) -> list[str]:
    """What takes the place of tensor names for constant inputs; no tensor of a graph is called like that."""
    streams = len(instance.inputs)
    return [f"{instance.name} input {streams + k}" for k in range(len(instance.layer.constant_inputs))]


def _links(model: ModelWrapper, found: list[Instance]) -> dict[str, Link]:
    """Tensor name -> its stream, in the order of production."""
    streams: dict[str, tuple[Stream, str, str]] = {}
    for i in found:
        for tensor, stream in zip(i.inputs, i.layer.inputs, strict=True):
            known = streams.get(tensor, (stream, "", ""))
            streams[tensor] = (known[0], known[1], i.name)
        for k, (tensor, stream) in enumerate(zip(i.outputs, i.layer.outputs, strict=True)):
            streams[tensor] = (stream, f"{i.name}_out{k}", "")
    ports = {t.name: k for k, t in enumerate(model.graph.input)}
    return {
        tensor: Link(wire or f"in{ports[tensor]}", stream, wire.rsplit("_", 1)[0] if wire else "", consumer)
        for tensor, (stream, wire, consumer) in streams.items()
    }


def _render(instance: Instance, rtl: Rtl, links: dict[str, Link]) -> dict[str, object]:
    parameters = [(k, _literal(v)) for k, v in rtl.parameters.items()]
    if rtl.memories:
        parameters.append(("File", f'"{instance.name}"'))
    first, last = instance.layer.inputs[0], instance.layer.outputs[-1]
    requests, replies = ([f"{instance.name}_{what}"] if rtl.axilite else [] for what in ("request", "reply"))
    return {
        "name": instance.name,
        "module": rtl.module,
        "parameters": parameters,
        "summary": f"{first.folded_shape} {first.dtype.name} -> {last.folded_shape} {last.dtype.name}",
        "inputs": [*(links[t].name for t in (*instance.inputs, *_constant_names(instance))), *requests],
        "outputs": [*(links[t].name for t in instance.outputs), *replies],
    }


def _literal(value: int | str | tuple[int, ...]) -> str:
    """A parameter's value in SystemVerilog."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"32'd{v}" for v in reversed(value)) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _together(wires: list[str], part: str) -> str:
    """What a port of a layer is connected to: stream k of several stands above stream k - 1."""
    names = [f"{wire}_{part}" for wire in reversed(wires)]
    return names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
