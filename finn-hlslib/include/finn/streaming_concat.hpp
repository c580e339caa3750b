// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingConcat: several streams joined along an axis.

#ifndef FINN_STREAMING_CONCAT_HPP
#define FINN_STREAMING_CONCAT_HPP

#include <finn/parts.hpp>
#include <finn/stream.hpp>

namespace finn {

// Beats come from one input after the other, as many from each as it has per round; elements get the output's type.
//
// A beat takes a cycle.
//
// \tparam Config  SIMD, elements per beat of all streams; Beats, a List of the beats of each input per round; the type
//                 Output, of the output's elements
template <typename Config>
class StreamingConcat {
  using Joined = Beat<typename Config::Output, Config::SIMD>;

 public:
  // One clock cycle.
  //
  // \param streams  the inputs, as many as the List has numbers, and then the output
  template <typename... Streams>
  void step(Streams &...streams) {
    FINN_HLS(inline)
    static_assert(sizeof...(Streams) == Config::Beats::size + 1, "Beats must have a number for each input");
    pass(turns_.part(), streams...);
    turns_.next();
  }

 private:
  template <typename In, typename Out>
  static void pass(unsigned /*part*/, In &in, Out &out) {
    FINN_HLS(inline)
    out.write(joined(in.read()));
  }
  template <typename In, typename Other, typename... Others>
  static void pass(unsigned part, In &in, Other &other, Others &...others) {
    FINN_HLS(inline)
    if (part == 0) {
      send(joined(in.read()), other, others...);
    } else {
      pass(part - 1, other, others...);
    }
  }
  template <typename Out>
  static void send(const Joined &beat, Out &out) {
    FINN_HLS(inline)
    out.write(beat);
  }
  template <typename In, typename... Others>
  static void send(const Joined &beat, In & /*in*/, Others &...others) {
    FINN_HLS(inline)
    send(beat, others...);
  }
  template <typename T>
  static Joined joined(const Beat<T, Config::SIMD> &beat) {
    FINN_HLS(inline)
    Joined made;
    for (unsigned lane = 0; lane < Config::SIMD; lane++) {
      FINN_HLS(unroll)
      made.lane[lane] = converted<typename Config::Output>(beat.lane[lane]);
    }
    return made;
  }

  Turns<typename Config::Beats> turns_;
};

}  // namespace finn

#endif
