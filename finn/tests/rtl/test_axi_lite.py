"""Weights and thresholds that are written at run time: their images, and what the hardware does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.graph import evaluate, make_model
from finn.dataflow.layer import IntArray, Layer, LayerError, Stream
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.registers import Image
from finn.rtl import Design, RtlError, Simulator, stitch
from finn.rtl.library import sources_of
from finn.rtl.lint import lint_design
from finn.rtl.stitch import Port

BIPOLAR, INT2, INT4, INT20, UINT2, UINT4 = (DataType[n] for n in ("BIPOLAR", "INT2", "INT4", "INT20", "UINT2", "UINT4"))
WIDE = DataType["INT32"]
RNG = np.random.default_rng(7)


def weights(*shape: int) -> IntArray:
    return RNG.integers(-8, 8, shape)


def steps(*shape: int) -> IntArray:
    return np.sort(RNG.integers(-300, 300, shape), axis=-1)


def mvau(given: IntArray, **options: Any) -> MVAU:
    return MVAU((1, len(given)), INT4, given, INT4, WIDE, runtime_writeable_weights=1, **options)


def vvau(given: IntArray, **options: Any) -> VVAU:
    return VVAU((1, 2, 2, given.size), INT4, given, INT4, WIDE, runtime_writeable_weights=1, **options)


def thresholding(given: IntArray, channels: int, **options: Any) -> Thresholding:
    out = DataType.spanning(0, given.shape[1])
    return Thresholding((1, 3, channels), INT20, given, out, runtime_writeable_weights=1, **options)


def frames(layer: Layer, count: int = 3) -> IntArray:
    stream = layer.inputs[0]
    low, high = int(stream.dtype.min()), int(stream.dtype.max())
    return RNG.integers(max(low, -400), min(high, 400) + 1, (count, *stream.shape[1:]))


def other(layer: Layer) -> tuple[IntArray, Layer]:
    """Other contents for the memory of a layer, and the layer with these."""
    name = "thresholds" if isinstance(layer, Thresholding) else "weights"
    new = (steps if name == "thresholds" else weights)(*getattr(layer, name).shape)
    return new, replace(layer, **{name: new})


LAYERS: dict[str, Layer] = {
    "lines of one word": mvau(weights(6, 4), SIMD=3, PE=2),
    "lines of two words, one of them used in part": mvau(weights(6, 4), SIMD=6, PE=2),
    "lines of three words, which take four": mvau(weights(12, 6), SIMD=6, PE=3),
    "one line": mvau(weights(5, 3), SIMD=5, PE=3),
    "one weight per line": mvau(weights(7, 5)),
    "UltraRAM, which starts empty": mvau(weights(6, 4), ram_style="ultra"),
    "bits": MVAU((1, 8), BIPOLAR, np.ones((8, 4), np.int64), BIPOLAR, WIDE, SIMD=4, PE=2, runtime_writeable_weights=1),
    "with thresholds": MVAU(
        (1, 6), INT4, weights(6, 4), INT4, UINT2, steps(4, 3), SIMD=3, PE=2, runtime_writeable_weights=1
    ),
    "windows": vvau(weights(9, 6), SIMD=3, PE=2),
    "windows of one position": vvau(weights(1, 6), PE=3),
    "thresholds": thresholding(steps(6, 7), 6, PE=2),
    "lanes that are no power of two": thresholding(steps(6, 7), 6, PE=3),
    "steps that are no power of two": thresholding(steps(6, 4), 6, PE=2),
    "one step": thresholding(steps(6, 1), 6, PE=6),
    "a row for all channels": thresholding(steps(1, 3), 6, PE=2),
    "one channel": thresholding(steps(1, 12), 1),
}


# ------------------------------------------------------------------------------------------------------------- images


def test_image_of_weights_is_finns() -> None:
    """FINN's own files for MW = MH = 4, PE = SIMD = 2, W[i, o] = 4 i + o - 8."""
    layer = mvau(np.arange(-8, 8).reshape(4, 4), SIMD=2, PE=2)
    assert layer.register_image(layer.weights) == [(0, 0xD9C8), (4, 0x5140), (8, 0xFBEA), (12, 0x7362)]


def test_wide_lines_take_a_power_of_two_words() -> None:
    layer = mvau(weights(12, 6), SIMD=6, PE=3)  # 72 bits
    image = layer.register_image(layer.weights)
    assert [a for a, _ in image] == list(range(0, 4 * 4 * 4, 4))
    assert all(word == 0 for address, word in image if address % 16 == 12)
    assert layer.rtl().axilite == 6


