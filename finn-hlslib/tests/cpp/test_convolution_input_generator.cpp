// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>
#include <type_traits>

#include <finn/convolution_input_generator.hpp>

#include "images.hpp"

using namespace finn::test;
using finn::Beat;
using finn::List;

namespace {

// Words from one to another.
constexpr int words(int rows, int columns, int width, int folds) { return (rows * width + columns) * folds; }

// Images of Height x Width pixels of Folds beats; Spare words of the ring, beyond those of a window.
template <typename T, unsigned Lanes, unsigned Height, unsigned Width, unsigned Channels, typename W, bool Depthwise,
          unsigned Spare>
struct Generator {
  static constexpr int F = Channels / Lanes;
  static constexpr int KH = W::kh, KW = W::kw;
  static constexpr int Right = words(0, W::dw, Width, F), Down = words(W::dh, 0, Width, F);
  static constexpr int Across = (KW - 1) * Right, Along = (KH - 1) * Down;
  static constexpr int OH = W::rows(Height), OW = W::columns(Width);
  static constexpr int Last = words((OH - 1) * W::sh, (OW - 1) * W::sw, Width, F);
  static constexpr unsigned SIMD = Lanes, Depth = Across + Along + F + Spare;
  template <bool Choice, typename A, typename B>
  using If = typename std::conditional<Choice, A, B>::type;
  using Turns = If<Depthwise, List<KW, KH, F>, List<F, KW, KH>>;
  using Steps = If<Depthwise, List<Right, Down - Across, 1 - Across - Along, 0>,
                   List<1, Right - (F - 1), Down - Across - (F - 1), 0>>;
  using Windows = List<OW, OH>;
  using Moves = List<words(0, W::sw, Width, F), words(W::sh, 0, Width, F) - words(0, (OW - 1) * W::sw, Width, F),
                     words(Height, 0, Width, F) - Last>;
  using Element = T;
};

template <typename T, unsigned SIMD, unsigned H, unsigned W, unsigned C, typename K, bool Depthwise, unsigned Spare>
Outcome sent(const Images &x) {
  finn::ConvolutionInputGenerator<Generator<T, SIMD, H, W, C, K, Depthwise, Spare>> kernel;
  return through<Beat<T, SIMD>>(kernel, beats<T, SIMD>(x.numbers));
}

// In both orders; with a ring that never makes anybody wait, and with the least one.
template <typename T, unsigned SIMD, unsigned H, unsigned W, unsigned C, typename K>
void slides() {
  const Images x = random_images<T>(H, W, C);
  const auto expected = windows<K, false>(x, SIMD);
  const auto depthwise = windows<K, true>(x, SIMD);
  const std::size_t out = expected.size() / SIMD / Frames;
  const std::size_t cycles = std::max<std::size_t>(out, H * W * C / SIMD);

  const Outcome y = sent<T, SIMD, H, W, C, K, false, H * W * C>(x);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, out) == cycles);
  const Outcome z = sent<T, SIMD, H, W, C, K, true, H * W * C>(x);
  CHECK(z.numbers == depthwise);
  CHECK(interval(z.cycles, out) == cycles);
  const Outcome least = sent<T, SIMD, H, W, C, K, true, 0>(x);
  CHECK(least.numbers == depthwise);
  CHECK(interval(least.cycles, out) >= cycles);
}

}  // namespace

TEST_CASE("windows side by side") { slides<ap_int<4>, 2, 5, 6, 4, Window<3, 3, 1, 1, 1, 1>>(); }

TEST_CASE("strides as large as the kernel leave pixels behind") {
  slides<ap_uint<3>, 1, 5, 7, 2, Window<2, 2, 2, 2, 1, 1>>();
}

TEST_CASE("larger strides leave pixels between windows, and frames take as long as their input") {
  slides<ap_uint<3>, 1, 8, 9, 1, Window<2, 3, 3, 4, 1, 1>>();
}

TEST_CASE("strides and dilations that differ in rows and columns") {
  slides<ap_int<62>, 1, 9, 11, 3, Window<3, 2, 2, 3, 2, 3>>();
}

TEST_CASE("one axis") { slides<finn::Bipolar, 2, 1, 14, 4, Window<1, 4, 1, 2, 1, 3>>(); }

TEST_CASE("the image is one window") { slides<ap_int<4>, 1, 3, 2, 3, Window<3, 2, 1, 1, 1, 1>>(); }

TEST_CASE("a ring of no more than a window waits for the first one of the next frame") {
  using Kernel = Window<3, 3, 1, 1, 1, 1>;
  const Images x = random_images<ap_int<4>>(8, 8, 1);
  const Outcome y = sent<ap_int<4>, 1, 8, 8, 1, Kernel, false, 0>(x);
  CHECK(y.numbers == windows<Kernel, false>(x, 1));
  // Its 19 words come when the last window has been sent, whose words filled the ring, and the last of them is sent two
  // cycles later.
  constexpr unsigned Windows = 36, Cycles = 9;
  CHECK(interval(y.cycles, std::size_t{Windows} * Cycles) == (Windows - 1) * Cycles + 19 + 2);
}
