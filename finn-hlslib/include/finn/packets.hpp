// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Frames as packets: AXI4-Stream with TLAST and TKEEP, by which DMA engines and networks go.

#ifndef FINN_PACKETS_HPP
#define FINN_PACKETS_HPP

#include <ap_axi_sdata.h>

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// A word of a packet that carries beats.
//
// \tparam T      element type
// \tparam Lanes  elements per beat
template <typename T, unsigned Lanes>
using PacketWord = ap_axiu<padded(static_cast<int>(Lanes) * Element<T>::width), 0, 0, 0>;

// A stream of beats that comes in as packets. TLAST and TKEEP are ignored: who reads counts the beats of a frame, and a
// packet may carry several frames.
//
// \tparam T      element type
// \tparam Lanes  elements per beat
// \tparam Words  stream of the packets' words
template <typename T, unsigned Lanes, typename Words = hls::stream<PacketWord<T, Lanes>>>
class PacketReader {
 public:
  explicit PacketReader(Words &words) : words_(words) {}
  bool empty() {
    FINN_HLS(inline)
    return words_.empty();
  }
  Beat<T, Lanes> read() {
    FINN_HLS(inline)
    const PacketWord<T, Lanes> word = words_.read();
    return unpack<T, Lanes>(word.data);
  }

 private:
  Words &words_;
};

// Each frame becomes a packet: TLAST is with its last beat, and all bytes are kept.
//
// A beat takes a cycle.
//
// \tparam Config  Beats, per frame
template <typename Config>
class TLastMarker {
 public:
  // One clock cycle.
  //
  // \param in   beats
  // \param out  words of packets that carry the same beats
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    FINN_HLS(inline)
    out.write(marked(in.read(), beat_.last()));
    beat_.next();
  }

 private:
  template <typename T, unsigned Lanes>
  static PacketWord<T, Lanes> marked(const Beat<T, Lanes> &beat, bool last) {
    FINN_HLS(inline)
    PacketWord<T, Lanes> word;
    word.data = pack(beat);
    word.keep = -1;
    word.strb = -1;
    word.last = last;
    return word;
  }

  Counter<Config::Beats> beat_;
};

}  // namespace finn

#endif
