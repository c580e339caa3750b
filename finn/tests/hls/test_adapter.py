# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Verilog with the ports of Vitis HLS in the place of library modules. It is a stand-in: there is no Vitis HLS here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import LAYERS, frames
from vitis_standin import write_verilog

from finn.core.datatype import DataType
from finn.dataflow.graph import Instance, evaluate, make_graph, make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.mvau import MVAU
from finn.hls import HlsError, vitis
from finn.hls.project import has_adapter, is_project_of, project_of
from finn.rtl import Simulator, stitch
from finn.rtl.errors import RtlError

PART, CLOCK = "xczu3eg-sbva484-1-e", 5.0
FRAMES = 4
ONCE = settings(
    max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def made(name: str, layer: Layer, folder: Path) -> tuple[Path, ...]:
    """The project of a layer, and the stand-in where Vitis HLS would put what it makes of it."""
    project_of(name, layer, PART, CLOCK).write(folder)
    write_verilog(name, layer, folder / f"project_{name}" / "solution" / "syn" / "verilog")
    return vitis.files(name, folder)


def side_by_side(layers: dict[str, Layer]) -> list[Instance]:
    return [
        Instance(
            name,
            layer,
            tuple(f"{name}_x{k}" for k in range(len(layer.inputs))),
            tuple(f"{name}_y{k}" for k in range(len(layer.outputs))),
        )
        for name, layer in layers.items()
    ]


def test_every_kind_of_layer_behind_its_adapter(tmp_path: Path) -> None:
    """All in one design; its neighbours of every kind are of the library, whose modules have the same names inside."""
    count = 0

    def check(layers: dict[str, Layer]) -> None:
        nonlocal count
        count += 1
        other = {f"{name}_0": layer for name, layer in layers.items() if has_adapter(layer)}
        assert len(other) > len(LAYERS) / 2
        files = {name: made(name, layer, tmp_path / f"{name}_{count}") for name, layer in other.items()}
        placed = side_by_side(other | {f"{name}_1": layer for name, layer in layers.items()})
        model = make_graph(placed)
        rng = np.random.default_rng(count)
        inputs = [frames(s, FRAMES, rng) for i in placed for s in i.layer.inputs]
        values = evaluate(model, *inputs)
        design = stitch(model, made=files)
        assert {design.modules[name] for name in other} == {f"{name}_hls" for name in other}
        with Simulator(design, assertions=True) as simulator:
            for stalls in (0, 0.5):
                result = simulator.run(*inputs, input_gaps=stalls, back_pressure=stalls, seed=count)
                for port, found in zip(design.outputs, result.outputs, strict=True):
                    np.testing.assert_array_equal(found, values[port.tensor], port.tensor)

    ONCE(given(st.fixed_dictionaries({name: strategy() for name, strategy in LAYERS.items()}))(check))()
    assert count > 0


def mvau(**options: object) -> MVAU:
    weights = np.random.default_rng(1).integers(-4, 4, (8, 6))
    return MVAU((1, 8), DataType["UINT4"], weights, DataType["INT3"], DataType["INT10"], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"mem_mode": "external", "SIMD": 4, "PE": 3}], ids=str)
def test_a_chain_of_both(options: dict[str, object], tmp_path: Path) -> None:
    """Beats between layers are not padded as they are on the ports of HLS; weights may come from outside."""
    layer = mvau(**options)
    out = layer.outputs[0]
    fifo = StreamingFIFO(out.shape, out.dtype, out.lanes, 4)
    model = make_model([("fc0", layer), ("fifo0", fifo)])
    design = stitch(model, made={"fc0": made("fc0", layer, tmp_path / "fc0")})
    x = frames(layer.inputs[0], FRAMES, np.random.default_rng(0))
    (wanted,) = layer.results(x)
    with Simulator(design) as simulator:
        np.testing.assert_array_equal(simulator.run(x).outputs[0], wanted)
    assert design.fifos == ("fifo0",)
    top = design.write(tmp_path / "design")
    there = {path.name for path in top.parent.iterdir()}
    assert {"fc0.v", "fc0_hls.sv", "streaming_fifo.sv", *design.memories} <= there
    assert "mvau.sv" not in there
    assert {"fc0.v", "fc0_hls.sv"} <= set((top.parent / "all_verilog_srcs.txt").read_text().split())


