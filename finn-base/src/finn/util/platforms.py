"""Platforms for floorplanning: what each super logic region (SLR) of each device holds, and what connects them.

Resources are lists in the order LUT, FF, BRAM_18K, URAM, DSP. SLRs of several devices are numbered device after device.
The facts are in platforms.json, with their source.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from finn.core.errors import ConfigError, UnsupportedError

_FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "platforms.json").read_text(encoding="utf-8"))
_TYPES: list[str] = _FACTS["resource_types"]
_DEVICE_HOP = 10  # the cost of going from device to device, where going to the next SLR costs 1

DONT_CARE = -1
"""For a limit or cost: there is none."""

DEFAULT_RES_LIMITS: npt.NDArray[np.float64] = np.array(_FACTS["limits"])
"""Which part of each resource can be used before timing suffers."""

DEFAULT_AVG_CONSTRAINTS: list[tuple[tuple[int, ...], float]] = [
    (tuple(_FACTS["average_limit"]["resources"]), _FACTS["average_limit"]["limit"])
]
"""[(positions of resources, which part of them can be used on average)]."""


def _overhead(controller: str) -> dict[str, int]:
    return dict(zip(_TYPES, _FACTS["overheads"][controller], strict=True))


DDR_RESOURCE_REQUIREMENTS = _overhead("ddr")
"""What a controller of external memory takes."""
HBM_RESOURCE_REQUIREMENTS = _overhead("hbm")
"""What a controller of memory in the package takes."""
ETH_RESOURCE_REQUIREMENTS = _overhead("eth")
"""What a network interface with UDP takes."""


class Platform:
    """`ndevices` equal devices of `nslr` SLRs each, in a chain over the network. Subclasses give `compute_resources`.

    sll_count: (nslr, nslr) lines between SLRs; hbm_slr, ddr_slr, eth_slr: SLRs with these controllers (hbm_slr -1:
    none); eth_gbps: speed of the network; limits: usable part of each resource, for each SLR or for all;
    avg_constraints: as DEFAULT_AVG_CONSTRAINTS. ConfigError for numbers below 1.
    """

    def __init__(
        self,
        nslr: int = 1,
        ndevices: int = 1,
        sll_count: Sequence[Sequence[int]] = (),
        hbm_slr: int = -1,
        ddr_slr: Sequence[int] = (0,),
        eth_slr: int = 0,
        eth_gbps: float = 0,
        limits: npt.NDArray[np.float64] = DEFAULT_RES_LIMITS,
        avg_constraints: Sequence[tuple[tuple[int, ...], float]] = tuple(DEFAULT_AVG_CONSTRAINTS),
    ) -> None:
        if nslr < 1 or ndevices < 1:
            raise ConfigError(f"a platform cannot have {ndevices} devices of {nslr} SLRs", remedy="use at least 1")
        if nslr > 1 and np.shape(sll_count) != (nslr, nslr):
            raise ConfigError(f"sll_count of shape {np.shape(sll_count)} does not connect {nslr} SLRs")
        self.nslr, self.ndevices = nslr, ndevices
        self.sll_count = [list(row) for row in sll_count]
        self.hbm_slr, self.ddr_slr = hbm_slr, list(ddr_slr)
        self.eth_slr, self.eth_gbps = eth_slr, eth_gbps
        self.res_limits = limits
        self.avg_constraints = list(avg_constraints)

    @property
    def compute_resources(self) -> list[list[int]]:
        """The resources of each SLR of one device. UnsupportedError if the class does not tell."""
        raise UnsupportedError(
            f"{type(self).__name__} has no resources", remedy="take a class from `platforms`, or override the property"
        )

    @property
    def guide_resources(self) -> list[list[int]]:
        """The resources of each SLR that controllers leave to the design: of HBM, or else DDR, and of the network
        if there are several devices.
        """
        guide = []
        for slr in range(self.nslr * self.ndevices):
            local, _ = self.map_device_to_slr(slr)
            left = dict(zip(_TYPES, self.compute_resources[local], strict=True))
            for overhead in self._controllers(local):
                left = {name: left[name] - overhead[name] for name in _TYPES}
            guide.append(list(left.values()))
        return guide

    def _controllers(self, local_slr: int) -> list[dict[str, int]]:
        found = []
        if self.ndevices > 1 and local_slr == self.eth_slr:
            found.append(ETH_RESOURCE_REQUIREMENTS)
        if local_slr == self.hbm_slr:
            found.append(HBM_RESOURCE_REQUIREMENTS)
        elif local_slr in self.ddr_slr:
            found.append(DDR_RESOURCE_REQUIREMENTS)
        return found

    @property
    def resource_count_dict(self) -> dict[str, dict[str, int]]:
        """{"slr0": {"LUT": ..., ...}, ...} of all SLRs, nothing subtracted."""
        rows = self.compute_resources * self.ndevices
        return {f"slr{slr}": dict(zip(_TYPES, row, strict=True)) for slr, row in enumerate(rows)}

    @property
    def compute_connection_cost(self) -> npt.NDArray[np.int64]:
        """(SLRs, SLRs) cost of going from one to the other: 0 in place, 1 to the next one, 10 over the network
        between neighbouring devices, DONT_CARE where there is no direct way.
        """
        total = self.nslr * self.ndevices
        cost = np.full((total, total), DONT_CARE, dtype=np.int64)
        for i in range(total):
            for j in range(total):
                if self._same_device(i, j) and abs(i - j) <= 1:
                    cost[i, j] = abs(i - j)
                elif self._linked(i, j):
                    cost[i, j] = _DEVICE_HOP
        return cost

    @property
    def compute_connection_resource(self) -> list[list[tuple[int, int]]]:
        """[from][to] (lines, network bits/s) that there are: DONT_CARE lines between devices and in place,
        DONT_CARE bits/s within a device, 0 where there is no way.
        """
        total = range(self.nslr * self.ndevices)
        return [[self._link(i, j) for j in total] for i in total]

    def _link(self, i: int, j: int) -> tuple[int, int]:
        if not self._same_device(i, j):
            return DONT_CARE, int(self.eth_gbps * 10**9) if self._linked(i, j) else 0
        lines = DONT_CARE if i == j else self.sll_count[i % self.nslr][j % self.nslr]
        return lines, DONT_CARE

    def _same_device(self, i: int, j: int) -> bool:
        return i // self.nslr == j // self.nslr

    def _linked(self, i: int, j: int) -> bool:
        """Whether the network connects two SLRs."""
        neighbours = abs(i // self.nslr - j // self.nslr) == 1
        return neighbours and i % self.nslr == j % self.nslr == self.eth_slr

    def map_device_to_slr(self, idx: int) -> tuple[int, int]:
        """(SLR within its device, device) of SLR number `idx`. ConfigError if there is no such SLR."""
        if not 0 <= idx < self.nslr * self.ndevices:
            raise ConfigError(f"there is no SLR {idx}", remedy=f"use 0..{self.nslr * self.ndevices - 1}")
        return idx % self.nslr, idx // self.nslr


class _Known(Platform):
    """A platform of which platforms.json tells everything."""

    device: ClassVar[str]

    def __init__(
        self,
        ndevices: int = 1,
        limits: npt.NDArray[np.float64] = DEFAULT_RES_LIMITS,
        avg_constraints: Sequence[tuple[tuple[int, ...], float]] = tuple(DEFAULT_AVG_CONSTRAINTS),
    ) -> None:
        facts = _FACTS["devices"][self.device]
        nslr, lines = len(facts["resources"]), facts.get("sll", 0)
        super().__init__(
            nslr=nslr,
            ndevices=ndevices,
            sll_count=[[lines if abs(i - j) == 1 else 0 for j in range(nslr)] for i in range(nslr)],
            hbm_slr=facts.get("hbm_slr", -1),
            ddr_slr=facts.get("ddr_slr", ()),
            eth_slr=facts.get("eth_slr", 0),
            eth_gbps=facts["eth_gbps"],
            limits=limits,
            avg_constraints=avg_constraints,
        )

    @property
    def compute_resources(self) -> list[list[int]]:
        return [list(row) for row in _FACTS["devices"][self.device]["resources"]]


class Zynq7020_Platform(_Known):
    """Pynq-Z1 and Pynq-Z2."""

    device = "Zynq7020"


class ZU3EG_Platform(_Known):
    """Ultra96."""

    device = "ZU3EG"


class ZU7EV_Platform(_Known):
    """ZCU104."""

    device = "ZU7EV"


class ZU9EG_Platform(_Known):
    """ZCU102."""

    device = "ZU9EG"


class ZU28DR_Platform(_Known):
    """ZCU111."""

    device = "ZU28DR"


class Alveo_NxU50_Platform(_Known):
    """Alveo U50 cards."""

    device = "U50"


class Alveo_NxU200_Platform(_Known):
    """Alveo U200 cards."""

    device = "U200"


class Alveo_NxU250_Platform(_Known):
    """Alveo U250 cards."""

    device = "U250"


class Alveo_NxU280_Platform(_Known):
    """Alveo U280 cards."""

    device = "U280"


platforms: dict[str, type[_Known]] = {
    "U50": Alveo_NxU50_Platform,
    "U200": Alveo_NxU200_Platform,
    "U250": Alveo_NxU250_Platform,
    "U280": Alveo_NxU280_Platform,
    "Pynq-Z1": Zynq7020_Platform,
    "Pynq-Z2": Zynq7020_Platform,
    "Ultra96": ZU3EG_Platform,
    "ZCU104": ZU7EV_Platform,
    "ZCU102": ZU9EG_Platform,
    "ZCU111": ZU28DR_Platform,
}
"""Boards, and the classes of their platforms."""
