// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include <finn/label_select.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

using Numbers = std::vector<long long>;

template <typename T, unsigned Count, unsigned Lanes, unsigned Best>
struct Selection {
  static constexpr unsigned Labels = Count, PE = Lanes, K = Best;
  using Input = T;
  using Output = ap_uint<4>;
};

// The labels of the K largest of each `labels` numbers.
Numbers best(const Numbers &x, unsigned labels, unsigned k) {
  Numbers result;
  for (auto vector = x.begin(); vector != x.end(); vector += labels) {
    Numbers order(labels);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](long long a, long long b) { return vector[a] > vector[b]; });
    result.insert(result.end(), order.begin(), order.begin() + k);
  }
  return result;
}

template <typename T, unsigned Labels, unsigned PE, unsigned K>
Outcome selected(const Numbers &x) {
  return through<Beat<ap_uint<4>, 1>>(finn::LabelSelect<Selection<T, Labels, PE, K>>(), beats<T, PE>(x));
}

template <typename T, unsigned Labels, unsigned PE, unsigned K>
void selects() {
  // Narrow types have many equal values, and each fourth is the least or the greatest of its type.
  const Numbers x = random_numbers<T>(std::size_t{20} * Labels);
  const Outcome y = selected<T, Labels, PE, K>(x);
  CHECK(y.numbers == best(x, Labels, K));
  CHECK(interval(y.cycles, K) == std::max(Labels / PE, K));
}

}  // namespace

TEST_CASE("LabelSelect finds the largest") {
  selects<ap_int<4>, 10, 1, 1>();
  selects<ap_uint<8>, 10, 5, 1>();
  selects<ap_int<62>, 6, 6, 1>();
  selects<ap_uint<62>, 6, 2, 1>();
  selects<finn::Bipolar, 6, 2, 1>();
  selects<ap_int<3>, 1, 1, 1>();
}

TEST_CASE("LabelSelect sends the K largest, best first, while the next vector comes in") {
  selects<ap_int<4>, 10, 1, 3>();
  selects<ap_uint<2>, 12, 3, 2>();
  selects<ap_int<4>, 10, 2, 5>();
  selects<finn::Bipolar, 6, 1, 6>();
}

TEST_CASE("LabelSelect waits for the labels before, if a vector comes in less cycles than K") {
  selects<ap_int<4>, 10, 10, 3>();
  selects<ap_uint<2>, 12, 6, 5>();
  selects<ap_int<4>, 8, 4, 8>();
}

TEST_CASE("of equal values LabelSelect takes the first, also of the least of their type") {
  CHECK(selected<ap_int<3>, 6, 2, 3>({-4, -4, -4, -4, -4, -4}).numbers == Numbers{0, 1, 2});
  CHECK(selected<ap_uint<3>, 6, 6, 1>({0, 0, 0, 0, 0, 0}).numbers == Numbers{0});
  CHECK(selected<ap_int<3>, 6, 3, 6>({1, 2, 1, 2, -4, 3}).numbers == Numbers{5, 1, 3, 0, 2, 4});
}

TEST_CASE("the labels of the last vector leave when nothing else comes") {
  const Outcome y = selected<ap_int<4>, 4, 1, 3>({0, 3, 2, 1});
  CHECK(y.numbers == Numbers{1, 2, 3});
  CHECK(y.cycles == std::vector<unsigned>{5, 6, 7});
}
