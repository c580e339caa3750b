"""Layers that are to be of HLS: how they are chosen, their projects, what becomes of them with and without the tool.

There is no Vitis HLS here. A script stands in for it where the build's own part is tested: calling it, reading reports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finn.builder.build_dataflow import build_dataflow_directory
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers

HLS = {"preferred_impl_style": "hls"}
TOOL = """#!/bin/sh
name=$(sed -n 's/^set_top //p' "$2")
case "$name" in {fails}) echo "ERROR: [HLS 200-70] no luck"; exit 1;; esac
solution=project_$name/solution
mkdir -p $solution/syn/report $solution/syn/verilog
echo "module $name; endmodule" > $solution/syn/verilog/$name.v
cat > $solution/syn/report/${{name}}_csynth.xml <<END
<profile><PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>3.5</EstimatedClockPeriod>
</SummaryOfTimingAnalysis></PerformanceEstimates>
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
    files = ("MVAU_1.cpp", "MVAU_1.hpp", "MVAU_1_data.hpp", "MVAU_1_tables.hpp", "MVAU_1_tb.cpp", "hls.tcl", "include")
    assert made == set(files)
    assert "create_clock -period 4 " in (build_dir.out / "hls" / "MVAU_1" / "hls.tcl").read_text()
    reason = "Vitis HLS is not on this machine"
    assert build_dir.report("hls_ipgen") == {"MVAU_1": {"implementation": "rtl", "reason": reason}}
    assert f"{reason}: MVAU_1 are built from RTL" in (build_dir.out / "build_dataflow.log").read_text()


def test_projects_of_all_layers(build_dir: Any, no_vitis: None) -> None:
    assert build(build_dir, {"Defaults": {}}, generate_outputs=["hls_projects"]) == 0
    saved = build_dir.out / "intermediate_models" / "step_hw_codegen.onnx"
    assert {path.name for path in (build_dir.out / "hls").iterdir()} == set(layers(ModelWrapper(str(saved))))
    assert not (build_dir.out / "report" / "hls_ipgen.json").exists()


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "vitis_hls"
    script.write_text(TOOL.format(fails="MVAU_0"))
    script.chmod(0o755)
    monkeypatch.setenv("VITIS_HLS", str(script))
    return script


def test_what_the_tool_says(build_dir: Any, tool: Path) -> None:
    """By a script in its place; the design keeps its RTL."""
    styles = {"Defaults": {"preferred_impl_style": ["hls", ["MVAU"]]}}
    assert build(build_dir, styles) == 0
    report = build_dir.report("hls_ipgen")
    assert report["MVAU_1"]["hls_estimates"] == {
        "LUT": 120, "FF": 80, "DSP": 0, "BRAM_18K": 1, "URAM": 0, "clk_ns": 3.5,
    }  # fmt: skip
    assert report["MVAU_1"]["verilog"] == ["hls/MVAU_1/project_MVAU_1/solution/syn/verilog/MVAU_1.v"]
    assert report["MVAU_0"]["implementation"] == "rtl"
    assert "ERROR: [HLS 200-70] no luck" in report["MVAU_0"]["reason"]
    assert "MVAU_0/vitis_hls.log" in report["MVAU_0"]["reason"]


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
