// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/upsample_nearest_neighbour.hpp>

#include "images.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

template <typename T, unsigned Lanes, unsigned H, unsigned OH, unsigned W, unsigned OW, unsigned Channels,
          unsigned Spare>
struct Upsampling {
  static constexpr unsigned SIMD = Lanes, Folds = Channels / Lanes;
  static constexpr unsigned Rows = H, OutRows = OH, Columns = W, OutColumns = OW;
  static constexpr unsigned Depth = (OH > H ? W : 1) * Folds + Spare;
  using Element = T;
};

template <typename T, unsigned SIMD, unsigned H, unsigned OH, unsigned W, unsigned OW, unsigned C, unsigned Spare = 2>
void grows() {
  const Images x = random_images<T>(H, W, C);
  const auto expected = drawn(OH, OW, C, [&](unsigned frame, unsigned row, unsigned column, unsigned channel) {
    return x.at(frame, row * H / OH, column * W / OW, channel);
  });
  finn::UpsampleNearestNeighbour<Upsampling<T, SIMD, H, OH, W, OW, C, Spare>> kernel;
  const Outcome y = through<Beat<T, SIMD>>(kernel, beats<T, SIMD>(x.numbers));
  CHECK(y.numbers == expected);
  constexpr unsigned Cycles = OH * OW * C / SIMD;
  CHECK(interval(y.cycles, Cycles) == Cycles);
  CHECK(y.cycles.front() == 3);
}

}  // namespace

TEST_CASE("twice as large") { grows<ap_int<4>, 2, 3, 6, 4, 8, 4>(); }

TEST_CASE("any ratio in rows and columns") {
  grows<ap_uint<7>, 1, 3, 7, 4, 9, 2>();
  grows<ap_int<62>, 3, 5, 6, 7, 8, 3>();
}

TEST_CASE("rows alone, and columns alone") {
  grows<ap_int<4>, 1, 2, 5, 3, 3, 2>();
  grows<ap_int<4>, 1, 3, 3, 2, 5, 2>();
}

TEST_CASE("one axis") { grows<finn::Bipolar, 2, 1, 1, 5, 13, 4>(); }

TEST_CASE("one pixel becomes many") { grows<ap_int<4>, 1, 1, 4, 1, 3, 2>(); }

TEST_CASE("the same size is the same image") { grows<ap_int<4>, 2, 3, 3, 4, 4, 2>(); }

TEST_CASE("a row is enough where the first pixel of it is left early enough") {
  grows<ap_int<4>, 1, 3, 6, 6, 12, 2, 0>();
}
