// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingFIFO: a buffer between two layers.

#ifndef FINN_FIFO_HPP
#define FINN_FIFO_HPP

#include <finn/stream.hpp>

namespace finn {

// Beats as they come. Its memory is that of the stream behind it, whose depth a top function says:
// FINN_HLS(stream variable = behind depth = 64).
//
// A beat takes a cycle.
//
// \tparam Config  nothing: streams say all there is
template <typename Config>
class StreamingFIFO {
 public:
  // One clock cycle.
  //
  // \param in   beats
  // \param out  the same beats
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    out.write(in.read());
  }
};

}  // namespace finn

#endif
