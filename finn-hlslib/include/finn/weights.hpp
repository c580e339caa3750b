// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Where weights come from: a constant table, a table that can be written at run time, or a stream.
//
// A source has `fetch(address)`, which gives the tile of weights that one cycle uses.

#ifndef FINN_WEIGHTS_HPP
#define FINN_WEIGHTS_HPP

#include <finn/dot.hpp>
#include <finn/stream.hpp>

namespace finn {

// The weights of one cycle: SIMD of each of PE outputs.
template <typename T, unsigned PE, unsigned SIMD>
struct Tile {
  using Type = T;
  T lane[PE][SIMD];
};

// The sum of x[i] * w[i] for the weights w of each output, exact.
template <typename X, typename W, unsigned PE, unsigned SIMD>
auto products(const X (&x)[SIMD], const Tile<W, PE, SIMD> &weights) {
  FINN_HLS(inline)
  typename InCommon<X, W, SIMD>::Type common[SIMD];
  FINN_HLS(array_partition variable = common complete)
  for (unsigned simd = 0; simd < SIMD; simd++) {
    FINN_HLS(unroll)
    common[simd] = x[simd];
  }
  Beat<decltype(dot(common, weights.lane[0])), PE> sums;
  for (unsigned pe = 0; pe < PE; pe++) {
    FINN_HLS(unroll)
    sums.lane[pe] = dot(common, weights.lane[pe]);
  }
  return sums;
}

// A table of tiles, in the order in which they are used. As a constant it becomes a ROM; as an argument of a top
// function on AXI4-Lite it can be written at run time.
//
// \tparam T      element type
// \tparam Tiles  tiles of a vector: output folds times input folds, input folds innermost
// \tparam PE     outputs per cycle
// \tparam SIMD   inputs per cycle
template <typename T, unsigned Tiles, unsigned PE, unsigned SIMD>
struct Weights {
  Tile<T, PE, SIMD> tile[Tiles];

  const Tile<T, PE, SIMD> &fetch(unsigned address) const {
    FINN_HLS(inline)
    FINN_HLS(aggregate variable = tile)
    return tile[address];
  }
};

// Tiles from a stream, one beat of PE * SIMD elements each, SIMD weights of PE 0 first; all of them again per vector.
template <typename T, unsigned PE, unsigned SIMD, typename Stream>
class StreamedWeights {
 public:
  explicit StreamedWeights(Stream &stream) : stream_(stream) {}

  Tile<T, PE, SIMD> fetch(unsigned /*address*/) const {
    FINN_HLS(inline)
    const Beat<T, PE * SIMD> beat = stream_.read();
    Tile<T, PE, SIMD> tile;
    for (unsigned pe = 0; pe < PE; pe++) {
      FINN_HLS(unroll)
      for (unsigned simd = 0; simd < SIMD; simd++) {
        FINN_HLS(unroll)
        tile.lane[pe][simd] = beat.lane[pe * SIMD + simd];
      }
    }
    return tile;
  }

 private:
  Stream &stream_;
};

template <typename T, unsigned PE, unsigned SIMD, typename Stream>
StreamedWeights<T, PE, SIMD, Stream> streamed_weights(Stream &stream) {
  return StreamedWeights<T, PE, SIMD, Stream>(stream);
}

}  // namespace finn

#endif
