// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Requant: integers scaled per channel, rounded and clipped to a narrower type.

#ifndef FINN_REQUANT_HPP
#define FINN_REQUANT_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>
#include <finn/table.hpp>

namespace finn {

// y = clip((x * m[c] + b[c]) >> Shift, Low, High), arithmetically; b holds the half that rounds.
//
// A beat takes a cycle.
//
// \tparam Config  PE, channels per beat; Words of constants, 1 if all channels are alike; Shift; Low and High, the ends
//                 of the result; the types Sum, of all that is computed, and Output
template <typename Config>
class Requant {
  using Sum = Native<typename Config::Sum>;
  using Output = typename Config::Output;

 public:
  // One clock cycle.
  //
  // \param in           beats of PE elements
  // \param out          beats of PE elements
  // \param multipliers  Table of m, a word per fold
  // \param offsets      Table of b
  template <typename In, typename Out, typename Multipliers, typename Offsets>
  void step(In &in, Out &out, const Multipliers &multipliers, const Offsets &offsets) {
    FINN_HLS(inline)
    static_assert(
        Multipliers::template fits<Config::Words, Config::PE>() && Offsets::template fits<Config::Words, Config::PE>(),
        "the tables must have Words words of PE constants, or of one for all lanes");
    constexpr int Shift = Config::Shift;
    constexpr long long Low = Config::Low;
    constexpr long long High = Config::High;
    const Sum low = Sum(Low);
    const Sum high = Sum(High);
    const auto x = in.read();
    Beat<Output, Config::PE> y;
    for (unsigned lane = 0; lane < Config::PE; lane++) {
      FINN_HLS(unroll)
      const Sum product = Sum(number(x.lane[lane]) * multipliers.element(word_, lane));
      const Sum sum = Sum(product + offsets.element(word_, lane));
      const Sum scaled = Sum(sum >> Shift);
      y.lane[lane] = Output(scaled < low ? low : scaled > high ? high : scaled);
    }
    out.write(y);
    word_.next();
  }

 private:
  Counter<Config::Words> word_;
};

}  // namespace finn

#endif
