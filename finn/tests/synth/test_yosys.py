"""Synthesis: numbers that follow from reasoning, and designs that must be refused."""

from pathlib import Path

import pytest

from finn.synth import OocResult, SynthesisError, ToolMissing, synthesize
from finn.synth.process import PythonTool
from finn.synth.resources import count

ECP5 = "LFE5U-25F-6BG381C"
ZYNQ = "xc7z020clg400-1"
ZU3 = "xczu3eg-sbva484-1-e"


def module(directory: Path, ports: str, body: str) -> list[Path]:
    """A source file with module `m` in `directory`."""
    directory.mkdir(exist_ok=True)
    (directory / "m.sv").write_text(f"module m({ports});\n{body}\nendmodule\n")
    return [directory / "m.sv"]


@pytest.mark.parametrize("part", [ECP5, ZYNQ, ZU3])
def test_register_of_32_bits_is_32_flip_flops(part: str, tmp_path: Path) -> None:
    ports = "input logic clk, input logic [31:0] d, output logic [31:0] q"
    sources = module(tmp_path / "src", ports, "always_ff @(posedge clk) q <= d;")
    used = synthesize(sources, "m", part, tmp_path / "work").resources
    assert {kind: n for kind, n in used.items() if n} == {"FF": 32}


def test_memory_of_two_blocks(tmp_path: Path) -> None:
    """1024 x 36 bits are 36 kbit: two blocks of 18 kbit on ECP5, initialised from a file beside the source."""
    sources = module(
        tmp_path / "src",
        "input logic clk, input logic [9:0] a, output logic [35:0] q",
        'logic [35:0] words [1024]; initial $readmemh("words.dat", words); always_ff @(posedge clk) q <= words[a];',
    )
    (tmp_path / "src" / "words.dat").write_text("\n".join(f"{7919 * i:09x}" for i in range(1024)))
    used = synthesize(sources, "m", ECP5, tmp_path / "work").resources
    assert (used["BRAM_18K"], used["LUT"], used["FF"]) == (2, 0, 0)


def test_per_instance_follows_the_registers(on_ulx3s: OocResult) -> None:
    """The queue has two pointers of 5 bits; the counter an output register (counts to 32: 6 bits) and a valid flag."""
    result = on_ulx3s.synthesis
    assert result.per_instance["u_queue"]["FF"] == 10
    assert result.per_instance["u_count"]["FF"] in (7, 9)  # Yosys may keep the two bits that are always 0
    assert result.per_instance["u_queue"]["LUTRAM"] == 8 * 6  # 32 bits are eight RAMs of 16 x 4
    for kind, total in result.resources.items():
        assert total == sum(used[kind] for used in result.per_instance.values())


def test_shell_is_not_counted(on_ulx3s: OocResult, sources: list[Path], tmp_path: Path) -> None:
    alone = synthesize(sources, "popcount_stream", ECP5, tmp_path).resources
    inside = on_ulx3s.synthesis.resources
    assert inside["FF"] == alone["FF"]
    assert inside["LUTRAM"] == alone["LUTRAM"]
    assert abs(inside["LUT"] - alone["LUT"]) < 0.1 * alone["LUT"]  # logic is optimised across the border


def test_same_input_same_bytes_wherever_it_is(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("one", "an other"):
        monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path / f"cache of {name}"))
        found.append(synthesize(sources, "popcount_stream", ECP5, tmp_path / name))
    assert found[0].netlist.read_bytes() == found[1].netlist.read_bytes()
    assert str(tmp_path) not in found[0].netlist.read_text()


