// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/crop.hpp>
#include <finn/down_sampler.hpp>
#include <finn/fm_padding.hpp>
#include <finn/fm_padding_pixel.hpp>

#include "images.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

// Positions of an axis, of which some are chosen.
template <unsigned Size, unsigned First, unsigned Stride, unsigned Count>
struct Line {
  static constexpr unsigned size = Size, first = First, stride = Stride, count = Count;
  static bool has(unsigned position) {
    return position >= First && (position - First) % Stride == 0 && (position - First) / Stride < Count;
  }
  static unsigned index(unsigned position) { return (position - First) / Stride; }
};

template <typename T, unsigned Lanes, typename Down, typename Right, unsigned Channels, int Inserted = 0>
struct Pixels {
  static constexpr unsigned SIMD = Lanes, Folds = Channels / Lanes;
  static constexpr unsigned Rows = Down::size, FirstRow = Down::first;
  static constexpr unsigned RowStride = Down::stride, ChosenRows = Down::count;
  static constexpr unsigned Columns = Right::size, FirstColumn = Right::first;
  static constexpr unsigned ColumnStride = Right::stride, ChosenColumns = Right::count;
  static constexpr int Value = Inserted;
  using Element = T;
};

template <template <typename> class Layer, typename T, unsigned SIMD, typename Down, typename Right, unsigned C>
void chooses() {
  const Images x = random_images<T>(Down::size, Right::size, C);
  const auto expected = drawn(Down::count, Right::count, C, [&](unsigned f, unsigned i, unsigned j, unsigned c) {
    return x.at(f, Down::first + i * Down::stride, Right::first + j * Right::stride, c);
  });
  Layer<Pixels<T, SIMD, Down, Right, C>> kernel;
  const Outcome y = through<Beat<T, SIMD>>(kernel, beats<T, SIMD>(x.numbers));
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, Down::count * Right::count * C / SIMD) == Down::size * Right::size * C / SIMD);
}

template <template <typename> class Layer, typename T, unsigned SIMD, typename Down, typename Right, unsigned C,
          int Value>
void inserts() {
  const Images x = random_images<T>(Down::count, Right::count, C);
  auto expected = drawn(Down::size, Right::size, C, [&](unsigned f, unsigned i, unsigned j, unsigned c) {
    return Down::has(i) && Right::has(j) ? x.at(f, Down::index(i), Right::index(j), c) : Value;
  });
  // What stands in front of a frame's first pixel is sent without waiting for it.
  expected.insert(expected.end(), (Down::first * Right::size + Right::first) * C, Value);
  Layer<Pixels<T, SIMD, Down, Right, C, Value>> kernel;
  const Outcome y = through<Beat<T, SIMD>>(kernel, beats<T, SIMD>(x.numbers));
  CHECK(y.numbers == expected);
  CHECK(steady(y.cycles, 1));
}

}  // namespace

TEST_CASE("Crop") {
  chooses<finn::Crop, ap_int<4>, 2, Line<5, 1, 1, 3>, Line<7, 2, 1, 4>, 4>();
  chooses<finn::Crop, ap_uint<3>, 3, Line<4, 0, 1, 1>, Line<3, 2, 1, 1>, 3>();
  chooses<finn::Crop, finn::Bipolar, 1, Line<1, 0, 1, 1>, Line<9, 0, 1, 9>, 2>();
}

TEST_CASE("DownSampler") {
  chooses<finn::DownSampler, ap_int<4>, 2, Line<5, 0, 2, 3>, Line<7, 0, 3, 3>, 4>();
  chooses<finn::DownSampler, ap_int<62>, 1, Line<6, 0, 4, 2>, Line<4, 0, 1, 4>, 2>();
  chooses<finn::DownSampler, ap_int<4>, 1, Line<1, 0, 1, 1>, Line<11, 0, 5, 3>, 1>();
}

TEST_CASE("FMPadding") {
  inserts<finn::FMPadding, ap_int<4>, 2, Line<6, 1, 1, 3>, Line<7, 2, 1, 4>, 4, 0>();
  inserts<finn::FMPadding, finn::Bipolar, 1, Line<4, 0, 1, 3>, Line<5, 3, 1, 2>, 2, -1>();
  inserts<finn::FMPadding, ap_uint<3>, 3, Line<1, 0, 1, 1>, Line<9, 2, 1, 5>, 3, 7>();
  inserts<finn::FMPadding, ap_int<4>, 1, Line<2, 0, 1, 2>, Line<3, 0, 1, 3>, 1, -8>();
}

TEST_CASE("FMPadding_Pixel") {
  inserts<finn::FMPadding_Pixel, ap_int<4>, 2, Line<5, 0, 2, 3>, Line<10, 0, 3, 4>, 4, 0>();
  inserts<finn::FMPadding_Pixel, ap_int<62>, 1, Line<6, 0, 2, 3>, Line<3, 0, 1, 3>, 2, 0>();
  inserts<finn::FMPadding_Pixel, ap_uint<3>, 1, Line<1, 0, 1, 1>, Line<9, 0, 4, 3>, 1, 0>();
}
