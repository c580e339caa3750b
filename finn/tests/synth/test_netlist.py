"""The mapped netlist of a whole small network, simulated cell by cell by Verilator, means what NumPy says.

Cells are what Yosys' own libraries say of them. These say nothing of block RAM: the memories here are too small for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from strategies import frames

from finn.core.datatype import BaseDataType, DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import edges, insert_fifos, insert_width_converters
from finn.dataflow.graph import Instance, evaluate, instances, make_graph
from finn.dataflow.layer import IntArray, Layer
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.requant import Requant
from finn.dataflow.layers.streaming_max_pool import StreamingMaxPool
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl import Design, Simulator, stitch
from finn.synth import YOSYS, synthesize

pyosys = pytest.importorskip("pyosys")

FRAMES = 12
CELLS = Path(pyosys.__file__).parent / "share"
INT3, INT4, INT8, UINT2, UINT4, BIPOLAR = (DataType[n] for n in ("INT3", "INT4", "INT8", "UINT2", "UINT4", "BIPOLAR"))


def network() -> ModelWrapper:
    """Padded convolution; depthwise convolution beside a shortcut, and their sum; max pool, Requant, binary layers."""
    rng = np.random.default_rng(1)
    image, wide, half = (1, 6, 6, 2), (1, 6, 6, 4), (1, 3, 3, 4)
    padded = FMPadding(image, UINT4, (1, 1, 1, 1), SIMD=2)
    windows = ConvolutionInputGenerator((1, 8, 8, 2), UINT4, (3, 3), (1, 1), (1, 1), SIMD=1)
    conv = MVAU((1, 6, 6, 18), UINT4, drawn(INT3, (18, 4), rng), INT3, UINT2, levels(4, 3, -20, 20, rng), SIMD=3, PE=2)
    around = FMPadding(wide, UINT2, (1, 1, 1, 1), SIMD=4)
    taps = ConvolutionInputGenerator((1, 8, 8, 4), UINT2, (3, 3), (1, 1), (1, 1), 1, SIMD=2)
    depthwise = VVAU((1, 6, 6, 36), UINT2, drawn(INT4, (9, 4), rng), INT4, INT8, PE=2)
    added = Elementwise(wide, wide, "Add", INT8, UINT2, PE=1)
    total = added.outputs[0].dtype
    pool = StreamingMaxPool(wide, total, (2, 2), PE=2)
    requant = Requant(half, total, rng.integers(1, 200, 4), 9, rng.integers(-3000, 3000, 4), INT4, PE=1)
    summed = GlobalAccPool(half, INT4, "sum", PE=4)
    last = summed.outputs[0].dtype
    signs = MVAU((1, 1, 1, 4), last, drawn(BIPOLAR, (4, 6), rng), BIPOLAR, BIPOLAR, levels(6, 1, -8, 8, rng), SIMD=2)
    dense = MVAU((1, 1, 1, 6), BIPOLAR, drawn(BIPOLAR, (6, 5), rng), BIPOLAR, INT4, SIMD=2, PE=5)
    best = LabelSelect((1, 1, 1, 5), INT4, 3, PE=1)
    copy = DuplicateStreams(wide, UINT2, 2, PE=2)
    placed: list[tuple[str, Layer, str, str]] = [
        ("pad", padded, "x", "p"),
        ("windows", windows, "p", "w"),
        ("conv", conv, "w", "c"),
        ("copy", copy, "c", "a b"),
        ("around", around, "a", "r"),
        ("taps", taps, "r", "t"),
        ("depthwise", depthwise, "t", "d"),
        ("added", added, "d b", "s"),
        ("pool", pool, "s", "m"),
        ("requant", requant, "m", "q"),
        ("summed", summed, "q", "g"),
        ("fork_sums", DuplicateStreams((1, 1, 1, 4), last), "g", "sums h"),
        ("signs", signs, "h", "n"),
        ("dense", dense, "n", "f"),
        ("fork_scores", DuplicateStreams((1, 1, 1, 5), INT4), "f", "scores l"),
        ("best", best, "l", "labels"),
    ]
    model = make_graph([Instance(n, layer, tuple(i.split()), tuple(o.split())) for n, layer, i, o in placed])
    insert_width_converters(model)
    deep = {"b": 80, "s": 3}
    insert_fifos(model, {edge: deep[edge.tensor] for edge in edges(model) if edge.tensor in deep})
    return model


def drawn(dtype: BaseDataType, shape: tuple[int, ...], rng: np.random.Generator) -> IntArray:
    """Random weights."""
    values = rng.integers(int(dtype.min()), int(dtype.max()) + 1, shape)
    return np.where(values < 0, -1, 1) if dtype == BIPOLAR else values


def levels(channels: int, steps: int, low: int, high: int, rng: np.random.Generator) -> IntArray:
    """Random thresholds."""
    return np.sort(rng.integers(low, high, (channels, steps)), axis=1)


def lattice() -> str:
    """Models of ECP5's cells. Yosys has none of the multiplier: this is one without registers, as Yosys uses it."""
    folder = CELLS / "lattice"
    ports = re.search(r"^module MULT18X18D\(.*?(?=^endmodule)", (folder / "cells_bb_ecp5.v").read_text(), re.M | re.S)
    assert ports is not None
    return whole(folder / "cells_sim_ecp5.v") + ports[0] + MULTIPLIER


