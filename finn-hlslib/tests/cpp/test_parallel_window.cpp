// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/parallel_window.hpp>

#include "images.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

template <typename T, unsigned Lanes, unsigned Height, unsigned Width, unsigned Channels, typename W>
struct Parallel {
  static constexpr unsigned SIMD = Lanes, Folds = Channels / Lanes;
  static constexpr unsigned KH = W::kh, KW = W::kw;
  static constexpr unsigned Rows = Height, FirstRow = (KH - 1) * W::dh, RowStride = W::sh, ChosenRows = W::rows(Height);
  static constexpr unsigned Columns = Width, FirstColumn = (KW - 1) * W::dw, ColumnStride = W::sw;
  static constexpr unsigned ChosenColumns = W::columns(Width);
  static constexpr unsigned ColumnDelay = W::dw * Folds, RowDelay = (W::dh * Width - FirstColumn) * Folds;
  using Element = T;
};

// An input beat per cycle, and a window in the cycle of its last pixel: not a cycle more for any frame.
template <typename T, unsigned SIMD, unsigned H, unsigned W, unsigned C, typename K>
void slides() {
  const Images x = random_images<T>(H, W, C);
  finn::ParallelWindow<Parallel<T, SIMD, H, W, C, K>> kernel;
  const Outcome y = through<Beat<T, K::kh * K::kw * SIMD>>(kernel, beats<T, SIMD>(x.numbers));
  CHECK(y.numbers == windows<K, true>(x, SIMD));
  constexpr unsigned Folds = C / SIMD, Cycles = H * W * Folds;
  const unsigned out = K::rows(H) * K::columns(W) * Folds;
  CHECK(interval(y.cycles, out) == Cycles);
  CHECK(y.cycles.front() == ((K::kh - 1) * K::dh * W + (K::kw - 1) * K::dw) * Folds + 1);
}

}  // namespace

TEST_CASE("all channels in a beat") { slides<ap_int<4>, 3, 5, 6, 3, Window<3, 3, 1, 1, 1, 1>>(); }

TEST_CASE("some channels in a beat") { slides<finn::Bipolar, 2, 4, 5, 6, Window<2, 3, 1, 1, 1, 1>>(); }

TEST_CASE("strides and dilations that differ in rows and columns") {
  slides<ap_int<62>, 1, 9, 11, 3, Window<3, 2, 2, 3, 2, 3>>();
}

TEST_CASE("strides larger than the kernel") { slides<ap_uint<3>, 1, 8, 9, 1, Window<2, 3, 3, 4, 1, 1>>(); }

TEST_CASE("one axis") { slides<ap_int<5>, 2, 1, 14, 4, Window<1, 4, 1, 2, 1, 3>>(); }

TEST_CASE("a column") { slides<ap_int<5>, 1, 6, 3, 2, Window<4, 1, 1, 1, 1, 1>>(); }

TEST_CASE("a window of one pixel is what a stride leaves") {
  slides<ap_int<5>, 2, 4, 5, 4, Window<1, 1, 2, 3, 1, 1>>();
}
