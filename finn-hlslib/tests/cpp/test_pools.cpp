// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>

#include <finn/global_acc_pool.hpp>
#include <finn/pool.hpp>
#include <finn/streaming_max_pool.hpp>

#include "images.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;
using finn::ExtremeOf;
using finn::SumOf;

namespace {

template <typename From, typename To, unsigned Lanes, unsigned Channels, unsigned Height, unsigned TileHeight,
          unsigned Width, unsigned TileWidth, bool Rest>
struct Raster {
  static constexpr unsigned PE = Lanes, Folds = Channels / Lanes;
  static constexpr unsigned Rows = Height, TileRows = TileHeight, Columns = Width, TileColumns = TileWidth;
  static constexpr unsigned Partial = Rest ? 1 : 0;
  using Stored = From;
  using Output = To;
};

// What the reductions make of numbers, at least one.
long long of(const ExtremeOf<true> & /*reduction*/, const std::vector<long long> &x) {
  return *std::max_element(x.begin(), x.end());
}
long long of(const ExtremeOf<false> & /*reduction*/, const std::vector<long long> &x) {
  return *std::min_element(x.begin(), x.end());
}
template <int Shift>
long long of(const SumOf<Shift> & /*reduction*/, const std::vector<long long> &x) {
  constexpr long long Divisor = 1LL << Shift;
  long long sum = 0;
  for (const long long value : x) sum += value;
  return (sum - ((sum % Divisor) + Divisor) % Divisor) / Divisor;
}

// The numbers of an image from (row, column) on, as far as there are any.
std::vector<long long> tile_of(const Images &x, unsigned frame, unsigned row, unsigned column, unsigned channel,
                               unsigned height, unsigned width) {
  std::vector<long long> result;
  for (unsigned i = row; i < std::min(row + height, x.rows); i++) {
    for (unsigned j = column; j < std::min(column + width, x.columns); j++) {
      result.push_back(x.at(frame, i, j, channel));
    }
  }
  return result;
}

template <typename T, unsigned Lanes, unsigned Channels, unsigned Height, unsigned TileHeight, unsigned Width,
          unsigned TileWidth, bool Rest>
void takes_the_maximum() {
  using Config = Raster<T, T, Lanes, Channels, Height, TileHeight, Width, TileWidth, Rest>;
  constexpr unsigned Down = Rest ? (Height + TileHeight - 1) / TileHeight : Height / TileHeight;
  constexpr unsigned Right = Rest ? (Width + TileWidth - 1) / TileWidth : Width / TileWidth;
  const ExtremeOf<true> largest;
  const Images x = random_images<T>(Height, Width, Channels);
  const auto expected = drawn(Down, Right, Channels, [&](unsigned f, unsigned i, unsigned j, unsigned c) {
    return of(largest, tile_of(x, f, i * TileHeight, j * TileWidth, c, TileHeight, TileWidth));
  });
  const Outcome y = through<Beat<T, Lanes>>(finn::StreamingMaxPool<Config>(), beats<T, Lanes>(x.numbers), largest);
  CHECK(y.numbers == expected);
  // A result is there with the last beat of its tile.
  const auto ends = drawn(Down, Right, Channels / Lanes, [&](unsigned f, unsigned i, unsigned j, unsigned fold) {
    const unsigned row = std::min((i + 1) * TileHeight, Height) - 1;
    const unsigned column = std::min((j + 1) * TileWidth, Width) - 1;
    return ((f * Height + row) * Width + column) * (Channels / Lanes) + fold + 1;
  });
  CHECK(std::vector<long long>(y.cycles.begin(), y.cycles.end()) == ends);
}

template <typename W, typename From, typename Stored, typename To, unsigned Lanes, unsigned Channels,
          typename Reduction>
void reduces_windows(const Reduction &reduction) {
  constexpr unsigned Height = 5, Width = 7, Positions = W::kh * W::kw;
  constexpr unsigned Count = W::rows(Height) * W::columns(Width) * Channels / Lanes;
  const Images x = random_images<From>(Height, Width, Channels);
  const auto expected =
      drawn(W::rows(Height), W::columns(Width), Channels, [&](unsigned f, unsigned i, unsigned j, unsigned c) {
        return of(reduction, tile_of(x, f, i * W::sh, j * W::sw, c, W::kh, W::kw));
      });
  finn::Pool<Raster<Stored, To, Lanes, Lanes, Count, 1, Positions, Positions, false>> kernel;
  const Outcome y = through<Beat<To, Lanes>>(kernel, beats<From, Lanes>(windows<W, true>(x, Lanes)), reduction);
  CHECK(y.numbers == expected);
  CHECK(steady(y.cycles, Positions));
}

template <typename From, typename To, unsigned Lanes, unsigned Channels, unsigned Height, unsigned Width,
          typename Reduction>
void reduces_images(const Reduction &reduction) {
  constexpr unsigned Pixels = Height * Width;
  const Images x = random_images<From>(Height, Width, Channels);
  const auto expected = drawn(1, 1, Channels, [&](unsigned f, unsigned /*row*/, unsigned /*column*/, unsigned c) {
    return of(reduction, tile_of(x, f, 0, 0, c, Height, Width));
  });
  finn::GlobalAccPool<Raster<To, To, Lanes, Channels, 1, 1, Pixels, Pixels, false>> kernel;
  const Outcome y = through<Beat<To, Lanes>>(kernel, beats<From, Lanes>(x.numbers), reduction);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, Channels / Lanes) == Pixels * Channels / Lanes);
  CHECK(y.cycles.back() == x.numbers.size() / Lanes);
}

}  // namespace

