// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Images as rasters of pixels of which some are chosen: what layers that insert or drop pixels have in common.

#ifndef FINN_RASTER_HPP
#define FINN_RASTER_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// One position of an axis after the other; First, First + Stride, .. are chosen, Count of them.
//
// \tparam Size    positions
// \tparam First   the first that is chosen
// \tparam Stride  from one that is chosen to the next, at least 1
// \tparam Count   how many are chosen, at least 1
template <unsigned Size, unsigned First, unsigned Stride, unsigned Count>
class Axis1D {
  static_assert(Count > 0, "Count must be at least 1: an image has pixels");
  static_assert(Stride > 0, "Stride must be at least 1: each position is chosen once");
  static_assert(First + (Count - 1) * Stride < Size, "Size must be larger: the last chosen position is behind it");

 public:
  bool chosen() const { return position_ == static_cast<unsigned>(next_) && count_ < Count; }
  // Go on; whether the axis starts again.
  bool next() {
    FINN_HLS(inline)
    if (chosen()) {
      next_ = position_ + Stride;
      count_ = static_cast<unsigned>(count_) + 1;
    }
    const bool wraps = position_.next();
    if (wraps) {
      next_ = First;
      count_ = 0;
    }
    return wraps;
  }

 private:
  Counter<Size> position_;
  Index<First + Count * Stride + 1> next_ = First;  // to be chosen
  Index<Count + 1> count_ = 0;                      // that have been
};

// The beats of an image, row by row; those of a pixel are chosen if its row and its column are.
//
// \tparam Config  Folds, beats per pixel; the Axis1D of rows: Rows, FirstRow, RowStride, ChosenRows; that of columns:
//                 Columns, FirstColumn, ColumnStride, ChosenColumns
template <typename Config>
class Raster {
 public:
  bool chosen() const { return row_.chosen() && column_.chosen(); }
  void next() {
    FINN_HLS(inline)
    if (fold_.next() && column_.next()) row_.next();
  }

 private:
  Counter<Config::Folds> fold_;
  Axis1D<Config::Columns, Config::FirstColumn, Config::ColumnStride, Config::ChosenColumns> column_;
  Axis1D<Config::Rows, Config::FirstRow, Config::RowStride, Config::ChosenRows> row_;
};

// Of the beats that come in, those that are chosen go out. One that comes in takes a cycle.
//
// \tparam Config  as of Raster, which is the image that comes in
template <typename Config>
class PixelFilter {
 public:
  // One clock cycle.
  //
  // \param in   beats
  // \param out  beats
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const auto beat = in.read();
    if (raster_.chosen()) out.write(beat);
    raster_.next();
  }

 private:
  Raster<Config> raster_;
};

// Beats that come in are those that are chosen of the image that goes out; all others are made of one value.
//
// One that goes out takes a cycle. What stands in front of a frame's first pixel does not wait for it.
//
// \tparam Config  as of Raster, which is the image that goes out; SIMD, elements per beat; Value; the type Element
template <typename Config>
class PixelInsert {
 public:
  // One clock cycle.
  //
  // \param in   beats of SIMD elements
  // \param out  beats of SIMD elements
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    if (raster_.chosen()) {
      out.write(in.read());
    } else {
      out.write(inserted());
    }
    raster_.next();
  }

 private:
  static Beat<typename Config::Element, Config::SIMD> inserted() {
    FINN_HLS(inline)
    constexpr auto Value = Config::Value;  // a constructor may take a reference, which a member without a place has not
    Beat<typename Config::Element, Config::SIMD> beat;
    for (unsigned lane = 0; lane < Config::SIMD; lane++) {
      FINN_HLS(unroll)
      beat.lane[lane] = typename Config::Element(Value);
    }
    return beat;
  }

  Raster<Config> raster_;
};

}  // namespace finn

#endif
