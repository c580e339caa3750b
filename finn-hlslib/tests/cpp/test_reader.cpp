// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/reader.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::List;
using Word = Beat<ap_int<20>, 1>;

namespace {

// Words 0, 1, 2, ..
std::vector<Word> counted(unsigned words) {
  std::vector<long long> numbers(words);
  for (unsigned word = 0; word < words; word++) numbers[word] = word;
  return beats<ap_int<20>, 1>(numbers);
}

}  // namespace

TEST_CASE("a nest goes through its loops, the innermost first") {
  // for a in 0, 1: for b in 0: for c in 0, 1, 2: place = 100 a + 50 b + 7 c; 1000 from the last to the first again.
  using Order = finn::Nest<List<3, 1, 2>, List<7, 50, 100 - 2 * 7, 1000>>;
  Order nest;
  int place = 0;
  int start = 0;
  for (unsigned round = 0; round < 3; round++) {
    for (int a = 0; a < 2; a++) {
      for (int c = 0; c < 3; c++) {
        CHECK(place == start + 100 * a + 7 * c);
        place += Order::step(nest.next());
      }
    }
    start += 100 + 2 * 7 + 1000;
  }
  CHECK(Order::loops() == 3);
  CHECK(Order::reach() == 100 + 2 * 7);
  CHECK(Order::longest_step() == 1000);
}

TEST_CASE("steps in a ring are what is left of those of a list") {
  using Order = finn::Nest<List<2, 2>, List<3, 12, 25>>;
  CHECK(Order::step_in<12>(0) == 3);
  CHECK(Order::step_in<12>(1) == 0);
  CHECK(Order::step_in<12>(2) == 1);
}

TEST_CASE("a word is read two cycles after it came, and its place is free for the cycle behind that") {
  using Once = finn::Nest<List<1>, List<1, 1>>;
  const auto x = counted(30);
  const Outcome y = through<Word>(finn::Reader<Word, 3, Once, Once>(), x);
  CHECK(y.numbers == numbers(x));
  CHECK(y.cycles.front() == 3);
  CHECK(interval(y.cycles, 6) == 6);
  const Outcome smaller = through<Word>(finn::Reader<Word, 2, Once, Once>(), x);
  CHECK(smaller.numbers == numbers(x));
  CHECK(interval(smaller.cycles, 6) == 9);
}

TEST_CASE("a window may go back, and fill the ring") {
  // Matrices of 2 by 2, transposed. The next one begins to come when the last word of a window has been read.
  using Inner = finn::Nest<List<2, 2>, List<2, -1, 0>>;
  const Outcome y = through<Word>(finn::Reader<Word, 4, Inner, finn::Nest<List<1>, List<4, 4>>>(), counted(40));
  std::vector<long long> expected;
  for (long long first = 0; first < 40; first += 4) {
    for (const long long word : {0, 2, 1, 3}) expected.push_back(first + word);
  }
  CHECK(y.numbers == expected);
  // Its words 0 and 2 are read 3 and 5 cycles after that; then the others are there.
  CHECK(interval(y.cycles, 4) == 5 + 2);
}

TEST_CASE("words that no window has are dropped, also when they have not come yet") {
  // Windows of 2 words, 5 apart in a row of 3, and 20 from the last to the first of the next frame.
  finn::Reader<Word, 5, finn::Nest<List<2>, List<1, 0>>, finn::Nest<List<3>, List<5, 20>>> kernel;
  const Outcome y = through<Word>(kernel, counted(30 * 5));
  std::vector<long long> expected;
  for (long long frame = 0; frame < 5; frame++) {
    for (const long long word : {0, 1, 5, 6, 10, 11}) expected.push_back(30 * frame + word);
  }
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, 6) == 30);
}
