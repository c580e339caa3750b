// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// VVAU: the vector-vector-activation unit, a depthwise convolution.

#ifndef FINN_VVAU_HPP
#define FINN_VVAU_HPP

#include <finn/matrix_unit.hpp>
#include <finn/stream.hpp>
#include <finn/weights.hpp>

namespace finn {

// y[c] = activation(sum of x[k][c] * w[k][c] over k) for each window x: SIMD positions k of PE channels c per cycle.
//
// A window takes Window / SIMD * Channels / PE cycles. All positions of PE channels come before those of the next; in a
// beat, position s of channel c is lane s * PE + c.
//
// \tparam Config  Window, positions; Channels, SIMD, PE; the types Input, Accumulator (sums are kept modulo its range),
//                 Output
template <typename Config>
class VVAU {
  static_assert(Config::Window % Config::SIMD == 0, "SIMD must divide Window: each cycle multiplies as many positions");
  static_assert(Config::Channels % Config::PE == 0, "PE must divide Channels: each cycle computes as many outputs");

 public:
  // One clock cycle.
  //
  // \param in          beats of SIMD * PE inputs
  // \param out         beats of PE outputs
  // \param weights     see weights.hpp
  // \param activation  see activation.hpp
  template <typename In, typename Out, typename Weights, typename Activation>
  void step(In &in, Out &out, const Weights &weights, const Activation &activation) {
    FINN_HLS(inline)
    const auto beat = in.read();
    const auto &tile = weights.fetch(sums_.tile());
    for (unsigned pe = 0; pe < Config::PE; pe++) {
      FINN_HLS(unroll)
      const Column<typename Config::Input, Config::SIMD, Config::PE> x = {beat.lane, pe};
      sums_.add(pe, dot(x, tile.lane[pe]));
    }
    sums_.finish(out, activation);
  }

 private:
  Sums<Config, Config::Window / Config::SIMD, Config::Channels / Config::PE> sums_;
};

}  // namespace finn

#endif
