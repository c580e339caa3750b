// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// DuplicateStreams: one stream for several readers.

#ifndef FINN_DUPLICATE_STREAMS_HPP
#define FINN_DUPLICATE_STREAMS_HPP

#include <finn/stream.hpp>

namespace finn {

// Each beat goes to all outputs.
//
// A beat takes a cycle.
//
// \tparam Config  nothing: streams say all there is
template <typename Config>
class DuplicateStreams {
 public:
  // One clock cycle.
  //
  // \param in    beats
  // \param outs  streams of the same beats
  template <typename In, typename... Outs>
  void step(In &in, Outs &...outs) {
    FINN_HLS(inline)
    write_all(in.read(), outs...);
  }

 private:
  template <typename Beat>
  static void write_all(const Beat & /*beat*/) {
    FINN_HLS(inline)
  }
  template <typename Beat, typename Out, typename... Others>
  static void write_all(const Beat &beat, Out &out, Others &...others) {
    FINN_HLS(inline)
    out.write(beat);
    write_all(beat, others...);
  }
};

}  // namespace finn

#endif
