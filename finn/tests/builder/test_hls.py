"""Layers that are to be of HLS: how they are chosen, their projects, what becomes of them with and without the tool.

There is no Vitis HLS here. A script stands in for it where the build's own part is tested: calling it, reading its
reports, and putting Verilog into the design, which is that of `vitis_standin`. Nothing is synthesized.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitis_standin import write_verilog

from finn.builder.build_dataflow import build_dataflow_directory
from finn.builder.tools import KNOWN
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers

HLS = {"preferred_impl_style": "hls"}
TOOL = """#!/bin/sh
# In the place of Vitis HLS.
name=$(sed -n 's/^set_top //p' "$2")
case "$name" in {fails}) echo "ERROR: [HLS 200-70] no luck"; exit 1;; esac
solution=project_$name/solution
mkdir -p $solution/syn/report
cp -r {verilog}/$name $solution/syn/verilog
cat > $solution/syn/report/${{name}}_csynth.xml <<END
<profile><PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>3.5</EstimatedClockPeriod>
</SummaryOfTimingAnalysis><SummaryOfOverallLatency><Worst-caseLatency>5</Worst-caseLatency>
<Interval-max>2</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><LUT>120</LUT><FF>80</FF><DSP>0</DSP><BRAM_18K>1</BRAM_18K><URAM>0</URAM></Resources></AreaEstimates></profile>
END
"""


@pytest.fixture
def no_vitis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITIS_HLS", "/nowhere/vitis_hls")


def build(build_dir: Any, styles: dict[str, Any], **config: Any) -> int:
    (build_dir.path / "styles.json").write_text(json.dumps(styles))
    build_dir.write(fpga_part="xczu3eg", specialize_layers_config_file="styles.json", **config)
    return build_dataflow_directory(str(build_dir.path))


def test_without_the_tool(build_dir: Any, no_vitis: None) -> None:
    assert build(build_dir, {"Defaults": {}, "MVAU_1": HLS}, hls_clk_period_ns=4.0) == 0
    template = json.loads((build_dir.out / "template_specialize_layers_config.json").read_text())
    assert template["MVAU_0"] == {"preferred_impl_style": ""}
    assert template["Defaults"] == {}
    assert [path.name for path in (build_dir.out / "hls").iterdir()] == ["MVAU_1"]
    made = {path.name for path in (build_dir.out / "hls" / "MVAU_1").iterdir()}
    own = (".cpp", ".hpp", "_data.hpp", "_hls.sv", "_tables.hpp", "_tb.cpp")
    assert made == {*(f"MVAU_1{end}" for end in own), "hls.tcl", "include"}
    assert "create_clock -period 4 " in (build_dir.out / "hls" / "MVAU_1" / "hls.tcl").read_text()
    reason = "Vitis HLS is not on this machine"
    assert build_dir.report("hls_ipgen") == {"MVAU_1": {"implementation": "rtl", "reason": reason}}
    assert f"{reason}: MVAU_1 are built from RTL" in (build_dir.out / "build_dataflow.log").read_text()


def test_projects_of_all_layers(build_dir: Any, no_vitis: None) -> None:
    assert build(build_dir, {"Defaults": {}}, generate_outputs=["hls_projects"]) == 0
    saved = build_dir.out / "intermediate_models" / "step_hw_codegen.onnx"
    assert {path.name for path in (build_dir.out / "hls").iterdir()} == set(layers(ModelWrapper(str(saved))))
    assert not (build_dir.out / "report" / "hls_ipgen.json").exists()


ALL = {"Defaults": {"preferred_impl_style": ["hls", ["MVAU"]]}}


@pytest.fixture
def tool(build_dir: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails for MVAU_0, and has Verilog for MVAU_1 as it is with these styles."""
    assert build(build_dir, ALL, stop_step="step_hw_codegen", hls_clk_period_ns=3.0) == 0
    build_dir.write(stop_step=None)
    saved = ModelWrapper(str(build_dir.out / "intermediate_models" / "step_hw_codegen.onnx"))
    write_verilog("MVAU_1", layers(saved)["MVAU_1"], tmp_path / "verilog" / "MVAU_1")
    script = tmp_path / "vitis_hls"
    script.write_text(TOOL.format(fails="MVAU_0", verilog=tmp_path / "verilog"))
    script.chmod(0o755)
    monkeypatch.setenv("VITIS_HLS", str(script))


def test_what_the_tool_says(build_dir: Any, tool: None) -> None:
    assert build(build_dir, ALL) == 0
    report = build_dir.report("hls_ipgen")
    resources = {"LUT": 120, "FF": 80, "DSP": 0, "BRAM_18K": 1, "URAM": 0}
    assert report["MVAU_1"]["hls_estimates"] == {
        **resources, "clk_ns": 3.5, "latency_cycles": 5, "interval_cycles": 2,
    }  # fmt: skip
    assert build_dir.report("estimate_layer_resources_hls") == {"MVAU_1": resources}
    assert report["MVAU_1"]["implementation"] == "hls"
    assert "hls/MVAU_1/project_MVAU_1/solution/syn/verilog/MVAU_1.v" in report["MVAU_1"]["verilog"]
    assert report["MVAU_0"]["implementation"] == "rtl"
    assert "ERROR: [HLS 200-70] no luck" in report["MVAU_0"]["reason"]
    assert "MVAU_0/vitis_hls.log" in report["MVAU_0"]["reason"]
    log = (build_dir.out / "build_dataflow.log").read_text()
    assert "MVAU_1: Vitis HLS estimates an initiation interval of 2 instead of 1" in log
    assert "MVAU_1: Vitis HLS estimates a clock period of 3.5 ns; 3 ns are asked for" in log