def test_image_of_thresholds_has_slots_for_a_power_of_two_lanes() -> None:
    """Two folds of three lanes: four slots each of four lines, of which three are used."""
    values = np.arange(18).reshape(6, 3)
    image = thresholding(values, 6, PE=3).register_image(values)
    assert image == [
        (4 * (16 * fold + 4 * lane + step), 3 * (3 * fold + lane) + step)
        for fold in range(2)
        for lane in range(3)
        for step in range(3)
    ]


def test_thresholds_fill_up_with_the_least_value() -> None:
    values = np.array([[5, 6]])
    image = thresholding(values, 1).register_image(values)
    assert image == [(0, 1 << 20), (4, 5), (8, 6)]  # -2^19 of 20 bits and one for "never"


def test_thresholds_are_clipped_to_the_inputs() -> None:
    """Of 4-bit inputs: what every input reaches, and what none does."""
    layer = Thresholding((1, 1), UINT4, np.array([[1, 2, 3]]), UINT2, runtime_writeable_weights=1)
    assert layer.register_image(np.array([[-90, 7, 90]])) == [(0, 0), (4, 7), (8, 16)]


def test_refused_images() -> None:
    with pytest.raises(LayerError) as error:
        mvau(weights(4, 4)).register_image(weights(4, 5))
    assert str(error.value) == (
        "MVAU: new weights of shape (4, 5) (the hardware has (4, 4), of type INT4). "
        "Remedy: give weights of that shape and type"
    )
    with pytest.raises(LayerError, match="the hardware has"):
        mvau(weights(4, 4)).register_image(np.full((4, 4), 8))
    with pytest.raises(LayerError) as error:
        thresholding(steps(1, 3), 4).register_image(steps(1, 4))
    assert str(error.value) == (
        "Thresholding: new thresholds of shape (1, 4), the layer has (1, 3) (their number is part of the hardware). "
        "Remedy: give as many for one row or for each channel"
    )


# ----------------------------------------------------------------------------------------------------------- hardware


def image_of(layer: Layer, values: IntArray) -> Image:
    assert isinstance(layer, MVAU | VVAU | Thresholding)
    return layer.register_image(values)


@pytest.mark.parametrize("name", LAYERS)
def test_written_read_back_and_used(name: str) -> None:
    layer = LAYERS[name]
    x = frames(layer) if name != "bits" else 2 * RNG.integers(0, 2, (3, 8)) - 1
    new, changed = other(layer) if name != "bits" else (-layer.weights, None)  # type: ignore[attr-defined]
    expected = changed.execute(x) if changed else -np.asarray(layer.execute(x))
    design = stitch(make_model([("unit", layer)]))
    lint_design(design)
    image = image_of(layer, new)
    with Simulator(design, assertions=True) as simulator:
        run = simulator.run(x, registers={"unit": image}, read={"unit": [a for a, _ in image]})
        np.testing.assert_array_equal(run.outputs[0], expected)
        assert run.registers["unit"] == [word for _, word in image]
        np.testing.assert_array_equal(simulator.run(x).outputs[0], layer.execute(x))  # as it was, or `first_writes`


def test_a_line_is_written_with_its_last_word() -> None:
    layer = mvau(weights(6, 4), SIMD=6, PE=2)  # 48 bits: two words
    new, changed = other(layer)
    image, x = image_of(layer, new), frames(layer)
    with Simulator(stitch(make_model([("unit", layer)]))) as simulator:
        half = simulator.run(x, registers={"unit": [w for w in image if w[0] % 8 == 0]})
        np.testing.assert_array_equal(half.outputs[0], layer.execute(x))
        first = simulator.run(x, registers={"unit": image[:2]})
        np.testing.assert_array_equal(first.outputs[0][:, :2], np.asarray(changed.execute(x))[:, :2])
        np.testing.assert_array_equal(first.outputs[0][:, 2:], np.asarray(layer.execute(x))[:, 2:])


