// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Counters: where in its loops a layer is.

#ifndef FINN_COUNTER_HPP
#define FINN_COUNTER_HPP

#include <finn/types.hpp>

namespace finn {

// Registers that hold 0 to Turns - 1, and -Most to Most. In simulation native integers, which are fast.
#ifdef __SYNTHESIS__
template <unsigned Turns>
using Index = ap_uint<bits_of(Turns)>;
template <unsigned Most>
using Balance = ap_int<bits_of(Most + 1ULL) + 1>;
#else
template <unsigned Turns>
using Index = unsigned;
template <unsigned Most>
using Balance = int;
#endif

// 0 to Turns - 1 and again.
template <unsigned Turns>
class Counter {
  static_assert(Turns > 0, "Turns must be at least 1: a loop is done at least once");

 public:
  operator unsigned() const { return count_; }
  bool first() const { return count_ == 0; }
  bool last() const { return count_ == Turns - 1; }
  // Go on; whether it starts again.
  bool next() {
    FINN_HLS(inline)
    const bool wraps = last();
    count_ = wraps ? 0u : *this + 1u;
    return wraps;
  }

 private:
  Index<Turns> count_ = 0;
};

}  // namespace finn

#endif
