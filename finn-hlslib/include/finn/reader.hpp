// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The windowed affine reader: loops over the words of a window, inside loops over windows, and a ring that holds them.
//
// Sliding windows of any shape, stride and dilation are such loops.

#ifndef FINN_READER_HPP
#define FINN_READER_HPP

#include <finn/counter.hpp>
#include <finn/nest.hpp>

namespace finn {

// A ring of words, with a first word from which offsets count: a memory with one write and one read per cycle.
//
// A word can be used two cycles after it came, so that no cycle reads what the one before has written.
//
// \tparam Word     what it holds
// \tparam Depth    how many
// \tparam Longest  words by which the first one moves at the most
template <typename Word, int Depth, int Longest>
class Ring {
 public:
  bool has(int offset) const { return offset < static_cast<int>(held_) - (fresh_ ? 1 : 0); }
  const Word &at(int offset) const {
    FINN_HLS(inline)
    return memory_[wrapped(static_cast<int>(first_) + offset)];
  }
  // Take a word if there is one, and room for it. Once per cycle, after what is read in it.
  template <typename In>
  void accept(In &in) {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = memory_)
    FINN_HLS(dependence variable = memory_ type = inter direction = RAW distance = 2 true)
    fresh_ = false;
    if (held_ < Depth && !in.empty()) {
      memory_[last_] = in.read();
      last_ = wrapped(static_cast<int>(last_) + 1);
      held_ = held_ + 1;
      fresh_ = true;
    }
  }
  // The first word is another, so many words further on; it may still have to come. `places` is words modulo Depth.
  void move(int words, int places) {
    FINN_HLS(inline)
    held_ = held_ - words;
    first_ = wrapped(static_cast<int>(first_) + places);
  }

 private:
  static int wrapped(int place) { return place < Depth ? place : place - Depth; }

  Word memory_[Depth];
  Index<Depth> first_ = 0;
  Index<Depth> last_ = 0;
  Balance<(Depth > Longest ? Depth : Longest)> held_ = 0;  // from the first word on; less than 0 if it is still to come
  bool fresh_ = false;                                     // whether one of them came in the last cycle
};

// Words in the order of the inner loops, and that again from each place to which the outer loops lead.
//
// A word is written per cycle as soon as it is there, and one is read as long as there is room: whatever stands before
// the window has made room, and what stands there without having come is dropped when it comes.
//
// \tparam Word   what is read and written
// \tparam Depth  words of the ring
// \tparam Inner  Nest within a window, from its first word to its last
// \tparam Outer  Nest over the windows of a frame; the last of its steps leads to the next frame
template <typename Word, int Depth, typename Inner, typename Outer>
class Reader {
  static_assert(Depth > Inner::reach(), "Depth must be at least the words of a window, from its first to its last");

 public:
  // One clock cycle.
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const int offset = static_cast<int>(offset_);
    const bool ready = ring_.has(offset);
    if (ready) out.write(ring_.at(offset));
    ring_.accept(in);
    if (ready) advance(offset);
  }

 private:
  // From the word at this offset to the next.
  void advance(int offset) {
    FINN_HLS(inline)
    const unsigned level = inner_.next();
    const bool ends = level == Inner::loops();
    offset_ = ends ? 0 : offset + Inner::step(level);
    if (ends) {
      const unsigned outer = outer_.next();
      ring_.move(Outer::step(outer), Outer::template step_in<Depth>(outer));
    }
  }

  Ring<Word, Depth, Outer::longest_step()> ring_;
  Inner inner_;
  Outer outer_;
  Index<Depth> offset_ = 0;  // of the next word in the ring
};

}  // namespace finn

#endif
