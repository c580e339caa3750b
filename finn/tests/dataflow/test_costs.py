"""The layers' resource estimates against what Yosys made of them, and what holds for any cost model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.cost import Blocks, fabric, has_ultra_ram
from finn.dataflow.layer import Layer, Resources
from finn.dataflow.layers import LAYERS as REGISTERED
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.synth.boards import DATA

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from calibrate_costs import PARTS, STORED, synthesized
from cost_grid import LAYERS, mvau, thresholding

BIPOLAR, UINT2, INT2, INT8 = (DataType[name] for name in ("BIPOLAR", "UINT2", "INT2", "INT8"))
PART_NAMES = [None, *PARTS.values()]

MEASURED: dict[str, dict[str, list[int]]] = json.loads(STORED.read_text())
"""Layer -> family -> LUT, BRAM_18K, DSP, measured by Yosys 0.70: benchmarks/calibrate_costs.py."""


def test_every_measured_layer_is_in_the_table() -> None:
    assert list(MEASURED) == list(LAYERS)


def test_every_layer_is_measured() -> None:
    assert {type(layer) for layer in LAYERS.values()} == set(REGISTERED)


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("family", PARTS)
def test_estimate_is_near_the_measurement(name: str, family: str) -> None:
    (lut, blocks, dsp), estimate = MEASURED[name][family], LAYERS[name].resources(PARTS[family])
    assert pytest.approx(lut, rel=0.3, abs=20) == estimate.LUT
    assert (blocks, dsp, 0) == (estimate.BRAM_18K, estimate.DSP, estimate.URAM)


@pytest.mark.parametrize("kind", REGISTERED)
@pytest.mark.parametrize("family", PARTS)
def test_median_error(kind: type[Layer], family: str) -> None:
    errors = [
        abs(layer.resources(PARTS[family]).LUT / MEASURED[name][family][0] - 1)
        for name, layer in LAYERS.items()
        if type(layer) is kind
    ]
    assert median(errors) <= 0.1


def test_without_a_part_ultrascale_is_meant() -> None:
    for layer in LAYERS.values():
        assert layer.resources() == layer.resources(PARTS["UltraScale+"])


def test_other_fabric_of_ecp5() -> None:
    assert fabric("lfe5u-25f-6bg381c") == fabric(PARTS["ECP5"]) != fabric("xc7z020clg400-1") == fabric(None)


def test_parts_with_ultra_ram() -> None:
    """What AMD's tables say of listed parts, and a part with and one without it of families with both."""
    devices = json.loads((DATA / "parts.json").read_text())["devices"]
    assert {name: has_ultra_ram(name) for name in devices} == {name: d["URAM"] > 0 for name, d in devices.items()}
    assert all(map(has_ultra_ram, ("xczu5eg-sfvc784-1-e", "xcku5p-ffvb676-2-e", "xcvu9p-flga2104-2-i", None)))
    assert not any(map(has_ultra_ram, ("xczu6eg-ffvc900-1-e", "xcku115-flva1517-2-e", "xcvu095-ffva2104-2-e", "xck24")))


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
    assert block.BRAM_18K == Blocks.of(128, 64).number == 4
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
@pytest.mark.parametrize("family", PARTS)
def test_measurement_can_be_repeated(family: str) -> None:
    names = ["Width converter 32 to 1 UINT4", "LabelSelect 10 INT8, K 1, PE 1"]
    for name in names:
        found = synthesized(LAYERS[name], PARTS[family])
        lut, blocks, dsp = MEASURED[name][family]
        assert pytest.approx(lut, rel=0.1) == found.LUT
        assert (blocks, dsp) == (found.BRAM_18K, found.DSP)