VERIFIED = ["folded_hls_cppsim", "node_by_node_rtlsim", "stitched_ip_rtlsim"]


def test_the_design_has_what_the_tool_made(build_dir: Any, tool: None) -> None:
    build_dir.write_samples(3)
    outputs = ["stitched_ip", "rtlsim_performance"]
    assert build(build_dir, ALL, generate_outputs=outputs, verify_steps=VERIFIED) == 0
    top = (build_dir.out / "stitched_ip" / "finn_design.sv").read_text()
    assert "MVAU_1_hls MVAU_1 (" in top
    assert "mvau #(" in top
    assert {"MVAU_1.v", "MVAU_1_hls.sv"} <= {path.name for path in (build_dir.out / "stitched_ip").iterdir()}
    assert build_dir.report("rtlsim_performance")["throughput[images/s]"] > 0
    verified = {path.name for path in (build_dir.out / "verification_output").iterdir()}
    assert verified == {f"verify_{step}_{k}_SUCCESS.npy" for step in VERIFIED for k in range(3)}


def test_verilog_that_is_wrong_is_found(build_dir: Any, tool: None, tmp_path: Path) -> None:
    """So the design that is simulated has it, indeed."""
    path = tmp_path / "verilog" / "MVAU_1" / "MVAU_1.v"
    path.write_text(path.read_text().replace(".s_axis_0_tdata(in0_V_TDATA)", ".s_axis_0_tdata(in0_V_TDATA ^ 1)"))
    build_dir.write_samples(3)
    assert build(build_dir, ALL, generate_outputs=["stitched_ip"], verify_steps=["node_by_node_rtlsim"]) == -1
    assert "MVAU_1 differs from its meaning" in (build_dir.out / "build_dataflow.log").read_text()
    assert build(build_dir, ALL, generate_outputs=["stitched_ip"], verify_steps=["stitched_ip_rtlsim"]) == -1
    assert any((build_dir.out / "verification_output").glob("verify_stitched_ip_rtlsim_*_FAIL.npy"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / "hls/MVAU_1/MVAU_1.cpp").write_text("x"), "its Verilog is of another layer"),
        (lambda out: shutil.rmtree(out / "hls/MVAU_1/project_MVAU_1"), "its Verilog is missing"),
    ],
    ids=["other", "missing"],
)
def test_what_the_tool_made_of_other_layers(
    build_dir: Any, tool: None, spoil: Callable[[Path], object], message: str
) -> None:
    assert build(build_dir, ALL) == 0
    spoil(build_dir.out)
    resumed = {"start_step": "step_set_fifo_depths", "generate_outputs": ["stitched_ip"]}
    assert build(build_dir, ALL, **resumed) == -1
    log = (build_dir.out / "build_dataflow.log").read_text()
    assert f"MVAU_1 is to be of HLS, and {message}" in log
    assert "start again at step_hw_codegen" in log


def test_weights_that_are_written_stay_rtl(build_dir: Any, tool: None) -> None:
    entry = {**HLS, "runtime_writeable_weights": 1}
    (build_dir.path / "folding.json").write_text(json.dumps({"Defaults": {}, "MVAU_1": entry}))
    build_dir.write(folding_config_file="folding.json")
    assert build(build_dir, {"Defaults": {}}, generate_outputs=["stitched_ip"]) == 0
    found = build_dir.report("hls_ipgen")["MVAU_1"]
    assert found["implementation"] == "rtl"
    assert "registers of HLS have other addresses" in found["reason"]
    assert "MVAU_1_hls" not in (build_dir.out / "stitched_ip" / "finn_design.sv").read_text()


def test_reports_of_an_earlier_run_are_forgotten(build_dir: Any, tool: None) -> None:
    """A layer that no longer prefers HLS is built from the library, whatever is there."""
    assert build(build_dir, ALL) == 0
    assert build(build_dir, {"Defaults": {}}, generate_outputs=["stitched_ip"]) == 0
    assert not any((build_dir.out / "report").glob("*hls*"))
    assert "_hls" not in (build_dir.out / "stitched_ip" / "finn_design.sv").read_text()


def test_projects_need_a_part(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Which is told before the first step."""
    build_dir.write(generate_outputs=["hls_projects"])
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert "no FPGA part is given" in capsys.readouterr().err
    assert not (build_dir.out / "intermediate_models").exists()


def test_the_tool_is_listed(tool: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = KNOWN[-1].status()
    assert (status.name, status.found, status.path) == ("vitis_hls", True, str(tmp_path / "vitis_hls"))
    monkeypatch.setenv("VITIS_HLS", "/nowhere/vitis_hls")
    assert not KNOWN[-1].status().found


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ({"MVAU_9": HLS}, "MVAU_9"),
        ({"MVAU_0": {"preferred_impl_style": "verilog"}}, "preferred_impl_style='verilog'"),
        ({"MVAU_0": {"PE": 2}}, "only preferred_impl_style is said here"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(build_dir: Any, styles: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(build_dir, styles) == -1
    log = (build_dir.out / "build_dataflow.log").read_text()
    assert message in log
    assert "styles.json" in log
