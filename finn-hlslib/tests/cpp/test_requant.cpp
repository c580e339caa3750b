// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>

#include <finn/requant.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;

namespace {

template <unsigned Lanes, unsigned Count, int Places, long long Least, long long Most, typename S, typename T>
struct Config {
  static constexpr unsigned PE = Lanes, Words = Count;
  static constexpr int Shift = Places;
  static constexpr long long Low = Least, High = Most;
  using Sum = S;
  using Output = T;
};

// The quotient, rounded down.
long long divided(long long value, long long divisor) {
  const long long quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

// Five frames of 2 pixels; `Own` is whether each channel has constants of its own.
template <typename In, typename M, typename B, typename Sum, typename Out, unsigned Channels, unsigned PE, int Shift,
          long long Low, long long High, bool Own = true>
std::vector<long long> check() {
  CAPTURE(Channels);
  CAPTURE(PE);
  constexpr unsigned Words = Own ? Channels / PE : 1;
  constexpr unsigned Lanes = Own ? PE : 1;
  const auto x = random_numbers<In>(std::size_t{5} * 2 * Channels);
  const auto m = random_numbers<M>(Words * Lanes, 2);
  const auto b = random_numbers<B>(Words * Lanes, 3);
  finn::Table<M, Words, Lanes> multipliers;
  finn::Table<B, Words, Lanes> offsets;
  for (unsigned k = 0; k < Words * Lanes; k++) {
    multipliers.at[k / Lanes][k % Lanes] = m[k];
    offsets.at[k / Lanes][k % Lanes] = b[k];
  }
  std::vector<long long> expected;
  for (std::size_t i = 0; i < x.size(); i++) {
    const std::size_t channel = Own ? i % Channels : 0;
    const long long scaled = divided(x[i] * m[channel] + b[channel], 1LL << Shift);
    expected.push_back(scaled < Low ? Low : scaled > High ? High : scaled);
  }
  using Kernel = finn::Requant<Config<PE, Words, Shift, Low, High, Sum, Out>>;
  const auto y = through<Beat<Out, PE>>(Kernel(), beats<In, PE>(x), multipliers, offsets);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, 2 * Channels / PE) == 2 * Channels / PE);
  return y.numbers;
}

}  // namespace

TEST_CASE("constants of each channel, however it is folded") {
  check<ap_int<8>, ap_int<6>, ap_int<10>, ap_int<16>, ap_int<5>, 6, 1, 5, -16, 15>();
  check<ap_int<8>, ap_int<6>, ap_int<10>, ap_int<16>, ap_int<5>, 6, 3, 5, -15, 15>();
  check<ap_uint<8>, ap_int<6>, ap_int<10>, ap_int<16>, ap_uint<4>, 6, 6, 5, 0, 15>();
}

TEST_CASE("constants that all channels share") {
  check<Bipolar, ap_int<6>, ap_int<10>, ap_int<16>, ap_int<5>, 4, 4, 4, -16, 15, false>();
}

TEST_CASE("nothing is shifted, and all is") {
  check<ap_int<4>, ap_int<3>, ap_int<4>, ap_int<9>, ap_int<9>, 2, 2, 0, -256, 255>();
  const auto y = check<ap_int<4>, ap_int<3>, ap_int<4>, ap_int<62>, ap_int<2>, 2, 1, 61, -2, 1>();
  CHECK(*std::min_element(y.begin(), y.end()) == -1);
}

TEST_CASE("sums of 62 bits") {
  check<ap_int<30>, ap_int<31>, ap_int<60>, ap_int<62>, ap_int<30>, 4, 2, 31, -(1LL << 29), (1LL << 29) - 1>();
  check<ap_uint<31>, ap_int<30>, ap_int<60>, ap_int<62>, ap_uint<61>, 4, 2, 0, 0, (1LL << 61) - 1>();
}
