"""Frames as packets: TLAST on the last beat of every frame, with stalls, on each of several outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Stream
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_split import StreamingSplit
from finn.rtl import Design, RtlError, Simulator, stitch
from finn.rtl.lint import lint
from finn.rtl.packets import marker_sources, packets

FRAMES = 6
LAYER = StreamingSplit((1, 7), DataType["UINT8"], (1, 4, 2))

# TLAST becomes bit 8 of the data, where the simulator's driver looks.
OBSERVER = """
module observer (
    input  logic ap_clk, ap_rst_n,
    input  logic [7:0] s_axis_0_tdata, input logic s_axis_0_tvalid, output logic s_axis_0_tready,
    output logic [15:0] m_axis_0_tdata, m_axis_1_tdata, m_axis_2_tdata,
    output logic m_axis_0_tvalid, m_axis_1_tvalid, m_axis_2_tvalid,
    input  logic m_axis_0_tready, m_axis_1_tready, m_axis_2_tready
);
  assign {m_axis_0_tdata[15:9], m_axis_1_tdata[15:9], m_axis_2_tdata[15:9]} = '0;
  packet u_packet (
      .s_axis_0_tlast(s_axis_0_tdata[0]),
      .m_axis_0_tdata(m_axis_0_tdata[7:0]), .m_axis_0_tlast(m_axis_0_tdata[8]),
      .m_axis_1_tdata(m_axis_1_tdata[7:0]), .m_axis_1_tlast(m_axis_1_tdata[8]),
      .m_axis_2_tdata(m_axis_2_tdata[7:0]), .m_axis_2_tlast(m_axis_2_tdata[8]),
      .*
  );
endmodule
"""


def design() -> Design:
    return stitch(make_model([("StreamingSplit_0", LAYER)]), "split")


@pytest.fixture
def observed() -> Design:
    """The wrapped design, in a design whose outputs have TLAST as another bit of the data."""
    inner = design()
    outputs = tuple(replace(p, stream=Stream(p.stream.shape, DataType["UINT9"])) for p in inner.outputs)
    top = "".join((inner.top, packets(inner, "packet"), OBSERVER))
    sources = (*inner.sources, *marker_sources())
    return replace(inner, name="observer", top=top, sources=sources, outputs=outputs, links=(), instances=())


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_last_beats_are_marked(observed: Design, stalls: float) -> None:
    x = np.random.default_rng(0).integers(0, 256, (FRAMES, 7))
    with Simulator(observed) as sim:
        result = sim.run(x, input_gaps=stalls, back_pressure=stalls)
    for found, y in zip(result.outputs, LAYER.results(x), strict=True):
        np.testing.assert_array_equal(found & 0xFF, y)
        last = np.zeros_like(y)
        last[:, -1] = 1
        np.testing.assert_array_equal(found >> 8, last)


def matrices(**options: object) -> Design:
    weights, int4 = np.ones((4, 4), np.int64), DataType["INT4"]
    layer = MVAU((1, 4), int4, weights, int4, DataType["INT32"], SIMD=2, PE=2, **options)  # type: ignore[arg-type]
    return stitch(make_model([("MVAU_0", layer)]), "matrices")


@pytest.mark.parametrize(
    "inner", [design(), matrices(mem_mode="external"), matrices(runtime_writeable_weights=1)]
)  # streams of the graph, of weights, and registers
def test_wrapper_is_lint_clean(inner: Design, tmp_path: Path) -> None:
    top = inner.write(tmp_path)
    (tmp_path / "packet.sv").write_text(packets(inner, "packet"))
    lint("packet", [*inner.sources, *marker_sources(), top, tmp_path / "packet.sv"], tmp_path)


def test_name_has_to_be_one() -> None:
    with pytest.raises(RtlError, match="name of the wrapper"):
        packets(design(), "module")
