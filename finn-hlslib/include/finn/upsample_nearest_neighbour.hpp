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
  bool moves() const { return phase() + Size >= Out; }
  // Go on; whether the axis starts again.
  bool next() {
    FINN_HLS(inline)
    phase_ = moves() ? phase() + Size - Out : phase() + Size;
    return position_.next();
  }

 private:
  unsigned phase() const { return static_cast<unsigned>(phase_); }

  Counter<Out> position_;
  Index<Out> phase_ = 0;
};

// Pixel (i, j) of the output is pixel (floor(i Rows / OutRows), floor(j Columns / OutColumns)) of the input.
//
// This is Resize of ONNX to any larger size, nearest neighbour, asymmetric and rounded down. A beat that goes out takes
// a cycle. The ring holds the row that is sent again, or the pixel if rows are not; a word is given up when it is sent
// for the last time.
//
// \tparam Config  SIMD, channels per beat; Folds, beats per pixel; Rows, OutRows, Columns, OutColumns; Depth, words of
//                 the ring, at least Folds, and that of each column if OutRows > Rows; the type Element
template <typename Config>
class UpsampleNearestNeighbour {
  static_assert(Config::Depth >= (Config::OutRows > Config::Rows ? Config::Columns : 1) * Config::Folds,
                "Depth must be at least the words that are sent again: a row, or a pixel if OutRows is Rows");

 public:
  // One clock cycle.
  //
  // \param in   beats of SIMD elements
  // \param out  beats of SIMD elements
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const bool leaves = row_.moves() && column_.moves();
    const int offset = static_cast<int>(pixel_) + (leaves ? 0 : static_cast<int>(fold_));
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
    if (column_.moves() && !row_.moves()) pixel_ = static_cast<unsigned>(pixel_) + Config::Folds;
    if (column_.next()) {
      pixel_ = 0;
      row_.next();
    }
  }

  Ring<Beat<typename Config::Element, Config::SIMD>, Config::Depth, 1> ring_;
  Counter<Config::Folds> fold_;
  Stretched<Config::Columns, Config::OutColumns> column_;
  Stretched<Config::Rows, Config::OutRows> row_;
  Index<Config::Depth + 1> pixel_ = 0;  // offset of the pixel in the ring
};

}  // namespace finn

#endif
