// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/elementwise.hpp>

#include "broadcast.hpp"
#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;

namespace {

constexpr unsigned Frames = 5;

// The order of the beats of an operand.
template <typename T, unsigned Wide, unsigned Again, unsigned Count, unsigned Steps>
struct Order {
  static constexpr unsigned Lanes = Wide, Repeats = Again, Beats = Count, Hold = Steps;
  using Type = T;
};

template <unsigned Wide, typename A, typename B, typename T>
struct Config {
  static constexpr unsigned PE = Wide;
  static constexpr unsigned ALanes = A::Lanes, ARepeats = A::Repeats, ABeats = A::Beats, AHold = A::Hold;
  static constexpr unsigned BLanes = B::Lanes, BRepeats = B::Repeats, BBeats = B::Beats, BHold = B::Hold;
  using AType = typename A::Type;
  using BType = typename B::Type;
  using Output = T;
};

// a - b of operands of these shapes.
template <unsigned PE, typename A, typename B>
void check(Shape a_shape, Shape b_shape) {
  using Output = ap_int<10>;
  const auto a = random_numbers<typename A::Type>(Frames * a_shape.size(), 1);
  const auto b = random_numbers<typename B::Type>(Frames * b_shape.size(), 2);
  std::vector<long long> expected = broadcast(a, a_shape);
  const auto subtracted = broadcast(b, b_shape);
  for (std::size_t i = 0; i < expected.size(); i++) expected[i] -= subtracted[i];
  const finn::Ordered<finn::Sub, false> function;
  std::vector<unsigned> cycles;  // under the first timing
  any_timing([&](Bench &bench) {
    auto &a_stream = bench.source(beats<typename A::Type, A::Lanes>(a));
    auto &b_stream = bench.source(beats<typename B::Type, B::Lanes>(b));
    auto &y = bench.sink<Beat<Output, PE>>();
    bench.add(finn::Elementwise<Config<PE, A, B, Output>>(), a_stream, b_stream, y, function);
    bench.run();
    CHECK(numbers(y.items) == expected);
    if (cycles.empty()) cycles = y.cycles;
  });
  CHECK(interval(cycles, Frame.size() / PE) == Frame.size() / PE);
}

using T = ap_int<6>;
using U = ap_uint<8>;
template <typename Type, unsigned PE>
using Whole = Order<Type, PE, 1, 1, 1>;

}  // namespace

TEST_CASE("both operands have all elements") {
  check<1, Whole<T, 1>, Whole<U, 1>>(Frame, Frame);
  check<2, Whole<U, 2>, Whole<T, 2>>(Frame, Frame);
  check<4, Whole<Bipolar, 4>, Whole<T, 4>>(Frame, Frame);
}

TEST_CASE("an operand per channel is repeated for each pixel") {
  check<1, Whole<T, 1>, Order<U, 1, 6, 4, 1>>(Frame, {1, 1, 4});
  check<2, Whole<T, 2>, Order<U, 2, 6, 2, 1>>(Frame, {1, 1, 4});
  check<4, Order<U, 4, 6, 1, 1>, Whole<T, 4>>({1, 1, 4}, Frame);
}

TEST_CASE("an operand per pixel is held for all channels") {
  check<1, Whole<T, 1>, Order<U, 1, 1, 1, 4>>(Frame, {2, 3, 1});
  check<2, Whole<T, 2>, Order<U, 1, 1, 1, 2>>(Frame, {2, 3, 1});
  check<2, Order<U, 1, 1, 1, 6>, Whole<T, 2>>({2, 1, 1}, Frame);
  check<2, Order<U, 1, 1, 1, 12>, Whole<T, 2>>({1, 1, 1}, Frame);
}

TEST_CASE("repeated in the rows, held in the channels, and the other way round") {
  check<2, Whole<T, 2>, Order<U, 1, 2, 3, 2>>(Frame, {1, 3, 1});
  check<2, Whole<T, 2>, Order<U, 2, 3, 2, 1>>(Frame, {2, 1, 4});
}

TEST_CASE("both operands are used again") {
  check<1, Order<T, 1, 3, 4, 1>, Order<U, 1, 2, 3, 4>>({2, 1, 4}, {1, 3, 1});
  check<4, Order<T, 4, 6, 1, 1>, Order<U, 1, 1, 1, 1>>({1, 1, 4}, {2, 3, 1});
}
