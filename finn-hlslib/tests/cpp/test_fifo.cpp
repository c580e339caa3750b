// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/duplicate_streams.hpp>
#include <finn/fifo.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using T = ap_int<6>;
using Pair = Beat<T, 2>;

namespace {

struct Nothing {};

}  // namespace

TEST_CASE("a FIFO passes beats, one per cycle") {
  const auto x = random_numbers<T>(60);
  const Outcome y = through<Pair>(finn::StreamingFIFO<Nothing>(), beats<T, 2>(x));
  CHECK(y.numbers == x);
  CHECK(interval(y.cycles, 5) == 5);
  CHECK(y.cycles.back() == 30);
}

TEST_CASE("one copy of a stream is the stream") {
  const auto x = random_numbers<T>(60);
  const Outcome y = through<Pair>(finn::DuplicateStreams<Nothing>(), beats<T, 2>(x));
  CHECK(y.numbers == x);
  CHECK(y.cycles.back() == 30);
}

TEST_CASE("each output gets every beat, in the same cycle") {
  const auto x = random_numbers<T>(60);
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<T, 2>(x));
    auto &a = bench.sink<Pair>();
    auto &b = bench.sink<Pair>();
    auto &c = bench.sink<Pair>();
    bench.add(finn::DuplicateStreams<Nothing>(), in, a, b, c);
    bench.run();
    for (const auto *out : {&a, &b, &c}) CHECK(numbers(out->items) == x);
  });
  Bench bench;
  auto &in = bench.source(beats<T, 2>(x));
  auto &a = bench.sink<Pair>();
  auto &b = bench.sink<Pair>();
  bench.add(finn::DuplicateStreams<Nothing>(), in, a, b);
  bench.run();
  CHECK(interval(a.cycles, 5) == 5);
  CHECK(a.cycles == b.cycles);
}
