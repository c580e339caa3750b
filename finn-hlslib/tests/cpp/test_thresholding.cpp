// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>

#include <finn/thresholding.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;

namespace {

template <unsigned Lanes, unsigned Count, typename T>
struct Config {
  static constexpr unsigned PE = Lanes, Folds = Count;
  using Output = T;
};

// Five frames of 3 pixels; `Own` is whether each channel has its own thresholds.
template <typename In, typename Threshold, typename Out, unsigned Channels, unsigned PE, unsigned Steps, int Bias,
          bool Own = true>
void check() {
  CAPTURE(Channels);
  CAPTURE(PE);
  CAPTURE(Steps);
  constexpr unsigned Folds = Channels / PE;
  constexpr unsigned Pixels = 3;
  const auto x = random_numbers<In>(std::size_t{5} * Pixels * Channels);
  const auto values = random_numbers<Threshold>(std::size_t{Own ? Channels : 1} * Steps, 2);
  finn::Thresholds<Threshold, Out, Own ? Folds : 1, Own ? PE : 1, Steps, Bias> thresholds;
  std::vector<long long> expected;
  for (std::size_t i = 0; i < x.size(); i++) {
    const std::size_t channel = Own ? i % Channels : 0;
    const auto *own = &values[channel * Steps];
    for (unsigned step = 0; step < Steps; step++) thresholds.at[channel / PE][step][channel % PE] = own[step];
    const auto count = std::count_if(own, own + Steps, [&](long long t) { return t <= x[i]; });
    expected.push_back(std::is_same<Out, Bipolar>::value ? 2 * count - 1 : count + Bias);
  }
  const auto y = through<Beat<Out, PE>>(finn::Thresholding<Config<PE, Folds, Out>>(), beats<In, PE>(x), thresholds);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, std::size_t{Pixels} * Folds) == Pixels * Folds);
}

}  // namespace

TEST_CASE("thresholds of each channel, however it is folded") {
  check<ap_int<6>, ap_int<7>, ap_uint<3>, 6, 1, 7, 0>();
  check<ap_int<6>, ap_int<7>, ap_int<4>, 6, 2, 7, -8>();
  check<ap_uint<6>, ap_int<7>, ap_int<4>, 6, 6, 7, -3>();
}

TEST_CASE("thresholds that all channels share") {
  check<ap_int<6>, ap_int<7>, ap_uint<2>, 4, 2, 3, 0, false>();
  check<ap_int<6>, ap_int<7>, ap_uint<5>, 4, 4, 20, 0, false>();
}

TEST_CASE("many thresholds: a block, more than one, blocks and a rest") {
  check<ap_int<8>, ap_int<9>, ap_uint<5>, 3, 3, 16, 0>();
  check<ap_int<8>, ap_int<9>, ap_uint<5>, 3, 3, 17, 0>();
  check<ap_int<8>, ap_int<9>, ap_uint<8>, 4, 2, 255, 0>();
  check<ap_uint<16>, ap_uint<17>, ap_uint<8>, 2, 1, 255, 0>();
}

TEST_CASE("one bit out, one bit in") {
  check<ap_int<8>, ap_int<9>, Bipolar, 4, 2, 1, 0>();
  check<Bipolar, ap_int<2>, Bipolar, 4, 2, 1, 0>();
}

TEST_CASE("wide sums") { check<ap_int<62>, ap_int<62>, ap_uint<2>, 2, 2, 3, 0>(); }
