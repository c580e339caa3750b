// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What matrix-vector and vector-vector units have in common: sums over the folds of the input, and what becomes of
// them.

#ifndef FINN_MATRIX_UNIT_HPP
#define FINN_MATRIX_UNIT_HPP

#include <finn/activation.hpp>
#include <finn/counter.hpp>
#include <finn/dot.hpp>
#include <finn/stream.hpp>

namespace finn {

// PE sums; each takes InputFolds cycles. Those of OutputFolds groups of channels come one after the other.
//
// \tparam Config  PE; the types Accumulator and Output
template <typename Config, unsigned InputFolds, unsigned OutputFolds>
class Sums {
  using Accumulator = typename Config::Accumulator;
  using Sum = Native<Accumulator>;

 public:
  // Which weights this cycle needs: input folds innermost.
  unsigned tile() const { return output_ * InputFolds + input_; }
  // Add to a sum, or begin it.
  template <typename T>
  void add(unsigned pe, const T &product) {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = sum_ complete)
    sum_[pe] = input_.first() ? Sum(product) : Sum(sum_[pe] + Sum(product));
  }
  // The end of a cycle: send the results if it was the last one of the sums.
  template <typename Out, typename Activation>
  void finish(Out &out, const Activation &activation) {
    FINN_HLS(inline)
    if (input_.last()) {
      Beat<Accumulator, Config::PE> results;
      for (unsigned pe = 0; pe < Config::PE; pe++) {
        FINN_HLS(unroll)
        results.lane[pe] = Accumulator(sum_[pe]);
      }
      const Beat<typename Config::Output, Config::PE> y = activation(output_, results);
      out.write(y);
    }
    if (input_.next()) output_.next();
  }

 private:
  Counter<InputFolds> input_;
  Counter<OutputFolds> output_;
  Sum sum_[Config::PE];
};

}  // namespace finn

#endif
