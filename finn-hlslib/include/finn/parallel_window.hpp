// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ParallelWindow: a sliding window that sends all positions in one beat.

#ifndef FINN_PARALLEL_WINDOW_HPP
#define FINN_PARALLEL_WINDOW_HPP

#include <finn/raster.hpp>

namespace finn {

// Words that come back after Length turns: a memory that reads and writes one place per cycle.
//
// \tparam Word    what it carries
// \tparam Length  at least 1
template <typename Word, unsigned Length>
class Delay {
  static_assert(Length > 0, "Length must be at least 1: a word comes back in a later cycle");

 public:
  // The word that has come back. What is put there instead comes back in Length turns.
  Word &turn() {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = memory_)
    FINN_HLS(dependence variable = memory_ type = inter direction = RAW distance = Length true)
    Word &word = memory_[place_];
    place_.next();
    return word;
  }

 private:
  Word memory_[Length];
  Counter<Length> place_;
};

// Window (i, j) as ConvolutionInputGenerator has it, of SIMD channels, in one beat: position (k, l) of the kernel is
// lane (k KW + l) SIMD and those behind it.
//
// An input beat takes a cycle, and the one that completes a window sends it. Between neighbours in a row of the window
// lies a delay of ColumnDelay words, from the first of a row to the last of the row above one of RowDelay.
//
// \tparam Config  KH and KW, the kernel; SIMD, channels per beat; ColumnDelay and RowDelay; the type Element; and as of
//                 Raster, of the image that comes in: chosen is what completes a window
template <typename Config>
class ParallelWindow {
  static constexpr unsigned KH = Config::KH;
  static constexpr unsigned KW = Config::KW;
  static constexpr unsigned SIMD = Config::SIMD;
  static constexpr unsigned Kept = (KW - 1) * SIMD;  // lanes of a row of the window that stay when it moves on
  // The window without its last column, and that without its last pixel. If that is nothing, it has a pixel all the
  // same, which nobody uses.
  using Columns = Beat<typename Config::Element, (KW > 1 ? KH * Kept : SIMD)>;
  using Rows = Beat<typename Config::Element, (KH > 1 ? (KH - 1) * SIMD : SIMD)>;

 public:
  // One clock cycle.
  //
  // \param in   beats of SIMD elements
  // \param out  beats of KH * KW * SIMD elements
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const auto pixel = in.read();
    Columns &left = columns_.turn();
    Rows &above = rows_.turn();
    Beat<typename Config::Element, KH * KW * SIMD> window;
    for (unsigned k = 0; k < KH; k++) {
      FINN_HLS(unroll)
      for (unsigned lane = 0; lane < Kept; lane++) {
        FINN_HLS(unroll)
        window.lane[k * KW * SIMD + lane] = left.lane[k * Kept + lane];
      }
      for (unsigned lane = 0; lane < SIMD; lane++) {
        FINN_HLS(unroll)
        window.lane[k * KW * SIMD + Kept + lane] = k + 1 < KH ? above.lane[k * SIMD + lane] : pixel.lane[lane];
      }
    }
    for (unsigned k = 0; k < KH; k++) {
      FINN_HLS(unroll)
      for (unsigned lane = 0; lane < Kept; lane++) {
        FINN_HLS(unroll)
        left.lane[k * Kept + lane] = window.lane[k * KW * SIMD + SIMD + lane];
      }
    }
    for (unsigned k = 1; k < KH; k++) {
      FINN_HLS(unroll)
      for (unsigned lane = 0; lane < SIMD; lane++) {
        FINN_HLS(unroll)
        above.lane[(k - 1) * SIMD + lane] = window.lane[k * KW * SIMD + lane];
      }
    }
    if (raster_.chosen()) out.write(window);
    raster_.next();
  }

 private:
  Raster<Config> raster_;
  Delay<Columns, (Config::ColumnDelay > 0 ? Config::ColumnDelay : 1)> columns_;
  Delay<Rows, (Config::RowDelay > 0 ? Config::RowDelay : 1)> rows_;
};

}  // namespace finn

#endif
