// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ParallelWindow: a sliding window that sends all positions in one beat.

#ifndef FINN_PARALLEL_WINDOW_HPP
#define FINN_PARALLEL_WINDOW_HPP

#include <finn/raster.hpp>

namespace finn {

// What was pushed Length cycles ago.
//
// \tparam T       what it carries
// \tparam Length  at least 1
template <typename T, unsigned Length>
class Delay {
 public:
  T push(const T &value) {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = memory_)
    const T before = memory_[place_];
    memory_[place_] = value;
    place_.next();
    return before;
  }

 private:
  T memory_[Length];
  Counter<Length> place_;
};

// Position (r, c) of the window is lane (r * KW + c) * SIMD of the output's beat, and the lanes behind it.
//
// An input beat takes a cycle. Between neighbours in a row of the window lies a delay of ColumnDelay words, from the
// first of a row to the last of the row above one of RowDelay.
//
// \tparam Config  KH and KW, the kernel; SIMD, channels per beat; ColumnDelay and RowDelay; the type Element; and as of
//                 Raster, of the image that comes in: chosen is what completes a window
template <typename Config>
class ParallelWindow {
  static constexpr unsigned KH = Config::KH;
  static constexpr unsigned KW = Config::KW;
  using Pixel = Beat<typename Config::Element, Config::SIMD>;

 public:
  // One clock cycle.
  //
  // \param in   beats of SIMD elements
  // \param out  beats of KH * KW * SIMD elements
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = columns_ complete)
    FINN_HLS(array_partition variable = rows_ complete)
    Pixel pixel = in.read();
    Beat<typename Config::Element, KH * KW * Config::SIMD> window;
    for (unsigned k = KH * KW; k > 0; k--) {
      FINN_HLS(unroll)
      for (unsigned lane = 0; lane < Config::SIMD; lane++) {
        FINN_HLS(unroll)
        window.lane[(k - 1) * Config::SIMD + lane] = pixel.lane[lane];
      }
      if (k > 1) pixel = (k - 1) % KW == 0 ? rows_[(k - 1) / KW].push(pixel) : columns_[k - 1].push(pixel);
    }
    if (raster_.chosen()) out.write(window);
    raster_.next();
  }

 private:
  Raster<Config> raster_;
  Delay<Pixel, (Config::ColumnDelay > 0 ? Config::ColumnDelay : 1)> columns_[KH * KW];
  Delay<Pixel, (Config::RowDelay > 0 ? Config::RowDelay : 1)> rows_[KH];
};

}  // namespace finn

#endif
