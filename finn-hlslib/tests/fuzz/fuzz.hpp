// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What the fuzz targets have in common. A target chooses one of its cases by the first byte; the others are numbers,
// and then the timing of a bench. What is thrown is found.

#ifndef FINN_TESTS_FUZZ_HPP
#define FINN_TESTS_FUZZ_HPP

#include "../cpp/harness.hpp"

namespace finn {
namespace test {

constexpr unsigned Rest = 40;  // cycles in which nothing passes, until a bench is at rest

inline void expect(bool holds, const char *what) {
  if (!holds) throw std::logic_error(what);
}

template <std::size_t Count>
int one_of(void (*const (&cases)[Count])(Dice &), const uint8_t *bytes, std::size_t size) {
  Dice dice(bytes, size);
  cases[dice.below(Count)](dice);
  return 0;
}

// A word of any bits.
template <int Width>
ap_uint<Width> any_word(Dice &dice) {
  ap_uint<Width> word = 0;
  for (int low = 0; low < Width; low += 8) word = ap_uint<Width>(word | ap_uint<Width>(dice.below(256)) << low);
  return word;
}

// Beats of any elements.
template <typename T, unsigned Lanes>
std::vector<Beat<T, Lanes>> any_beats(Dice &dice, std::size_t count) {
  std::vector<Beat<T, Lanes>> result(count);
  for (auto &beat : result) {
    for (T &element : beat.lane) element = Decode<T>::of(any_word<Element<T>::width>(dice));
  }
  return result;
}

}  // namespace test
}  // namespace finn

#endif
