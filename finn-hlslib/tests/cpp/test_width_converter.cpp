// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <algorithm>

#include <finn/width_converter.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

template <typename T, unsigned InLanes, unsigned OutLanes>
struct Converter {
  static constexpr unsigned In = InLanes, Out = OutLanes;
  using Element = T;
};

// Frames of so many elements in, in order out, at the rate of the side with more beats.
template <typename T, unsigned In, unsigned Out>
void converts(unsigned elements) {
  CAPTURE(In);
  CAPTURE(Out);
  constexpr unsigned Frames = 6;
  const auto x = random_numbers<T>(Frames * elements, In * Out);
  finn::StreamingDataWidthConverter<Converter<T, In, Out>> kernel;
  const Outcome y = through<Beat<T, Out>>(kernel, beats<T, In>(x));
  CHECK(y.numbers == x);
  const unsigned cycles = elements / std::min(In, Out);
  CHECK(interval(y.cycles, elements / Out) == cycles);
  CHECK(y.cycles.back() == Frames * cycles);
}

}  // namespace

TEST_CASE("elements keep their order and their number") {
  // Equal, integer ratios both ways, others both ways, lanes that share no factor, and frames of one beat.
  using T = ap_int<3>;
  converts<T, 3, 3>(12);
  converts<T, 2, 6>(12);
  converts<T, 6, 2>(12);
  converts<T, 4, 6>(12);
  converts<T, 6, 4>(12);
  converts<T, 5, 7>(35);
  converts<T, 7, 5>(35);
  converts<T, 8, 1>(8);
  converts<T, 1, 8>(8);
  converts<T, 1, 1>(1);
}

TEST_CASE_TEMPLATE("elements of any type", T, finn::Bipolar, ap_uint<62>) { converts<T, 4, 6>(12); }

TEST_CASE("what does not fill a beat waits for what comes behind it") {
  const auto x = random_numbers<ap_int<5>>(15);
  finn::StreamingDataWidthConverter<Converter<ap_int<5>, 3, 4>> kernel;
  const Outcome y = through<Beat<ap_int<5>, 4>>(kernel, beats<ap_int<5>, 3>(x));
  CHECK(y.numbers == std::vector<long long>(x.begin(), x.begin() + 12));
}

TEST_CASE("there and back through several ratios") {
  const auto x = random_numbers<ap_int<7>>(120);
  using T = ap_int<7>;
  any_timing([&](Bench &bench) {
    auto &a = bench.source(beats<T, 2>(x));
    auto &b = bench.stream<Beat<T, 5>>();
    auto &c = bench.stream<Beat<T, 3>>();
    auto &d = bench.sink<Beat<T, 2>>();
    bench.add(finn::StreamingDataWidthConverter<Converter<T, 2, 5>>(), a, b);
    bench.add(finn::StreamingDataWidthConverter<Converter<T, 5, 3>>(), b, c);
    bench.add(finn::StreamingDataWidthConverter<Converter<T, 3, 2>>(), c, d);
    bench.run();
    CHECK(numbers(d.items) == x);
  });
}
