// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include <finn/dma.hpp>

namespace {

template <int Beat, unsigned Count, int Port>
struct Frame {
  static constexpr int BeatWidth = Beat;
  static constexpr unsigned Beats = Count;
  static constexpr int PortWidth = Port;
};

using Bytes = std::vector<unsigned>;

// Bytes of a word, the first in the lowest bits.
template <typename Word>
Word word_of(const Bytes &bytes, std::size_t from, int width) {
  Word word = 0;
  for (int byte = 0; byte < width / 8; byte++) word.range(8 * byte + 7, 8 * byte) = bytes[from + byte];
  return word;
}

// There and back: memory is a string of bytes, of which each word and each beat is a piece.
template <typename Config>
void transfers(int word_width, unsigned frames) {
  using Layout = finn::MemoryFrame<Config>;
  using Word = typename Layout::Word;
  constexpr int BeatWidth = Config::BeatWidth;
  CAPTURE(BeatWidth);
  CHECK(Word::width + 0 == word_width);
  const std::size_t size = std::size_t{frames} * Config::Beats * BeatWidth / 8;
  Bytes bytes(size);
  std::mt19937 random(BeatWidth);
  for (unsigned &byte : bytes) byte = random() % 256;
  std::vector<Word> memory;
  for (std::size_t at = 0; at < size; at += word_width / 8) memory.push_back(word_of<Word>(bytes, at, word_width));
  CHECK(memory.size() == frames * (Layout::Words + 0));

  typename Layout::BeatStream beats("beats");
  finn::mem_to_stream<Config>(memory.data(), beats, frames);
  REQUIRE(beats.size() == frames * (Config::Beats + 0));
  typename Layout::BeatStream again("again");
  for (std::size_t at = 0; at < size; at += BeatWidth / 8) {
    const ap_uint<BeatWidth> beat = beats.read();
    CHECK(beat == word_of<ap_uint<BeatWidth>>(bytes, at, BeatWidth));
    again.write(beat);
  }

  const Word untouched = 0x5A;
  std::vector<Word> written(memory.size() + 1, untouched);
  finn::stream_to_mem<Config>(again, written.data(), frames);
  CHECK(again.empty());
  CHECK(written.back() == untouched);
  written.pop_back();
  CHECK(written == memory);
}

}  // namespace

TEST_CASE("a beat is as wide as the port") { transfers<Frame<64, 9, 64>>(64, 3); }
TEST_CASE("a beat has several words") { transfers<Frame<128, 5, 32>>(32, 2); }
TEST_CASE("a beat is narrower than the port") { transfers<Frame<16, 7, 128>>(16, 3); }
TEST_CASE("beat and port share few bits") { transfers<Frame<24, 11, 64>>(8, 3); }
TEST_CASE("a beat of 80 bits and a port of 512") { transfers<Frame<80, 3, 512>>(16, 4); }
TEST_CASE("frames of one beat") { transfers<Frame<32, 1, 32>>(32, 5); }

TEST_CASE("no frame, no access") {
  using Config = Frame<24, 4, 64>;
  finn::MemoryFrame<Config>::BeatStream stream("stream");
  finn::mem_to_stream<Config>(nullptr, stream, 0);
  CHECK(stream.empty());
  finn::stream_to_mem<Config>(stream, nullptr, 0);
}
