# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Examples are built and checked, one after the other, and what fails does not hide the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finn_examples import Example, example, examples
from finn_examples.accuracy import PYTORCH, HeldOut
from finn_examples.extent import Extent
from finn_examples.rebuild import Summary, rebuild, write

NAME = "mlp_w2a2_intrusion"


def pytorch() -> tuple[float, int, int]:
    """Accuracy, samples and differing answers as the stored answers of PyTorch have them."""
    data = HeldOut(example(NAME))
    stored = data.result(PYTORCH, data.expected)
    return stored.accuracy, stored.samples, 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_estimates_are_checked_in_python(tmp_path: Path) -> None:
    (found,) = rebuild([example(NAME)], lambda each: tmp_path / each.name, Extent.ESTIMATES)
    assert found.good
    assert (found.accuracy, found.samples, found.differ) == pytorch()
    assert found.cycles is not None
    assert 50 < found.cycles <= 100  # the configuration asks for 1e6 frames/s at 100 MHz
    assert found.fps == pytest.approx(1e8 / found.cycles)
    assert found.resources == "estimated, no FIFOs"
    assert not (tmp_path / NAME / "stitched_ip").exists()


def test_rtl_is_built_and_checked(tmp_path: Path) -> None:
    (found,) = rebuild([example(NAME)], lambda each: tmp_path / each.name, Extent.RTL, rtl_samples=20)
    assert found.good
    assert (found.accuracy, found.samples, found.differ) == pytorch()
    assert found.cycles is not None
    assert 50 < found.cycles <= 100  # the configuration asks for 1e6 frames/s at 100 MHz
    assert found.fps == pytest.approx(1e8 / found.cycles)
    assert found.resources == "estimated, no FIFOs"
    assert found.LUT is not None
    assert 10_000 < found.LUT < 20_000
    assert (tmp_path / NAME / "stitched_ip" / "finn_design.sv").is_file()
    assert not (tmp_path / NAME / "bitfile").exists()


def test_what_fails_is_told_and_the_next_one_is_built(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    (nothing / "README.md").write_text("# Nothing\n", encoding="utf-8")
    broken = Example(example(NAME).copy_to(tmp_path / "broken"))
    broken.model.write_bytes(b"no network")
    chosen = [Example(nothing), broken, example(NAME)]
    found = rebuild(chosen, lambda each: tmp_path / "out" / each.name, Extent.ESTIMATES)
    assert [(each.name, each.error, each.good) for each in found] == [
        ("nothing", "model.onnx is missing", False),
        ("broken", "the build failed", False),
        (NAME, "", True),
    ]
    assert "Error: model.onnx is missing" in capfd.readouterr().err


def test_summaries_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = Summary("a", "", 0.924, 1000, 0, 64.0, 1562500.0, 6529, 22, 0, "synthesized", 12.3)
    write([good, Summary("b", "the build failed", seconds=1.0)], tmp_path)
    text = (tmp_path / "summary.txt").read_text(encoding="utf-8")
    (first,) = (line for line in text.splitlines() if line.startswith("│ a"))
    cells = [cell.strip() for cell in first.strip("│").split("│")]
    assert cells == ["a", "92.4%", "1,000", "0", "64", "1,562,500", "6,529", "22", "0", "12", "synthesized"]
    assert "the build failed" in text
    assert capsys.readouterr().out == text
    stored = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in stored] == ["a", "b"]
    assert (stored[0]["accuracy"], stored[1]["accuracy"]) == (0.924, None)


def test_command(tmp_path: Path) -> None:
    done = run("-m", "finn_examples", "build", NAME, "--to", "estimates", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (stored,) = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert (stored["name"], stored["differ"]) == (NAME, 0)


@pytest.mark.parametrize("arguments", [[], [NAME, "--all"]])
def test_command_wants_names_or_all(arguments: list[str]) -> None:
    done = run("-m", "finn_examples", "build", *arguments)
    assert (done.returncode, done.stderr) == (2, "error: give names of examples, or --all\n")


def test_each_example_has_the_script() -> None:
    first, *others = (each.directory / "build.py" for each in examples())
    for script in others:
        assert script.read_bytes() == first.read_bytes(), f"{script} is another script than {first}"


def test_script_builds_beside_itself(tmp_path: Path) -> None:
    copy = example(NAME).copy_to(tmp_path / NAME)
    config = copy / "dataflow_build_config.json"
    less = {"generate_outputs": ["estimate_reports"], "verify_steps": None}
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | less), encoding="utf-8")
    done = run(str(copy / "build.py"))
    assert done.returncode == 0, done.stderr
    assert json.loads((copy / "output" / "summary.json").read_text(encoding="utf-8"))[0]["differ"] == 0
