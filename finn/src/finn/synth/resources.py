"""Counting: from the cells of a mapped netlist to one dictionary that means the same for every family.

    LUT        look-up tables. AMD: LUT1..LUT6 and INV one each (two small ones in one LUT6_2 are not packed, so that
               this is an upper bound), plus LUTRAM and SRL. ECP5: LUT4, two for each CCU2C, six for each 16x4 RAM
    LUTRAM     of these, used as distributed RAM: AMD by UG474 and UG574, distributed RAM configurations; ECP5 by
               FPGA-TN-02204 (16x4 takes three slices)
    SRL        of these, used as shift registers
    FF         flip-flops
    DSP        AMD DSP48E1/E2; ECP5 MULT18X18D, two MULT9X9D in one
    BRAM_18K   AMD RAMB18; ECP5 DP16KD and PDPW16KD (18 kbit each)
    BRAM_36K   AMD RAMB36 (not counted again in BRAM_18K)
    URAM       AMD URAM288
    Carry      CARRY4, CARRY8, CCU2C

Multiplexers of fixed place (MUXF7/8/9, PFUMX, L6MUX21), buffers and pads are not counted: they come with the LUTs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("LUT", "LUTRAM", "SRL", "FF", "DSP", "BRAM_18K", "BRAM_36K", "URAM", "Carry")

_LUTRAM = {
    "RAM16X1S": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
    "RAM16X1D": 2,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "TRELLIS_DPR16X4": 6,
}

# Cell type -> what one of it uses.
COSTS: dict[str, dict[str, int]] = {
    **{f"LUT{n}": {"LUT": 1} for n in range(1, 7)},
    "LUT6_2": {"LUT": 1},
    "INV": {"LUT": 1},
    **{cell: {"LUT": 1, "SRL": 1} for cell in ("SRL16E", "SRLC16E", "SRLC32E")},
    **{cell: {"LUT": luts, "LUTRAM": luts} for cell, luts in _LUTRAM.items()},
    **{f"{cell}{edge}": {"FF": 1} for cell in ("FDRE", "FDSE", "FDCE", "FDPE") for edge in ("", "_1")},
    "TRELLIS_FF": {"FF": 1},
    "CARRY4": {"Carry": 1},
    "CARRY8": {"Carry": 1},
    "CCU2C": {"LUT": 2, "Carry": 1},
    **{cell: {"BRAM_18K": 1} for cell in ("RAMB18E1", "RAMB18E2", "DP16KD", "PDPW16KD")},
    **{cell: {"BRAM_36K": 1} for cell in ("RAMB36E1", "RAMB36E2")},
    "URAM288": {"URAM": 1},
    **{cell: {"DSP": 1} for cell in ("DSP48E1", "DSP48E2", "MULT18X18D")},
}
_NINE_BIT = "MULT9X9D"

_TOP = "(top)"
_OUTSIDE = "(outside)"

# Cells without state: they have no place of their own, but belong to what reads them.
_LOGIC = frozenset(
    {*(f"LUT{n}" for n in range(1, 7)), "LUT6_2", "INV", "MUXF7", "MUXF8", "MUXF9"}
    | {"CARRY4", "CARRY8", "CCU2C", "PFUMX", "L6MUX21"}
)

LATCHES = frozenset({"LDCE", "LDPE", "LDCE_1", "LDPE_1"})


@dataclass(frozen=True)
class Usage:
    """What a netlist uses. total == the sum of per_instance; key "(top)" of that is what belongs to no instance."""

    total: dict[str, int]
    per_instance: dict[str, dict[str, int]]


def count(cells: Iterable[str]) -> dict[str, int]:
    """`KINDS` -> how many `cells` (given by type) use."""
    types = Counter(cells)
    used = Counter({"DSP": (types[_NINE_BIT] + 1) // 2})
    for cell, number in types.items():
        for kind, each in COSTS.get(cell, {}).items():
            used[kind] += number * each
    return {kind: used[kind] for kind in KINDS}


def whole(netlist: Path, top: str) -> dict[str, int]:
    """What the flat Yosys JSON `netlist` of `top` uses in all."""
    module: dict[str, Any] = json.loads(netlist.read_text())["modules"][top]
    return count(cell["type"] for cell in module["cells"].values())


def usage(netlist: Path, top: str, design: str = "", elaborated: Path | None = None) -> Usage:
    """What the flat Yosys JSON `netlist` of `top` uses in its instance `design` (everywhere if empty).

    elaborated: the design flattened before any optimisation. A register or memory belongs to the instance that drives
    the same wire there; wires have one of many names left after mapping, and it may be the reader's. Without
    `elaborated`, the name decides. Logic belongs to the instance that most of its readers are in: true where the
    outputs of instances come from registers, as in this library; else a border moves with the logic across it.
    """
    module: dict[str, Any] = json.loads(netlist.read_text())["modules"][top]
    prefix = f"{design}." if design else ""
    source = _drivers(json.loads(elaborated.read_text())["modules"][top], prefix) if elaborated else {}
    cells: dict[str, dict[str, Any]] = module["cells"]
    driver = {
        bit: source[wire, position]
        for wire, net in module["netnames"].items()
        for position, bit in enumerate(net["bits"])
        if (wire, position) in source
    }
    owner = _owners(cells, driver, prefix)
    types: dict[str, list[str]] = {}
    for name in sorted(cells):
        types.setdefault(owner[name], []).append(cells[name]["type"])
    types.pop(_OUTSIDE, None)
    per_instance = {instance: count(types[instance]) for instance in sorted(types)}
    total = count(cell for inside in types.values() for cell in inside)
    return Usage(total, {instance: used for instance, used in per_instance.items() if any(used.values())})


def _drivers(module: Mapping[str, Any], prefix: str) -> dict[tuple[str, int], str]:
    """(wire, bit) -> owner of the cell that drives it."""
    owner: dict[int, str] = {}
    for name, cell in module["cells"].items():
        owner |= dict.fromkeys(_bits(cell, "output"), _by_name(name, prefix))
    return {
        (wire, position): owner[bit]
        for wire, net in module["netnames"].items()
        for position, bit in enumerate(net["bits"])
        if bit in owner
    }


def _owners(cells: Mapping[str, dict[str, Any]], driver: Mapping[int, str], prefix: str) -> dict[str, str]:
    """Cell -> instance, _TOP or _OUTSIDE."""
    owner: dict[str, str] = {}
    readers: dict[int, list[str]] = {}
    for name, cell in cells.items():
        for bit in _bits(cell, "input"):
            readers.setdefault(bit, []).append(name)
        if cell["type"] not in _LOGIC:
            known = [driver[bit] for bit in _bits(cell, "output") if bit in driver]
            owner[name] = known[0] if known else _by_name(name, prefix)
    for name in _readers_first({name: cell for name, cell in cells.items() if name not in owner}, readers):
        ahead = [reader for bit in _bits(cells[name], "output") for reader in readers.get(bit, [])]
        votes = Counter(owner[reader] for reader in ahead if reader in owner)
        owner[name] = votes.most_common(1)[0][0] if votes else _by_name(name, prefix)
    return owner


def _readers_first(logic: Mapping[str, dict[str, Any]], readers: Mapping[int, list[str]]) -> list[str]:
    """The cells of `logic`, each after its readers. A carry cell may feed itself: such a cycle is cut anywhere."""
    order: dict[str, None] = {}
    expanded: set[str] = set()
    for first in logic:
        stack = [first]
        while stack:
            name = stack[-1]
            if name in expanded:
                order.setdefault(stack.pop())
                continue
            expanded.add(name)
            ahead = [reader for bit in _bits(logic[name], "output") for reader in readers.get(bit, [])]
            stack += [reader for reader in ahead if reader in logic and reader not in expanded]
    return list(order)


def _by_name(name: str, prefix: str) -> str:
    """First step of a cell's path after `prefix`: u_fifo of $flatten\\u_design.\\u_fifo.$procdff$7."""
    path = name.removeprefix("$flatten").replace("\\", "")
    if not path.startswith(prefix):
        return _OUTSIDE
    instance, dot, _ = path[len(prefix) :].partition(".")
    return instance if dot and not instance.startswith("$") else _TOP


def _bits(cell: Mapping[str, Any], direction: str) -> list[int]:
    """Nets on the ports of `direction`, without constants."""
    directions = cell["port_directions"]
    return [
        bit
        for port, bits in cell["connections"].items()
        if directions.get(port) == direction
        for bit in bits
        if isinstance(bit, int)
    ]
