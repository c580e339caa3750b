"""Folding: the smallest legal one that meets the target, and configuration files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn.core.datatype import DataType
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.folding import (
    Folding,
    apply_config,
    extract_config,
    set_fastest,
    set_folding,
    set_memories,
    target_cycles,
)
from finn.dataflow.graph import layers, make_model
from finn.dataflow.layer import Resources, divisors
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.search import BudgetError

INT2, INT4 = DataType["INT2"], DataType["INT4"]
NO_LIMIT = 1 << 20


def mvau(mw: int, mh: int) -> MVAU:
    weights = np.random.default_rng(mw).integers(-2, 2, (mw, mh))
    plain = MVAU((1, mw), INT4, weights, INT2, DataType["INT64"])
    return MVAU((1, mw), INT4, weights, INT2, plain.accumulator)


def network(mw: int = 24, mh: int = 12) -> ModelWrapper:
    first = mvau(mw, mh)
    accumulator = first.outputs[0].dtype
    steps = np.arange(3)[None]
    return make_model(
        [
            ("MVAU_0", first),
            ("Thresholding_0", Thresholding((1, mh), accumulator, steps, DataType["UINT2"])),
            ("LabelSelect_0", LabelSelect((1, mh), DataType["UINT2"])),
        ]
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 1500), st.sampled_from([4, 36, NO_LIMIT]))
def test_meets_the_target_within_the_limits(mw: int, mh: int, target: int, width: int) -> None:
    """That nothing is cheaper is tested with the optimizer."""
    model = network(mw, mh)
    result = set_folding(model, target, width)
    chosen = layers(model)
    assert result.met == (result.cycles <= target)
    assert result.met  # every layer can be unfolded to one cycle
    assert result.exact
    assert result.cycles == max(layer.cycles for layer in chosen.values()) == chosen[result.limiting_layer].cycles
    first = chosen["MVAU_0"]
    narrow = [p for p in divisors(mw) if 2 * p <= width and first.with_config(SIMD=p, PE=mh).cycles <= target]
    assert first.parameter_width <= width or not narrow
    insert_width_converters(model)
    found = layers(model)
    assert len(found) == len(chosen) + result.converters
    used = sum((layer.resources() for layer in found.values()), start=Resources())
    assert (used.LUT, used.BRAM_18K) == (result.resources.LUT, result.resources.BRAM_18K)


def test_what_was_before_does_not_matter() -> None:
    fresh, used = network(), network()
    set_folding(used, 1)
    for model in (fresh, used):
        set_folding(model, 40)
    assert extract_config(fresh) == extract_config(used)


def test_a_layer_that_cannot_keep_up_slows_all_others() -> None:
    first = mvau(24, 12)
    model = make_model([("MVAU_0", first), ("LabelSelect_0", LabelSelect((1, 12), first.accumulator, K=5))])
    result = set_folding(model, 1, NO_LIMIT)
    text = "target of 1 cycles per frame missed: 20.0 % of it; LabelSelect_0 limits it to 5 cycles"
    assert str(result) == text
    assert not result.met
    assert {name: layer.cycles for name, layer in layers(model).items()} == {"MVAU_0": 4, "LabelSelect_0": 5}


def memories(model: ModelWrapper) -> Resources:
    return sum((layer.resources() for layer in layers(model).values()), start=Resources())


def large() -> ModelWrapper:
    """Weights of 64 kbit and a FIFO of 7 kbit."""
    first = mvau(256, 128)
    return make_model([("MVAU_0", first), ("FIFO_0", StreamingFIFO((1, 128), first.accumulator, 1, 512))])


@pytest.mark.parametrize(("lut", "bram"), [(3000, 16), (2500, 0), (4000, 2), (1200, 100)])
def test_fastest_within_a_budget(lut: int, bram: int) -> None:
    model = large()
    budget = Resources(LUT=lut, BRAM_18K=bram)
    result = set_fastest(model, budget, NO_LIMIT)
    assert result.met
    assert lut >= result.resources.LUT
    assert bram >= result.resources.BRAM_18K
    assert result.cycles == max(layer.cycles for layer in layers(model).values())
    # The cheapest of the next faster foldings is too large.
    faster = set_folding(large(), result.cycles * 3 // 4, NO_LIMIT).resources
    assert lut < faster.LUT or bram < faster.BRAM_18K


def test_memories_move_to_what_there_is() -> None:
    """The same foldings; without block RAM everything is in LUTs, without LUTs to spare in block RAM."""
    model = large()
    apply_config(model, {"MVAU_0": {"SIMD": 16, "PE": 2}})
    insert_width_converters(model)
    shape = {name: (layer.inputs, layer.outputs, layer.cycles) for name, layer in layers(model).items()}
    no_blocks = set_memories(model, Resources(LUT=10_000))
    assert (no_blocks.LUT, no_blocks.BRAM_18K) == (memories(model).LUT, 0)
    blocks = set_memories(model, Resources(LUT=no_blocks.LUT // 2, BRAM_18K=40))
    assert blocks.BRAM_18K == memories(model).BRAM_18K >= 2
    assert blocks.LUT == memories(model).LUT <= no_blocks.LUT // 2
    assert extract_config(model)["MVAU_0"]["ram_style"] != "distributed"
    assert shape == {name: (layer.inputs, layer.outputs, layer.cycles) for name, layer in layers(model).items()}


def test_a_budget_that_nothing_fits_into() -> None:
    model = large()
    before = model.model.SerializeToString()
    with pytest.raises(BudgetError) as error:
        set_fastest(model, Resources(LUT=10))
    assert error.value.what == "no folding was found that fits into LUT 10, BRAM_18K 0, URAM 0, DSP 0"
    assert error.value.remedy == "use a larger part, or allow a larger share of it"
    assert str(error.value.why).startswith("the smallest needs about LUT ")
    assert model.model.SerializeToString() == before


def test_text_of_a_target_that_is_met() -> None:
    text = "target of 100 cycles per frame met with 25.0 % to spare; MVAU_3 limits it to 80 cycles"
    assert str(Folding(80, "MVAU_3", 100)) == text


@pytest.mark.parametrize(
    ("fps", "clk_ns", "cycles"), [(1e6, 10.0, 100), (3e6, 5.0, 66), (1e9, 10.0, 1), (1, 1.0, 10**9)]
)
def test_target_cycles(fps: float, clk_ns: float, cycles: int) -> None:
    assert target_cycles(fps, clk_ns) == cycles


@pytest.mark.parametrize(("fps", "clk_ns"), [(0, 10), (-1, 10), (100, 0), (math.nan, 10), (100, math.inf)])
def test_target_that_is_no_number(fps: float, clk_ns: float) -> None:
    with pytest.raises(ConfigError) as error:
        target_cycles(fps, clk_ns)
    assert error.value.what == f"target_fps={fps}, clock period {clk_ns} ns"


@pytest.mark.parametrize(
    "name", ["MVAU_0", "MVAU_hls_0", "MVAU_rtl_0", "MatrixVectorActivation_0", "StreamingFCLayer_Batch_0"]
)
def test_former_names(name: str) -> None:
    model = network()
    apply_config(model, {name: {"PE": 3, "SIMD": 8}})
    chosen = layers(model)["MVAU_0"].config()
    assert (chosen["PE"], chosen["SIMD"]) == (3, 8)


@pytest.mark.parametrize("name", ["Thresholding_Batch_0", "Thresholding_rtl_0", "Thresholding_hls_0"])
def test_former_names_of_thresholding(name: str) -> None:
    model = network()
    apply_config(model, {name: {"PE": 4}})
    assert layers(model)["Thresholding_0"].config()["PE"] == 4


def test_defaults() -> None:
    model = network()
    apply_config(model, {"Defaults": {"PE": [2, ["all"]], "ram_style": ["block", ["MVAU_hls"]]}, "MVAU_0": {"PE": 6}})
    found = extract_config(model)
    assert {name: config["PE"] for name, config in found.items() if name != "Defaults"} == {
        "MVAU_0": 6,
        "Thresholding_0": 2,
        "LabelSelect_0": 2,
    }
    assert found["MVAU_0"]["ram_style"] == "block"
    assert found["Thresholding_0"]["ram_style"] == "auto"


def test_a_configuration_comes_back() -> None:
    model, other = network(), network()
    apply_config(model, {"MVAU_0": {"PE": 3, "SIMD": 8, "inFIFODepths": [16]}, "LabelSelect_0": {"PE": 4}})
    apply_config(other, extract_config(model))
    assert extract_config(other) == extract_config(model)
    assert extract_config(other)["MVAU_0"]["inFIFODepths"] == [16]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "illegal folding": (
        {"MVAU_0": {"SIMD": 5}},
        "layer MVAU_0: MVAU: SIMD=5 does not divide MW=24 (each cycle has to do the same number of MW elements). "
        "Remedy: use one of 1, 2, 3, 4, 6, 8, 12, 24",
    ),
    "folding that is no integer": (
        {"MVAU_0": {"PE": 2.0}},
        "layer MVAU_0: MVAU: PE=2.0 is no integer. Remedy: use one of 1, 2, 3, 4, 6, 12",
    ),
    "unknown attribute": (
        {"LabelSelect_0": {"SIMD": 1}},
        "layer LabelSelect_0: LabelSelect has no configurable attribute 'SIMD'. "
        "Remedy: use inFIFODepths, outFIFODepths, preferred_impl_style, PE",
    ),
    "unknown choice": (
        {"MVAU_0": {"ram_style": "bram"}},
        "layer MVAU_0: MVAU: ram_style='bram' (it is not one of the choices). "
        "Remedy: use one of 'auto', 'block', 'distributed', 'ultra'",
    ),
    "wider results": (
        {"MVAU_0": {"runtime_writeable_weights": 1}},
        "layer MVAU_0: results of INT10 instead of INT9 (Thresholding_0 is made for INT9). "
        "Remedy: leave runtime_writeable_weights of this layer 0; layers with thresholds can have it",
    ),
    "unknown layer": (
        {"MVAU_7": {"PE": 1}},
        "folding configuration: there is no layer MVAU_7. Remedy: did you mean MVAU_0?",
    ),
    "foreign layer": (
        {"qqq": {"PE": 1}},
        "folding configuration: there is no layer qqq. "
        "Remedy: the layers are MVAU_0, Thresholding_0, LabelSelect_0",
    ),
    "depth without list": (
        {"MVAU_0": {"inFIFODepths": 4}},
        "layer MVAU_0: MVAU: inFIFODepths=4 (it is not a list of one depth in beats per stream). "
        "Remedy: write for example [2]",
    ),
    "default without types": (
        {"Defaults": {"PE": 2}},
        "folding configuration: Defaults: PE is 2 (a default is a value and the layer types that it is for). "
        'Remedy: write "PE": [2, ["all"]]',
    ),
    "default of an unknown type": (
        {"Defaults": {"PE": [2, ["MVAUU"]]}},
        "folding configuration: Defaults: PE is for MVAUU, which is no type of layers. Remedy: did you mean 'MVAU'?",
    ),
    "default of an unknown attribute": (
        {"Defaults": {"ramstyle": ["block", ["MVAU"]]}},
        "folding configuration: Defaults: MVAU have no configurable attribute 'ramstyle'. "
        "Remedy: did you mean 'ram_style'?",
    ),
}  # fmt: skip


def test_last_layer_may_have_wider_results() -> None:
    """Weights that can be written may be others; what the host gets is then wider."""
    model = make_model([("MVAU_0", mvau(24, 12))])
    apply_config(model, {"MVAU_0": {"runtime_writeable_weights": 1}})
    assert layers(model)["MVAU_0"].outputs[0].dtype == DataType["INT10"]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_configuration_changes_nothing(name: str) -> None:
    config, message = REFUSED[name]
    model = network()
    before = model.model.SerializeToString()
    with pytest.raises(ConfigError) as error:
        apply_config(model, {"Thresholding_0": {"PE": 2}, **config})
    assert str(error.value) == message
    assert model.model.SerializeToString() == before