def chain() -> list[tuple[str, Layer]]:
    first = MVAU((1, 6), INT4, weights(6, 4), INT4, INT2, steps(4, 3), -2, SIMD=3, PE=2, runtime_writeable_weights=1)
    second = MVAU((1, 4), INT2, RNG.integers(-2, 2, (4, 6)), INT2, WIDE, SIMD=2, PE=2)
    third = Thresholding((1, 6), second.outputs[0].dtype, steps(6, 3) // 40, UINT2, PE=2, runtime_writeable_weights=1)
    return [("first", first), ("second", second), ("third", third)]


def test_only_the_written_layers_change() -> None:
    layers = chain()
    model = make_model(layers)
    x = frames(layers[0][1], 8)
    design = stitch(model)
    assert [(r.prefix, r.node) for r in design.registers] == [("s_axilite_0", "first"), ("s_axilite_1", "third")]
    lint_design(design)
    with Simulator(design, assertions=True) as simulator:
        for written in (["first"], ["third"], ["first", "third"], []):
            changed, registers = [], {}
            for name, layer in layers:
                new, instead = other(layer) if name in written else (None, layer)
                changed.append((name, instead))
                if new is not None:
                    registers[name] = image_of(layer, new)
            free = simulator.run(x, registers=registers)
            stalled = simulator.run(x, registers=registers, input_gaps=0.4, back_pressure=0.4, seed=3)
            (expected,) = (evaluate(make_model(changed), x)[t.name] for t in model.graph.output)
            np.testing.assert_array_equal(free.outputs[0], expected)
            np.testing.assert_array_equal(stalled.outputs[0], expected)


@pytest.mark.parametrize(
    ("node", "accesses", "message"),
    [
        ("second", [(0, 1)], "second has no registers. Remedy: use one of first, third"),
        ("first", [(2, 1)], "first has no register at 0x2 (addresses are multiples of 4). Remedy: use 0 to 0xc"),
        ("first", [(64, 1)], "first has no register at 0x40 (addresses are multiples of 4). Remedy: use 0 to 0xc"),
    ],
)
def test_no_such_register(node: str, accesses: Sequence[tuple[int, int]], message: str) -> None:
    layers = chain()
    with Simulator(stitch(make_model(layers))) as simulator, pytest.raises(RtlError) as error:
        simulator.run(frames(layers[0][1]), registers={node: accesses})
    assert str(error.value) == f"finn_design: {message}"


# ------------------------------------------------------------------------------------------------------------ the bus

WIDTH, LINES, FIRST = 40, 16, 8
"""Bits of a line, of two words; how many lines; the first that is written."""

# The five channels of AXI4-Lite as streams. Lines that are written are not read before all writes have been answered.
BUS = """
module bus (
    input logic ap_clk, ap_rst_n,
    input logic [7:0] s_axis_0_tdata, input logic s_axis_0_tvalid, output logic s_axis_0_tready,
    input logic [39:0] s_axis_1_tdata, input logic s_axis_1_tvalid, output logic s_axis_1_tready,
    input logic [7:0] s_axis_2_tdata, input logic s_axis_2_tvalid, output logic s_axis_2_tready,
    output logic [7:0] m_axis_0_tdata, output logic m_axis_0_tvalid, input logic m_axis_0_tready,
    output logic [39:0] m_axis_1_tdata, output logic m_axis_1_tvalid, input logic m_axis_1_tready
);
  logic [37:0] request;
  logic [31:0] reply;
  logic asked, asks, replied, replies, write, arready, arvalid;
  logic [3:0] line;
  logic [39:0] written, read, unused_read;
  int unsigned answers;
  always_ff @(posedge ap_clk) answers <= ap_rst_n ? answers + 32'(m_axis_0_tvalid && m_axis_0_tready) : 0;
  assign arvalid = s_axis_2_tvalid && (s_axis_2_tdata[6:3] < FIRST || answers == WRITES);
  assign s_axis_2_tready = arready && (s_axis_2_tdata[6:3] < FIRST || answers == WRITES);
  assign m_axis_0_tdata[7:2] = '0;
  axi_lite #(.AddrBits(7)) u_bus (
      .clk_i(ap_clk), .rst_ni(ap_rst_n),
      .s_axilite_awaddr_i(s_axis_0_tdata[6:0]), .s_axilite_awvalid_i(s_axis_0_tvalid),
      .s_axilite_awready_o(s_axis_0_tready), .s_axilite_wdata_i(s_axis_1_tdata[31:0]),
      .s_axilite_wstrb_i(s_axis_1_tdata[35:32]), .s_axilite_wvalid_i(s_axis_1_tvalid),
      .s_axilite_wready_o(s_axis_1_tready), .s_axilite_bresp_o(m_axis_0_tdata[1:0]),
      .s_axilite_bvalid_o(m_axis_0_tvalid), .s_axilite_bready_i(m_axis_0_tready),
      .s_axilite_araddr_i(s_axis_2_tdata[6:0]), .s_axilite_arvalid_i(arvalid), .s_axilite_arready_o(arready),
      .s_axilite_rdata_o(m_axis_1_tdata[31:0]), .s_axilite_rresp_o(m_axis_1_tdata[33:32]),
      .s_axilite_rvalid_o(m_axis_1_tvalid), .s_axilite_rready_i(m_axis_1_tready),
      .request_data_o(request), .request_valid_o(asks), .request_ready_i(asked),
      .reply_data_i(reply), .reply_valid_i(replies), .reply_ready_o(replied)
  );
  assign m_axis_1_tdata[39:34] = '0;
  line_access #(.Width(40), .LineBits(4)) u_access (
      .clk_i(ap_clk), .rst_ni(ap_rst_n),
      .request_data_i(request), .request_valid_i(asks), .request_ready_o(asked),
      .reply_data_o(reply), .reply_valid_o(replies), .reply_ready_i(replied),
      .line_write_o(write), .line_addr_o(line), .line_data_o(written), .line_data_i(read)
  );
  writable_memory #(.Width(40), .Depth(16), .File("lines.dat")) u_memory (
      .clk_i(ap_clk), .addr_i(4'd0), .data_o(unused_read),
      .access_write_i(write), .access_addr_i(line), .access_data_i(written), .access_data_o(read)
  );
  stream_probe #(.Width(2)) probe_b (
      .clk_i(ap_clk), .rst_ni(ap_rst_n), .data_i(m_axis_0_tdata[1:0]),
      .valid_i(m_axis_0_tvalid), .ready_i(m_axis_0_tready)
  );
  stream_probe #(.Width(34)) probe_r (
      .clk_i(ap_clk), .rst_ni(ap_rst_n), .data_i(m_axis_1_tdata[33:0]),
      .valid_i(m_axis_1_tvalid), .ready_i(m_axis_1_tready)
  );
endmodule
"""


def bus(writes: int, reads: int, lines: IntArray) -> Design:
    sources = {s for name in ("axi_lite", "line_access", "writable_memory", "stream_probe") for s in sources_of(name)}
    channels = [("s_axis_0", 7, writes), ("s_axis_1", 36, writes), ("s_axis_2", 7, reads)]
    channels += [("m_axis_0", 2, writes), ("m_axis_1", 34, reads)]
    ports = tuple(Port(name, Stream((1, n, 1), DataType[f"UINT{bits}"]), name) for name, bits, n in channels)
    top = BUS.replace("WRITES", str(writes)).replace("FIRST", str(FIRST))
    memories = {"lines.dat": [f"{line:010x}" for line in lines]}
    return Design("bus", top, tuple(sorted(sources)), memories, ports[:3], ports[3:], (), ())


def after(lines: IntArray, accesses: Sequence[tuple[int, int, int]]) -> list[int]:
    """The lines after writes of (number of the word, strobes, word): whole words only, a line with its second word."""
    found, kept = lines.tolist(), [0, 0]
    for number, strobes, word in accesses:
        if strobes == 15:
            kept[number % 2] = word
            if number % 2:
                found[number // 2] = (kept[1] << 32 | kept[0]) % (1 << WIDTH)
    return found


@pytest.mark.parametrize("stalls", [0.0, 0.3, 0.8])
def test_channels_are_independent(stalls: float) -> None:
    """Addresses and data in any order of time, reads meanwhile, answers that wait."""
    count = 200
    lines = RNG.integers(0, 1 << WIDTH, LINES)
    numbers = RNG.integers(2 * FIRST, 2 * LINES, count)
    strobes, words = np.where(RNG.random(count) < 0.8, 15, RNG.integers(0, 16, count)), RNG.integers(0, 1 << 32, count)
    meanwhile = RNG.integers(0, 2 * FIRST, count)
    reads = np.concatenate([meanwhile, np.arange(2 * LINES)])
    last = after(lines, list(zip(numbers.tolist(), strobes.tolist(), words.tolist(), strict=True)))
    inputs = [4 * numbers, strobes << 32 | words, 4 * reads]
    with Simulator(bus(count, len(reads), lines), assertions=True) as simulator:
        for seed in range(3):
            run = simulator.run(*(x[None, :, None] for x in inputs), input_gaps=stalls, back_pressure=stalls, seed=seed)
            assert not run.outputs[0].any()
            expected = [last[n // 2] >> 32 * (n % 2) & 0xFFFFFFFF for n in reads.tolist()]
            assert run.outputs[1].reshape(-1).tolist() == expected  # the two bits above the word say OKAY
