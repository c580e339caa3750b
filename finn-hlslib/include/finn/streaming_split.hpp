// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingSplit: one stream parted along an axis.

#ifndef FINN_STREAMING_SPLIT_HPP
#define FINN_STREAMING_SPLIT_HPP

#include <finn/parts.hpp>
#include <finn/stream.hpp>

namespace finn {

// Beats go to one output after the other, as many to each as it has per round.
//
// A beat takes a cycle.
//
// \tparam Config  Beats, a List of the beats of each output per round
template <typename Config>
class StreamingSplit {
 public:
  // One clock cycle.
  //
  // \param in    beats
  // \param outs  as many streams of the same beats as the List has numbers
  template <typename In, typename... Outs>
  void step(In &in, Outs &...outs) {
    FINN_HLS(inline)
    static_assert(sizeof...(Outs) == Config::Beats::size, "Beats must have a number for each output");
    write_to(turns_.part(), in.read(), outs...);
    turns_.next();
  }

 private:
  template <typename Beat, typename Out>
  static void write_to(unsigned /*part*/, const Beat &beat, Out &out) {
    FINN_HLS(inline)
    out.write(beat);
  }
  template <typename Beat, typename Out, typename... Others>
  static void write_to(unsigned part, const Beat &beat, Out &out, Others &...others) {
    FINN_HLS(inline)
    if (part == 0) {
      out.write(beat);
    } else {
      write_to(part - 1, beat, others...);
    }
  }

  Turns<typename Config::Beats> turns_;
};

}  // namespace finn

#endif
