// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Beats become packets, packets of any form become beats, and limiters cut frames.

#include <finn/packets.hpp>
#include <finn/stream_limiter.hpp>

#include "fuzz.hpp"

using namespace finn::test;

namespace {

using T = ap_int<5>;
using Triple = finn::Beat<T, 3>;
using Word = finn::PacketWord<T, 3>;

template <unsigned Count, unsigned Some>
struct Config {
  static constexpr unsigned Beats = Count, Total = Count, Allowed = Some;
};

struct Unpacked {
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    finn::PacketReader<T, 3, In> beats(in);
    out.write(beats.read());
  }
};

template <unsigned Beats>
void marks(Dice &dice) {
  const auto sent = any_beats<T, 3>(dice, dice.below(30));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &out = bench.sink<Word>();
  bench.add(finn::TLastMarker<Config<Beats, 1>>(), in, out);
  bench.run(Rest);
  expect(out.items.size() == sent.size(), "beats are lost");
  for (std::size_t i = 0; i < sent.size(); i++) {
    const Word &word = out.items[i];
    expect(word.data == finn::pack(sent[i]), "a word is another");
    expect(word.last == (i % Beats == Beats - 1), "TLAST is elsewhere");
    expect(word.keep == 3 && word.strb == 3, "bytes are not kept");
  }
}

void reads_any_packet(Dice &dice) {
  std::vector<Word> words(dice.below(30));
  std::vector<Triple> expected;
  for (Word &word : words) {
    word.data = any_word<16>(dice);
    const unsigned side = dice.below(32);
    word.keep = side % 4;
    word.strb = side / 4 % 4;
    word.last = side / 16;
    expected.push_back(finn::unpack<T, 3>(word.data));
  }
  Bench bench(dice);
  auto &in = bench.source(words);
  auto &out = bench.sink<Triple>();
  bench.add(Unpacked(), in, out);
  bench.run(Rest);
  expect(numbers(out.items) == numbers(expected), "beats of packets are others");
}

template <unsigned Total, unsigned Allowed>
void limits(Dice &dice) {
  const auto sent = any_beats<T, 3>(dice, dice.below(30));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &out = bench.sink<Triple>();
  bench.add(finn::StreamLimiter<Config<Total, Allowed>>(), in, out);
  bench.run(Rest);
  std::vector<Triple> expected;
  for (std::size_t i = 0; i < sent.size(); i++) {
    if (i % Total < Allowed) expected.push_back(sent[i]);
  }
  expect(numbers(out.items) == numbers(expected), "the limiter passes others");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  static void (*const Cases[])(Dice &) = {marks<1>, marks<7>, reads_any_packet, limits<5, 2>, limits<4, 0>};
  return one_of(Cases, bytes, size);
}
