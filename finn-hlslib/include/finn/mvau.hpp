// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// MVAU: the matrix-vector-activation unit.

#ifndef FINN_MVAU_HPP
#define FINN_MVAU_HPP

#include <finn/matrix_unit.hpp>
#include <finn/replay.hpp>
#include <finn/stream.hpp>
#include <finn/weights.hpp>

namespace finn {

// y[o] = activation(sum of x[i] * w[i][o] over i), SIMD inputs i and PE outputs o per cycle.
//
// A vector takes MW / SIMD * MH / PE cycles (Blott et al. 2018, arXiv:1809.04570). Input beats are read while the first
// PE outputs are computed, and kept for the others. Output fold f is of the outputs f * PE to f * PE + PE - 1, input
// fold s of the inputs from s * SIMD on.
//
// \tparam Config  MW, MH, SIMD, PE; the types Input, Accumulator (sums are kept modulo its range) and Output
template <typename Config>
class MVAU {
  static_assert(Config::MW % Config::SIMD == 0, "SIMD must divide MW: each cycle multiplies the same number of inputs");
  static_assert(Config::MH % Config::PE == 0, "PE must divide MH: each cycle computes the same number of outputs");
  static constexpr unsigned InputFolds = Config::MW / Config::SIMD;
  static constexpr unsigned OutputFolds = Config::MH / Config::PE;

 public:
  // One clock cycle.
  //
  // \param in          beats of SIMD inputs, MW / SIMD per vector
  // \param out         beats of PE outputs, MH / PE per vector
  // \param weights     see weights.hpp
  // \param activation  see activation.hpp
  template <typename In, typename Out, typename Weights, typename Activation>
  void step(In &in, Out &out, const Weights &weights, const Activation &activation) {
    FINN_HLS(inline)
    const auto &x = inputs_.next(in);
    const auto sums = products(x.lane, weights.fetch(sums_.tile()));
    for (unsigned pe = 0; pe < Config::PE; pe++) {
      FINN_HLS(unroll)
      sums_.add(pe, sums.lane[pe]);
    }
    sums_.finish(out, activation);
  }

 private:
  Replay<Beat<typename Config::Input, Config::SIMD>, OutputFolds, InputFolds, 1> inputs_;
  Sums<Config, InputFolds, OutputFolds> sums_;
};

}  // namespace finn

#endif
