// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ChannelwiseOp: a function of a stream and constants.

#ifndef FINN_CHANNELWISE_OP_HPP
#define FINN_CHANNELWISE_OP_HPP

#include <finn/functions.hpp>
#include <finn/replay.hpp>
#include <finn/stream.hpp>
#include <finn/table.hpp>

namespace finn {

// y = function(x, parameter), or function(parameter, x); parameters are broadcast by NumPy's rule.
//
// A beat takes a cycle.
//
// \tparam Config  PE, elements per beat; Groups, Repeats, Beats and Hold, the order of the parameters (see Walk); the
//                 type Output
template <typename Config>
class ChannelwiseOp {
 public:
  // One clock cycle.
  //
  // \param in          beats of PE elements
  // \param out         beats of PE elements
  // \param function    see functions.hpp
  // \param parameters  Table, Groups * Beats words of PE parameters, or of one for all lanes
  template <typename In, typename Out, typename Function, typename Parameters>
  void step(In &in, Out &out, const Function & /*function*/, const Parameters &parameters) {
    FINN_HLS(inline)
    static_assert(Parameters::template fits<Config::Groups * Config::Beats, Config::PE>(),
                  "the table must have Groups * Beats words of PE parameters, or of one for all lanes");
    const auto x = in.read();
    Beat<typename Config::Output, Config::PE> y;
    for (unsigned lane = 0; lane < Config::PE; lane++) {
      FINN_HLS(unroll)
      const auto &parameter = parameters.element(walk_.address(), lane);
      y.lane[lane] = Function::template of<typename Config::Output>(x.lane[lane], parameter);
    }
    out.write(y);
    walk_.next();
  }

 private:
  Walk<Config::Groups, Config::Repeats, Config::Beats, Config::Hold> walk_;
};

}  // namespace finn

#endif
