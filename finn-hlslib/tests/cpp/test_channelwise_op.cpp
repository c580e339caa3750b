// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/channelwise_op.hpp>

#include "broadcast.hpp"
#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;

namespace {

constexpr unsigned Frames = 5;

template <unsigned Lanes, unsigned G, unsigned R, unsigned B, unsigned H, typename T>
struct Config {
  static constexpr unsigned PE = Lanes, Groups = G, Repeats = R, Beats = B, Hold = H;
  using Output = T;
};

// parameter - x, of parameters of this shape.
template <typename In, typename Parameter, unsigned PE, unsigned Lanes, unsigned Groups, unsigned Repeats,
          unsigned Beats, unsigned Hold>
void check(Shape shape) {
  using Output = ap_int<10>;
  const auto x = random_numbers<In>(Frames * Frame.size(), 1);
  const auto values = random_numbers<Parameter>(shape.size(), 2);
  finn::Table<Parameter, Groups * Beats, Lanes> parameters;
  REQUIRE(shape.size() == Groups * Beats * Lanes);
  for (unsigned k = 0; k < shape.size(); k++) parameters.at[k / Lanes][k % Lanes] = values[k];
  const auto subtracted_from = broadcast(values, shape);
  std::vector<long long> expected;
  for (std::size_t i = 0; i < x.size(); i++) expected.push_back(subtracted_from[i % Frame.size()] - x[i]);
  using Kernel = finn::ChannelwiseOp<Config<PE, Groups, Repeats, Beats, Hold, Output>>;
  const auto y = through<Beat<Output, PE>>(Kernel(), beats<In, PE>(x), finn::Ordered<finn::Sub, true>(), parameters);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, Frame.size() / PE) == Frame.size() / PE);
}

using T = ap_int<6>;
using U = ap_uint<8>;

}  // namespace

TEST_CASE("parameters per channel, however they are folded") {
  check<T, U, 1, 1, 1, 6, 4, 1>({1, 1, 4});
  check<U, T, 2, 2, 1, 6, 2, 1>({1, 1, 4});
  check<Bipolar, T, 4, 4, 1, 6, 1, 1>({1, 1, 4});
}

TEST_CASE("one parameter for all elements") { check<T, Bipolar, 2, 1, 1, 1, 1, 12>({1, 1, 1}); }

TEST_CASE("parameters of other axes, and of several") {
  check<T, U, 2, 1, 1, 1, 2, 6>({2, 1, 1});
  check<T, U, 2, 1, 1, 2, 3, 2>({1, 3, 1});
  check<T, U, 2, 2, 2, 3, 2, 1>({2, 1, 4});
  check<T, U, 2, 2, 1, 2, 6, 1>({1, 3, 4});
  check<T, U, 1, 1, 1, 1, 24, 1>(Frame);
}

TEST_CASE("the stream is the first operand, or the second") {
  const std::vector<long long> x = {1, 2, 3, 4, 5};
  const finn::Table<ap_uint<3>, 1, 1> two = {{{2}}};
  using Kernel = finn::ChannelwiseOp<Config<1, 1, 1, 1, 1, ap_int<9>>>;
  using Out = Beat<ap_int<9>, 1>;
  const auto in = beats<ap_uint<3>, 1>(x);
  const auto shifted = through<Out>(Kernel(), in, finn::Ordered<finn::BitShiftLeft, false>(), two);
  CHECK(shifted.numbers == std::vector<long long>{4, 8, 12, 16, 20});
  const auto powers = through<Out>(Kernel(), in, finn::Ordered<finn::BitShiftLeft, true>(), two);
  CHECK(powers.numbers == std::vector<long long>{4, 8, 16, 32, 64});
}
