"""The driver: which steps run, what is left when one fails, how a build goes on."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from finn.builder.build_dataflow import build_dataflow_cfg, build_dataflow_directory
from finn.builder.build_dataflow_config import DataflowBuildConfig, default_build_dataflow_steps
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.builder.steps import resolve_build_steps, selected
from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper

ALIASES = {
    "step_convert_to_hls": "step_convert_to_hw",
    "step_hls_codegen": "step_hw_codegen",
    "step_hls_ipgen": "step_hw_ipgen",
    "step_make_pynq_driver": "step_make_driver",
}


def renamed(model: ModelWrapper, cfg: DataflowBuildConfig, name: str = "renamed") -> ModelWrapper:
    model.graph.name = name
    return model


def first(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    return renamed(model, cfg, "first")


def second(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    return renamed(model, cfg, f"{model.graph.name} second")


def config(out: Path, **more: Any) -> DataflowBuildConfig:
    return DataflowBuildConfig(output_dir=str(out), synth_clk_period_ns=10, generate_outputs=[], **more)


def build(build_dir: Any, **more: Any) -> int:
    return build_dataflow_cfg(str(build_dir.path / "model.onnx"), config(build_dir.out, **more))


def saved(build_dir: Any) -> dict[str, str]:
    """Name of an intermediate model -> name of its graph."""
    models = (build_dir.out / "intermediate_models").glob("*.onnx")
    return {path.stem: onnx.load(path).graph.name for path in models}


# Resolution


def test_every_step_of_finn_has_a_function(tmp_path: Path) -> None:
    assert [step.name for step in resolve_build_steps(config(tmp_path))] == default_build_dataflow_steps
    for alias, name in ALIASES.items():
        assert build_dataflow_step_lookup[alias] is build_dataflow_step_lookup[name]


def test_unknown_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        resolve_build_steps(config(tmp_path, steps=["step_streamlin"]))
    assert str(error.value) == "steps: unknown step 'step_streamlin'. Remedy: did you mean 'step_streamline'?"


def test_selection_knows_aliases(tmp_path: Path) -> None:
    cfg = config(tmp_path, start_step="step_convert_to_hls", stop_step="step_apply_folding_config")
    names = [step.name for step in selected(resolve_build_steps(cfg), cfg)]
    assert names == default_build_dataflow_steps[3:8]
    cfg = config(tmp_path, start_step="step_tidy_up", stop_step="step_qonnx_to_finn")
    with pytest.raises(ConfigError, match="stop_step 'step_qonnx_to_finn' comes before start_step 'step_tidy_up'"):
        selected(resolve_build_steps(cfg), cfg)
    cfg = config(tmp_path, steps=[first, second], start_step="frist")
    with pytest.raises(ConfigError, match="start_step 'frist' is not among the steps"):
        selected(resolve_build_steps(cfg), cfg)


def test_functions_as_steps(tmp_path: Path) -> None:
    steps = resolve_build_steps(config(tmp_path, steps=["step_tidy_up", first, partial(renamed, name="x"), first]))
    assert [step.name for step in steps] == ["step_tidy_up", "first", "renamed", "first_2"]


# Running


def test_steps_run_and_are_saved(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(build_dir, steps=[first, second]) == 0
    assert saved(build_dir) == {"first": "first", "second": "first second"}
    assert list(json.loads((build_dir.out / "time_per_step.json").read_text())) == ["first", "second"]
    log = (build_dir.out / "build_dataflow.log").read_text()
    assert "running step: first [1/2]" in log
    assert capsys.readouterr().err == ""


def test_nothing_is_saved_unless_asked(build_dir: Any) -> None:
    assert build(build_dir, steps=[first], save_intermediate_models=False) == 0
    assert saved(build_dir) == {}


def test_start_and_stop(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(build_dir, steps=[first, second, renamed], stop_step="second") == 0
    assert set(saved(build_dir)) == {"first", "second"}
    assert build(build_dir, steps=[first, second, renamed], start_step="renamed") == 0
    assert saved(build_dir)["renamed"] == "renamed"
    (build_dir.out / "intermediate_models" / "second.onnx").unlink()
    assert build(build_dir, steps=[first, second, renamed], start_step="renamed") == -1
    assert "cannot start at 'renamed': the network after 'second' was not saved" in capsys.readouterr().err


def test_what_steps_print_and_warn_is_logged(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def talk(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
        print("said")  # noqa: T201 - steps of users do
        print("complained", file=sys.stderr)  # noqa: T201
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn("warned", stacklevel=1)
        return model

    assert build(build_dir, steps=[talk]) == 0
    log = (build_dir.out / "build_dataflow.log").read_text()
    assert all(word in log for word in ("said", "complained", "warned"))
    shown = capsys.readouterr()
    assert "said" not in shown.out + shown.err


def test_error_of_a_step(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
        raise FinnError("it broke", where="node MatMul_0", why="two reasons", remedy="repair it")

    assert build(build_dir, steps=[first, fails]) == -1
    assert capsys.readouterr().err.splitlines() == [
        "Error: it broke",
        "  where: fails, node MatMul_0",
        "  why: two reasons",
        "  remedy: repair it",
        "to continue at this step: start_step='fails', or `finn build DIR --start fails`",
    ]
    assert "Traceback" in (build_dir.out / "build_dataflow.log").read_text()
    assert set(saved(build_dir)) == {"first"}


def test_unforeseen_error_of_a_step(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
        raise ZeroDivisionError("division by zero")

    assert build(build_dir, steps=[fails]) == -1
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ZeroDivisionError: division by zero\n  where: fails\n")
    assert "Traceback" not in shown
    assert "ZeroDivisionError" in (build_dir.out / "build_dataflow.log").read_text()


def test_step_that_returns_nothing(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def forgets(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
        pass

    assert build(build_dir, steps=[forgets]) == -1
    assert "the step returned NoneType, not a ModelWrapper" in capsys.readouterr().err


def test_full_disk(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fills(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cfg.path("report")))

    assert build(build_dir, steps=[fills]) == -1
    assert capsys.readouterr().err.splitlines() == [
        "Error: the disk is full",
        f"  where: fills, {build_dir.out / 'report'}",
        "  remedy: free some space, or choose another output_dir",
    ]


def test_output_directory_that_is_a_file(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.out.write_text("here")
    assert build(build_dir, steps=[first]) == -1
    assert "Error: a file is where a directory is needed" in capsys.readouterr().err
    assert build_dir.out.read_text() == "here"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_output_directory_that_is_read_only(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.out.mkdir(mode=0o500)
    assert build(build_dir, steps=[first]) == -1
    assert "remedy: choose an output_dir that you may write to" in capsys.readouterr().err


def test_output_directory_that_no_one_may_write(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cfg = config(Path("/proc/finn"), steps=[first])
    assert build_dataflow_cfg(str(build_dir.path / "model.onnx"), cfg) == -1
    assert "where: /proc/finn" in capsys.readouterr().err


# Interruption

SLOW = """
import time
from finn.builder import products
from finn.builder.build_dataflow import build_dataflow_cfg
from finn.builder.build_dataflow_config import DataflowBuildConfig

