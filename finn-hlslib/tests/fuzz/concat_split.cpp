// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What is split goes to the parts in turn, and is the same when it is joined again.

#include <finn/streaming_concat.hpp>
#include <finn/streaming_split.hpp>

#include "fuzz.hpp"

using namespace finn::test;

namespace {

using T = ap_int<5>;
using Wide = ap_int<9>;
using Pair = finn::Beat<T, 2>;

template <int... Counts>
struct Config {
  static constexpr unsigned SIMD = 2;
  using Beats = finn::List<Counts...>;
  using Output = Wide;
};

template <int A, int B, int C>
void splits(Dice &dice) {
  const auto sent = any_beats<T, 2>(dice, dice.below(40));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &a = bench.sink<Pair>();
  auto &b = bench.sink<Pair>();
  auto &c = bench.sink<Pair>();
  bench.add(finn::StreamingSplit<Config<A, B, C>>(), in, a, b, c);
  bench.run(Rest);
  std::vector<Pair> expected[3];
  for (std::size_t i = 0; i < sent.size(); i++) {
    const std::size_t place = i % (A + B + C);
    expected[place < A ? 0 : place < A + B ? 1 : 2].push_back(sent[i]);
  }
  expect(numbers(a.items) == numbers(expected[0]), "the first part is another");
  expect(numbers(b.items) == numbers(expected[1]), "the second part is another");
  expect(numbers(c.items) == numbers(expected[2]), "the third part is another");
}

template <int A, int B, int C>
void joins_again(Dice &dice) {
  const auto sent = any_beats<T, 2>(dice, dice.below(40));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &a = bench.stream<Pair>();
  auto &b = bench.stream<Pair>();
  auto &c = bench.stream<Pair>();
  auto &out = bench.sink<finn::Beat<Wide, 2>>();
  bench.add(finn::StreamingSplit<Config<A, B, C>>(), in, a, b, c);
  bench.add(finn::StreamingConcat<Config<A, B, C>>(), a, b, c, out);
  bench.run(Rest);
  expect(numbers(out.items) == numbers(sent), "what is joined is another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  static void (*const Cases[])(Dice &) = {splits<1, 1, 1>, splits<3, 1, 4>, joins_again<1, 1, 1>, joins_again<2, 5, 3>};
  return one_of(Cases, bytes, size);
}
