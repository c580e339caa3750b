"""Schedules by hand: what `departures` says about late, early and bursty input."""

from __future__ import annotations

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.analysis import dataflow_performance, exp_cycles_per_layer, latency_cycles, op_and_param_counts
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Schedule
from finn.dataflow.layers import MVAU, LabelSelect, Thresholding

INT4, INT2 = DataType["INT4"], DataType["INT2"]


@pytest.mark.parametrize(
    ("arrivals", "departures"),
    [
        ([0, 1], [5, 7]),  # step 1 needs beat 1, result 0 comes from step 1
        ([10, 11], [15, 17]),
        ([0, 6], [10, 12]),  # waits for the second beat, then goes on without a pause
        ([6, 6], [11, 13]),  # the first one is late, the second is already there
    ],
)
def test_departures(arrivals: list[int], departures: list[int]) -> None:
    """Four steps read beats 0 and 1 in the first two and write after the second and the fourth, 3 cycles later."""
    schedule = Schedule(4, np.array([0, 1]), np.array([1, 3]), read_delay=1, write_delay=3)
    assert schedule.departures(np.array(arrivals)).tolist() == departures


def mvau(simd: int, pe: int) -> MVAU:
    weights = np.ones((8, 6), np.int64)
    return MVAU((1, 8), INT4, weights, INT2, DataType["INT7"], SIMD=simd, PE=pe)


@pytest.mark.parametrize(("simd", "pe", "cycles"), [(1, 1, 48), (2, 3, 8), (8, 1, 6), (1, 6, 8), (8, 6, 1)])
def test_cycles_of_a_matrix(simd: int, pe: int, cycles: int) -> None:
    """MW / SIMD * MH / PE (Blott et al. 2018, arXiv:1809.04570)."""
    assert mvau(simd, pe).cycles == cycles


def test_network() -> None:
    steps = np.array([[1, 2, 3]])
    model = make_model(
        [
            ("MVAU_0", mvau(2, 3)),
            ("Thresholding_0", Thresholding((1, 6), DataType["INT7"], steps, DataType["UINT2"], PE=3)),
            ("LabelSelect_0", LabelSelect((1, 6), DataType["UINT2"], PE=3)),
        ]
    )
    assert exp_cycles_per_layer(model) == {"MVAU_0": 8, "Thresholding_0": 2, "LabelSelect_0": 2}
    found = dataflow_performance(model)
    assert found == {
        "critical_path_cycles": latency_cycles(model),
        "max_cycles": 8,
        "max_cycles_node_name": "MVAU_0",
    }
    assert op_and_param_counts(model) == {
        "MVAU_0": {"op_mac_2bx4b": 48, "param_weight_2b": 48},
        "Thresholding_0": {"param_threshold_7b": 3},
        "LabelSelect_0": {},
        "total": {"op_mac_2bx4b": 48, "param_weight_2b": 48, "param_threshold_7b": 3},
    }