def first(model, cfg):
    return model

def slow(model, cfg):
    with products.directory(cfg.path("stitched_ip")) as place:
        (place / "half.sv").write_text("half")
        with products.file(cfg.path("report", "a.json")) as partial:
            partial.write_text("half")
            cfg.path("ready").write_text("")
            time.sleep(60)
    return model

cfg = DataflowBuildConfig(output_dir="out", synth_clk_period_ns=10, generate_outputs=[], steps=[first, slow])
build_dataflow_cfg("model.onnx", cfg)
"""


def test_ctrl_c_leaves_no_half_product(build_dir: Any) -> None:
    (build_dir.path / "build.py").write_text(SLOW)
    command = [sys.executable, "-m", "finn.builder.cli", "build_custom", str(build_dir.path)]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (build_dir.out / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)  # until the step sleeps: Python drops interrupts that arrive in destructors and callbacks
    running.send_signal(signal.SIGINT)
    try:
        _, shown = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert shown.splitlines() == [
        "Error: the build was interrupted",
        "  where: slow",
        "  why: Ctrl-C; no half-written product is left",
        "  remedy: to continue at this step: start_step='slow', or `finn build DIR --start slow`",
    ]
    left = sorted(str(path.relative_to(build_dir.out)) for path in build_dir.out.rglob("*") if path.is_file())
    assert left == ["build_dataflow.log", "intermediate_models/first.onnx", "ready", "time_per_step.json"]


# Build directories


def test_missing_files(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (build_dir.path / "dataflow_build_config.json").unlink()
    assert build_dataflow_directory(str(build_dir.path)) == -1
    assert capsys.readouterr().err.startswith("Error: dataflow_build_config.json is missing\n")


def test_notices_come_first(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(stitched_ip_gen_dcp=True, steps=["step_specialize_layers"])
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert capsys.readouterr().out == "Note: stitched_ip_gen_dcp has no effect: a design checkpoint needs Vivado\n"


def test_products_that_cannot_be_made_are_named(build_dir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    build_dir.write(
        generate_outputs=["pynq_driver", "deployment_package"],
        steps=["step_make_pynq_driver", "step_deployment_package"],
    )
    assert build_dataflow_directory(str(build_dir.path)) == 0
    assert (
        capsys.readouterr().out.splitlines()
        == [
            "Note: pynq_driver is not made: step_make_driver is not implemented yet",
            "Note: deployment_package is not made: step_deployment_package is not implemented yet",
        ]
        * 2
    )
