// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The network as three processes with streams in between. Each handles a digit per call, one step per clock cycle.

#include "digits.hpp"

#include <finn/label_select.hpp>
#include <finn/mvau.hpp>
#include <finn/run.hpp>

#include "tables.hpp"

namespace {

struct Decision {
  static constexpr int Labels = 10, PE = 2, K = 1;
  using Input = Score;
  using Output = Label;
};

using HiddenStream = hls::stream<finn::Beat<Hidden, 4>>;
using ScoreStream = hls::stream<finn::Beat<Score, 2>>;

void hidden_layer(hls::stream<finn::Word<Pixel, 8>> &pixels, HiddenStream &hidden) {
  static finn::MVAU<HiddenLayer> kernel;
  finn::Axis<Pixel, 8> in(pixels);
  finn::run<64>(kernel, in, hidden, hidden_weights, hidden_thresholds);
}

void output_layer(HiddenStream &hidden, ScoreStream &scores) {
  static finn::MVAU<OutputLayer> kernel;
  const finn::PassThrough<Score> activation;
  finn::run<40>(kernel, hidden, scores, output_weights, activation);
}

void decide(ScoreStream &scores, hls::stream<finn::Word<Label, 1>> &label) {
  static finn::LabelSelect<Decision> kernel;
  finn::Axis<Label, 1> out(label);
  finn::run<5>(kernel, scores, out);
}

}  // namespace

void digits(hls::stream<finn::Word<Pixel, 8>> &in0_V, hls::stream<finn::Word<Label, 1>> &out0_V) {
  FINN_HLS(interface axis port = in0_V)
  FINN_HLS(interface axis port = out0_V)
  FINN_HLS(interface ap_ctrl_none port = return)
  FINN_HLS(dataflow)
  HiddenStream hidden("hidden");
  FINN_HLS(stream variable = hidden depth = 8)
  ScoreStream scores("scores");
  FINN_HLS(stream variable = scores depth = 2)
  hidden_layer(in0_V, hidden);
  output_layer(hidden, scores);
  decide(scores, out0_V);
}
