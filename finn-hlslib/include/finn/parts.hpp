// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Whose turn it is: streams that carry their beats one after the other, round after round.

#ifndef FINN_PARTS_HPP
#define FINN_PARTS_HPP

#include <finn/list.hpp>
#include <finn/types.hpp>

namespace finn {

// \tparam Beats  List of the beats of each part per round
template <typename Beats>
class Turns {
 public:
  // The part whose beat this step is.
  unsigned part() const { return part_; }
  void next() {
    FINN_HLS(inline)
    if (++beat_ == static_cast<unsigned>(Beats::at(part_))) {
      beat_ = 0;
      part_ = part_ + 1 == Beats::size ? 0 : part_ + 1;
    }
  }

 private:
  unsigned part_ = 0;
  unsigned beat_ = 0;
};

}  // namespace finn

#endif
