// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>

#include <finn/dot.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Bipolar;

namespace {

using Numbers = std::vector<long long>;

template <typename X, typename W, unsigned N>
void sums_up(const Numbers &x, const Numbers &w) {
  const auto a = beats<X, N>(x);
  const auto b = beats<W, N>(w);
  for (std::size_t k = 0; k < a.size(); k++) {
    long long expected = 0;
    for (unsigned i = 0; i < N; i++) expected += x[k * N + i] * w[k * N + i];
    CHECK(static_cast<long long>(finn::dot(a[k].lane, b[k].lane)) == expected);
  }
}

// Numbers of any size, and all four ways to be the largest sum or the smallest.
template <typename X, typename W, unsigned N>
void dots() {
  const Numbers x = random_numbers<X>(std::size_t{64} * N, 1);
  const Numbers w = random_numbers<W>(std::size_t{64} * N, 2);
  sums_up<X, W, N>(x, w);
  const auto of_x = std::minmax_element(x.begin(), x.end());
  const auto of_w = std::minmax_element(w.begin(), w.end());
  for (const long long a : {*of_x.first, *of_x.second}) {
    for (const long long b : {*of_w.first, *of_w.second}) sums_up<X, W, N>(Numbers(N, a), Numbers(N, b));
  }
}

}  // namespace

TEST_CASE("sums of products of integers") {
  dots<ap_int<4>, ap_int<4>, 1>();
  dots<ap_uint<2>, ap_int<2>, 9>();
  dots<ap_uint<1>, ap_uint<1>, 17>();
  dots<ap_int<8>, ap_int<8>, 64>();
  dots<ap_uint<8>, ap_uint<8>, 3>();
}

TEST_CASE("sums of products of many bits") {
  dots<ap_int<15>, ap_int<15>, 2>();    // 31 bits
  dots<ap_uint<15>, ap_uint<15>, 2>();  // the same, unsigned
  dots<ap_uint<16>, ap_uint<15>, 2>();  // 32 bits
  dots<ap_int<31>, ap_uint<28>, 4>();   // 61 bits
}

TEST_CASE("sums of products of bipolar values and integers") {
  dots<Bipolar, ap_int<8>, 7>();
  dots<ap_uint<1>, Bipolar, 130>();
  dots<Bipolar, ap_int<32>, 5>();
}

TEST_CASE("sums of products of bipolar values") {
  dots<Bipolar, Bipolar, 1>();
  dots<Bipolar, Bipolar, 8>();
  dots<Bipolar, Bipolar, 63>();
  dots<Bipolar, Bipolar, 255>();
  dots<Bipolar, Bipolar, 256>();
}

TEST_CASE("sums of products of what one lane of PE gets") {
  const ap_int<4> beat[] = {1, -8, 2, 7, 3, 0};  // of 3 elements for each of 2 lanes
  const ap_uint<2> w[] = {3, 1, 2};
  CHECK(finn::dot(finn::Column<ap_int<4>, 3, 2>{beat, 0}, w) == 3 * 1 + 1 * 2 + 2 * 3);
  CHECK(finn::dot(finn::Column<ap_int<4>, 3, 2>{beat, 1}, w) == 3 * -8 + 1 * 7 + 2 * 0);
  const Bipolar signs[] = {1, -1, -1, -1};
  const Bipolar weights[] = {-1, -1};
  CHECK(finn::dot(finn::Column<Bipolar, 2, 2>{signs, 0}, weights) == 0);
  CHECK(finn::dot(finn::Column<Bipolar, 2, 2>{signs, 1}, weights) == 2);
}
