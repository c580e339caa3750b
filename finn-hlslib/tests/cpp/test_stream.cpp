// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <string>

#include <finn/stream.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;

namespace {

// The bits of a word, lowest first, as they are to be: two's complement, -1 of a bipolar value as 0, 0 to whole bytes.
template <typename T>
std::string bits_of(const std::vector<long long> &numbers) {
  std::string bits;
  for (const long long value : numbers) {
    const long long code = std::is_same<T, finn::Bipolar>::value ? value > 0 : value;
    for (int bit = 0; bit < finn::Element<T>::width; bit++) bits += (code >> bit & 1) != 0 ? '1' : '0';
  }
  while (bits.size() % 8 != 0) bits += '0';
  return bits;
}

template <typename Word>
std::string bits_in(const Word &word) {
  std::string bits;
  for (int bit = 0; bit < Word::width; bit++) bits += word[bit] ? '1' : '0';
  return bits;
}

template <typename T, unsigned Lanes>
void packs() {
  constexpr int Used = static_cast<int>(Lanes) * finn::Element<T>::width;
  CAPTURE(Used);
  const auto x = random_numbers<T>(40 * Lanes);
  for (const auto &beat : beats<T, Lanes>(x)) {
    const std::vector<Beat<T, Lanes>> alone = {beat};
    finn::Word<T, Lanes> word = finn::pack(beat);
    static_assert(finn::Word<T, Lanes>::width % 8 == 0, "words are whole bytes");
    CHECK(bits_in(word) == bits_of<T>(numbers(alone)));
    for (int bit = Used; bit < word.width; bit++) word[bit] = true;  // what pads does not matter
    CHECK(numbers(std::vector<Beat<T, Lanes>>{finn::unpack<T, Lanes>(word)}) == numbers(alone));
  }
}

}  // namespace

TEST_CASE("lane 0 is in the least significant bits") {
  Beat<ap_int<3>, 3> beat = {};
  beat.lane[0] = -1;
  beat.lane[2] = 2;
  CHECK(finn::pack(beat) == 0x87);
  static_assert(finn::Word<ap_int<3>, 3>::width == 16, "9 bits are two bytes");
  Beat<finn::Bipolar, 9> signs;
  for (unsigned lane = 0; lane < 9; lane++) signs.lane[lane] = lane % 2 == 0 ? 1 : -1;
  CHECK(finn::pack(signs) == 0x155);
}

TEST_CASE("words hold what beats hold") {
  packs<ap_int<1>, 8>();
  packs<ap_uint<1>, 11>();
  packs<finn::Bipolar, 13>();
  packs<ap_int<7>, 3>();
  packs<ap_uint<8>, 5>();
  packs<ap_int<33>, 5>();
  packs<ap_uint<62>, 2>();
}

TEST_CASE("a stream of words is one of beats") {
  using T = ap_int<5>;
  hls::stream<finn::Word<T, 3>> words("words");
  finn::Axis<T, 3> stream(words);
  CHECK(stream.empty());
  const auto x = beats<T, 3>({1, -2, 3, -16, 15, 0});
  for (const auto &beat : x) stream.write(beat);
  CHECK_FALSE(stream.empty());
  CHECK(words.size() == 2);
  std::vector<Beat<T, 3>> back;
  while (!stream.empty()) back.push_back(stream.read());
  CHECK(numbers(back) == numbers(x));
}
