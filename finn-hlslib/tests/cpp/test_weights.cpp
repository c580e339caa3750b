// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/weights.hpp>

#include "matrices.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Tile;

namespace {

using T = ap_int<5>;
constexpr unsigned PE = 2;
constexpr unsigned SIMD = 3;

// Passes on what a source of weights gives, tile by tile: all of PE 0, then those of the next.
struct Fetching {
  unsigned address = 0;

  template <typename Weights, typename Out>
  void step(const Weights &weights, Out &out) {
    const Tile<T, PE, SIMD> &tile = weights.fetch(address);
    Beat<T, PE * SIMD> beat;
    for (unsigned lane = 0; lane < PE * SIMD; lane++) beat.lane[lane] = tile.lane[lane / SIMD][lane % SIMD];
    out.write(beat);
    address++;
  }
};

}  // namespace

TEST_CASE("tiles of a stream are its beats, whatever their address, and waited for") {
  const auto x = random_numbers<T>(std::size_t{20} * PE * SIMD);
  any_timing([&](Bench &bench) {
    auto &stream = bench.source(beats<T, PE * SIMD>(x));
    auto &out = bench.sink<Beat<T, PE * SIMD>>();
    const auto weights = finn::streamed_weights<T, PE, SIMD>(stream);
    bench.add(Fetching(), weights, out);
    bench.run();
    CHECK(numbers(out.items) == x);
  });
}

TEST_CASE("products of one input with the weights of several outputs, tile by tile") {
  const Matrix w = random_matrix<ap_int<4>>(6, 4);
  const auto weights = tiled<ap_int<4>, 6, 4, SIMD, PE>(w);
  const T x[] = {5, -8, 7};
  for (unsigned tile = 0; tile < 4; tile++) {
    const auto sums = finn::products(x, weights.fetch(tile));
    for (unsigned pe = 0; pe < PE; pe++) {
      const unsigned term = tile % 2 * SIMD;
      const unsigned output = tile / 2 * PE + pe;
      CHECK(sums.lane[pe] == 5 * w.at(term, output) - 8 * w.at(term + 1, output) + 7 * w.at(term + 2, output));
    }
  }
}
