// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Elementwise: a function of two streams, with NumPy's broadcasting.

#ifndef FINN_ELEMENTWISE_HPP
#define FINN_ELEMENTWISE_HPP

#include <finn/functions.hpp>
#include <finn/replay.hpp>
#include <finn/stream.hpp>

namespace finn {

// y = function(a, b). An operand that has fewer elements is used again, as often as the output needs it.
//
// An output beat takes a cycle.
//
// \tparam Config  PE, elements per output beat; the type Output; of the operands, with A or B in front: Type, Lanes
//                 (PE, or 1 for all of them), and Repeats, Beats and Hold, the order of their beats (see Replay)
template <typename Config>
class Elementwise {
  static_assert(Config::ALanes == 1 || Config::ALanes == Config::PE,
                "ALanes must be PE, or 1: a lane has an operand of its own, or all the same");
  static_assert(Config::BLanes == 1 || Config::BLanes == Config::PE,
                "BLanes must be PE, or 1: a lane has an operand of its own, or all the same");

 public:
  // One clock cycle.
  //
  // \param a         beats of the first operand
  // \param b         beats of the second operand
  // \param out       beats of PE elements
  // \param function  see functions.hpp
  template <typename A, typename B, typename Out, typename Function>
  void step(A &a, B &b, Out &out, const Function & /*function*/) {
    FINN_HLS(inline)
    const auto &left = a_.next(a);
    const auto &right = b_.next(b);
    Beat<typename Config::Output, Config::PE> y;
    for (unsigned lane = 0; lane < Config::PE; lane++) {
      FINN_HLS(unroll)
      const auto &x = left.lane[Config::ALanes > 1 ? lane : 0];
      const auto &z = right.lane[Config::BLanes > 1 ? lane : 0];
      y.lane[lane] = Function::template of<typename Config::Output>(x, z);
    }
    out.write(y);
  }

 private:
  Replay<Beat<typename Config::AType, Config::ALanes>, Config::ARepeats, Config::ABeats, Config::AHold> a_;
  Replay<Beat<typename Config::BType, Config::BLanes>, Config::BRepeats, Config::BBeats, Config::BHold> b_;
};

}  // namespace finn

#endif
