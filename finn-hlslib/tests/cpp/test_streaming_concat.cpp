// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/streaming_concat.hpp>
#include <finn/streaming_split.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::List;

namespace {

using Numbers = std::vector<long long>;
constexpr unsigned Rounds = 7;

template <typename T, unsigned Lanes, typename Parts>
struct Join {
  static constexpr unsigned SIMD = Lanes;
  using Beats = Parts;
  using Output = T;
};

template <typename Parts>
struct Divide {
  using Beats = Parts;
};

// `count` elements of each part in turn, which are to be as many as the parts have.
Numbers interleaved(const std::vector<Numbers> &parts, const std::vector<std::size_t> &counts) {
  Numbers result;
  for (std::size_t round = 0; round < Rounds; round++) {
    for (std::size_t part = 0; part < parts.size(); part++) {
      for (std::size_t k = 0; k < counts[part]; k++) result.push_back(parts[part][round * counts[part] + k]);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("inputs of several types, one after the other") {
  // Per round 2 beats, 1 beat and 3 beats of 2 elements.
  const auto a = random_numbers<ap_int<3>>(Rounds * 4);
  const auto b = random_numbers<ap_uint<5>>(Rounds * 2);
  const auto c = random_numbers<finn::Bipolar>(Rounds * 6);
  using Output = ap_int<6>;
  any_timing([&](Bench &bench) {
    auto &a_stream = bench.source(beats<ap_int<3>, 2>(a));
    auto &b_stream = bench.source(beats<ap_uint<5>, 2>(b));
    auto &c_stream = bench.source(beats<finn::Bipolar, 2>(c));
    auto &y = bench.sink<Beat<Output, 2>>();
    bench.add(finn::StreamingConcat<Join<Output, 2, List<2, 1, 3>>>(), a_stream, b_stream, c_stream, y);
    bench.run();
    CHECK(numbers(y.items) == interleaved({a, b, c}, {4, 2, 6}));
  });
}

TEST_CASE("one input is passed on") {
  const auto x = random_numbers<ap_int<4>>(30);
  const Outcome y =
      through<Beat<ap_int<9>, 3>>(finn::StreamingConcat<Join<ap_int<9>, 3, List<2>>>(), beats<ap_int<4>, 3>(x));
  CHECK(y.numbers == x);
  CHECK(y.cycles.back() == 10);
}

TEST_CASE("outputs in turn, and joined again") {
  using T = ap_int<5>;
  const auto a = random_numbers<T>(Rounds * 2, 1);
  const auto b = random_numbers<T>(Rounds * 6, 2);
  const auto c = random_numbers<T>(Rounds * 4, 3);
  const auto x = interleaved({a, b, c}, {2, 6, 4});
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<T, 2>(x));
    auto &a_stream = bench.sink<Beat<T, 2>>();
    auto &b_stream = bench.sink<Beat<T, 2>>();
    auto &c_stream = bench.sink<Beat<T, 2>>();
    bench.add(finn::StreamingSplit<Divide<List<1, 3, 2>>>(), in, a_stream, b_stream, c_stream);
    bench.run();
    CHECK(numbers(a_stream.items) == a);
    CHECK(numbers(b_stream.items) == b);
    CHECK(numbers(c_stream.items) == c);
  });
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<T, 2>(x));
    auto &one = bench.stream<Beat<T, 2>>();
    auto &two = bench.stream<Beat<T, 2>>();
    auto &y = bench.sink<Beat<T, 2>>();
    bench.add(finn::StreamingSplit<Divide<List<4, 2>>>(), in, one, two);
    bench.add(finn::StreamingConcat<Join<T, 2, List<4, 2>>>(), one, two, y);
    bench.run();
    CHECK(numbers(y.items) == x);
  });
}

TEST_CASE("a beat takes a cycle, whoever's turn it is") {
  using T = ap_uint<4>;
  const auto x = random_numbers<T>(Rounds * 6);
  Bench bench;
  auto &in = bench.source(beats<T, 1>(x));
  auto &one = bench.sink<Beat<T, 1>>();
  auto &two = bench.sink<Beat<T, 1>>();
  bench.add(finn::StreamingSplit<Divide<List<4, 2>>>(), in, one, two);
  bench.run();
  CHECK(interval(one.cycles, 4) == 6);
  CHECK(interval(two.cycles, 2) == 6);
  CHECK(two.cycles.back() == x.size());
}
