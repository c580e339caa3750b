// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// LabelSelect: the indices of the K largest values, best first.

#ifndef FINN_LABEL_SELECT_HPP
#define FINN_LABEL_SELECT_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// As the indices of ONNX TopK: of equal values, the one with the lower index is the better.
//
// A vector takes Labels / PE cycles, or K if that is more: an index leaves per cycle while the next vector comes in.
//
// \tparam Config  Labels, values per vector; PE, values per beat; K; the types Input and Output
template <typename Config>
class LabelSelect {
  static_assert(Config::Labels % Config::PE == 0, "PE must divide Labels: each cycle takes the same number of values");
  static_assert(1 <= Config::K && Config::K <= Config::Labels, "K must be 1 to Labels: there are no more to select");
  using Input = typename Config::Input;
  using Output = typename Config::Output;

 public:
  // One clock cycle.
  //
  // \param in   beats of PE values
  // \param out  beats of one index, K per vector
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = best_ complete)
    FINN_HLS(array_partition variable = chosen_ complete)
    const bool sends = waiting_ > 0;
    Beat<Output, 1> label;
    label.lane[0] = chosen_[0];
    // The end of a vector waits until the last label of the one before is on its way.
    const bool takes = (!fold_.last() || waiting_ <= 1) && (!sends || !in.empty());
    if (sends) shift();
    if (takes && insert(in.read())) choose();
    if (Config::K == 1) {
      if (waiting_ > 0) {
        label.lane[0] = chosen_[0];
        waiting_ = 0;
        out.write(label);
      }
    } else if (sends) {
      out.write(label);
    }
  }

 private:
  struct Candidate {
    Input value;
    Output label;
    bool exists;
  };

  // Insert the values of a beat into the list of the best; whether it was the last beat of a vector.
  template <unsigned Lanes>
  bool insert(const Beat<Input, Lanes> &x) {
    FINN_HLS(inline)
    for (unsigned lane = 0; lane < Lanes; lane++) {
      FINN_HLS(unroll)
      Candidate moving = {x.lane[lane], Output(fold_ * Lanes + lane), true};
      bool moved = false;
      for (unsigned place = 0; place < Config::K; place++) {
        FINN_HLS(unroll)
        const bool better = !best_[place].exists || number(moving.value) > number(best_[place].value);
        moved = moved || better;
        const Candidate there = best_[place];
        best_[place] = moved ? moving : there;
        moving = moved ? there : moving;
      }
    }
    return fold_.next();
  }
  void choose() {
    FINN_HLS(inline)
    for (unsigned place = 0; place < Config::K; place++) {
      FINN_HLS(unroll)
      chosen_[place] = best_[place].label;
      best_[place].exists = false;
    }
    waiting_ = Config::K;
  }
  void shift() {
    FINN_HLS(inline)
    for (unsigned place = 0; place + 1 < Config::K; place++) {
      FINN_HLS(unroll)
      chosen_[place] = chosen_[place + 1];
    }
    waiting_ = waiting_ - 1;
  }

  Counter<Config::Labels / Config::PE> fold_;
  Candidate best_[Config::K] = {};
  Output chosen_[Config::K] = {};
  unsigned waiting_ = 0;
};

}  // namespace finn

#endif
