// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What flows between two layers: beats, each a vector of lanes.
//
// A stream is any type with `read()` and `write(value)`, so that `hls::stream<Beat<T, Lanes>>` serves in synthesis and
// anything shorter serves in simulation. No vendor header is needed.

#ifndef FINN_STREAM_HPP
#define FINN_STREAM_HPP

namespace finn {

// One transfer of a stream: `Lanes` elements, lane 0 first in the frame (the least significant bits in hardware).
//
// \tparam T      element type
// \tparam Lanes  elements per beat, at least 1
template <typename T, unsigned Lanes>
struct Beat {
  static_assert(Lanes > 0, "Lanes must be at least 1: a beat carries elements");
  T lane[Lanes];
};

// Move one frame of `Elements` elements from beats of `In` lanes to beats of `Out` lanes, in the same order.
//
// The ratio of the two need not be an integer. One iteration reads at most one beat and writes at most one, so a frame
// takes `Elements / min(In, Out)` iterations, the least that the narrower side allows.
//
// \tparam Elements  elements per frame, a multiple of In and of Out
// \tparam T         element type
// \tparam In        lanes of the source
// \tparam Out       lanes of the destination
template <unsigned Elements, typename T, unsigned In, unsigned Out, typename Source, typename Destination>
void convert_width(Source &source, Destination &destination) {
  static_assert(Elements % In == 0, "Elements must be a multiple of In: a frame is whole beats of the source");
  static_assert(Elements % Out == 0, "Elements must be a multiple of Out: a frame is whole beats of the destination");
  constexpr unsigned Narrow = In < Out ? In : Out;

  T held[In + Out - 1];
#pragma HLS array_partition variable = held complete
  unsigned count = 0;  // elements in `held`; below Out before each iteration where In < Out, else below In
  for (unsigned i = 0; i < Elements / Narrow; i++) {
#pragma HLS pipeline II = 1
    if (count < Out) {
      const Beat<T, In> beat = source.read();
      for (unsigned lane = 0; lane < In; lane++) held[count + lane] = beat.lane[lane];
      count += In;
    }
    if (count >= Out) {
      Beat<T, Out> beat;
      for (unsigned lane = 0; lane < Out; lane++) beat.lane[lane] = held[lane];
      for (unsigned lane = 0; lane + Out < In + Out - 1; lane++) held[lane] = held[lane + Out];
      count -= Out;
      destination.write(beat);
    }
  }
}

}  // namespace finn

#endif
