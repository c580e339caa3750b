// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The windowed affine reader: loops over positions in a ring buffer, whose place moves on when the loops are done.
//
// Sliding windows of any shape, stride and dilation are such loops; so is the repetition of rows and pixels.

#ifndef FINN_READER_HPP
#define FINN_READER_HPP

#include <finn/list.hpp>
#include <finn/types.hpp>

namespace finn {

// Loops inside each other, the innermost first.
//
// \tparam Turns  List of how often each loop is done
// \tparam Steps  List of the distances, in words, from a turn of each loop to its next one, after all turns of the
// loops
//                inside; one more element is the distance from the end of all loops to their next begin
template <typename Turns, typename Steps>
class Nest {
 public:
  static constexpr unsigned loops = Turns::size;

  // Go on; the loop that goes on, or the number of loops if all start again.
  unsigned next() {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = turn_ complete)
    unsigned level = 0;
    bool carry = true;
    for (unsigned loop = 0; loop < loops; loop++) {
      FINN_HLS(unroll)
      if (carry) {
        const bool wraps = turn_[loop] == static_cast<unsigned>(Turns::at(loop)) - 1;
        turn_[loop] = wraps ? 0 : turn_[loop] + 1;
        level = wraps ? loop + 1 : loop;
        carry = wraps;
      }
    }
    return level;
  }
  static int distance(unsigned level) { return Steps::at(level); }
  // The distance in a ring of so many places.
  template <int Places>
  static int distance_in(unsigned level) {
    return Steps::template rest<Places>(level);
  }

 private:
  unsigned turn_[loops] = {};
};

// A ring of words, with a first word from which offsets count. A word can be used two cycles after it came, so that no
// cycle reads what the one before has written.
//
// \tparam Beat   what a word is
// \tparam Depth  places
template <typename Beat, int Depth>
class Ring {
 public:
  bool has(int offset) const { return offset < held_ - fresh_; }
  const Beat &at(int offset) const {
    FINN_HLS(inline)
    return memory_[wrapped(first_ + offset)];
  }
  // Take a word if there is one, and room for it. Once per cycle, after what is read in it.
  template <typename In>
  void accept(In &in) {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = memory_)
    fresh_ = 0;
    if (held_ < Depth && !in.empty()) {
      memory_[last_] = in.read();
      last_ = wrapped(last_ + 1);
      held_ = held_ + 1;
      fresh_ = 1;
    }
  }
  // The first word is another, so many words further on; it may still have to come. `places` is words modulo Depth.
  void move(int words, int places) {
    FINN_HLS(inline)
    held_ = held_ - words;
    first_ = wrapped(first_ + places);
  }

 private:
  static int wrapped(int place) { return place < Depth ? place : place - Depth; }

  Beat memory_[Depth];
  int first_ = 0;
  int last_ = 0;
  int held_ = 0;   // words from the first on; less than 0 if the first is still to come
  int fresh_ = 0;  // of them, those that came in the last cycle
};

// Words of a ring in the order of the inner loops, and that again from each place to which the outer loops lead.
//
// \tparam Beat   what a word is
// \tparam Depth  words of the ring: at least those from the first to the last of the inner loops
// \tparam Inner  Nest within a window
// \tparam Outer  Nest over the windows of a frame; the last of its distances leads to the next frame
template <typename Beat, int Depth, typename Inner, typename Outer>
class Reader {
 public:
  // One clock cycle.
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    FINN_HLS(dependence variable = ring_ inter false)
    const bool ready = ring_.has(offset_);
    if (ready) out.write(ring_.at(offset_));
    ring_.accept(in);
    if (ready) advance();
  }

 private:
  void advance() {
    FINN_HLS(inline)
    const unsigned level = inner_.next();
    offset_ = level == Inner::loops ? 0 : offset_ + Inner::distance(level);
    if (level == Inner::loops) {
      const unsigned outer = outer_.next();
      ring_.move(Outer::distance(outer), Outer::template distance_in<Depth>(outer));
    }
  }

  Ring<Beat, Depth> ring_;
  Inner inner_;
  Outer outer_;
  int offset_ = 0;
};

}  // namespace finn

#endif
