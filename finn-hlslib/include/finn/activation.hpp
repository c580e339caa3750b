// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a layer does with results before it sends them: nothing, or thresholds.
//
// An activation is called with the fold of the channels (channel = fold * PE + lane) and a beat of results.

#ifndef FINN_ACTIVATION_HPP
#define FINN_ACTIVATION_HPP

#include <finn/stream.hpp>

namespace finn {

// The results as they are.
template <typename Output>
struct PassThrough {
  template <typename T, unsigned PE>
  Beat<Output, PE> operator()(unsigned /*fold*/, const Beat<T, PE> &results) const {
    FINN_HLS(inline)
    Beat<Output, PE> y;
    for (unsigned lane = 0; lane < PE; lane++) {
      FINN_HLS(unroll)
      y.lane[lane] = Output(results.lane[lane]);
    }
    return y;
  }
};

// What the count of thresholds becomes: bias + count; of a bipolar output -1 or 1 for 0 or 1.
template <typename Output, int Bias>
struct Counted {
  static Output of(int count) { return Output(count + Bias); }
};
template <int Bias>
struct Counted<Bipolar, Bias> {
  static Bipolar of(int count) { return count > 0 ? 1 : -1; }
};

// bias + the number of thresholds t with result >= t, per channel; of any order (Blott et al. 2018, arXiv:1809.04570).
//
// \tparam Threshold  type of the thresholds; wide enough for them, results are compared without being narrowed
// \tparam Output     type of the outputs
// \tparam Folds      channels / PE; 1 if all channels have the same thresholds
// \tparam Lanes      PE; 1 if all channels have the same thresholds
// \tparam Steps      thresholds per channel
// \tparam Bias       added to the count
template <typename Threshold, typename Output, unsigned Folds, unsigned Lanes, unsigned Steps, int Bias>
struct Thresholds {
  Threshold at[Folds][Steps][Lanes];

  template <typename T, unsigned PE>
  Beat<Output, PE> operator()(unsigned fold, const Beat<T, PE> &results) const {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = at complete dim = 2)
    FINN_HLS(array_partition variable = at complete dim = 3)
    static_assert(Lanes == 1 || Lanes == PE,
                  "Lanes must be PE, or 1: a lane has thresholds of its own, or all the same");
    // In blocks: compilers unroll so short a loop over the steps, and make vectors over the lanes. If there is one lane
    // only, they make them over the steps.
    constexpr unsigned Block = PE == 1 || Steps <= 7 ? Steps : 7;
    constexpr unsigned First = Steps % Block == 0 ? Block : Steps % Block;
    const auto &own = at[Folds > 1 ? fold : 0];
    int count[PE];
    FINN_HLS(array_partition variable = count complete)
    for (unsigned lane = 0; lane < PE; lane++) {
      FINN_HLS(unroll)
      count[lane] = reached<First>(own, 0, lane, results.lane[lane]);
    }
    for (unsigned first = First; first < Steps; first += Block) {
      FINN_HLS(unroll)
      for (unsigned lane = 0; lane < PE; lane++) {
        FINN_HLS(unroll)
        count[lane] += reached<Block>(own, first, lane, results.lane[lane]);
      }
    }
    Beat<Output, PE> y;
    for (unsigned lane = 0; lane < PE; lane++) {
      FINN_HLS(unroll)
      y.lane[lane] = Counted<Output, Bias>::of(count[lane]);
    }
    return y;
  }

 private:
  // How many of the `Some` thresholds from `first` on.
  template <unsigned Some, typename T>
  static int reached(const Threshold (&own)[Steps][Lanes], unsigned first, unsigned lane, const T &result) {
    FINN_HLS(inline)
    int count = 0;
    for (unsigned step = 0; step < Some; step++) {
      FINN_HLS(unroll)
      count += less(number(result), own[first + step][Lanes > 1 ? lane : 0]) ? 0 : 1;
    }
    return count;
  }
};

}  // namespace finn

#endif
