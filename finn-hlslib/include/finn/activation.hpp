// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a layer does with a result before it sends it: nothing, or thresholds.
//
// An activation is called with the fold and the lane of a channel (channel = fold * PE + lane) and the result.

#ifndef FINN_ACTIVATION_HPP
#define FINN_ACTIVATION_HPP

#include <finn/types.hpp>

namespace finn {

// The result as it is.
template <typename Output>
struct PassThrough {
  template <typename T>
  Output operator()(unsigned /*fold*/, unsigned /*lane*/, const T &result) const {
    FINN_HLS(inline)
    return Output(result);
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
  Threshold at[Folds][Lanes][Steps];

  template <typename T>
  Output operator()(unsigned fold, unsigned lane, const T &result) const {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = at complete dim = 2)
    FINN_HLS(array_partition variable = at complete dim = 3)
    const Threshold(&own)[Steps] = at[Folds > 1 ? fold : 0][Lanes > 1 ? lane : 0];
    int count = 0;
    for (unsigned step = 0; step < Steps; step++) {
      FINN_HLS(unroll)
      count += number(result) >= own[step] ? 1 : 0;
    }
    return Counted<Output, Bias>::of(count);
  }
};

}  // namespace finn

#endif
