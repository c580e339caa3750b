// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingDataWidthConverter: the same elements in beats of another size.

#ifndef FINN_WIDTH_CONVERTER_HPP
#define FINN_WIDTH_CONVERTER_HPP

#include <finn/stream.hpp>

namespace finn {

// Elements in the same order, in beats of Out lanes in place of In; the ratio of the two need not be an integer.
//
// A frame takes as many cycles as the side with more beats has. What does not fill a beat waits for the next frame.
//
// \tparam Config  In and Out, the lanes of both sides; the type Element
template <typename Config>
class StreamingDataWidthConverter {
  static constexpr unsigned In = Config::In;
  static constexpr unsigned Out = Config::Out;
  static constexpr unsigned Size = In + Out - 1;

 public:
  // One clock cycle.
  //
  // \param source       beats of In lanes
  // \param destination  beats of Out lanes
  template <typename Source, typename Destination>
  void step(Source &source, Destination &destination) {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = held_ complete)
    if (count_ < Out) {
      const Beat<typename Config::Element, In> beat = source.read();
      for (unsigned lane = 0; lane < In; lane++) {
        FINN_HLS(unroll)
        held_[count_ + lane] = beat.lane[lane];
      }
      count_ += In;
    }
    if (count_ >= Out) {
      Beat<typename Config::Element, Out> beat;
      for (unsigned lane = 0; lane < Out; lane++) {
        FINN_HLS(unroll)
        beat.lane[lane] = held_[lane];
      }
      for (unsigned lane = 0; lane + Out < Size; lane++) {
        FINN_HLS(unroll)
        held_[lane] = held_[lane + Out];
      }
      count_ -= Out;
      destination.write(beat);
    }
  }

 private:
  typename Config::Element held_[Size];
  unsigned count_ = 0;  // elements in held_: below Out before each cycle if In < Out, else below In
};

}  // namespace finn

#endif
