# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The parts of a network, one after the other, give what the whole gives; and each can be built."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finn.builder.accelerator import load
from finn.builder.build_dataflow import build_dataflow_directory
from finn.deploy import DeployError
from finn_examples import example
from finn_examples.splitting import Part, split

TFC, RESNET = example("tfc_w1a1_mnist").directory, example("resnet8_w4a4_digits").directory
PARTIAL_OUTPUTS = ["estimate_reports", "stitched_ip", "rtlsim_performance"]


def chained(parts: tuple[Part, ...], platform: str, x: np.ndarray) -> np.ndarray:
    value: np.ndarray | list[np.ndarray] = x
    for part in parts:
        value = part.load(platform).execute(value)
    assert isinstance(value, np.ndarray)
    return value


@pytest.mark.parametrize("platform", ["python", "cppsim", "rtlsim"])
def test_parts_give_what_the_whole_gives(platform: str) -> None:
    x, _ = example("tfc_w1a1_mnist").test_set()
    parts = split(TFC, after=["MVAU_0", "MVAU_1"])
    assert [part.name for part in parts] == ["tfc_w1a1_mnist_0", "tfc_w1a1_mnist_1", "tfc_w1a1_mnist_2"]
    np.testing.assert_array_equal(chained(parts, platform, x[:60]), load(TFC, platform).execute(x[:60]))


def test_a_cut_beside_a_residual_addition_has_two_streams() -> None:
    x, _ = example("resnet8_w4a4_digits").test_set()
    parts = split(RESNET, after=["MVAU_1"])
    first, second = (part.load("rtlsim") for part in parts)
    assert (first.num_outputs, second.num_inputs) == (2, 2)
    whole = load(RESNET, "python")
    np.testing.assert_array_equal(chained(parts, "python", x[:20]), whole.execute(x[:20]))
    np.testing.assert_array_equal(second.execute(first.execute(x[:5])), whole.execute(x[:5]))


@pytest.mark.parametrize(
    ("directory", "after", "message"),
    [
        (TFC, ["MVAU_7"], "tfc_w1a1_mnist: there is no layer 'MVAU_7'. Remedy: did you mean 'MVAU_3'?"),
        (
            TFC,
            ["MVAU_1", "MVAU_0"],
            "tfc_w1a1_mnist: no part ends behind MVAU_0 (what MVAU_1 needs has it already). Remedy: give another order",
        ),
        (
            TFC,
            ["LabelSelect_0"],
            "tfc_w1a1_mnist: nothing is left behind LabelSelect_0. Remedy: give an earlier layer",
        ),
        (
            RESNET,
            ["MVAU_1", "MVAU_2"],
            "resnet8_w4a4_digits: the stream MultiThreshold_1_out0_channels_last_int_copy_1 would pass by part 1 (it "
            "goes from part 0 to part 2, and a part gives its streams to the next one only). Remedy: cut where all "
            "streams end: not beside a branch that goes on",
        ),
    ],
)
def test_refusals(directory: Path, after: list[str], message: str) -> None:
    with pytest.raises(DeployError) as error:
        split(directory, after)
    assert str(error.value) == message


def test_a_part_is_built_to_verilog(tmp_path: Path) -> None:
    part = split(TFC, after=["MVAU_1"])[1]
    part.save(tmp_path / "part")
    config = tmp_path / "part" / "dataflow_build_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    assert settings["board"] == "ULX3S-85F"
    config.write_text(json.dumps(settings | {"generate_outputs": PARTIAL_OUTPUTS}), encoding="utf-8")
    assert build_dataflow_directory(str(tmp_path / "part")) == 0
    report = tmp_path / "part" / "output" / "report" / "rtlsim_performance.json"
    assert json.loads(report.read_text(encoding="utf-8"))["interval_cycles"] == 64
    assert (tmp_path / "part" / "output" / "stitched_ip" / "finn_design.sv").is_file()
    with pytest.raises(FileExistsError):
        part.save(tmp_path / "part")