def test_an_adapter() -> None:
    layer = DuplicateStreams((1, 6), DataType["INT3"], 2, 2)
    text = project_of("copy", layer, PART, CLOCK).files["copy_hls.sv"]
    assert "module copy_hls (" in text
    assert ".in0_V_TDATA(8'(in_data_i[5:0]))," in text
    assert "assign out_data_o[11:6] = out1_V_data[5:0];" in text
    assert ".out1_V_TREADY(out_ready_i[1])," in text


def test_registers_have_no_adapter() -> None:
    project = project_of("fc0", mvau(runtime_writeable_weights=1), PART, CLOCK)
    assert "fc0_hls.sv" not in project.files
    assert "fc0_hls.sv" in project_of("fc0", mvau(), PART, CLOCK).files


def test_a_project_is_of_one_layer(tmp_path: Path) -> None:
    """FIFOs around it do not matter, foldings do."""
    project_of("fc0", mvau(PE=2), PART, CLOCK).write(tmp_path)
    assert is_project_of(tmp_path, "fc0", mvau(PE=2, inFIFODepths=(64,)), PART, CLOCK)
    assert not is_project_of(tmp_path, "fc0", mvau(PE=3), PART, CLOCK)
    assert not is_project_of(tmp_path, "fc0", mvau(PE=2), PART, 2 * CLOCK)
    assert not is_project_of(tmp_path / "nowhere", "fc0", mvau(PE=2), PART, CLOCK)


def test_names_that_another_module_has(tmp_path: Path) -> None:
    layer = mvau()
    for name, design in (("mvau", "demo"), ("fc0", "fc0")):
        with pytest.raises(RtlError, match="another module has it"):
            stitch(make_model([(name, layer)]), design, made={name: made(name, layer, tmp_path / name)})


def test_other_ports_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that only copies a report and the Verilog that are beside it."""
    layer, folder = mvau(), tmp_path / "fc0"
    made("fc0", layer, folder)
    report = folder / "project_fc0" / "solution" / "syn" / "report" / "fc0_csynth.xml"
    report.parent.mkdir()
    report.write_text(
        "<profile><PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>4.5</EstimatedClockPeriod>"
        "</SummaryOfTimingAnalysis><SummaryOfOverallLatency><Worst-caseLatency>undef</Worst-caseLatency>"
        "<Interval-max>2</Interval-max></SummaryOfOverallLatency></PerformanceEstimates><AreaEstimates><Resources>"
        "<LUT>7</LUT></Resources></AreaEstimates></profile>"
    )
    monkeypatch.setenv("VITIS_HLS", "true")
    found = vitis.synthesize("fc0", folder)
    assert (found.clk_ns, found.latency, found.interval) == (4.5, None, 2)
    assert found.resources == {"LUT": 7, "FF": 0, "DSP": 0, "BRAM_18K": 0, "URAM": 0}
    (top,) = (path for path in found.verilog if path.name == "fc0.v")
    top.write_text(top.read_text().replace("in0_V_TVALID", "in0_V_valid"))
    with pytest.raises(HlsError, match="there is no in0_V_TVALID"):
        vitis.synthesize("fc0", folder)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("vitis_hls", ("-f",)), ("vitis-run", ("--mode", "hls", "--tcl"))],
)
def test_how_it_is_called(
    program: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its name on the path, or by $VITIS_HLS."""
    path = tmp_path / program
    path.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VITIS_HLS", raising=False)
    assert vitis.command() == (str(path), *arguments)
    monkeypatch.setenv("PATH", "")
    assert vitis.command() is None
    monkeypatch.setenv("VITIS_HLS", str(path))
    assert vitis.command() == (str(path), *arguments)
