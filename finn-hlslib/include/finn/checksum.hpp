// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// CheckSum: a stream as it is, and a number for each frame that tells whether it is the right one.

#ifndef FINN_CHECKSUM_HPP
#define FINN_CHECKSUM_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// The checksum of a frame is {frame number modulo 2^8, sum modulo 2^24}. The sum takes each element as its bits, folded
// by exclusive or of slices of 23 bits, times a weight that goes 1, 2, 3, 1, 2, .. and begins anew with each frame
// (FINN's custom_hls/checksum.hpp).
//
// A beat takes a cycle.
//
// \tparam Config  Beats, per frame
template <typename Config>
class CheckSum {
  static constexpr int FoldBits = 23;
  static constexpr int SumBits = 24;

 public:
  // One clock cycle.
  //
  // \param in   beats
  // \param out  the same beats
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const auto beat = in.read();
    add(beat);
    out.write(beat);
    if (beat_.next()) finish();
  }
  // Of the last whole frame.
  ap_uint<32> checksum() const { return checksum_; }

 private:
  template <typename T, unsigned Lanes>
  void add(const Beat<T, Lanes> &beat) {
    FINN_HLS(inline)
    for (unsigned lane = 0; lane < Lanes; lane++) {
      FINN_HLS(unroll)
      sum_ = ap_uint<SumBits>(sum_ + ap_uint<SumBits>(folded(encode(beat.lane[lane])) * weight_));
      weight_ = weight_ == 3 ? ap_uint<2>(1) : ap_uint<2>(weight_ + 1);
    }
  }
  template <int Width>
  static ap_uint<FoldBits> folded(const ap_uint<Width> &bits) {
    FINN_HLS(inline)
    ap_uint<FoldBits> result = 0;
    for (int low = 0; low < Width; low += FoldBits) {
      FINN_HLS(unroll)
      result = ap_uint<FoldBits>(result ^ ap_uint<FoldBits>(bits >> low));
    }
    return result;
  }
  void finish() {
    FINN_HLS(inline)
    // A shift takes a reference, and the member has no definition to refer to: int{} is a copy.
    checksum_ = ap_uint<32>(ap_uint<32>(ap_uint<32>(frame_) << int{SumBits}) | ap_uint<32>(sum_));
    frame_ = ap_uint<8>(frame_ + 1);
    sum_ = 0;
    weight_ = 1;
  }

  Counter<Config::Beats> beat_;
  ap_uint<SumBits> sum_ = 0;
  ap_uint<2> weight_ = 1;
  ap_uint<8> frame_ = 0;
  ap_uint<32> checksum_ = 0;
};

}  // namespace finn

#endif
