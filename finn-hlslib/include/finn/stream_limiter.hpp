// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamLimiter: a stream without the ends of its frames.

#ifndef FINN_STREAM_LIMITER_HPP
#define FINN_STREAM_LIMITER_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// The first beats of a frame go out, the others are dropped.
//
// A beat that comes in takes a cycle.
//
// \tparam Config  Allowed, beats per frame that go out; Total, beats per frame that come in
template <typename Config>
class StreamLimiter {
  static_assert(Config::Allowed <= Config::Total, "Allowed must not be above Total: a frame has no more beats to pass");

 public:
  // One clock cycle.
  //
  // \param in   beats
  // \param out  beats
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    const auto beat = in.read();
    if (beat_ < Config::Allowed) out.write(beat);
    beat_.next();
  }

 private:
  Counter<Config::Total> beat_;
};

}  // namespace finn

#endif
