// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A kernel as a loop, for dataflow regions whose functions handle a frame per call.

#ifndef FINN_RUN_HPP
#define FINN_RUN_HPP

#include <finn/pragma.hpp>

namespace finn {

// So many clock cycles of a kernel whose steps take their input when they need it (MVAU, thresholds, pools, ...).
//
// \tparam Steps     of a frame: the cycles that the kernel's documentation says
// \param kernel     static in the calling function: it keeps its state from frame to frame
// \param arguments  of `step`: streams, then what else it needs
template <unsigned Steps, typename Kernel, typename... Arguments>
void run(Kernel &kernel, Arguments &...arguments) {
  FINN_HLS(inline)
  for (unsigned step = 0; step < Steps; step++) {
    FINN_HLS(pipeline II = 1 style = flp)
    kernel.step(arguments...);
  }
}

}  // namespace finn

#endif
