// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// In which order the beats of a frame are used more than once.

#ifndef FINN_REPLAY_HPP
#define FINN_REPLAY_HPP

#include <finn/counter.hpp>

namespace finn {

// Where a layer is that goes through memory: Groups times, Beats words in turn, each for Hold steps, and that Repeats
// times.
template <unsigned Groups, unsigned Repeats, unsigned Beats, unsigned Hold>
class Walk {
 public:
  // The word of this step.
  unsigned address() const { return group_ * Beats + beat_; }
  // Whether it has not been used before.
  bool fresh() const { return repeat_.first() && hold_.first(); }
  void next() {
    FINN_HLS(inline)
    if (hold_.next() && beat_.next() && repeat_.next()) group_.next();
  }

 private:
  Counter<Hold> hold_;
  Counter<Beats> beat_;
  Counter<Repeats> repeat_;
  Counter<Groups> group_;
};

// Beats of a stream in that order: a beat is read in the step that needs it first, and kept until the last that does.
//
// \tparam Beat  what the stream carries
template <typename Beat, unsigned Repeats, unsigned Beats, unsigned Hold>
class Replay {
 public:
  // The beat of this step; it stays where it is until the next call.
  template <typename In>
  const Beat &next(In &in) {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = held_)
    const unsigned place = walk_.address();
    if (walk_.fresh()) held_[place] = in.read();
    walk_.next();
    return held_[place];
  }

 private:
  Walk<1, Repeats, Beats, Hold> walk_;
  Beat held_[Beats];
};

}  // namespace finn

#endif
