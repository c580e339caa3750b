"""Platforms: published numbers, and connections checked pair by pair."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from finn.core.errors import ConfigError, UnsupportedError
from finn.util import platforms as pl


def test_constants() -> None:
    assert pl.DONT_CARE == -1
    assert pl.DEFAULT_RES_LIMITS.tolist() == [0.7, 0.5, 0.8, 0.8, 0.8]
    assert pl.DEFAULT_AVG_CONSTRAINTS == [((2, 3, 4), 0.7)]
    assert pl.DDR_RESOURCE_REQUIREMENTS == {"LUT": 33256, "FF": 44889, "BRAM_18K": 199, "URAM": 0, "DSP": 3}
    assert pl.HBM_RESOURCE_REQUIREMENTS == {"LUT": 10718, "FF": 21793, "BRAM_18K": 8, "URAM": 0, "DSP": 0}
    assert pl.ETH_RESOURCE_REQUIREMENTS == {"LUT": 35219, "FF": 86269, "BRAM_18K": 183, "URAM": 0, "DSP": 0}


def test_one_small_device() -> None:
    platform = pl.platforms["Pynq-Z1"]()
    assert isinstance(platform, pl.Zynq7020_Platform)
    assert platform.compute_resources == platform.guide_resources == [[53200, 106400, 280, 0, 220]]
    assert platform.resource_count_dict == {
        "slr0": {"LUT": 53200, "FF": 106400, "BRAM_18K": 280, "URAM": 0, "DSP": 220}
    }
    assert platform.compute_connection_cost.tolist() == [[0]]
    assert platform.compute_connection_resource == [[(-1, -1)]]


def test_controllers_take_their_part() -> None:
    """HBM before DDR on the same SLR; the network only between devices."""
    alone, pair = pl.Alveo_NxU280_Platform(), pl.Alveo_NxU280_Platform(2)
    assert alone.guide_resources == [
        [400800 - 10718, 801600 - 21793, 1200 - 8, 320, 2736],
        [382080 - 33256, 764160 - 44889, 1152 - 199, 320, 2880 - 3],
        [380640, 761280, 1152, 320, 2880],
    ]
    network = [380640 - 35219, 761280 - 86269, 1152 - 183, 320, 2880]
    assert pair.guide_resources == [*alone.guide_resources[:2], network] * 2
    assert list(pair.resource_count_dict) == [f"slr{i}" for i in range(6)]
    assert pair.resource_count_dict["slr5"] == pair.resource_count_dict["slr2"] == alone.resource_count_dict["slr2"]


@pytest.mark.parametrize("name", pl.platforms)
@pytest.mark.parametrize("devices", [1, 2, 3])
def test_connections(name: str, devices: int) -> None:
    platform = pl.platforms[name](ndevices=devices)
    n = platform.nslr
    cost, links = platform.compute_connection_cost, platform.compute_connection_resource
    assert cost.shape == (n * devices, n * devices)
    for (device_a, a), (device_b, b) in product(product(range(devices), range(n)), repeat=2):
        i, j = device_a * n + a, device_b * n + b
        if device_a == device_b:
            expected = {0: 0, 1: 1}.get(abs(a - b), -1)
            link = (-1 if a == b else 5000 if abs(a - b) == 1 else 0, -1)
        else:
            linked = abs(device_a - device_b) == 1 and a == b == platform.eth_slr
            expected = 10 if linked else -1
            link = (-1, platform.eth_gbps * 10**9 if linked else 0)
        assert (cost[i, j], links[i][j]) == (expected, link)
        assert platform.map_device_to_slr(i) == (a, device_a)
    for wrong in (-1, n * devices):
        with pytest.raises(ConfigError, match=f"there is no SLR {wrong}"):
            platform.map_device_to_slr(wrong)


def test_own_platforms() -> None:
    class Mine(pl.Platform):
        @property
        def compute_resources(self) -> list[list[int]]:
            return [[100000, 100000, 1000, 10, 10]] * self.nslr

    mine = Mine(nslr=2, sll_count=[[0, 7], [7, 0]], limits=np.ones(5))
    assert mine.guide_resources == [[66744, 55111, 801, 10, 7], [100000, 100000, 1000, 10, 10]]
    assert mine.compute_connection_resource[0][1] == (7, -1)
    assert mine.res_limits.tolist() == [1, 1, 1, 1, 1]
    assert mine.avg_constraints == pl.DEFAULT_AVG_CONSTRAINTS
    with pytest.raises(UnsupportedError, match="Platform has no resources"):
        pl.Platform().guide_resources  # noqa: B018  # a property that raises
    with pytest.raises(ConfigError, match=r"sll_count of shape \(0,\) does not connect 2 SLRs"):
        pl.Platform(nslr=2)
    with pytest.raises(ConfigError, match="cannot have 0 devices"):
        pl.ZU3EG_Platform(ndevices=0)
