"""The layers' resource estimates against what Yosys made of them, and what holds for any cost model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.cost import bram18, fabric
from finn.dataflow.layer import Layer, Resources
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from calibrate_costs import LAYERS, PARTS, mvau, synthesized, thresholding

BIPOLAR, UINT2, INT2, INT8 = (DataType[name] for name in ("BIPOLAR", "UINT2", "INT2", "INT8"))
PART_NAMES = [None, *PARTS.values()]

# (LUT, RAMB18) on UltraScale+ and on ECP5, measured by Yosys 0.70: docs/costs.md, benchmarks/calibrate_costs.py.
MEASURED: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "MVAU 784 x 64, bipolar, 1 threshold, SIMD 49, PE 16": ((3586, 0), (3369, 22)),
    "MVAU 64 x 64, bipolar, 1 threshold, SIMD 8, PE 16": ((772, 0), (1100, 0)),
    "MVAU 64 x 10, bipolar, unfolded": ((955, 0), (2004, 0)),
    "MVAU 64 x 64, UINT2 x INT2, 3 thresholds, SIMD 8, PE 8": ((1228, 0), (2201, 0)),
    "the same, ram_style block": ((972, 4), (1611, 4)),
    "MVAU 32 x 32, INT8 x INT8, SIMD 4, PE 2": ((1807, 0), (3088, 2)),
    "Thresholding 784 UINT8, 1 threshold for all, PE 16": ((257, 0), (186, 0)),
    "Thresholding 64 INT12, 15 thresholds, PE 2": ((409, 0), (708, 2)),
    "LabelSelect 10 INT8, K 1, PE 1": ((67, 0), (63, 0)),
    "LabelSelect 10 INT8, K 3, PE 5": ((413, 0), (780, 0)),
    "Width converter 16 to 49 UINT2": ((947, 0), (1214, 0)),
    "Width converter 32 to 1 UINT4": ((162, 0), (215, 0)),
    "FIFO 64 x 32 bit": ((81, 0), (361, 0)),
    "FIFO 512 x 64 bit": ((54, 2), (175, 2)),
}


def test_every_measured_layer_is_in_the_table() -> None:
    assert set(MEASURED) == set(LAYERS)


@pytest.mark.parametrize("name", MEASURED)
def test_estimate_is_near_the_measurement(name: str) -> None:
    for part, (lut, blocks) in zip(PARTS.values(), MEASURED[name], strict=True):
        estimate = LAYERS[name].resources(part)
        assert pytest.approx(lut, rel=0.4, abs=30) == estimate.LUT
        assert (blocks, 0, 0) == (estimate.BRAM_18K, estimate.DSP, estimate.URAM)


def test_without_a_part_ultrascale_is_meant() -> None:
    for layer in LAYERS.values():
        assert layer.resources() == layer.resources(PARTS["UltraScale+"])


def test_other_fabric_of_ecp5() -> None:
    assert fabric("lfe5u-25f-6bg381c") == fabric(PARTS["ECP5"]) != fabric("xc7z020clg400-1") == fabric(None)


@pytest.mark.parametrize("part", PART_NAMES)
@pytest.mark.parametrize("types", [("BIPOLAR", "BIPOLAR"), ("UINT2", "INT2"), ("UINT2", "BIPOLAR")])
def test_more_parallelism_costs_more(types: tuple[str, str], part: str | None) -> None:
    """Up to the fold of 2. Constant weights are cheaper; below SIMD 8 a deep replay buffer costs more than it saves."""
    layer = mvau(64, 64, *types, 1, 1, 1, "distributed")
    by_pe = [layer.with_config(SIMD=32, PE=pe).resources(part).LUT for pe in (1, 2, 4, 8, 16, 32)]
    by_simd = [layer.with_config(SIMD=simd, PE=32).resources(part).LUT for simd in (8, 16, 32)]
    assert by_pe == sorted(set(by_pe))
    assert by_simd == sorted(set(by_simd))


@pytest.mark.parametrize("part", PART_NAMES)
def test_more_lanes_cost_more(part: str | None) -> None:
    for layer in (thresholding(64, "INT8", 3, 1, 64), LabelSelect((1, 64), INT8, 2)):
        luts = [layer.with_config(PE=pe).resources(part).LUT for pe in (4, 8, 16, 32)]
        assert luts == sorted(set(luts))


@pytest.mark.parametrize("part", PART_NAMES)
def test_deeper_fifo_costs_more(part: str | None) -> None:
    found = [StreamingFIFO((1, 8), INT8, 8, depth).resources(part) for depth in (4, 32, 100, 256, 300, 2000)]
    assert [r.BRAM_18K > 0 for r in found] == [False] * 4 + [True] * 2
    assert [r.LUT for r in found[:4]] == sorted({r.LUT for r in found[:4]})
    assert found[4].BRAM_18K < found[5].BRAM_18K


@pytest.mark.parametrize("part", PART_NAMES)
def test_constants_need_no_memory(part: str | None) -> None:
    """Weights of one tile, thresholds of one fold and of channels that are all alike; whatever style is asked for."""
    assert fabric(part).rom(64, 1, "block") == Resources()
    unfolded = mvau(16, 8, "UINT2", "INT2", 1, 16, 8, "block")
    alike = thresholding(64, "INT8", 1, 4, 1).with_config(ram_style="block")
    assert (unfolded.resources(part).BRAM_18K, alike.resources(part).BRAM_18K) == (0, 0)
    assert len(unfolded.alternatives(part)) == 1


def test_alternatives_are_block_and_distributed_weights() -> None:
    layer = mvau(64, 64, "UINT2", "INT2", 0, 8, 8)
    automatic, block = layer.alternatives()
    assert automatic == layer.with_config(ram_style="distributed").resources()
    assert block == layer.with_config(ram_style="block").resources()
    # 64 words of 128 bits: four blocks of 512 x 36 bits.
    assert block.BRAM_18K == bram18(128, 64) == 4
    assert block.BRAM_efficiency == 128 * 64 / (4 * 18432)
    assert automatic.LUT - block.LUT == 128  # one LUT6 holds 64 x 1 bits


def test_memory_style_is_obeyed() -> None:
    values = np.sort(np.arange(64 * 3).reshape(64, 3) % 100, axis=1)
    layers: list[Layer] = [
        mvau(64, 64, "BIPOLAR", "BIPOLAR", 0, 8, 8),
        Thresholding((1, 64), INT8, values, UINT2, PE=2),
        StreamingFIFO((1, 8), INT8, 8, 64),
    ]
    for layer in layers:
        assert layer.with_config(ram_style="block").resources().BRAM_18K > 0
        assert layer.with_config(ram_style="distributed").resources().BRAM_18K == 0


def test_estimate_needs_no_pass_over_the_weights() -> None:
    """A layer of a million weights is estimated from its shape; the accumulator is found once, not per estimate."""
    layer = MVAU((1, 1024), UINT2, np.ones((1024, 1024), np.int64), INT2, DataType["INT16"], SIMD=16, PE=16)
    layer.accumulator  # noqa: B018
    object.__setattr__(layer, "weights", np.empty((1024, 1024), dtype=object))
    assert layer.resources().LUT > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family"), [("Width converter 32 to 1 UINT4", 0), ("LabelSelect 10 INT8, K 1, PE 1", 1)]
)
def test_measurement_can_be_repeated(name: str, family: int) -> None:
    part, (lut, blocks) = [*PARTS.values()][family], MEASURED[name][family]
    found = synthesized(LAYERS[name], part)
    assert pytest.approx(lut, rel=0.1) == found.LUT
    assert blocks == found.BRAM_18K
    assert pytest.approx(found.LUT, rel=0.4, abs=30) == LAYERS[name].resources(part).LUT
