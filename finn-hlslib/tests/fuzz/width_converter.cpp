// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The width converter keeps the order of the elements, and as many as fill whole beats leave it.

#include <finn/width_converter.hpp>

#include "fuzz.hpp"

using namespace finn::test;

namespace {

template <typename T, unsigned InLanes, unsigned OutLanes>
struct Config {
  static constexpr unsigned In = InLanes, Out = OutLanes;
  using Element = T;
};

template <typename T, unsigned In, unsigned Out>
void converts(Dice &dice) {
  const auto sent = any_beats<T, In>(dice, dice.below(30));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &out = bench.sink<finn::Beat<T, Out>>();
  bench.add(finn::StreamingDataWidthConverter<Config<T, In, Out>>(), in, out);
  bench.run(Rest);
  auto expected = numbers(sent);
  expected.resize(expected.size() / Out * Out);
  expect(numbers(out.items) == expected, "elements are lost, or in another order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  static void (*const Cases[])(Dice &) = {
      converts<ap_int<3>, 1, 7>,      converts<ap_int<3>, 4, 1>,  converts<ap_uint<11>, 3, 5>,
      converts<finn::Bipolar, 10, 4>, converts<ap_int<40>, 5, 4>, converts<ap_uint<62>, 2, 2>,
  };
  return one_of(Cases, bytes, size);
}
