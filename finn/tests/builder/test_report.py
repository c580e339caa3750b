"""The report files have FINN's keys; the figures of FINN's own TFC example are met where they are defined alike."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.layer import Layer, Stream
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.report import estimates, summary
from finn.report.simulation import Accuracy, rtlsim_performance
from finn.report.synthesis import ooc_synth_and_timing, post_synth_resources

CLK_NS = 10.0
FINN_EXAMPLE = {
    "critical_path_cycles": 226,
    "max_cycles": 64,
    "max_cycles_node_name": "MVAU_hls_0",
    "estimated_throughput_fps": 1562500.0,
    "estimated_latency_ns": 2260.0,
}
"""estimate_network_performance.json of FINN for TFC-w1a1."""

RESOURCES = {"BRAM_18K", "BRAM_efficiency", "LUT", "URAM", "URAM_efficiency", "DSP"}


def mvau(mw: int, mh: int, pe: int, simd: int) -> MVAU:
    bipolar = DataType["BIPOLAR"]
    weights = np.random.default_rng(0).choice([-1, 1], (mw, mh))
    return MVAU(
        shape=(1, mw),
        input_dtype=bipolar,
        weights=weights,
        weight_dtype=bipolar,
        output_dtype=DataType.spanning(-mw, mw),
        PE=pe,
        SIMD=simd,
    )


@pytest.fixture(scope="module")
def layers() -> dict[str, Layer]:
    """TFC-w1a1 with the folding of FINN's example."""
    return {
        "MVAU_0": mvau(784, 64, 16, 49),
        "MVAU_1": mvau(64, 64, 8, 8),
        "MVAU_2": mvau(64, 64, 8, 8),
        "MVAU_3": mvau(64, 10, 10, 8),
        "LabelSelect_0": LabelSelect(shape=(1, 10), input_dtype=DataType["INT8"]),
    }


def test_network_performance() -> None:
    found: dict[str, int | float | str] = {
        "critical_path_cycles": 226,
        "max_cycles": 64,
        "max_cycles_node_name": "MVAU_hls_0",
        "interval_cycles": 64.0,
    }
    assert estimates.network_performance(found, CLK_NS) == FINN_EXAMPLE
    slower = estimates.network_performance(found | {"interval_cycles": 80.0}, CLK_NS)
    assert slower == FINN_EXAMPLE | {"estimated_throughput_fps": 1250000.0}


def test_resources_have_finns_keys(layers: dict[str, Layer]) -> None:
    found = estimates.layer_resources({name: layer.resources() for name, layer in layers.items()})
    assert set(found) == {*layers, "total"}
    assert all(set(found[name]) == RESOURCES for name in layers)
    assert found["total"] == {
        kind: sum(found[name][kind] for name in layers) for kind in ("BRAM_18K", "LUT", "URAM", "DSP")
    }
    ways = estimates.layer_config_alternatives(layers, None)
    assert all(set(way) == RESOURCES for name in layers for way in ways[name])


def test_cycles_and_counts_are_those_of_finn(layers: dict[str, Layer]) -> None:
    cycles = {name: layer.cycles for name, layer in layers.items()}
    assert cycles == {"MVAU_0": 64, "MVAU_1": 64, "MVAU_2": 64, "MVAU_3": 8, "LabelSelect_0": 10}
    counts = {"op_mac_1bx1b": 784 * 64, "param_weight_1b": 784 * 64}
    assert counts.items() <= layers["MVAU_0"].op_and_param_counts().items()


def test_rtlsim_performance() -> None:
    result: Any = SimpleNamespace(cycles=2000, latency_cycles=300, interval_cycles=64.0)
    stream = Stream((1, 784), DataType["BIPOLAR"], 49)
    result_stream = Stream((1, 1), DataType["UINT4"], 1)
    found = rtlsim_performance(result, 10, CLK_NS, [stream], [result_stream])
    assert found == pytest.approx(
        {
            "N_IN_TXNS": 160,
            "N_OUT_TXNS": 10,
            "cycles": 2000,
            "N": 10,
            "latency_cycles": 300,
            "interval_cycles": 64.0,
            "TIMEOUT": 0,
            "UNFINISHED_INS": 0,
            "UNFINISHED_OUTS": 0,
            "runtime[ms]": 0.02,
            "throughput[images/s]": 500_000.0,
            "DRAM_in_bandwidth[MB/s]": 56.0,
            "DRAM_out_bandwidth[MB/s]": 0.5,
            "fclk[mhz]": 100.0,
            "stable_throughput[images/s]": 1562500.0,
        }
    )


def test_rtlsim_performance_of_several_ports() -> None:
    result: Any = SimpleNamespace(cycles=2000, latency_cycles=300, interval_cycles=64.0)
    narrow, wide = Stream((1, 64), DataType["UINT4"], 2), Stream((1, 64), DataType["INT16"], 4)
    found = rtlsim_performance(result, 10, CLK_NS, [narrow, wide], [wide, wide, narrow])
    assert (found["N_IN_TXNS"], found["N_OUT_TXNS"]) == (10 * (32 + 16), 10 * (16 + 16 + 32))
    assert found["DRAM_in_bandwidth[MB/s]"] == pytest.approx(10 * (32 * 1 + 16 * 8) / 20)
    assert found["DRAM_out_bandwidth[MB/s]"] == pytest.approx(10 * (2 * 16 * 8 + 32 * 1) / 20)


