// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/packets.hpp>
#include <finn/stream_limiter.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::PacketWord;

namespace {

using T = ap_int<5>;
using Triple = Beat<T, 3>;
using TripleWord = PacketWord<T, 3>;

template <unsigned Count>
struct Frame {
  static constexpr unsigned Beats = Count;
};

template <unsigned Some, unsigned All>
struct Limit {
  static constexpr unsigned Allowed = Some, Total = All;
};

struct Unpacked {
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    finn::PacketReader<T, 3, In> beats(in);
    if (!beats.empty()) out.write(beats.read());
  }
};

}  // namespace

TEST_CASE("the last word of a frame has TLAST") {
  const auto x = random_numbers<T>(3 * 4 * 6);
  const auto sent = beats<T, 3>(x);
  any_timing([&](Bench &bench) {
    auto &in = bench.source(sent);
    auto &out = bench.sink<TripleWord>();
    bench.add(finn::TLastMarker<Frame<4>>(), in, out);
    bench.run();
    REQUIRE(out.items.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); i++) {
      CHECK(out.items[i].data == finn::pack(sent[i]));
      CHECK(out.items[i].last == (i % 4 == 3));
      CHECK(out.items[i].keep == 3);
      CHECK(out.items[i].strb == 3);
    }
  });
  Bench bench;
  auto &in = bench.source(sent);
  auto &out = bench.sink<TripleWord>();
  bench.add(finn::TLastMarker<Frame<4>>(), in, out);
  bench.run();
  CHECK(interval(out.cycles, 4) == 4);
}

TEST_CASE("frames of one beat: each word ends its packet") {
  Bench bench;
  auto &in = bench.source(beats<T, 3>(random_numbers<T>(9)));
  auto &out = bench.sink<TripleWord>();
  bench.add(finn::TLastMarker<Frame<1>>(), in, out);
  bench.run();
  REQUIRE(out.items.size() == 3);
  for (const TripleWord &word : out.items) CHECK(word.last == 1);
}

TEST_CASE("beats of packets, wherever those end and whatever they keep") {
  const auto x = random_numbers<T>(3 * 20);
  std::vector<TripleWord> words;
  for (const auto &beat : beats<T, 3>(x)) {
    TripleWord word;
    word.data = finn::pack(beat);
    word.data[15] = true;  // what pads does not matter, either
    word.keep = static_cast<int>(words.size() % 4);
    word.strb = static_cast<int>(words.size() / 4 % 4);
    word.last = words.size() % 7 == 2;
    words.push_back(word);
  }
  CHECK(through<Triple>(Unpacked(), words).numbers == x);
}

TEST_CASE("to packets and back") {
  const auto x = random_numbers<T>(3 * 30);
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<T, 3>(x));
    auto &between = bench.stream<TripleWord>();
    auto &out = bench.sink<Triple>();
    bench.add(finn::TLastMarker<Frame<5>>(), in, between);
    bench.add(Unpacked(), between, out);
    bench.run();
    CHECK(numbers(out.items) == x);
  });
}

TEST_CASE("a stream of the library as packets") {
  hls::stream<TripleWord> words("words");
  finn::PacketReader<T, 3> stream(words);
  CHECK(stream.empty());
  TripleWord word;
  word.data = 31 << 5;
  word.last = 1;
  words.write(word);
  CHECK_FALSE(stream.empty());
  CHECK(numbers(std::vector<Triple>{stream.read()}) == std::vector<long long>{0, -1, 0});
}

TEST_CASE("a limiter passes the beginning of each frame") {
  const auto x = random_numbers<T>(3 * 7 * 6);
  std::vector<long long> expected;
  for (std::size_t i = 0; i < x.size(); i++) {
    if (i / 3 % 7 < 2) expected.push_back(x[i]);
  }
  const Outcome y = through<Triple>(finn::StreamLimiter<Limit<2, 7>>(), beats<T, 3>(x));
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, 2) == 7);
  CHECK(through<Triple>(finn::StreamLimiter<Limit<7, 7>>(), beats<T, 3>(x)).numbers == x);
  CHECK(through<Triple>(finn::StreamLimiter<Limit<1, 1>>(), beats<T, 3>(x)).numbers == x);
}
