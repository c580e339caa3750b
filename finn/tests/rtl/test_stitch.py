"""The stitched top: readable, complete, the same bytes each time."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers
from finn.rtl import Design, RtlError, stitch
from finn.rtl.lint import lint_design


def test_one_instance_per_node_named_after_it(design: Design, model: ModelWrapper) -> None:
    found = re.findall(r"^  (\w+) #\($.*?^  \) (\w+) \($", design.top, re.MULTILINE | re.DOTALL)
    assert [(module, name) for module, name in found if module != "stream_probe"] == [
        ("mvau", "MVAU_0"),
        ("streaming_fifo", "StreamingFIFO_0"),
        ("label_select", "LabelSelect_0"),
        ("streaming_fifo", "StreamingFIFO_1"),
    ]
    assert [i.name for i in design.instances] == list(layers(model))
    assert design.fifos == ("StreamingFIFO_0", "StreamingFIFO_1")


def test_the_head_tells_what_the_layers_are(design: Design) -> None:
    lines = design.top.splitlines()
    assert lines[0] == ("// demo: 4 layers. AXI4-Stream in and out, one clock, synchronous active-low reset.")
    assert " ".join(lines[2].split()) == "// MVAU_0 (1, 3, 3) INT3 -> (1, 3, 2) INT7"


def test_ports_are_whole_bytes(design: Design) -> None:
    """9 bits in, 3 bits out."""
    ports = re.findall(r"^    (input|output) +logic (?:\[(\d+):0\] )?(\w+)", design.top, re.MULTILINE)
    assert ports == [
        ("input", "", "ap_clk"),
        ("input", "", "ap_rst_n"),
        ("input", "15", "s_axis_0_tdata"),
        ("input", "", "s_axis_0_tvalid"),
        ("output", "", "s_axis_0_tready"),
        ("output", "7", "m_axis_0_tdata"),
        ("output", "", "m_axis_0_tvalid"),
        ("input", "", "m_axis_0_tready"),
    ]
    assert [(p.prefix, p.stream.width, p.tensor) for p in (*design.inputs, *design.outputs)] == [
        ("s_axis_0", 9, "t0"),
        ("m_axis_0", 3, "t4"),
    ]


def test_streams_say_who_is_at_their_ends(design: Design) -> None:
    assert [(link.producer, link.consumer) for link in design.links] == [
        ("", "MVAU_0"),
        ("MVAU_0", "StreamingFIFO_0"),
        ("StreamingFIFO_0", "LabelSelect_0"),
        ("LabelSelect_0", "StreamingFIFO_1"),
        ("StreamingFIFO_1", ""),
    ]


def test_all_files_are_written(design: Design, tmp_path: Path) -> None:
    top = design.write(tmp_path / "design")
    assert top == tmp_path / "design" / "demo.sv"
    names = (top.parent / "all_verilog_srcs.txt").read_text().split()
    assert names[-1] == "demo.sv"
    assert names[:-1] == sorted(names[:-1])
    assert {p.name for p in top.parent.iterdir()} == {*names, "all_verilog_srcs.txt", "MVAU_0_weights.dat"}
    used = set(re.findall(r"^  (\w+) #\($", design.top, re.MULTILINE))
    assert {f"{module}.sv" for module in used} <= set(names)


def test_memory_words(design: Design) -> None:
    """Nine tiles of 2 x 3 weights of 2 bits: three hexadecimal digits."""
    words = design.memories["MVAU_0_weights.dat"]
    assert len(words) == 9
    assert all(re.fullmatch("[0-9a-f]{3}", w) for w in words)


def test_same_model_same_bytes(model: ModelWrapper, tmp_path: Path) -> None:
    for name in ("a", "b"):
        stitch(copy.deepcopy(model), "demo").write(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a" / "demo.sv").read_text()


def test_lint(design: Design) -> None:
    lint_design(design)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("small", "it is a word of SystemVerilog"),
        ("2nd", "it is no SystemVerilog identifier"),
        ("a-b", "it is no SystemVerilog identifier"),
        ("a__b", "it is no SystemVerilog identifier"),
    ],
)
def test_names_that_no_tool_takes(name: str, why: str, model: ModelWrapper) -> None:
    remedy = "use letters, digits and single underscores, a letter first"
    with pytest.raises(RtlError) as error:
        stitch(model, name)
    assert str(error.value) == f"name of the design {name!r} ({why}). Remedy: {remedy}"
    model.graph.node[1].name = name
    with pytest.raises(RtlError) as error:
        stitch(model)
    assert str(error.value) == f"name of a node {name!r} ({why}). Remedy: {remedy}"
