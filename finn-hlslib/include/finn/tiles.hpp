// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Pools without windows: an image is cut into tiles, and each is reduced to one value per channel.

#ifndef FINN_TILES_HPP
#define FINN_TILES_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// The sum of values; it leaves as floor(sum / 2^Shift).
template <int Shift>
struct SumOf {
  template <typename Partial, typename T>
  static Partial start(const T &x) {
    FINN_HLS(inline)
    return Partial(number(x));
  }
  template <typename Partial, typename T>
  static Partial join(const Partial &partial, const T &x) {
    FINN_HLS(inline)
    return Partial(number(partial) + number(x));
  }
  template <typename Output, typename Partial>
  static Output result(const Partial &partial) {
    FINN_HLS(inline)
    return Output(number(partial) >> Shift);
  }
};

// The largest value, or the smallest.
template <bool Largest>
struct ExtremeOf {
  template <typename Partial, typename T>
  static Partial start(const T &x) {
    FINN_HLS(inline)
    return x;
  }
  template <typename Partial, typename T>
  static Partial join(const Partial &partial, const T &x) {
    FINN_HLS(inline)
    return (number(x) > number(partial)) == Largest ? x : partial;
  }
  template <typename Output, typename Partial>
  static Output result(const Partial &partial) {
    FINN_HLS(inline)
    return partial;
  }
};

// One position of an axis after the other, in tiles; what is left at the end is dropped, or a tile of its own.
//
// \tparam Size       positions
// \tparam Tile       positions of a tile
// \tparam IsPartial  whether what is left is a tile
template <unsigned Size, unsigned Tile, bool IsPartial>
class TiledAxis {
 public:
  static constexpr unsigned count = IsPartial ? (Size + Tile - 1) / Tile : Size / Tile;

  unsigned tile() const { return tile_; }
  bool starts() const { return within_.first(); }
  bool completes() const { return within_.last() || (IsPartial && position_.last()); }
  bool counts() const { return tile_ < count; }
  // Go on; whether the axis starts again.
  bool next() {
    FINN_HLS(inline)
    if (within_.next()) tile_ = tile_ + 1;
    const bool wraps = position_.next();
    if (wraps) {
      within_ = Counter<Tile>();
      tile_ = 0;
    }
    return wraps;
  }

 private:
  Counter<Size> position_;
  Counter<Tile> within_;
  unsigned tile_ = 0;
};

// An image of Rows by Columns pixels of Folds beats, beat by beat.
//
// A beat takes a cycle, and a result leaves with the last beat of its tile. The partial results of a row of tiles are
// in a memory of as many words.
//
// \tparam Config  PE, elements per beat; Folds, Rows, TileRows, Columns, TileColumns; Partial, 1 if what is left at the
//                 end of an axis is a tile, else 0; the types Stored, of what has been reduced so far, and Output
template <typename Config>
class TilePool {
  using RowAxis = TiledAxis<Config::Rows, Config::TileRows, Config::Partial != 0>;
  using ColumnAxis = TiledAxis<Config::Columns, Config::TileColumns, Config::Partial != 0>;
  static constexpr unsigned Words = Config::Folds * (Config::TileRows > 1 ? ColumnAxis::count : 1);

 public:
  // One clock cycle.
  //
  // \param in         beats of PE elements
  // \param out        beats of PE elements, one for each fold of each tile
  // \param reduction  SumOf or ExtremeOf
  template <typename In, typename Out, typename Reduction>
  void step(In &in, Out &out, const Reduction & /*reduction*/) {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = held_)
    const auto x = in.read();
    if (row_.counts() && column_.counts()) reduce<Reduction>(x, out);
    if (fold_.next() && column_.next()) row_.next();
  }

 private:
  template <typename Reduction, typename T, typename Out>
  void reduce(const Beat<T, Config::PE> &x, Out &out) {
    FINN_HLS(inline)
    const unsigned word = (Config::TileRows > 1 ? column_.tile() * Config::Folds : 0) + fold_;
    const bool starts = row_.starts() && column_.starts();
    Beat<typename Config::Stored, Config::PE> stored = held_[word];
    Beat<typename Config::Output, Config::PE> y;
    for (unsigned lane = 0; lane < Config::PE; lane++) {
      FINN_HLS(unroll)
      stored.lane[lane] = starts ? Reduction::template start<typename Config::Stored>(x.lane[lane])
                                 : Reduction::join(stored.lane[lane], x.lane[lane]);
      y.lane[lane] = Reduction::template result<typename Config::Output>(stored.lane[lane]);
    }
    held_[word] = stored;
    if (row_.completes() && column_.completes()) out.write(y);
  }

  Counter<Config::Folds> fold_;
  ColumnAxis column_;
  RowAxis row_;
  Beat<typename Config::Stored, Config::PE> held_[Words];
};

}  // namespace finn

#endif