@pytest.mark.parametrize("outputs", [[[1], [2], [0]], [[0, 5, 5], [1, 0, 3], [1, 2, 0]]], ids=["indices", "scores"])
def test_accuracy(outputs: list[list[int]]) -> None:
    found = Accuracy.of(np.array(outputs), np.array([1, 2, 2]))
    assert found.report("mnist.npz") == {
        "dataset": "mnist.npz",
        "method": "rtlsim",
        "samples": 3,
        "correct": 2,
        "accuracy": 2 / 3,
    }


USED = {"LUT": 100, "FF": 50, "DSP": 1, "BRAM_18K": 3, "BRAM_36K": 1, "URAM": 0, "Carry": 7, "SRL": 2}


def ooc(fmax_mhz: float | None) -> Any:
    instances = {"(top)": {"LUT": 1}, "MVAU_0": {"LUT": 7}}
    synthesis = SimpleNamespace(resources=USED, part=SimpleNamespace(name="part"), per_instance=instances)
    pnr = None if fmax_mhz is None else SimpleNamespace(fmax_mhz=fmax_mhz)
    return SimpleNamespace(synthesis=synthesis, pnr=pnr, no_timing="no open place and route")


def test_ooc_synth_and_timing() -> None:
    counts = {"LUT": 100, "FF": 50, "DSP": 1, "BRAM": 2.5, "BRAM_18K": 3, "BRAM_36K": 1, "URAM": 0, "Carry": 7}
    common = {"vivado_proj_folder": None, "part": "part"} | counts
    timing = {"WNS": 2.0, "Delay": 8.0, "fmax_mhz": 125.0, "estimated_throughput_fps": 1953125.0}
    assert ooc_synth_and_timing(ooc(125.0), CLK_NS, 64) == common | timing
    unknown = dict.fromkeys(timing) | {"fmax_reason": "no open place and route"}
    assert ooc_synth_and_timing(ooc(None), CLK_NS, 64) == common | unknown


def test_post_synth_resources() -> None:
    found = post_synth_resources(ooc(125.0))
    used = {"LUT": 100, "SRL": 2, "FF": 50, "BRAM_36K": 1, "BRAM_18K": 3, "URAM": 0, "DSP": 1}
    assert found["(top)"] == used | {"fmax_mhz": 125.0}
    assert post_synth_resources(ooc(None))["(top)"] == used | {"fmax_mhz": None}
    assert found["MVAU_0"] == {"LUT": 7, "SRL": 0, "FF": 0, "BRAM_36K": 0, "BRAM_18K": 0, "URAM": 0, "DSP": 0}


def test_summary(layers: dict[str, Layer]) -> None:
    bipolar = DataType["BIPOLAR"]
    fifos = {f"StreamingFIFO_{k}": StreamingFIFO(shape=(1, 64), dtype=bipolar, lanes=8, depth=4) for k in range(2)}
    rows = summary.layer_rows({**layers, **fifos}, None)
    assert [row[:3] for row in rows] == [
        ("MVAU_0", "PE=16 SIMD=49", "64"),
        ("MVAU_1", "PE=8 SIMD=8", "64"),
        ("MVAU_2", "PE=8 SIMD=8", "64"),
        ("MVAU_3", "PE=10 SIMD=8", "8"),
        ("LabelSelect_0", "PE=1", "10"),
        ("2 x StreamingFIFO", "", "8"),
    ]
    estimated = summary.headline(layers, FINN_EXAMPLE, CLK_NS, None, {})
    assert estimated.startswith(
        "1,562,500 frames/s at 100 MHz, latency 2.26 us (estimated); limited by MVAU_hls_0 (64 cycles/frame); "
    )
    assert estimated.endswith("(estimated); fmax not determined")
    routed = {"post_synth_resources": post_synth_resources(ooc(125.0))}
    assert summary.headline(layers, FINN_EXAMPLE, CLK_NS, None, routed).endswith("(synthesized); fmax 125.0 MHz")
    measured = {
        "rtlsim_performance": {"stable_throughput[images/s]": 1.5e6, "latency_cycles": 300},
        "ooc_synth_and_timing": ooc_synth_and_timing(ooc(125.0), CLK_NS, 64),
        "accuracy": cast("dict[str, Any]", Accuracy(100, 93).report("x")),
    }
    assert summary.headline(layers, FINN_EXAMPLE, CLK_NS, None, measured) == (
        "1,500,000 frames/s at 100 MHz, latency 3 us (measured by RTL simulation); "
        "limited by MVAU_hls_0 (64 cycles/frame); 100 LUT, 5 BRAM_18K, 1 DSP (synthesized); "
        "fmax 125.0 MHz; accuracy 93.00% on 100 samples"
    )
