"""Proofs that layers keep to AXI4-Stream, small ones as the strategies draw them; and that wrong modules do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from strategies import LAYERS

from finn.core.datatype import DataType
from finn.dataflow import timing
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl import stitch
from finn.synth import formal
from finn.synth.formal import Method, ProtocolError, prove, prove_design, prove_progress

pytest.importorskip("pyosys")

DRAWN = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
UINT2, INT4 = DataType["UINT2"], DataType["INT4"]


def small(name: str) -> list[Layer]:
    """The smallest and a larger layer of those with few wires and few LUTs: proofs take time with both."""
    drawn: dict[str, Layer] = {}

    def collect(layer: Layer) -> None:
        wires = sum(s.width for s in (*layer.inputs, *layer.outputs))
        if wires <= 32 and layer.resources().LUT <= 200:
            drawn.setdefault(str(layer.rtl().parameters), layer)

    DRAWN(given(LAYERS[name]())(collect))()
    by_size = sorted(drawn.values(), key=lambda layer: layer.resources().LUT)
    return [by_size[0], by_size[-1]]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_the_protocol(name: str) -> None:
    for layer in small(name):
        assert prove(layer).method is not Method.BOUNDED, layer


W = np.array([[1, -1], [0, 1]])
OPTIONS: list[Layer] = [
    MVAU((1, 2), UINT2, W, DataType["INT2"], INT4, SIMD=1, PE=1, mem_mode="external"),
    MVAU((1, 2), UINT2, W, DataType["INT2"], INT4, SIMD=1, PE=1, runtime_writeable_weights=1),
    Thresholding((1, 2), UINT2, np.array([[1], [2]]), DataType["BINARY"], runtime_writeable_weights=1),
    ConvolutionInputGenerator((1, 3, 3, 1), UINT2, (2, 2), (1, 1), (1, 1), parallel_window=1),
]
"""What is rarely drawn that small: streams of weights, registers, whole windows."""


@pytest.mark.slow
@pytest.mark.parametrize("layer", OPTIONS, ids=lambda layer: type(layer).__name__)
def test_options_keep_the_protocol(layer: Layer) -> None:
    assert prove(layer).method is not Method.BOUNDED


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_first_beats_are_in_time(name: str) -> None:
    assert any([prove_progress(layer) for layer in small(name)])


@pytest.mark.parametrize(
    "layer",
    [
        StreamingFIFO((1, 8), INT4, 2, 33),
        StreamingDataWidthConverter((1, 12), UINT2, 4, 6),
        Thresholding((1, 2), UINT2, np.array([[1], [2]]), DataType["BINARY"]),
    ],
)
def test_protocol_by_induction(layer: Layer) -> None:
    assert prove(layer).method is Method.INDUCTION


def test_first_beat_is_no_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule's cycle is the very one."""
    layer = StreamingDataWidthConverter((1, 12), UINT2, 2, 6)
    assert prove_progress(layer)
    times = timing.of_layer(layer, 1)
    early = {t: passed - 1 for t, passed in times.passed.items()}
    monkeypatch.setattr(timing, "of_layer", lambda *_: timing.Timing(early, *list(vars(times).values())[1:]))
    with pytest.raises(ProtocolError) as error:
        prove_progress(layer)
    assert error.value.what == "it is not true that m_axis_0 has a beat by cycle 5"


PORTS = """\
    input logic clk_i, input logic rst_ni,
    input logic [Width-1:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
    output logic [Width-1:0] out_data_o, output logic out_valid_o, input logic out_ready_i"""
HELD = """
  logic full_q;
  assign in_ready_o = ready_q && !full_q;
  assign out_valid_o = full_q;
  always_ff @(posedge clk_i) full_q <= rst_ni && (full_q ? !out_ready_i : in_valid_i && ready_q);"""
"""A place for one beat; `data_q` and `ready_q` are left open."""
RIGHT = "always_ff @(posedge clk_i) if (in_ready_o) out_data_o <= in_data_i;"
RISES = "logic ready_q; always_ff @(posedge clk_i) ready_q <= rst_ni;"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (HELD + RISES + RIGHT, ""),
        (HELD + "logic ready_q; assign ready_q = 1'b1;" + RIGHT, "ready of s_axis_0 is low after a reset"),
        (HELD + RISES + "always_ff @(posedge clk_i) out_data_o <= in_data_i;", "data of m_axis_0 stay until ready"),
        (
            (HELD + RISES + RIGHT).replace("full_q ? !out_ready_i :", "!full_q &&"),
            "valid of m_axis_0 stays until ready",
        ),
        (
            (HELD + RISES + RIGHT).replace("full_q <= rst_ni && (", "full_q <= (rst_ni || full_q) && ("),
            "valid of m_axis_0 is low after a reset",
        ),
    ],
)
def test_wrong_module_is_refuted(body: str, found: str, tmp_path: Path) -> None:
    design = stitch(make_model([("layer", StreamingFIFO((1, 8), INT4, 2, 4))]))
    module = tmp_path / "streaming_fifo.sv"
    parameters = 'parameter int unsigned Width = 8, parameter int unsigned Depth = 2, parameter RamStyle = "auto"'
    module.write_text(f"module streaming_fifo #({parameters}) (\n{PORTS}\n);{body}\nendmodule\n")
    broken = formal.Design(**{**vars(design), "sources": (module,)})
    if not found:
        assert prove_design(broken, []).method is Method.INDUCTION
        return
    with pytest.raises(ProtocolError) as error:
        prove_design(broken, [])
    assert error.value.what == f"it is not true that {found}"


def test_path_through_a_module_is_found(tmp_path: Path) -> None:
    design = stitch(make_model([("layer", StreamingFIFO((1, 8), INT4, 2, 4))]))
    module = tmp_path / "streaming_fifo.sv"
    parameters = 'parameter int unsigned Width = 8, parameter int unsigned Depth = 2, parameter RamStyle = "auto"'
    through = "assign in_ready_o = out_ready_i; assign out_valid_o = in_valid_i; assign out_data_o = in_data_i;"
    module.write_text(f"module streaming_fifo #({parameters}) (\n{PORTS}\n);{through}\nendmodule\n")
    with pytest.raises(ProtocolError) as error:
        prove_design(formal.Design(**{**vars(design), "sources": (module,)}), [])
    assert error.value.what == "an output depends on m_axis_0_tready, s_axis_0_tdata, s_axis_0_tvalid of the same cycle"
