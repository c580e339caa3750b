# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Vitis HLS: where it is, and what it makes of the projects of layers.

Written from its documentation (AMD UG1399); it has not been run against the tool.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from finn.dataflow.native import first_error
from finn.hls.errors import HlsError

LOG = "vitis_hls.log"
STAGES = "csynth export"
KINDS = ("LUT", "FF", "DSP", "BRAM_18K", "URAM")


@dataclass(frozen=True)
class Synthesized:
    """What synthesis says of a layer: resources by kind, and the clock period in ns. verilog : the files of the top."""

    resources: Mapping[str, int]
    clk_ns: float
    verilog: tuple[Path, ...]


def command() -> tuple[str, ...] | None:
    """How to run a script: $VITIS_HLS, else vitis_hls, else vitis-run of newer releases; None if there is none."""
    chosen = os.environ.get("VITIS_HLS")
    if path := shutil.which(chosen or "vitis_hls"):
        return (path, "-f")
    path = None if chosen else shutil.which("vitis-run")
    return (path, "--mode", "hls", "--tcl") if path else None


def synthesize_all(
    folders: Mapping[str, Path], workers: int, stages: str = STAGES
) -> dict[str, Synthesized | HlsError]:
    """Top function -> what became of its project; as many at once as there are workers."""

    def one(name: str) -> Synthesized | HlsError:
        try:
            return synthesize(name, folders[name], stages)
        except HlsError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(folders, pool.map(one, folders), strict=True))


def synthesize(name: str, folder: Path, stages: str = STAGES) -> Synthesized:
    """Run these stages of hls.tcl in the folder of a project. Raises HlsError if the tool is not there, or fails."""
    script = command()
    if script is None:
        raise HlsError("Vitis HLS is not on this machine", where=f"node {name}", remedy="set $VITIS_HLS, or use rtl")
    log = folder / LOG
    with log.open("w") as stream:
        environment = {**os.environ, "HLS_STAGES": stages}
        arguments = [*script, "hls.tcl"]
        done = subprocess.run(arguments, cwd=folder, env=environment, stdout=stream, stderr=stream, check=False)
    report = folder / f"project_{name}" / "solution" / "syn" / "report" / f"{name}_csynth.xml"
    if done.returncode or not report.is_file():
        raise HlsError(
            "Vitis HLS failed",
            where=f"node {name}",
            why=first_error(log.read_text(errors="replace")),
            remedy=f"read {log}",
        )
    return _read(report, sorted((report.parents[1] / "verilog").glob("*.v")))


def _read(report: Path, verilog: list[Path]) -> Synthesized:
    """Raises HlsError for a report that is none."""
    try:
        root = ElementTree.parse(report).getroot()
        found = {kind: int(root.findtext(f"AreaEstimates/Resources/{kind}", "0")) for kind in KINDS}
        period = root.findtext("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod", "")
        return Synthesized(found, float(period), tuple(verilog))
    except (ElementTree.ParseError, ValueError) as error:
        raise HlsError("a report of Vitis HLS cannot be read", where=str(report), why=str(error)) from error