TEST_CASE("StreamingMaxPool, tiles that fit") {
  takes_the_maximum<ap_int<4>, 2, 4, 4, 2, 6, 3, false>();
  takes_the_maximum<ap_uint<3>, 1, 3, 6, 3, 4, 2, true>();
  takes_the_maximum<Bipolar, 4, 4, 2, 2, 4, 2, false>();
  takes_the_maximum<ap_int<62>, 1, 2, 3, 1, 2, 1, false>();
}

TEST_CASE("StreamingMaxPool drops rows and columns that do not fill a tile") {
  takes_the_maximum<ap_int<4>, 2, 4, 5, 2, 7, 3, false>();
  takes_the_maximum<ap_int<4>, 1, 1, 5, 3, 4, 3, false>();
  takes_the_maximum<ap_int<4>, 1, 2, 1, 1, 11, 4, false>();
}

TEST_CASE("StreamingMaxPool makes tiles of what is left") {
  takes_the_maximum<ap_int<4>, 2, 4, 5, 2, 7, 3, true>();
  takes_the_maximum<ap_int<4>, 1, 1, 2, 3, 3, 4, true>();
  takes_the_maximum<ap_int<4>, 1, 2, 1, 1, 11, 4, true>();
}

TEST_CASE("Pool reduces windows, also those that overlap") {
  reduces_windows<Window<3, 2, 1, 2, 1, 1>, ap_int<4>, ap_int<4>, ap_int<4>, 2, 4>(ExtremeOf<true>());
  reduces_windows<Window<2, 2, 3, 1, 1, 1>, ap_uint<4>, ap_uint<4>, ap_uint<4>, 1, 2>(ExtremeOf<false>());
  reduces_windows<Window<1, 1, 2, 2, 1, 1>, Bipolar, Bipolar, Bipolar, 3, 3>(ExtremeOf<false>());
  reduces_windows<Window<3, 3, 2, 2, 1, 1>, ap_int<4>, ap_int<8>, ap_int<8>, 1, 2>(SumOf<0>());
}

TEST_CASE("Pool divides sums by a power of two, and rounds down") {
  reduces_windows<Window<2, 2, 2, 2, 1, 1>, ap_int<4>, ap_int<6>, ap_int<4>, 2, 2>(SumOf<2>());
  reduces_windows<Window<3, 3, 2, 2, 1, 1>, ap_uint<4>, ap_uint<8>, ap_uint<5>, 1, 2>(SumOf<3>());
  reduces_windows<Window<2, 1, 1, 1, 1, 1>, ap_int<60>, ap_int<61>, ap_int<56>, 1, 1>(SumOf<5>());
}

TEST_CASE("GlobalAccPool makes one pixel of an image") {
  reduces_images<ap_int<4>, ap_int<9>, 2, 4, 3, 5>(SumOf<0>());
  reduces_images<Bipolar, ap_int<5>, 1, 3, 2, 6>(SumOf<0>());
  reduces_images<ap_int<4>, ap_int<4>, 3, 3, 1, 7>(ExtremeOf<true>());
  reduces_images<ap_uint<2>, ap_uint<2>, 1, 2, 1, 1>(ExtremeOf<false>());
}
