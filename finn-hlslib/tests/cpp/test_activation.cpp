// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/activation.hpp>

#include "matrices.hpp"

using namespace finn::test;
using finn::Bipolar;
using finn::Thresholds;

namespace {

using Numbers = std::vector<long long>;

// The results of a beat of T that holds `x`.
template <typename T, unsigned PE, typename Activation>
Numbers activated(const Activation &activation, unsigned fold, const Numbers &x) {
  const auto y = activation(fold, beats<T, PE>(x).at(0));
  return numbers(std::vector<std::decay_t<decltype(y)>>{y});
}

// Random thresholds of Folds * PE channels; all possible results of a channel, one beat after the other.
template <unsigned Folds, unsigned PE, unsigned Steps>
void counts() {
  const Numbers values = random_numbers<ap_int<5>>(Folds * PE * Steps);
  Thresholds<ap_int<5>, ap_uint<8>, Folds, PE, Steps, 0> activation;
  for (unsigned k = 0; k < values.size(); k++) activation.at[k / Steps / PE][k % Steps][k / Steps % PE] = values[k];
  for (unsigned fold = 0; fold < Folds; fold++) {
    for (long long first = -16; first < 16; first++) {
      Numbers x(PE);
      Numbers expected(PE);
      for (unsigned lane = 0; lane < PE; lane++) {
        x[lane] = -16 + (first + 16 + 7 * lane) % 32;
        const auto own = values.begin() + (fold * PE + lane) * Steps;
        expected[lane] = reached(x[lane], {own, own + Steps});
      }
      CHECK(activated<ap_int<5>, PE>(activation, fold, x) == expected);
    }
  }
}

}  // namespace

TEST_CASE("the results as they are") {
  CHECK(activated<ap_int<7>, 3>(finn::PassThrough<ap_int<7>>(), 2, {-64, 0, 63}) == Numbers{-64, 0, 63});
  CHECK(activated<Bipolar, 2>(finn::PassThrough<Bipolar>(), 0, {-1, 1}) == Numbers{-1, 1});
}

TEST_CASE("each channel has its own thresholds, of any number") {
  counts<1, 1, 1>();
  counts<3, 2, 3>();
  counts<2, 5, 15>();
  counts<1, 3, 16>();
  counts<2, 2, 17>();
  counts<1, 2, 48>();
  counts<2, 1, 33>();
}

TEST_CASE("a threshold is reached by values that are not below it, in any order of the thresholds") {
  const Thresholds<ap_int<4>, ap_uint<3>, 1, 1, 5, 0> activation = {{{{5}, {-3}, {5}, {0}, {-3}}}};
  CHECK(activated<ap_int<4>, 1>(activation, 0, {-4}) == Numbers{0});
  CHECK(activated<ap_int<4>, 1>(activation, 0, {-3}) == Numbers{2});
  CHECK(activated<ap_int<4>, 1>(activation, 0, {4}) == Numbers{3});
  CHECK(activated<ap_int<4>, 1>(activation, 0, {5}) == Numbers{5});
}

TEST_CASE("all channels may have the same thresholds") {
  const Thresholds<ap_int<4>, ap_uint<2>, 1, 1, 2, 0> activation = {{{{2}, {4}}}};
  CHECK(activated<ap_int<4>, 4>(activation, 5, {1, 2, 4, -8}) == Numbers{0, 1, 2, 0});
}

TEST_CASE("values are not narrowed to the type of the thresholds, nor the other way round") {
  constexpr long long Large = 1LL << 60;
  const Thresholds<ap_int<4>, ap_uint<2>, 1, 1, 2, 0> narrow = {{{{-8}, {7}}}};
  CHECK(activated<ap_int<62>, 4>(narrow, 0, {-Large, -Large + 9, 6, Large}) == Numbers{0, 0, 1, 2});
  CHECK(activated<ap_uint<6>, 2>(narrow, 0, {6, 63}) == Numbers{1, 2});
  const Thresholds<ap_int<62>, ap_uint<2>, 1, 1, 2, 0> wide = {{{{-Large}, {Large}}}};
  CHECK(activated<ap_int<62>, 4>(wide, 0, {-Large - 1, -Large, Large - 1, Large}) == Numbers{0, 1, 1, 2});
  CHECK(activated<ap_uint<1>, 2>(wide, 0, {0, 1}) == Numbers{1, 1});
}

TEST_CASE("values without a sign meet thresholds below zero") {
  const Thresholds<ap_int<3>, ap_uint<2>, 1, 1, 2, 0> activation = {{{{-1}, {3}}}};
  CHECK(activated<ap_uint<2>, 3>(activation, 0, {0, 2, 3}) == Numbers{1, 1, 2});
}

TEST_CASE("the bias is added to the count") {
  const Thresholds<ap_int<4>, ap_int<3>, 1, 1, 2, -3> activation = {{{{0}, {4}}}};
  CHECK(activated<ap_int<4>, 3>(activation, 0, {-1, 0, 4}) == Numbers{-3, -2, -1});
}

TEST_CASE("bipolar results are -1 below the threshold, and bipolar values are -1 or 1") {
  const Thresholds<ap_int<2>, Bipolar, 1, 1, 1, 0> activation = {{{{1}}}};
  CHECK(activated<ap_int<4>, 3>(activation, 0, {0, 1, 7}) == Numbers{-1, 1, 1});
  CHECK(activated<Bipolar, 2>(activation, 0, {-1, 1}) == Numbers{-1, 1});
}
