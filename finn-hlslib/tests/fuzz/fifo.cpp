// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// FIFOs pass what they get, copies are the same, and checksums are those of what has passed.

#include <finn/checksum.hpp>
#include <finn/duplicate_streams.hpp>
#include <finn/fifo.hpp>

#include "fuzz.hpp"

using namespace finn::test;

namespace {

using T = ap_uint<8>;
using Pair = finn::Beat<T, 2>;

struct Frame {
  static constexpr unsigned Beats = 2;
};

void copies_are_the_same(Dice &dice) {
  const auto sent = any_beats<T, 2>(dice, dice.below(30));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &between = bench.stream<Pair>();
  auto &branch = bench.stream<Pair>();
  auto &a = bench.sink<Pair>();
  auto &b = bench.sink<Pair>();
  bench.add(finn::StreamingFIFO<Frame>(), in, between);
  bench.add(finn::DuplicateStreams<Frame>(), between, a, branch);
  bench.add(finn::StreamingFIFO<Frame>(), branch, b);
  bench.run(Rest);
  expect(numbers(a.items) == numbers(sent), "a copy is another");
  expect(numbers(b.items) == numbers(sent), "the copy behind a FIFO is another");
}

void checksums(Dice &dice) {
  const auto sent = any_beats<T, 2>(dice, dice.below(30));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &out = bench.sink<Pair>();
  const auto &kernel = bench.add(finn::CheckSum<Frame>(), in, out);
  bench.run(Rest);
  const auto x = numbers(sent);
  expect(numbers(out.items) == x, "the checksum changes the stream");
  const std::size_t frames = sent.size() / Frame::Beats;
  unsigned expected = 0;
  for (std::size_t i = 0; frames > 0 && i < 4; i++) {
    expected += static_cast<unsigned>(x[4 * (frames - 1) + i] * static_cast<long long>(1 + i % 3));
  }
  if (frames > 0) expected |= static_cast<unsigned>(frames - 1) << 24;
  expect(kernel.checksum() == expected, "the checksum is another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  static void (*const Cases[])(Dice &) = {copies_are_the_same, checksums};
  return one_of(Cases, bytes, size);
}
