// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Counters: where in its loops a layer is.

#ifndef FINN_COUNTER_HPP
#define FINN_COUNTER_HPP

#include <finn/types.hpp>

namespace finn {

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
#ifdef __SYNTHESIS__
  ap_uint<bits_of(Turns)> count_ = 0;
#else
  unsigned count_ = 0;
#endif
};

}  // namespace finn

#endif
