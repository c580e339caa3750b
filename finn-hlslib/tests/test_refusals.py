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
]


def refusal(cxx: Cxx, header: str, code: str, beat: int = 8, port: int = 8) -> str:
    """What the compiler says."""
    includes = f"#include <finn/{header}.hpp>\n#include <finn/list.hpp>\n#include <finn/stream.hpp>\n"
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
