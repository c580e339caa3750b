"""Boards and parts: which flow a part takes, how much it holds, which pins a board has.

The facts are in data/boards.json and data/parts.json, each with source and date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finn.core.errors import nearest
from finn.synth.errors import BoardError

DATA = Path(__file__).parent / "data"

DEFAULT_ECP5_BOARD = "ULX3S-85F"


class Family(Enum):
    """A device family; the value is what Yosys calls it."""

    XC7 = "xc7"
    XCUP = "xcup"
    ECP5 = "ecp5"


# Beginning of a part name -> family, for devices that parts.json does not list. Longest match wins.
_PREFIXES = {
    "xc7": Family.XC7,
    "xczu": Family.XCUP,
    "xcku": Family.XCUP,
    "xcvu": Family.XCUP,
    "xck2": Family.XCUP,
    "xcau": Family.XCUP,
    "xcu": Family.XCUP,
}

# Lattice ordering code -> package name of nextpnr-ecp5. Source: FPGA-DS-02012, ordering information.
_ECP5_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}


@dataclass(frozen=True)
class Part:
    """An orderable part.

    capacity: LUT, FF, BRAM_18K, URAM, DSP of the whole device; empty if the device is not in parts.json.
    package, speed: of ECP5 parts, as nextpnr-ecp5 names them.
    """

    name: str
    device: str
    family: Family
    capacity: Mapping[str, int]
    package: str = ""
    speed: int = 0

    def utilisation(self, resources: Mapping[str, int]) -> dict[str, float]:
        """Used share (1.0 = all) of each resource whose capacity is known. An RAMB36 is two of BRAM_18K."""
        used = dict(resources)
        used["BRAM_18K"] = resources.get("BRAM_18K", 0) + 2 * resources.get("BRAM_36K", 0)
        return {kind: used.get(kind, 0) / have for kind, have in self.capacity.items() if have}


@dataclass(frozen=True)
class Board:
    """A board. pins: by signal (clk, reset, si_*, so_*); empty if the board gets resource estimates only.

    clock_mhz: of the oscillator on pin clk. reset_active: "high", "low", or "none" if there is no usable button.
    """

    name: str
    part: Part
    pins: Mapping[str, str]
    clock_mhz: float = 0.0
    reset_active: str = "none"

    @property
    def has_bitstream(self) -> bool:
        return bool(self.pins)


def board_names(*, bitstream: bool = False) -> list[str]:
    """All boards, or those that the open flow can make a bitstream for, in the order of boards.json."""
    return [name for name, fields in _boards().items() if not bitstream or "pins" in fields]


def board(name: str) -> Board:
    """The board called `name` (case does not matter). Raises `BoardError` with the nearest valid name."""
    names = {known.lower(): known for known in _boards()}
    if name.lower() not in names:
        raise BoardError(f"there is no board '{name}'", where="board", remedy=nearest(name, list(names.values())))
    fields = _boards()[names[name.lower()]]
    return Board(
        name=names[name.lower()],
        part=part(fields["part"]),
        pins=MappingProxyType(fields.get("pins", {})),
        clock_mhz=fields.get("clock_mhz", 0.0),
        reset_active=fields.get("reset_active", "none"),
    )


def part_of(name: str) -> str:
    """The part on the board called `name`. Raises `BoardError` with the nearest valid name."""
    return board(name).part.name


def part(name: str) -> Part:
    """The part called `name`, such as xc7z020clg400-1 or LFE5U-85F-6BG381C. Raises `BoardError` if no flow takes it."""
    devices = _devices()
    device = max((known for known in devices if name.lower().startswith(known.lower())), key=len, default="")
    if name.upper().startswith("LFE5"):
        return _ecp5_part(name, device)
    if device:
        return Part(name, device, Family(devices[device]["family"]), _capacity(device))
    prefix = max((known for known in _PREFIXES if name.lower().startswith(known)), key=len, default="")
    if not prefix:
        raise BoardError(
            f"no flow for part '{name}'",
            where="fpga_part",
            why="known are AMD 7-series and UltraScale+ (xc7, xcz, xcu, xck) and Lattice ECP5 (LFE5)",
            remedy=nearest(name, list(devices)),
        )
    return Part(name, name, _PREFIXES[prefix], MappingProxyType({}))


def larger(resources: Mapping[str, int], than: Part) -> list[str]:
    """Boards of the family of `than` on which `resources` fit, smallest first."""
    fitting = []
    for candidate in map(board, board_names(bitstream=than.family is Family.ECP5)):
        if candidate.part.family is than.family and max(candidate.part.utilisation(resources).values(), default=2) <= 1:
            fitting.append((candidate.part.capacity["LUT"], candidate.name))
    return [name for _, name in sorted(fitting)]


def _ecp5_part(name: str, device: str) -> Part:
    """`name` is DEVICE-<speed><package><C or I>."""
    grade = name[len(device) + 1 :].upper()
    packages = [package for package in _ECP5_PACKAGES if grade[1:].startswith(package)]
    if not device or grade[:1] not in ("6", "7", "8") or not packages:
        raise BoardError(
            f"cannot read ECP5 part '{name}'",
            where="fpga_part",
            why="expected <device>-<speed grade 6, 7 or 8><package>, with package one of " + ", ".join(_ECP5_PACKAGES),
            remedy="for instance LFE5U-85F-6BG381C",
        )
    return Part(name, device, Family.ECP5, _capacity(device), _ECP5_PACKAGES[packages[0]], int(grade[0]))


def _capacity(device: str) -> Mapping[str, int]:
    fields = _devices()[device]
    return MappingProxyType({kind: fields[kind] for kind in ("LUT", "FF", "BRAM_18K", "URAM", "DSP")})


@cache
def _boards() -> dict[str, dict[str, Any]]:
    boards: dict[str, dict[str, Any]] = json.loads((DATA / "boards.json").read_text())["boards"]
    return boards


@cache
def _devices() -> dict[str, dict[str, Any]]:
    devices: dict[str, dict[str, Any]] = json.loads((DATA / "parts.json").read_text())["devices"]
    return devices
