// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A network of two layers, written by hand: 64 pixels -> 32 neurons of 2 bits -> 10 scores -> the digit.

#ifndef DIGITS_DIGITS_HPP
#define DIGITS_DIGITS_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include <finn/activation.hpp>
#include <finn/stream.hpp>
#include <finn/weights.hpp>

using Pixel = ap_uint<5>;  // 0 to 16
using Hidden = ap_uint<2>;
using Score = ap_int<9>;  // at most 32 * 3 * 3
using Label = ap_uint<4>;

// 8 pixels and 4 neurons per cycle: 8 * 8 cycles per digit.
struct HiddenLayer {
  static constexpr int MW = 64, MH = 32, SIMD = 8, PE = 4;
  using Input = Pixel;
  using Accumulator = ap_int<12>;  // at most 64 * 16
  using Output = Hidden;
};

// 4 neurons and 2 scores per cycle: 8 * 5 cycles per digit.
struct OutputLayer {
  static constexpr int MW = 32, MH = 10, SIMD = 4, PE = 2;
  using Input = Hidden;
  using Accumulator = Score;
  using Output = Score;
};

using HiddenWeights = finn::Weights<ap_int<2>, 8 * 8, 4, 8>;
using HiddenThresholds = finn::Thresholds<ap_int<12>, Hidden, 8, 4, 3, 0>;
using OutputWeights = finn::Weights<ap_int<3>, 8 * 5, 2, 4>;

// One digit per call: 8 words of 8 pixels, row by row, the first pixel in the lowest bits; then its label.
void digits(hls::stream<finn::Word<Pixel, 8>> &in0_V, hls::stream<finn::Word<Label, 1>> &out0_V);

#endif
