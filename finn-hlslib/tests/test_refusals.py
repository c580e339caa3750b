# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Configurations that cannot work do not compile, and the compiler says which number is wrong."""

from __future__ import annotations

import pytest
from compilers import Cxx

CONFIG = """
struct Config {{
  static constexpr unsigned Allowed = 5, Total = 4, SIMD = 1;
  static constexpr int BeatWidth = {beat}, PortWidth = {port};
  using Beats = finn::List<1, 2>;
  using Output = ap_int<4>;
}};
using Stream = hls::stream<finn::Beat<ap_int<4>, 1>>;
using Triple = finn::Beat<ap_int<4>, 3>;
template <unsigned Inputs, unsigned Outputs>
struct Matrix {{
  static constexpr unsigned MW = Inputs, MH = Outputs, Window = Inputs, Channels = Outputs, SIMD = 2, PE = 2;
  using Input = ap_int<4>;
  using Accumulator = ap_int<12>;
  using Output = ap_int<12>;
}};
template <unsigned Lanes, unsigned Best>
struct Ranking {{
  static constexpr unsigned Labels = 6, PE = Lanes, K = Best;
  using Input = ap_int<4>;
  using Output = ap_uint<3>;
}};
struct Elements {{
  static constexpr unsigned PE = 3, Groups = 1, Repeats = 1, Beats = 2, Hold = 1, Words = 2;
  static constexpr unsigned Embeds = 0, Entries = 4, Folds = 2, Offset = 0, ALanes = 3, BLanes = 2;
  static constexpr int Shift = 1, Low = -8, High = 7;
  using Index = ap_int<4>;
  using Sum = ap_int<8>;
  using Output = ap_int<4>;
}};
template <unsigned Words, unsigned Lanes>
using Table = finn::Table<ap_int<4>, Words, Lanes>;
"""

# Headers, what is refused, and the message.
REFUSED = [
    ("stream", "finn::Beat<ap_int<4>, 0> beat;", "Lanes must be at least 1: a beat carries elements"),
    ("counter", "finn::Counter<0> counter;", "Turns must be at least 1: a loop is done at least once"),
    (
        "stream_limiter",
        "finn::StreamLimiter<Config> kernel;",
        "Allowed must not be above Total: a frame has no more beats to pass",
    ),
    (
        "streaming_concat",
        "void f(Stream &a, Stream &y) { finn::StreamingConcat<Config> kernel; kernel.step(a, y); }",
        "Beats must have a number for each input",
    ),
    (
        "streaming_split",
        "void f(Stream &x, Stream &a) { finn::StreamingSplit<Config> kernel; kernel.step(x, a); }",
        "Beats must have a number for each output",
    ),
    (
        "mvau",
        "finn::MVAU<Matrix<3, 2>> kernel;",
        "SIMD must divide MW: each cycle multiplies the same number of inputs",
    ),
    (
        "mvau",
        "finn::MVAU<Matrix<2, 3>> kernel;",
        "PE must divide MH: each cycle computes the same number of outputs",
    ),
    (
        "vvau",
        "finn::VVAU<Matrix<3, 2>> kernel;",
        "SIMD must divide Window: each cycle multiplies as many positions",
    ),
    (
        "vvau",
        "finn::VVAU<Matrix<2, 3>> kernel;",
        "PE must divide Channels: each cycle computes as many outputs",
    ),
    (
        "label_select",
        "finn::LabelSelect<Ranking<4, 1>> kernel;",
        "PE must divide Labels: each cycle takes the same number of values",
    ),
    (
        "label_select",
        "finn::LabelSelect<Ranking<1, 0>> kernel;",
        "K must be 1 to Labels: there are no more to select",
    ),
    (
        "label_select",
        "finn::LabelSelect<Ranking<1, 7>> kernel;",
        "K must be 1 to Labels: there are no more to select",
    ),
    (
        "dot",
        "ap_int<32> x[2], w[2]; auto y = finn::dot(x, w);",
        "the sum of products has more than 64 bits: use narrower inputs or weights, or a smaller SIMD",
    ),
    (
        "activation",
        "finn::Thresholds<ap_int<4>, ap_uint<1>, 1, 2, 1, 0> activation; auto y = activation(0, Triple());",
        "Lanes must be PE, or 1: a lane has thresholds of its own, or all the same",
    ),
    (
        "elementwise",
        "finn::Elementwise<Elements> kernel;",
        "BLanes must be PE, or 1: a lane has an operand of its own, or all the same",
    ),
    ("lookup", "finn::Lookup<Elements> kernel;", "Folds must be 1 without Embeds: an index becomes an element"),
    (
        "channelwise_op",
        "void f(Stream &x, finn::Ordered<finn::Add, false> &add, Table<1, 3> &table) {"
        " finn::ChannelwiseOp<Elements> kernel; kernel.step(x, x, add, table); }",
        "the table must have Groups * Beats words of PE parameters, or of one for all lanes",
    ),
    (
        "requant",
        "void f(Stream &x, Table<2, 3> &m, Table<2, 2> &b) {"
        " finn::Requant<Elements> kernel; kernel.step(x, x, m, b); }",
        "the tables must have Words words of PE constants, or of one for all lanes",
    ),
]


def refusal(cxx: Cxx, header: str, code: str, beat: int = 8, port: int = 8) -> str:
    """What the compiler says."""
    includes = "".join(f"#include <finn/{name}.hpp>\n" for name in (header, "list", "stream", "table"))
    return cxx.check(includes + CONFIG.format(beat=beat, port=port) + code + "\n")


@pytest.mark.parametrize(("header", "code", "message"), REFUSED, ids=[header for header, _, _ in REFUSED])
def test_number_that_is_wrong_is_said(cxx: Cxx, header: str, code: str, message: str) -> None:
    assert message in refusal(cxx, header, code)


@pytest.mark.parametrize(
    ("beat", "port", "message"),
    [
        (12, 64, "BeatWidth must be a multiple of 8: beats stand in whole bytes"),
        (16, 24, "PortWidth must be a power of two from 8 on: AXI4 has no other ports"),
        (16, 4, "PortWidth must be a power of two from 8 on: AXI4 has no other ports"),
    ],
)
def test_memory_port_that_does_not_fit(cxx: Cxx, beat: int, port: int, message: str) -> None:
    assert message in refusal(cxx, "dma", "finn::MemoryFrame<Config>::ToBeats frame;", beat, port)


def test_legal_configurations_are_not_refused(cxx: Cxx) -> None:
    assert refusal(cxx, "stream", "finn::Beat<ap_int<4>, 1> beat;") == ""
    code = "void f(Stream &x, Stream &a, Stream &b) { finn::StreamingSplit<Config> kernel; kernel.step(x, a, b); }"
    assert refusal(cxx, "streaming_split", code) == ""
