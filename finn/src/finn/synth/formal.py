"""Proofs that a design keeps to AXI4-Stream, by Yosys and its ABC, for every input and every timing of its neighbours.

Of a stitched design it is shown that
    ready and valid are low in the cycle after a reset;
    a beat on offer stays, with the same data, until it is taken;
    no output depends on an input of the same cycle;
    the assertions of its modules hold (a result is never pushed into a full buffer);
if the neighbours do the same, may pause in any cycle, and reset comes at any time; AXI4-Lite ports may do anything.
Data are not compared with what they should be: that is what simulation is for.

It is shown for all time, by k-induction with the invariants that the library's modules state under `FORMAL`, or by
property-directed reachability (Bradley, SAT-based model checking without unrolling, VMCAI 2011). Where neither
succeeds, the first cycles have been searched.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from finn.core.errors import FinnError
from finn.dataflow import pipeline, timing
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer
from finn.rtl.stitch import Design, axilite_signals, stitch
from finn.synth.errors import SynthesisError
from finn.synth.yosys import YOSYS


class Method(Enum):
    """How a proof was made. BOUNDED is none: only the first cycles were searched."""

    INDUCTION = "induction"
    REACHABILITY = "reachability"
    BOUNDED = "bounded"


@dataclass(frozen=True)
class Proof:
    """cycles : the length of the induction, or how many cycles from the start were searched; 0 for reachability."""

    method: Method
    cycles: int


class ProtocolError(FinnError):
    """A design that does not keep to AXI4-Stream."""


def prove(layer: Layer, *, cycles: int = 30, seconds: int = 20) -> Proof:
    """Prove `layer` alone. See `prove_design`; results come out of pipelines as late as its schedule says."""
    design = stitch(make_model([("layer", layer)]))
    delays = {w.delay - pipeline.CREDIT_FIFO - extra for w in layer.schedule().writes for extra in (0, 1, 2)}
    return prove_design(design, sorted((d for d in delays if d > 0), reverse=True), cycles=cycles, seconds=seconds)


def prove_design(design: Design, latencies: list[int], *, cycles: int = 30, seconds: int = 20) -> Proof:
    """Prove `design`, or search its first `cycles` cycles; `seconds` for each attempt.

    latencies : what a pipeline in front of a credit_fifo may take; without the right one induction does not succeed.
    Raises ProtocolError for a violation, SynthesisError for sources that Yosys refuses, ToolMissing.
    """
    design = _open(design)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _write(design, work)
        _elaborate(design, work)
        buffered = any(source.stem == "credit_fifo" for source in design.sources)
        for latency in latencies if buffered else [0]:
            if length := _induction(design, work, latency, seconds):
                return Proof(Method.INDUCTION, length)
        searched = _search(design, work, cycles, seconds)
        said = _abc(work, f"pdr -T {seconds}")
        return Proof(Method.REACHABILITY, 0) if "Property proved" in said else Proof(Method.BOUNDED, searched)


def prove_progress(layer: Layer, *, seconds: int = 20) -> bool:
    """Show that the first beats leave when the schedule says, if input is always there and output always taken.

    False if the search did not get that far in `seconds`. Raises ProtocolError if a beat is late.
    """
    design = _open(stitch(make_model([("layer", layer)])))
    times = timing.of_layer(layer, 1)
    # The reset, the cycle in which ready is still low, and the one in which the beat is known.
    until = 3 + max(int(times.passed[t][0, 0]) for t in times.outputs)
    with tempfile.TemporaryDirectory() as name:
        _write(design, Path(name), until)
        _elaborate(design, Path(name))
        return _search(design, Path(name), until + 1, seconds) > until


# The environment

_TOP = """\
{% macro stalled(p) %}
  logic {{ p.prefix }}_wait_q;  // offered in the last cycle and not taken
  logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_data_q;
  always_ff @(posedge clk) begin
    {{ p.prefix }}_wait_q <= rst_n && {{ p.prefix }}_tvalid && !{{ p.prefix }}_tready;
    {{ p.prefix }}_data_q <= {{ p.prefix }}_tdata;
  end
{% endmacro %}
module formal_top (
    input logic clk, input logic rst_n,
{%- for p in design.inputs %}
    input logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata, input logic {{ p.prefix }}_tvalid,
{%- endfor %}
{%- for p in design.outputs %}
    input logic {{ p.prefix }}_tready,
{%- endfor %}
{%- for r in design.registers %}
{%- for way, bits, signal in signals(r) if way == "input" %}
    input logic [{{ bits - 1 }}:0] {{ r.prefix }}_{{ signal }},
{%- endfor %}
{%- endfor %}
    output logic [{{ properties | length }}:0] bad
);
  logic first_q = 1'b1, rst_q;
  int unsigned cycle_q = 0;
  always_ff @(posedge clk) begin
    first_q <= 1'b0;
    rst_q <= rst_n;
    cycle_q <= cycle_q + 1;
  end
  always_comb if (first_q) assume (!rst_n);
{%- for p in design.inputs %}
  (* keep *) logic {{ p.prefix }}_tready;
  {{- stalled(p) }}
  always_comb if (!first_q && {{ p.prefix }}_wait_q) begin
    assume ({{ p.prefix }}_tvalid);
    assume ({{ p.prefix }}_tdata == {{ p.prefix }}_data_q);
  end
{%- endfor %}
{%- for p in design.outputs %}
  (* keep *) logic [{{ p.stream.padded_width - 1 }}:0] {{ p.prefix }}_tdata;
  (* keep *) logic {{ p.prefix }}_tvalid;
  logic {{ p.prefix }}_seen_q = 1'b0;
  always_ff @(posedge clk) if (!first_q && {{ p.prefix }}_tvalid) {{ p.prefix }}_seen_q <= 1'b1;
  {{- stalled(p) }}
{%- endfor %}
{%- if until %}
  always_comb if (!first_q) begin
    assume (rst_n);
{%- for p in design.inputs %}
    assume ({{ p.prefix }}_tvalid);
{%- endfor %}
{%- for p in design.outputs %}
    assume ({{ p.prefix }}_tready);
{%- endfor %}
  end
{%- endif %}
  {{ design.name }} u_design (
{%- for p in design.inputs + design.outputs %}
{%- for wire in ("tdata", "tvalid", "tready") %}
      .{{ p.prefix }}_{{ wire }}({{ p.prefix }}_{{ wire }}),
{%- endfor %}
{%- endfor %}
{%- for r in design.registers %}
{%- for way, bits, signal in signals(r) if way == "input" %}
      .{{ r.prefix }}_{{ signal }}({{ r.prefix }}_{{ signal }}),
{%- endfor %}
{%- endfor %}
      .ap_clk(clk),
      .ap_rst_n(rst_n)
  );
{%- for when in properties.values() %}
  assign bad[{{ loop.index0 }}] = !first_q && {{ when }};
{%- endfor %}
  assign bad[{{ properties | length }}] = 1'b0;
  always_comb assert (bad == '0);
endmodule
"""


def _open(design: Design) -> Design:
    """With streams of constants as inputs like any other: whatever comes on them."""
    return replace(design, inputs=(*design.inputs, *design.constants), constants=())


def _handshakes(design: Design) -> dict[str, str]:
    """Property -> when it is violated, in SystemVerilog."""
    found = {f"ready of {p.prefix} is low after a reset": f"!rst_q && {p.prefix}_tready" for p in design.inputs}
    for p in (port.prefix for port in design.outputs):
        found[f"valid of {p} is low after a reset"] = f"!rst_q && {p}_tvalid"
        found[f"valid of {p} stays until ready"] = f"{p}_wait_q && !{p}_tvalid"
        found[f"data of {p} stay until ready"] = f"{p}_wait_q && {p}_tdata != {p}_data_q"
    return found


def _write(design: Design, work: Path, until: int = 0) -> None:
    """Write the design, formal_top.sv and properties.txt. until : a cycle by which first beats have to be out, or 0."""
    late = {
        f"{p.prefix} has a beat by cycle {until}": f"cycle_q == {until} && !{p.prefix}_seen_q" for p in design.outputs
    }
    properties = late if until else _handshakes(design)
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    design.write(work)
    text = environment.from_string(_TOP).render(
        design=design, properties=properties, until=until, signals=axilite_signals
    )
    (work / "formal_top.sv").write_text(text)
    (work / "properties.txt").write_text("\n".join([*properties, "the assertions of its modules hold"]))


# The tools

_READ = """\
read_verilog -sv -formal -DSYNTHESIS {define} {sources} formal_top.sv
hierarchy -check -top formal_top
proc
flatten
check -assert
opt -fast
memory -nomap
memory_map
setundef -undriven -anyseq
opt -fast
"""

# The cone of the outputs, up to registers, cut with the inputs.
_PATHS = """select -set driven {driven}
select -set given {given}
tee -o paths.txt select -list @driven %ci*:-$dff,$dffe,$adff,$adffe,$sdff,$sdffe,$sdffce @given %i
"""

_AIGER = """\
async2sync
chformal -lower
techmap
opt -fast
dffunmap
simplemap
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset formal.aig
"""

_INDUCTION = "sat -seq 1 -tempinduct -prove-asserts -set-assumes -maxsteps {steps} -timeout {seconds} formal_top\n"


def _yosys(design: Design, work: Path, script: str, define: str = "") -> str:
    """What Yosys says. It may end with an error status: `sat` does when it has no proof."""
    YOSYS.require()
    sources = " ".join(sorted({f'"{source.name}"' for source in design.sources} | {f'"{design.name}.sv"'}))
    (work / "formal.ys").write_text(_READ.format(define=define, sources=sources) + script)
    code = "from pyosys import libyosys; libyosys.run_pass('script formal.ys', libyosys.Design())"
    status = YOSYS.run(code, [], work, work / "formal.log")
    said = (work / "formal.log").read_text(errors="replace")
    if status and (error := re.search(r"ERROR: ?(.*)", said)):
        raise SynthesisError(
            error[1], where=design.name, why="Yosys refuses it", remedy="mend the source that it names"
        )
    return said


def _elaborate(design: Design, work: Path) -> None:
    """Write formal.aig. Raises ProtocolError if an output depends on an input of the same cycle."""
    driven = [f"w:{p.prefix}_tready" for p in design.inputs]
    driven += [f"w:{p.prefix}_{wire}" for p in design.outputs for wire in ("tdata", "tvalid")]
    given = [f"i:{p.prefix}_{wire}" for p in design.inputs for wire in ("tdata", "tvalid")]
    given += [f"i:{p.prefix}_tready" for p in design.outputs]
    _yosys(design, work, _PATHS.format(driven=" ".join(driven), given=" ".join(given)) + _AIGER)
    paths = sorted(line.split("/")[-1] for line in (work / "paths.txt").read_text().split())
    if paths:
        raise ProtocolError(
            f"an output depends on {', '.join(paths)} of the same cycle",
            where=design.name,
            remedy="put a stream_register between them",
        )


def _abc(work: Path, command: str) -> str:
    """What ABC says about formal.aig: its outputs are the properties, then the assertions in the modules."""
    program = Path(YOSYS.status().path) / "yosys-abc"
    commands = f"read_aiger formal.aig; fold; scorr; dc2; {command}"
    return subprocess.run([program, "-q", commands], cwd=work, capture_output=True, text=True, check=False).stdout


def _search(design: Design, work: Path, cycles: int, seconds: int) -> int:
    """How many cycles were searched. Raises ProtocolError if a property is violated in one of them."""
    said = _abc(work, f"bmc3 -F {cycles} -T {seconds}")
    if violated := re.search(r"Output (\d+) .*asserted in frame (\d+)", said):
        properties = (work / "properties.txt").read_text().splitlines()
        raise ProtocolError(
            f"it is not true that {properties[min(int(violated[1]), len(properties) - 1)]}",
            where=design.name,
            why=f"it is violated in cycle {violated[2]}",
            remedy="look at the way of the named signal in simulation",
        )
    searched = re.search(r"No output asserted in (\d+) frames", said)
    if not searched:
        raise SynthesisError("ABC gives no answer", where=design.name, why=said.strip().rpartition("\n")[2])
    return int(searched[1])


def _induction(design: Design, work: Path, latency: int, seconds: int) -> int:
    """The length of the induction that proves all properties, or 0."""
    steps = _INDUCTION.format(steps=latency + 3, seconds=seconds)
    said = _yosys(
        design, work, "async2sync\nchformal -lower\nopt_clean\n" + steps, f"-DFINN_LATENCY={latency}" if latency else ""
    )
    lengths = re.findall(r"Trying induction with length (\d+)", said)
    return int(lengths[-1]) if "Induction step proven: SUCCESS!" in said else 0