def test_cached_result_is_the_same(sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = synthesize(sources, "popcount_stream", ECP5, tmp_path / "first")
    monkeypatch.setattr("finn.synth.yosys._run", lambda *_: pytest.fail("not taken from the cache"))
    again = synthesize(sources, "popcount_stream", ECP5, tmp_path / "again")
    assert again.resources == first.resources
    assert again.netlist.read_bytes() == first.netlist.read_bytes()


# name, ports, body, what the message says
REFUSED = [
    ("latch", "input logic e, d, output logic q", "always @* if (e) q = d;", "latch inferred for m.q"),
    ("latch in always_comb", "input logic e, d, output logic q", "always_comb if (e) q = d;", "latch inferred for m.q"),
    (
        "loop",
        "input logic d, output logic q",
        "logic a, b; assign a = b ^ d; assign b = ~a; assign q = a;",
        "combinational loop in m through",
    ),
    (
        "undeclared",
        "input logic d, output logic q",
        "assign q = d & other;",
        "m.sv:2: Identifier `other' is implicitly",
    ),
    ("undriven", "input logic d, output logic q", "logic x; assign q = d & x;", "Wire m.x is used but has no driver"),
    (
        "two drivers",
        "input logic a, b, output logic q",
        "assign q = a; assign q = b;",
        "multiple conflicting drivers for m",
    ),
    ("syntax", "input logic d, output logic q", "assign q = d &;", "m.sv:2: syntax error, unexpected ';'"),
    ("missing module", "input logic d, output logic q", "other u_other (.d(d), .q(q));", "Module `other' referenced"),
    (
        "missing memory",
        "input logic [3:0] a, output logic q",
        'logic [15:0] w [1]; initial $readmemh("none.dat", w); assign q = w[0][a];',
        "Can not open file `none.dat`",
    ),
    (
        "bad parameter",
        "input logic d, output logic q",
        'if (1) begin : gen_bad $error("N is 3"); end',
        "m.sv:2: N is 3",
    ),
]


@pytest.mark.parametrize(
    ("ports", "body", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_bad_design_is_refused(ports: str, body: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SynthesisError) as refused:
        synthesize(module(tmp_path / "src", ports, body), "m", ECP5, tmp_path / "work")
    assert refused.value.what.startswith(message) or message in refused.value.what
    assert refused.value.where == "synthesis of m"
    assert str(tmp_path / "work" / "yosys.log") in refused.value.why


def test_ripple_carry_in_one_vector_is_no_loop(tmp_path: Path) -> None:
    """Each bit depends on the one below: a cycle only if the vector is taken as a whole."""
    body = "logic [8:0] c; assign c[0] = 1'b0; for (genvar i = 0; i < 8; i++) begin : gen_bit "
    body += "assign c[i+1] = (a[i] & b[i]) | (c[i] & (a[i] ^ b[i])); end assign s = c[8:1];"
    sources = module(tmp_path / "src", "input logic [7:0] a, b, output logic [7:0] s", body)
    assert synthesize(sources, "m", ECP5, tmp_path / "work").resources["LUT"] > 8


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    sources = [*module(tmp_path / "a", "input logic d", ""), *module(tmp_path / "b", "input logic d", "")]
    with pytest.raises(SynthesisError, match=r"two source files are called m\.sv"):
        synthesize(sources, "m", ECP5, tmp_path / "work")


def test_missing_tool_names_the_command() -> None:
    tool = PythonTool("foo", "foo-tool", "no_such_module_foo", (1, 2), "making foo")
    assert not tool.status().found
    with pytest.raises(ToolMissing, match=r"making foo: foo is not installed .*-m pip install 'foo-tool>=1\.2'"):
        tool.require()


def test_counting_rules() -> None:
    cells = [
        "LUT6",
        "LUT2",
        "CCU2C",
        "SRL16E",
        "RAM64M",
        "RAMB36E2",
        "RAMB18E1",
        "MULT9X9D",
        "MULT9X9D",
        "PFUMX",
        "BUFG",
    ]
    assert {kind: n for kind, n in count(cells).items() if n} == {
        "LUT": 2 + 2 + 1 + 4,
        "LUTRAM": 4,
        "SRL": 1,
        "DSP": 1,
        "BRAM_18K": 1,
        "BRAM_36K": 1,
        "Carry": 1,
    }