def whole(file: Path) -> str:
    """The text of a file with what it includes, from the same folder."""
    return re.sub(r'`include "(.*)"', lambda match: whole(file.with_name(match[1])), file.read_text())


def xilinx() -> str:
    return (CELLS / "xilinx" / "cells_sim.v").read_text()


def bits(name: str, width: int) -> str:
    return ", ".join(f"{name}{k}" for k in reversed(range(width)))


MULTIPLIER = f"""\
  wire signed [18:0] a = {{SIGNEDA & A17, {bits("A", 18)}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {bits("B", 18)}}};
  wire signed [37:0] p = a * b;
  assign {{{bits("P", 36)}}} = p[35:0];
endmodule
"""


def mapped(design: Design, part: str, cells: str, folder: Path) -> Design:
    """`design` as its netlist for `part`, the one that is placed; `cells` are models of the part's cells."""
    design.write(folder / "design")
    found = synthesize(sorted((folder / "design").glob("*.sv")), design.name, part, folder / "work")
    assert found.resources["DSP"] > 0
    assert (found.resources["BRAM_18K"], found.resources["BRAM_36K"]) == (0, 0)
    run = "import sys; from pyosys import libyosys; libyosys.run_pass(sys.argv[1], libyosys.Design())"
    script = f"read_json {found.netlist}; write_verilog -noattr netlist.v"
    log = folder / "netlist.log"
    assert YOSYS.run(run, [script], folder, log) == 0, log.read_text()[-1000:]
    (folder / "cells.v").write_text(cells)
    netlist = (folder / "netlist.v").read_text()
    return replace(design, top=netlist, sources=(folder / "cells.v",), memories={}, links=(), instances=())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "cells"), [("LFE5U-25F-6BG381C", lattice), ("xc7z020clg400-1", xilinx)], ids=["ECP5", "7-series"]
)
def test_netlist_computes_what_numpy_does(part: str, cells: Callable[[], str], tmp_path: Path) -> None:
    model = network()
    kinds = {type(i.layer) for i in instances(model)}
    assert kinds >= {StreamingFIFO, StreamingDataWidthConverter}
    design = stitch(model)
    x = frames(design.inputs[0].stream, FRAMES, np.random.default_rng(0))
    values = evaluate(model, x)
    assert len(np.unique(values["sums"], axis=0)) > FRAMES // 2  # results depend on the frame
    with Simulator(mapped(design, part, cells(), tmp_path)) as simulator:
        for stalls in (0.0, 0.3):
            outputs = simulator.run(x, input_gaps=stalls, back_pressure=stalls, seed=1).outputs
            for found, port in zip(outputs, model.graph.output, strict=True):
                np.testing.assert_array_equal(found, values[port.name], port.name)
