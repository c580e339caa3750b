// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/checksum.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

template <unsigned Count>
struct Config {
  static constexpr unsigned Beats = Count;
};

// The checksum of frame `number`, from its definition: elements as bits, folded to 23 bits, weighted 1, 2, 3, 1, ..
uint32_t expected(const std::vector<long long> &frame, int width, unsigned number) {
  uint64_t sum = 0;
  for (std::size_t i = 0; i < frame.size(); i++) {
    const uint64_t bits = static_cast<uint64_t>(frame[i]) & ((uint64_t{1} << width) - 1);
    const uint64_t folded = (bits ^ bits >> 23 ^ bits >> 46) & 0x7FFFFF;
    sum += folded * (1 + i % 3);
  }
  return static_cast<uint32_t>(number % 256 << 24 | (sum & 0xFFFFFF));
}

template <typename T, unsigned Lanes, unsigned Beats>
void sums(unsigned frames) {
  constexpr int Width = finn::Element<T>::width;
  CAPTURE(Width);
  const auto x = random_numbers<T>(std::size_t{frames} * Beats * Lanes);
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<T, Lanes>(x));
    auto &out = bench.sink<Beat<T, Lanes>>();
    const auto &kernel = bench.add(finn::CheckSum<Config<Beats>>(), in, out);
    bench.run();
    CHECK(numbers(out.items) == x);
    const std::vector<long long> last(x.end() - Beats * Lanes, x.end());
    CHECK(static_cast<uint32_t>(kernel.checksum()) == expected(last, Width, frames - 1));
  });
}

}  // namespace

TEST_CASE("beats pass, and their sum is that of the last frame") {
  sums<ap_int<4>, 3, 5>(4);
  sums<ap_uint<23>, 2, 7>(2);
  sums<ap_int<24>, 1, 4>(3);
  sums<ap_uint<62>, 4, 2>(5);
}

TEST_CASE("frames are counted modulo 256") { sums<ap_uint<2>, 1, 1>(258); }

TEST_CASE("a sum of an unfinished frame is not shown") {
  Bench bench;
  auto &in = bench.source(beats<ap_uint<8>, 1>({10, 20, 30, 99, 99}));
  auto &out = bench.sink<Beat<ap_uint<8>, 1>>();
  const auto &kernel = bench.add(finn::CheckSum<Config<3>>(), in, out);
  bench.run();
  CHECK(kernel.checksum() == 10 + 2 * 20 + 3 * 30);
  CHECK(out.cycles.back() == 5);
}
