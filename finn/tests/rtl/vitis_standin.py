# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Verilog in the place of what Vitis HLS would make of a layer: nothing here is, or was ever, synthesized from C++.

It is the library's RTL of the layer, under other module names, with the ports and file names that Vitis HLS gives to a
top function. So what surrounds such files can be tested: the adapter, the stitched design, the builder.
"""

from __future__ import annotations

import re
from pathlib import Path

from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer
from finn.rtl.stitch import Design, stitch


def write_verilog(name: str, layer: Layer, folder: Path) -> None:
    """<name>.v with the top, and what it needs, in `folder`."""
    core = stitch(make_model([(f"{name}_unit", layer)]), f"{name}_core")
    folder.mkdir(parents=True, exist_ok=True)
    library = re.compile(rf"\b({'|'.join(source.stem for source in core.sources)})\b")
    for source in core.sources:
        (folder / f"{name}_{source.stem}.v").write_text(library.sub(rf"{name}_\1", source.read_text()))
    (folder / f"{name}_core.v").write_text(library.sub(rf"{name}_\1", core.top))
    (folder / f"{name}.v").write_text(top(name, layer, core))
    core.write_memories(folder)


def top(name: str, layer: Layer, core: Design) -> str:
    """A module `name` around the one of `core`."""
    inputs = [*(f"in{k}_V" for k in range(len(layer.inputs))), *("weights_V" for _ in layer.constant_inputs)]
    ports, wires = ["input wire ap_clk", "input wire ap_rst_n"], [".ap_clk(ap_clk)", ".ap_rst_n(ap_rst_n)"]
    sides = [(inputs, (*core.inputs, *core.constants), "input", "output")]
    sides += [([f"out{k}_V" for k in range(len(layer.outputs))], core.outputs, "output", "input")]
    for names, streams, forth, back in sides:
        for port, stream in zip(names, streams, strict=True):
            ports.append(f"{forth} wire [{stream.stream.padded_width - 1}:0] {port}_TDATA")
            ports += [f"{forth} wire {port}_TVALID", f"{back} wire {port}_TREADY"]
            signals = ("tdata", "tvalid", "tready")
            wires += [f".{stream.prefix}_{signal}({port}_{signal.upper()})" for signal in signals]
    lines = ",\n  ".join(ports), ",\n  ".join(wires)
    return f"module {name} (\n  {lines[0]}\n);\n{name}_core u_core (\n  {lines[1]}\n);\nendmodule\n"
