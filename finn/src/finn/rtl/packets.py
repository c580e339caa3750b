"""A design whose frames are packets: for DMA engines and networks that go by TLAST (FINN's TLastMarker)."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from finn.rtl.library import sources_of
from finn.rtl.names import check_name
from finn.rtl.stitch import Design, axilite_signals

MARKER = "tlast_marker"

WRAPPER = """\
// {{ name }}: {{ design.name }}, with TLAST on the last beat of each frame that leaves.
// TLAST of what comes is ignored: the design counts its beats.
module {{ name }} (
    input  logic ap_clk,
    input  logic ap_rst_n,
{%- for p in inputs %}
    input  logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata,
    input  logic {{ p.prefix }}_tlast,
    input  logic {{ p.prefix }}_tvalid,
    output logic {{ p.prefix }}_tready,
{%- endfor %}
{%- for r in design.registers %}
{%- for way, bits, signal in axilite(r) %}
    {{ "%-6s" | format(way) }} logic [{{ bits - 1 }}:0] {{ r.prefix }}_{{ signal }},
{%- endfor %}
{%- endfor %}
{%- for p in design.outputs %}
    output logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata,
    output logic {{ p.prefix }}_tlast,
    output logic {{ p.prefix }}_tvalid,
    input  logic {{ p.prefix }}_tready{{ "," if not loop.last }}
{%- endfor %}
);
  logic unused_tlast;
  assign unused_tlast = ^{ {%- for p in inputs %}{{ p.prefix }}_tlast{{ ", " if not loop.last }}{% endfor %}};
{% for p in design.outputs %}
  logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_data;
  logic {{ p.prefix }}_valid, {{ p.prefix }}_ready;
  tlast_marker #(
      .Width({{ p.stream.padded_width }}),
      .Beats({{ p.stream.beats }})
  ) mark_{{ p.prefix }} (
      .clk_i(ap_clk),
      .rst_ni(ap_rst_n),
      .s_axis_tdata({{ p.prefix }}_data),
      .s_axis_tvalid({{ p.prefix }}_valid),
      .s_axis_tready({{ p.prefix }}_ready),
      .m_axis_tdata({{ p.prefix }}_tdata),
      .m_axis_tlast({{ p.prefix }}_tlast),
      .m_axis_tvalid({{ p.prefix }}_tvalid),
      .m_axis_tready({{ p.prefix }}_tready)
  );
{% endfor %}
  {{ design.name }} u_design (
{%- for p in inputs %}
      .{{ p.prefix }}_tdata,
      .{{ p.prefix }}_tvalid,
      .{{ p.prefix }}_tready,
{%- endfor %}
{%- for r in design.registers %}
{%- for _, _, signal in axilite(r) %}
      .{{ r.prefix }}_{{ signal }},
{%- endfor %}
{%- endfor %}
{%- for p in design.outputs %}
      .{{ p.prefix }}_tdata({{ p.prefix }}_data),
      .{{ p.prefix }}_tvalid({{ p.prefix }}_valid),
      .{{ p.prefix }}_tready({{ p.prefix }}_ready),
{%- endfor %}
      .ap_clk,
      .ap_rst_n
  );
endmodule
"""


def packets(design: Design, name: str) -> str:
    """The module `name`: `design` with a TLAST on each port, in SystemVerilog. It also needs `marker_sources()`.

    Raises RtlError if the name is none in SystemVerilog.
    """
    check_name(name, "name of the wrapper")
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return environment.from_string(WRAPPER).render(
        name=name, design=design, inputs=(*design.inputs, *design.constants), axilite=axilite_signals
    )


def marker_sources() -> tuple[Path, ...]:
    """The library files of what the wrapper adds."""
    return sources_of(MARKER)
