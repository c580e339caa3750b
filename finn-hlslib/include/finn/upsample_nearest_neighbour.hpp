// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// UpsampleNearestNeighbour: an image with more pixels, each a copy of the nearest above and to the left.

#ifndef FINN_UPSAMPLE_NEAREST_NEIGHBOUR_HPP
#define FINN_UPSAMPLE_NEAREST_NEIGHBOUR_HPP

#include <finn/counter.hpp>
#include <finn/reader.hpp>
#include <finn/stream.hpp>

namespace finn {

// Size positions that become Out >= Size: position i stands for floor(i * Size / Out). Steps as Bresenham's line
// (Bresenham 1965, doi:10.1147/sj.41.0025).
template <unsigned Size, unsigned Out>
class Stretched {
  static_assert(Size <= Out, "Out must be at least Size: an axis can only become longer");

 public:
  // Whether the next position stands for another one.
  bool moves() const { return phase_ + Size >= Out; }
  // Go on; whether the axis starts again.
  bool next() {
    FINN_HLS(inline)
    phase_ = moves() ? phase_ + Size - Out : phase_ + Size;
    return position_.next();
  }

 private:
  Counter<Out> position_;
  unsigned phase_ = 0;
};

// Pixel (i, j) of the output is pixel (floor(i Rows / OutRows), floor(j Columns / OutColumns)) of the input.
//
// An output beat takes a cycle. A ring holds the row that is read again, or a pixel if no row is.
//
// \tparam Config  SIMD, channels per beat; Folds, beats per pixel; Rows, OutRows, Columns, OutColumns; Depth, words of
// the
//                 ring; the type Element
template <typename Config>
class UpsampleNearestNeighbour {
 public:
  // One clock cycle.
  //
  // \param in   beats of SIMD elements
  // \param out  beats of SIMD elements
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    FINN_HLS(dependence variable = ring_ inter false)
    // A pixel that will not be read again is given up word by word.
    const bool leaves = row_.moves() && column_.moves();
    const int offset = pixel_ + (leaves ? 0 : static_cast<int>(fold_));
    const bool ready = ring_.has(offset);
    if (ready) out.write(ring_.at(offset));
    ring_.accept(in);
    if (ready && leaves) ring_.move(1, 1);
    if (ready && fold_.next()) advance();
  }

 private:
  // To the next pixel.
  void advance() {
    FINN_HLS(inline)
    if (column_.moves() && !row_.moves()) pixel_ = pixel_ + Config::Folds;
    if (column_.next()) {
      pixel_ = 0;
      row_.next();
    }
  }

  Ring<Beat<typename Config::Element, Config::SIMD>, Config::Depth> ring_;
  Counter<Config::Folds> fold_;
  Stretched<Config::Columns, Config::OutColumns> column_;
  Stretched<Config::Rows, Config::OutRows> row_;
  int pixel_ = 0;  // offset of the pixel in the ring
};

}  // namespace finn

#endif
