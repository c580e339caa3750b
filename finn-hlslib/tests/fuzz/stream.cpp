// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Beats as words and back, and hls::stream of the simulation as a queue.

#include <deque>

#include <finn/stream.hpp>

#include "fuzz.hpp"

using namespace finn::test;

namespace {

template <typename T, unsigned Lanes>
void words_hold_beats(Dice &dice) {
  constexpr int Width = finn::Element<T>::width;
  const auto sent = any_beats<T, Lanes>(dice, 1);
  const finn::Word<T, Lanes> word = finn::pack(sent[0]);
  for (int bit = 0; bit < finn::padded(static_cast<int>(Lanes) * Width); bit++) {
    const int lane = bit / Width;
    const bool is_padding = lane >= static_cast<int>(Lanes);
    const bool expected = !is_padding && ap_uint<Width>(finn::encode(sent[0].lane[lane]))[bit % Width];
    expect(word[bit] == expected, "a bit is at another place");
  }
  // What pads is of no account.
  const auto random = any_word<finn::padded(static_cast<int>(Lanes) * Width)>(dice);
  constexpr int Used = static_cast<int>(Lanes) * Width;
  auto packed = finn::pack(finn::unpack<T, Lanes>(random));
  auto cut = random;
  for (int bit = Used; bit < finn::padded(Used); bit++) cut[bit] = false;
  expect(packed == cut, "a word does not come back");
}

void streams_are_queues(Dice &dice) {
  hls::stream<unsigned> stream("stream");
  std::deque<unsigned> expected;
  for (unsigned left = dice.below(256); left > 0; left--) {
    unsigned item = dice.below(256);
    if (item % 8 < 4) {
      stream.write(item);
      expected.push_back(item);
    } else {
      const bool found = stream.read_nb(item);
      expect(found != expected.empty(), "read_nb says something else");
      if (found) {
        expect(item == expected.front(), "a stream gives another item");
        expected.pop_front();
      }
    }
    expect(stream.size() == expected.size() && stream.empty() == expected.empty(), "a stream has another size");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  static void (*const Cases[])(Dice &) = {
      streams_are_queues,
      words_hold_beats<ap_int<3>, 3>,
      words_hold_beats<ap_uint<8>, 4>,
      words_hold_beats<finn::Bipolar, 13>,
      words_hold_beats<ap_int<33>, 5>,
      words_hold_beats<ap_uint<63>, 2>,
  };
  return one_of(Cases, bytes, size);
}
