# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Vitis HLS: where it is, and what it makes of the projects of layers.

Written from its documentation (AMD UG1399); it has not been run against the tool.
"""

from __future__ import annotations

import os
import re
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
    """What synthesis says of a layer: resources by kind, the clock period in ns, cycles of a call and between calls.

    latency, interval : None if it does not say. verilog : the files of the top, and of its memories.
    """

    resources: Mapping[str, int]
    clk_ns: float
    latency: int | None
    interval: int | None
    verilog: tuple[Path, ...]


def command() -> tuple[str, ...] | None:
    """How to run a script: $VITIS_HLS, else vitis_hls, else vitis-run of newer releases; None if there is none."""
    chosen = os.environ.get("VITIS_HLS")
    path = next(filter(None, map(shutil.which, [chosen] if chosen else ["vitis_hls", "vitis-run"])), None)
    if path is None:
        return None
    return (path, "--mode", "hls", "--tcl") if Path(path).stem == "vitis-run" else (path, "-f")


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
    report = _solution(name, folder) / "report" / f"{name}_csynth.xml"
    if done.returncode or not report.is_file():
        raise HlsError(
            "Vitis HLS failed",
            where=f"node {name}",
            why=first_error(log.read_text(errors="replace")),
            remedy=f"read {log}",
        )
    found = _read(report, verilog(name, folder))
    _require_ports(name, folder)
    return found


def verilog(name: str, folder: Path) -> tuple[Path, ...]:
    """What Vitis HLS has made in the folder of a project: Verilog, and the memories that it reads."""
    made = _solution(name, folder) / "verilog"
    return tuple(sorted([*made.glob("*.v"), *made.glob("*.dat")]))


def files(name: str, folder: Path) -> tuple[Path, ...]:
    """What stands for the layer in a design: `verilog`, and the adapter; nothing if either is not there."""
    adapter, made = folder / f"{name}_hls.sv", verilog(name, folder)
    return (*made, adapter) if made and adapter.is_file() else ()


def _solution(name: str, folder: Path) -> Path:
    return folder / f"project_{name}" / "solution" / "syn"


def _require_ports(name: str, folder: Path) -> None:
    """Raise HlsError unless the Verilog has the ports that the adapter connects."""
    adapter = folder / f"{name}_hls.sv"
    if not adapter.is_file():
        return
    top = _solution(name, folder) / "verilog" / f"{name}.v"
    there = set(re.findall(r"\w+", top.read_text())) if top.is_file() else set()
    missing = [port for port in re.findall(r"^ +\.(\w+)\(", adapter.read_text(), re.MULTILINE) if port not in there]
    if missing:
        raise HlsError(
            "the Verilog of Vitis HLS has other ports", where=f"node {name}, {top}", why=f"there is no {missing[0]}",
            remedy="prefer rtl for this layer",
        )  # fmt: skip


def _read(report: Path, made: tuple[Path, ...]) -> Synthesized:
    """Raises HlsError for a report that is none."""
    times = "PerformanceEstimates/SummaryOfOverallLatency"
    try:
        root = ElementTree.parse(report).getroot()
        found = {kind: int(root.findtext(f"AreaEstimates/Resources/{kind}", "0")) for kind in KINDS}
        period = root.findtext("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod", "")
        cycles = [_cycles(root.findtext(f"{times}/{name}", "")) for name in ("Worst-caseLatency", "Interval-max")]
        return Synthesized(found, float(period), cycles[0], cycles[1], made)
    except (ElementTree.ParseError, ValueError) as error:
        raise HlsError("a report of Vitis HLS cannot be read", where=str(report), why=str(error)) from error


def _cycles(text: str) -> int | None:
    """A report has words in the place of numbers that it does not know."""
    return int(text) if text.isdecimal() else None
