// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Loops inside each other, and distances between their turns: an order of words without a multiplication.

#ifndef FINN_NEST_HPP
#define FINN_NEST_HPP

#include <finn/counter.hpp>
#include <finn/list.hpp>

namespace finn {

// The counters of loops inside each other.
//
// \tparam Turns  List of how often each loop is done, the innermost first
template <typename Turns>
class Loops;

template <int Innermost>
class Loops<List<Innermost>> {
 public:
  // Of the body, until all loops start again.
  static constexpr unsigned turns() { return Innermost; }
  // Go on; how many loops, counted from the innermost, start again.
  unsigned next() {
    FINN_HLS(inline)
    return counter_.next() ? 1 : 0;
  }

 private:
  Counter<Innermost> counter_;
};

template <int Innermost, int Next, int... More>
class Loops<List<Innermost, Next, More...>> {
  using Outer = Loops<List<Next, More...>>;

 public:
  static constexpr unsigned turns() { return Innermost * Outer::turns(); }
  unsigned next() {
    FINN_HLS(inline)
    return counter_.next() ? 1 + outer_.next() : 0;
  }

 private:
  Counter<Innermost> counter_;
  Outer outer_;
};

// Loops whose turns are some words apart.
//
// \tparam Turns  List of how often each loop is done, the innermost first
// \tparam Steps  List of the words from the last turn of the loops inside a loop to that loop's next turn, innermost
//                first; one more element is for the end of all loops
template <typename Turns, typename Steps>
class Nest {
  static_assert(Steps::size == Turns::size + 1, "Steps must have one element more than Turns: the last ends all loops");

 public:
  static constexpr unsigned loops() { return Turns::size; }
  // Go on; which element of Steps it was.
  unsigned next() {
    FINN_HLS(inline)
    return loops_.next();
  }
  static constexpr int step(unsigned level) { return Steps::at(level); }
  // The same as places in a ring of so many words.
  template <int Places>
  static constexpr int step_in(unsigned level) {
    return Steps::template rest<Places>(level);
  }
  static constexpr int longest_step() { return Steps::greatest(); }
  // Words from the first turn of all loops to the last.
  static constexpr int reach() {
    int words = 0;
    unsigned turns = Loops<Turns>::turns();
    for (unsigned loop = 0; loop < loops(); loop++) {
      const unsigned outer = turns / static_cast<unsigned>(Turns::at(loop));
      words += static_cast<int>(turns - outer) * Steps::at(loop);
      turns = outer;
    }
    return words;
  }

 private:
  Loops<Turns> loops_;
};

}  // namespace finn

#endif
