// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Thresholding: a multi-threshold activation or quantizer.

#ifndef FINN_THRESHOLDING_HPP
#define FINN_THRESHOLDING_HPP

#include <finn/activation.hpp>
#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// y = activation of x, per channel.
//
// A beat takes a cycle.
//
// \tparam Config  PE, channels per beat; Folds, beats per pixel; the type Output
template <typename Config>
class Thresholding {
 public:
  // One clock cycle.
  //
  // \param in          beats of PE elements
  // \param out         beats of PE elements
  // \param activation  see activation.hpp
  template <typename In, typename Out, typename Activation>
  void step(In &in, Out &out, const Activation &activation) {
    FINN_HLS(inline)
    const Beat<typename Config::Output, Config::PE> y = activation(fold_, in.read());
    out.write(y);
    fold_.next();
  }

 private:
  Counter<Config::Folds> fold_;
};

}  // namespace finn

#endif
