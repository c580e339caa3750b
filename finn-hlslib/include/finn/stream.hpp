// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What flows between two layers: beats, each a vector of lanes; and how they stand in the words of an AXI4-Stream.
//
// A stream is any type with `read()`, `write(beat)` and `empty()`, as `hls::stream<Beat<T, Lanes>>` has them.

#ifndef FINN_STREAM_HPP
#define FINN_STREAM_HPP

#include <hls_stream.h>

#include <finn/types.hpp>

namespace finn {

// One transfer of a stream: `Lanes` elements, lane 0 first in the frame (the least significant bits in hardware).
//
// \tparam T      element type
// \tparam Lanes  elements per beat, at least 1
template <typename T, unsigned Lanes>
struct Beat {
  static_assert(Lanes > 0, "Lanes must be at least 1: a beat carries elements");
  static constexpr unsigned lanes = Lanes;
  using Type = T;
  T lane[Lanes];
};

// Bits of a beat on an AXI4-Stream, which counts whole bytes.
constexpr int padded(int bits) { return (bits + 7) / 8 * 8; }

template <typename T, unsigned Lanes>
using Word = ap_uint<padded(static_cast<int>(Lanes) * Element<T>::width)>;

// Lane 0 into the least significant bits; what pads is 0.
template <typename T, unsigned Lanes>
Word<T, Lanes> pack(const Beat<T, Lanes> &beat) {
  FINN_HLS(inline)
  constexpr int Width = Element<T>::width;
  Word<T, Lanes> word = 0;
  for (unsigned lane = 0; lane < Lanes; lane++) {
    FINN_HLS(unroll)
    word.range(static_cast<int>(lane + 1) * Width - 1, static_cast<int>(lane) * Width) = encode(beat.lane[lane]);
  }
  return word;
}

// The inverse; what pads is ignored.
template <typename T, unsigned Lanes>
Beat<T, Lanes> unpack(const Word<T, Lanes> &word) {
  FINN_HLS(inline)
  constexpr int Width = Element<T>::width;
  Beat<T, Lanes> beat;
  for (unsigned lane = 0; lane < Lanes; lane++) {
    FINN_HLS(unroll)
    const ap_uint<Width> bits = word.range(static_cast<int>(lane + 1) * Width - 1, static_cast<int>(lane) * Width);
    beat.lane[lane] = Decode<T>::of(bits);
  }
  return beat;
}

// A stream of beats that comes in, or goes out, as words of an AXI4-Stream.
//
// \tparam T      element type
// \tparam Lanes  elements per beat
template <typename T, unsigned Lanes>
class Axis {
 public:
  using Stream = hls::stream<Word<T, Lanes>>;

  explicit Axis(Stream &words) : words_(words) {}
  bool empty() {
    FINN_HLS(inline)
    return words_.empty();
  }
  Beat<T, Lanes> read() {
    FINN_HLS(inline)
    return unpack<T, Lanes>(words_.read());
  }
  void write(const Beat<T, Lanes> &beat) {
    FINN_HLS(inline)
    words_.write(pack(beat));
  }

 private:
  Stream &words_;
};

}  // namespace finn

#endif
